//! The files of packages as trees of layers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::archive::layer::LayerTree;
use crate::digest::Sha256;
use crate::pipeline::apt::SystemLayerError;
use crate::pipeline::apt::closure_files::{ClosureFiles, PlacedContent};
use crate::pipeline::apt::layers::FetchedPackage;
use crate::pipeline::apt::system_state::SystemState;
use crate::tree::{FileAccess, FileContent, FileOrigin, FileTree, SystemPackage, TreeEntry, TreePath};

/// The version of the layers, a part of their keys: raised when the same packages give other layers.
const FORMAT: u32 = 1;

/// Returns the files of some packages.
pub(super) fn tree_of(
    group: &BTreeSet<usize>,
    packages: &[FetchedPackage],
    state: &SystemState,
) -> Result<LayerTree, SystemLayerError> {
    let SystemState { files, packed, .. } = state;
    let origins: Vec<FileOrigin> = packages.iter().map(origin).collect();
    let mut tree = LayerTree::default();
    let mut hard_links: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, entry) in files.entries.iter().filter(|(_, entry)| group.contains(&entry.package)) {
        match &entry.content {
            PlacedContent::Link(target) => {
                tree.links.insert(TreePath::of_system(path)?, (*target).to_owned());
            }
            PlacedContent::HardLink(target) => hard_links.entry(target).or_default().push(path),
            PlacedContent::File(file) => {
                let archive = Arc::clone(&packed[entry.package].pack);
                let content = FileContent::Archived { archive, extent: file.extent.clone() };
                let origin = origins[entry.package].clone();
                if let Some(value) = state.capabilities.get(path) {
                    tree.capabilities.insert(TreePath::of_system(path)?, value.clone());
                }
                insert(&mut tree.files, path, TreeEntry { access: entry.access, content, origin })?;
            }
        }
    }
    link_names(&mut tree, hard_links)?;
    let own = files.directories.iter().filter(|(_, package)| group.contains(package)).map(|(path, _)| path.as_str());
    let own: Vec<&str> = own.collect();
    keep_directories(&mut tree, own, files)?;
    Ok(tree)
}

/// Gives a file with several names its content at the first one: in a layer, a hard link follows its target.
fn link_names(tree: &mut LayerTree, hard_links: BTreeMap<&str, Vec<&str>>) -> Result<(), SystemLayerError> {
    for (target, mut names) in hard_links {
        names.push(target);
        names.sort_unstable();
        let Some(entry) = tree.files.get(target).cloned() else { continue };
        let first = TreePath::of_system(names[0])?;
        if names[0] != target {
            tree.files.remove(target);
            insert(&mut tree.files, names[0], entry)?;
        }
        for name in &names[1..] {
            tree.hard_links.insert(TreePath::of_system(name)?, first.clone());
        }
    }
    Ok(())
}

/// Adds directories with their access: those that are given, and those above any entry that a layer would give the default
/// access otherwise.
pub(super) fn keep_directories(
    tree: &mut LayerTree,
    own: impl IntoIterator<Item = impl AsRef<str>>,
    files: &ClosureFiles,
) -> Result<(), SystemLayerError> {
    let mut directories: BTreeSet<String> = own.into_iter().map(|path| path.as_ref().to_owned()).collect();
    let paths = tree.files.iter().map(|(path, _)| path).chain(tree.links.keys()).chain(tree.hard_links.keys());
    let above = paths.chain(&tree.whiteouts).flat_map(TreePath::parents);
    let special = above.filter(|parent| files.paths.directory_access(parent) != FileAccess::DIRECTORY);
    directories.extend(special.map(str::to_owned));
    let parents: Vec<String> = directories.iter().flat_map(|path| parents(path)).collect();
    directories
        .extend(parents.into_iter().filter(|parent| files.paths.directory_access(parent) != FileAccess::DIRECTORY));
    for path in directories {
        let access = files.paths.directory_access(&path);
        let inserted = tree.files.insert_directory(TreePath::of_system(&path)?, access, FileOrigin::Application);
        inserted.map_err(|source| SystemLayerError::Tree { package: "packages".to_owned(), source })?;
    }
    Ok(())
}

fn parents(path: &str) -> Vec<String> {
    path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect()
}

pub(super) fn insert(files: &mut FileTree, path: &str, entry: TreeEntry) -> Result<(), SystemLayerError> {
    let package = entry.origin.to_string();
    let inserted = files.insert(TreePath::of_system(path)?, entry);
    inserted.map_err(|source| SystemLayerError::Tree { package, source })
}

fn origin(package: &FetchedPackage) -> FileOrigin {
    FileOrigin::System(Arc::new(SystemPackage { name: package.name.clone(), version: package.version.clone() }))
}

/// Returns the digest of everything that decides the bytes of a layer: equal closures give equal layers in any project.
pub(crate) fn key(tree: &LayerTree) -> Sha256 {
    let mut text = format!("system layer {FORMAT}\n");
    for (path, entry) in tree.files.iter() {
        let stored = match &entry.content {
            FileContent::Archived { extent, .. } => format!("{} {}", extent.sha256.hex(), extent.checksum),
            FileContent::Bytes(bytes) => Sha256::of(bytes).hex(),
            FileContent::File { .. } | FileContent::Deferred(_) => String::new(),
        };
        text.push_str(&format!("file {path} {} {stored}\n", entry.access));
    }
    text.extend(tree.files.directories().map(|(path, access)| format!("directory {path} {access}\n")));
    text.extend(tree.links.iter().map(|(path, target)| format!("link {path} {}\n", target.escape_debug())));
    text.extend(tree.hard_links.iter().map(|(path, target)| format!("hard link {path} {target}\n")));
    text.extend(tree.capabilities.iter().map(|(path, value)| format!("capability {path} {}\n", hex::encode(value))));
    text.extend(tree.whiteouts.iter().map(|path| format!("whiteout {path}\n")));
    Sha256::of(text.as_bytes())
}
