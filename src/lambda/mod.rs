//! AWS Lambda deployment packages: the files of the function's zip and of a layer, and Lambda's limits.

pub(crate) mod configuration;
pub(crate) mod limits;
mod output;

pub(crate) use output::PackageOutput;

use crate::report::ArtifactKind;
use crate::tree::{FileTree, InsertError, TreeEntry, TreePath};

/// The directory that Lambda extracts a function's zip to.
pub(crate) const TASK_ROOT: &str = "/var/task";

/// The directory that Lambda extracts layers to.
pub(crate) const LAYER_ROOT: &str = "/opt";

/// The `LD_LIBRARY_PATH` of every managed runtime
/// ([AWS, defined runtime environment variables](https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime)).
pub(crate) const LIBRARY_PATH: [&str; 8] = [
    "/var/lang/lib",
    "/lib64",
    "/usr/lib64",
    "/var/runtime",
    "/var/runtime/lib",
    "/var/task",
    "/var/task/lib",
    "/opt/lib",
];

/// The most layers that a function can have.
pub(crate) const MOST_LAYERS: usize = 5;

/// The files of a function, and of its layer if there is one, or of a layer alone.
#[derive(Debug, Default)]
pub(crate) struct DeploymentPackage {
    pub(crate) function: Option<FileTree>,
    pub(crate) layer: Option<FileTree>,
}

impl DeploymentPackage {
    pub(crate) fn new(with_layer: bool) -> Self {
        Self { function: Some(FileTree::new()), layer: with_layer.then(FileTree::new) }
    }

    /// Creates the package of a layer alone.
    pub(crate) fn of_layer() -> Self {
        Self { function: None, layer: Some(FileTree::new()) }
    }

    /// Returns the artifact that contains the dependencies.
    pub(crate) fn dependencies(&self) -> ArtifactKind {
        if self.layer.is_some() { ArtifactKind::Layer } else { ArtifactKind::Function }
    }

    /// Adds files to an artifact. Without a layer, they are added to the function, and without a function to the layer.
    ///
    /// # Errors
    /// A file collides with another.
    pub(crate) fn extend(
        &mut self,
        kind: ArtifactKind,
        files: impl IntoIterator<Item = (TreePath, TreeEntry)>,
    ) -> Result<(), InsertError> {
        let Self { function, layer } = self;
        let tree = match (kind, function, layer) {
            (ArtifactKind::Layer, _, Some(layer)) | (_, None, Some(layer)) => layer,
            (_, function, _) => function.get_or_insert_default(),
        };
        files.into_iter().try_for_each(|(path, entry)| tree.insert(path, entry))
    }

    /// Returns the function's tree, then the layer's.
    pub(crate) fn trees(&self) -> impl Iterator<Item = (ArtifactKind, &FileTree)> {
        let function = self.function.iter().map(|function| (ArtifactKind::Function, function));
        function.chain(self.layer.iter().map(|layer| (ArtifactKind::Layer, layer)))
    }
}
