//! AWS Lambda deployment packages: what goes into the function's zip and what into a layer, and Lambda's limits.

pub(crate) mod limits;

use crate::report::ArtifactKind;
use crate::tree::{FileTree, InsertError, TreeEntry, TreePath};

/// Where Lambda unpacks a function's zip.
pub(crate) const TASK_ROOT: &str = "/var/task";

/// Where Lambda unpacks the zips of layers.
pub(crate) const LAYER_ROOT: &str = "/opt";

/// Where the dynamic linker looks for shared libraries first: `LD_LIBRARY_PATH` in every managed runtime
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

/// The files of a function, and of its layer if the dependencies are apart.
#[derive(Debug, Default)]
pub(crate) struct DeploymentPackage {
    /// The function's files.
    pub(crate) function: FileTree,
    /// The layer's files; none when everything is in the function's zip.
    pub(crate) layer: Option<FileTree>,
}

impl DeploymentPackage {
    /// Makes an empty package, with or without a layer.
    pub(crate) fn new(with_layer: bool) -> Self {
        Self { function: FileTree::new(), layer: with_layer.then(FileTree::new) }
    }

    /// Returns where the dependencies go.
    pub(crate) fn dependencies(&self) -> ArtifactKind {
        if self.layer.is_some() { ArtifactKind::Layer } else { ArtifactKind::Function }
    }

    /// Adds files to an artifact. Without a layer, everything is the function's.
    ///
    /// # Errors
    /// A path is taken by something else.
    pub(crate) fn extend(
        &mut self,
        kind: ArtifactKind,
        files: impl IntoIterator<Item = (TreePath, TreeEntry)>,
    ) -> Result<(), InsertError> {
        let tree = match (kind, &mut self.layer) {
            (ArtifactKind::Layer, Some(layer)) => layer,
            _ => &mut self.function,
        };
        files.into_iter().try_for_each(|(path, entry)| tree.insert(path, entry))
    }

    /// Returns the function's tree, then the layer's.
    pub(crate) fn trees(&self) -> impl Iterator<Item = (ArtifactKind, &FileTree)> {
        let function = std::iter::once((ArtifactKind::Function, &self.function));
        function.chain(self.layer.iter().map(|layer| (ArtifactKind::Layer, layer)))
    }
}
