//! The settings of functions and layers.

use std::path::Path;

use super::{DeploySettings, DocumentSettings, RemoteCacheChoice, RunSettings, Settings};
use crate::audit::handler::Handler;
use crate::deploy::{LayerVersionArn, NamedLayer};
use crate::lambda::PackageOutput;
use crate::platform::Architecture;

/// The settings of `pybundle lambda`.
#[derive(Debug, Clone)]
pub(crate) struct LambdaSettings {
    pub(crate) common: Settings,
    pub(crate) architecture: Architecture,
    /// The function or the layer [default: `dist/NAME.zip` in the project].
    pub(crate) output: Option<PackageOutput>,
    /// A layer for the dependencies, if they are not in the function's output.
    pub(crate) layer: Option<PackageOutput>,
    /// Whether a layer is built, and no function.
    pub(crate) is_layer: bool,
    /// The layers that the function runs with, which are targets of their own.
    pub(crate) layers: Vec<Self>,
    /// The same and those that exist, in the order of the function.
    pub(crate) named_layers: Vec<NamedLayer>,
    /// The handler, which the artifact must contain.
    pub(crate) handler: Option<Handler>,
    /// Excludes the distributions that the runtime provides.
    pub(crate) exclude_runtime: bool,
    /// Writes an artifact that exceeds Lambda's limit.
    pub(crate) allow_oversize: bool,
    pub(crate) remote_cache: RemoteCacheChoice,
    pub(crate) documents: DocumentSettings,
    pub(crate) deploy: DeploySettings,
    pub(crate) run: RunSettings,
}

impl LambdaSettings {
    /// Returns a text that differs for settings with different results; see [`Settings::identity`].
    pub(crate) fn identity(&self) -> String {
        let Self {
            common,
            architecture,
            output,
            layer,
            is_layer,
            layers,
            named_layers,
            handler,
            exclude_runtime,
            allow_oversize,
            remote_cache,
            documents,
            deploy: _,
            run: _,
        } = self;
        let written = (output, layer, remote_cache, documents, allow_oversize);
        let function = (architecture, is_layer, named_layers, handler, exclude_runtime);
        let layers: Vec<String> = layers.iter().map(Self::identity).collect();
        format!("lambda {} {written:?} {function:?} {layers:?}", common.identity())
    }

    /// Returns whether the function or its layer is written to a directory.
    pub(crate) fn writes_directory(&self) -> bool {
        self.output.iter().chain(&self.layer).any(|output| output.zip().is_none())
    }

    /// Returns the layers of the function whose content is not known.
    pub(crate) fn unknown_layers(&self) -> impl Iterator<Item = &LayerVersionArn> {
        self.named_layers.iter().filter_map(|layer| match layer {
            NamedLayer::Target(_) => None,
            NamedLayer::Version(version) => Some(version),
        })
    }

    /// Returns the zips that the user names.
    pub(crate) fn zips(&self) -> impl Iterator<Item = &Path> {
        self.output.iter().chain(&self.layer).filter_map(PackageOutput::zip)
    }

    /// Returns the name of the target, by which functions name a layer.
    pub(crate) fn name(&self) -> &str {
        self.common.target.as_deref().unwrap_or_default()
    }
}
