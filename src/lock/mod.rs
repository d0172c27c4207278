//! Lock files, and what is selected from them for a target.
//!
//! A lock pins distributions ([`Lock::select`] gives a [`Selection`] of [`Pinned`] ones); which file of each is used
//! follows from the target's compatibility tags, and is the same for every format ([`Chooser`]). In between stand the
//! files themselves: some formats list them, others leave them to an index.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::TargetPlatform;

mod choose;
pub mod error;
mod hints;
mod path;
pub mod poetry;
pub mod pylock;
mod python;
pub mod requirements;
mod selection;
mod syntax;
pub mod uv;

pub use choose::{Chooser, FormatControl, Packages};
pub use error::LockError;
pub use selection::{
    AskedIndexes, Dependent, Files, IndexQuery, Location, LockedFile, LockedSdist, LockedWheel, Pinned, Repository,
    Selected, SelectedSource, Selection, Source, Wanted,
};

/// A lock file.
#[derive(Debug)]
pub enum Lock {
    /// uv.lock.
    Uv(uv::UvLock),
    /// pylock.toml.
    Pylock(pylock::Pylock),
    /// poetry.lock.
    Poetry(poetry::PoetryLock),
    /// requirements.txt.
    Requirements(requirements::Requirements),
}

/// The forms of lock files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockFormat {
    /// uv.lock, and the locks of scripts, which end in `.py.lock`.
    Uv,
    /// pylock.toml, or `pylock.NAME.toml`.
    Pylock,
    /// poetry.lock.
    Poetry,
    /// requirements.txt, or any other file that ends in `.txt` or `.in`; or `requirements*.lock`, as Rye names them.
    Requirements,
}

impl LockFormat {
    /// The names by which a lock is looked for in a project's folder, the first that is there first.
    pub const NAMES: [&str; 4] = ["uv.lock", "pylock.toml", "poetry.lock", "requirements.txt"];

    /// Returns the form that a file's name tells.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let is_named_pylock = name.strip_prefix("pylock.").and_then(|rest| rest.strip_suffix(".toml"));
        match name {
            "poetry.lock" => Some(Self::Poetry),
            "pylock.toml" => Some(Self::Pylock),
            _ if is_named_pylock.is_some_and(|name| !name.is_empty() && !name.contains('.')) => Some(Self::Pylock),
            _ if name.ends_with(".txt") || name.ends_with(".in") => Some(Self::Requirements),
            _ if name.starts_with("requirements") && name.ends_with(".lock") => Some(Self::Requirements),
            _ if name.ends_with(".lock") => Some(Self::Uv),
            _ => None,
        }
    }
}

impl Lock {
    /// Parses the text of a pylock.toml. `path` is where it lies: its folder is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the text is no pylock.toml of version 1, or contradicts itself.
    pub fn parse_pylock(text: &str, path: &Path) -> Result<Self, LockError> {
        pylock::Pylock::parse(text, path).map(Self::Pylock)
    }

    /// Parses the text of a poetry.lock. `path` is where it lies: its folder is what its paths are relative to. `project`
    /// is the project's pyproject.toml, which says what older locks do not.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the text is no poetry.lock that is known, or contradicts itself.
    pub fn parse_poetry(text: &str, path: &Path, project: &LocalProject) -> Result<Self, LockError> {
        poetry::PoetryLock::parse(text, path, project).map(Self::Poetry)
    }

    /// Parses the text of a uv.lock. `path` is where it lies: its folder is what its paths are relative to.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the text is no uv.lock of version 1, or contradicts itself.
    pub fn parse_uv(text: &str, path: &Path) -> Result<Self, LockError> {
        uv::UvLock::parse(text, path).map(Self::Uv)
    }

    /// Compares the lock with the projects of its workspace: all of them, with the root's pyproject.toml even if it
    /// declares no project.
    ///
    /// # Errors
    ///
    /// [`LockError::Outdated`], if the lock is not the lock of these projects any more.
    pub fn check_locked(&self, workspace: &[LocalProject]) -> Result<Freshness, LockError> {
        match self {
            Self::Uv(lock) => lock.check_locked(workspace),
            Self::Poetry(lock) => lock.check_locked(workspace),
            // They do not say what they were made from.
            Self::Pylock(_) | Self::Requirements(_) => Ok(Freshness::Current),
        }
    }

    /// Returns the extras and groups that may be asked for beside what a request asks for. `project` is as for
    /// [`Lock::select`].
    pub fn choices(&self, request: &Request, project: &Path) -> Choices {
        match self {
            Self::Uv(lock) => lock.choices(request, project),
            Self::Pylock(lock) => lock.choices(),
            Self::Poetry(lock) => lock.choices(),
            Self::Requirements(_) => Choices::default(),
        }
    }

    /// Selects what is asked for, for a target. `project` is the project's folder relative to the lock's; it is empty
    /// for the lock's own folder.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the lock is not for the target, or does not have what is asked for.
    pub fn select(&self, request: &Request, project: &Path, target: &TargetPlatform) -> Result<Selection, LockError> {
        match self {
            Self::Uv(lock) => lock.select(request, project, target),
            Self::Pylock(lock) => lock.select(request, target),
            Self::Poetry(lock) => lock.select(request, target),
            Self::Requirements(lock) => lock.select(request, target),
        }
    }
}

/// A project of the workspace that a lock belongs to.
#[derive(Debug, Clone)]
pub struct LocalProject {
    /// Its folder, relative to the lock's; empty for the lock's own.
    pub path: PathBuf,
    /// Its parsed pyproject.toml.
    pub table: toml::Table,
}

/// Whether a lock is the lock of its projects as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// It is.
    Current,
    /// Nothing speaks against it, but the files alone do not tell, for these reasons. `uv lock --check` does.
    Undecided(Vec<String>),
}

/// What a project offers beside its dependencies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// The extras.
    pub extras: BTreeSet<ExtraName>,
    /// The groups.
    pub groups: BTreeSet<GroupName>,
}

/// What to select: the root, its extras and groups, and what to leave out. The flags of `uv export`, by the same names.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The workspace member to bundle; else the project whose folder was named.
    pub package: Option<DistributionName>,
    /// The extras.
    pub extras: BTreeSet<ExtraName>,
    /// Every extra of the root.
    pub all_extras: bool,
    /// Groups beside the project's dependencies.
    pub groups: BTreeSet<GroupName>,
    /// Groups in place of the project and its dependencies.
    pub only_groups: BTreeSet<GroupName>,
    /// Leaves out the groups that a pylock.toml names as its default. Other locks have none that are bundled unasked.
    pub no_default_groups: bool,
    /// Leaves the root project itself out, but not its dependencies.
    pub no_install_project: bool,
    /// Leaves every workspace member out, but not their dependencies.
    pub no_install_workspace: bool,
    /// Distributions to leave out, but not their dependencies.
    pub no_install_packages: BTreeSet<DistributionName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_form() {
        for (name, expected) in [
            ("uv.lock", Some(LockFormat::Uv)),
            ("script.py.lock", Some(LockFormat::Uv)),
            ("poetry.lock", Some(LockFormat::Poetry)),
            ("pylock.toml", Some(LockFormat::Pylock)),
            ("pylock.prod.toml", Some(LockFormat::Pylock)),
            ("requirements.txt", Some(LockFormat::Requirements)),
            ("requirements/prod.txt", Some(LockFormat::Requirements)),
            ("requirements.lock", Some(LockFormat::Requirements)),
            ("requirements-dev.lock", Some(LockFormat::Requirements)),
            ("Pipfile", None),
        ] {
            assert_eq!(LockFormat::of(Path::new(name)), expected, "{name}");
        }
    }
}
