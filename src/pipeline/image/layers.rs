//! The layers above a base: what each contains, and its digests.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rayon::prelude::*;

use crate::archive::layer::LayerTree;
use crate::digest::Sha256;
use crate::image::BasePython;
use crate::image::manifest::STANDARD_LIBRARY;
use crate::image::partition::{self, SizedDistribution};
use crate::pipeline::BuildError;
use crate::pipeline::apt;
use crate::pipeline::install::{InstalledDistribution, InstalledFiles};
use crate::platform::{ImageTarget, Scheme};
use crate::tree::{FileAccess, FileContent, FileOrigin, FileTree, TreeEntry, TreePath};

/// The version of the layer writer, a part of the cache key: raised when its output changes.
pub(super) const FORMAT: u32 = 1;

/// The application's files, with their paths in the image.
#[derive(Debug, Clone, Default)]
pub(super) struct ApplicationFiles {
    pub files: InstalledFiles,
    /// Directories with a stated owner or mode.
    pub directories: Vec<(TreePath, FileAccess)>,
}

impl ApplicationFiles {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty()
    }
}

/// A layer before its bytes or digests are computed.
pub(super) struct LayerPlan {
    /// What the layer contains, for reports and history entries.
    pub holds: String,
    /// The digests of the wheels whose files it has; empty if it may have other files.
    pub wheels: Vec<Sha256>,
    pub tree: LayerTree,
    /// The digest of everything that decides the layer's bytes; `None` if that is not known without reading files.
    pub(super) key: Option<Sha256>,
}

/// Returns the layer of the virtual environment itself: `pyvenv.cfg` and links to the base's interpreter.
///
/// Specification: [PEP 405](https://peps.python.org/pep-0405/#specification).
///
/// # Errors
/// A path is not valid.
pub(super) fn environment(venv: &str, python: &BasePython) -> Result<LayerPlan, BuildError> {
    let home = python.home();
    let minor = || format!("{}.{}", python.version.major, python.version.minor);
    let version = python.full_version.clone().unwrap_or_else(minor);
    let text = format!(
        "home = {home}\nimplementation = CPython\nversion_info = {version}\ninclude-system-site-packages = false\n"
    );
    let mut tree = LayerTree::default();
    let content = FileContent::Bytes(text.into_bytes().into());
    let entry = TreeEntry { access: FileAccess::FILE, content, origin: FileOrigin::Application };
    tree.files.insert(TreePath::below(venv, "pyvenv.cfg")?, entry)?;
    let minor = format!("python{}", python.version);
    for (name, target) in [("python", python.path.as_str()), ("python3", "python"), (&minor, "python")] {
        tree.links.insert(TreePath::below(venv, &format!("bin/{name}"))?, target.to_owned());
    }
    Ok(LayerPlan::of(format!("the virtual environment, for {}", python.path), tree))
}

/// Returns the layer of the bytecode of a standard library, if there is any.
///
/// # Errors
/// Two files have the same path.
pub(super) fn standard_library(bytecode: &InstalledFiles) -> Result<Option<LayerPlan>, BuildError> {
    if bytecode.is_empty() {
        return Ok(None);
    }
    let tree = LayerTree { files: tree(bytecode.iter())?, ..LayerTree::default() };
    let key = Some(apt::layer_key(&tree));
    Ok(Some(LayerPlan { key, ..LayerPlan::of(STANDARD_LIBRARY.to_owned(), tree) }))
}

/// Divides distributions among layers: large ones get their own, whose bytes depend only on the wheel, the scheme and
/// the interpreter.
///
/// # Errors
/// Two distributions in a layer have a file with the same path.
pub(super) fn distributions(
    distributions: &[&InstalledDistribution],
    target: &ImageTarget,
    budget: NonZeroUsize,
) -> Result<Vec<LayerPlan>, BuildError> {
    let items: Vec<SizedDistribution> = distributions
        .iter()
        .map(|distribution| SizedDistribution {
            name: &distribution.wheel.inventory.name,
            size: distribution.wheel.size,
        })
        .collect();
    partition::partition(&items, budget)
        .into_par_iter()
        .map(|positions| {
            let members: Vec<_> = positions.into_iter().map(|position| distributions[position]).collect();
            of_distributions(&members, target)
        })
        .collect()
}

/// Returns the layer of some distributions.
fn of_distributions(distributions: &[&InstalledDistribution], target: &ImageTarget) -> Result<LayerPlan, BuildError> {
    let inventories = distributions.iter().map(|distribution| &distribution.wheel.inventory);
    let holds = inventories.map(|inventory| format!("{} {}", inventory.name, inventory.version));
    let holds = holds.collect::<Vec<_>>().join(", ");
    let wheels = distributions.iter().map(|distribution| distribution.wheel.sha256).collect();
    let key = key(distributions.iter().map(|distribution| distribution.key), &target.scheme, &target.interpreter);
    let files = tree(distributions.iter().flat_map(|distribution| &distribution.files))?;
    Ok(LayerPlan { holds, wheels, tree: LayerTree { files, ..LayerTree::default() }, key: Some(key) })
}

/// Returns the layer of files that change with every build: local projects and the application.
///
/// # Errors
/// Two files have the same path, or a file has the path of a directory.
pub(super) fn changing<'a>(
    holds: String,
    files: impl Iterator<Item = &'a (TreePath, TreeEntry)>,
    directories: &[(TreePath, FileAccess)],
) -> Result<LayerPlan, BuildError> {
    let mut files = tree(files)?;
    insert_directories(&mut files, directories)?;
    Ok(LayerPlan::of(holds, LayerTree { files, ..LayerTree::default() }))
}

/// Adds directories with a stated owner or mode.
///
/// # Errors
/// A file has the path of a directory.
pub(super) fn insert_directories(
    tree: &mut FileTree,
    directories: &[(TreePath, FileAccess)],
) -> Result<(), BuildError> {
    for (path, access) in directories {
        tree.insert_directory(path.clone(), *access, FileOrigin::Application)?;
    }
    Ok(())
}

/// Merges the lowest layers, which change the least, until there are at most `budget`: the application keeps its own
/// layer as long as possible.
///
/// # Errors
/// Two files have the same path.
pub(super) fn within(budget: NonZeroUsize, plans: Vec<LayerPlan>) -> Result<Vec<LayerPlan>, BuildError> {
    let surplus = plans.len().saturating_sub(budget.get());
    let mut plans = plans.into_iter();
    let Some(mut lowest) = plans.next() else { return Ok(Vec::new()) };
    plans.by_ref().take(surplus).try_for_each(|plan| lowest.join(plan))?;
    Ok(std::iter::once(lowest).chain(plans).collect())
}

impl LayerPlan {
    pub(super) fn of(holds: String, tree: LayerTree) -> Self {
        Self { holds, wheels: Vec::new(), tree, key: None }
    }

    /// Returns every path of the layer with its content; for a symbolic link, its target.
    pub(super) fn entries(&self) -> impl Iterator<Item = (TreePath, TreeEntry)> {
        let files = self.tree.files.iter().map(|(path, entry)| (path.clone(), entry.clone()));
        files.chain(self.tree.links.iter().map(|(path, target)| {
            let content = FileContent::Bytes(target.as_bytes().into());
            (path.clone(), TreeEntry { access: FileAccess::EXECUTABLE, content, origin: FileOrigin::Application })
        }))
    }

    /// Keeps the owners and modes of directories in lower layers, which an upper layer would reset to root's, and
    /// records those of this layer.
    ///
    /// # Errors
    /// A directory of a lower layer is a file in this one.
    pub(super) fn keep_access(&mut self, directories: &mut BTreeMap<TreePath, FileAccess>) -> Result<(), BuildError> {
        let LayerTree { files, links, .. } = &mut self.tree;
        for (path, access) in directories.iter() {
            let is_included = files.is_directory(path.as_str())
                || links.keys().flat_map(TreePath::parents).any(|parent| parent == path.as_str());
            if is_included && !files.directories().any(|(explicit, _)| explicit == path) {
                files.insert_directory(path.clone(), *access, FileOrigin::Application)?;
                self.key = self.key.map(|key| Sha256::of(format!("{}\n{path} {access}", key.hex()).as_bytes()));
            }
        }
        directories.extend(files.directories().map(|(path, access)| (path.clone(), *access)));
        Ok(())
    }

    fn join(&mut self, other: Self) -> Result<(), BuildError> {
        for (path, entry) in other.tree.files.iter() {
            self.tree.files.insert(path.clone(), entry.clone())?;
        }
        for (path, access) in other.tree.files.directories() {
            self.tree.files.insert_directory(path.clone(), *access, FileOrigin::Application)?;
        }
        self.tree.links.extend(other.tree.links);
        self.tree.hard_links.extend(other.tree.hard_links);
        self.tree.capabilities.extend(other.tree.capabilities);
        self.tree.whiteouts.extend(other.tree.whiteouts);
        self.holds = format!("{}, {}", self.holds, other.holds);
        self.wheels.clear();
        self.key = None;
        Ok(())
    }
}

fn tree<'a>(files: impl Iterator<Item = &'a (TreePath, TreeEntry)>) -> Result<FileTree, BuildError> {
    let mut tree = FileTree::new();
    for (path, entry) in files {
        tree.insert(path.clone(), entry.clone())?;
    }
    Ok(tree)
}

/// Returns the digest of everything that decides the bytes of a layer of distributions.
fn key(wheels: impl Iterator<Item = Sha256>, scheme: &Scheme, interpreter: &str) -> Sha256 {
    let Scheme { site_packages, scripts, headers, data } = scheme;
    let mut text = format!("layer {FORMAT}\n{site_packages}\n{scripts}\n{headers}\n{data}\n{interpreter}\n");
    let mut wheels: Vec<String> = wheels.map(|digest| digest.hex()).collect();
    wheels.sort_unstable();
    text.push_str(&wheels.join("\n"));
    Sha256::of(text.as_bytes())
}
