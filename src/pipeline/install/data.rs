//! Which data of libraries is installed that they look up by name: what the code names, and what is listed.

use std::collections::{BTreeMap, BTreeSet};

use super::InstalledDistribution;
use super::named_data::{self, NamedData};
use crate::cache::Cache;
use crate::hints;
use crate::pipeline::BuildError;
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::SelectedWheel;
use crate::report::Reporter;
use crate::settings::ContentSettings;
use crate::trim::SlimRule;
use crate::trim::data::{DataError, DataFile, DataLibrary};
use crate::wheel::SchemePart;

/// The names whose data is installed.
#[derive(Debug, Default)]
pub(super) struct DataSelection {
    /// By rule, each name with the reason for it. Rules that are not in force are missing.
    kept: BTreeMap<SlimRule, BTreeMap<String, String>>,
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
        let has_application = named_data::has_application(plan);
        let wheels = wheels.iter().map(|selected| (selected.selected, &selected.wheel));
        let uses = named_data::named(&wheels.collect::<Vec<_>>(), plan, runs_scripts, cache)?;
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

/// Checks that the layers of a function have the data that its code names, where rules omit data of a layer.
///
/// # Errors
/// A layer omits such data, or a file cannot be read.
pub(crate) fn check_layers<'a>(
    function: &[InstalledDistribution],
    layers: impl Iterator<Item = (&'a str, &'a [InstalledDistribution<'a>])>,
    plan: &Plan,
    cache: &Cache,
) -> Result<(), BuildError> {
    let omits = |distribution: &&InstalledDistribution| {
        distribution.slimmed.keys().any(|rule| DataLibrary::of(*rule).is_some())
    };
    let omitting: Vec<_> = layers
        .flat_map(|(layer, all)| all.iter().filter(omits).map(move |distribution| (layer, distribution)))
        .collect();
    if omitting.is_empty() {
        return Ok(());
    }
    let wheels = function.iter().map(|distribution| (distribution.selected, &distribution.wheel));
    let uses = named_data::named(&wheels.collect::<Vec<_>>(), plan, false, cache)?;
    for (named, (layer, distribution)) in uses.iter().flat_map(|named| omitting.iter().map(move |at| (named, at))) {
        let (Some(library), Some(name)) = (DataLibrary::of(named.rule), &named.name) else { continue };
        let normalized = library.normalized(name);
        let is_omitted = distribution.changes.omitted.iter().any(|position| {
            let path = &distribution.wheel.inventory.files[*position].path;
            DataFile::of(path).is_some_and(|file| file.rule == named.rule && file.is_named(&normalized))
        });
        if is_omitted {
            let (rule, name, location) = (named.rule, name.clone(), named.location.clone());
            return Err(DataError::OmittedByLayer { rule, name, location, layer: (*layer).to_owned() }.into());
        }
    }
    Ok(())
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
        uses: &[NamedData],
        listed: Option<&BTreeSet<String>>,
    ) -> Result<BTreeMap<String, String>, DataError> {
        let rule = library.rule;
        let (mut kept, mut computed) = (BTreeMap::new(), Vec::new());
        let mut keep = |name: &str, reason: &str| {
            for name in library.with_inherited(name) {
                kept.entry(name).or_insert_with(|| reason.to_owned());
            }
        };
        for named in uses.iter().filter(|named| named.rule == rule) {
            match named.name.as_ref().map(|name| self.find(library, name)) {
                Some(Some(name)) => keep(&name, &named.location.to_string()),
                // An alias such as `iw`, which only Babel resolves.
                Some(None) if rule != SlimRule::Locales => {}
                _ => computed.push(named.location.clone()),
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
