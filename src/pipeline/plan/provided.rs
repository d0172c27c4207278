//! What is excluded because the runtime provides it: the SDK and what only the SDK requires.
//!
//! The runtime's versions depend on each other, so the SDK is excluded as a whole or not at all. What others require, too, is
//! excluded only if the runtime's version satisfies them; AWS does not publish versions and updates them, so a profile
//! states the least that the runtime has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pep440_rs::Version;

use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::lock::{Dependent, LockedWheel, SelectedDistribution, SelectedSource};
use crate::marker::{ActiveExtras, Requirement, VersionOrUrl};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::plan::ExcludedDistribution;
use crate::platform::TargetPlatform;
use crate::project::pyproject::FILENAME;
use crate::report::Reporter;

/// The distributions of the SDK itself.
const SDK: [&str; 3] = ["boto3", "botocore", "s3transfer"];

/// Returns the Requires-Dist of wheels; `None` where they are not known.
type RequirementReader<'a> = dyn Fn(&[LockedWheel]) -> Result<Vec<Option<Vec<String>>>, BuildError> + 'a;

/// What a runtime provides, and how to find out what wheels require.
pub(crate) struct RuntimeSdk<'a> {
    pub distributions: &'a [DistributionName],
    /// The least versions of some of them.
    pub versions: &'a BTreeMap<DistributionName, Version>,
    pub requires: &'a RequirementReader<'a>,
}

/// A requirement that the runtime is not known to satisfy.
struct Unsatisfied {
    required_by: DistributionName,
    /// `None` if what it requires is not known.
    requirement: Option<String>,
}

/// Removes the distributions that the runtime provides from a selection, and returns them. Warns if the SDK is selected
/// and stays.
///
/// # Errors
/// The metadata of a wheel cannot be fetched.
pub(super) fn exclude(
    selected: &mut Vec<SelectedDistribution>,
    runtime: &RuntimeSdk,
    target: &TargetPlatform,
    reporter: &dyn Reporter,
) -> Result<Vec<ExcludedDistribution>, BuildError> {
    let mut excluded = closure(selected, runtime);
    let requirements = Requirements::read(selected, &excluded, runtime, target)?;
    loop {
        let unsatisfied = excluded.iter().find_map(|name| {
            Some((name.clone(), requirements.unsatisfied(name, &excluded, runtime.versions.get(name))?))
        });
        let Some((name, Unsatisfied { required_by, requirement })) = unsatisfied else { break };
        if SDK.contains(&name.as_str()) {
            let requires = requirement.unwrap_or_else(|| format!("{name} in a version that is not known"));
            let assumed = runtime.versions.get(&name).map(|version| format!(" {version}")).unwrap_or_default();
            reporter.warn(&format!(
                "{required_by} requires {requires}, and {} is only known to have {name}{assumed} or later: the SDK is bundled",
                target.name
            ));
            return Ok(Vec::new());
        }
        excluded.remove(&name);
    }
    let removed = selected.extract_if(.., |selected| excluded.contains(&selected.name)).map(|selected| {
        let assumed = runtime.versions.get(&selected.name).map(|version| format!(", in version {version} or later"));
        ExcludedDistribution {
            reason: format!("provided by {}{}", target.name, assumed.unwrap_or_default()),
            name: selected.name,
            version: selected.version,
            layer: None,
        }
    });
    Ok(removed.collect())
}

/// Returns the selected distributions of the SDK, and those that it requires; all that are provided, for a profile whose
/// runtime has no SDK.
fn closure(selected: &[SelectedDistribution], runtime: &RuntimeSdk) -> BTreeSet<DistributionName> {
    let provided: Vec<&SelectedDistribution> =
        selected.iter().filter(|selected| runtime.distributions.contains(&selected.name)).collect();
    if !runtime.distributions.iter().any(|name| SDK.contains(&name.as_str())) {
        return provided.into_iter().map(|selected| selected.name.clone()).collect();
    }
    let of_sdk = provided.iter().filter(|selected| SDK.contains(&selected.name.as_str()));
    let mut closure: BTreeSet<DistributionName> = of_sdk.map(|selected| selected.name.clone()).collect();
    if closure.is_empty() {
        return closure;
    }
    loop {
        let before = closure.len();
        for selected in &provided {
            // A requirements file does not tell who requires what it pins.
            let is_required = selected.required_by.iter().any(|dependent| match dependent {
                Dependent::Distribution(name, _) => closure.contains(name),
                Dependent::Root | Dependent::File(_) => true,
                Dependent::Group(..) => false,
            });
            if is_required {
                closure.insert(selected.name.clone());
            }
        }
        if closure.len() == before {
            return closure;
        }
    }
}

/// What the distributions require that may require something of the runtime.
struct Requirements {
    /// The applicable requirements of each distribution; `None` if they are not known.
    known: BTreeMap<DistributionName, Option<Vec<Requirement>>>,
    /// Who may require a distribution.
    dependents: BTreeMap<DistributionName, BTreeSet<DistributionName>>,
}

impl Requirements {
    fn read(
        selected: &[SelectedDistribution],
        provided: &BTreeSet<DistributionName>,
        runtime: &RuntimeSdk,
        target: &TargetPlatform,
    ) -> Result<Self, BuildError> {
        let mut dependents: BTreeMap<DistributionName, BTreeSet<DistributionName>> = BTreeMap::new();
        let (mut extras, mut groups) = (BTreeMap::<_, BTreeSet<String>>::new(), BTreeMap::<_, BTreeSet<String>>::new());
        for distribution in selected.iter().filter(|selected| provided.contains(&selected.name)) {
            let of = dependents.entry(distribution.name.clone()).or_default();
            for dependent in &distribution.required_by {
                match dependent {
                    Dependent::Distribution(name, extra) => {
                        of.insert(name.clone());
                        extras.entry(name.clone()).or_default().extend(extra.iter().map(ToString::to_string));
                    }
                    Dependent::Group(name, group) => {
                        of.insert(name.clone());
                        groups.entry(name.clone()).or_default().insert(group.to_string());
                    }
                    Dependent::Root | Dependent::File(_) => of.extend(selected.iter().map(|other| other.name.clone())),
                }
            }
        }
        let asked: BTreeSet<&DistributionName> = dependents.values().flatten().collect();
        let asked: Vec<&SelectedDistribution> =
            selected.iter().filter(|selected| asked.contains(&selected.name)).collect();
        let wheels: Vec<LockedWheel> = asked.iter().filter_map(|selected| wheel(selected).cloned()).collect();
        let mut of_wheels = (runtime.requires)(&wheels)?.into_iter();
        let environment = target.marker_environment();
        let mut known = BTreeMap::new();
        for distribution in asked {
            let (name, none) = (&distribution.name, BTreeSet::new());
            let (extras, groups) = (extras.get(name).unwrap_or(&none), groups.get(name).unwrap_or(&none));
            let texts = match &distribution.source {
                SelectedSource::Wheel(..) => of_wheels.next().flatten(),
                SelectedSource::Directory(directory) | SelectedSource::Virtual(directory) => {
                    declared(directory, extras, groups)
                }
                SelectedSource::Sdist(_) | SelectedSource::Git(_) => None,
            };
            let active = ActiveExtras { extras: extras.clone(), groups: groups.clone() };
            let requirements = texts.map(|texts| {
                let parsed = texts.iter().filter_map(|text| text.parse::<Requirement>().ok());
                let applies = |requirement: &Requirement| {
                    requirement.marker.as_ref().is_none_or(|marker| marker.evaluate(&environment, &active))
                };
                parsed.filter(applies).collect()
            });
            known.insert(name.clone(), requirements);
        }
        Ok(Self { known, dependents })
    }

    /// Returns a requirement of a distribution that stays, which the runtime's version is not known to satisfy.
    fn unsatisfied(
        &self,
        name: &DistributionName,
        excluded: &BTreeSet<DistributionName>,
        version: Option<&Version>,
    ) -> Option<Unsatisfied> {
        let staying = self.dependents.get(name)?.iter().filter(|dependent| !excluded.contains(*dependent));
        for dependent in staying {
            let Some(Some(requirements)) = self.known.get(dependent) else {
                return Some(Unsatisfied { required_by: dependent.clone(), requirement: None });
            };
            let of_name = requirements.iter().filter(|requirement| requirement.name == *name);
            for requirement in of_name {
                let is_satisfied = match (&requirement.constraint, version) {
                    (VersionOrUrl::Any, _) => true,
                    (VersionOrUrl::Specifiers(specifiers), Some(version)) => specifiers.contains(version),
                    // The profile does not say.
                    (VersionOrUrl::Specifiers(_), None) => true,
                    (VersionOrUrl::Url(_), _) => false,
                };
                if !is_satisfied {
                    let requirement = match &requirement.constraint {
                        VersionOrUrl::Specifiers(specifiers) => format!("{name} {specifiers}"),
                        _ => format!("another {name}"),
                    };
                    return Some(Unsatisfied { required_by: dependent.clone(), requirement: Some(requirement) });
                }
            }
        }
        None
    }
}

fn wheel(selected: &SelectedDistribution) -> Option<&LockedWheel> {
    match &selected.source {
        SelectedSource::Wheel(wheel, _) => Some(wheel),
        _ => None,
    }
}

/// Returns the requirements that a project declares in pyproject.toml, with those of extras and groups; `None` if they are
/// dynamic or not declared in `[project]`.
fn declared(directory: &Path, extras: &BTreeSet<String>, groups: &BTreeSet<String>) -> Option<Vec<String>> {
    let text = limited_reader::read_regular_text(&directory.join(FILENAME), LARGEST_PROJECT_FILE).ok()?;
    let document: toml::Table = toml::from_str(&text).ok()?;
    let project = document.get("project")?;
    let is_dynamic = project.get("dynamic").and_then(toml::Value::as_array);
    if is_dynamic.is_some_and(|keys| keys.iter().any(|key| key.as_str() == Some("dependencies"))) {
        return None;
    }
    let optional = extras.iter().filter_map(|extra| project.get("optional-dependencies")?.get(extra));
    let grouped = groups.iter().filter_map(|group| document.get("dependency-groups")?.get(group));
    let lists =
        project.get("dependencies").into_iter().chain(optional).chain(grouped).filter_map(toml::Value::as_array);
    Some(lists.flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect())
}
