//! Where targets are deployed.

use crate::deploy::{AliasName, FunctionName};

/// The function that a target is deployed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeploySettings {
    pub(crate) function: Option<FunctionName>,
    pub(crate) alias: Option<AliasName>,
    pub(crate) region: Option<String>,
    pub(crate) s3_bucket: Option<String>,
}
