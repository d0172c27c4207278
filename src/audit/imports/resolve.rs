//! Which file a module's name leads to, among all that may provide modules.

use std::collections::{BTreeSet, HashMap};

use super::known::Standard;
use crate::audit::handler::Root;
use crate::audit::search::{self, File, Folder, Located};
use crate::platform::PythonVersion;

/// The largest package file that is searched for what it does to its own path, in bytes.
const READ_LIMIT: u64 = 4 << 20;

/// The largest package file that does nothing but declare a namespace, in bytes.
const DECLARATION: u64 = 1500;

/// What a name leads to.
#[derive(Debug, Clone)]
pub(super) enum Resolution<'a> {
    /// A module's file.
    File(File<'a>),
    /// A package without `__init__.py`, and its folders.
    Namespace(Vec<Folder<'a>>),
    /// The standard library, or what the runtime brings.
    Elsewhere,
    /// The files do not tell: a package makes modules at run time.
    Unknown,
    /// There is none.
    Missing {
        /// The number of components that are found.
        depth: usize,
    },
}

/// Resolves names in the order of Python's search path.
pub(super) struct Resolver<'a> {
    folders: Vec<Folder<'a>>,
    python: PythonVersion,
    /// Top-level modules that the runtime brings.
    brought: &'a BTreeSet<String>,
    known: HashMap<String, Resolution<'a>>,
}

impl<'a> Resolver<'a> {
    /// Makes a resolver of what is in some trees.
    pub(super) fn new(roots: &[Root<'a>], python: PythonVersion, brought: &'a BTreeSet<String>) -> Self {
        let mut folders: Vec<Folder> = roots.iter().map(Folder::of).collect();
        for root in roots {
            folders.extend(added_by_path_files(root));
        }
        Self { folders, python, brought, known: HashMap::new() }
    }

    /// Resolves a dotted name.
    pub(super) fn resolve(&mut self, module: &str) -> Resolution<'a> {
        if let Some(known) = self.known.get(module) {
            return known.clone();
        }
        let resolution = self.follow(module);
        self.known.insert(module.to_owned(), resolution.clone());
        resolution
    }

    /// Resolves the name of a module below folders of a package.
    pub(super) fn is_below(&self, package: &[Folder<'a>], name: &str) -> bool {
        !matches!(search::find(package, name, self.python), Located::Nowhere)
    }

    fn follow(&self, module: &str) -> Resolution<'a> {
        let top = module.split('.').next().unwrap_or(module);
        let is_elsewhere = top == "__main__"
            || self.brought.contains(top)
            || Standard::get(top).is_some_and(|standard| standard.is_in(self.python));
        let mut folders = self.folders.clone();
        let mut resolution = Resolution::Missing { depth: 0 };
        let mut packages: Vec<File> = Vec::new();
        for (depth, name) in module.split('.').enumerate() {
            let mut located = search::find(&folders, name, self.python);
            if let (Located::Nowhere, Some(package)) = (&located, packages.last())
                && declares_namespace(package)
            {
                located = search::find(&self.portions(package), name, self.python);
            }
            folders = located.folders();
            resolution = match located {
                // A package without `__init__.py` yields to any other.
                Located::Nowhere | Located::Namespace(_) if is_elsewhere && packages.is_empty() => {
                    return Resolution::Elsewhere;
                }
                Located::Nowhere if is_elsewhere || packages.iter().any(makes_modules) => return Resolution::Unknown,
                Located::Nowhere if top == "distutils" => return self.follow_distutils(module),
                Located::Nowhere => return Resolution::Missing { depth },
                Located::Namespace(folders) => Resolution::Namespace(folders),
                Located::Source(file) | Located::Compiled(file) => {
                    packages.push(file);
                    Resolution::File(file)
                }
            };
        }
        resolution
    }

    /// setuptools takes the place of the module that the standard library had.
    fn follow_distutils(&self, module: &str) -> Resolution<'a> {
        let own = module.replacen("distutils", "setuptools._distutils", 1);
        match self.follow(&own) {
            Resolution::Missing { depth } => Resolution::Missing { depth: depth.saturating_sub(1) },
            other => other,
        }
    }

    /// Returns the folders of a package that are its portions in all of the search path.
    fn portions(&self, package: &File<'a>) -> Vec<Folder<'a>> {
        let Some(own) = package.package() else { return Vec::new() };
        let inner = self.folders.iter().filter(|folder| std::ptr::eq(folder.tree, own.tree));
        let relative = inner.filter_map(|folder| match &*folder.path {
            "" => Some(&*own.path),
            path => own.path.strip_prefix(path)?.strip_prefix('/'),
        });
        let Some(relative) = relative.min_by_key(|path| path.len()) else { return vec![own.clone()] };
        self.folders.iter().map(|folder| Folder { tree: folder.tree, path: folder.join(relative) }).collect()
    }
}

/// Returns the folders that a root's `.pth` files add to the search path (the documentation of Python's `site`).
fn added_by_path_files<'a>(root: &Root<'a>) -> Vec<Folder<'a>> {
    let own = Folder::of(root);
    let mut added = Vec::new();
    for (path, entry) in root.tree.iter().filter(|(path, _)| path.as_str().ends_with(".pth")) {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        if own.join(name) != path.as_str() {
            continue;
        }
        let Ok(bytes) = entry.content.read(READ_LIMIT) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().map(str::trim_end);
        let folders =
            lines.filter(|line| !line.is_empty() && !line.starts_with(['#', '/']) && !line.starts_with("import"));
        let folders = folders.map(|line| own.join(line.trim_start_matches("./")));
        added.extend(folders.filter(|path| root.tree.is_directory(path)).map(|path| Folder { tree: root.tree, path }));
    }
    added
}

/// Returns whether a package's file does nothing but declare a namespace, in the ways that were before PEP 420.
fn declares_namespace(file: &File) -> bool {
    let is_small = file.path.ends_with("/__init__.py") && file.entry.content.size() <= DECLARATION;
    is_small && holds_any(file, &["extend_path(", "declare_namespace("])
}

/// Returns whether a module makes modules below it at run time, or may do so.
pub(super) fn makes_modules(file: &File) -> bool {
    let is_source = file.path.ends_with(".py");
    !is_source
        || (!declares_namespace(file)
            && holds_any(file, &["__path__", "sys.modules", "__getattr__", "meta_path", "lazy"]))
}

fn holds_any(file: &File, texts: &[&str]) -> bool {
    match file.entry.content.read(READ_LIMIT) {
        Ok(bytes) => {
            let source = String::from_utf8_lossy(&bytes);
            texts.iter().any(|text| source.contains(text))
        }
        // What cannot be read may do anything.
        Err(_) => true,
    }
}
