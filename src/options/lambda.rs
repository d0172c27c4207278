//! The options of `pybundle lambda`, and of targets of that kind.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::profile;
use super::{CommonOptions, DocumentOptions, InvalidOption, Invocation, TargetKind, TargetOptions, texts};
use crate::audit::handler::Handler;
use crate::index::InvalidLocation;
use crate::platform::Architecture;
use crate::settings::{LambdaSettings, ProfileChoice, Settings};

/// What a function's deployment package is made of.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub struct LambdaOptions {
    /// What every kind of artifact has.
    #[command(flatten)]
    #[serde(flatten)]
    pub common: CommonOptions,
    /// What becomes of its files.
    #[command(flatten)]
    #[serde(flatten)]
    pub package: PackageOptions,
}

/// The target.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Target")]
#[serde(default, rename_all = "kebab-case")]
pub struct RuntimeOptions {
    /// The Lambda runtime, for instance python3.13 [default: by .python-version, or the newest that
    /// requires-python allows]
    #[arg(long, value_name = "NAME")]
    pub runtime: Option<String>,
    /// The architecture: x86_64 or arm64 [default: x86_64]
    #[arg(long, value_name = "ARCH")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub arch: Option<Architecture>,
    /// A built-in profile, or a TOML file of the same form
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "runtime")]
    pub profile: Option<String>,
}

/// What becomes of the function's files.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Output")]
#[serde(default, rename_all = "kebab-case")]
pub struct PackageOptions {
    /// The function's zip [default: dist/NAME.zip]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Put the dependencies apart, into the zip of a Lambda layer
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub layer: Option<PathBuf>,
    /// The handler, which must be in the artifact: MODULE.FUNCTION
    #[arg(long, value_name = "HANDLER")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub handler: Option<Handler>,
    /// Leave out the AWS SDK that the runtime brings, all of it
    #[arg(long)]
    pub exclude_runtime: bool,
    /// Write the artifact even if it is larger than Lambda unpacks
    #[arg(long)]
    pub allow_oversize: bool,
    /// Which documents go with it.
    #[command(flatten)]
    #[serde(flatten)]
    pub documents: DocumentOptions,
    // Last: what follows a flattened group goes under its heading.
    /// What it is for.
    #[command(flatten)]
    #[serde(flatten)]
    pub target: RuntimeOptions,
}

impl TargetOptions for LambdaOptions {
    const KIND: TargetKind = TargetKind::Lambda;
    type Settings = LambdaSettings;

    fn rebase(&mut self, folder: &Path) -> Result<(), InvalidLocation> {
        let Self { common, package } = self;
        for path in package.output.iter_mut().chain(&mut package.layer) {
            *path = folder.join(&path);
        }
        super::rebase_profile(&mut package.target.profile, folder);
        common.rebase(folder)
    }

    fn settings(
        self,
        extends: Option<Box<Settings>>,
        invocation: &Invocation,
    ) -> Result<LambdaSettings, InvalidOption> {
        let profile = self.profile();
        let Self { common, package } = self;
        let common = common.settings(profile, extends, invocation)?;
        Ok(LambdaSettings {
            documents: package.documents.settings(&common.environment)?,
            common,
            architecture: package.target.arch.unwrap_or(Architecture::X86_64),
            output: package.output,
            layer: package.layer,
            handler: package.handler,
            exclude_runtime: package.exclude_runtime,
            allow_oversize: package.allow_oversize,
        })
    }

    fn common(&self) -> &CommonOptions {
        &self.common
    }

    fn profile(&self) -> ProfileChoice {
        let target = &self.package.target;
        match (&target.runtime, &target.profile) {
            (Some(name), _) => ProfileChoice::BuiltIn(name.clone()),
            (None, Some(text)) => profile(text),
            (None, None) => ProfileChoice::Default,
        }
    }
}
