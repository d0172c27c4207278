//! Finds modules as Python's path-based finder does.
//!
//! Specification: [The Python Language Reference, the import system](https://docs.python.org/3/reference/import.html),
//! and PEP 420 for packages without `__init__.py`.

use super::handler::Root;
use crate::platform::PythonVersion;
use crate::tree::{FileTree, TreeEntry};

/// A folder that modules are looked for in; an empty path is the tree's root.
#[derive(Debug, Clone)]
pub(super) struct Folder<'a> {
    pub(super) tree: &'a FileTree,
    pub(super) path: String,
}

/// A module's file.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    pub(super) tree: &'a FileTree,
    pub(super) path: &'a str,
    pub(super) entry: &'a TreeEntry,
}

/// What a module's name leads to.
#[derive(Debug, Clone)]
pub(super) enum Located<'a> {
    Source(File<'a>),
    /// An extension module, or bytecode without its source.
    Compiled(File<'a>),
    /// A folder, or several, without `__init__.py`.
    Namespace(Vec<Folder<'a>>),
    Nowhere,
}

impl<'a> Folder<'a> {
    /// Returns the folder of a root.
    pub(super) fn of(root: &Root<'a>) -> Self {
        Self { tree: root.tree, path: root.site_packages.to_owned() }
    }

    /// Returns the path of something in the folder.
    pub(super) fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    /// Finds a module's file by its path without a suffix: a compiled one before its source, and bytecode last.
    fn file(&self, stem: &str, python: PythonVersion) -> Option<Located<'a>> {
        let tag = format!(".cpython-{}{}", python.major, python.minor);
        let is_extension = |suffix: &str| {
            let inner = suffix.strip_suffix(".so");
            inner.is_some_and(|inner| {
                let is_tagged = inner.strip_prefix(&tag).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
                matches!(inner, "" | ".abi3") || is_tagged
            })
        };
        let (mut compiled, mut source, mut bytecode) = (None, None, None);
        let (tree, dotted) = (self.tree, format!("{stem}."));
        for (path, entry) in tree.starting_with(&dotted) {
            let path = path.as_str();
            let file = File { tree, path, entry };
            match &path[stem.len()..] {
                ".py" => source = Some(Located::Source(file)),
                ".pyc" => bytecode = Some(Located::Compiled(file)),
                suffix if is_extension(suffix) => compiled = compiled.or(Some(Located::Compiled(file))),
                _ => {}
            }
        }
        compiled.or(source).or(bytecode)
    }
}

impl<'a> File<'a> {
    /// Returns the folder that a package's modules lie in; a module that is no package has none.
    pub(super) fn package(&self) -> Option<Folder<'a>> {
        let (folder, file) = self.path.rsplit_once('/')?;
        file.starts_with("__init__.").then(|| Folder { tree: self.tree, path: folder.to_owned() })
    }
}

impl<'a> Located<'a> {
    /// Returns the folders that a package's modules lie in; a module that is no package has none.
    pub(super) fn folders(&self) -> Vec<Folder<'a>> {
        match self {
            Self::Source(file) | Self::Compiled(file) => file.package().into_iter().collect(),
            Self::Namespace(folders) => folders.clone(),
            Self::Nowhere => Vec::new(),
        }
    }
}

/// Finds a module in the first of some folders that has it. In each a package comes before a module, and a folder without
/// `__init__.py` last of all.
pub(super) fn find<'a>(folders: &[Folder<'a>], name: &str, python: PythonVersion) -> Located<'a> {
    let mut namespace = Vec::new();
    for folder in folders {
        let stem = folder.join(name);
        let found = folder.file(&format!("{stem}/__init__"), python).or_else(|| folder.file(&stem, python));
        if let Some(found) = found {
            return found;
        }
        if folder.tree.is_directory(&stem) {
            namespace.push(Folder { tree: folder.tree, path: stem });
        }
    }
    if namespace.is_empty() { Located::Nowhere } else { Located::Namespace(namespace) }
}

/// Finds a module by its components, one after the other. Only a package has modules below it.
pub(super) fn locate<'a, 'n>(
    components: impl Iterator<Item = &'n str>,
    roots: &[Root<'a>],
    python: PythonVersion,
) -> Located<'a> {
    let mut folders: Vec<Folder> = roots.iter().map(Folder::of).collect();
    let mut located = Located::Nowhere;
    for name in components {
        located = find(&folders, name, python);
        folders = located.folders();
    }
    located
}

/// Returns the dotted name by which a file is imported, if it is a module's source.
pub(super) fn module_name(path: &str, site_packages: &str) -> Option<String> {
    let path = path.strip_prefix(site_packages)?;
    let path = if site_packages.is_empty() { path } else { path.strip_prefix('/')? };
    let stem = path.strip_suffix(".py")?;
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    (!stem.contains('.')).then(|| stem.replace('/', "."))
}
