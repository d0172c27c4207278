//! What `[tool.uv]` says of indexes and of building, as far as pyproject.toml says it.
//!
//! Specification: [uv, settings](https://docs.astral.sh/uv/reference/settings/).

use serde::Deserialize;

use super::error::ProjectError;
use super::pyproject::PyprojectToml;
use crate::name::DistributionName;
use crate::redact;

/// What `[tool.uv]` says of indexes and of building. uv takes it from the workspace root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct UvOptions {
    /// The index in the place of PyPI.
    pub index_url: Option<String>,
    /// Further indexes, before that one.
    pub extra_index_url: Vec<String>,
    /// Folders and pages with files.
    pub find_links: Vec<String>,
    /// Whether no index is asked.
    pub no_index: bool,
    /// Which index of several decides.
    pub index_strategy: Option<String>,
    /// Files that were uploaded later do not count.
    pub exclude_newer: Option<String>,
    /// Who knows passwords: `subprocess` or `disabled`.
    pub keyring_provider: Option<String>,
    /// Whether nothing is built.
    pub no_build: bool,
    /// What is not built.
    pub no_build_package: Vec<DistributionName>,
    /// Whether no wheels are used.
    pub no_binary: bool,
    /// Whose wheels are not used.
    pub no_binary_package: Vec<DistributionName>,
}

impl UvOptions {
    /// Returns what a pyproject.toml says.
    ///
    /// # Errors
    /// A value is not what uv's settings ask for.
    pub fn of(pyproject: &PyprojectToml) -> Result<Self, ProjectError> {
        let table = pyproject.table().get("tool").and_then(|tool| tool.get("uv"));
        let options = table.map_or_else(|| Ok(Self::default()), |table| table.clone().try_into());
        options.map_err(|error: toml::de::Error| ProjectError::UvOptions {
            path: pyproject.path.clone(),
            reason: redact::text(error.message()).replace('\n', "; "),
        })
    }
}
