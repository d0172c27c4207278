//! The result of a selection: the pinned distributions, and the chosen file of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pep440_rs::Version;
use url::Url;

use crate::digest::Digest;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::CompatibilityTag;
use crate::sdist::filename::SdistFilename;
use crate::wheel::filename::WheelFilename;

/// The distributions that a lock selects for a target, one version of each.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The distributions, sorted by name.
    pub distributions: Vec<PinnedDistribution>,
}

/// A distribution that a lock pins, before one of its files is chosen.
#[derive(Debug, Clone)]
pub struct PinnedDistribution {
    /// The normalized name.
    pub name: DistributionName,
    /// The version; missing for local projects with a dynamic version, and for some repositories and direct URLs.
    pub version: Option<Version>,
    /// What requires it, sorted.
    pub required_by: Vec<Dependent>,
    /// The source.
    pub source: DistributionSource,
}

impl PinnedDistribution {
    /// Returns whether the lock decides what is installed, or the files on this machine that it names: an index or a server can
    /// only fail to have it.
    pub(crate) fn is_decided(&self) -> bool {
        match &self.source {
            DistributionSource::Files(DistributionFiles { wheels, sdist, unusable: _ }) => {
                wheels.iter().all(LockedFile::is_decided) && sdist.iter().all(|sdist| sdist.file.is_decided())
            }
            DistributionSource::Index(query) => query.accepted != AcceptedFiles::Any,
            DistributionSource::Git(_) | DistributionSource::Directory(_) | DistributionSource::Virtual(_) => true,
        }
    }
}

impl fmt::Display for PinnedDistribution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "{} {version}", self.name),
            None => write!(formatter, "{}", self.name),
        }
    }
}

/// What requires a distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependent {
    /// The user: the distribution is a root of the selection.
    Root,
    /// Another distribution, or one of its extras.
    Distribution(DistributionName, Option<ExtraName>),
    /// A dependency group of a project.
    Group(DistributionName, GroupName),
    /// A requirements file, by its path as it was given.
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

/// The source of a pinned distribution.
#[derive(Debug, Clone)]
pub enum DistributionSource {
    /// Files that the lock lists.
    Files(DistributionFiles),
    /// Files that must be looked up on an index.
    Index(IndexQuery),
    /// A commit of a Git repository, which is built into a wheel.
    Git(GitSource),
    /// A workspace member or path dependency, which is built into a wheel.
    Directory(PathBuf),
    /// A project that is not a package, and is not installed.
    Virtual(PathBuf),
}

/// The files of one version of a distribution.
#[derive(Debug, Clone, Default)]
pub struct DistributionFiles {
    /// The wheels, in the order of the lock or the index.
    pub wheels: Vec<LockedWheel>,
    /// The source distribution.
    pub sdist: Option<Box<LockedSdist>>,
    /// The names of files in unsupported formats, such as eggs. Only messages use them.
    pub unusable: Vec<String>,
}

/// A file that a lock or an index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedFile<Name> {
    /// The file name.
    pub filename: Name,
    /// The location.
    pub location: FileLocation,
    /// The file must have one of these digests; empty if none is known.
    pub digests: Vec<Digest>,
    /// The size in bytes, if it is known.
    pub size: Option<u64>,
}

impl<Name> LockedFile<Name> {
    /// Returns whether the file is known by its digest, or is on this machine.
    fn is_decided(&self) -> bool {
        let is_local = match &self.location {
            FileLocation::Path(_) => true,
            FileLocation::Url { url, .. } => url.scheme() == "file",
        };
        is_local || !self.digests.is_empty()
    }

    /// Returns the digest that identifies the file, if there is exactly one.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.digests[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// A wheel that a lock or an index lists.
pub type LockedWheel = LockedFile<WheelFilename>;

/// A source distribution, or another archive that is built into a wheel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedSdist {
    /// The archive.
    pub file: LockedFile<SdistFilename>,
    /// The project's directory in the archive, if it is not the single top-level one.
    pub subdirectory: Option<String>,
}

/// The location of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileLocation {
    /// A URL, and the index whose credentials apply.
    Url {
        /// The URL of the file.
        url: Url,
        /// The file's index, which the files of a lock share; `None` for a direct reference.
        index: Option<Arc<Url>>,
    },
    /// A local path.
    Path(PathBuf),
}

impl FileLocation {
    /// Returns the location of a URL without a fragment, or why it is invalid. `index` is the file's index.
    pub(super) fn from_url(url: &Url, index: Option<&Arc<Url>>) -> Result<Self, &'static str> {
        match url.scheme() {
            "http" | "https" => Ok(Self::Url { url: url.clone(), index: index.cloned() }),
            "file" => url.to_file_path().map(Self::Path).map_err(|()| "it is not a local path"),
            _ => Err("unsupported scheme; expected http, https or file"),
        }
    }
}

/// A pinned version whose files must be looked up on an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexQuery {
    /// The version. If it has no local version, the highest compatible local version of it is meant.
    pub version: Version,
    /// The files that are accepted.
    pub accepted: AcceptedFiles,
    /// The indexes that are queried.
    pub indexes: QueriedIndexes,
}

/// The default index, unless another is configured.
pub const PYPI: &str = "https://pypi.org/simple";

/// The indexes that are queried for a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueriedIndexes {
    /// The configured indexes, in their order.
    All,
    /// The configured indexes and then these, until one has an accepted file. The lock's digests tell which file is meant.
    Every(Vec<Url>),
    /// Only the default index, which is PyPI unless it is configured.
    Default,
    /// Only the index that the lock states.
    Only(Url),
}

/// The files of a version that are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptedFiles {
    /// All files, because the lock has no hashes.
    Any,
    /// Files with one of these digests.
    Digests(BTreeSet<Digest>),
    /// Files with these names, each with one of its digests.
    Named(BTreeMap<String, BTreeSet<Digest>>),
}

/// A commit of a Git repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitSource {
    /// The repository's URL or path, as Git accepts it. It may contain credentials.
    pub url: String,
    /// The full commit hash.
    pub commit: String,
    /// The project's directory, if it is not the top one.
    pub subdirectory: Option<String>,
    /// Whether Git LFS files are fetched.
    pub lfs: bool,
}

impl GitSource {
    /// Returns whether a string is a full commit hash, of SHA-1 or SHA-256 (see Git's object formats). An abbreviated hash may
    /// become ambiguous.
    pub(crate) fn is_commit(text: &str) -> bool {
        matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// A selected distribution, with the source that was chosen for the target.
#[derive(Debug, Clone)]
pub struct SelectedDistribution {
    /// The normalized name.
    pub name: DistributionName,
    /// The version; see [`PinnedDistribution::version`].
    pub version: Option<Version>,
    /// What requires it, sorted.
    pub required_by: Vec<Dependent>,
    /// The source.
    pub source: SelectedSource,
    /// The available wheels, if it is built although there are wheels: they are incompatible with the target, or excluded.
    pub unused_wheels: Vec<WheelFilename>,
    /// Why its wheels are incompatible with the target, if it is built for that reason. Its publisher has probably not tested
    /// such a build.
    pub incompatibility: Option<String>,
    /// The settings because of which it is built although it has a compatible wheel, for messages.
    pub wheels_excluded_by: Option<String>,
}

impl SelectedDistribution {
    /// Returns a distribution of those of a plan, which are sorted by name.
    pub(crate) fn find<'s>(selected: &'s [Self], name: &DistributionName) -> Option<&'s Self> {
        selected.binary_search_by(|other| other.name.cmp(name)).ok().and_then(|at| selected.get(at))
    }

    /// Returns whether the distribution is a root of the selection.
    pub(crate) fn is_root(&self) -> bool {
        self.required_by.contains(&Dependent::Root)
    }

    /// Returns whether the distribution is a local directory, whether or not it is a package.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.source, SelectedSource::Directory(_) | SelectedSource::Virtual(_))
    }
}

/// The source that a distribution is installed from.
#[derive(Debug, Clone)]
pub enum SelectedSource {
    /// A wheel, and the tag by which it is compatible with the target.
    Wheel(Box<LockedWheel>, Arc<CompatibilityTag>),
    /// An archive, which is built into a wheel.
    Sdist(Box<LockedSdist>),
    /// A commit, which is built into a wheel.
    Git(GitSource),
    /// A local directory, which is built into a wheel.
    Directory(PathBuf),
    /// A project that is not a package, and is not installed.
    Virtual(PathBuf),
}
