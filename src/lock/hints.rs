//! What may help against an error of a lock.

use std::path::Path;

use super::LockFormat;
use super::error::{LockError, is_of_requirements, quoted_list};
use crate::hints::{Hints, did_you_mean, nearest};

impl Hints for LockError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Requirements(error) => error.hints(),
            Self::UnknownMember { path, .. } if is_of_requirements(path) => {
                vec!["a file of requirements has no workspace: name the member's folder as the project".to_owned()]
            }
            Self::UnknownExtra { path, .. } if is_of_requirements(path) => {
                vec!["a file of requirements has no extras: name a file that pins them with --lock".to_owned()]
            }
            Self::UnknownGroup { path, group, .. } if is_of_requirements(path) => vec![format!(
                "a file of requirements has no groups: name the file that pins `{group}` with --lock, \
                 for instance requirements-{group}.txt or requirements/{group}.txt"
            )],
            Self::TwoVersions { path, .. } if is_of_requirements(path) => {
                vec!["leave one of them out, or give them markers that exclude each other".to_owned()]
            }
            Self::Syntax { path, .. } | Self::Inconsistent { path, .. } => {
                vec![format!("write the lock again with {}; it is not meant to be edited", writer(path))]
            }
            Self::UnsupportedLockVersion { version: None, .. } => {
                vec!["write the lock again with `poetry lock` of Poetry 1.1 or later".to_owned()]
            }
            Self::UnsupportedLockVersion { .. } => {
                vec!["use a newer pybundle, or write the lock with a version of Poetry whose locks it reads".to_owned()]
            }
            Self::UnsupportedVersion { path, .. } => {
                let tool = if is_of_uv(path) { "a version of uv" } else { "a version of its tool" };
                vec![format!("use a newer pybundle, or write the lock with {tool} whose locks have version 1")]
            }
            Self::PythonOutOfRange { path, runtimes, .. } => {
                let choose =
                    (!runtimes.is_empty()).then(|| format!("the lock allows --runtime {}", runtimes.join(", ")));
                let widen = format!("widen requires-python and write the lock again with {}", writer(path));
                choose.into_iter().chain([widen]).collect()
            }
            Self::PythonNotSupported { path, .. } => {
                vec![format!("write the lock again with {}, for the target's Python as well", writer(path))]
            }
            Self::UnsupportedTarget { path, .. } if is_of_uv(path) => {
                vec!["add the target to tool.uv.environments in pyproject.toml and run `uv lock`".to_owned()]
            }
            Self::UnsupportedTarget { path, .. } => {
                vec![format!("write the lock again with {}, for the target as well", writer(path))]
            }
            Self::UnknownMember { name, members, .. } => near(name.as_str(), members, "members"),
            Self::UnknownProject { members, .. } if members.is_empty() => Vec::new(),
            Self::UnknownProject { members, .. } => {
                vec![format!("name one of the members with --package: {}", quoted_list(members))]
            }
            Self::UnknownExtra { extra, known, .. } => near(extra, known, "extras"),
            Self::UnknownGroup { group, known, .. } => near(group, known, "groups"),
            Self::Conflict { .. } => vec!["bundle them one at a time".to_owned()],
            Self::UnsettledConflicts { path }
            | Self::UnsettledVersions { path }
            | Self::TwoVersions { path, .. }
            | Self::UnmatchedRequirement { path, .. } => vec![format!("write the lock again with {}", writer(path))],
            Self::NoFile { hints, .. } => hints.clone(),
            Self::NoBuild { .. } => {
                vec!["allow it: it is excluded by --no-build, --no-build-package or --only-binary".to_owned()]
            }
            Self::UnsupportedVcs { package, .. } => vec![format!("lock a release or an archive of {package} instead")],
            Self::InvalidProject { .. } | Self::InvalidUrl { .. } => Vec::new(),
            Self::Outdated { path, .. } => {
                vec![format!("run {}, or pass --frozen to use the lock as it is", writer(path))]
            }
        }
    }
}

/// Returns what writes a lock of this form.
fn writer(path: &Path) -> &'static str {
    match LockFormat::of(path) {
        Some(LockFormat::Uv) | None => "`uv lock`",
        Some(LockFormat::Poetry) => "`poetry lock`",
        Some(LockFormat::Pylock | LockFormat::Requirements) => "the tool that made it",
    }
}

fn is_of_uv(path: &Path) -> bool {
    matches!(LockFormat::of(path), Some(LockFormat::Uv) | None)
}

/// Returns the known names that are like the one that was asked for, else all of them.
fn near(asked: &str, known: &[String], kind: &str) -> Vec<String> {
    if known.is_empty() {
        return vec![format!("there are no {kind}")];
    }
    match nearest(asked, known.iter().map(String::as_str)) {
        Some(name) => vec![format!("{} The {kind} are {}", did_you_mean(name), quoted_list(known))],
        None => vec![format!("the {kind} are {}", quoted_list(known))],
    }
}
