//! Finds modules as Python's path-based finder does.
//!
//! Specification: [The Python Language Reference, the import system](https://docs.python.org/3/reference/import.html),
//! and [PEP 420](https://peps.python.org/pep-0420/) for packages without `__init__.py`.

use std::fmt;

use super::handler::ImportRoot;
use crate::hints::Hints;
use crate::platform::PythonVersion;
use crate::tree::{FileOrigin, FileTree, TreeEntry};

/// A directory that Python searches for modules; an empty path is the root of the tree.
#[derive(Debug, Clone)]
pub(super) struct SearchDirectory<'a> {
    pub(super) tree: &'a FileTree,
    pub(super) path: String,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ModuleFile<'a> {
    pub(super) tree: &'a FileTree,
    pub(super) path: &'a str,
    pub(super) entry: &'a TreeEntry,
}

/// What a module's name leads to.
#[derive(Debug, Clone)]
pub(super) enum ModuleLookup<'a> {
    Source(ModuleFile<'a>),
    /// An extension module, or bytecode without its source.
    Compiled(ModuleFile<'a>),
    /// The directories of a package without `__init__.py`.
    Namespace(Vec<SearchDirectory<'a>>),
    NotFound,
}

impl fmt::Display for HiddenPortion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, by, origin } = self;
        write!(formatter, "{path} is never imported, because {by} of {origin} takes precedence")
    }
}

impl Hints for HiddenPortion {
    fn hints(&self) -> Vec<String> {
        let Self { path, by, origin } = self;
        match origin {
            FileOrigin::Application if by.ends_with("/__init__.py") => {
                vec![format!("remove {by}, so that Python searches every directory of the package, or move {path}")]
            }
            _ => vec![format!("give the package of {path} another name, or move the file")],
        }
    }
}

impl<'a> SearchDirectory<'a> {
    pub(super) fn of(root: &ImportRoot<'a>) -> Self {
        Self { tree: root.tree, path: root.site_packages.to_owned() }
    }

    /// Returns the path of an entry of this directory.
    pub(super) fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    /// Finds a module's file by its path without a suffix. The order of suffixes is that of importlib's
    /// `_get_supported_file_loaders`: extension modules, source, bytecode.
    fn file(&self, stem: &str, python: PythonVersion) -> Option<ModuleLookup<'a>> {
        let (mut compiled, mut source, mut bytecode) = (None, None, None);
        let (tree, dotted) = (self.tree, format!("{stem}."));
        for (path, entry) in tree.starting_with(&dotted) {
            let path = path.as_str();
            let file = ModuleFile { tree, path, entry };
            match &path[stem.len()..] {
                ".py" => source = Some(ModuleLookup::Source(file)),
                ".pyc" => bytecode = Some(ModuleLookup::Compiled(file)),
                suffix if is_extension_suffix(suffix, python) => {
                    compiled = compiled.or(Some(ModuleLookup::Compiled(file)));
                }
                _ => {}
            }
        }
        compiled.or(source).or(bytecode)
    }
}

/// Returns whether this version of CPython loads extension modules with a suffix: `.cpython-312-x86_64-linux-gnu.so`,
/// `.abi3.so` or `.so`.
fn is_extension_suffix(suffix: &str, python: PythonVersion) -> bool {
    let Some(tag) = suffix.strip_suffix(".so") else { return false };
    let version = format!(".cpython-{}{}", python.major, python.minor);
    matches!(tag, "" | ".abi3")
        || tag.strip_prefix(&version).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

impl<'a> ModuleFile<'a> {
    /// Returns the directory of a package's modules; `None` if this is not the `__init__` file of a package.
    pub(super) fn package_directory(&self) -> Option<SearchDirectory<'a>> {
        let (directory, file) = self.path.rsplit_once('/')?;
        file.starts_with("__init__.").then(|| SearchDirectory { tree: self.tree, path: directory.to_owned() })
    }
}

impl<'a> ModuleLookup<'a> {
    /// Returns the directories that the modules of a package are searched in; empty for other modules.
    pub(super) fn directories(&self) -> Vec<SearchDirectory<'a>> {
        match self {
            Self::Source(file) | Self::Compiled(file) => file.package_directory().into_iter().collect(),
            Self::Namespace(directories) => directories.clone(),
            Self::NotFound => Vec::new(),
        }
    }
}

/// Finds a module in the first of these directories that has it. In each directory a package takes precedence over a
/// module. A directory without `__init__.py` counts only if no later directory has either (PEP 420).
pub(super) fn find<'a>(directories: &[SearchDirectory<'a>], name: &str, python: PythonVersion) -> ModuleLookup<'a> {
    let mut namespace = Vec::new();
    for directory in directories {
        let stem = directory.join(name);
        let found = directory.file(&format!("{stem}/__init__"), python).or_else(|| directory.file(&stem, python));
        if let Some(found) = found {
            return found;
        }
        if directory.tree.is_directory(&stem) {
            namespace.push(SearchDirectory { tree: directory.tree, path: stem });
        }
    }
    if namespace.is_empty() { ModuleLookup::NotFound } else { ModuleLookup::Namespace(namespace) }
}

/// Returns every file that could be the module with a name, in the order of precedence: only the first is.
pub(super) fn files_of<'a>(
    directories: &[SearchDirectory<'a>],
    name: &str,
    python: PythonVersion,
) -> Vec<ModuleFile<'a>> {
    let stems = directories.iter().flat_map(|directory| {
        let stem = directory.join(name);
        [(directory, format!("{stem}/__init__")), (directory, stem)]
    });
    let found = stems.filter_map(|(directory, stem)| match directory.file(&stem, python)? {
        ModuleLookup::Source(file) | ModuleLookup::Compiled(file) => Some(file),
        ModuleLookup::Namespace(_) | ModuleLookup::NotFound => None,
    });
    found.collect()
}

/// A file or a directory that has the name of a module, and what is found in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HiddenPortion {
    pub(crate) path: String,
    /// The path of a module or an `__init__.py` above it that takes precedence, and what that belongs to.
    pub(crate) by: String,
    pub(crate) origin: FileOrigin,
}

/// Returns the file or directory of a module that is not found because a regular package, or a module, above it is found
/// first: the other directories of that name are not searched (PEP 420).
pub(super) fn hidden_portion(
    directories: &[SearchDirectory],
    module: &str,
    python: PythonVersion,
) -> Option<HiddenPortion> {
    let mut searched = directories.to_vec();
    for name in module.split('.') {
        let found = find(&searched, name, python);
        searched = found.directories();
        if let ModuleLookup::Source(file) | ModuleLookup::Compiled(file) = found {
            let path = directories.iter().find_map(|directory| {
                let stem = directory.join(&module.replace('.', "/"));
                let hidden =
                    directory.file(&format!("{stem}/__init__"), python).or_else(|| directory.file(&stem, python));
                match hidden {
                    Some(ModuleLookup::Source(file) | ModuleLookup::Compiled(file)) => Some(file.path.to_owned()),
                    _ => directory.tree.is_directory(&stem).then_some(stem),
                }
            })?;
            let (by, origin) = (file.path.to_owned(), file.entry.origin.clone());
            return Some(HiddenPortion { path, by, origin });
        }
    }
    None
}

/// Finds a module by the components of its dotted name. Only packages have modules below them.
pub(super) fn locate<'a, 'n>(
    components: impl Iterator<Item = &'n str>,
    roots: &[ImportRoot<'a>],
    python: PythonVersion,
) -> ModuleLookup<'a> {
    let mut directories: Vec<SearchDirectory> = roots.iter().map(SearchDirectory::of).collect();
    let mut found = ModuleLookup::NotFound;
    for name in components {
        found = find(&directories, name, python);
        directories = found.directories();
    }
    found
}

/// Returns the dotted name by which a file is imported; `None` if it is not the source of a module.
pub(super) fn module_name(path: &str, site_packages: &str) -> Option<String> {
    let path = path.strip_prefix(site_packages)?;
    let path = if site_packages.is_empty() { path } else { path.strip_prefix('/')? };
    let stem = path.strip_suffix(".py")?;
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    (!stem.contains('.')).then(|| stem.replace('/', "."))
}
