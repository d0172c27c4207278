//! Where targets are deployed.

use crate::deploy::{AliasName, FunctionName, LayerName};

/// The function that a target is deployed to, or the layer.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeploySettings {
    pub(crate) function: Option<FunctionName>,
    pub(crate) alias: Option<AliasName>,
    pub(crate) layer_name: Option<LayerName>,
    pub(crate) region: Option<String>,
    pub(crate) s3_bucket: Option<String>,
}
