//! Which data of libraries is installed that they look up by name: what the code names, and what is listed.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::omitted::content;
use crate::cache::{Cache, RecordKey, RecordKind};
use crate::hints;
use crate::pipeline::wheels::SelectedWheel;
use crate::pipeline::{BuildError, plan::Plan};
use crate::platform::PythonVersion;
use crate::report::Reporter;
use crate::settings::ContentSettings;
use crate::trim::SlimRule;
use crate::trim::data::{self, CodeModule, DataError, DataFile, DataLibrary, ModuleFacts, ReachedUse};
use crate::wheel::{SchemePart, Wheel, WheelFile};

/// The largest source that is searched, in bytes.
const LARGEST_SOURCE: u64 = 4 << 20;

/// Directories and modules that projects have beside the application, and that do not run in production.
const DEVELOPMENT_ONLY: [&str; 9] =
    ["benchmarks", "conftest", "docs", "examples", "noxfile", "setup", "test", "testing", "tests"];

/// The names whose data is installed.
#[derive(Debug, Default)]
pub(super) struct DataSelection {
    /// By rule, each name with the reason for it. Rules that are not in force are missing.
    kept: BTreeMap<SlimRule, BTreeMap<String, String>>,
}

/// What the sources of a wheel say.
#[derive(Debug, Serialize, Deserialize)]
struct WheelFacts {
    /// By the position of the file.
    modules: Vec<(usize, ModuleFacts)>,
    entry_points: String,
}

impl DataSelection {
    /// Returns the rule that omits a file by its path below site-packages.
    pub(super) fn omitting(&self, path: &str) -> Option<SlimRule> {
        let file = DataFile::of(path)?;
        let kept = self.kept.get(&file.rule)?;
        (!kept.keys().any(|name| file.is_named(name))).then_some(file.rule)
    }

    /// Returns the rule, the name and the reason that a file is kept for; `None` if no rule is about it.
    pub(super) fn keeping(&self, path: &str) -> Option<(SlimRule, String, String)> {
        let file = DataFile::of(path)?;
        let (name, reason) = self.kept.get(&file.rule)?.iter().find(|(name, _)| file.is_named(name))?;
        Some((file.rule, name.clone(), reason.clone()))
    }

    /// Selects the data that the code of the wheels and of the application names. `runs_scripts` tells whether console scripts
    /// may run.
    ///
    /// # Errors
    /// A list has an unknown name, the code computes a name and there is no list, or a file cannot be read.
    pub(super) fn new(
        settings: &ContentSettings,
        wheels: &[SelectedWheel],
        plan: &Plan,
        runs_scripts: bool,
        cache: &Cache,
        reporter: &dyn Reporter,
    ) -> Result<Self, BuildError> {
        for rule in settings.listed.keys().filter(|rule| !settings.slim.contains(rule)) {
            reporter.warn(&format!("--{rule} has no effect without --slim={rule}"));
        }
        let available = settings.slim.iter().filter_map(|rule| {
            let library = DataLibrary::of(*rule)?;
            Some((library, Available::of(library, wheels)?))
        });
        let available: Vec<_> = available.collect();
        if available.is_empty() {
            return Ok(Self::default());
        }
        let python = plan.target.python;
        let facts: Vec<WheelFacts> =
            wheels.par_iter().map(|selected| wheel_facts(&selected.wheel, python, cache)).collect::<Result<_, _>>()?;
        let entry_points: Vec<ModuleFacts> =
            facts.iter().map(|facts| ModuleFacts::of_entry_points(&facts.entry_points, runs_scripts)).collect();
        let application = application_facts(plan)?;
        let mut modules: Vec<CodeModule> =
            application.iter().map(|(path, facts)| CodeModule { is_started: true, ..module(path, facts) }).collect();
        for ((selected, facts), entry_points) in wheels.iter().zip(&facts).zip(&entry_points) {
            let inventory = &selected.wheel.inventory;
            let library =
                data::LIBRARIES.iter().find(|library| library.distributions.contains(&inventory.name.as_str()));
            let library = library.map(|library| library.rule);
            let is_own = crate::pipeline::plan::is_local_project(selected.selected);
            modules.extend(facts.modules.iter().map(|(position, facts)| CodeModule {
                is_started: is_own,
                library,
                ..module(&inventory.files[*position].path, facts)
            }));
            let mut loaded = module(&inventory.dist_info, entry_points);
            loaded.is_started = true;
            modules.push(loaded);
        }
        for module in &mut modules {
            module.is_started &= !is_development_only(&module.name);
        }
        let has_application = !application.is_empty() || plan.projects().next().is_some();
        if !has_application {
            // A layer: anything in it may be imported.
            modules.iter_mut().for_each(|module| module.is_started = true);
        }
        let uses = data::reached(&modules);
        let mut kept = BTreeMap::new();
        for (library, available) in available {
            let listed = settings.listed.get(&library.rule);
            if !has_application && listed.is_none() {
                return Err(DataError::NoApplication { rule: library.rule }.into());
            }
            kept.insert(library.rule, available.selection(library, &uses, listed)?);
        }
        Ok(Self { kept })
    }
}

/// The data of a library that is in the wheels.
struct Available {
    /// The names of the files' data.
    names: BTreeSet<String>,
    /// The name and the version of the library.
    distribution: String,
}

impl Available {
    /// Returns the data of a library; `None` if there is none.
    fn of(library: &DataLibrary, wheels: &[SelectedWheel]) -> Option<Self> {
        let (mut names, mut distribution) = (BTreeSet::new(), String::new());
        for SelectedWheel { wheel, .. } in wheels {
            let before = names.len();
            let files = wheel.inventory.files.iter().filter(|file| file.part == SchemePart::Library);
            let data = files.filter_map(|file| DataFile::of(&file.path)).filter(|file| file.rule == library.rule);
            names.extend(data.map(|file| file.name.to_owned()));
            // boto3 has fewer services than botocore.
            if names.len() > before {
                distribution = format!("{} {}", wheel.inventory.name, wheel.inventory.version);
            }
        }
        (!names.is_empty()).then_some(Self { names, distribution })
    }

    /// Returns the normalized form of a name if there is such data.
    fn find(&self, library: &DataLibrary, name: &str) -> Option<String> {
        let name = library.normalized(name);
        let is_known = self.names.iter().any(|known| DataFile { rule: library.rule, name: known }.is_named(&name));
        is_known.then_some(name)
    }

    /// Returns the names to keep, each with the reason.
    fn selection(
        &self,
        library: &DataLibrary,
        uses: &[ReachedUse],
        listed: Option<&BTreeSet<String>>,
    ) -> Result<BTreeMap<String, String>, DataError> {
        let rule = library.rule;
        let (mut kept, mut computed) = (BTreeMap::new(), Vec::new());
        let mut keep = |name: &str, reason: &str| {
            for name in library.with_inherited(name) {
                kept.entry(name).or_insert_with(|| reason.to_owned());
            }
        };
        for reached in uses.iter().filter(|reached| reached.found.rule == rule) {
            match reached.found.name.as_ref().map(|name| self.find(library, name)) {
                Some(Some(name)) => keep(&name, &reached.location().to_string()),
                // An alias such as `iw`, which only Babel resolves.
                Some(None) if rule != SlimRule::Locales => {}
                _ => computed.push(reached.location()),
            }
        }
        computed.dedup();
        if let (None, Some(first)) = (listed, computed.first()) {
            return Err(DataError::Computed { rule, first: first.clone(), others: computed.len() - 1 });
        }
        for name in library.needed.iter().filter_map(|name| self.find(library, name)) {
            keep(&name, &format!("needed by {}", library.distributions[library.distributions.len().min(2) - 1]));
        }
        for name in listed.into_iter().flatten() {
            let Some(known) = self.find(library, name) else {
                let nearest = hints::nearest(name, self.names.iter().map(String::as_str)).map(str::to_owned);
                let distribution = self.distribution.clone();
                return Err(DataError::UnknownName { rule, name: name.clone(), distribution, nearest });
            };
            keep(&known, "requested");
        }
        Ok(kept)
    }
}

/// Returns a module by the path of its source below site-packages.
fn module<'a>(path: &str, facts: &'a ModuleFacts) -> CodeModule<'a> {
    let stem = path.strip_suffix(".py").unwrap_or(path);
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    CodeModule { name: stem.replace('/', "."), path: path.to_owned(), facts, is_started: false, library: None }
}

/// Returns whether a module is a test, a script for developers or an example, by its dotted name.
fn is_development_only(name: &str) -> bool {
    name.split('.').any(|component| {
        DEVELOPMENT_ONLY.contains(&component) || component.starts_with("test_") || component.ends_with("_test")
    })
}

fn is_source(path: &str, size: u64) -> bool {
    path.ends_with(".py") && size <= LARGEST_SOURCE
}

fn read(path: &str, source: &[u8], python: PythonVersion) -> ModuleFacts {
    let is_package = path.ends_with("/__init__.py");
    ModuleFacts::read(source, &module(path, &ModuleFacts::default()).name, is_package, python)
}

/// Returns what the sources of a wheel say. Cached.
fn wheel_facts(wheel: &Wheel, python: PythonVersion, cache: &Cache) -> Result<WheelFacts, BuildError> {
    let key = RecordKey::new(format!("data uses {}", data::FORMAT), &[&wheel.sha256.hex(), &python]);
    cache.remember(RecordKind::DataUses, key, || {
        let files = &wheel.inventory.files;
        let sources = files.iter().enumerate();
        let sources = sources.filter(|(_, file)| file.part == SchemePart::Library && is_source(&file.path, file.size));
        let sources: Vec<_> = sources.collect();
        let read = |(position, file): &(usize, &WheelFile)| {
            Ok((*position, read(&file.path, &content(wheel, *position)?, python)))
        };
        let mut modules: Vec<(usize, ModuleFacts)> = sources.par_iter().map(read).collect::<Result<_, BuildError>>()?;
        modules.retain(|(_, facts)| *facts != ModuleFacts::default());
        let path = format!("{}/entry_points.txt", wheel.inventory.dist_info);
        let position = files.iter().position(|file| file.part == SchemePart::Library && file.path == path);
        let text = position.map(|position| content(wheel, position)).transpose()?.unwrap_or_default();
        Ok(WheelFacts { modules, entry_points: String::from_utf8_lossy(&text).into_owned() })
    })
}

/// Returns the names of data in the application's files, with their rules; nothing if a file cannot be read.
pub(crate) fn application_names(plan: &Plan) -> BTreeSet<(SlimRule, String)> {
    let facts = application_facts(plan).unwrap_or_default();
    let uses = facts.into_iter().flat_map(|(_, facts)| facts.uses);
    uses.filter_map(|found| Some((found.rule, found.name?))).collect()
}

/// Returns what the sources of the application say, by their paths.
fn application_facts(plan: &Plan) -> Result<Vec<(String, ModuleFacts)>, BuildError> {
    let stages = plan.stages();
    let files = stages.iter().flat_map(|stage| stage.application.files.iter().chain(&stage.application.placed_files));
    let files: BTreeMap<&str, _> = files.map(|(path, entry)| (path.as_str(), entry)).collect();
    let sources: Vec<_> = files.into_iter().filter(|(path, entry)| is_source(path, entry.content.size())).collect();
    let read = |(path, entry): &(&str, &crate::tree::TreeEntry)| {
        let source = entry.content.read(LARGEST_SOURCE).map_err(BuildError::reading((*path).as_ref()))?;
        Ok(((*path).to_owned(), read(path, &source, plan.target.python)))
    };
    sources.par_iter().map(read).collect()
}
