//! The image configuration: what is inherited from the base, and what is decided for the image.
//!
//! Specification: [OCI image configuration](https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md).
//! What a derived image inherits is what Docker lets it inherit.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::index::variant;
use super::json::nullable;
use super::{Layer, Port, Timestamp};
use crate::hints::Hints;
use crate::platform::Architecture;

/// What is decided for an image; everything else is its base's.
#[derive(Debug, Clone, Default)]
pub struct ConfigOverrides {
    /// The user that the process runs as, for instance `10001` or `10001:10001`.
    pub user: Option<String>,
    /// The working directory, an absolute path.
    pub workdir: Option<String>,
    /// Environment variables and their values, as the process sees them (see [`expand`]). A variable of the base's is
    /// replaced in its place, others follow in this order.
    pub env: Vec<(String, String)>,
    /// The entrypoint.
    pub entrypoint: Entrypoint,
    /// The command, or the entrypoint's default arguments. Where there is none, the base's stays unless the entrypoint
    /// changes.
    pub command: Option<Vec<String>>,
    /// The ports that the image exposes besides its base's.
    pub exposed_ports: BTreeSet<Port>,
    /// The labels, which replace those of the base's that have their names.
    pub labels: BTreeMap<String, String>,
    /// When the image and its own layers were created.
    pub created: Timestamp,
}

/// What becomes of the base's entrypoint. Unless it is inherited, the base's command goes with it, as it was made for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Entrypoint {
    /// It stays.
    #[default]
    Inherit,
    /// It goes: the command is run itself.
    Reset,
    /// It is replaced.
    Set(Vec<String>),
}

/// An image configuration (OCI image configuration, properties).
///
/// Properties that the specification does not define are not read: those are Docker's notes on the container and the
/// build that the base was made of. In [`ExecutionParameters`], where Docker keeps properties that the specification reserves for it,
/// unknown ones stay.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was created. It is no property of what derives from it.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// Who maintains the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    /// The architecture by its OCI name.
    pub(super) architecture: String,
    /// The architecture's variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    /// The operating system.
    pub(super) os: String,
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    os_version: Option<String>,
    #[serde(rename = "os.features", skip_serializing_if = "Option::is_none")]
    os_features: Option<Vec<String>>,
    /// The execution parameters.
    #[serde(rename = "config", default, deserialize_with = "nullable")]
    pub execution: ExecutionParameters,
    /// The diff IDs of the layers.
    rootfs: RootFs,
    /// What each layer is, and what was done without making one.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    history: Vec<HistoryEntry>,
}

/// How a container of the image runs: the property `config` of an image configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionParameters {
    /// The user, empty for root.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The ports, for instance `8000/tcp`, each with an empty object.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Map<String, Value>>,
    /// The environment, each of the form `NAME=value`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The entrypoint: the program and its first arguments.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The command, or further arguments of the entrypoint.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The volumes, each with an empty object.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Map<String, Value>>,
    /// The working directory, empty for the root of the file system.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// The labels.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that stops the container.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Everything else, for instance Docker's `Healthcheck` and `Shell`.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// The layers of an image by what they hold (OCI image configuration, `rootfs`).
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: RootFsKind,
    #[serde(deserialize_with = "nullable")]
    diff_ids: Vec<String>,
}

/// The only kind of root file system that there is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RootFsKind {
    Layers,
}

/// What one step of making the image did (OCI image configuration, `history`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct HistoryEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "std::ops::Not::not")]
    empty_layer: bool,
}

/// The properties in which Docker describes the container that an image was once made from, not those that are run, and
/// `OnBuild`, which is for those who build on the base with Docker: its instructions were not followed.
const LEFTOVERS: [&str; 15] = [
    "ArgsEscaped",
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Domainname",
    "Hostname",
    "Image",
    "MacAddress",
    "NetworkDisabled",
    "OnBuild",
    "OpenStdin",
    "PublishService",
    "StdinOnce",
    "Tty",
    "VolumeDriver",
];

impl ImageConfig {
    /// Returns the configuration of an image without layers and settings.
    pub(super) fn empty(architecture: Architecture) -> Self {
        Self {
            created: None,
            author: None,
            architecture: architecture.oci_name().to_owned(),
            variant: variant(architecture).map(str::to_owned),
            os: "linux".to_owned(),
            os_version: None,
            os_features: None,
            execution: ExecutionParameters::default(),
            rootfs: RootFs { kind: RootFsKind::Layers, diff_ids: Vec::new() },
            history: Vec::new(),
        }
    }

    /// States the variant of the architecture, as an index of the image will, unless it is stated already.
    pub(super) fn state_variant(&mut self, architecture: Architecture) {
        self.variant = self.variant.take().or_else(|| variant(architecture).map(str::to_owned));
    }

    /// Returns the diff IDs of the layers.
    pub(super) fn diff_ids(&self) -> &[String] {
        &self.rootfs.diff_ids
    }

    /// Returns the configuration of an image on this base, which has the layers `inherited`: with these settings, and with
    /// further layers, each with what it holds.
    pub(super) fn derive(&self, inherited: &[Layer], settings: &ConfigOverrides, own: &[(Layer, String)]) -> Self {
        let mut derived = self.clone();
        let created = settings.created.to_string();
        derived.execution.apply(settings);
        if derived.history.iter().filter(|step| !step.empty_layer).count() != inherited.len() {
            // Readers refuse a history that does not count the layers.
            let step = HistoryEntry { comment: Some("base image".to_owned()), ..HistoryEntry::default() };
            derived.history = vec![step; inherited.len()];
        }
        derived.history.extend(own.iter().map(|(_, holds)| HistoryEntry {
            created: Some(created.clone()),
            created_by: Some("pybundle".to_owned()),
            comment: Some(holds.clone()),
            ..HistoryEntry::default()
        }));
        let layers = inherited.iter().chain(own.iter().map(|(layer, _)| layer));
        derived.rootfs.diff_ids = layers.map(|layer| layer.diff_id.to_string()).collect();
        derived.created = Some(created);
        derived
    }
}

impl ExecutionParameters {
    /// Returns the value of an environment variable.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
    }

    /// Sets an environment variable, in its place if it is there already.
    fn set_env(&mut self, name: &str, value: &str) {
        let mut variable = Some(format!("{name}={value}"));
        let is_name = |other: &str| other.split_once('=').map_or(other, |(other, _)| other) == name;
        // The base may state it twice: the first is replaced, the others go.
        let replaced = self.env.drain(..).filter_map(|old| if is_name(&old) { variable.take() } else { Some(old) });
        self.env = replaced.collect();
        self.env.extend(variable);
    }

    /// Changes what the settings decide, and drops what is not for derived images.
    fn apply(&mut self, settings: &ConfigOverrides) {
        self.other.retain(|name, value| !value.is_null() && !LEFTOVERS.contains(&name.as_str()));
        if let Some(user) = &settings.user {
            self.user.clone_from(user);
        }
        if let Some(workdir) = &settings.workdir {
            self.working_dir.clone_from(workdir);
        }
        for (name, value) in &settings.env {
            self.set_env(name, value);
        }
        let entrypoint = match &settings.entrypoint {
            Entrypoint::Inherit => None,
            Entrypoint::Reset => Some(Vec::new()),
            Entrypoint::Set(entrypoint) => Some(entrypoint.clone()),
        };
        if let Some(entrypoint) = entrypoint {
            self.entrypoint = entrypoint;
            self.cmd.clear();
        }
        if let Some(command) = &settings.command {
            self.cmd.clone_from(command);
        }
        self.exposed_ports.extend(settings.exposed_ports.iter().map(|port| (port.to_string(), Map::new())));
        self.labels.extend(settings.labels.clone());
    }
}

/// A value of an environment variable in which a dollar is followed by neither `{NAME}` nor another dollar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` has a `$` that is followed by neither `{{NAME}}` nor another `$`", .0.escape_debug())]
pub struct InvalidEnvValue(pub String);

impl Hints for InvalidEnvValue {
    fn hints(&self) -> Vec<String> {
        vec!["write `$$` for a dollar".to_owned()]
    }
}

/// Expands a value of an environment variable: `${NAME}` becomes the base's value of that variable, or nothing if it has
/// none, and `$$` becomes a dollar.
///
/// # Errors
/// A dollar is followed by something else.
pub fn expand(value: &str, base: &ExecutionParameters) -> Result<String, InvalidEnvValue> {
    let invalid = || InvalidEnvValue(value.to_owned());
    let (mut expanded, mut rest) = (String::new(), value);
    while let Some((text, reference)) = rest.split_once('$') {
        expanded.push_str(text);
        rest = match reference.strip_prefix('$') {
            Some(rest) => {
                expanded.push('$');
                rest
            }
            None => {
                let (name, rest) =
                    reference.strip_prefix('{').and_then(|rest| rest.split_once('}')).ok_or_else(invalid)?;
                if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                    return Err(invalid());
                }
                expanded.push_str(base.env(name).unwrap_or_default());
                rest
            }
        };
    }
    Ok(expanded + rest)
}

#[cfg(test)]
mod tests;
