//! Checks that the files and directories which the application names by literal paths are in the artifact.
//!
//! A false error stops a deployment. So only a file that the project has and the artifact has not is an error, and paths
//! pass that the application checks, creates or writes, whose absence it handles, or that may be written at run time.

mod exceptions;
mod finding;
mod frameworks;
mod functions;
mod main_guard;
mod places;
mod source;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub(crate) use finding::{MissingDataFile, Whereabouts};
pub(crate) use places::OUTSIDE;
use places::{Place, Places};
use source::{ModulePaths, PathCollector, PathUse, TemplateUse, UseKind};

use super::LARGEST_MODULE;
use super::handler::ImportRoot;
use super::imports::OwnModule;
use super::literal_path::{Constants, LiteralPath, PathEvaluator, PathStart};
use crate::platform::PythonVersion;
use crate::syntax::{self, SourceLine};
use crate::tree::{FileOrigin, FileTree};

/// The audit of the data files of one artifact.
pub(crate) struct DataFileAudit<'a> {
    /// The tree that contains the application.
    pub(crate) tree: &'a FileTree,
    /// The trees, in the order of Python's search path.
    pub(crate) roots: &'a [ImportRoot<'a>],
    pub(crate) python: PythonVersion,
    pub(crate) modules: &'a [OwnModule<'a>],
    /// The modules that are started. Of those with `.__main__` appended, the body below `if __name__ == "__main__"` runs.
    pub(crate) started: &'a [String],
    /// Whether a file belongs to the application or to one of the project's own distributions.
    pub(crate) is_own: &'a (dyn Fn(&FileOrigin) -> bool + Sync),
    /// The directory of the application's files in the tree; empty for the root.
    pub(crate) application: &'a str,
    /// The working directory in the tree; `None` if it is not known.
    pub(crate) working_directory: Option<&'a str>,
    /// The project's directory, canonical.
    pub(crate) project: &'a Path,
    /// The workspace's directory, canonical.
    pub(crate) workspace: &'a Path,
    /// The files and directories of the project that are excluded because something generates them.
    pub(crate) generated: &'a BTreeSet<PathBuf>,
    /// The files that the modules were built from, canonical, as far as they are known.
    pub(crate) sources: &'a [Option<PathBuf>],
    /// Paths that are provided at run time, with all that is below (`--allow-missing`).
    pub(crate) allowed: &'a BTreeSet<String>,
}

impl DataFileAudit<'_> {
    /// Returns the files that are missing, in the order of the modules. A path is one finding, however often it is named, and
    /// what is below a missing directory is none of its own.
    pub(crate) fn run(&self) -> Vec<MissingDataFile> {
        let constants = self.constants();
        let numbered: Vec<(usize, &OwnModule)> = self.modules.iter().enumerate().collect();
        let paths: Vec<ModulePaths> =
            numbered.par_iter().map(|(at, module)| self.paths(*at, module, &constants)).collect();
        let places = Places::new(self, paths.iter().any(|paths| paths.changes_directory));
        let handled = Handled::new(&paths, &places);
        let mut findings: BTreeMap<String, MissingDataFile> = BTreeMap::new();
        let mut add = |place: String, finding: MissingDataFile| match findings.get(&place) {
            Some(earlier) if earlier.is_error() || !finding.is_error() => {}
            _ => drop(findings.insert(place, finding)),
        };
        for (module, paths) in self.modules.iter().zip(&paths).filter(|(module, _)| module.is_reached) {
            for path_use in paths.uses.iter().filter(|path_use| !handled.excuses(path_use)) {
                for (place, path_use) in self.places_of(path_use, &places) {
                    if !handled.contains(&place.in_artifact, &path_use.kind) && !self.is_allowed(&place.in_artifact) {
                        let finding = self.missing(module, &path_use, &place, &places);
                        finding.into_iter().for_each(|finding| add(place.in_artifact.clone(), finding));
                    }
                }
            }
        }
        for (at, (module, own)) in
            self.modules.iter().zip(&paths).enumerate().filter(|(_, (module, _))| module.is_reached)
        {
            for template in &own.templates {
                if let Some((place, finding)) = self.missing_template(at, module, template, &paths, &places) {
                    add(place, finding);
                }
            }
        }
        distinct(findings)
    }

    /// Returns what the application's modules bind at their top level.
    fn constants(&self) -> Constants {
        let none = Constants::new();
        let numbered: Vec<(usize, &OwnModule)> = self.modules.iter().enumerate().collect();
        let bound = numbered.par_iter().map(|(at, module)| {
            let bound = self.parse(module, |_, body| {
                PathEvaluator::of_module(*at, module.package(), body, &none).into_bound().collect::<Vec<_>>()
            });
            let bound = bound.unwrap_or_default().into_iter();
            bound.map(|(name, value)| (format!("{}.{name}", module.name), value)).collect::<Vec<_>>()
        });
        bound.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// Returns the literal paths of a module.
    fn paths(&self, at: usize, module: &OwnModule, constants: &Constants) -> ModulePaths {
        let mut scripts = self.started.iter().filter_map(|started| started.strip_suffix(".__main__"));
        let runs_main = scripts.any(|script| script == module.name);
        let paths = self.parse(module, |source, body| {
            let evaluator = PathEvaluator::of_module(at, module.package(), body, constants);
            PathCollector::collect(source, body, evaluator, self.python, runs_main)
        });
        paths.unwrap_or_default()
    }

    /// Parses a module; `None` if it cannot be read, which is another audit's finding.
    fn parse<T>(&self, module: &OwnModule, read: impl FnOnce(&str, &[ruff_python_ast::Stmt]) -> T) -> Option<T> {
        let bytes = module.entry.content.read(LARGEST_MODULE).ok()?;
        syntax::parse(&bytes, self.python, read).ok()?
    }

    /// Returns where a path is, and what else it leads to: the translations in a directory, the migrations of a configuration.
    fn places_of(&self, path_use: &PathUse, places: &Places) -> Vec<(Place, PathUse)> {
        let Some(place) = places.of(&path_use.path) else { return Vec::new() };
        match &path_use.kind {
            UseKind::Read | UseKind::Searched | UseKind::Named => vec![(place, path_use.clone())],
            UseKind::Catalog(domain) if self.has(&place.in_artifact) => {
                let catalogs = places.catalogs(&place, domain).into_iter();
                catalogs.map(|catalog| (catalog, PathUse { kind: UseKind::Read, ..path_use.clone() })).collect()
            }
            UseKind::Catalog(_) => vec![(place, PathUse { kind: UseKind::Read, ..path_use.clone() })],
            UseKind::AlembicConfig => {
                let read = PathUse { kind: UseKind::Read, ..path_use.clone() };
                let migrations = places.migrations(&path_use.path, &place);
                let migrations = migrations.map(|path| (path, PathUse { kind: UseKind::Searched, ..read.clone() }));
                [(place, read.clone())].into_iter().chain(migrations).collect()
            }
        }
    }

    /// Returns the finding for a path that is used; `None` if it is in the artifact, or nothing is known to fail.
    fn missing(
        &self,
        module: &OwnModule,
        path_use: &PathUse,
        place: &Place,
        places: &Places,
    ) -> Option<MissingDataFile> {
        let is_written = functions::is_written_at_run_time(&path_use.path.below);
        // A file that is there although it has the name of one that is written may be one of those that are read.
        let is_there = path_use.kind == UseKind::Read && place.source.as_deref().is_some_and(Path::is_file);
        if self.has(&place.in_artifact) || (is_written && !is_there) {
            return None;
        }
        // Neither git nor an artifact has a directory without files, so the application manages without it.
        if place.source.as_deref().is_some_and(has_no_files) {
            return None;
        }
        let whereabouts = match &place.source {
            Some(source) => Whereabouts::Project { source: source.clone(), in_artifact: place.in_artifact.clone() },
            None if path_use.kind != UseKind::Read || path_use.is_conditional => return None,
            None => match places.beside(module, &path_use.path) {
                Some(other) => Whereabouts::Elsewhere(self.shown(&other)),
                None => Whereabouts::Nowhere,
            },
        };
        // Files are often put into such a directory at run time.
        let is_unknown_directory = path_use.kind == UseKind::Named
            && place.source.as_deref().is_some_and(|source| source.is_dir() && self.is_generated(source));
        Some(MissingDataFile {
            location: SourceLine { path: module.path.to_owned(), line: path_use.line },
            path: self.shown(&place.in_artifact),
            whereabouts,
            is_certain: !path_use.is_conditional
                && !is_unknown_directory
                && !is_written
                // What is only named may be made.
                && (path_use.kind == UseKind::Read || !place.in_artifact.starts_with(OUTSIDE)),
            remedies: Vec::new(),
        })
    }

    /// Returns the path and the finding for a template that the project has in one of the application's directories, but the
    /// artifact has in none.
    fn missing_template(
        &self,
        at: usize,
        module: &OwnModule,
        template: &TemplateUse,
        paths: &[ModulePaths],
        places: &Places,
    ) -> Option<(String, MissingDataFile)> {
        let suffix = format!("/{}", template.name);
        let is_found = self.roots.iter().any(|root| {
            root.tree.iter().any(|(path, _)| path.as_str().ends_with(&suffix) || path.as_str() == template.name)
        });
        if is_found {
            return None;
        }
        let above = (1..=module.path.matches('/').count() + 1)
            .filter_map(|up| LiteralPath { up, ..LiteralPath::new(PathStart::Module(at)) }.join("templates"));
        let declared = paths.iter().flat_map(|paths| paths.template_directories.iter().cloned());
        let place = declared
            .chain(above)
            .find_map(|directory| places.of(&directory.join(&template.name)?).filter(|place| place.source.is_some()))?;
        if self.is_allowed(&place.in_artifact) {
            return None;
        }
        let finding = MissingDataFile {
            location: SourceLine { path: module.path.to_owned(), line: template.line },
            path: self.shown(&place.in_artifact),
            whereabouts: Whereabouts::Project { source: place.source?, in_artifact: place.in_artifact.clone() },
            is_certain: !template.is_conditional,
            remedies: Vec::new(),
        };
        Some((place.in_artifact, finding))
    }

    fn is_generated(&self, source: &Path) -> bool {
        source.ancestors().any(|path| self.generated.contains(path))
    }

    fn has(&self, path: &str) -> bool {
        path.is_empty() || self.tree.get(path).is_some() || self.tree.is_directory(path)
    }

    /// Returns whether `--allow-missing` names a path or a directory above it.
    fn is_allowed(&self, path: &str) -> bool {
        let shown = self.shown(path);
        self.allowed
            .iter()
            .map(|allowed| allowed.trim_end_matches('/'))
            .any(|allowed| shown == allowed || is_below(&shown, allowed))
    }

    /// Returns a path in the tree as messages name it: relative to site-packages or to the application's directory.
    fn shown(&self, path: &str) -> String {
        let directories = self.roots.iter().map(|root| root.site_packages).chain([self.application]);
        let below = directories.filter_map(|directory| match directory {
            "" => Some(path),
            directory => path.strip_prefix(directory)?.strip_prefix('/'),
        });
        below.min_by_key(|below| below.len()).map_or_else(|| format!("/{path}"), str::to_owned)
    }
}

impl OwnModule<'_> {
    /// Returns the dotted name of the package that relative imports start from.
    fn package(&self) -> &str {
        if self.path.ends_with("/__init__.py") {
            return &self.name;
        }
        self.name.rsplit_once('.').map_or("", |(package, _)| package)
    }
}

/// Returns whether a path is that of a directory with nothing but directories in it.
fn has_no_files(path: &Path) -> bool {
    path.is_dir()
        && std::fs::read_dir(path)
            .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| has_no_files(&entry.path()))))
}

/// Returns the findings in the order of their locations, without those that others say as well: errors below a directory that
/// is one, and a warning about a directory of which files are named.
fn distinct(findings: BTreeMap<String, MissingDataFile>) -> Vec<MissingDataFile> {
    let told: BTreeSet<String> = findings
        .iter()
        .filter(|(path, finding)| is_told(path, finding, &findings))
        .map(|(path, _)| path.clone())
        .collect();
    let kept = findings.into_iter().filter(|(path, _)| !told.contains(path));
    let mut kept: Vec<MissingDataFile> = kept.map(|(_, finding)| finding).collect();
    kept.sort_by(|one, other| one.location.cmp(&other.location));
    kept
}

/// Returns whether another finding says what one says.
fn is_told(path: &str, finding: &MissingDataFile, findings: &BTreeMap<String, MissingDataFile>) -> bool {
    findings.iter().any(|(other_path, other)| {
        let is_told_above = is_below(path, other_path) && (other.is_error() || !finding.is_error());
        let is_told_below = is_below(other_path, path) && !finding.is_error() && other.is_error();
        is_told_above || is_told_below
    })
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

/// What the application checks, creates or writes.
struct Handled<'a> {
    /// Paths in the tree.
    paths: BTreeSet<String>,
    names: BTreeSet<&'a str>,
    functions: BTreeSet<&'a str>,
}

impl<'a> Handled<'a> {
    fn new(modules: &'a [ModulePaths], places: &Places) -> Self {
        let functions: BTreeSet<&str> =
            modules.iter().flat_map(|paths| paths.lenient_functions.iter().map(String::as_str)).collect();
        let uses = modules.iter().flat_map(|paths| &paths.uses);
        let passed = uses.filter(|path_use| path_use.function.as_deref().is_some_and(|name| functions.contains(name)));
        let handled = modules.iter().flat_map(|paths| &paths.handled).chain(passed.map(|path_use| &path_use.path));
        let paths = handled.filter_map(|path| Some(places.of(path)?.in_artifact)).filter(|path| !path.is_empty());
        Self {
            paths: paths.collect(),
            names: modules.iter().flat_map(|paths| paths.handled_names.iter().map(String::as_str)).collect(),
            functions,
        }
    }

    /// Returns whether what a path is bound to, or passed to, is handled somewhere.
    fn excuses(&self, path_use: &PathUse) -> bool {
        let name = path_use.name.as_deref();
        path_use.kind == UseKind::Named
            && (name.is_some_and(|name| self.names.contains(name) || functions::is_optional(name))
                || path_use.function.as_deref().is_some_and(|name| self.functions.contains(name)))
    }

    /// Returns whether a path or one above it is handled, or, if it is merely named, one below it.
    fn contains(&self, path: &str, kind: &UseKind) -> bool {
        self.paths.iter().any(|handled| {
            handled == path || is_below(path, handled) || (*kind == UseKind::Named && is_below(handled, path))
        })
    }
}
