//! Errors of locks, and of selections from them.

use std::path::{Path, PathBuf};

use super::requirements::RequirementsError;
use super::{ForeignTool, LockFormat, WantedWheel};
use crate::name::DistributionName;
use crate::platform::PythonVersion;

/// A lock that is invalid, or from which a request cannot be satisfied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The text does not have the syntax or the types of its format.
    #[error("{}{}: {}{reason}", .path.display(), line_suffix(*.line), package_prefix(.package.as_deref()))]
    Syntax {
        /// The lock.
        path: PathBuf,
        /// The line, from 1, if it is known.
        line: Option<usize>,
        /// The distribution whose table has the mistake, if it is in one.
        package: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// A uv.lock or pylock.toml has an unsupported version of its format.
    #[error("{}: unsupported lock version {version} (only version 1 is supported)", .path.display())]
    UnsupportedVersion {
        /// The lock.
        path: PathBuf,
        /// The format's version.
        version: u32,
    },
    /// The lock is that of a tool whose format is not supported.
    #[error("cannot read {}: it is a lock of {}", .path.display(), .tool.name())]
    ForeignLock {
        /// The lock.
        path: PathBuf,
        /// The tool.
        tool: ForeignTool,
    },
    /// Several locks are given, one of which is not a requirements file.
    #[error("{}: only requirements files can be merged with another lock", .path.display())]
    SeveralLocks {
        /// The lock.
        path: PathBuf,
    },
    /// A poetry.lock, pdm.lock or Pipfile.lock has an unsupported version of its format.
    #[error("{}: {} (only {supported} supported)", .path.display(), lock_version(.version.as_deref()))]
    UnsupportedLockVersion {
        /// The lock.
        path: PathBuf,
        /// The format's version, if the lock has one.
        version: Option<String>,
        /// The supported versions, with the verb: `version 6 is`.
        supported: &'static str,
        /// The first version of the tool that writes one of these.
        oldest_tool: &'static str,
    },
    /// The pyproject.toml of a poetry.lock or pdm.lock, or the Pipfile of a Pipfile.lock, is invalid.
    #[error("{}: {reason}", .path.display())]
    InvalidProject {
        /// The pyproject.toml or Pipfile.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Parts of the lock contradict each other.
    #[error("{}: `{package}` {inconsistency}", .path.display())]
    Inconsistent {
        /// The lock.
        path: PathBuf,
        /// The distribution with its version.
        package: String,
        /// The contradiction.
        inconsistency: Inconsistency,
    },
    /// The target's Python is outside the lock's `requires-python`.
    #[error(
        "{}: the lock requires Python {requires_python}, but the target {target} has Python {python}",
        .path.display()
    )]
    IncompatiblePython {
        /// The lock.
        path: PathBuf,
        /// The target.
        target: String,
        /// The target's version of Python.
        python: PythonVersion,
        /// The lock's `requires-python`.
        requires_python: String,
        /// The flags that select a version of Python that the lock allows.
        pythons: Vec<String>,
    },
    /// The target's Python is outside a distribution's `requires-python`.
    #[error(
        "{}: {package} requires Python {requires_python}, but the target {target} has Python {python}",
        .path.display()
    )]
    IncompatibleDistribution {
        /// The lock.
        path: PathBuf,
        /// The distribution with its version.
        package: String,
        /// The target.
        target: String,
        /// The target's version of Python.
        python: PythonVersion,
        /// The distribution's `requires-python`.
        requires_python: String,
    },
    /// The target matches none of the environments that the lock is limited to.
    #[error(
        "{}: the lock supports only {}; the target {target} does not match",
        .path.display(), quoted_list(.environments)
    )]
    UnsupportedTarget {
        /// The lock.
        path: PathBuf,
        /// The target.
        target: String,
        /// The markers of the environments.
        environments: Vec<String>,
        /// The tool that wrote the lock, if it is a pylock.toml.
        tool: Option<String>,
    },
    /// The requested package is not a workspace member.
    #[error("{}: the workspace has no member `{name}`", .path.display())]
    UnknownMember {
        /// The lock.
        path: PathBuf,
        /// The requested member.
        name: DistributionName,
        /// The members.
        members: Vec<String>,
    },
    /// The directory is not that of a workspace member.
    #[error("{}: the lock contains no project in the directory `{}`", .path.display(), .directory.display())]
    UnknownProject {
        /// The lock.
        path: PathBuf,
        /// The directory, relative to the lock's.
        directory: PathBuf,
        /// The members.
        members: Vec<String>,
    },
    /// None of the selected projects has the requested extra.
    #[error("{}: {} no extra `{extra}`", .path.display(), subject(.path, .projects))]
    UnknownExtra {
        /// The lock.
        path: PathBuf,
        /// The projects; empty if the format has none.
        projects: Vec<String>,
        /// The requested extra.
        extra: String,
        /// The extras of the projects.
        known: Vec<String>,
    },
    /// None of the selected projects has the requested dependency group.
    #[error("{}: {} no dependency group `{group}`", .path.display(), subject(.path, .projects))]
    UnknownGroup {
        /// The lock.
        path: PathBuf,
        /// The projects; empty if the format has none.
        projects: Vec<String>,
        /// The requested group.
        group: String,
        /// The groups of the projects.
        known: Vec<String>,
    },
    /// A group or extra of the project is not in its pdm.lock.
    #[error("{}: the group `{group}` is not locked", .path.display())]
    UnlockedGroup {
        /// The lock.
        path: PathBuf,
        /// The group or extra, both of which PDM calls groups.
        group: String,
    },
    /// A Pipfile.lock does not pin the version of a distribution.
    #[error("{}: {name} is not pinned", .path.display())]
    Unpinned {
        /// The lock.
        path: PathBuf,
        /// The distribution.
        name: DistributionName,
    },
    /// Extras, groups or projects that are declared as conflicting are requested together, directly or by a dependency.
    #[error("{}: {} are declared as conflicting", .path.display(), list(.items))]
    DeclaredConflict {
        /// The lock.
        path: PathBuf,
        /// The extras, groups and projects.
        items: Vec<String>,
    },
    /// No set of active extras is the one that its own markers activate.
    #[error("{}: the markers of conflicting extras contradict each other for this selection", .path.display())]
    UnresolvedConflicts {
        /// The lock.
        path: PathBuf,
    },
    /// The locked versions do not satisfy each other's requirements.
    #[error("{}: no set of locked versions satisfies all requirements", .path.display())]
    UnresolvedVersions {
        /// The lock.
        path: PathBuf,
    },
    /// Two versions of one distribution apply to one target.
    #[error(
        "{}: two versions are selected: {first} (for {}) and {second} (for {})",
        .path.display(), list(.first_for), list(.second_for)
    )]
    ConflictingVersions {
        /// The lock.
        path: PathBuf,
        /// The first, with its version.
        first: String,
        /// What requires the first, or where it applies.
        first_for: Vec<String>,
        /// The second, with its version.
        second: String,
        /// What requires the second, or where it applies.
        second_for: Vec<String>,
    },
    /// A requirement of a uv.lock's manifest does not match exactly one of its distributions.
    #[error(
        "{}: the manifest's requirement `{name}` matches {matches} packages of the lock, but must match one",
        .path.display()
    )]
    UnmatchedRequirement {
        /// The lock.
        path: PathBuf,
        /// The requirement's name.
        name: DistributionName,
        /// The number of matches.
        matches: usize,
    },
    /// None of a distribution's files can be installed on the target.
    #[error("{package} has no wheel for {target}; {available}")]
    NoCompatibleFile {
        /// The distribution with its version.
        package: String,
        /// The target, as compatibility tags.
        target: String,
        /// What is available instead.
        available: String,
        /// The distribution, if another version of it may have a wheel.
        wanted: Option<Box<WantedWheel>>,
        /// What would help besides.
        hints: Vec<String>,
    },
    /// A pylock.toml selects a distribution of which it lists no files.
    #[error("{}: the lock lists no files of {package}", .path.display())]
    NoFiles {
        /// The lock.
        path: PathBuf,
        /// The distribution, with its version if it has one.
        package: String,
        /// The tool that wrote the lock.
        tool: String,
    },
    /// A distribution comes from a repository of another version control system than Git.
    #[error("{}: {package} comes from a {vcs} repository; only Git is supported", .path.display())]
    UnsupportedVcs {
        /// The lock.
        path: PathBuf,
        /// The distribution with its version.
        package: String,
        /// The version control system.
        vcs: String,
    },
    /// A repository or a directory must be built into a wheel, but builds are disabled for it.
    #[error("cannot build {package}: builds are disabled for it")]
    BuildNotAllowed {
        /// The distribution, with its version if it has one.
        package: String,
        /// The settings that disable them.
        excluded_by: String,
    },
    /// A URL of the lock is invalid, or has an unsupported scheme.
    #[error("{}: {package} has the invalid URL `{url}`: {reason}", .path.display())]
    InvalidUrl {
        /// The lock.
        path: PathBuf,
        /// The distribution with its version.
        package: String,
        /// The text, without credentials.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A project's pyproject.toml has changed since the lock was written.
    #[error("{}: the lock does not match {project}: {}", .path.display(), .differences.join("; "))]
    Outdated {
        /// The lock.
        path: PathBuf,
        /// The project, or the workspace.
        project: String,
        /// What has changed.
        differences: Vec<String>,
    },
    /// A requirements file cannot be read, or does not pin what it requires.
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
    #[error("is listed twice")]
    DuplicatePackage,
    /// A distribution of a poetry.lock has no list of groups.
    #[error("has no `groups`, which lock version 2.1 requires")]
    MissingGroups,
    /// A distribution of an index has no version.
    #[error("comes from an index, but has no version")]
    MissingVersion,
    /// A dependency is listed twice.
    #[error("depends on `{0}` twice with the same marker")]
    DuplicateDependency(String),
    /// A dependency matches no distribution.
    #[error("depends on `{0}`, which is not in the lock")]
    UnknownDependency(String),
    /// A dependency matches several distributions.
    #[error("depends on `{dependency}`, which matches {matches} packages of the lock")]
    AmbiguousDependency {
        /// The dependency.
        dependency: String,
        /// The number of matches.
        matches: usize,
    },
    /// An index is not one of the sources.
    #[error("comes from the source `{0}`, which the lock does not list")]
    UnknownIndex(String),
    /// A wheel has the name of another distribution.
    #[error("has the wheel `{0}`, whose name does not match")]
    WheelNameMismatch(String),
    /// A wheel has another version.
    #[error("has the wheel `{0}`, whose version does not match")]
    WheelVersionMismatch(String),
    /// A wheel at a URL or path has no digest.
    #[error("has the wheel `{0}` without a hash")]
    MissingHash(String),
    /// A directory has a wheel.
    #[error("is a directory, but has the wheel `{0}`")]
    UnexpectedWheel(String),
    /// A repository has no full commit hash.
    #[error("comes from a Git repository, but has no full commit hash")]
    MissingCommit,
    /// A wheel has no URL, or no path, although its source requires one.
    #[error("has the wheel `{0}` without the {1} that its source requires")]
    MissingLocation(String, &'static str),
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

pub(super) fn is_requirements_file(path: &Path) -> bool {
    LockFormat::of(path) == Some(LockFormat::Requirements)
}

fn lock_version(version: Option<&str>) -> String {
    match version {
        Some(version) => format!("unsupported lock version {}", version.escape_debug()),
        None => "the lock has no lock version".to_owned(),
    }
}

fn subject(path: &Path, projects: &[String]) -> String {
    let verb = if projects.len() == 1 { "has" } else { "have" };
    match projects {
        [] if is_requirements_file(path) => "a requirements file has".to_owned(),
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
