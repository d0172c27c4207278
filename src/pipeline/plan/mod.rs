//! Plans: everything that is known before a file is fetched.

mod application_files;
mod choose;
mod data_size;
mod handler;
pub(crate) mod indexes;
pub(crate) mod lock;
mod lock_check;
mod lock_reads;
mod locked_project;
pub(crate) mod missing_lock;
mod misspelled;
mod named_distributions;
pub(crate) mod offers;
pub(crate) mod prepare;
pub(crate) mod provided;
pub(crate) mod python;
pub(crate) mod requirements_source;
pub(crate) mod resolve;
pub(crate) mod script;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use application_files::{application, included};
pub(crate) use application_files::{application_source, check_included, collect};
pub(crate) use locked_project::{LockedProject, member_of};
use pep440_rs::Version;

use crate::index::FileFinder;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::lock::{PinnedDistribution, SelectedDistribution, SelectedSource};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::plan::provided::RuntimeSdk;
use crate::pipeline::session::Preparation;
use crate::platform::TargetPlatform;
use crate::project::application::Application;
use crate::report::{Reporter, Silent};
use crate::settings::Settings;
use crate::tree::FileContent;

/// What is built for one target platform.
pub(crate) struct Plan<'a> {
    pub project: &'a LockedProject,
    pub target: TargetPlatform,
    /// Ordered by name, without the excluded ones.
    pub selected: Vec<SelectedDistribution>,
    /// The selected distributions that the runtime provides or layers contain.
    pub excluded: Vec<ExcludedDistribution>,
    /// Those of them that layers contain.
    pub in_layers: Vec<SelectedDistribution>,
    /// Whether the lock decides what is installed, or the files on this machine that it names.
    pub is_decided: bool,
    /// The application's files, except those that are built into a wheel.
    pub application: Application,
    /// The outputs of the build, without symbolic links. Earlier ones may exist.
    pub outputs: Vec<PathBuf>,
    /// What the commands of `prepare` did.
    pub prepared: Arc<Preparation>,
    /// The plan of the target that this one extends, all of which is in this one, too.
    pub extends: Option<Box<Self>>,
}

/// A distribution that is selected, but excluded from the artifact.
#[derive(Debug, Clone)]
pub(crate) struct ExcludedDistribution {
    /// The normalized name.
    pub name: DistributionName,
    /// The locked version.
    pub version: Option<Version>,
    /// Why it is excluded.
    pub reason: String,
    /// The layer that contains it, if one does.
    pub layer: Option<String>,
}

impl<'a> Plan<'a> {
    /// Creates a plan without the distributions that the runtime provides.
    ///
    /// # Errors
    /// The lock has nothing compatible with the target, or the application's files cannot be collected.
    pub(crate) fn new(
        project: &'a LockedProject,
        settings: &Settings,
        target: TargetPlatform,
        runtime: Option<&RuntimeSdk>,
        finder: &FileFinder,
        reporter: &dyn Reporter,
    ) -> Result<Self, BuildError> {
        let workspace = &project.workspace;
        let selection = project.selection(settings, &target)?;
        misspelled::warn(project, settings, &target, &selection, reporter);
        let is_decided = selection.distributions.iter().all(PinnedDistribution::is_decided);
        let formats = indexes::formats(settings, project);
        let find_links = &settings.fetch.find_links;
        let chosen = choose::choose(selection, &formats, find_links, &target, finder, reporter);
        let mut selected = chosen.map_err(|error| choose::with_hint(error, &project.lock))?;
        let excluded = match runtime {
            Some(runtime) => provided::exclude(&mut selected, runtime, &target, reporter)?,
            None => Vec::new(),
        };
        let extended = settings.extends.as_deref();
        let extends = extended
            .map(|extended| Self::new(project, extended, target.clone(), runtime, finder, &Silent))
            .transpose()?;
        let application = match &extends {
            Some(extends) => extends.application.clone().and(included(settings, workspace)?)?,
            None if settings.has_application => application(settings, project, &selected, reporter)?,
            None => Application::default(),
        };
        let extends = extends.filter(|extends| extends.lies_below(&selected, reporter)).map(Box::new);
        if selected.is_empty() && application.is_empty() && settings.has_application {
            return Err(BuildError::Empty);
        }
        Ok(Self {
            project,
            target,
            selected,
            excluded,
            in_layers: Vec::new(),
            is_decided,
            application,
            outputs: Vec::new(),
            prepared: Arc::default(),
            extends,
        })
    }

    /// Returns the plans that this one extends, lowest first, and then itself.
    pub(crate) fn stages(&self) -> Vec<&Self> {
        let mut stages: Vec<&Self> = std::iter::successors(Some(self), |plan| plan.extends.as_deref()).collect();
        stages.reverse();
        stages
    }

    /// Tells whether everything in this plan is in the given selection, too; warns if not.
    fn lies_below(&self, selected: &[SelectedDistribution], reporter: &dyn Reporter) -> bool {
        let missing = self.selected.iter().find(|own| {
            SelectedDistribution::find(selected, &own.name).is_none_or(|other| other.version != own.version)
        });
        let Some(missing) = missing else { return true };
        let version = missing.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        reporter.warn(&format!(
            "{}{version} of the extended target is not selected here, so the two targets share no layers",
            missing.name
        ));
        false
    }

    /// Returns the distributions that are not local projects.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = &SelectedDistribution> {
        self.installed().filter(|selected| !is_local_project(selected))
    }

    /// Returns the local projects that are built into wheels, with their directories.
    pub(crate) fn projects(&self) -> impl Iterator<Item = (&SelectedDistribution, &Path)> {
        self.selected.iter().filter_map(|selected| match &selected.source {
            SelectedSource::Directory(directory) => Some((selected, directory.as_path())),
            _ => None,
        })
    }

    /// Returns the names of the local projects that are built into wheels.
    pub(crate) fn project_names(&self) -> BTreeSet<&DistributionName> {
        self.projects().map(|(selected, _)| &selected.name).collect()
    }

    /// Returns everything that is installed: all but projects that are not packages.
    pub(crate) fn installed(&self) -> impl Iterator<Item = &SelectedDistribution> {
        self.selected.iter().filter(|selected| !matches!(selected.source, SelectedSource::Virtual(_)))
    }

    /// Excludes the outputs of earlier builds from the application.
    pub(crate) fn exclude_outputs(&mut self, outputs: impl Iterator<Item = PathBuf>) {
        let outputs: Vec<PathBuf> = outputs.filter_map(|output| output.canonicalize().ok()).collect();
        for files in [&mut self.application.files, &mut self.application.placed_files] {
            files.retain(|(_, entry)| !is_output(&entry.content, &outputs));
        }
        if let Some(extends) = &mut self.extends {
            extends.exclude_outputs(outputs.iter().cloned());
        }
        self.outputs = outputs;
    }

    /// Returns the root project's name, or its directory's if it has none, or a script's.
    pub(crate) fn name(&self) -> String {
        let root = self.selected.iter().find(|selected| selected.is_root());
        let workspace = &self.project.workspace;
        if let Some(stem) = workspace.script().and_then(Path::file_stem) {
            return stem.to_string_lossy().into_owned();
        }
        let name = root.map(|root| &root.name).or(self.project.declared.name.as_ref());
        name.map(ToString::to_string)
            .or_else(|| Some(workspace.root.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_else(|| "bundle".to_owned())
    }
}

/// Tells whether a file is one of the outputs, or below one that is a directory.
fn is_output(content: &FileContent, outputs: &[PathBuf]) -> bool {
    matches!(content, FileContent::File { path, .. } if outputs.iter().any(|output| path.starts_with(output)))
}

/// Tells whether a distribution is built from a directory of the project or of its workspace.
pub(crate) fn is_local_project(selected: &SelectedDistribution) -> bool {
    matches!(selected.source, SelectedSource::Directory(_))
}

pub(crate) fn read(path: &Path) -> Result<String, BuildError> {
    limited_reader::read_regular_text(path, LARGEST_PROJECT_FILE).map_err(BuildError::reading(path))
}
