//! Annotations of GitHub workflows: lines by which a step points at a problem in a file.
//!
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>; how values are escaped is as in
//! GitHub's toolkit, `packages/core/src/command.ts`. The runner reads them on standard error, too.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnnotationLevel {
    Error,
    Warning,
}

/// A line that the runner turns into an annotation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WorkflowAnnotation<'a> {
    level: AnnotationLevel,
    location: Option<AnnotationLocation<'a>>,
    /// The target that it is about and a colon, or nothing.
    prefix: &'a str,
    message: &'a str,
}

impl<'a> WorkflowAnnotation<'a> {
    /// Returns an annotation for the first location in the message. `resolve` returns the path by which the runner knows a
    /// file, or `None` if there is no such file.
    pub(crate) fn new(
        level: AnnotationLevel,
        prefix: &'a str,
        message: &'a str,
        resolve: impl Fn(&'a str) -> Option<String>,
    ) -> Self {
        Self { level, location: AnnotationLocation::of(message, resolve), prefix, message }
    }
}

/// Where a message points.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AnnotationLocation<'a> {
    pub(super) file: String,
    pub(super) line: Option<&'a str>,
    column: Option<&'a str>,
}

impl<'a> AnnotationLocation<'a> {
    /// Returns the first location that a line of a message begins with.
    pub(super) fn of(message: &'a str, resolve: impl Fn(&'a str) -> Option<String>) -> Option<Self> {
        message.lines().find_map(|line| Self::of_line(line.trim_start(), &resolve))
    }

    /// Returns the location that a line begins with: `PATH:LINE:COLUMN`, `PATH:LINE` or `PATH:`, as compilers print it.
    fn of_line(line: &'a str, resolve: impl Fn(&'a str) -> Option<String>) -> Option<Self> {
        let ends = line.match_indices(':').map(|(at, _)| line.split_at(at));
        let (file, rest) = ends.filter_map(|(path, rest)| Some((resolve(path)?, rest))).next()?;
        let line = number_after_colon(rest);
        let column = line.and_then(|line| number_after_colon(&rest[1 + line.len()..]));
        Some(Self { file, line, column })
    }
}

/// Returns the number that a text begins with after a colon.
fn number_after_colon(text: &str) -> Option<&str> {
    let text = text.strip_prefix(':')?;
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    Some(&text[..end]).filter(|digits| !digits.is_empty())
}

impl fmt::Display for WorkflowAnnotation<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = match self.level {
            AnnotationLevel::Error => "error",
            AnnotationLevel::Warning => "warning",
        };
        write!(formatter, "::{command} title=pybundle")?;
        if let Some(AnnotationLocation { file, line, column }) = &self.location {
            write!(formatter, ",file={}", property(file))?;
            line.iter().try_for_each(|line| write!(formatter, ",line={line}"))?;
            column.iter().try_for_each(|column| write!(formatter, ",col={column}"))?;
        }
        write!(formatter, "::{}{}", data(self.prefix), data(self.message))
    }
}

/// The directories that the files of an artifact come from, the likeliest first.
static SOURCES: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Remembers where the files of artifacts come from: the directories of projects, of which the first is the current one.
pub(super) fn remember_projects(directories: impl Iterator<Item = PathBuf>) {
    // A command is about one workspace.
    SOURCES.get_or_init(|| directories.flat_map(|directory| [directory.join("src"), directory]).collect());
}

/// Returns the source of a file that a message names by its path here, or by that in an artifact.
fn source(path: &str) -> Option<PathBuf> {
    if Path::new(path).is_file() {
        return Some(path.into());
    }
    let sources = SOURCES.get().map_or(&[][..], Vec::as_slice);
    // Of an image, the directories of the application or of its packages.
    let installed = path.rsplit_once("site-packages/").map(|(_, installed)| installed);
    let below = ["app/", "var/task/"].into_iter().filter_map(|directory| path.strip_prefix(directory));
    let mut candidates = [path]
        .into_iter()
        .chain(installed)
        .chain(below)
        .flat_map(|path| sources.iter().map(move |source| source.join(path)));
    candidates.find(|candidate| candidate.is_file())
}

/// Returns the path by which the runner knows a file, if there is one: relative to the workspace, which is the
/// repository, if the file is below it. A step may run in another directory.
pub(crate) fn file(path: &str, workspace: Option<&Path>) -> Option<String> {
    let path = &*source(path)?;
    let below = workspace.and_then(|workspace| {
        let (file, workspace) = (path.canonicalize().ok()?, workspace.canonicalize().ok()?);
        Some(file.strip_prefix(workspace).ok()?.to_owned())
    });
    let path = below.as_deref().unwrap_or_else(|| path.strip_prefix(".").unwrap_or(path));
    Some(path.display().to_string())
}

/// Escapes what follows the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotated(message: &str) -> String {
        let files = ["pyproject.toml", "a:b/100%,c.toml", "C:"];
        WorkflowAnnotation::new(AnnotationLevel::Error, "", message, |path| {
            files.contains(&path).then(|| path.to_owned())
        })
        .to_string()
    }

    #[test]
    fn a_message_points_where_it_says() {
        for (message, expected) in [
            ("no wheel fits", "::error title=pybundle::no wheel fits"),
            (
                "pyproject.toml:12:3: no",
                "::error title=pybundle,file=pyproject.toml,line=12,col=3::pyproject.toml:12:3: no",
            ),
            (
                "pyproject.toml:12 imports",
                "::error title=pybundle,file=pyproject.toml,line=12::pyproject.toml:12 imports",
            ),
            ("pyproject.toml: no", "::error title=pybundle,file=pyproject.toml::pyproject.toml: no"),
            ("pyproject.toml:", "::error title=pybundle,file=pyproject.toml::pyproject.toml:"),
            ("uv.lock:3: no", "::error title=pybundle::uv.lock:3: no"),
            (
                "2 things:\n  nowhere.py:1 is\n  pyproject.toml:3 is\n  pyproject.toml:4 is",
                "::error title=pybundle,file=pyproject.toml,line=3::2 things:%0A  nowhere.py:1 is%0A  pyproject.toml:3 is\
                 %0A  pyproject.toml:4 is",
            ),
            ("", "::error title=pybundle::"),
        ] {
            assert_eq!(annotated(message), expected);
        }
    }

    #[test]
    fn a_warning_about_a_target_has_its_location() {
        let warning = WorkflowAnnotation::new(AnnotationLevel::Warning, "a%: ", "b:1 is", |path| {
            (path == "b").then(|| path.to_owned())
        });
        assert_eq!(warning.to_string(), "::warning title=pybundle,file=b,line=1::a%25: b:1 is");
    }

    #[test]
    fn what_means_something_to_the_runner_is_escaped() {
        assert_eq!(
            annotated("a:b/100%,c.toml:7: 50 %\r\n::error::no"),
            "::error title=pybundle,file=a%3Ab/100%25%2Cc.toml,line=7::a:b/100%25,c.toml:7: 50 %25%0D%0A::error::no"
        );
    }
}
