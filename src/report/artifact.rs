//! What is reported of finished artifacts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::format_version;

/// What `pybundle inspect` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InspectReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// The artifact as it was named.
    pub name: String,
    /// What it is.
    pub kind: ContentsKind,
    /// The digest of the zip, or of the image manifest.
    pub digest: String,
    /// Its size in bytes: of an image that of its manifest, its configuration and its layers, as they are stored.
    pub size: u64,
    /// The size of its files, uncompressed, in bytes.
    pub uncompressed_size: u64,
    /// The number of its files and links.
    pub files: usize,
    /// What it takes besides its files, in bytes: headers, directories and documents.
    pub overhead: u64,
    /// What an image says of itself; absent for zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ContainerReport>,
    /// The layers of an image, the lowest first; empty for zips.
    pub layers: Vec<StackedLayerReport>,
    /// What is in it, the largest first.
    pub contents: Vec<OwnerReport>,
    /// Its files, the largest first: all that were asked for.
    pub largest: Vec<FileReport>,
}

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContentsKind {
    /// The zip of a function.
    Function,
    /// The zip of a Lambda layer.
    Layer,
    /// An image.
    Image,
}

/// What an image says of itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ContainerReport {
    /// The platform, for instance `linux/amd64`.
    pub platform: String,
    /// The platforms of its index; empty if it is in none.
    pub platforms: Vec<String>,
    /// The entrypoint.
    pub entrypoint: Vec<String>,
    /// The command.
    pub command: Vec<String>,
    /// The user, empty for root.
    pub user: String,
    /// The working directory.
    pub workdir: String,
    /// The environment, each of the form `NAME=value`.
    pub env: Vec<String>,
    /// The ports.
    pub ports: Vec<String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// Whose a layer of an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "LayerPart")]
pub enum LayerOriginReport {
    /// The base's.
    Base,
    /// What was laid over the base.
    Own,
    /// The history does not tell.
    Unknown,
}

/// A layer of an image.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StackedLayerReport {
    /// The digest of the layer as it is stored.
    pub digest: String,
    /// Its size as it is stored, in bytes.
    pub size: u64,
    /// Whose it is.
    pub part: LayerOriginReport,
    /// What is in it, as the history says.
    pub holds: String,
}

/// What files belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OwnerKind {
    /// A distribution.
    Distribution,
    /// The application.
    Application,
    /// The base of an image.
    Base,
    /// None: a higher layer replaces or removes them.
    Hidden,
}

/// What the files of one owner take.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct OwnerReport {
    /// What the owner is.
    pub kind: OwnerKind,
    /// The distribution's normalized name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The distribution's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The number of files.
    pub files: usize,
    /// Their size, uncompressed, in bytes.
    pub size: u64,
    /// What they take of the artifact, in bytes: exact for zips and for layers in gzip, a share for layers in zstd.
    pub compressed_size: u64,
    /// The share of the artifact's size, from 0 to 1.
    pub share: f64,
}

/// A file of an artifact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FileReport {
    /// The path from the root.
    pub path: String,
    /// Its size, uncompressed, in bytes.
    pub size: u64,
    /// What it takes of the artifact, in bytes.
    pub compressed_size: u64,
    /// The permissions, in octal digits.
    pub mode: String,
    /// Whose it is in an image, `UID:GID`; absent for zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The digest of its bytes; of a link that of what it points at.
    pub digest: String,
    /// What a link points at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The layer it is in, counted from the lowest; absent for zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// What it belongs to: a distribution with its version, `application`, `base` or `hidden`.
    pub owner: String,
}

/// How equal two artifacts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Verdict")]
pub enum DiffVerdict {
    /// The same bytes.
    Identical,
    /// The same files and properties, in other bytes.
    Equal,
    /// Other files or properties.
    Different,
}

/// What `pybundle diff` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DiffReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// How equal they are.
    pub verdict: DiffVerdict,
    /// Why artifacts of equal contents are other bytes.
    pub reasons: Vec<&'static str>,
    /// The first artifact.
    pub before: ComparedReport,
    /// The second artifact.
    pub after: ComparedReport,
    /// The distributions of which only one artifact has some version, ordered by name.
    pub distributions: Vec<ChangedDistributionReport>,
    /// The files that differ, ordered by path.
    pub files: Vec<ChangedFileReport>,
    /// The properties of images that differ, ordered by name: `env NAME`, `label NAME`, `annotation NAME`, or a key of the
    /// configuration.
    pub properties: Vec<ChangedPropertyReport>,
}

/// An artifact that was compared.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ComparedReport {
    /// The artifact as it was named.
    pub name: String,
    /// What it is.
    pub kind: ContentsKind,
    /// The digest of the zip, or of the image manifest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// The size of the files that are there when it runs, uncompressed, in bytes.
    pub uncompressed_size: u64,
    /// The number of these files.
    pub files: usize,
}

/// A distribution that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChangedDistributionReport {
    /// The normalized name.
    pub name: String,
    /// The version in the first artifact; none if it is not there.
    pub before: Option<String>,
    /// The version in the second artifact; none if it is not there.
    pub after: Option<String>,
    /// The size of its files in the first artifact, in bytes.
    pub size_before: u64,
    /// The size of its files in the second artifact, in bytes.
    pub size_after: u64,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileChange {
    /// Only the second artifact has it.
    Added,
    /// Only the first artifact has it.
    Removed,
    /// Its bytes are others.
    Content,
    /// Its permissions are others.
    Mode,
    /// Its owner is another.
    Owner,
    /// Its bytes and its permissions are others.
    #[serde(rename = "content and mode")]
    ContentAndMode,
    /// Its bytes and its owner are others.
    #[serde(rename = "content and owner")]
    ContentAndOwner,
    /// Its permissions and its owner are others.
    #[serde(rename = "mode and owner")]
    ModeAndOwner,
    /// All of these are others.
    #[serde(rename = "content, mode and owner")]
    Everything,
}

impl FileChange {
    /// Returns the name that reports use.
    pub fn name(self) -> &'static str {
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

    /// Returns whether the owner is another.
    pub fn is_of_owner(self) -> bool {
        matches!(self, Self::Owner | Self::ContentAndOwner | Self::ModeAndOwner | Self::Everything)
    }
}

/// A file that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChangedFileReport {
    /// The path.
    pub path: String,
    /// The distribution that it belongs to, in the second artifact if it is there; none for the application and the base.
    pub distribution: Option<String>,
    /// What happened to it.
    pub change: FileChange,
    /// Its size in the first artifact, in bytes.
    pub size_before: Option<u64>,
    /// Its size in the second artifact, in bytes.
    pub size_after: Option<u64>,
    /// Its permissions in the first artifact, in octal digits.
    pub mode_before: Option<String>,
    /// Its permissions in the second artifact, in octal digits.
    pub mode_after: Option<String>,
    /// Whose it is in the first artifact, `UID:GID`; absent if that is the same in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_before: Option<String>,
    /// Whose it is in the second artifact, `UID:GID`; absent if that is the same in both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_after: Option<String>,
}

/// A property that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChangedPropertyReport {
    /// The name.
    pub name: String,
    /// The value in the first artifact; none if it is not there.
    pub before: Option<String>,
    /// The value in the second artifact; none if it is not there.
    pub after: Option<String>,
}

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerifiedKind {
    /// The zip of a function or of a Lambda layer.
    Zip,
    /// An image, or an index of images.
    Image,
}

/// What `pybundle verify` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VerifyReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// The artifact as it was named.
    pub name: String,
    /// What it is.
    pub kind: VerifiedKind,
    /// Its digest, if it could be read.
    pub digest: Option<String>,
    /// Whether everything is as it should be.
    pub passed: bool,
    /// What was checked, in its order.
    pub checks: Vec<CheckReport>,
    /// What a rebuild differs in, if there was one and it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<DiffReport>,
}

/// A check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckReport {
    /// What was checked, for instance `RECORD`.
    pub name: String,
    /// What it covers, for people.
    pub covers: String,
    /// What is wrong; empty if nothing is.
    pub findings: Vec<FindingReport>,
}

/// Something that is wrong.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FindingReport {
    /// Where: a file, a layer or a document; none for the artifact as a whole.
    pub place: Option<String>,
    /// What is wrong.
    pub message: String,
}
