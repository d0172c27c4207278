//! The options of `pybundle lambda`, and of targets of kind `lambda`.

use std::path::Path;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts::{self, OneOrMany};
use super::values::profile;
use super::{
    CommonOptions, DeployOptions, DocumentOptions, InvalidOption, Invocation, LayerOptions, RemoteCacheOptions,
    RunOptions, TargetKind, TargetOptions,
};
use crate::audit::handler::Handler;
use crate::deploy::NamedLayer;
use crate::index::InvalidIndexUrl;
use crate::lambda::PackageOutput;
use crate::platform::{Architecture, InvalidArchitecture, PythonVersion};
use crate::settings::{LambdaSettings, ProfileChoice, Settings};

/// The options of `pybundle lambda`.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct LambdaOptions {
    // First, and without a heading: what most people need is at the top of the help.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) function: FunctionOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) package: PackageOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) shared: RemoteCacheOptions,
    /// Flags of `pybundle deploy` alone.
    #[arg(skip)]
    #[serde(flatten)]
    pub(crate) deploy: DeployOptions,
    /// Flags of `pybundle run` alone.
    #[arg(skip)]
    #[serde(flatten)]
    pub(crate) run: RunOptions,
}

/// What the function runs, where it goes and what it is built for.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct FunctionOptions {
    /// Check that the artifact contains this handler: MODULE.FUNCTION
    #[arg(long, value_name = "HANDLER")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) handler: Option<Handler>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) zip: ZipOptions,
    /// Write the dependencies to this file or dir:PATH, as a Lambda layer
    #[arg(long, value_name = "FILE|dir:PATH", value_hint = ValueHint::FilePath, value_parser = OsStringValueParser::new().try_map(PackageOutput::parse))]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) layer: Option<PackageOutput>,
    /// Use these layers: targets of kind `layer`, or ARNs of existing versions
    ///
    /// The zip does not contain what the targets contain. The content of a version that is named by its ARN is unknown: a
    /// missing module or library is then a warning instead of an error.
    #[arg(skip)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) layers: Vec<NamedLayer>,
}

/// Where a zip goes and what it is built for.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct ZipOptions {
    /// Write the zip to this file, or its files to dir:PATH [default: dist/NAME.zip]
    ///
    /// `-` is standard output; the summary is then printed on standard error. dir:PATH is for tools that make the zip
    /// themselves: files and modes are those of the zip, and all times are 1980-01-01. Only an earlier output is replaced.
    #[arg(short, long, value_name = "FILE|dir:PATH", value_hint = ValueHint::FilePath, value_parser = OsStringValueParser::new().try_map(PackageOutput::parse))]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) output: Option<PackageOutput>,
    /// Build for this Lambda runtime, such as 3.13 [default: the project's]
    ///
    /// Without this option, .python-version decides, or else Pipfile, runtime.txt, .tool-versions or mise.toml, or else it is
    /// the newest runtime that requires-python allows and that every locked distribution has a wheel for.
    #[arg(long, alias = "python", value_name = "NAME")]
    pub(crate) runtime: Option<String>,
    /// Build for this architecture: x86_64 or arm64 [default: x86_64]
    #[arg(long, alias = "platform", value_name = "ARCH", value_parser = architecture)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) arch: Option<Architecture>,
    /// Build for this profile: a built-in one, or a TOML file
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "runtime", help_heading = "Target", hide_short_help = true)]
    pub(crate) profile: Option<String>,
}

/// Parses an architecture, also as an image's platform: `linux/arm64`.
fn architecture(text: &str) -> Result<Architecture, InvalidArchitecture> {
    text.strip_prefix("linux/").unwrap_or(text).parse()
}

/// What the zip contains, and what goes with it.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Output")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct PackageOptions {
    /// Exclude the AWS SDK, which the runtime provides
    #[arg(long, help_heading = "Contents")]
    pub(crate) exclude_runtime: bool,
    /// Write the zip even if it exceeds Lambda's size limit
    #[arg(long, hide_short_help = true)]
    pub(crate) allow_oversize: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) documents: DocumentOptions,
}

impl LambdaOptions {
    /// Returns whether an option says what function is meant, so that the targets of the project are not.
    pub(crate) fn describes_function(&self) -> bool {
        self.function != FunctionOptions::default() || self.package != PackageOptions::default()
    }

    /// Returns the same options for a layer.
    ///
    /// # Errors
    /// One of them is only for functions.
    pub(crate) fn of_layer(&self, name: &str) -> Result<LayerOptions, InvalidOption> {
        let Self { function, common, package, shared, deploy: _, run: _ } = self.clone();
        let FunctionOptions { handler, zip, layer, layers: _ } = function;
        match (handler, layer) {
            (Some(_), _) => Err(InvalidOption::OfFunction { flag: "--handler", layer: name.to_owned() }),
            (None, Some(_)) => Err(InvalidOption::OfFunction { flag: "--layer", layer: name.to_owned() }),
            (None, None) => Ok(LayerOptions { zip, common, package, shared, ..LayerOptions::default() }),
        }
    }
}

impl TargetOptions for LambdaOptions {
    const KIND: TargetKind = TargetKind::Lambda;
    type Settings = LambdaSettings;

    fn rebase(&mut self, directory: &Path) -> Result<(), InvalidIndexUrl> {
        let Self { function, common, shared, .. } = self;
        function.layer.iter_mut().for_each(|output| super::rebase_output(output.path_mut(), directory));
        function.zip.rebase(directory);
        shared.rebase(directory);
        common.rebase(directory)
    }

    fn settings(
        self,
        extends: Option<Box<Settings>>,
        layers: Vec<LambdaSettings>,
        invocation: &Invocation,
    ) -> Result<LambdaSettings, InvalidOption> {
        let profile = self.profile();
        let Self { function, common, package, shared, deploy, run } = self;
        let mut common = common.settings(profile, extends, invocation)?;
        common.started.extend(function.handler.iter().map(ToString::to_string));
        Ok(LambdaSettings {
            documents: package.documents.settings(&common.environment)?,
            remote_cache: shared.settings(),
            common,
            architecture: function.zip.architecture(),
            output: function.zip.output,
            layer: function.layer,
            is_layer: false,
            layers,
            named_layers: function.layers,
            handler: function.handler,
            exclude_runtime: package.exclude_runtime,
            allow_oversize: package.allow_oversize,
            deploy: deploy.settings(),
            run: run.settings(),
        })
    }

    fn common(&self) -> &CommonOptions {
        &self.common
    }

    fn starts_something(&self) -> bool {
        self.function.handler.is_some()
    }

    fn profile(&self) -> ProfileChoice {
        self.function.zip.profile()
    }
}

impl ZipOptions {
    pub(super) fn rebase(&mut self, directory: &Path) {
        self.output.iter_mut().for_each(|output| super::rebase_output(output.path_mut(), directory));
        super::rebase_profile(&mut self.profile, directory);
    }

    pub(super) fn architecture(&self) -> Architecture {
        self.arch.unwrap_or(Architecture::X86_64)
    }

    pub(super) fn profile(&self) -> ProfileChoice {
        match (&self.runtime, &self.profile) {
            // `3.13` is a version, and python3.13 the runtime.
            (Some(name), _) if name.parse::<PythonVersion>().is_ok() => ProfileChoice::BuiltIn(format!("python{name}")),
            (Some(name), _) => ProfileChoice::BuiltIn(name.clone()),
            (None, Some(text)) => profile(text),
            (None, None) => ProfileChoice::Default,
        }
    }
}
