//! A function as files in directories of this machine, where `pybundle run` runs it.

use std::collections::BTreeMap;
use std::iter;
use std::path::PathBuf;

use super::assembled::{self, AssembledFunction};
use crate::archive::mirror::TreeMirror;
use crate::audit::handler::Handler;
use crate::lambda::PackageOutput;
use crate::lock::SelectedSource;
use crate::pipeline::session::repairing;
use crate::pipeline::{BuildError, ProjectCache};
use crate::platform::LambdaProfile;
use crate::report::{ArtifactKind, Reporter};
use crate::settings::LambdaSettings;
use crate::tree::{FileContent, FileTree, TreePath};

/// Where the files of a function and of its layer are.
#[derive(Debug)]
pub(crate) struct FunctionDirectories {
    pub(crate) function: TreeMirror,
    pub(crate) layer: TreeMirror,
}

/// A function whose files are unpacked.
#[derive(Debug)]
pub(crate) struct UnpackedFunction {
    /// The name of the project.
    pub(crate) name: String,
    pub(crate) handler: Option<Handler>,
    pub(crate) profile: LambdaProfile,
    /// The files of the project that are files of the function as they are.
    pub(crate) sources: BTreeMap<TreePath, PathBuf>,
    /// The paths of the function that belong to the application and to local projects, ordered.
    pub(crate) own: Vec<TreePath>,
    /// The paths of the function whose files were written or removed.
    pub(crate) changed: Vec<TreePath>,
    /// Whether files of layers were.
    pub(crate) is_layer_changed: bool,
    /// The directories whose files decide what the function is.
    pub(crate) directories: Vec<PathBuf>,
}

/// Assembles a function, and makes directories contain its files. `with_bytecode` says whether bytecode of the application is
/// among them.
///
/// # Errors
/// Any stage fails, or a file cannot be written.
pub(crate) fn unpack(
    settings: &LambdaSettings,
    projects: &ProjectCache,
    with_bytecode: bool,
    directories: &mut FunctionDirectories,
    reporter: &dyn Reporter,
) -> Result<UnpackedFunction, BuildError> {
    // Nothing replaces the artifact, but what an earlier build has written is not part of the application.
    let outputs = |settings: &LambdaSettings, plan: &super::Plan| {
        let default = || PackageOutput::Zip(settings.common.default_output(|| plan.name(), "zip"));
        let function = settings.output.clone().unwrap_or_else(default);
        let layer = settings.layer.iter().map(|layer| (ArtifactKind::Layer, layer.clone()));
        Ok(iter::once((ArtifactKind::Function, function)).chain(layer).collect())
    };
    let directories = std::cell::RefCell::new(directories);
    repairing(&settings.common.cache, iter::empty(), reporter, || {
        assembled::assemble(settings, projects, outputs, reporter, |assembled| {
            write(assembled, with_bytecode, &mut directories.borrow_mut())
        })
    })
}

fn write(
    assembled: &AssembledFunction,
    with_bytecode: bool,
    directories: &mut FunctionDirectories,
) -> Result<UnpackedFunction, BuildError> {
    let AssembledFunction { plan, function, package, handler, layer_tree, .. } = assembled;
    let no_function = FileTree::new();
    let tree = package.function.as_ref().unwrap_or(&no_function);
    let projects = plan.project_names();
    let own = tree.iter().filter(|(_, entry)| entry.origin.is_own(&projects));
    let own: Vec<TreePath> = own.map(|(path, _)| path.clone()).collect();
    let is_omitted =
        |path: &TreePath| !with_bytecode && path.as_str().ends_with(".pyc") && own.binary_search(path).is_ok();
    let changed = directories.function.follow(tree, |path| !is_omitted(path))?;
    let is_layer_changed = match package.layer.as_ref().or(layer_tree.as_ref()) {
        Some(layer) => !directories.layer.follow(layer, |_| true)?.is_empty(),
        None => false,
    };
    let sources = tree.iter().filter_map(|(path, entry)| match &entry.content {
        FileContent::File { path: source, .. } => Some((path.clone(), source.clone())),
        _ => None,
    });
    let local = plan.selected.iter().chain(&plan.in_layers).filter_map(|selected| match &selected.source {
        SelectedSource::Directory(directory) => Some(directory.clone()),
        _ => None,
    });
    Ok(UnpackedFunction {
        name: plan.name(),
        handler: (*handler).clone(),
        profile: function.profile.clone(),
        sources: sources.collect(),
        own,
        changed,
        is_layer_changed,
        directories: iter::once(plan.project.workspace.root.clone()).chain(local).collect(),
    })
}
