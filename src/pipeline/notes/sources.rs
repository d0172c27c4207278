//! What a build says that it was made from: what is known only once the lock has been read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cache::Cache;
use crate::digest::Sha256;
use crate::lock::{SelectedDistribution, SelectedSource};
use crate::name::DistributionName;
use crate::pipeline::ProjectCache;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::notes::files::FileReader;
use crate::pipeline::notes::inputs::is_in_wheel;
use crate::pipeline::plan::{LockedProject, Plan};
use crate::pipeline::planned_outputs::distributions;
use crate::pipeline::wheels::project_wheels::ProjectWheels;
use crate::platform::PythonVersion;
use crate::settings::{DocumentSettings, Settings};

/// What was built, and from what.
pub(crate) struct BuiltTarget<R> {
    pub(crate) report: R,
    /// `None` if it cannot be told whether a later build would be made from the same.
    pub(crate) sources: Option<BuildSources>,
}

/// What a target was made from, besides its [`TargetInputs`](super::inputs::TargetInputs), and what was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BuildSources {
    /// The digest of the plan; `None` if more of the lock is in the artifact, in a document about it.
    pub(super) plan: Option<Sha256>,
    /// Files that were read or would be: what locks include, wheels and source distributions on this machine, a base. Each
    /// may be missing.
    pub(super) files: BTreeSet<PathBuf>,
    /// The environment variables that the lock refers to.
    variables: BTreeSet<String>,
    projects: Vec<BuiltProject>,
    /// Whether source distributions or commits were built, which the tools of this machine decide as well.
    builds_archives: bool,
    python: PythonVersion,
    /// Whether sources are compiled if nothing else is requested.
    compiles_by_default: bool,
    /// The base whose reference may stand for another one tomorrow, and the digest that it had.
    pub(super) moving_base: Option<(String, Sha256)>,
    pub(super) outputs: Vec<WrittenOutput>,
}

/// A local project and the wheel that it was built into.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct BuiltProject {
    name: DistributionName,
    directory: PathBuf,
    /// Whether it is what the user asked for.
    is_root: bool,
    wheel: Sha256,
}

/// A file or a directory that was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WrittenOutput {
    pub(crate) path: PathBuf,
    /// The digest of a file, if it was computed.
    pub(crate) digest: Option<Sha256>,
}

impl BuildSources {
    /// Returns the sources of a build; `None` if they do not decide its result: commands of the project ran, an index decides
    /// which files are meant, or documents state the commits of local projects, which need not change with their files.
    pub(crate) fn of<'a>(
        settings: &Settings,
        documents: &DocumentSettings,
        project: &LockedProject,
        (plans, reason): (&[Plan], &str),
        installed: impl Iterator<Item = &'a InstalledDistribution<'a>>,
        compiles_by_default: bool,
    ) -> Option<Self> {
        let is_repeatable = settings.prepare.is_empty()
            && settings.wheel_dir.is_none()
            && !settings.requirements.resolve
            && project.is_locked_by_files
            && (!is_in_wheel(settings, project.member(settings))
                || plans.iter().all(|plan| plan.application.is_empty()))
            && plans.iter().all(|plan| plan.is_decided);
        let first = plans.first().filter(|_| is_repeatable)?;
        let mut files: BTreeSet<PathBuf> = project.lock_reads.all().into_iter().collect();
        files.retain(|file| !project.paths.contains(file));
        for plan in plans {
            files.extend(distributions(plan));
            // A script is one of the application's files, and a pyproject.toml beside it is not its own.
            let declaring = plan.selected.iter().filter(|_| project.workspace.script().is_none());
            files.extend(declaring.filter_map(virtual_directory).map(|directory| directory.join("pyproject.toml")));
        }
        let has_documents = documents.sbom.is_some() || documents.provenance;
        if has_documents && plans.iter().any(|plan| plan.projects().next().is_some()) {
            return None;
        }
        let builds_archives = plans
            .iter()
            .flat_map(Plan::installed)
            .any(|selected| matches!(selected.source, SelectedSource::Sdist(_) | SelectedSource::Git(_)));
        let mut projects: Vec<BuiltProject> = Vec::new();
        for InstalledDistribution { selected, wheel, .. } in installed {
            if let SelectedSource::Directory(directory) = &selected.source
                && !projects.iter().any(|known| known.name == selected.name)
            {
                projects.push(BuiltProject {
                    name: selected.name.clone(),
                    directory: directory.clone(),
                    is_root: selected.is_root(),
                    wheel: wheel.sha256,
                });
            }
        }
        Some(Self {
            plan: (!has_documents).then(|| plan_digest(plans, reason)),
            files,
            variables: project.lock_reads.variables.clone(),
            projects,
            builds_archives,
            python: first.target.python,
            compiles_by_default,
            moving_base: None,
            outputs: Vec::new(),
        })
    }

    /// Adds the sources of a layer that the target runs with.
    pub(crate) fn with_layer(mut self, layer: Self) -> Self {
        self.plan = self.plan.zip(layer.plan).map(|(own, of_layer)| with_layer(own, of_layer));
        self.files.extend(layer.files);
        self.variables.extend(layer.variables);
        self.builds_archives |= layer.builds_archives;
        for project in layer.projects {
            if !self.projects.iter().any(|known| known.name == project.name) {
                self.projects.push(project);
            }
        }
        self
    }

    /// Adds the files of a base, or the digest that its reference stands for.
    pub(crate) fn with_base(mut self, files: Vec<PathBuf>, moving: Option<(String, Sha256)>) -> Self {
        self.files.extend(files);
        self.moving_base = moving;
        self
    }

    /// Sets what was written.
    pub(crate) fn with_outputs(mut self, outputs: Vec<WrittenOutput>) -> Self {
        self.outputs = outputs;
        self
    }

    /// Reads what is there now; `None` if a local project would be built into another wheel, or the cache does not know into
    /// which.
    pub(super) fn read(
        &self,
        settings: &Settings,
        reader: &mut FileReader,
        (cache, projects, wheels): (&Cache, &ProjectCache, &ProjectWheels),
    ) -> Option<()> {
        for file in &self.files {
            reader.file(file).ok()?;
        }
        for name in &self.variables {
            reader.text(&format!("{name}={:?}", settings.environment.references.get(name)));
        }
        let outputs: Vec<PathBuf> = self.outputs.iter().filter_map(|output| output.path.canonicalize().ok()).collect();
        for project in &self.projects {
            let source = (&project.name, project.directory.as_path());
            if wheels.of_directory(source, self.python, &outputs, settings, cache) != Some(project.wheel) {
                return None;
            }
        }
        if self.builds_archives {
            reader.text(&wheels.environment(settings, self.python, cache)?);
        }
        // A build warns of them.
        let others: Vec<&Path> =
            self.projects.iter().filter(|project| !project.is_root).map(|project| &*project.directory).collect();
        if !others.is_empty() {
            let (workspace, _) = projects.workspace(&settings.project).ok()?;
            reader.text(&format!("{:?}", wheels.have_changes(&others, &workspace)));
        }
        let bytecode = Bytecode::find(settings, self.python, self.compiles_by_default, cache).ok()?;
        reader.text(&format!("{:?}", bytecode.key()));
        Some(())
    }
}

/// Returns the digest of all that plans decide: what is selected of the lock and excluded, and for what, for this reason. The
/// application's files are inputs themselves.
pub(crate) fn plan_digest(plans: &[Plan], reason: &str) -> Sha256 {
    let mut text = reason.to_owned();
    for plan in plans.iter().flat_map(Plan::stages) {
        text.push_str(&format!("\n{}\n{:?}\n{:?}\n{:?}", plan.name(), plan.target, plan.selected, plan.excluded));
        // What they included until now may be a file of the application.
        text.push_str(&format!("\n{:?}", plan.project.lock_reads.all()));
    }
    Sha256::of(text.as_bytes())
}

/// Returns the digest of a plan and of that of a layer that the target runs with.
pub(crate) fn with_layer(plan: Sha256, layer: Sha256) -> Sha256 {
    Sha256::of(format!("{}\n{}", plan.hex(), layer.hex()).as_bytes())
}

/// Returns the directory of a project that is no package.
fn virtual_directory(selected: &SelectedDistribution) -> Option<&Path> {
    match &selected.source {
        SelectedSource::Virtual(directory) => Some(directory),
        _ => None,
    }
}
