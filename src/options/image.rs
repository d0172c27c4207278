//! The options of `pybundle image`, and of targets of that kind.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;

use clap::{Args, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts::OneOrMany;
use super::values::{CommandArguments, CompressionMethod, ImageOutput, ImagePlatform, NameValue, profile, table};
use super::{
    CommonOptions, DocumentOptions, InvalidOption, Invocation, RegistryAccessOptions, TargetKind, TargetOptions,
    rebase_profile, texts,
};
use crate::image::{NewUser, Port};
use crate::index::InvalidLocation;
use crate::platform::{Architecture, PythonVersion};
use crate::registry::Reference;
use crate::settings::{BaseChoice, ContainerSettings, ImageSettings, LayerCompression, ProfileChoice, Settings};

/// How many layers an image may have besides its base's, unless it is said.
const MAX_LAYERS: NonZeroUsize = NonZeroUsize::new(24).expect("24 is not zero");

/// What an image is made of.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct ImageOptions {
    /// What every kind of artifact has.
    #[command(flatten)]
    #[serde(flatten)]
    pub common: CommonOptions,
    /// What it is for.
    #[command(flatten)]
    #[serde(flatten)]
    pub target: PlatformOptions,
    /// How a container starts.
    #[command(flatten)]
    #[serde(flatten)]
    pub container: ContainerOptions,
    /// Where it goes.
    #[command(flatten)]
    #[serde(flatten)]
    pub output: OutputOptions,
    /// How registries are talked to.
    #[command(flatten)]
    #[serde(flatten)]
    pub registry: RegistryAccessOptions,
}

/// What the image is for.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Target")]
#[serde(default, rename_all = "kebab-case")]
pub struct PlatformOptions {
    /// A built-in profile (service, distroless, lambda-image), or a TOML file of the same form [default: service]
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// The platforms: linux/amd64, linux/arm64, or both with a comma between them [default: linux/amd64]
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub platform: Vec<ImagePlatform>,
    /// The version of Python [default: by .python-version, or the newest that requires-python and the base allow]
    #[arg(long, value_name = "VERSION")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub python: Option<PythonVersion>,
    /// The base: a reference, oci:DIR, oci-archive:FILE, docker-archive:FILE or scratch [default: the profile's]
    #[arg(long, value_name = "BASE")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub base: Option<BaseChoice>,
}

/// How a container of the image starts.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Container")]
#[serde(default, rename_all = "kebab-case")]
pub struct ContainerOptions {
    /// The entrypoint: words, or a JSON array; empty for none [default: the project's only console script]
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub entrypoint: Option<CommandArguments>,
    /// The command, or the entrypoint's arguments: words, or a JSON array; for lambda-image the handler
    #[arg(long, value_name = "WORDS", alias = "handler", allow_hyphen_values = true)]
    pub cmd: Option<CommandArguments>,
    /// Set an environment variable
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(with = "table")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: Vec<NameValue>,
    /// The user: UID, UID:GID, or a name that the image knows
    #[arg(long, value_name = "USER")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<texts::StringOrNumber>")]
    pub user: Option<String>,
    /// Add a user, with a group and a home, unless the base has it [default: UID 1000, and GID as UID]
    #[arg(long, value_name = "NAME[:UID[:GID]]")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub add_user: Vec<NewUser>,
    /// The folder that the process starts in
    #[arg(long, value_name = "DIR")]
    pub workdir: Option<String>,
    /// A port that the image exposes: 8000 or 53/udp
    #[arg(long, value_name = "PORT")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub expose: Vec<Port>,
    /// Set a label
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(with = "table")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub label: Vec<NameValue>,
    /// Set an annotation of the manifests
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(with = "table")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub annotation: Vec<NameValue>,
}

/// Where the image goes.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Output")]
#[serde(default, rename_all = "kebab-case")]
pub struct OutputOptions {
    /// A name of the image: HOST/REPOSITORY:TAG
    #[arg(short, long, value_name = "REF")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub tag: Vec<Reference>,
    /// Push the image to where its names say
    #[arg(long)]
    pub push: bool,
    /// Write the image: oci:DIR, oci-archive:FILE or docker-archive:FILE [default: oci-archive:dist/NAME.tar, unless
    /// it is pushed]
    #[arg(short, long, value_name = "OUTPUT", value_hint = ValueHint::AnyPath)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub output: Vec<ImageOutput>,
    /// How layers are compressed [default: gzip]
    #[arg(long, value_enum, value_name = "METHOD")]
    pub compression: Option<CompressionMethod>,
    /// How many layers there may be besides the base's [default: 24]
    #[arg(long, value_name = "COUNT")]
    pub max_layers: Option<NonZeroUsize>,
    /// Write the image even if it is larger than its target takes
    #[arg(long)]
    pub allow_oversize: bool,
    /// Which documents go with it.
    #[command(flatten)]
    #[serde(flatten)]
    pub documents: DocumentOptions,
}

impl TargetOptions for ImageOptions {
    const KIND: TargetKind = TargetKind::Image;
    type Settings = ImageSettings;

    fn rebase(&mut self, folder: &Path) -> Result<(), InvalidLocation> {
        self.target.base = self.target.base.take().map(|base| base.in_folder(folder));
        for ImageOutput(file) in &mut self.output.output {
            file.path = folder.join(&file.path);
        }
        rebase_profile(&mut self.target.profile, folder);
        self.common.rebase(folder)
    }

    fn settings(self, extends: Option<Box<Settings>>, invocation: &Invocation) -> Result<ImageSettings, InvalidOption> {
        let profile = self.profile();
        let Self { common, target, container, output, registry } = self;
        let common = common.settings(profile, extends, invocation)?;
        let created = common.environment.get("SOURCE_DATE_EPOCH").map(str::parse).transpose()?.unwrap_or_default();
        let platforms: BTreeSet<_> =
            target.platform.into_iter().map(|ImagePlatform(architecture)| architecture).collect();
        if output.push && output.tag.is_empty() {
            return Err(InvalidOption::PushWithoutTag(invocation.target.clone()));
        }
        Ok(ImageSettings {
            documents: output.documents.settings(&common.environment)?,
            common,
            platforms: if platforms.is_empty() { [Architecture::X86_64].into() } else { platforms },
            python: target.python,
            base: target.base,
            tags: output.tag,
            push: output.push,
            outputs: output.output.into_iter().map(|ImageOutput(file)| file).collect(),
            container: ContainerSettings {
                entrypoint: container.entrypoint.map(|CommandArguments(arguments)| arguments),
                command: container.cmd.map(|CommandArguments(arguments)| arguments),
                env: container.env.into_iter().map(Into::into).collect(),
                user: container.user,
                users: container.add_user,
                workdir: container.workdir,
                ports: container.expose.into_iter().collect(),
            },
            labels: container.label.into_iter().map(Into::into).collect(),
            annotations: container.annotation.into_iter().map(Into::into).collect(),
            compression: output.compression.map_or(LayerCompression::Gzip, Into::into),
            layers: output.max_layers.unwrap_or(MAX_LAYERS),
            created,
            registry: registry.into(),
            allow_oversize: output.allow_oversize,
        })
    }

    fn common(&self) -> &CommonOptions {
        &self.common
    }

    fn profile(&self) -> ProfileChoice {
        self.target.profile.as_deref().map_or(ProfileChoice::Default, profile)
    }
}
