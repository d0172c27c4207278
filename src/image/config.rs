//! The image config: what an image inherits from its base, and what is set for it.
//!
//! Specification: [OCI image configuration](https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md).
//! An image inherits the same properties as with Docker's `FROM`.

pub mod health;
pub(crate) mod substitution;
pub mod user;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::health::{HealthCheck, StopSignal, VolumePath};
use super::index::variant;
use super::json::nullable;
use super::{Layer, Port, Timestamp};
use crate::hints::Hints;
use crate::platform::Architecture;

/// The settings of an image; everything else is inherited from its base.
#[derive(Debug, Clone, Default)]
pub struct ConfigOverrides {
    /// The user that the process runs as, for instance `10001` or `10001:10001`.
    pub user: Option<String>,
    /// The working directory, an absolute path.
    pub workdir: Option<String>,
    /// Environment variables with their final values (see `expand`). They replace the base's variables in place; new
    /// ones follow in this order.
    pub env: Vec<(String, String)>,
    /// The entrypoint.
    pub entrypoint: Entrypoint,
    /// The command, or the default arguments of the entrypoint. `None` keeps the base's unless the entrypoint changes.
    pub command: Option<Vec<String>>,
    /// Exposed ports, in addition to the base's.
    pub exposed_ports: BTreeSet<Port>,
    /// The paths of volumes, in addition to the base's.
    pub volumes: BTreeSet<VolumePath>,
    /// The health check. `None` keeps the base's.
    pub health_check: Option<HealthCheck>,
    /// The signal that stops the container. `None` keeps the base's.
    pub stop_signal: Option<StopSignal>,
    /// The shell of commands that are not arrays. `None` keeps the base's.
    pub shell: Option<Vec<String>>,
    /// Labels, which replace the base's of the same names.
    pub labels: BTreeMap<String, String>,
    /// The creation time of the image and of the layers that are added to the base.
    pub created: Timestamp,
}

/// The entrypoint of an image. Unless it is inherited, the base's command is removed with the base's entrypoint, as by
/// Docker: it was written as its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Entrypoint {
    /// Keep the base's.
    #[default]
    Inherit,
    /// Remove the base's, and run the command itself.
    Reset,
    /// Replace the base's.
    Set(Vec<String>),
}

/// An image config (OCI image configuration, properties).
///
/// Unknown properties are dropped: Docker records there the container and the build that the base was made from. Unknown
/// ones in [`ExecutionParameters`] are kept: Docker stores properties there that the specification reserves for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was created. Images do not inherit it.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    /// The OCI name of the architecture.
    pub(super) architecture: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    pub(super) os: String,
    #[serde(rename = "os.version", skip_serializing_if = "Option::is_none")]
    os_version: Option<String>,
    #[serde(rename = "os.features", skip_serializing_if = "Option::is_none")]
    os_features: Option<Vec<String>>,
    /// The execution parameters.
    #[serde(rename = "config", default, deserialize_with = "nullable")]
    pub execution: ExecutionParameters,
    rootfs: RootFs,
    /// The build steps, including those that created no layer.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    history: Vec<HistoryEntry>,
}

/// How a container of the image runs: the property `config` of an image config.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionParameters {
    /// The user, empty for root.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The ports, for instance `8000/tcp`, each with an empty object as its value.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Map<String, Value>>,
    /// The environment variables, as `NAME=value`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The entrypoint: the executable and its first arguments.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// The command, or further arguments of the entrypoint.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The paths of volumes, each with an empty object as its value.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) volumes: BTreeMap<String, Map<String, Value>>,
    /// The working directory, empty for the root of the file system.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub(crate) working_dir: String,
    /// The labels.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that stops the container.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub(crate) stop_signal: String,
    /// Everything else, for instance Docker's `Healthcheck` and `Shell`.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl ExecutionParameters {
    /// Returns the command of the health check, if there is one.
    pub(crate) fn health_check(&self) -> Option<Vec<String>> {
        words(self.other.get("Healthcheck")?.get("Test")?)
    }

    /// Returns the shell of commands that are not arrays, if it is stated.
    pub(crate) fn shell(&self) -> Option<Vec<String>> {
        words(self.other.get("Shell")?).filter(|words| !words.is_empty())
    }
}

/// Returns the strings of an array.
fn words(value: &Value) -> Option<Vec<String>> {
    let words = value.as_array()?.iter();
    Some(words.filter_map(|word| word.as_str().map(str::to_owned)).collect())
}

/// The diff IDs of an image's layers (OCI image configuration, `rootfs`).
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: RootFsKind,
    #[serde(deserialize_with = "nullable")]
    diff_ids: Vec<String>,
}

/// The type of a root file system, which must be `layers`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RootFsKind {
    Layers,
}

/// A step of the build (OCI image configuration, `history`).
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

/// Properties that images do not inherit. With all but `OnBuild`, Docker describes the container that the base was
/// committed from. `OnBuild` has instructions for derived Docker builds, which pybundle does not run.
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
    /// Returns the commands of the build steps.
    pub(crate) fn build_steps(&self) -> impl Iterator<Item = &str> {
        self.history.iter().filter_map(|step| step.created_by.as_deref())
    }

    /// Returns the image config of an empty base.
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

    /// Sets the variant of the architecture to that in the image index, unless the base has one.
    pub(super) fn set_default_variant(&mut self, architecture: Architecture) {
        self.variant = self.variant.take().or_else(|| variant(architecture).map(str::to_owned));
    }

    pub(super) fn diff_ids(&self) -> &[String] {
        &self.rootfs.diff_ids
    }

    /// Returns the config of an image on a base with the layers `inherited`. `added` has further layers, each with a
    /// description for the history.
    pub(super) fn derive(&self, inherited: &[Layer], settings: &ConfigOverrides, added: &[(Layer, String)]) -> Self {
        let mut derived = self.clone();
        let created = settings.created.to_string();
        derived.execution.apply(settings);
        if derived.history.iter().filter(|step| !step.empty_layer).count() != inherited.len() {
            // Readers reject a history whose number of layers differs from that of the diff IDs.
            let step = HistoryEntry { comment: Some("base image".to_owned()), ..HistoryEntry::default() };
            derived.history = vec![step; inherited.len()];
        }
        derived.history.extend(added.iter().map(|(_, description)| HistoryEntry {
            created: Some(created.clone()),
            created_by: Some("pybundle".to_owned()),
            comment: Some(description.clone()),
            ..HistoryEntry::default()
        }));
        let layers = inherited.iter().chain(added.iter().map(|(layer, _)| layer));
        derived.rootfs.diff_ids = layers.map(|layer| layer.diff_id.to_string()).collect();
        derived.created = Some(created);
        derived
    }
}

/// The `PATH` that container engines use if an image sets none.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl ExecutionParameters {
    /// Returns the parameters as a container has them: with the `PATH` of the engine if they set none.
    pub(crate) fn in_container(&self) -> Self {
        let mut parameters = self.clone();
        if parameters.env("PATH").is_none() {
            parameters.set_env("PATH", DEFAULT_PATH);
        }
        parameters
    }

    /// Returns the value of an environment variable.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
    }

    /// Sets an environment variable, in place if it exists.
    fn set_env(&mut self, name: &str, value: &str) {
        let mut variable = Some(format!("{name}={value}"));
        // A base may have a variable twice: the first is replaced, the others are removed.
        let env = std::mem::take(&mut self.env).into_iter().filter_map(|old| {
            let old_name = old.split_once('=').map_or(old.as_str(), |(name, _)| name);
            if old_name == name { variable.take() } else { Some(old) }
        });
        self.env = env.collect();
        self.env.extend(variable);
    }

    /// Applies the settings, and removes properties that images do not inherit.
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
        self.other.extend(settings.health_check.as_ref().map(|check| ("Healthcheck".to_owned(), check.value())));
        self.other.extend(settings.shell.clone().map(|shell| ("Shell".to_owned(), shell.into())));
        if let Some(signal) = &settings.stop_signal {
            self.stop_signal = signal.to_string();
        }
        self.volumes.extend(settings.volumes.iter().map(|path| (path.to_string(), Map::new())));
        self.exposed_ports.extend(settings.exposed_ports.iter().map(|port| (port.to_string(), Map::new())));
        self.labels.extend(settings.labels.clone());
    }
}

/// A value of an environment variable with a `$` that is followed by neither `{NAME}` nor another `$`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` has a `$` that is followed by neither `{{NAME}}` nor another `$`", .0.escape_debug())]
pub(crate) struct InvalidEnvValue(pub String);

impl Hints for InvalidEnvValue {
    fn hints(&self) -> Vec<String> {
        vec!["write `$$` for a literal `$`".to_owned()]
    }
}

/// Expands a value of an environment variable: `${NAME}` becomes the base's value of that variable, or an empty string if
/// it has none, and `$$` becomes `$`.
///
/// # Errors
/// A `$` is followed by something else.
pub(crate) fn expand(value: &str, base: &ExecutionParameters) -> Result<String, InvalidEnvValue> {
    let (mut expanded, mut rest) = (String::new(), value);
    while let Some((text, reference)) = rest.split_once('$') {
        expanded.push_str(text);
        if let Some(after) = reference.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else {
            let (name, after) = split_reference(reference).ok_or_else(|| InvalidEnvValue(value.to_owned()))?;
            expanded.push_str(base.env(name).unwrap_or_default());
            rest = after;
        }
    }
    Ok(expanded + rest)
}

/// Splits `{NAME}` from the text after it.
fn split_reference(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some((name, after))
}

#[cfg(test)]
mod tests;
