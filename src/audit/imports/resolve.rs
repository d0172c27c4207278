//! Resolves the name of a module to a file of the artifact, the standard library or the runtime.

use std::collections::{BTreeSet, HashMap};

use super::known_modules::StandardModule;
use super::source::Import;
use crate::audit::LARGEST_MODULE;
use crate::audit::handler::ImportRoot;
use crate::audit::search::{self, ModuleFile, ModuleLookup, SearchDirectory};
use crate::audit::startup::site_file;
use crate::platform::PythonVersion;

/// The largest `__init__.py` that may do nothing but declare a namespace, in bytes.
const LARGEST_NAMESPACE_DECLARATION: u64 = 1500;

#[derive(Debug, Clone)]
pub(super) enum ModuleResolution<'a> {
    Module(ModuleFile<'a>),
    /// The directories of a package without `__init__.py`.
    Namespace(Vec<SearchDirectory<'a>>),
    /// A module of the standard library or of the runtime.
    Provided,
    /// A package on the way creates modules at run time.
    Unknown,
    /// `depth` is the number of leading components that were found.
    Missing {
        depth: usize,
        /// An extension module of that name for another Python or platform.
        foreign: Option<ModuleFile<'a>>,
    },
}

/// Resolves names in the order of Python's search path.
pub(super) struct ModuleResolver<'a> {
    directories: Vec<SearchDirectory<'a>>,
    /// How many of them precede the standard library.
    before_standard: usize,
    python: PythonVersion,
    /// Top-level modules of the runtime.
    provided: &'a BTreeSet<String>,
    /// Whether setuptools has put its copy of distutils into place.
    has_distutils: bool,
    resolved: HashMap<String, ModuleResolution<'a>>,
}

impl<'a> ModuleResolver<'a> {
    /// `added` are the directories that the application adds to the search path.
    pub(super) fn new(
        roots: &[ImportRoot<'a>],
        after_standard: Option<&str>,
        python: PythonVersion,
        provided: &'a BTreeSet<String>,
        added: Vec<SearchDirectory<'a>>,
    ) -> Self {
        let mut directories: Vec<SearchDirectory> = roots.iter().map(SearchDirectory::of).collect();
        let before_standard = roots.iter().take_while(|root| Some(root.site_packages) != after_standard).count();
        for root in roots {
            directories.extend(added_by_path_files(root));
        }
        directories.extend(added);
        // Python reads the `.pth` files of site-packages, which the standard library precedes, and not those of PYTHONPATH.
        let has_distutils = after_standard.is_some();
        Self { directories, before_standard, python, provided, has_distutils, resolved: HashMap::new() }
    }

    /// Takes into account what importing these modules does, which are those that the application imports.
    pub(super) fn with_imports<'i>(mut self, mut imports: impl Iterator<Item = &'i Import>) -> Self {
        if imports.any(|import| import.level == 0 && import.module.split('.').next() == Some("setuptools")) {
            self.provide_distutils();
        }
        self
    }

    /// Takes into account that setuptools is imported.
    pub(super) fn provide_distutils(&mut self) {
        self.has_distutils = true;
        self.resolved.retain(|module, _| !module.starts_with("distutils"));
    }

    /// Returns every file that could be a top-level module, in the order of precedence: only the first is.
    pub(super) fn files_of(&self, module: &str) -> Vec<ModuleFile<'a>> {
        search::files_of(&self.directories, module)
    }

    /// Resolves a dotted name.
    pub(super) fn resolve(&mut self, module: &str) -> ModuleResolution<'a> {
        if let Some(resolution) = self.resolved.get(module) {
            return resolution.clone();
        }
        let resolution = self.resolve_uncached(module);
        self.resolved.insert(module.to_owned(), resolution.clone());
        resolution
    }

    /// Returns whether a package has a submodule.
    pub(super) fn has_submodule(&self, package: &[SearchDirectory<'a>], name: &str) -> bool {
        !matches!(search::find(package, name), ModuleLookup::NotFound | ModuleLookup::Foreign(_))
    }

    fn resolve_uncached(&self, module: &str) -> ModuleResolution<'a> {
        let top = module.split('.').next().unwrap_or(module);
        let is_standard = StandardModule::get(top).is_some_and(|standard| standard.is_in(self.python));
        let is_provided = top == "__main__" || self.provided.contains(top) || is_standard;
        let searched = if is_standard { self.before_standard } else { self.directories.len() };
        let mut directories = self.directories[..searched].to_vec();
        let mut resolution = ModuleResolution::Missing { depth: 0, foreign: None };
        let mut packages: Vec<ModuleFile> = Vec::new();
        for (depth, name) in module.split('.').enumerate() {
            let mut located = search::find(&directories, name);
            if let (ModuleLookup::NotFound, Some(package)) = (&located, packages.last())
                && declares_namespace(package)
            {
                located = search::find(&self.portions(package), name);
            }
            directories = located.directories();
            resolution = match located {
                // Regular packages and modules anywhere on the path take precedence over namespace packages (PEP 420).
                ModuleLookup::NotFound | ModuleLookup::Foreign(_) | ModuleLookup::Namespace(_)
                    if is_provided && packages.is_empty() =>
                {
                    return ModuleResolution::Provided;
                }
                ModuleLookup::NotFound | ModuleLookup::Foreign(_)
                    if is_provided || packages.iter().any(creates_modules) =>
                {
                    return ModuleResolution::Unknown;
                }
                ModuleLookup::NotFound if top == "distutils" && self.has_distutils => {
                    return self.resolve_distutils(module);
                }
                ModuleLookup::NotFound => return ModuleResolution::Missing { depth, foreign: None },
                ModuleLookup::Foreign(file) => return ModuleResolution::Missing { depth, foreign: Some(file) },
                ModuleLookup::Namespace(directories) => ModuleResolution::Namespace(directories),
                ModuleLookup::Source(file) | ModuleLookup::Compiled(file) => {
                    packages.push(file);
                    ModuleResolution::Module(file)
                }
            };
        }
        resolution
    }

    /// Resolves distutils, which Python 3.12 removed, to the copy that setuptools puts in its place (`setuptools._distutils`):
    /// `distutils-precedence.pth` does, when Python starts, and so does importing setuptools.
    fn resolve_distutils(&self, module: &str) -> ModuleResolution<'a> {
        let own = module.replacen("distutils", "setuptools._distutils", 1);
        match self.resolve_uncached(&own) {
            ModuleResolution::Missing { depth, foreign } => {
                ModuleResolution::Missing { depth: depth.saturating_sub(1), foreign }
            }
            other => other,
        }
    }

    /// Returns the directories on the whole search path that belong to a package that declares a namespace.
    fn portions(&self, package: &ModuleFile<'a>) -> Vec<SearchDirectory<'a>> {
        let Some(own) = package.package_directory() else { return Vec::new() };
        let inner = self.directories.iter().filter(|directory| std::ptr::eq(directory.tree, own.tree));
        let relative = inner.filter_map(|directory| match &*directory.path {
            "" => Some(&*own.path),
            path => own.path.strip_prefix(path)?.strip_prefix('/'),
        });
        let Some(relative) = relative.min_by_key(|path| path.len()) else { return vec![own.clone()] };
        self.directories.iter().map(|directory| directory.at(directory.join(relative))).collect()
    }
}

/// Returns the directories that the `.pth` files of a root add to the search path
/// ([Python's `site` module](https://docs.python.org/3/library/site.html)).
fn added_by_path_files<'a>(root: &ImportRoot<'a>) -> Vec<SearchDirectory<'a>> {
    let own = SearchDirectory::of(root);
    let mut added = Vec::new();
    for (path, entry) in root.tree.iter().filter(|(path, _)| path.as_str().ends_with(".pth")) {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        if own.join(name) != path.as_str() {
            continue;
        }
        let Ok(bytes) = entry.content.read(LARGEST_MODULE) else { continue };
        let directories = site_file::directories(&bytes).into_iter().filter(|path| !path.starts_with('/'));
        let directories = directories.map(|path| own.join(path.trim_start_matches("./")));
        added.extend(directories.filter(|path| root.tree.is_directory(path)).map(|path| own.at(path)));
    }
    added
}

/// Returns whether an `__init__.py` does nothing but declare a namespace, with pkgutil or pkg_resources as before PEP 420.
fn declares_namespace(file: &ModuleFile) -> bool {
    let is_small = file.path.ends_with("/__init__.py") && file.entry.content.size() <= LARGEST_NAMESPACE_DECLARATION;
    is_small && contains_any(file, &["extend_path(", "declare_namespace("])
}

/// Returns whether a module may create submodules at run time.
pub(super) fn creates_modules(file: &ModuleFile) -> bool {
    let is_source = file.path.ends_with(".py");
    !is_source
        || (!declares_namespace(file)
            && contains_any(file, &["__path__", "sys.modules", "__getattr__", "meta_path", "lazy"]))
}

fn contains_any(file: &ModuleFile, texts: &[&str]) -> bool {
    // A file that is too large may do anything. (One that cannot be read fails the build elsewhere.)
    file.entry.content.contains_any(texts, LARGEST_MODULE).unwrap_or(true)
}
