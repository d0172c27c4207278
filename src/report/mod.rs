//! What a build reports: progress and warnings while it runs, and a report when it is done.

mod apt;
mod artifact;
mod deploy;
mod error;
mod image;
mod init;
mod progress;
mod run;
mod targets;
mod tool;

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

pub(crate) use apt::{
    AptChangeReport, AptClosureReport, AptFileReport, AptListReport, AptLockReport, AptPackageReport,
    AptProviderReport, AptWhyReport,
};
pub(crate) use artifact::{
    ChangedDistributionReport, ChangedFileReport, ChangedPackageReport, ChangedPropertyReport, CheckReport,
    ComparedReport, ContainerReport, ContentsKind, DiffReport, DiffVerdict, FileChange, FileReport, FindingReport,
    FoundPackageReport, InspectReport, LayerOriginReport, OwnerKind, OwnerReport, StackedLayerReport, VerifiedKind,
    VerifyReport,
};
pub(crate) use deploy::{
    DeployOutcome, DeployReport, DeployedLayerReport, DeployedReport, FunctionLayerChange, FunctionLayerReport,
};
pub(crate) use error::{ErrorReport, FailureReport};
pub(crate) use image::{
    BaseReport, ImagePlanReport, ImageReport, LayerReport, LoadReport, PinReport, PlatformReport, PushReport,
    PushedReport, RecordUse, RemoteCacheReport, StartReport, SystemPackageReport,
};
pub(crate) use init::{InitFileReport, InitFoundReport, InitProjectReport, InitReport, InitTargetReport};
pub use progress::{Phase, Reporter, RunningPhase, RunningTask, Silent, Task, TaskKind};
pub(crate) use run::{
    FunctionErrorReport, ImportProfileReport, ModuleOwner, ModuleTimeReport, RunOutcome, RunReport, StartOutcome,
    StartRemedyReport,
};
pub(crate) use targets::{
    BuiltArtifact, BuiltReport, ConfigurationReport, InForceReport, ListedReport, ResolvedReport, TargetListReport,
    TargetOutcome, TargetPlan, TargetsReport, UnplannedTargetReport, ValueReport, WhyReport, WhyTargetReport,
};
pub(crate) use tool::{
    CacheFolderReport, CacheSizeReport, CompletionsReport, ImageProfileReport, LambdaProfileReport, ProfileDescription,
    ProfileLimits, ProfileListReport, ProfileReport, SchemaDescription, SchemaListReport,
};

/// The version of the JSON documents below. A field may be added under one version; none changes its meaning or goes.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Returns the schema of the field `format`.
fn format_version(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({ "const": FORMAT_VERSION })
}

/// The target, as reports name it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TargetReport {
    /// The profile, for instance `python3.13`.
    pub(crate) runtime: String,
    /// Why it was chosen.
    pub(crate) reason: String,
    /// The architecture by AWS's name: `x86_64` or `arm64`.
    pub(crate) architecture: String,
    /// The version of glibc, for instance `2.34`, if that is the target's C library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) glibc: Option<String>,
    /// The version of musl, for instance `1.2.5`, if that is the target's C library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) musl: Option<String>,
}

impl TargetReport {
    /// Returns the C library, for instance `glibc 2.34`.
    pub(crate) fn libc(&self) -> String {
        match (&self.glibc, &self.musl) {
            (_, Some(musl)) => format!("musl {musl}"),
            (glibc, None) => format!("glibc {}", glibc.as_deref().unwrap_or("of an unknown version")),
        }
    }
}

/// A distribution of a plan or an artifact.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DistributionReport {
    /// The normalized name.
    pub(crate) name: String,
    /// The version; a local project that has not been built yet may have none.
    pub(crate) version: Option<String>,
    /// The wheel's file name; `null` for a local project that has not been built yet.
    pub(crate) wheel: Option<String>,
    /// The compatibility tag by which the wheel fits the target.
    pub(crate) tag: Option<String>,
    /// The wheel's digest, as `algorithm:hexadecimal`.
    pub(crate) digest: Option<String>,
    /// The wheel's size in bytes, where the lock states it or the cache has the wheel.
    pub(crate) size: Option<u64>,
    /// The size of its files, uncompressed, in bytes; in a plan only where the cache has the wheel.
    pub(crate) unzipped_size: Option<u64>,
    /// Where it comes from: an address without credentials, or a path.
    pub(crate) source: String,
    /// What requires it.
    pub(crate) required_by: Vec<String>,
    /// Which zip it goes into, `function` or `layer`; absent for images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact: Option<ArtifactKind>,
    /// The rules of the specification that the wheel breaks, which --accept-invalid accepts; in a plan only where the cache
    /// has the wheel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) violations: Vec<String>,
}

/// What is built for AWS Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// The function's deployment package.
    Function,
    /// A layer with the dependencies.
    Layer,
}

/// A distribution that is selected, but excluded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ExcludedReport {
    /// The normalized name.
    pub(crate) name: String,
    /// The locked version.
    pub(crate) version: Option<String>,
    /// Why it is excluded.
    pub(crate) reason: String,
    /// The layer that contains it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) layer: Option<String>,
}

/// A layer that a function runs with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NamedLayerReport {
    /// The name of its target.
    pub(crate) name: String,
    /// The size of its files, in bytes.
    pub(crate) unzipped_size: u64,
}

/// What `pybundle plan` and `--dry-run` report.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PlanReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The root project's name.
    pub(crate) project: String,
    /// The target.
    pub(crate) target: TargetReport,
    /// The lock file.
    pub(crate) lock: Option<PathBuf>,
    /// The distributions, ordered by name.
    pub(crate) distributions: Vec<DistributionReport>,
    /// The selected distributions that are excluded.
    pub(crate) excluded: Vec<ExcludedReport>,
    /// The files and directories of the application, if it is not a package.
    pub(crate) application: Vec<String>,
    /// The files and directories of the project that are excluded from the application.
    pub(crate) omitted: Vec<OmittedReport>,
    /// The files that would be written.
    pub(crate) outputs: Vec<PathBuf>,
    /// The requirements with a condition, or of distributions that are not selected; only `why` shows them.
    #[serde(skip)]
    pub(crate) requirements: Vec<RequirementReport>,
    /// Why the distribution that is sought is not selected; only `why` seeks one.
    #[serde(skip)]
    pub(crate) absence: AbsenceReport,
}

/// Which flags would select a distribution of the lock that is not selected.
#[derive(Debug, Clone, Default)]
pub(crate) struct AbsenceReport {
    /// A flag without which it would be selected.
    pub(crate) excluding_flag: Option<&'static str>,
    /// Flags with which it would be selected.
    pub(crate) offers: Vec<OfferReport>,
}

/// Flags that would select a distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OfferReport {
    /// For instance `--extra x`.
    pub(crate) flags: String,
    /// What the flags select, for messages.
    pub(crate) what: String,
}

/// A requirement, with or without a condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(crate) struct RequirementReport {
    /// The normalized name of the required distribution.
    pub(crate) name: String,
    /// What requires it, as in `required_by` of a distribution; the lock itself if that has one marker for each distribution.
    pub(crate) required_by: String,
    /// The environment marker, or another condition of the lock.
    pub(crate) condition: Option<String>,
    /// Whether it applies to the target.
    pub(crate) applies: bool,
}

/// The format of a function or a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PackageFormat {
    /// A zip.
    Zip,
    /// The files of a directory. Digests and size are those of the zip with the same files.
    Directory,
}

/// A function or a layer that was built.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ArtifactReport {
    /// What it is.
    pub(crate) kind: ArtifactKind,
    /// Its format.
    pub(crate) format: PackageFormat,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Whether it had these bytes before; it was not written then.
    pub(crate) unchanged: bool,
    /// Its SHA-256 in hexadecimal.
    pub(crate) sha256: String,
    /// Its SHA-256 in base64, which is Lambda's `CodeSha256`.
    pub(crate) code_sha256: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// The size of its files, uncompressed, in bytes.
    pub(crate) unzipped_size: u64,
    /// The number of its files.
    pub(crate) files: usize,
}

/// What a document about an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DocumentKind {
    /// An SBOM in CycloneDX format.
    Cyclonedx,
    /// An SBOM in SPDX format.
    Spdx,
    /// What it was built from, as SLSA provenance.
    Provenance,
}

/// A document about an artifact.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DocumentReport {
    /// What it is.
    pub(crate) kind: DocumentKind,
    /// Its media type.
    pub(crate) media_type: String,
    /// Its digest.
    pub(crate) digest: String,
    /// The platform of the image that it is about; absent for zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    /// The files beside the artifact that it was written to.
    pub(crate) paths: Vec<PathBuf>,
    /// The digest of the manifest by which it refers to its image, in layouts, OCI archives and registries; absent for
    /// zips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) referrer: Option<String>,
}

/// The limits of the target, and how much of them is used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LimitsReport {
    /// The size of function and layer together, uncompressed, in bytes.
    pub(crate) unzipped_size: u64,
    /// The largest size that the target takes, in bytes; always present for Lambda.
    pub(crate) unzipped_limit: Option<u64>,
    /// The largest zip that can be uploaded directly, in bytes; always present for Lambda.
    pub(crate) direct_upload_limit: Option<u64>,
}

/// The application's files in the artifact.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ApplicationReport {
    /// The included files and directories of the project.
    pub(crate) taken: Vec<String>,
    /// Whether the contents of `src` are at the root.
    pub(crate) source_at_root: bool,
    /// The number of files.
    pub(crate) files: usize,
    /// Their size, uncompressed, in bytes.
    pub(crate) unzipped_size: u64,
    /// The excluded files and directories.
    pub(crate) omitted: Vec<OmittedReport>,
}

/// A file or directory of the project that is excluded from the application.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OmittedReport {
    /// Relative to the project; a directory ends in a slash.
    pub(crate) path: String,
    /// The rule, for instance `a test`.
    pub(crate) rule: String,
    /// Whether such files belong to development in almost every project.
    pub(crate) routine: bool,
    /// Whether it contains a secret.
    pub(crate) secret: bool,
}

/// The bytecode of an artifact.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BytecodeReport {
    /// The minor version of CPython that it is for, for instance `3.12`.
    pub(crate) version: String,
    /// The full version of the CPython that compiled it, for instance `3.12.8`; `null` if this machine has none of the
    /// target's version, so that nothing was compiled.
    pub(crate) python: Option<String>,
    /// Where that CPython is.
    pub(crate) interpreter: Option<PathBuf>,
    /// The number of its files.
    pub(crate) files: usize,
    /// Their size, uncompressed, in bytes.
    pub(crate) size: u64,
}

/// What the audits found besides errors.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AuditReport {
    /// What may fail at run time.
    pub(crate) warnings: Vec<String>,
    /// The problems of modules that what is started does not import. One warning counts them.
    pub(crate) unreached: Vec<String>,
    /// The distributions that nothing in the artifact imports or requires, as far as its sources tell.
    pub(crate) unused: Vec<String>,
    /// The files whose code Python may run although nothing imports them by name, or instead of a module of the
    /// standard library.
    pub(crate) implicit_code: Vec<ImplicitCodeReport>,
}

/// A file whose code Python may run although nothing imports it by name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ImplicitCode")]
pub(crate) struct ImplicitCodeReport {
    /// The path in the artifact; of bytecode that in the wheel.
    pub(crate) path: String,
    /// The distribution with its version; `null` for the application.
    pub(crate) distribution: Option<String>,
    /// What it is: `pth`, a file with lines that are executed at startup; `start`, a file of entry points that are called at
    /// startup; `customization`, a module that is imported at startup; `shadow`, a module that precedes one of the standard
    /// library; `bytecode`, a compiled file of a wheel, which may differ from its source.
    pub(crate) kind: String,
}

/// How much was omitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Saved")]
pub(crate) struct Savings {
    /// The number of files that were omitted or stripped.
    pub(crate) files: usize,
    /// How much smaller the artifact is, uncompressed, in bytes.
    pub(crate) bytes: u64,
}

impl Savings {
    /// Adds what was saved elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// What a rule of `--slim` omitted from the distributions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SlimmedReport {
    /// The rule's name.
    pub(crate) rule: String,
    /// What it saved.
    #[serde(flatten)]
    pub(crate) saved: Savings,
}

/// Data of a library that a rule of `--slim` kept, such as the models of a service.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct KeptDataReport {
    /// The rule's name.
    pub(crate) rule: String,
    /// A service, an API or a language.
    pub(crate) name: String,
    /// The first line of the code that names it, as `PATH:LINE`, or what else needs it.
    pub(crate) reason: String,
}

/// What the artifact omits from the distributions' files.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TrimReport {
    /// What was omitted, for each rule that matched something.
    pub(crate) slimmed: Vec<SlimmedReport>,
    /// The data that rules about data kept.
    #[serde(default)]
    pub(crate) kept: Vec<KeptDataReport>,
    /// What was stripped from compiled files.
    pub(crate) stripped: Savings,
}

/// What `pybundle lambda` reports.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BuildReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The root project's name.
    pub(crate) project: String,
    /// The target.
    pub(crate) target: TargetReport,
    /// The files that were built.
    pub(crate) artifacts: Vec<ArtifactReport>,
    /// The documents about them.
    pub(crate) documents: Vec<DocumentReport>,
    /// The limits.
    pub(crate) limits: LimitsReport,
    /// The distributions, ordered by name.
    pub(crate) distributions: Vec<DistributionReport>,
    /// The selected distributions that are excluded.
    pub(crate) excluded: Vec<ExcludedReport>,
    /// The layers that the function runs with, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<NamedLayerReport>,
    /// The application.
    pub(crate) application: ApplicationReport,
    /// The handler that was found, if one was named.
    pub(crate) handler: Option<String>,
    /// What was omitted from the distributions.
    pub(crate) trim: TrimReport,
    /// The bytecode, unless nothing was to be compiled.
    pub(crate) bytecode: Option<BytecodeReport>,
    /// What the audits found.
    pub(crate) audit: AuditReport,
    /// What the build read from the remote cache and wrote to it; `null` without one.
    pub(crate) remote_cache: Option<RemoteCacheReport>,
    /// The warnings.
    pub(crate) warnings: Vec<String>,
    /// How long it took, in seconds.
    pub(crate) elapsed_seconds: f64,
}
