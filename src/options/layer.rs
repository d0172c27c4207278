//! The options of targets of kind `layer`.

use std::path::Path;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lambda::PackageOptions;
use super::texts::{self, OneOrMany};
use super::{CommonOptions, InvalidOption, Invocation, RemoteCacheOptions, TargetKind, TargetOptions, ZipOptions};
use crate::deploy::LayerName;
use crate::index::InvalidIndexUrl;
use crate::name::DistributionName;
use crate::settings::{DeploySettings, LambdaSettings, ProfileChoice, RunSettings, Settings};

/// The options of a layer.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct LayerOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) zip: ZipOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) common: CommonOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) package: PackageOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) shared: RemoteCacheOptions,
    /// Include only these distributions and what they require [default: all dependencies]
    ///
    /// They can be members of the workspace, and the project itself.
    #[arg(skip)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) distributions: Vec<DistributionName>,
    #[arg(skip)]
    #[serde(flatten)]
    pub(crate) publish: PublishOptions,
}

/// Where a layer is published.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct PublishOptions {
    /// Publish versions of this Lambda layer
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) layer_name: Option<LayerName>,
    /// Publish to this AWS region [default: AWS_REGION or the AWS profile's]
    pub(crate) region: Option<String>,
    /// Send the zip through this S3 bucket [default: none, for zips up to 50 MiB]
    pub(crate) s3_bucket: Option<String>,
}

impl TargetOptions for LayerOptions {
    const KIND: TargetKind = TargetKind::Layer;
    type Settings = LambdaSettings;

    fn rebase(&mut self, directory: &Path) -> Result<(), InvalidIndexUrl> {
        self.zip.rebase(directory);
        self.shared.rebase(directory);
        self.common.rebase(directory)
    }

    fn settings(
        self,
        extends: Option<Box<Settings>>,
        _layers: Vec<LambdaSettings>,
        invocation: &Invocation,
    ) -> Result<LambdaSettings, InvalidOption> {
        let profile = self.profile();
        let Self { zip, common, package, shared, distributions, publish } = self;
        let PublishOptions { layer_name, region, s3_bucket } = publish;
        let mut common = common.settings(profile, extends, invocation)?;
        common.has_application = false;
        // The project is what the functions contain, unless it is named.
        common.request.no_install_project |= distributions.is_empty();
        common.request.distributions = distributions.into_iter().collect();
        Ok(LambdaSettings {
            documents: package.documents.settings(&common.environment)?,
            remote_cache: shared.settings(),
            common,
            architecture: zip.architecture(),
            output: zip.output,
            layer: None,
            is_layer: true,
            layers: Vec::new(),
            named_layers: Vec::new(),
            handler: None,
            exclude_runtime: package.exclude_runtime,
            allow_oversize: package.allow_oversize,
            deploy: DeploySettings { layer_name, region, s3_bucket, ..DeploySettings::default() },
            run: RunSettings::default(),
        })
    }

    fn common(&self) -> &CommonOptions {
        &self.common
    }

    fn starts_something(&self) -> bool {
        false
    }

    fn profile(&self) -> ProfileChoice {
        self.zip.profile()
    }
}
