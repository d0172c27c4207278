//! Where targets are deployed.

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts;
use crate::deploy::{AliasName, FunctionName};
use crate::settings::DeploySettings;

/// The Lambda function that a target is deployed to.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct DeployOptions {
    /// Deploy to this Lambda function: NAME or ARN
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) function: Option<FunctionName>,
    /// Publish a version, and point this alias to it [default: update $LATEST only]
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) alias: Option<AliasName>,
    /// Deploy to this AWS region [default: the ARN's, AWS_REGION or the AWS profile's]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Send zips through this S3 bucket [default: none, for zips up to 50 MiB]
    ///
    /// The bucket must be in the function's region. A zip that the bucket contains is not sent again. If it contains the zip
    /// that is deployed now, only what differs from that at the end is sent.
    #[arg(long, value_name = "BUCKET")]
    pub(crate) s3_bucket: Option<String>,
}

impl DeployOptions {
    pub(super) fn settings(self) -> DeploySettings {
        let Self { function, alias, region, s3_bucket } = self;
        DeploySettings { function, alias, layer_name: None, region, s3_bucket }
    }
}
