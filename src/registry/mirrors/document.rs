//! The keys of registries.conf and daemon.json that say where images are pulled from. Others are ignored.

use serde::Deserialize;

/// registries.conf.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RegistriesDocument {
    #[serde(default)]
    pub(super) registry: Vec<RegistryTable>,
}

/// `[[registry]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RegistryTable {
    pub(super) prefix: Option<String>,
    pub(super) location: Option<String>,
    #[serde(default)]
    pub(super) insecure: bool,
    #[serde(default)]
    pub(super) blocked: bool,
    #[serde(default)]
    pub(super) mirror_by_digest_only: bool,
    #[serde(default)]
    pub(super) mirror: Vec<MirrorTable>,
}

/// `[[registry.mirror]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct MirrorTable {
    pub(super) location: String,
    #[serde(default)]
    pub(super) insecure: bool,
    pub(super) pull_from_mirror: Option<MirrorUse>,
}

/// Which references a mirror is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MirrorUse {
    All,
    DigestOnly,
    TagOnly,
}

impl MirrorUse {
    pub(super) fn includes(self, has_digest: bool) -> bool {
        match self {
            Self::All => true,
            Self::DigestOnly => has_digest,
            Self::TagOnly => !has_digest,
        }
    }
}

/// daemon.json.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct DaemonDocument {
    #[serde(default)]
    pub(super) registry_mirrors: Vec<String>,
    #[serde(default)]
    pub(super) insecure_registries: Vec<String>,
}

impl RegistriesDocument {
    /// Parses the file, or returns why it is invalid.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line =
                text.bytes().take(error.span().map_or(0, |span| span.start)).filter(|byte| *byte == b'\n').count() + 1;
            format!("line {line}: {}", error.message())
        })
    }
}

impl DaemonDocument {
    /// Parses the file, which may be empty, or returns why it is invalid.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            Ok(Self::default())
        } else {
            serde_json::from_str(text).map_err(|error| error.to_string())
        }
    }
}
