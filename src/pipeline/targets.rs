//! Builds several targets in parallel with one cache: what they share is fetched and read once.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::pipeline::planned_outputs::resolved;
use crate::pipeline::{BuildError, ProjectCache, image, lambda};
use crate::report::{BuiltArtifact, Reporter, TargetPlan};
use crate::settings::{ImageSettings, LambdaSettings, Settings};

/// A target of `[tool.pybundle]` with its settings.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Lambda(Box<LambdaSettings>),
    Image(Box<ImageSettings>),
}

impl Target {
    /// Returns the settings that both kinds have.
    pub(crate) fn common(&self) -> &Settings {
        match self {
            Self::Lambda(settings) => &settings.common,
            Self::Image(settings) => &settings.common,
        }
    }

    /// Plans the target without fetching a wheel.
    ///
    /// # Errors
    /// See [`plan`](crate::pipeline::plan) and [`plan_image`](crate::pipeline::image::plan_image).
    pub(crate) fn plan(&self, projects: &ProjectCache, reporter: &dyn Reporter) -> Result<TargetPlan, BuildError> {
        Ok(match self {
            Self::Lambda(settings) => TargetPlan::Lambda(lambda::plan(settings, projects, reporter)?),
            Self::Image(settings) => TargetPlan::Image(image::plan_image(settings, projects, reporter)?),
        })
    }

    fn build(&self, projects: &ProjectCache, reporter: &dyn Reporter) -> Result<BuiltArtifact, BuildError> {
        Ok(match self {
            Self::Lambda(settings) => BuiltArtifact::Lambda(lambda::lambda(settings, projects, reporter)?),
            Self::Image(settings) => BuiltArtifact::Image(image::image(settings, projects, reporter)?),
        })
    }

    /// Returns the files and directories that the target is written to, as far as they are known in advance.
    fn outputs(&self) -> Vec<PathBuf> {
        match self {
            Self::Lambda(settings) => {
                let function = settings.output.clone().or_else(|| self.default_output("zip"));
                function.into_iter().chain(settings.layer.clone()).collect()
            }
            Self::Image(settings) if settings.outputs.is_empty() && !settings.push && settings.load.is_none() => {
                self.default_output("tar").into_iter().collect()
            }
            Self::Image(settings) => settings.outputs.iter().map(|output| output.path.clone()).collect(),
        }
    }

    /// Returns the files that the settings name, without the directories of layouts.
    pub(crate) fn files(&self) -> Vec<&Path> {
        match self {
            Self::Lambda(settings) => settings.zips().collect(),
            Self::Image(settings) => settings.archives().collect(),
        }
    }

    /// Returns the default path of the artifact; `None` for a target without a name, as its project has to be read.
    fn default_output(&self, ending: &str) -> Option<PathBuf> {
        let name = self.common().target.clone()?;
        Some(self.common().default_output(|| name, ending))
    }
}

/// Refuses targets that have an output in common.
///
/// # Errors
/// Two targets have the same output.
pub(crate) fn check_outputs<'a>(targets: impl Iterator<Item = &'a Target>) -> Result<(), BuildError> {
    let mut paths = HashSet::new();
    for output in targets.flat_map(Target::outputs) {
        if !paths.insert(resolved(&output)) {
            return Err(BuildError::SameOutput(output));
        }
    }
    Ok(())
}

/// Builds targets, at most `jobs` at a time, or as many as the machine has processors; a failing target does not stop the
/// others.
///
/// `reporter` creates the reporter of the target at a position, and `outcome` makes of it and of the result what is returned,
/// in the order of the targets.
pub(crate) fn build_all<R: Reporter, T: Send>(
    targets: &[&Target],
    projects: &ProjectCache,
    jobs: Option<NonZeroUsize>,
    reporter: impl Fn(usize) -> R + Sync,
    outcome: impl Fn(R, Result<BuiltArtifact, BuildError>) -> T + Sync,
) -> Vec<T> {
    // The revision is read first: outputs that are written would make the work tree dirty.
    let images = targets.iter().filter(|target| matches!(target, Target::Image(_)));
    for image in images {
        if let Ok((workspace, revision)) = projects.workspace(&image.common().project) {
            revision.revision(&workspace.root);
        }
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let workers = jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from).min(targets.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let position = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(target) = targets.get(position)
                {
                    let reporter = reporter(position);
                    let result = target.build(projects, &reporter);
                    let outcome = outcome(reporter, result);
                    if let Ok(mut done) = done.lock() {
                        done.push((position, outcome));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(position, _)| *position);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
