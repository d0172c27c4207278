//! A function as files in directories of this machine, where `pybundle run` runs it.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Bound;
use std::path::PathBuf;

use super::assembled::{self, AssembledFunction};
use super::service;
use crate::archive::mirror::TreeMirror;
use crate::audit::handler::Handler;
use crate::lambda::PackageOutput;
use crate::lock::SelectedSource;
use crate::pipeline::session::repairing;
use crate::pipeline::{BuildError, ProjectCache};
use crate::platform::LambdaProfile;
use crate::report::{ArtifactKind, Reporter};
use crate::settings::LambdaSettings;
use crate::tree::{Distribution, FileContent, FileOrigin, FileTree, TreeEntry, TreePath};

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
    /// The files of the lock, and those that they include.
    pub(crate) locks: Vec<PathBuf>,
    function: BTreeMap<TreePath, UnpackedFile>,
    layers: BTreeMap<TreePath, UnpackedFile>,
}

/// A file of a function or its layers.
#[derive(Debug, Clone)]
pub(crate) struct UnpackedFile {
    pub(crate) origin: FileOrigin,
    /// In bytes.
    size: u64,
}

impl UnpackedFunction {
    /// Tells whether a path of the function belongs to the application or a local project.
    pub(crate) fn is_own(&self, path: &TreePath) -> bool {
        self.own.binary_search(path).is_ok()
    }

    /// Returns the file of a module, by its dotted name, or one of a package without a module of its own.
    pub(crate) fn file_of_module(&self, name: &str) -> Option<(&TreePath, &UnpackedFile)> {
        let name = name.replace('.', "/");
        let roots =
            [(&self.function, &self.profile.function.site_packages), (&self.layers, &self.profile.layer.site_packages)];
        roots.into_iter().find_map(|(files, directory)| {
            let path = if directory.is_empty() { name.clone() } else { format!("{directory}/{name}") };
            let below = files
                .range::<str, _>((Bound::Included(path.as_str()), Bound::Unbounded))
                .take_while(|(file, _)| file.as_str().starts_with(&path));
            // In the order of the interpreter.
            below
                .filter_map(|(file, found)| Some((kind(&file.as_str()[path.len()..])?, file, found)))
                .min_by_key(|(kind, ..)| *kind)
                .map(|(_, file, found)| (file, found))
        })
    }

    /// Returns the size of all files in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.function.values().chain(self.layers.values()).map(|file| file.size).sum()
    }

    /// Returns the distributions with the sizes of their files in bytes.
    pub(crate) fn distributions(&self) -> BTreeMap<&Distribution, u64> {
        let mut sizes = BTreeMap::new();
        for file in self.function.values().chain(self.layers.values()) {
            if let FileOrigin::Distribution(distribution) = &file.origin {
                *sizes.entry(&**distribution).or_default() += file.size;
            }
        }
        sizes
    }
}

/// Returns in which order the interpreter looks for a file of a module, by what follows the module's name in its path; `None`
/// if it is not one.
fn kind(rest: &str) -> Option<u8> {
    let is_extension = || rest.starts_with('.') && rest.ends_with(".so") && !rest.contains('/');
    match rest {
        "/__init__.py" | "/__init__.pyc" => Some(0),
        _ if is_extension() => Some(1),
        ".py" | ".pyc" => Some(2),
        _ if rest.starts_with('/') => Some(3),
        _ => None,
    }
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
        assembled::assemble(settings, projects, outputs, None, reporter, |assembled| {
            service::check_runs(&assembled.function.profile)?;
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
    let layer = package.layer.as_ref().or(layer_tree.as_ref());
    Ok(UnpackedFunction {
        name: plan.name(),
        handler: (*handler).clone(),
        profile: function.profile.clone(),
        sources: sources.collect(),
        own,
        changed,
        is_layer_changed,
        directories: iter::once(plan.project.workspace.root.clone()).chain(local).collect(),
        locks: plan.project.lock_reads.all(),
        function: files(tree),
        layers: layer.map(files).unwrap_or_default(),
    })
}

fn files(tree: &FileTree) -> BTreeMap<TreePath, UnpackedFile> {
    let file = |entry: &TreeEntry| UnpackedFile { origin: entry.origin.clone(), size: entry.content.size() };
    tree.iter().map(|(path, entry)| (path.clone(), file(entry))).collect()
}
