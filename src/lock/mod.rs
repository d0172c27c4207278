//! Lock files, and what is selected from them for a target.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use pep440_rs::Version;
use url::Url;

use crate::digest::Digest;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::target::{Tag, Target};
use crate::wheel::filename::WheelFilename;

pub mod error;
pub mod uv;

pub use error::LockError;

/// A lock file.
#[derive(Debug)]
pub enum Lock {
    /// uv.lock.
    Uv(uv::UvLock),
}

impl Lock {
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
        }
    }

    /// Selects what is asked for, for a target. `project` is the project's folder relative to the lock's; it is empty
    /// for the lock's own folder.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the lock is not for the target, does not have what is asked for, or has no wheel that fits.
    pub fn select(&self, request: &Request, project: &Path, target: &Target) -> Result<Selection, LockError> {
        match self {
            Self::Uv(lock) => lock.select(request, project, target),
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
    /// Leaves the root project itself out, but not its dependencies.
    pub no_install_project: bool,
    /// Leaves every workspace member out, but not their dependencies.
    pub no_install_workspace: bool,
    /// Distributions to leave out, but not their dependencies.
    pub no_install_packages: BTreeSet<DistributionName>,
}

/// What a lock selects for a target: one version of each distribution, ordered by name.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The distributions, ordered by name.
    pub distributions: Vec<Selected>,
}

/// A selected distribution.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The normalized name.
    pub name: DistributionName,
    /// The version; a local project with a dynamic version has none in the lock.
    pub version: Option<Version>,
    /// Who asks for it, ordered: distributions, and the root's extras and groups.
    pub required_by: Vec<Dependent>,
    /// Where it comes from.
    pub source: SelectedSource,
}

impl Selected {
    /// Returns whether the user asks for it: it is the root of the selection.
    pub fn is_root(&self) -> bool {
        self.required_by.contains(&Dependent::Root)
    }
}

/// Who asks for a distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependent {
    /// The user: it is the root of the selection.
    Root,
    /// Another distribution, by one of its extras if there is one.
    Distribution(DistributionName, Option<ExtraName>),
    /// A dependency group of a project.
    Group(DistributionName, GroupName),
}

impl fmt::Display for Dependent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => formatter.write_str("the request"),
            Self::Distribution(name, None) => write!(formatter, "{name}"),
            Self::Distribution(name, Some(extra)) => write!(formatter, "{name}[{extra}]"),
            Self::Group(name, group) => write!(formatter, "the group `{group}` of {name}"),
        }
    }
}

/// Where a selected distribution comes from.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "nearly all are wheels, and there are few of them")]
pub enum SelectedSource {
    /// A wheel that is fetched.
    Wheel(LockedWheel),
    /// A folder of this machine, built into a wheel: a workspace member or a path dependency.
    Directory(PathBuf),
    /// A project that is not a package: nothing is installed for it.
    Virtual(PathBuf),
}

/// A wheel as the lock states it.
#[derive(Debug, Clone)]
pub struct LockedWheel {
    /// The wheel's file name.
    pub filename: WheelFilename,
    /// The tag by which it fits the target.
    pub tag: Tag,
    /// Where it is.
    pub location: Location,
    /// Its digest, if the lock has one.
    pub digest: Option<Digest>,
    /// Its size in bytes, if the lock has it.
    pub size: Option<u64>,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On a server; with the index that it belongs to, whose credentials apply.
    Url {
        /// The file.
        url: Url,
        /// The index that the lock took it from; none for a direct reference.
        index: Option<Url>,
    },
    /// On this machine.
    Path(PathBuf),
}
