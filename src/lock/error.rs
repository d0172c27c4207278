//! What can be wrong with a lock file, and with what is asked of it.

use std::path::{Path, PathBuf};

use super::LockFormat;
use super::requirements::RequirementsError;
use crate::name::DistributionName;
use crate::platform::PythonVersion;

/// A lock file that cannot be read, or that does not hold what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The text is no lock file.
    #[error("{}{}: {}{reason}", .path.display(), line_suffix(*.line), package_prefix(.package.as_deref()))]
    Syntax {
        /// The lock.
        path: PathBuf,
        /// The line, from 1, if it is known.
        line: Option<usize>,
        /// The distribution in whose table the mistake is, if it is in one.
        package: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// The format's version is not known.
    #[error("{}: the lock has version {version} of its format; pybundle reads version 1", .path.display())]
    UnsupportedVersion {
        /// The lock.
        path: PathBuf,
        /// The format's version.
        version: u32,
    },
    /// The version of a poetry.lock is not known.
    #[error("{}: {}; pybundle reads versions 1 and 2", .path.display(), lock_version(.version.as_deref()))]
    UnsupportedLockVersion {
        /// The lock.
        path: PathBuf,
        /// The format's version, if the lock states one.
        version: Option<String>,
    },
    /// The pyproject.toml that a lock belongs to is not what its specification asks for.
    #[error("{}: {reason}", .path.display())]
    InvalidProject {
        /// The pyproject.toml.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A part of the lock contradicts another part.
    #[error("{}: `{package}` {fault}", .path.display())]
    Inconsistent {
        /// The lock.
        path: PathBuf,
        /// The distribution with its version.
        package: String,
        /// The contradiction.
        fault: Inconsistency,
    },
    /// The target's Python is outside of the lock's `requires-python`.
    #[error("{}: the lock is for Python {requires_python}, the target {target} has Python {python}", .path.display())]
    PythonOutOfRange {
        /// The lock.
        path: PathBuf,
        /// The target.
        target: String,
        /// The target's version of Python.
        python: PythonVersion,
        /// What the lock requires.
        requires_python: String,
        /// The built-in profiles that it allows.
        runtimes: Vec<&'static str>,
    },
    /// The target's Python is outside of a distribution's `requires-python`.
    #[error(
        "{}: {package} is for Python {requires_python}, the target {target} has Python {python}",
        .path.display()
    )]
    PythonNotSupported {
        /// The lock.
        path: PathBuf,
        /// The distribution with its version.
        package: String,
        /// The target.
        target: String,
        /// The target's version of Python.
        python: PythonVersion,
        /// What the distribution requires.
        requires_python: String,
    },
    /// The target is none of the environments that the lock was resolved for.
    #[error("{}: the lock is for {}, which the target {target} is not", .path.display(), quoted_list(.environments))]
    UnsupportedTarget {
        /// The lock.
        path: PathBuf,
        /// The target.
        target: String,
        /// The markers of the environments.
        environments: Vec<String>,
    },
    /// There is no such workspace member.
    #[error("{}: the workspace has no member `{name}`", .path.display())]
    UnknownMember {
        /// The lock.
        path: PathBuf,
        /// What was asked for.
        name: DistributionName,
        /// The members.
        members: Vec<String>,
    },
    /// The folder is no member of the lock's workspace.
    #[error("{}: the lock has no project in the folder `{}`", .path.display(), .folder.display())]
    UnknownProject {
        /// The lock.
        path: PathBuf,
        /// The folder, relative to the lock's.
        folder: PathBuf,
        /// The members.
        members: Vec<String>,
    },
    /// No root has the extra.
    #[error("{}: {} no extra `{extra}`", .path.display(), subject(.path, .projects))]
    UnknownExtra {
        /// The lock.
        path: PathBuf,
        /// The roots.
        projects: Vec<String>,
        /// What was asked for.
        extra: String,
        /// The extras there are.
        known: Vec<String>,
    },
    /// No root has the group.
    #[error("{}: {} no dependency group `{group}`", .path.display(), subject(.path, .projects))]
    UnknownGroup {
        /// The lock.
        path: PathBuf,
        /// The roots.
        projects: Vec<String>,
        /// What was asked for.
        group: String,
        /// The groups there are.
        known: Vec<String>,
    },
    /// Things that exclude each other were asked for together, directly or by a dependency.
    #[error("{}: {} are declared as conflicting", .path.display(), list(.items))]
    Conflict {
        /// The lock.
        path: PathBuf,
        /// The extras, groups and projects.
        items: Vec<String>,
    },
    /// The markers of conflicting extras contradict themselves.
    #[error("{}: the markers of conflicting extras contradict each other for this selection", .path.display())]
    UnsettledConflicts {
        /// The lock.
        path: PathBuf,
    },
    /// The versions that the requirements choose change with each choice.
    #[error("{}: no choice of versions satisfies what the chosen versions require of each other", .path.display())]
    UnsettledVersions {
        /// The lock.
        path: PathBuf,
    },
    /// Two versions of one distribution apply to one target.
    #[error(
        "{}: both {first} (for {}) and {second} (for {}) are selected",
        .path.display(), list(.first_for), list(.second_for)
    )]
    TwoVersions {
        /// The lock.
        path: PathBuf,
        /// The first, with its version.
        first: String,
        /// Who asks for the first.
        first_for: Vec<String>,
        /// The second, with its version.
        second: String,
        /// Who asks for the second.
        second_for: Vec<String>,
    },
    /// A requirement of the manifest matches no distribution of the lock, or more than one.
    #[error("{}: the manifest's requirement `{name}` matches {matches} locked distributions, not one", .path.display())]
    UnmatchedRequirement {
        /// The lock.
        path: PathBuf,
        /// The requirement's name.
        name: DistributionName,
        /// How many match.
        matches: usize,
    },
    /// There is no file that can be used for the target.
    #[error("{package} has no wheel for {target}; {available}")]
    NoFile {
        /// The distribution with its version.
        package: String,
        /// The target.
        target: String,
        /// What there is instead.
        available: String,
        /// What would help.
        hints: Vec<String>,
    },
    /// A distribution comes from a repository that is none of git.
    #[error("{}: {package} comes from a {vcs} repository; only git is supported", .path.display())]
    UnsupportedVcs {
        /// The lock.
        path: PathBuf,
        /// The distribution with its version.
        package: String,
        /// The version control system.
        vcs: String,
    },
    /// A repository or a folder would have to be built, and may not be.
    #[error("{package} would have to be built, and may not be")]
    NoBuild {
        /// The distribution, with its version if it has one.
        package: String,
    },
    /// A URL of the lock is none, or none that a wheel can be fetched from.
    #[error("{}: {package} is at `{url}`, which is no URL that can be fetched: {reason}", .path.display())]
    InvalidUrl {
        /// The lock.
        path: PathBuf,
        /// The distribution with its version.
        package: String,
        /// The text, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The lock does not match a project's declaration.
    #[error("{}: the lock does not match {project}: {}", .path.display(), .differences.join("; "))]
    Outdated {
        /// The lock.
        path: PathBuf,
        /// The project, or the workspace.
        project: String,
        /// What differs.
        differences: Vec<String>,
    },
    /// Files of requirements cannot be read, or do not pin what they require.
    #[error(transparent)]
    Requirements(Box<RequirementsError>),
}

impl From<RequirementsError> for LockError {
    fn from(error: RequirementsError) -> Self {
        Self::Requirements(Box::new(error))
    }
}

/// How a part of a lock contradicts another part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// Two tables have the same name, version and source.
    #[error("is there twice")]
    Duplicate,
    /// A distribution does not say which groups need it.
    #[error("has no `groups`, which version 2.1 of the format calls for")]
    NoGroups,
    /// A distribution of an index has no version.
    #[error("comes from an index, but has no version")]
    NoVersion,
    /// An edge is there twice.
    #[error("depends on `{0}` twice with the same marker")]
    DuplicateDependency(String),
    /// An edge leads nowhere.
    #[error("depends on `{0}`, which the lock does not have")]
    UnknownDependency(String),
    /// An edge leads to several distributions.
    #[error("depends on `{dependency}`, which matches {matches} distributions of the lock")]
    AmbiguousDependency {
        /// What the edge says.
        dependency: String,
        /// How many match.
        matches: usize,
    },
    /// A wheel has the name of another distribution.
    #[error("has the wheel `{0}`, which is another distribution's")]
    WheelOfAnother(String),
    /// A wheel has another version.
    #[error("has the wheel `{0}`, which is another version's")]
    WheelOfAnotherVersion(String),
    /// A wheel of a source that must have a digest has none.
    #[error("has the wheel `{0}` without a hash")]
    NoDigest(String),
    /// A folder has a wheel.
    #[error("is a folder, but has the wheel `{0}`")]
    WheelOfFolder(String),
    /// A repository's URL names no commit.
    #[error("comes from a repository, but names no commit")]
    NoCommit,
    /// A wheel's place does not go with the source.
    #[error("has the wheel `{0}` without the {1} that its source calls for")]
    NoPlace(String, &'static str),
}

/// Joins items as a sentence does: `a`, `a and b`, `a, b and c`.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

pub(super) fn quoted_list(items: &[String]) -> String {
    list(&items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>())
}

pub(super) fn is_of_requirements(path: &Path) -> bool {
    LockFormat::of(path) == Some(LockFormat::Requirements)
}

fn lock_version(version: Option<&str>) -> String {
    match version {
        Some(version) => format!("the lock has version {} of its format", version.escape_debug()),
        None => "the lock does not state the version of its format".to_owned(),
    }
}

fn subject(path: &Path, projects: &[String]) -> String {
    let verb = if projects.len() == 1 { "has" } else { "have" };
    match projects {
        [] if is_of_requirements(path) => "a file of requirements has".to_owned(),
        [] => "the lock has".to_owned(),
        _ => format!("{} {verb}", quoted_list(projects)),
    }
}

fn line_suffix(line: Option<usize>) -> String {
    line.map(|line| format!(":{line}")).unwrap_or_default()
}

fn package_prefix(package: Option<&str>) -> String {
    package.map(|package| format!("`{package}`: ")).unwrap_or_default()
}
