//! Builds several targets in parallel with one cache: what they share is fetched and read once.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use crate::digest::Sha256;
use crate::pipeline::image::registry_state::{BaseDigests, is_pushed};
use crate::pipeline::notes::{BegunTarget, BuildSources, BuiltTarget, NotedTarget, Notes, UnchangedTarget};
use crate::pipeline::threads::in_threads;
use crate::pipeline::{BuildError, ProjectCache, image, lambda, planned_outputs};
use crate::redact;
use crate::report::{BuiltArtifact, Phase, Reporter, TargetPlan, Task};
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
            Self::Lambda(settings) => {
                TargetPlan::Lambda(lambda::plan(settings, lambda::PlanPurpose::Build, projects, reporter)?)
            }
            Self::Image(settings) => TargetPlan::Image(image::plan_image(settings, None, projects, reporter)?),
        })
    }

    fn build(
        &self,
        projects: &ProjectCache,
        reporter: &dyn Reporter,
    ) -> Result<(BuiltArtifact, Option<BuildSources>), BuildError> {
        Ok(match self {
            Self::Lambda(settings) => {
                let BuiltTarget { report, sources } = lambda::lambda(settings, projects, reporter)?;
                (BuiltArtifact::Lambda(report), sources)
            }
            Self::Image(settings) => {
                let BuiltTarget { report, sources } = image::image(settings, projects, reporter)?;
                (BuiltArtifact::Image(report), sources)
            }
        })
    }

    /// Returns what identifies the target and decides what it is built into.
    fn noted(&self) -> NotedTarget<'_> {
        let (identity, is_image, documents) = match self {
            Self::Lambda(settings) => (settings.identity(), false, &settings.documents),
            Self::Image(settings) => (settings.identity(), true, &settings.documents),
        };
        let states_revision = is_image || documents.sbom.is_some() || documents.provenance;
        let layers = match self {
            Self::Lambda(settings) => settings.layers.iter().map(|layer| &layer.common).collect(),
            Self::Image(_) => Vec::new(),
        };
        NotedTarget { settings: self.common(), layers, identity, outputs: self.outputs(), states_revision }
    }

    /// Returns the files and directories that the target is written to, as far as they are known in advance.
    fn outputs(&self) -> Vec<PathBuf> {
        match self {
            Self::Lambda(settings) => {
                let named = settings.output.iter().chain(&settings.layer).map(|output| output.path().to_owned());
                let default = self.default_output("zip").filter(|_| settings.output.is_none());
                named.chain(default).collect()
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
/// Two targets have the same output, or one is in that of another.
pub(crate) fn check_outputs<'a>(targets: impl Iterator<Item = &'a Target>) -> Result<(), BuildError> {
    let named = targets.flat_map(|target| {
        let name = target.common().target.as_deref();
        target.outputs().into_iter().map(move |output| (output, name))
    });
    let named: Vec<(PathBuf, Option<&str>)> = named.collect();
    planned_outputs::check_distinct(named.iter().map(|(output, name)| (output.as_path(), *name)))
}

/// How targets are built.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TargetBuildOptions {
    /// How many targets are built at a time, if not as many as the machine has processors.
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Whether targets of which nothing changed are built, too.
    pub(crate) rebuild: bool,
}

/// What came of a target that did not fail.
pub(crate) struct TargetResult {
    pub(crate) artifact: BuiltArtifact,
    /// Whether it was built before, and nothing that it was made from has changed since.
    pub(crate) is_unchanged: bool,
}

/// Builds targets, several at a time; a failing target does not stop the others.
///
/// `reporter` creates the reporter of the target at a position, and `outcome` makes of it and of the result what is returned,
/// in the order of the targets.
pub(crate) fn build_all<R: Reporter, T: Send>(
    targets: &[&Target],
    projects: &ProjectCache,
    options: TargetBuildOptions,
    reporter: impl Fn(usize) -> R + Sync,
    outcome: impl Fn(R, Result<TargetResult, BuildError>) -> T + Sync,
) -> Vec<T> {
    // The revision is read first: outputs that are written would make the work tree dirty.
    let images = targets.iter().filter(|target| matches!(target, Target::Image(_)));
    for image in images {
        if let Ok((workspace, revision)) = projects.workspace(&image.common().project) {
            revision.revision(&workspace.root);
        }
    }
    let notes = Notes::open(targets.first().map(|target| &target.common().cache), projects);
    let run = TargetRun { projects, notes, bases: BaseDigests::default(), rebuild: options.rebuild };
    let jobs = options.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from);
    let outcomes = in_threads(jobs, targets.len(), |position| {
        let reporter = reporter(position);
        let result = run.result(targets[position], &reporter);
        outcome(reporter, result)
    });
    run.notes.finish();
    outcomes
}

/// What the targets of a run share.
struct TargetRun<'a> {
    projects: &'a ProjectCache,
    notes: Notes<'a>,
    bases: BaseDigests,
    rebuild: bool,
}

impl<'a> TargetRun<'a> {
    /// Builds a target, unless nothing has changed since it was built.
    fn result(&self, target: &'a Target, reporter: &dyn Reporter) -> Result<TargetResult, BuildError> {
        let begun = self.notes.begin(target.noted());
        if let Some(begun) = begun.as_ref().filter(|_| !self.rebuild)
            && let Some(artifact) = self.unchanged(target, begun, reporter)
        {
            return Ok(TargetResult { artifact, is_unchanged: true });
        }
        let recording = RecordingReporter { reporter, warnings: Mutex::default() };
        let (artifact, sources) = target.build(self.projects, &recording)?;
        if let (Some(begun), Some(sources)) = (begun, sources) {
            let warnings = recording.warnings.into_inner().unwrap_or_default();
            self.notes.built(begun, sources, &artifact, warnings);
        }
        Ok(TargetResult { artifact, is_unchanged: false })
    }

    /// Returns what was built before if nothing has changed since, and repeats the warnings.
    fn unchanged(&self, target: &Target, begun: &BegunTarget, reporter: &dyn Reporter) -> Option<BuiltArtifact> {
        let started = Instant::now();
        let UnchangedTarget { mut artifact, warnings } = self.notes.unchanged(
            begun,
            |reference| self.base_digest(target, reference, reporter),
            || self.plan_digest(target),
        )?;
        match (target, &mut artifact) {
            (Target::Lambda(_), BuiltArtifact::Lambda(report)) => {
                report.artifacts.iter_mut().for_each(|artifact| artifact.unchanged = true);
                report.remote_cache = None;
                report.elapsed_seconds = started.elapsed().as_secs_f64();
            }
            (Target::Image(settings), BuiltArtifact::Image(report)) => {
                if settings.push && !is_pushed(settings, report, reporter) {
                    return None;
                }
                report.unchanged.clone_from(&report.outputs);
                report.remote_cache = None;
                report.elapsed_seconds = started.elapsed().as_secs_f64();
            }
            _ => return None,
        }
        warnings.iter().for_each(|warning| reporter.warn(warning));
        Some(artifact)
    }
}

impl TargetRun<'_> {
    /// Returns the digest that the reference of a base stands for now.
    fn base_digest(&self, target: &Target, reference: &str, reporter: &dyn Reporter) -> Option<Sha256> {
        match target {
            Target::Image(settings) => self.bases.find(reference, settings, reporter),
            Target::Lambda(_) => None,
        }
    }

    /// Returns the digest of the plan as it would be made now. If it cannot be made, the build says why.
    fn plan_digest(&self, target: &Target) -> Option<Sha256> {
        let plan = match target {
            Target::Lambda(settings) => lambda::noted_plan(settings, self.projects),
            Target::Image(settings) => image::noted_plan(settings, self.projects),
        };
        plan.ok().flatten()
    }
}

/// Passes everything on, and records what is warned of.
struct RecordingReporter<'a> {
    reporter: &'a dyn Reporter,
    /// Without credentials, as they are kept.
    warnings: Mutex<Vec<String>>,
}

impl Reporter for RecordingReporter<'_> {
    fn start(&self, phase: Phase, total: u64) {
        self.reporter.start(phase, total);
    }

    fn advance(&self, phase: Phase, amount: u64) {
        self.reporter.advance(phase, amount);
    }

    fn finish(&self, phase: Phase) {
        self.reporter.finish(phase);
    }

    fn abandon(&self, phase: Phase) {
        self.reporter.abandon(phase);
    }

    fn begin(&self, task: &Task, since: Instant) {
        self.reporter.begin(task, since);
    }

    fn end(&self, task: &Task, is_done: bool) {
        self.reporter.end(task, is_done);
    }

    fn warn(&self, message: &str) {
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(redact::text(message));
        }
        self.reporter.warn(message);
    }

    fn note(&self, message: &str) {
        self.reporter.note(message);
    }
}
