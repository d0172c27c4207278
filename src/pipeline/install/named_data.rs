//! Which data the code of an artifact names.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::omitted::content;
use crate::audit::imports::is_development_only;
use crate::cache::{Cache, RecordKey, RecordKind};
use crate::lock::SelectedDistribution;
use crate::pipeline::BuildError;
use crate::pipeline::plan::{self, Plan};
use crate::platform::PythonVersion;
use crate::tree::TreeEntry;
use crate::trim::SlimRule;
use crate::trim::data::{self, CodeModule, ModuleFacts, SourceLine};
use crate::wheel::{SchemePart, Wheel, WheelFile};

/// The largest source that is searched, in bytes.
const LARGEST_SOURCE: u64 = 4 << 20;

/// What the sources of a wheel say.
#[derive(Debug, Serialize, Deserialize)]
struct WheelFacts {
    /// By the position of the file.
    modules: Vec<(usize, ModuleFacts)>,
    entry_points: String,
}

/// Data that a module names which may run.
#[derive(Debug)]
pub(super) struct NamedData {
    pub(super) rule: SlimRule,
    /// `None` if the name is computed.
    pub(super) name: Option<String>,
    pub(super) location: SourceLine,
}

/// Tells whether there is an application, whose code could name data.
pub(super) fn has_application(plan: &Plan) -> bool {
    application_sources(plan).next().is_some() || plan.projects().next().is_some()
}

/// Returns the data that the code of the wheels and of the application names, that of the application first. `runs_scripts`
/// tells whether console scripts may run.
///
/// # Errors
/// A file cannot be read.
pub(super) fn named(
    wheels: &[(&SelectedDistribution, &Wheel)],
    plan: &Plan,
    runs_scripts: bool,
    cache: &Cache,
) -> Result<Vec<NamedData>, BuildError> {
    let python = plan.target.python;
    let facts: Vec<WheelFacts> =
        wheels.par_iter().map(|(_, wheel)| wheel_facts(wheel, python, cache)).collect::<Result<_, _>>()?;
    let entry_points: Vec<ModuleFacts> =
        facts.iter().map(|facts| ModuleFacts::of_entry_points(&facts.entry_points, runs_scripts)).collect();
    let application = application_facts(plan)?;
    let mut modules: Vec<CodeModule> =
        application.iter().map(|(path, facts)| CodeModule { is_started: true, ..module(path, facts) }).collect();
    for (((selected, wheel), facts), entry_points) in wheels.iter().zip(&facts).zip(&entry_points) {
        let inventory = &wheel.inventory;
        let library = data::LIBRARIES.iter().find(|library| library.distributions.contains(&inventory.name.as_str()));
        let library = library.map(|library| library.rule);
        let is_own = plan::is_local_project(selected);
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
    if !has_application(plan) {
        // A layer: anything in it may be imported.
        modules.iter_mut().for_each(|module| module.is_started = true);
    }
    let uses = data::reached(&modules);
    let named = uses.iter().map(|reached| NamedData {
        rule: reached.found.rule,
        name: reached.found.name.clone(),
        location: reached.location(),
    });
    Ok(named.collect())
}

/// Returns a module by the path of its source below site-packages.
fn module<'a>(path: &str, facts: &'a ModuleFacts) -> CodeModule<'a> {
    let stem = path.strip_suffix(".py").unwrap_or(path);
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    CodeModule { name: stem.replace('/', "."), path: path.to_owned(), facts, is_started: false, library: None }
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
    let sources: BTreeMap<&str, &TreeEntry> = application_sources(plan).collect();
    let sources: Vec<_> = sources.into_iter().collect();
    let read = |(path, entry): &(&str, &TreeEntry)| {
        let source = entry.content.read(LARGEST_SOURCE).map_err(BuildError::reading((*path).as_ref()))?;
        Ok(((*path).to_owned(), read(path, &source, plan.target.python)))
    };
    sources.par_iter().map(read).collect()
}

/// Returns the sources of the application, and of the targets that it extends.
fn application_sources<'a>(plan: &'a Plan) -> impl Iterator<Item = (&'a str, &'a TreeEntry)> {
    let applications = plan.stages().into_iter().map(|stage| &stage.application);
    let files = applications.flat_map(|application| application.files.iter().chain(&application.placed_files));
    files.map(|(path, entry)| (path.as_str(), entry)).filter(|(path, entry)| is_source(path, entry.content.size()))
}
