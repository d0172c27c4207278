//! What is reported of images that are planned, built and pushed.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ApplicationReport, AuditReport, BytecodeReport, DistributionReport, DocumentReport, ExcludedReport, PlanReport,
    TrimReport, format_version,
};

/// The base of an image.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BaseReport {
    /// The reference or the file, as the configuration names it.
    pub(crate) name: String,
    /// The digest of what the name stands for: an image index or an image manifest.
    pub(crate) digest: Option<String>,
    /// Whether the name has a digest, so that it always means the same image.
    pub(crate) pinned: bool,
}

/// A layer above the base.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LayerReport {
    /// The digest of the layer as it is stored and sent.
    pub(crate) digest: String,
    /// The digest of its uncompressed bytes.
    pub(crate) diff_id: String,
    /// Its size as it is stored and sent, in bytes.
    pub(crate) size: u64,
    /// What it contains.
    pub(crate) holds: String,
    /// Whether its digests were known from an earlier build.
    pub(crate) known: bool,
}

/// The image for one platform.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PlatformReport {
    /// The platform, for instance `linux/amd64`.
    pub(crate) platform: String,
    /// The digest of the image manifest.
    pub(crate) digest: String,
    /// The digest of the base's manifest.
    pub(crate) base_digest: Option<String>,
    /// The base's interpreter, for instance `/usr/local/bin/python3.13`.
    pub(crate) interpreter: Option<String>,
    /// The size of all layers, the base's too, as they are stored and sent, in bytes.
    pub(crate) size: u64,
    /// The size of the layers above the base, uncompressed, in bytes.
    pub(crate) uncompressed_size: u64,
    /// The number of the base's layers.
    pub(crate) base_layers: usize,
    /// The layers above the base, the lowest first.
    pub(crate) layers: Vec<LayerReport>,
    /// The system packages that were added to the base, in the order in which dpkg configures them.
    pub(crate) packages: Vec<SystemPackageReport>,
    /// What was omitted from the distributions.
    pub(crate) trim: TrimReport,
    /// The bytecode, unless nothing was to be compiled.
    pub(crate) bytecode: Option<BytecodeReport>,
    /// What the audits found.
    pub(crate) audit: AuditReport,
    /// The distributions, ordered by name.
    pub(crate) distributions: Vec<DistributionReport>,
}

/// A system package that was added to the base.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SystemPackageReport {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The architecture by Debian's name, or `all`.
    pub(crate) architecture: String,
    /// Whether the project names it; the others are its dependencies.
    pub(crate) requested: bool,
}

/// How a container of the image starts.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StartReport {
    /// The entrypoint; empty for none, absent if it is the base's.
    pub(crate) entrypoint: Option<Vec<String>>,
    /// The command, unless it is the base's.
    pub(crate) command: Option<Vec<String>>,
    /// The user, unless it is the base's.
    pub(crate) user: Option<String>,
    /// The working directory.
    pub(crate) workdir: Option<String>,
    /// The ports.
    pub(crate) ports: Vec<String>,
    /// What checks whether a container is healthy, as the image states it: `CMD` and arguments, or `CMD-SHELL` and a line.
    pub(crate) health_check: Option<Vec<String>>,
}

/// The result of loading an image into a container engine.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LoadReport {
    /// The engine: `docker` or `podman`.
    pub(crate) engine: String,
    /// The names of the image there, or its ID if it has none.
    pub(crate) images: Vec<String>,
}

/// The result of a push to one name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PushReport {
    /// The name as it was given.
    pub(crate) tag: String,
    /// What to deploy: the name with the digest.
    pub(crate) reference: String,
    /// How many blobs were uploaded.
    pub(crate) uploaded: usize,
    /// Their size in bytes.
    pub(crate) uploaded_bytes: u64,
    /// How many blobs were mounted from another repository.
    pub(crate) mounted: usize,
    /// How many blobs the registry already had.
    pub(crate) existing: usize,
    /// The digests of the manifests of documents that are attached there.
    pub(crate) attached: Vec<String>,
}

/// What `pybundle push` reports, and `pybundle image` of its push.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PushedReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The digest of what was pushed.
    pub(crate) digest: String,
    /// The names.
    pub(crate) tags: Vec<PushReport>,
    /// How many requests it took.
    pub(crate) requests: u64,
}

/// What a build read from the remote cache and wrote to it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RemoteCacheReport {
    /// The repository, the prefix in a bucket, or the directory.
    pub(crate) place: String,
    /// What was read.
    pub(crate) read: RecordUse,
    /// The number of wheels that were known from records, instead of being in the local cache or fetched at once.
    pub(crate) known: usize,
    /// How many of them were fetched after all, because their bytes were needed.
    pub(crate) fetched: usize,
    /// Whether a record was written.
    pub(crate) written: bool,
    /// What was fetched and compared with the record after the artifact was complete, for `--remote-cache sample`.
    pub(crate) sampled: Option<String>,
}

/// Which record was read from the remote cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RecordUse {
    /// Nothing: every wheel is in the local cache, or the settings forbid it.
    #[default]
    Nothing,
    /// There is no record.
    Missing,
    /// The record of an image that was built from another lock or with other settings.
    Earlier,
    /// The record of exactly these distributions and settings.
    Exact,
    /// The record was only compared with what was found out.
    Verified,
}

/// What `pybundle image` reports.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ImageReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The root project's name.
    pub(crate) project: String,
    /// The profile, for instance `service`.
    pub(crate) profile: String,
    /// The version of Python, for instance `3.13`.
    pub(crate) python: String,
    /// Why it is this version.
    pub(crate) reason: String,
    /// The base.
    pub(crate) base: BaseReport,
    /// The digest of the image manifest, or of the index of several.
    pub(crate) digest: String,
    /// What the digest is of: a media type.
    pub(crate) media_type: String,
    /// The images, in the order of the index.
    pub(crate) platforms: Vec<PlatformReport>,
    /// The selected distributions that are excluded.
    pub(crate) excluded: Vec<ExcludedReport>,
    /// The application.
    pub(crate) application: ApplicationReport,
    /// How a container starts.
    pub(crate) start: StartReport,
    /// The files that were written, as they can be given to `pybundle push`.
    pub(crate) outputs: Vec<String>,
    /// Those of `outputs` that had the same content before.
    pub(crate) unchanged: Vec<String>,
    /// The documents about the images.
    pub(crate) documents: Vec<DocumentReport>,
    /// The engine that the image was loaded into.
    pub(crate) loaded: Option<LoadReport>,
    /// What was pushed.
    pub(crate) pushed: Option<PushedReport>,
    /// What the build read from the remote cache and wrote to it; `null` without one.
    pub(crate) remote_cache: Option<RemoteCacheReport>,
    /// The warnings.
    pub(crate) warnings: Vec<String>,
    /// How long it took, in seconds.
    pub(crate) elapsed_seconds: f64,
}

/// What `pybundle image --dry-run` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ImagePlanReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The profile, for instance `service`.
    pub(crate) profile: String,
    /// The version of Python, for instance `3.13`.
    pub(crate) python: String,
    /// Why it is this version.
    pub(crate) reason: String,
    /// The base.
    pub(crate) base: BaseReport,
    /// The plan of each platform, in the order of the index.
    pub(crate) platforms: Vec<PlanReport>,
    /// The files that would be written, as they can be given to `pybundle push` then.
    pub(crate) outputs: Vec<String>,
}

/// What `pybundle image --pin` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct PinReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The base, as the configuration named it.
    pub(crate) name: String,
    /// The base with its digest, as the configuration names it now.
    pub(crate) pinned: String,
    /// The file that names it.
    pub(crate) file: PathBuf,
}
