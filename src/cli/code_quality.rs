//! GitLab's code quality report: what merge requests show beside their files.
//!
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>: one array, of which each issue has a
//! description, a check, a fingerprint that no other issue has, a severity, and a path from the repository's root with a line.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::annotation::{AnnotationLevel, AnnotationLocation};
use crate::digest::Sha256;

/// The file of an issue that is about none: GitLab shows no issue without one.
const DEFAULT_FILE: &str = "pyproject.toml";

/// The issues of this run.
static ISSUES: Mutex<Vec<CodeQualityIssue>> = Mutex::new(Vec::new());

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct CodeQualityIssue {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: IssueLocation,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct IssueLocation {
    path: String,
    lines: IssueLines,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct IssueLines {
    /// From 1.
    begin: usize,
}

/// Adds an issue for the first location in a message. `resolve` returns the path of a file from the repository's root, or `None`
/// if there is no such file.
pub(super) fn add(level: AnnotationLevel, prefix: &str, message: &str, resolve: impl Fn(&str) -> Option<String>) {
    let mut issues = ISSUES.lock().unwrap_or_else(PoisonError::into_inner);
    let issue = issue(level, prefix, message, resolve, &issues);
    issues.push(issue);
}

/// Returns the report.
pub(super) fn report() -> impl Serialize {
    ISSUES.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn issue(
    level: AnnotationLevel,
    prefix: &str,
    message: &str,
    resolve: impl Fn(&str) -> Option<String>,
    before: &[CodeQualityIssue],
) -> CodeQualityIssue {
    let (check_name, severity) = match level {
        AnnotationLevel::Error => ("pybundle/error", "major"),
        AnnotationLevel::Warning => ("pybundle/warning", "minor"),
    };
    let location = AnnotationLocation::of(message, &resolve);
    let begin =
        location.as_ref().and_then(|location| location.line?.parse().ok().filter(|line| *line > 0)).unwrap_or(1);
    let path = location.map(|location| location.file).or_else(|| resolve(DEFAULT_FILE));
    let path = path.unwrap_or_else(|| DEFAULT_FILE.to_owned());
    let description = format!("{prefix}{message}");
    let used: BTreeSet<&str> = before.iter().map(|issue| &*issue.fingerprint).collect();
    // GitLab shows the first of those with equal fingerprints, and compares branches by them: an issue that moves with its line
    // remains the same one.
    let text = without_numbers(&description);
    let mut fingerprints =
        (0..).map(|count: u32| Sha256::of(format!("{check_name}\n{path}\n{text}\n{count}").as_bytes()).hex());
    let fingerprint = fingerprints.find(|fingerprint| !used.contains(&**fingerprint)).unwrap_or_default();
    CodeQualityIssue {
        description,
        check_name,
        fingerprint,
        severity,
        location: IssueLocation { path, lines: IssueLines { begin } },
    }
}

/// Returns a message without the lines and columns in it: `app.py:3:1: no` as `app.py: no`.
fn without_numbers(message: &str) -> String {
    let mut parts = message.split(':');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|character: char| character.is_ascii_digit());
        let is_number = rest.len() < part.len() && !rest.starts_with(|character: char| character.is_alphanumeric());
        if !is_number {
            text.push(':');
        }
        text.push_str(if is_number { rest } else { part });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_have_fingerprints_of_their_own_that_do_not_depend_on_lines() {
        let mut issues = Vec::new();
        for message in ["app.py:3 imports `x`", "app.py:7 imports `x`", "app.py:7 imports `y`", "no wheel"] {
            let new =
                issue(AnnotationLevel::Error, "", message, |path| (path == "app.py").then(|| path.to_owned()), &issues);
            issues.push(new);
        }
        let fingerprints: BTreeSet<&str> = issues.iter().map(|issue| &*issue.fingerprint).collect();
        assert_eq!(fingerprints.len(), 4);
        let locations: Vec<(&str, usize)> =
            issues.iter().map(|issue| (&*issue.location.path, issue.location.lines.begin)).collect();
        assert_eq!(locations, [("app.py", 3), ("app.py", 7), ("app.py", 7), ("pyproject.toml", 1)]);
        let moved = issue(AnnotationLevel::Error, "", "app.py:9 imports `x`", |path| Some(path.to_owned()), &[]);
        assert_eq!(moved.fingerprint, issues[0].fingerprint);
    }

    #[test]
    fn numbers_of_lines_are_omitted() {
        for (message, expected) in [
            ("app.py:3:1: no", "app.py: no"),
            ("app.py:3 imports", "app.py imports"),
            ("sha256:12ab: 5 of 3", "sha256:12ab: 5 of 3"),
            ("a: b", "a: b"),
        ] {
            assert_eq!(without_numbers(message), expected);
        }
    }
}
