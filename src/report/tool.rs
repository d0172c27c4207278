//! What is reported of pybundle itself: its cache, its profiles, its schemas.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::format_version;

/// What `pybundle cache dir` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CacheFolderReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The cache directory.
    pub(crate) dir: PathBuf,
}

/// What `pybundle cache size` reports, and `prune` and `clean` of what they removed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CacheSizeReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The number of files.
    pub(crate) files: u64,
    /// Their size in bytes.
    pub(crate) bytes: u64,
}

/// What `pybundle profile list` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ProfileListReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The built-in profiles.
    pub(crate) profiles: Vec<ProfileDescription>,
}

/// What `pybundle profile show` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ProfileReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The profile.
    #[serde(flatten)]
    pub(crate) profile: ProfileDescription,
}

/// A profile, by what is built for it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum ProfileDescription {
    /// A runtime of AWS Lambda, for zips.
    Lambda(LambdaProfileReport),
    /// Images.
    Image(ImageProfileReport),
}

/// A runtime of AWS Lambda.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct LambdaProfileReport {
    /// The name, for instance `python3.13`.
    pub(crate) name: String,
    /// The minor version of Python, for instance `3.13`.
    pub(crate) python: String,
    /// Whether it is generally available.
    pub(crate) available: bool,
    /// The C library, for instance `2.34`.
    pub(crate) glibc: String,
    /// The architectures, by AWS's names.
    pub(crate) architectures: Vec<String>,
    /// Where the interpreter is.
    pub(crate) interpreter: String,
    /// The limits.
    pub(crate) limits: ProfileLimits,
    /// The distributions that the runtime provides.
    pub(crate) runtime_distributions: Vec<String>,
}

/// The limits of a runtime.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(crate) struct ProfileLimits {
    /// The largest zip that can be uploaded directly, in bytes.
    pub(crate) direct_upload: Option<u64>,
    /// The largest size of function and layers together, uncompressed, in bytes.
    pub(crate) unzipped: Option<u64>,
    /// The largest zip, in bytes.
    pub(crate) zip: Option<u64>,
}

/// A kind of images.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ImageProfileReport {
    /// The name, for instance `service`.
    pub(crate) name: String,
    /// The minor versions of Python.
    pub(crate) pythons: Vec<String>,
    /// The architectures, by AWS's names.
    pub(crate) architectures: Vec<String>,
    /// The base for each version of Python, in their order.
    pub(crate) bases: Vec<String>,
}

/// What `pybundle schema` reports without a name.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct SchemaListReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The schemas.
    pub(crate) schemas: Vec<SchemaDescription>,
}

/// A schema.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct SchemaDescription {
    /// Its name, as `pybundle schema` takes it.
    pub(crate) name: String,
    /// What it describes: the commands that print such a document, or the file that is one.
    pub(crate) describes: String,
}

/// What `pybundle completions` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct CompletionsReport {
    /// The version of the document's format.
    #[schemars(schema_with = "format_version")]
    pub(crate) format: u32,
    /// The shell, for instance `bash`.
    pub(crate) shell: String,
    /// The script.
    pub(crate) script: String,
}
