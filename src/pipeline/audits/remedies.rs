//! Suggests what to do about a missing module, as far as the lock and the project's directory tell.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::Audited;
use crate::audit::imports::MissingModule;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::lock::{Lock, SelectionRequest};
use crate::name::DistributionName;

/// Finds suggestions for modules that are not in the artifact.
pub(super) struct Remedies<'a> {
    audited: &'a Audited<'a>,
    /// What each flag would select in addition; computed when it is first needed.
    offers: Option<Vec<Offer>>,
}

/// A flag, and what it would select in addition.
struct Offer {
    flag: String,
    /// What the flag selects, for messages: `extra x` or `group x`.
    what: String,
    distributions: BTreeSet<DistributionName>,
}

impl<'a> Remedies<'a> {
    /// Reads nothing yet.
    pub(super) fn new(audited: &'a Audited<'a>) -> Self {
        Self { audited, offers: None }
    }

    /// Adds a suggestion for a missing module.
    pub(super) fn add(&mut self, missing: &mut MissingModule) {
        if let Some(remedy) = self.in_project(&missing.module) {
            missing.remedies.insert(0, remedy);
            return;
        }
        let candidates: Vec<DistributionName> =
            missing.distributions.iter().filter_map(|name| name.parse().ok()).collect();
        let found = candidates.iter().find_map(|name| self.excluded(name).or_else(|| self.offered(name)));
        let found = found.or_else(|| candidates.iter().find_map(|name| self.in_other_files(name)));
        let found = found.or_else(|| candidates.iter().find_map(|name| self.installed(name, &missing.module)));
        match found {
            Some(remedy) => missing.remedies.insert(0, remedy),
            // An earlier suggestion already says what the module is likely to be.
            None if missing.remedies.is_empty() => {
                missing.remedies.extend(candidates.first().map(|name| self.add_it(name)))
            }
            None => {}
        }
    }

    /// Suggests how to include a module whose file is in the project.
    fn in_project(&self, module: &str) -> Option<String> {
        let workspace = &self.audited.plan.project.workspace;
        let directories = workspace.members.iter().map(|member| (member, workspace.directory(member)));
        let below = module.replace('.', "/");
        for (member, directory) in directories {
            for source in ["", "src"] {
                let stem = directory.join(source).join(&below);
                let is_there = stem.with_added_extension("py").is_file() || stem.join("__init__.py").is_file();
                if !is_there {
                    continue;
                }
                let is_current = member.path == workspace.current().path;
                return Some(match &member.pyproject.name {
                    Some(name) if !is_current => format!(
                        "`{module}` belongs to the workspace member {name}, which no selected distribution requires: add it to the dependencies"
                    ),
                    _ => {
                        let path = Path::new(source).join(&below);
                        let path = if stem.is_dir() { path } else { path.with_added_extension("py") };
                        format!("{} is not in the artifact: include it with --include", path.display())
                    }
                });
            }
        }
        None
    }

    /// Explains that the user excluded the distribution.
    fn excluded(&self, name: &DistributionName) -> Option<String> {
        let request = &self.audited.settings.request;
        if request.no_install_packages.contains(name) {
            return Some(format!("{name} is excluded by --no-install-package"));
        }
        let excluded = self.audited.plan.excluded.iter().find(|excluded| excluded.name == *name)?;
        Some(format!("{name} is excluded: {}", excluded.reason))
    }

    /// Suggests the extra or group that the lock has the distribution for.
    fn offered(&mut self, name: &DistributionName) -> Option<String> {
        let audited = self.audited;
        let offers = self.offers.get_or_insert_with(|| offers(audited));
        let offer = offers.iter().find(|offer| offer.distributions.contains(name))?;
        let Offer { flag, what, .. } = offer;
        Some(format!("{name} is only locked for the {what}: move it to the project's dependencies, or pass {flag}"))
    }

    /// Suggests the other requirements file that lists the distribution.
    fn in_other_files(&self, name: &DistributionName) -> Option<String> {
        let plan = self.audited.plan;
        let (Lock::Requirements(_), Some(path)) = (&*plan.project.lock, plan.project.path.as_deref()) else {
            return None;
        };
        let directory = path.parent()?;
        let mut others = requirements_in(directory).into_iter().filter(|other| other != path);
        let other = others.find(|other| lists(other, name))?;
        let shown = other.strip_prefix(directory).unwrap_or(&other).display();
        Some(format!("{name} is in {shown}, but not in {}: add it to the latter", path.file_name()?.to_string_lossy()))
    }

    /// Explains that the distribution is in the artifact but does not contain the module.
    fn installed(&self, name: &DistributionName, module: &str) -> Option<String> {
        let selected = self.audited.plan.installed().find(|selected| selected.name == *name)?;
        let version = selected.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        Some(format!("{name}{version} is in the artifact, but does not contain `{module}`"))
    }

    /// Suggests how to add a distribution to the lock.
    fn add_it(&self, name: &DistributionName) -> String {
        let plan = self.audited.plan;
        match &*plan.project.lock {
            Lock::Uv(_) => format!("if it belongs to the distribution {name}, add it with `uv add {name}`"),
            Lock::Poetry(_) => format!("if it belongs to the distribution {name}, add it with `poetry add {name}`"),
            Lock::Pylock(_) => {
                format!("if it belongs to the distribution {name}, add it to the dependencies and lock again")
            }
            Lock::Requirements(_) => {
                let file = plan.project.path.as_deref().and_then(Path::file_name);
                let file = file.map_or("requirements.txt".into(), OsStr::to_string_lossy);
                format!("if it belongs to the distribution {name}, add it to {file}")
            }
        }
    }
}

/// Computes what each extra and each group of the lock would select in addition.
fn offers(audited: &Audited) -> Vec<Offer> {
    let plan = audited.plan;
    let (request, directory) = (&audited.settings.request, &plan.project.workspace.current().path);
    let choices = plan.project.lock.extras_and_groups(request, directory);
    let extras = choices.extras.iter().map(|extra| {
        let extras = request.extras.iter().chain([extra]).cloned().collect();
        (format!("--extra {extra}"), format!("extra `{extra}`"), SelectionRequest { extras, ..request.clone() })
    });
    let groups = choices.groups.iter().map(|group| {
        let groups = request.groups.iter().chain([group]).cloned().collect();
        (format!("--group {group}"), format!("group `{group}`"), SelectionRequest { groups, ..request.clone() })
    });
    let selected: BTreeSet<_> = plan.selected.iter().map(|selected| &selected.name).collect();
    let offers = extras.chain(groups).filter_map(|(flag, what, request)| {
        // A flag whose selection fails would not help.
        let selection = plan.project.lock.select(&request, directory, &plan.target).ok()?;
        let names = selection.distributions.into_iter().map(|pinned| pinned.name);
        Some(Offer { flag, what, distributions: names.filter(|name| !selected.contains(name)).collect() })
    });
    offers.collect()
}

/// Returns the requirements files in a directory, ordered by name.
fn requirements_in(directory: &Path) -> Vec<PathBuf> {
    let inner = directory.join("requirements");
    let mut files: Vec<PathBuf> = [directory, &inner]
        .into_iter()
        .filter_map(|directory| std::fs::read_dir(directory).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt" || extension == "in"))
        .collect();
    files.sort();
    files
}

/// Tells whether a requirements file lists a distribution.
fn lists(file: &Path, name: &DistributionName) -> bool {
    limited_reader::read_regular_text(file, LARGEST_PROJECT_FILE)
        .is_ok_and(|text| text.lines().any(|line| DistributionName::of_requirement(line).as_ref() == Some(name)))
}
