//! What a build tells: progress and warnings while it works, and a report when it is done.

mod artifact;
mod error;
mod init;
mod progress;
mod targets;
mod tool;

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, json_schema};
use serde::Serialize;

pub use artifact::{
    ChangedDistributionReport, ChangedFileReport, ChangedPropertyReport, CheckReport, ComparedReport, ContainerReport,
    ContentsKind, DiffReport, DiffVerdict, FileChange, FileReport, FindingReport, InspectReport, LayerOriginReport,
    OwnerKind, OwnerReport, StackedLayerReport, VerifiedKind, VerifyReport,
};
pub use error::ErrorReport;
pub use init::{InitFileReport, InitFoundReport, InitProjectReport, InitReport, InitTargetReport};
pub use progress::{Phase, Reporter, Silent};
pub use targets::{
    BuiltArtifact, BuiltReport, ConfigurationReport, InForceReport, ListedReport, TargetListReport, TargetOutcome,
    TargetPlan, TargetsReport, ValueReport,
};
pub use tool::{
    CacheFolderReport, CacheSizeReport, CompletionsReport, ImageProfileReport, LambdaProfileReport, ProfileDescription,
    ProfileLimits, ProfileListReport, ProfileReport, SchemaDescription, SchemaListReport,
};

/// The version of the JSON documents below. A field may be added under one version; none changes its meaning or goes.
pub const FORMAT_VERSION: u32 = 1;

/// Returns the schema of the field `format`.
fn format_version(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({ "const": FORMAT_VERSION })
}

/// The target, as reports name it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TargetReport {
    /// The profile, for instance `python3.13`.
    pub runtime: String,
    /// Why it was chosen.
    pub reason: String,
    /// The architecture by AWS's name: `x86_64` or `arm64`.
    pub architecture: String,
    /// The runtime's C library, for instance `2.34`.
    pub glibc: String,
}

/// A distribution of a plan or an artifact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DistributionReport {
    /// The normalized name.
    pub name: String,
    /// The version; a local project that has not been built yet may have none.
    pub version: Option<String>,
    /// The wheel's file name; none for a local project that has not been built yet.
    pub wheel: Option<String>,
    /// The compatibility tag by which the wheel fits the target.
    pub tag: Option<String>,
    /// The wheel's digest, as `algorithm:hexadecimal`.
    pub digest: Option<String>,
    /// The wheel's size in bytes, where the lock states it or the cache has the wheel.
    pub size: Option<u64>,
    /// The size of its files, uncompressed, in bytes; in a plan only where the cache has the wheel.
    pub unzipped_size: Option<u64>,
    /// Where it comes from: an address without credentials, or a path.
    pub source: String,
    /// Who asks for it.
    pub required_by: Vec<String>,
    /// Which zip it goes into, `function` or `layer`; absent for images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactKind>,
}

/// What is built for AWS Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// The function's deployment package.
    Function,
    /// A layer with the dependencies.
    Layer,
}

/// A distribution that is selected, but left out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExcludedReport {
    /// The normalized name.
    pub name: String,
    /// The locked version.
    pub version: Option<String>,
    /// Why it is left out.
    pub reason: String,
}

/// What `pybundle plan` and `--dry-run` report.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlanReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// The root project's name.
    pub project: String,
    /// The target.
    pub target: TargetReport,
    /// The lock file.
    pub lock: Option<PathBuf>,
    /// The distributions, ordered by name.
    pub distributions: Vec<DistributionReport>,
    /// The selected distributions that are left out.
    pub excluded: Vec<ExcludedReport>,
    /// What is taken as the application, when it is not a package.
    pub application: Vec<String>,
    /// The files that would be written.
    pub outputs: Vec<PathBuf>,
}

/// One file that was built.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ArtifactReport {
    /// What it is.
    pub kind: ArtifactKind,
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// Its SHA-256 in base64, which is Lambda's `CodeSha256`.
    pub code_sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// The size of its files, uncompressed, in bytes.
    pub unzipped_size: u64,
    /// The number of its files.
    pub files: usize,
}

/// What a document about an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DocumentKind {
    /// A bill of materials in CycloneDX's form.
    Cyclonedx,
    /// A bill of materials in SPDX's form.
    Spdx,
    /// What it was built from, as SLSA provenance.
    Provenance,
}

/// A document about an artifact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DocumentReport {
    /// What it is.
    pub kind: DocumentKind,
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// The platform of the image that it is about; absent for zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The files beside the artifact that it was written to.
    pub paths: Vec<PathBuf>,
    /// The digest of the manifest by which it refers to its image, in layouts, OCI archives and registries; absent for
    /// zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<String>,
}

/// The limits of the target, and how much of them is used.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LimitsReport {
    /// The size of function and layer together, uncompressed, in bytes.
    pub unzipped_size: u64,
    /// The largest size that the target takes, in bytes.
    pub unzipped_limit: u64,
    /// The largest zip that can be uploaded directly, in bytes.
    pub direct_upload_limit: u64,
}

/// The application's files in the artifact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ApplicationReport {
    /// What was taken: modules, folders, or the project's own wheel.
    pub taken: Vec<String>,
    /// The number of files.
    pub files: usize,
    /// Their size, uncompressed, in bytes.
    pub unzipped_size: u64,
}

/// The bytecode of an artifact.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BytecodeReport {
    /// The minor version of CPython that it is for, for instance `3.12`.
    pub version: String,
    /// The full version of the CPython that compiled it, for instance `3.12.8`; none if none of the target's version is
    /// on this machine, so that there is no bytecode.
    pub python: Option<String>,
    /// Where that CPython is.
    pub interpreter: Option<PathBuf>,
    /// The number of its files.
    pub files: usize,
    /// Their size, uncompressed, in bytes.
    pub size: u64,
}

/// What the audits found that is no reason to fail or to warn.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct AuditReport {
    /// What may fail at run time.
    pub warnings: Vec<String>,
    /// The distributions that nothing in the artifact imports or requires, as far as its sources tell.
    pub unused: Vec<String>,
}

/// How much less there is than in the wheels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Saved")]
pub struct Savings {
    /// The number of files that it is about.
    pub files: usize,
    /// How many bytes there are less, uncompressed.
    pub bytes: u64,
}

impl Savings {
    /// Adds what was saved elsewhere.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// What a rule of `--slim` left out of the distributions.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SlimmedReport {
    /// The rule's name.
    pub rule: &'static str,
    /// What it saved.
    #[serde(flatten)]
    pub saved: Savings,
}

/// What is not in the artifact of the distributions' files.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct TrimReport {
    /// What was left out, by the rules that found something.
    pub slimmed: Vec<SlimmedReport>,
    /// What was dropped from compiled files that are in the artifact.
    pub stripped: Savings,
}

/// What `pybundle lambda` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BuildReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// The root project's name.
    pub project: String,
    /// The target.
    pub target: TargetReport,
    /// The files that were built.
    pub artifacts: Vec<ArtifactReport>,
    /// The documents about them.
    pub documents: Vec<DocumentReport>,
    /// The limits.
    pub limits: LimitsReport,
    /// The distributions, ordered by name.
    pub distributions: Vec<DistributionReport>,
    /// The selected distributions that are left out.
    pub excluded: Vec<ExcludedReport>,
    /// The application.
    pub application: ApplicationReport,
    /// The handler that was found, if one was named.
    pub handler: Option<String>,
    /// What was left out of the distributions.
    pub trim: TrimReport,
    /// The bytecode, unless nothing was to be compiled.
    pub bytecode: Option<BytecodeReport>,
    /// What the audits found.
    pub audit: AuditReport,
    /// Everything that was warned of.
    pub warnings: Vec<String>,
    /// How long it took, in seconds.
    pub elapsed_seconds: f64,
}

/// The base of an image.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BaseReport {
    /// As it was named: a reference, or a file.
    pub name: String,
    /// The digest of what the name stands for: an image index or an image manifest.
    pub digest: Option<String>,
    /// Whether the name will stand for the same image tomorrow.
    pub pinned: bool,
}

/// A layer that was laid over the base.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LayerReport {
    /// The digest of the layer as it is stored and sent.
    pub digest: String,
    /// The digest of its uncompressed bytes.
    pub diff_id: String,
    /// Its size as it is stored and sent, in bytes.
    pub size: u64,
    /// What is in it.
    pub holds: String,
    /// Whether its digests were known from an earlier build.
    pub known: bool,
}

/// The image for one platform.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlatformReport {
    /// The platform, for instance `linux/amd64`.
    pub platform: String,
    /// The digest of the image manifest.
    pub digest: String,
    /// The digest of the base's manifest.
    pub base_digest: Option<String>,
    /// The base's interpreter, for instance `/usr/local/bin/python3.13`.
    pub interpreter: Option<String>,
    /// The size of all layers, the base's too, as they are stored and sent, in bytes.
    pub size: u64,
    /// The size of what was laid over the base, uncompressed, in bytes.
    pub uncompressed_size: u64,
    /// The number of the base's layers.
    pub base_layers: usize,
    /// What was laid over the base, the lowest first.
    pub layers: Vec<LayerReport>,
    /// What was left out of the distributions.
    pub trim: TrimReport,
    /// The bytecode, unless nothing was to be compiled.
    pub bytecode: Option<BytecodeReport>,
    /// What the audits found.
    pub audit: AuditReport,
    /// The distributions, ordered by name.
    pub distributions: Vec<DistributionReport>,
}

/// How a container of the image starts.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StartReport {
    /// The entrypoint; empty for none, absent if it is the base's.
    pub entrypoint: Option<Vec<String>>,
    /// The command, unless it is the base's.
    pub command: Option<Vec<String>>,
    /// The user, unless it is the base's.
    pub user: Option<String>,
    /// The working directory.
    pub workdir: Option<String>,
    /// The ports.
    pub ports: Vec<String>,
}

/// What came of pushing to one name.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PushReport {
    /// The name as it was given.
    pub tag: String,
    /// What to deploy: the name with the digest.
    pub reference: String,
    /// How many blobs were uploaded.
    pub uploaded: usize,
    /// Their size in bytes.
    pub uploaded_bytes: u64,
    /// How many blobs were mounted from another repository.
    pub mounted: usize,
    /// How many blobs were there.
    pub existing: usize,
    /// The digests of the manifests of documents that are attached there.
    pub attached: Vec<String>,
}

/// What `pybundle push` reports, and `pybundle image` of its push.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PushedReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// The digest of what was pushed.
    pub digest: String,
    /// The names.
    pub tags: Vec<PushReport>,
    /// How many requests it took.
    pub requests: u64,
}

/// What `pybundle image` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ImageReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// The root project's name.
    pub project: String,
    /// The profile, for instance `service`.
    pub profile: String,
    /// The version of Python, for instance `3.13`.
    pub python: String,
    /// Why it is this version.
    pub reason: String,
    /// The base.
    pub base: BaseReport,
    /// The digest of the image manifest, or of the index of several.
    pub digest: String,
    /// What the digest is of: a media type.
    pub media_type: String,
    /// The images, in the order of the index.
    pub platforms: Vec<PlatformReport>,
    /// The selected distributions that are left out.
    pub excluded: Vec<ExcludedReport>,
    /// The application.
    pub application: ApplicationReport,
    /// How a container starts.
    pub start: StartReport,
    /// The files that were written, as they can be given to `pybundle push`.
    pub outputs: Vec<String>,
    /// The documents about the images.
    pub documents: Vec<DocumentReport>,
    /// What was pushed.
    pub pushed: Option<PushedReport>,
    /// Everything that was warned of.
    pub warnings: Vec<String>,
    /// How long it took, in seconds.
    pub elapsed_seconds: f64,
}

/// What `pybundle image --dry-run` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ImagePlanReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// The profile, for instance `service`.
    pub profile: String,
    /// The version of Python, for instance `3.13`.
    pub python: String,
    /// Why it is this version.
    pub reason: String,
    /// The base.
    pub base: BaseReport,
    /// The plan of each platform, in the order of the index.
    pub platforms: Vec<PlanReport>,
    /// The files that would be written, as they can be given to `pybundle push` then.
    pub outputs: Vec<String>,
}

/// What `pybundle image --pin` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PinReport {
    /// The version of the document's form.
    #[schemars(schema_with = "format_version")]
    pub format: u32,
    /// The base as it was named.
    pub name: String,
    /// The base with its digest, as it is named now.
    pub pinned: String,
    /// The file that names it.
    pub file: PathBuf,
}
