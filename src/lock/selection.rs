//! What a lock selects for a target: the distributions that it pins, and the file that is chosen of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use pep440_rs::Version;
use url::Url;

use crate::digest::Digest;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::CompatibilityTag;
use crate::sdist::filename::SdistFilename;
use crate::wheel::filename::WheelFilename;

/// What a lock selects for a target: one version of each distribution.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The distributions, ordered by name.
    pub distributions: Vec<Pinned>,
}

/// A distribution that a lock pins; which of its files is used is not decided yet.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The normalized name.
    pub name: DistributionName,
    /// The version; a local project with a dynamic version, a repository and a direct URL may have none in the lock.
    pub version: Option<Version>,
    /// Who asks for it, ordered: distributions, and the root's extras and groups.
    pub required_by: Vec<Dependent>,
    /// Where it comes from.
    pub source: Source,
}

impl fmt::Display for Pinned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "{} {version}", self.name),
            None => write!(formatter, "{}", self.name),
        }
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
    /// A file of requirements, by its path as it was named.
    File(PathBuf),
}

impl fmt::Display for Dependent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => formatter.write_str("the request"),
            Self::Distribution(name, None) => write!(formatter, "{name}"),
            Self::Distribution(name, Some(extra)) => write!(formatter, "{name}[{extra}]"),
            Self::Group(name, group) => write!(formatter, "the group `{group}` of {name}"),
            Self::File(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// Where a lock says that a distribution comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files that the lock lists.
    Files(Files),
    /// Files that an index has to be asked for.
    Index(IndexQuery),
    /// A commit of a repository, built into a wheel.
    Repository(Repository),
    /// A folder of this machine, built into a wheel: a workspace member or a path dependency.
    Directory(PathBuf),
    /// A project that is not a package: nothing is installed for it.
    Virtual(PathBuf),
}

/// The files of one version of a distribution.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The wheels, in the order of the lock or the index.
    pub wheels: Vec<LockedWheel>,
    /// The source distribution, if there is one.
    pub sdist: Option<LockedSdist>,
    /// Files of other forms, by their names: eggs, and archives that are not supported. Only messages use them.
    pub unusable: Vec<String>,
}

/// A file as a lock or an index states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedFile<Name> {
    /// The file's name.
    pub filename: Name,
    /// Where it is.
    pub location: Location,
    /// The digests of which it must have one; empty if none is known.
    pub digests: Vec<Digest>,
    /// Its size in bytes, if it is known.
    pub size: Option<u64>,
}

impl<Name> LockedFile<Name> {
    /// Returns the digest that identifies the file: the only one that it may have.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.digests[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// A wheel as a lock or an index states it.
pub type LockedWheel = LockedFile<WheelFilename>;

/// A source distribution, or another archive that is built into a wheel, as a lock or an index states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedSdist {
    /// The archive.
    pub file: LockedFile<SdistFilename>,
    /// The project's folder in the archive, if it is not the only folder at its top.
    pub subdirectory: Option<String>,
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

impl Location {
    /// Returns where a URL without a fragment leads. `index` is the index that the file belongs to.
    ///
    /// # Errors
    ///
    /// The reason, if nothing can be fetched from there.
    pub(super) fn of_url(url: &Url, index: Option<&Url>) -> Result<Self, &'static str> {
        match url.scheme() {
            "http" | "https" => Ok(Self::Url { url: url.clone(), index: index.cloned() }),
            "file" => url.to_file_path().map(Self::Path).map_err(|()| "it names no file of this machine"),
            _ => Err("its scheme is none of http, https and file"),
        }
    }
}

/// A pinned version whose files the lock does not locate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexQuery {
    /// The version. A file's local version is passed over if this has none; the highest that fits is meant then.
    pub version: Version,
    /// Which of its files are accepted.
    pub wanted: Wanted,
    /// Which indexes are asked.
    pub indexes: AskedIndexes,
}

/// Which indexes are asked for a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedIndexes {
    /// Those of the user, in their order.
    All,
    /// The one in the place of PyPI, or PyPI: the others do not learn that it is asked for.
    Default,
    /// The one that the lock names.
    Only(Url),
}

/// Which of a version's files are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Each: the lock has no hashes.
    Any,
    /// Those that have one of these digests.
    Digests(BTreeSet<Digest>),
    /// Those with these names, each with one of its digests.
    Named(BTreeMap<String, BTreeSet<Digest>>),
}

/// A project in a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    /// The repository's URL, as git takes it. It may hold a user and a password.
    pub url: String,
    /// The commit: its full hash.
    pub commit: String,
    /// The project's folder, if it is not the top.
    pub subdirectory: Option<String>,
    /// Whether files in git LFS are fetched.
    pub lfs: bool,
}

impl Repository {
    /// Returns whether a text is the full hash of a commit: SHA-1, or SHA-256 (git, object formats). What is shorter may come
    /// to name two commits.
    pub fn is_commit(text: &str) -> bool {
        matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// A selected distribution, and the one file or folder that it is installed from.
#[derive(Debug, Clone)]
pub struct Selected {
    /// The normalized name.
    pub name: DistributionName,
    /// The version; see [`Pinned::version`].
    pub version: Option<Version>,
    /// Who asks for it, ordered.
    pub required_by: Vec<Dependent>,
    /// What it is installed from.
    pub source: SelectedSource,
    /// The wheels that there are, if it is built instead: none fits the target, or none may be used.
    pub passed_over: Vec<WheelFilename>,
    /// Why it is built, if there are wheels and none fits: such a build is hardly what its publisher has tested.
    pub misfit: Option<String>,
}

impl Selected {
    /// Returns whether the user asks for it: it is the root of the selection.
    pub fn is_root(&self) -> bool {
        self.required_by.contains(&Dependent::Root)
    }
}

/// What a distribution is installed from.
#[derive(Debug, Clone)]
pub enum SelectedSource {
    /// A wheel that is fetched, and the tag by which it fits the target.
    Wheel(LockedWheel, CompatibilityTag),
    /// An archive that is fetched, and built into a wheel.
    Sdist(LockedSdist),
    /// A commit that is fetched, and built into a wheel.
    Repository(Repository),
    /// A folder of this machine, built into a wheel.
    Directory(PathBuf),
    /// A project that is not a package: nothing is installed for it.
    Virtual(PathBuf),
}
