//! What is reported of finished artifacts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::format_version;

/// What `pybundle inspect` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct InspectReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The artifact, as the command line names it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: ContentsKind,
    /// The digest of the zip, or of the image manifest.
    pub(crate) digest: String,
    /// Its size in bytes: of an image that of its manifest, its configuration and its layers, as they are stored.
    pub(crate) size: u64,
    /// The size of its files, uncompressed, in bytes.
    pub(crate) uncompressed_size: u64,
    /// The number of its files and links.
    pub(crate) files: usize,
    /// What it takes besides its files, in bytes: headers, directories and documents.
    pub(crate) overhead: u64,
    /// What an image says of itself; absent for zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<ContainerReport>,
    /// The layers of an image, the lowest first; empty for zips.
    pub(crate) layers: Vec<StackedLayerReport>,
    /// The system packages, ordered by name: those of the base, and those above it.
    pub(crate) packages: Vec<FoundPackageReport>,
    /// What it contains, the largest first.
    pub(crate) contents: Vec<OwnerReport>,
    /// Its files, the largest first: as many as were requested.
    pub(crate) largest: Vec<FileReport>,
}

/// A system package in an image.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct FoundPackageReport {
    /// The name.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
}

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ContentsKind {
    /// The zip of a function.
    Function,
    /// The zip of a Lambda layer.
    Layer,
    /// An image.
    Image,
}

/// What an image says of itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ContainerReport {
    /// The platform, for instance `linux/amd64`.
    pub(crate) platform: String,
    /// The platforms of its index; empty if it is in none.
    pub(crate) platforms: Vec<String>,
    /// The entrypoint.
    pub(crate) entrypoint: Vec<String>,
    /// The command.
    pub(crate) command: Vec<String>,
    /// The user, empty for root.
    pub(crate) user: String,
    /// The working directory.
    pub(crate) workdir: String,
    /// The environment, each as `NAME=value`.
    pub(crate) env: Vec<String>,
    /// The ports.
    pub(crate) ports: Vec<String>,
    /// The labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// The annotations of the manifest.
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What a layer of an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "LayerPart")]
pub(crate) enum LayerOriginReport {
    /// A layer of the base.
    Base,
    /// A layer above the base.
    Own,
    /// Unknown: the history does not say.
    Unknown,
}

/// A layer of an image.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct StackedLayerReport {
    /// The digest of the layer as it is stored.
    pub(crate) digest: String,
    /// Its size as it is stored, in bytes.
    pub(crate) size: u64,
    /// What it belongs to.
    pub(crate) part: LayerOriginReport,
    /// What it contains, according to the history.
    pub(crate) holds: String,
}

/// What files belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OwnerKind {
    /// A distribution.
    Distribution,
    /// The application.
    Application,
    /// The system packages that were added to the base.
    SystemPackages,
    /// The base of an image.
    Base,
    /// None: a higher layer replaces or removes them.
    Hidden,
}

/// What the files of one owner take.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct OwnerReport {
    /// What the owner is.
    pub(crate) kind: OwnerKind,
    /// The distribution's normalized name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The distribution's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// The number of files.
    pub(crate) files: usize,
    /// Their size, uncompressed, in bytes.
    pub(crate) size: u64,
    /// What they take of the artifact, in bytes: exact for zips and for layers in gzip, a share for layers in zstd.
    pub(crate) compressed_size: u64,
    /// The share of the artifact's size, from 0 to 1.
    pub(crate) share: f64,
}

/// A file of an artifact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct FileReport {
    /// The path from the root.
    pub(crate) path: String,
    /// Its size, uncompressed, in bytes.
    pub(crate) size: u64,
    /// What it takes of the artifact, in bytes.
    pub(crate) compressed_size: u64,
    /// The permissions, in octal digits.
    pub(crate) mode: String,
    /// Its owner in an image, `UID:GID`; absent for zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The digest of its bytes; of a link that of what it points at.
    pub(crate) digest: String,
    /// What a link points at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
    /// The layer it is in, counted from the lowest; absent for zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layer: Option<usize>,
    /// What it belongs to: a distribution with its version, `application`, `base` or `hidden`.
    pub(crate) owner: String,
}

/// Whether two artifacts are identical, equal or different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Verdict")]
pub(crate) enum DiffVerdict {
    /// The same bytes.
    Identical,
    /// The same files and properties, in other bytes.
    Equal,
    /// Other files or properties.
    Different,
}

/// What `pybundle diff` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct DiffReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// Whether they are identical, equal or different.
    pub(crate) verdict: DiffVerdict,
    /// Why artifacts with equal contents have different bytes.
    pub(crate) reasons: Vec<&'static str>,
    /// The first artifact.
    pub(crate) before: ComparedReport,
    /// The second artifact.
    pub(crate) after: ComparedReport,
    /// The distributions of which only one artifact has some version, ordered by name.
    pub(crate) distributions: Vec<ChangedDistributionReport>,
    /// The system packages of which only one image has some version, ordered by name.
    pub(crate) packages: Vec<ChangedPackageReport>,
    /// The files that differ, ordered by path.
    pub(crate) files: Vec<ChangedFileReport>,
    /// The properties of images that differ, ordered by name: `env NAME`, `label NAME`, `annotation NAME`, or a key of the
    /// configuration.
    pub(crate) properties: Vec<ChangedPropertyReport>,
}

/// An artifact that was compared.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ComparedReport {
    /// The artifact, as the command line names it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: ContentsKind,
    /// The digest of the zip, or of the image manifest.
    pub(crate) digest: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// The size of the files that are there when it runs, uncompressed, in bytes.
    pub(crate) uncompressed_size: u64,
    /// The number of these files.
    pub(crate) files: usize,
}

/// A system package that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ChangedPackageReport {
    /// The name.
    pub(crate) name: String,
    /// The version in the first image; `null` if it is missing there.
    pub(crate) before: Option<String>,
    /// The version in the second image; `null` if it is missing there.
    pub(crate) after: Option<String>,
}

/// A distribution that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ChangedDistributionReport {
    /// The normalized name.
    pub(crate) name: String,
    /// The version in the first artifact; `null` if it is missing there.
    pub(crate) before: Option<String>,
    /// The version in the second artifact; `null` if it is missing there.
    pub(crate) after: Option<String>,
    /// The size of its files in the first artifact, in bytes.
    pub(crate) size_before: u64,
    /// The size of its files in the second artifact, in bytes.
    pub(crate) size_after: u64,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FileChange {
    /// Only the second artifact has it.
    Added,
    /// Only the first artifact has it.
    Removed,
    /// Its content differs.
    Content,
    /// Its permissions differ.
    Mode,
    /// Its owner differs.
    Owner,
    /// Its content and its permissions differ.
    #[serde(rename = "content and mode")]
    ContentAndMode,
    /// Its content and its owner differ.
    #[serde(rename = "content and owner")]
    ContentAndOwner,
    /// Its permissions and its owner differ.
    #[serde(rename = "mode and owner")]
    ModeAndOwner,
    /// Its content, its permissions and its owner differ.
    #[serde(rename = "content, mode and owner")]
    Everything,
}

impl FileChange {
    /// Returns the name that reports use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Content => "content",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::ContentAndMode => "content and mode",
            Self::ContentAndOwner => "content and owner",
            Self::ModeAndOwner => "mode and owner",
            Self::Everything => "content, mode and owner",
        }
    }

    /// Returns whether the owner differs.
    pub(crate) fn is_of_owner(self) -> bool {
        matches!(self, Self::Owner | Self::ContentAndOwner | Self::ModeAndOwner | Self::Everything)
    }
}

/// A file that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ChangedFileReport {
    /// The path.
    pub(crate) path: String,
    /// The distribution that it belongs to, in the second artifact if it is there; `null` for the application and the base.
    pub(crate) distribution: Option<String>,
    /// What happened to it.
    pub(crate) change: FileChange,
    /// Its size in the first artifact, in bytes.
    pub(crate) size_before: Option<u64>,
    /// Its size in the second artifact, in bytes.
    pub(crate) size_after: Option<u64>,
    /// Its permissions in the first artifact, in octal digits.
    pub(crate) mode_before: Option<String>,
    /// Its permissions in the second artifact, in octal digits.
    pub(crate) mode_after: Option<String>,
    /// Its owner in the first artifact, `UID:GID`; absent if that is the same in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner_before: Option<String>,
    /// Its owner in the second artifact, `UID:GID`; absent if that is the same in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner_after: Option<String>,
}

/// A property that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ChangedPropertyReport {
    /// The name.
    pub(crate) name: String,
    /// The value in the first artifact; `null` if it is missing there.
    pub(crate) before: Option<String>,
    /// The value in the second artifact; `null` if it is missing there.
    pub(crate) after: Option<String>,
}

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VerifiedKind {
    /// The zip of a function or of a Lambda layer.
    Zip,
    /// An image, or an index of images.
    Image,
}

/// What `pybundle verify` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct VerifyReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The artifact, as the command line names it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: VerifiedKind,
    /// Its digest, if it could be read.
    pub(crate) digest: Option<String>,
    /// Whether no problem was found.
    pub(crate) passed: bool,
    /// What was checked, in its order.
    pub(crate) checks: Vec<CheckReport>,
    /// How a rebuild differs; absent if it does not, or nothing was rebuilt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) difference: Option<DiffReport>,
}

/// A check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CheckReport {
    /// What was checked, for instance `RECORD`.
    pub(crate) name: String,
    /// What it covers, as text.
    pub(crate) covers: String,
    /// The problems that were found.
    pub(crate) findings: Vec<FindingReport>,
}

/// A problem.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct FindingReport {
    /// Where: a file, a layer or a document; `null` for the artifact as a whole.
    pub(crate) place: Option<String>,
    /// What is wrong.
    pub(crate) message: String,
}
