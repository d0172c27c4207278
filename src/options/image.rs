//! The options of `pybundle image`, and of targets of kind `image`.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::Path;

use clap::{Args, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::apt_source::{AptSourceOptions, InvalidAptSource};
use super::image_python::ImagePython;
use super::texts::OneOrMany;
use super::values::{
    CommandArguments, CompressionMethod, ImageOutput, ImagePlatform, NameValue, positive_number, profile, table,
};
use super::{
    CommonOptions, DeployOptions, DocumentOptions, InvalidOption, Invocation, RegistryAccessOptions,
    RemoteCacheOptions, TargetKind, TargetOptions, rebase_output, rebase_profile, texts,
};
use crate::apt::PackageRequest;
use crate::debian::PackageName;
use crate::image::config::health::{HealthCheck, HealthCommand, HealthTime, StopSignal, VolumePath};
use crate::image::config::user::UserSetting;
use crate::image::{NewUser, Port};
use crate::index::InvalidIndexUrl;
use crate::platform::Architecture;
use crate::registry::ImageReference;
use crate::settings::{
    AptSettings, BaseChoice, ContainerSettings, ImageSettings, LambdaSettings, LayerCompression, ProfileChoice,
    Settings,
};

/// The default of `max-layers`.
const MOST_LAYERS: NonZeroUsize = NonZeroUsize::new(24).expect("24 is not zero");

/// The options of `pybundle image`.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct ImageOptions {
    // First, and without a heading: what most people need is at the top of the help.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) image: MainImageOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) packages: SystemPackageOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) container: ContainerOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) shared: RemoteCacheOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) registry: RegistryAccessOptions,
    /// Flags of `pybundle deploy` alone.
    #[arg(skip)]
    #[serde(flatten)]
    pub(crate) deploy: DeployOptions,
}

/// What the image is called, where it goes, what it is built for and what it runs.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct MainImageOptions {
    /// Name the image: HOST/REPOSITORY:TAG
    #[arg(short, long, value_name = "REF")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) tag: Vec<ImageReference>,
    /// Push the image to the registries of its tags
    #[arg(long)]
    pub(crate) push: bool,
    /// Write the image to an OCI layout or to an archive
    ///
    /// OUTPUT is oci:DIR, oci-archive:FILE or docker-archive:FILE [default: oci-archive:dist/NAME.tar, unless the image is
    /// pushed or loaded]. The FILE `-` is standard output; the summary is then printed on standard error. Only an earlier layout or
    /// archive is replaced.
    #[arg(short, long, value_name = "OUTPUT", value_hint = ValueHint::AnyPath)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) output: Vec<ImageOutput>,
    /// Build for these platforms, separated by commas [default: linux/amd64]
    ///
    /// PLATFORM is linux/amd64 or linux/arm64.
    #[arg(long, alias = "arch", value_name = "PLATFORM", value_delimiter = ',')]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) platform: Vec<ImagePlatform>,
    /// Use this version of Python [default: the project's]
    ///
    /// Without this option, .python-version decides, or else Pipfile, runtime.txt, .tool-versions or mise.toml, or else it is
    /// the newest version that requires-python and the base allow and that every locked distribution has a wheel for.
    /// apt:python3.13 adds Debian's package to the base, or to nothing if no base is set; in pyproject.toml, write
    /// `python = { apt = "python3.13" }`.
    #[arg(long, alias = "runtime", value_name = "VERSION")]
    pub(crate) python: Option<ImagePython>,
    /// Use this base image [default: the profile's]
    ///
    /// BASE is an image reference, oci:DIR, oci-archive:FILE, docker-archive:FILE or scratch.
    #[arg(long, value_name = "BASE")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) base: Option<BaseChoice>,
    /// Set the entrypoint [default: the project's only console script]
    ///
    /// COMMAND is a command line or a JSON array; empty for no entrypoint.
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pub(crate) entrypoint: Option<CommandArguments>,
    /// Set the command, or the arguments of the entrypoint
    ///
    /// COMMAND is a command line or a JSON array; with the profile lambda-image, it is the handler.
    #[arg(long, value_name = "COMMAND", alias = "handler", allow_hyphen_values = true)]
    pub(crate) cmd: Option<CommandArguments>,
    /// Use this built-in profile or TOML file [default: service]
    ///
    /// The built-in profiles are service, distroless and lambda-image.
    #[arg(long, value_name = "NAME|FILE", help_heading = "Target")]
    pub(crate) profile: Option<String>,
}

/// Which packages of Debian the image contains above its base.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Operating system")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct SystemPackageOptions {
    /// Add a Debian package and what it depends on, as locked in apt.lock
    ///
    /// `pybundle apt lock` writes apt.lock. The base must be Debian or Ubuntu, with the database of its packages.
    #[arg(long, value_name = "NAME[=VERSION]", value_delimiter = ',', hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) apt: Vec<PackageRequest>,
    /// Add this package even if pybundle does not know what its maintainer scripts do
    ///
    /// The package is then unpacked, but not configured.
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) apt_allow_unconfigured: Vec<PackageName>,
    /// Use these package archives besides those of the base's distribution
    ///
    /// Each is a table with the fields of sources.list(5).
    #[arg(skip)]
    pub(crate) apt_source: Vec<AptSourceOptions>,
}

/// How a container of the image starts.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Container")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct ContainerOptions {
    /// Set an environment variable
    ///
    /// $NAME in VALUE is the image's variable NAME, as in a Dockerfile. Write \$ for a literal $.
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(with = "table")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(crate) env: Vec<NameValue>,
    /// Set the user: UID, UID:GID, or a name that exists in the image
    #[arg(long, value_name = "USER")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<texts::StringOrNumber>")]
    pub(crate) user: Option<UserSetting>,
    /// Add a user with a group and a home directory, if the base lacks it
    ///
    /// [default: UID 1000, and the GID equal to the UID]
    #[arg(long, value_name = "NAME[:UID[:GID]]", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) add_user: Vec<NewUser>,
    /// Set the working directory
    #[arg(long, value_name = "DIR")]
    pub(crate) workdir: Option<String>,
    /// Expose a port, such as 8000 or 53/udp
    #[arg(long, value_name = "PORT")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) expose: Vec<Port>,
    /// Create a volume at this path
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) volume: Vec<VolumePath>,
    /// Set the command that checks whether a container is healthy
    ///
    /// COMMAND is a command line for the shell of the image, or a JSON array of an executable and its arguments, also after
    /// `CMD` as in a Dockerfile; `none` removes the base's.
    #[arg(long, value_name = "COMMAND", hide_short_help = true)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) healthcheck: Option<HealthCommand>,
    /// Set the time between health checks, such as 30s
    #[arg(long, value_name = "TIME", requires = "healthcheck", hide_short_help = true)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) healthcheck_interval: Option<HealthTime>,
    /// Set the time after which a health check has failed
    #[arg(long, value_name = "TIME", requires = "healthcheck", hide_short_help = true)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) healthcheck_timeout: Option<HealthTime>,
    /// Set how long failures after the start do not count
    #[arg(long, value_name = "TIME", requires = "healthcheck", hide_short_help = true)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) healthcheck_start_period: Option<HealthTime>,
    /// Set how many failures in a row make a container unhealthy
    #[arg(long, value_name = "COUNT", requires = "healthcheck", hide_short_help = true)]
    pub(crate) healthcheck_retries: Option<u32>,
    /// Set the signal that stops a container, such as SIGTERM
    #[arg(long, value_name = "SIGNAL", hide_short_help = true)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<texts::StringOrNumber>")]
    pub(crate) stop_signal: Option<StopSignal>,
    /// Set the shell of commands that are not arrays
    #[arg(long, value_name = "COMMAND", hide_short_help = true)]
    pub(crate) shell: Option<CommandArguments>,
    /// Set a label
    #[arg(long, value_name = "NAME=VALUE", hide_short_help = true)]
    #[serde(with = "table")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(crate) label: Vec<NameValue>,
    /// Set an annotation of the manifests
    #[arg(long, value_name = "NAME=VALUE", hide_short_help = true)]
    #[serde(with = "table")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(crate) annotation: Vec<NameValue>,
}

/// How the image is written, and what goes with it.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Output")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct OutputOptions {
    /// Compress layers with this method [default: gzip]
    #[arg(long, value_enum, value_name = "METHOD", hide_short_help = true)]
    pub(crate) compression: Option<CompressionMethod>,
    /// Limit the number of layers on top of the base [default: 24]
    #[arg(long, value_name = "COUNT", hide_short_help = true, value_parser = positive_number)]
    pub(crate) max_layers: Option<NonZeroUsize>,
    /// Write the image even if it exceeds the size limit of its target
    #[arg(long, hide_short_help = true)]
    pub(crate) allow_oversize: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) documents: DocumentOptions,
}

impl ContainerOptions {
    /// Returns the health check. For flags, clap requires that there is one if something is said about it.
    fn health_check(&self) -> Result<Option<HealthCheck>, InvalidOption> {
        let times = [self.healthcheck_interval, self.healthcheck_timeout, self.healthcheck_start_period];
        match &self.healthcheck {
            None if times.iter().any(Option::is_some) || self.healthcheck_retries.is_some() => {
                Err(InvalidOption::NoHealthCheck)
            }
            None => Ok(None),
            Some(command) => Ok(Some(HealthCheck {
                command: command.clone(),
                interval: self.healthcheck_interval,
                timeout: self.healthcheck_timeout,
                start_period: self.healthcheck_start_period,
                retries: self.healthcheck_retries,
            })),
        }
    }
}

impl SystemPackageOptions {
    fn settings(
        self,
        python: Option<&ImagePython>,
        base: Option<&BaseChoice>,
    ) -> Result<AptSettings, InvalidAptSource> {
        let of_python = python.map(|python| python.packages(base)).unwrap_or_default();
        let requested: BTreeSet<PackageRequest> = self.apt.into_iter().chain(of_python).collect();
        let sources = self.apt_source.into_iter().map(AptSourceOptions::settings);
        Ok(AptSettings {
            requested: requested.into_iter().collect(),
            unconfigured: self.apt_allow_unconfigured.into_iter().collect(),
            sources: sources.collect::<Result<_, _>>()?,
        })
    }
}

impl TargetOptions for ImageOptions {
    const KIND: TargetKind = TargetKind::Image;
    type Settings = ImageSettings;

    fn rebase(&mut self, directory: &Path) -> Result<(), InvalidIndexUrl> {
        self.image.base = self.image.base.take().map(|base| base.in_directory(directory));
        for ImageOutput(file) in &mut self.image.output {
            rebase_output(&mut file.path, directory);
        }
        rebase_profile(&mut self.image.profile, directory);
        self.packages.apt_source.iter_mut().for_each(|source| source.rebase(directory));
        self.shared.rebase(directory);
        self.common.rebase(directory)
    }

    fn settings(
        self,
        extends: Option<Box<Settings>>,
        _layers: Vec<LambdaSettings>,
        invocation: &Invocation,
    ) -> Result<ImageSettings, InvalidOption> {
        let profile = self.profile();
        let Self { image, packages, container, common, output, shared, registry, deploy } = self;
        let health_check = container.health_check()?;
        let mut common = common.settings(profile, extends, invocation)?;
        let words = image.entrypoint.iter().chain(&image.cmd).flat_map(|CommandArguments(arguments)| arguments);
        common.started.extend(words.cloned());
        let created = common.environment.source_date_epoch.clone().transpose()?.unwrap_or_default();
        let platforms: BTreeSet<_> =
            image.platform.into_iter().map(|ImagePlatform(architecture)| architecture).collect();
        if image.push && image.tag.is_empty() {
            return Err(InvalidOption::PushWithoutTag(invocation.target.clone()));
        }
        Ok(ImageSettings {
            documents: output.documents.settings(&common.environment)?,
            registry: registry.settings(&common.environment),
            deploy: deploy.settings(),
            common,
            platforms: if platforms.is_empty() { [Architecture::X86_64].into() } else { platforms },
            python: image.python.as_ref().map(ImagePython::version),
            apt: packages.settings(image.python.as_ref(), image.base.as_ref())?,
            apt_flags: invocation.apt_flags.clone(),
            base: image.base.or_else(|| image.python.as_ref().and_then(ImagePython::default_base)),
            tags: image.tag,
            push: image.push,
            load: None,
            outputs: image.output.into_iter().map(|ImageOutput(file)| file).collect(),
            container: ContainerSettings {
                entrypoint: image.entrypoint.map(|CommandArguments(arguments)| arguments),
                command: image.cmd.map(|CommandArguments(arguments)| arguments),
                env: container.env.into_iter().map(Into::into).collect(),
                user: container.user,
                users: container.add_user,
                workdir: container.workdir,
                ports: container.expose.into_iter().collect(),
                health_check,
                volumes: container.volume.into_iter().collect(),
                stop_signal: container.stop_signal,
                shell: container.shell.map(|CommandArguments(arguments)| arguments),
            },
            labels: container.label.into_iter().map(Into::into).collect(),
            annotations: container.annotation.into_iter().map(Into::into).collect(),
            compression: output.compression.map_or(LayerCompression::Gzip, Into::into),
            layers: output.max_layers.unwrap_or(MOST_LAYERS),
            created,
            allow_oversize: output.allow_oversize,
            remote_cache: shared.settings(),
        })
    }

    fn common(&self) -> &CommonOptions {
        &self.common
    }

    fn starts_something(&self) -> bool {
        self.image.entrypoint.is_some() || self.image.cmd.is_some()
    }

    fn profile(&self) -> ProfileChoice {
        self.image.profile.as_deref().map_or(ProfileChoice::Default, profile)
    }
}
