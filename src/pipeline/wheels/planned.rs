//! What a plan, which fetches no wheel, can refuse as the build would: by cached wheels, by the metadata that an index
//! serves ([PEP 658](https://peps.python.org/pep-0658/)), and by what would build sources.

use std::path::Path;

use crate::cache::Cache;
use crate::fetch::{DownloadOptions, Fetcher};
use crate::index::FileFinder;
use crate::lock::SelectedSource;
use crate::pipeline::BuildError;
use crate::pipeline::plan::{Plan, indexes};
use crate::pipeline::wheels::from_source::{BuildJob, SourceBuilder};
use crate::pipeline::wheels::requires_python::{self, StatedPython};
use crate::pipeline::wheels::{compatibility, completeness, violations};
use crate::project::declared::declared_requirements;
use crate::report::Reporter;
use crate::settings::Settings;
use crate::wheel::{self, Wheel, WheelRequirements};

/// Checks what is known of the wheels of a plan.
///
/// # Errors
/// The build would fail: a distribution is required and not pinned, a wheel does not support the target's Python or breaks
/// the specification, or a source cannot be built for the target. Or an index cannot be asked.
pub(crate) fn check(
    plan: &Plan,
    settings: &Settings,
    fetch: &DownloadOptions,
    finder: &FileFinder,
    cache: &Cache,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    let mut wheels: Vec<Wheel> = Vec::new();
    let (mut known, mut unknown, mut jobs) = (Vec::new(), Vec::new(), Vec::new());
    for selected in plan.installed() {
        let SelectedSource::Wheel(wheel, _) = &selected.source else {
            BuildJob { selected, python: plan.target.python }.position_in(&mut jobs);
            // As far as pyproject.toml declares them: only a build tells the rest.
            let requires = match &selected.source {
                SelectedSource::Directory(directory) => declared_requirements(directory).unwrap_or_default(),
                _ => Vec::new(),
            };
            known.push((selected, WheelRequirements { requires, requires_python: None }));
            continue;
        };
        match wheel.digest().map(|digest| cache.wheel(digest, &wheel.filename)).transpose()?.flatten() {
            Some(wheel) => {
                let (requires, requires_python) =
                    (wheel.inventory.requires.clone(), wheel.inventory.requires_python.clone());
                known.push((selected, WheelRequirements { requires, requires_python }));
                wheels.push(wheel);
            }
            None => unknown.push((selected, wheel)),
        }
    }
    violations::check(wheels.iter(), &settings.contents.accept_invalid, reporter)?;
    // Locks with a graph are complete, and their tools have compared the metadata with the lock's Python.
    if plan.project.lock.extras_without_graph(&plan.target).is_some() {
        let asked: Vec<_> = unknown.iter().map(|(_, wheel)| wheel.as_ref().clone()).collect();
        for ((selected, _), metadata) in unknown.into_iter().zip(finder.metadata(&asked)?) {
            let requirements = metadata.and_then(|text| wheel::requirements(&text).ok());
            known.push((selected, requirements.unwrap_or_default()));
        }
    }
    let stated = known.iter().filter_map(|(selected, requirements)| match &selected.source {
        SelectedSource::Wheel(wheel, _) => {
            Some(StatedPython { wheel: &wheel.filename, requires_python: requirements.requires_python.as_deref() })
        }
        _ => None,
    });
    requires_python::check(stated, &plan.target, reporter)?;
    let requires = known.iter().map(|(selected, requirements)| (*selected, requirements.requires.as_slice()));
    completeness::check_known(plan, requires, settings, reporter)?;
    check_builds(plan, &jobs, settings, fetch, cache)
}

/// Checks that sources can be built for the target.
fn check_builds(
    plan: &Plan,
    jobs: &[BuildJob],
    settings: &Settings,
    fetch: &DownloadOptions,
    cache: &Cache,
) -> Result<(), BuildError> {
    let indexes = indexes::of_build_requirements(settings, plan.project)?;
    let (fetcher, root) = (&Fetcher::new(fetch.clone()), plan.project.workspace.root.as_path());
    let (outputs, directory) = (Vec::new(), Path::new(""));
    let builder = SourceBuilder { settings, root, indexes, outputs, fetcher, cache, directory };
    let builders = builder.wheel_builders(jobs)?;
    jobs.iter().try_for_each(|job| compatibility::refuse_in_advance(job, &builders[&job.python].python, &plan.target))
}
