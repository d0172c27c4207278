//! Finds modules as Python's path-based finder does.
//!
//! Specification: [The Python Language Reference, the import system](https://docs.python.org/3/reference/import.html),
//! and [PEP 420](https://peps.python.org/pep-0420/) for packages without `__init__.py`.

use std::fmt;

use super::handler::ImportRoot;
use crate::hints::Hints;
use crate::platform::ExtensionSuffixes;
use crate::tree::{FileOrigin, FileTree, TreeEntry};

/// A directory that Python searches for modules; an empty path is the root of the tree.
#[derive(Debug, Clone)]
pub(super) struct SearchDirectory<'a> {
    pub(super) tree: &'a FileTree,
    pub(super) path: String,
    pub(super) suffixes: &'a ExtensionSuffixes,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ModuleFile<'a> {
    pub(super) tree: &'a FileTree,
    pub(super) path: &'a str,
    pub(super) entry: &'a TreeEntry,
    suffixes: &'a ExtensionSuffixes,
}

/// What a module's name leads to.
#[derive(Debug, Clone)]
pub(super) enum ModuleLookup<'a> {
    Source(ModuleFile<'a>),
    /// An extension module, or bytecode without its source.
    Compiled(ModuleFile<'a>),
    /// The directories of a package without `__init__.py`.
    Namespace(Vec<SearchDirectory<'a>>),
    /// An extension module for another Python or platform, which this one does not look at.
    Foreign(ModuleFile<'a>),
    NotFound,
}

impl fmt::Display for UnfoundModule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hidden { path, by, origin } => {
                write!(formatter, "{path} is never imported, because {by} of {origin} takes precedence")
            }
            Self::Foreign { path, expected } => write!(
                formatter,
                "{path} is for another Python or platform: the extension modules of the target end in `{expected}`"
            ),
        }
    }
}

impl Hints for UnfoundModule {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Hidden { path, by, origin: FileOrigin::Application } if by.ends_with("/__init__.py") => {
                vec![format!("remove {by}, so that Python searches every directory of the package, or move {path}")]
            }
            Self::Hidden { path, .. } => vec![format!("give the package of {path} another name, or move the file")],
            Self::Foreign { path, expected } => vec![format!("compile {path} for the target, as `{expected}`")],
        }
    }
}

impl<'a> SearchDirectory<'a> {
    pub(super) fn of(root: &ImportRoot<'a>) -> Self {
        Self { tree: root.tree, path: root.site_packages.to_owned(), suffixes: root.suffixes }
    }

    /// Returns another directory of the same tree.
    pub(super) fn at(&self, path: String) -> Self {
        Self { path, ..*self }
    }

    /// Returns the path of an entry of this directory.
    pub(super) fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    /// Finds a module's file by its path without a suffix. The order of suffixes is that of importlib's
    /// `_get_supported_file_loaders`: extension modules, source, bytecode.
    fn file(&self, stem: &str) -> Option<ModuleLookup<'a>> {
        let (mut compiled, mut source, mut bytecode) = (None, None, None);
        let (tree, dotted) = (self.tree, format!("{stem}."));
        for (path, entry) in tree.starting_with(&dotted) {
            let path = path.as_str();
            let file = ModuleFile { tree, path, entry, suffixes: self.suffixes };
            match &path[stem.len()..] {
                ".py" => source = Some(ModuleLookup::Source(file)),
                ".pyc" => bytecode = Some(ModuleLookup::Compiled(file)),
                suffix => {
                    let found = self.suffixes.position(suffix).map(|position| (position, file));
                    compiled = [compiled, found].into_iter().flatten().min_by_key(|(position, _)| *position);
                }
            }
        }
        compiled.map(|(_, file)| ModuleLookup::Compiled(file)).or(source).or(bytecode)
    }

    /// Finds an extension module by its path without a suffix that this Python does not look at.
    fn foreign(&self, stem: &str) -> Option<ModuleFile<'a>> {
        let dotted = format!("{stem}.");
        let found = self.tree.starting_with(&dotted).map(|(path, entry)| (path.as_str(), entry));
        let mut foreign = found.filter(|(path, _)| self.suffixes.foreign(path).is_some());
        foreign.next().map(|(path, entry)| ModuleFile { tree: self.tree, path, entry, suffixes: self.suffixes })
    }
}

impl<'a> ModuleFile<'a> {
    /// Returns the directory of a package's modules; `None` if this is not the `__init__` file of a package.
    pub(super) fn package_directory(&self) -> Option<SearchDirectory<'a>> {
        let (directory, file) = self.path.rsplit_once('/')?;
        let path = directory.to_owned();
        file.starts_with("__init__.").then_some(SearchDirectory { tree: self.tree, path, suffixes: self.suffixes })
    }
}

impl<'a> ModuleLookup<'a> {
    /// Returns the directories that the modules of a package are searched in; empty for other modules.
    pub(super) fn directories(&self) -> Vec<SearchDirectory<'a>> {
        match self {
            Self::Source(file) | Self::Compiled(file) => file.package_directory().into_iter().collect(),
            Self::Namespace(directories) => directories.clone(),
            Self::Foreign(_) | Self::NotFound => Vec::new(),
        }
    }
}

/// Finds a module in the first of these directories that has it. In each directory a package takes precedence over a
/// module. A directory without `__init__.py` counts only if no later directory has either (PEP 420).
pub(super) fn find<'a>(directories: &[SearchDirectory<'a>], name: &str) -> ModuleLookup<'a> {
    let mut namespace = Vec::new();
    for directory in directories {
        let stem = directory.join(name);
        let found = directory.file(&format!("{stem}/__init__")).or_else(|| directory.file(&stem));
        if let Some(found) = found {
            return found;
        }
        if directory.tree.is_directory(&stem) {
            namespace.push(directory.at(stem));
        }
    }
    if !namespace.is_empty() {
        return ModuleLookup::Namespace(namespace);
    }
    let foreign = directories.iter().find_map(|directory| directory.foreign(&directory.join(name)));
    foreign.map_or(ModuleLookup::NotFound, ModuleLookup::Foreign)
}

/// Returns every file that could be the module with a name, in the order of precedence: only the first is.
pub(super) fn files_of<'a>(directories: &[SearchDirectory<'a>], name: &str) -> Vec<ModuleFile<'a>> {
    let stems = directories.iter().flat_map(|directory| {
        let stem = directory.join(name);
        [(directory, format!("{stem}/__init__")), (directory, stem)]
    });
    let found = stems.filter_map(|(directory, stem)| match directory.file(&stem)? {
        ModuleLookup::Source(file) | ModuleLookup::Compiled(file) => Some(file),
        ModuleLookup::Namespace(_) | ModuleLookup::Foreign(_) | ModuleLookup::NotFound => None,
    });
    found.collect()
}

/// A file or a directory that has the name of a module, but is not found when that is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UnfoundModule {
    Hidden {
        path: String,
        /// The path of a module or an `__init__.py` above it that takes precedence.
        by: String,
        /// What that belongs to.
        origin: FileOrigin,
    },
    /// An extension module with the suffix of another Python or platform.
    Foreign {
        path: String,
        /// The suffix that Python looks for first.
        expected: String,
    },
}

/// Returns the file or directory of a module that is not found, because a regular package or a module above it is found
/// first, so that the other directories of that name are not searched (PEP 420), or because of its suffix.
pub(super) fn unfound(directories: &[SearchDirectory], module: &str) -> Option<UnfoundModule> {
    let mut searched = directories.to_vec();
    for name in module.split('.') {
        let found = find(&searched, name);
        searched = found.directories();
        match found {
            ModuleLookup::Foreign(ModuleFile { path, suffixes, .. }) => {
                let expected = suffixes.as_slice().first()?.clone();
                return Some(UnfoundModule::Foreign { path: path.to_owned(), expected });
            }
            ModuleLookup::Source(file) | ModuleLookup::Compiled(file) => {
                if let Some(hidden) = hidden_by(&file, directories, module) {
                    return Some(hidden);
                }
            }
            ModuleLookup::Namespace(_) | ModuleLookup::NotFound => {}
        }
    }
    None
}

/// Returns what is not found because a module or the `__init__.py` of a package above it is found first.
fn hidden_by(file: &ModuleFile, directories: &[SearchDirectory], module: &str) -> Option<UnfoundModule> {
    let path = directories.iter().find_map(|directory| {
        let stem = directory.join(&module.replace('.', "/"));
        let hidden = directory.file(&format!("{stem}/__init__")).or_else(|| directory.file(&stem));
        match hidden {
            Some(ModuleLookup::Source(file) | ModuleLookup::Compiled(file)) => Some(file.path.to_owned()),
            _ => directory.tree.is_directory(&stem).then_some(stem),
        }
    })?;
    let (by, origin) = (file.path.to_owned(), file.entry.origin.clone());
    Some(UnfoundModule::Hidden { path, by, origin })
}

/// Finds a module by the components of its dotted name. Only packages have modules below them.
pub(super) fn locate<'a, 'n>(components: impl Iterator<Item = &'n str>, roots: &[ImportRoot<'a>]) -> ModuleLookup<'a> {
    let mut directories: Vec<SearchDirectory> = roots.iter().map(SearchDirectory::of).collect();
    let mut found = ModuleLookup::NotFound;
    for name in components {
        found = find(&directories, name);
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
