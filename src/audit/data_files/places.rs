//! Where literal paths lead to, in the artifact and in the project.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::DataFileAudit;
use crate::audit::imports::OwnModule;
use crate::audit::literal_path::{LiteralPath, PathStart};
use crate::audit::search::{self, ModuleLookup};

/// The largest configuration file that is read, in bytes.
const LARGEST_READ: u64 = 1 << 20;

/// Where a path leads to.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The path in the tree.
    pub(super) in_artifact: String,
    /// The file or directory of the project; `None` if the project does not have it.
    pub(super) source: Option<PathBuf>,
}

/// The beginning of a path that leads out of the artifact.
pub(crate) const OUTSIDE: &str = "../";

/// Resolves literal paths.
pub(super) struct Places<'a> {
    audit: &'a DataFileAudit<'a>,
    /// The directories of the project whose contents are in the application's directory.
    application_sources: BTreeSet<PathBuf>,
    working_directory: Option<&'a str>,
}

impl<'a> Places<'a> {
    pub(super) fn new(audit: &'a DataFileAudit<'a>, changes_directory: bool) -> Self {
        let application_sources = audit.modules.iter().zip(audit.sources).filter_map(|(module, source)| {
            let below = match audit.application {
                "" => module.path,
                application => module.path.strip_prefix(application)?.strip_prefix('/')?,
            };
            let (directory, source) = (Path::new(below).components().rev(), source.as_ref()?);
            let is_same = directory.zip(source.components().rev()).all(|(one, other)| one == other);
            source.ancestors().nth(below.matches('/').count() + 1).filter(|_| is_same).map(Path::to_owned)
        });
        let application_sources = application_sources.collect();
        Self { audit, application_sources, working_directory: audit.working_directory.filter(|_| !changes_directory) }
    }

    /// Returns where a path leads to; `None` if that is not known.
    pub(super) fn of(&self, path: &LiteralPath) -> Option<Place> {
        let audit = self.audit;
        let (start, source) = match &path.start {
            PathStart::Module(at) => (audit.modules.get(*at)?.path.to_owned(), audit.sources.get(*at)?.clone()),
            PathStart::WorkingDirectory => return self.in_application(path, self.working_directory?),
            PathStart::TaskRoot => return self.in_application(path, audit.application),
            PathStart::Package(name) => return self.in_package(name, path),
        };
        self.place(path, &start, source.as_deref())
    }

    /// Returns where a path below the application's directory leads to: what is bundled there may come from the project's
    /// directory or from another one, such as `src`.
    fn in_application(&self, path: &LiteralPath, start: &str) -> Option<Place> {
        let sources = [self.audit.project].into_iter().chain(self.application_sources.iter().map(PathBuf::as_path));
        let mut places = sources.filter_map(|source| self.place(path, start, Some(source)));
        places.find(|place| place.source.is_some()).or_else(|| self.place(path, start, None))
    }

    fn place(&self, path: &LiteralPath, start: &str, source: Option<&Path>) -> Option<Place> {
        let source = source.and_then(|source| path.on_disk(source));
        let source = source.filter(|source| source.starts_with(self.audit.workspace) && source.exists());
        // What is at the root of a function is deeper in the project, for instance in `src`.
        let leads_to_file = source.is_some() && !path.below.is_empty();
        let outside = || leads_to_file.then(|| format!("{OUTSIDE}{}", path.below.join("/")));
        Some(Place { in_artifact: path.in_tree(start).or_else(outside)?, source })
    }

    /// Returns where a path below a package leads to. A package without modules is a directory below another one.
    fn in_package(&self, name: &str, path: &LiteralPath) -> Option<Place> {
        let audit = self.audit;
        let mut components: Vec<&str> = name.split('.').collect();
        let mut below = path.below.clone();
        while let Some(last) = components.last() {
            let found = search::locate(components.iter().copied(), audit.roots);
            let (directory, is_package) = match &found {
                ModuleLookup::Source(file) if (audit.is_own)(&file.entry.origin) => {
                    (file.path.rsplit_once('/').map_or("", |(directory, _)| directory), true)
                }
                ModuleLookup::Source(_) | ModuleLookup::Compiled(_) => return None,
                ModuleLookup::Namespace(directories) => (&*directories.first()?.path, false),
                ModuleLookup::Foreign(_) | ModuleLookup::NotFound => ("", false),
            };
            let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
            let module = audit.modules.iter().position(|module| module.path.starts_with(&prefix));
            if let (Some(at), true) = (module, is_package || !directory.is_empty()) {
                let depth = audit.modules[at].path[prefix.len()..].matches('/').count();
                let start = PathStart::Module(at);
                return self.of(&LiteralPath { start, up: depth + 1 + path.up, below });
            }
            below.insert(0, (*last).to_owned());
            components.pop();
        }
        None
    }

    /// Returns the path in the artifact of a file that is beside a module rather than in the working directory.
    pub(super) fn beside(&self, module: &OwnModule, path: &LiteralPath) -> Option<String> {
        let is_relative = path.start == PathStart::WorkingDirectory;
        let beside = LiteralPath { up: path.up + 1, ..path.clone() }.in_tree(module.path);
        beside.filter(|beside| is_relative && self.audit.tree.get(beside).is_some())
    }

    /// Returns the compiled translations of a domain in a directory that the artifact has: those that the project has, or one
    /// for any language if neither has any.
    pub(super) fn catalogs(&self, directory: &Place, domain: &str) -> Vec<Place> {
        let (prefix, suffix) = (format!("{}/", directory.in_artifact), format!("/LC_MESSAGES/{domain}.mo"));
        let mut bundled = self.audit.tree.starting_with(&prefix);
        let is_bundled = bundled.any(|(path, _)| path.as_str().ends_with(&suffix));
        let languages = directory.source.iter().filter_map(|source| fs::read_dir(source).ok()).flatten();
        let languages = languages.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut catalogs: Vec<Place> = languages
            .filter_map(|language| {
                let below = format!("{language}{suffix}");
                let source = directory.source.as_ref()?.join(&below);
                let in_artifact = format!("{}/{below}", directory.in_artifact);
                source.is_file().then_some(Place { in_artifact, source: Some(source) })
            })
            .collect();
        if catalogs.is_empty() && !is_bundled {
            let in_artifact = format!("{}/*{suffix}", directory.in_artifact);
            catalogs.push(Place { in_artifact, source: None });
        }
        catalogs
    }

    /// Returns the directory of migrations that a configuration of Alembic names
    /// ([its documentation](https://alembic.sqlalchemy.org/en/latest/tutorial.html#editing-the-ini-file)).
    pub(super) fn migrations(&self, path: &LiteralPath, config: &Place) -> Option<Place> {
        let text = match self.audit.tree.get(&config.in_artifact) {
            Some(entry) => entry.content.read(LARGEST_READ).ok()?,
            None => fs::read(config.source.as_ref()?).ok()?,
        };
        let text = String::from_utf8_lossy(&text);
        let location = text.lines().find_map(|line| {
            line.strip_prefix("script_location")?.trim_start().strip_prefix('=').map(|value| value.trim().to_owned())
        })?;
        let here = location.strip_prefix("%(here)s/");
        let directory = match here {
            Some(below) => path.clone().parent().join(below)?,
            // `package:directory` is a resource of a package.
            None if location.contains(':') => return None,
            None => LiteralPath::new(PathStart::WorkingDirectory).join(&location)?,
        };
        self.of(&directory)
    }
}
