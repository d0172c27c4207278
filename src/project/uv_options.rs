//! The options of `[tool.uv]` for indexes and builds.
//!
//! Specification: [uv, settings](https://docs.astral.sh/uv/reference/settings/).

use serde::Deserialize;

use super::error::ProjectError;
use super::pyproject::PyprojectToml;
use crate::name::DistributionName;
use crate::redact;

/// The options of `[tool.uv]` for indexes and builds, by the names of uv. uv reads them from the workspace root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct UvOptions {
    pub(crate) index_url: Option<String>,
    pub(crate) extra_index_url: Vec<String>,
    pub(crate) find_links: Vec<String>,
    pub(crate) no_index: bool,
    pub(crate) index_strategy: Option<String>,
    pub(crate) exclude_newer: Option<String>,
    pub(crate) keyring_provider: Option<String>,
    pub(crate) no_build: bool,
    pub(crate) no_build_package: Vec<DistributionName>,
    pub(crate) no_binary: bool,
    pub(crate) no_binary_package: Vec<DistributionName>,
}

impl UvOptions {
    /// Reads the options.
    ///
    /// # Errors
    /// A value is not what uv's settings require.
    pub(crate) fn of(pyproject: &PyprojectToml) -> Result<Self, ProjectError> {
        let table = pyproject.table().get("tool").and_then(|tool| tool.get("uv"));
        let options = table.map_or_else(|| Ok(Self::default()), |table| table.clone().try_into());
        options.map_err(|error: toml::de::Error| ProjectError::UvOptions {
            path: pyproject.path.clone(),
            reason: redact::text(error.message()).replace('\n', "; "),
        })
    }
}
