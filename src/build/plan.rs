//! What is to be built, and why: everything that is known before a file is fetched.

use std::path::{Path, PathBuf};

use super::BuildError;
use super::report;
use crate::lock::{Location, Lock, LockedWheel, Selected, SelectedSource};
use crate::project::application::{self, Application, Excludes};
use crate::project::pyproject::Index;
use crate::project::workspace::{self, Workspace};
use crate::report::{ExcludedReport, PlanReport, Reporter};
use crate::settings::{LambdaSettings, LockCheck, ProfileChoice, Settings};
use crate::target::{Profile, Target};
use crate::tree::Content;

/// What is to be built.
pub struct Plan {
    /// The project and its workspace.
    pub workspace: Workspace,
    /// The lock file.
    pub lock: PathBuf,
    /// The target.
    pub target: Target,
    /// Why it is this target.
    pub reason: String,
    /// The selected distributions that are not left out, ordered by name.
    pub selected: Vec<Selected>,
    /// The selected distributions that are left out.
    pub excluded: Vec<ExcludedReport>,
    /// The application's own files, apart from what is built into a wheel.
    pub application: Application,
}

impl Plan {
    /// Makes a plan.
    ///
    /// # Errors
    /// The project or the lock cannot be read, they do not match, or the lock has nothing that fits the target.
    pub fn new(settings: &Settings, exclude_runtime: bool, reporter: &dyn Reporter) -> Result<Self, BuildError> {
        let workspace = Workspace::discover(&settings.project)?;
        let (target, reason) = target(settings, &workspace)?;
        let path = settings.lock.clone().unwrap_or_else(|| workspace.root.join("uv.lock"));
        let lock = read_lock(&path)?;
        if settings.lock_check == LockCheck::Locked {
            super::projects::check_lock(&lock, &path, &workspace, &settings.environment, reporter)?;
        }
        let mut selected = lock.select(&settings.request, &workspace.current().path, &target)?.distributions;
        for distribution in &mut selected {
            if let SelectedSource::Wheel(wheel) = &mut distribution.source {
                prefer_find_links(wheel, &settings.fetch.find_links);
            }
        }
        let excluded =
            if exclude_runtime { exclude_what_the_runtime_brings(&mut selected, &target) } else { Vec::new() };
        let application = application(settings, &workspace, &selected, reporter)?;
        if selected.is_empty() && application.files.is_empty() {
            return Err(BuildError::Empty);
        }
        Ok(Self { workspace, lock: path, target, reason, selected, excluded, application })
    }

    /// Returns the wheels that are fetched, with the distributions that they are.
    pub fn wheels(&self) -> impl Iterator<Item = (&Selected, &LockedWheel)> {
        self.selected.iter().filter_map(|selected| match &selected.source {
            SelectedSource::Wheel(wheel) => Some((selected, wheel)),
            SelectedSource::Directory(_) | SelectedSource::Virtual(_) => None,
        })
    }

    /// Returns the folders that are built into wheels, with the distributions that they are.
    pub fn projects(&self) -> impl Iterator<Item = (&Selected, &Path)> {
        self.selected.iter().filter_map(|selected| match &selected.source {
            SelectedSource::Directory(folder) => Some((selected, folder.as_path())),
            SelectedSource::Wheel(_) | SelectedSource::Virtual(_) => None,
        })
    }

    /// Returns what is installed: everything but projects that are not packages.
    pub fn installed(&self) -> impl Iterator<Item = &Selected> {
        self.selected.iter().filter(|selected| !matches!(selected.source, SelectedSource::Virtual(_)))
    }

    /// Returns the indexes that the project and its workspace declare.
    pub fn indexes(&self) -> impl Iterator<Item = Index> {
        let root = self.workspace.members.first().filter(|root| root.path != self.workspace.current().path);
        let members = std::iter::once(self.workspace.current()).chain(root);
        members.flat_map(|member| member.pyproject.indexes())
    }

    /// Leaves out what an earlier build wrote, so that no artifact holds the one before.
    pub fn leave_out<'a>(&mut self, outputs: impl Iterator<Item = &'a Path>) {
        let outputs: Vec<PathBuf> = outputs.filter_map(|output| output.canonicalize().ok()).collect();
        let is_output = |content: &Content| matches!(content, Content::File { path, .. } if outputs.contains(path));
        self.application.files.retain(|(_, entry)| !is_output(&entry.content));
    }

    /// Returns the root project's name, or its folder's if it has none.
    pub fn name(&self) -> String {
        let root = self.selected.iter().find(|selected| selected.is_root());
        let name = root.map(|root| &root.name).or(self.workspace.current().pyproject.name.as_ref());
        let folder = || self.workspace.root.file_name().map(|name| name.to_string_lossy().into_owned());
        name.map(ToString::to_string).or_else(folder).unwrap_or_else(|| "bundle".to_owned())
    }
}

/// Says what would be built and why. Fetches nothing and writes nothing.
///
/// # Errors
/// See [`Plan::new`].
pub fn plan(settings: &LambdaSettings, reporter: &dyn Reporter) -> Result<PlanReport, BuildError> {
    let plan = Plan::new(&settings.common, settings.exclude_runtime, reporter)?;
    Ok(report::plan(&plan, settings))
}

fn target(settings: &Settings, workspace: &Workspace) -> Result<(Target, String), BuildError> {
    let (profile, reason) = match &settings.profile {
        ProfileChoice::BuiltIn(name) => (Profile::built_in(name)?, "as asked".to_owned()),
        ProfileChoice::File(path) => {
            let text = read(path)?;
            (Profile::from_toml(&text, path)?, format!("from {}", path.display()))
        }
        ProfileChoice::Default => {
            let named = settings.request.package.as_ref().and_then(|name| workspace.member(name));
            let member = named.unwrap_or_else(|| workspace.current());
            let file = workspace::python_version_file(&workspace.folder(member), &workspace.root)?;
            let requires_python = member.pyproject.requires_python.as_ref();
            let (profile, reason) =
                crate::target::default_runtime(file.as_ref().map(|(_, text)| text.as_str()), requires_python)?;
            (profile, reason.to_string())
        }
    };
    let architecture = settings.architecture;
    if !profile.architectures.contains(&architecture) {
        return Err(BuildError::NoArchitecture { profile: profile.name, architecture });
    }
    Ok((Target { profile, architecture }, reason))
}

fn read_lock(path: &Path) -> Result<Lock, BuildError> {
    if path.extension().is_none_or(|extension| extension != "lock") || path.ends_with("poetry.lock") {
        return Err(BuildError::UnknownLock(path.to_owned()));
    }
    if !path.exists() {
        return Err(BuildError::NoLock(path.to_owned()));
    }
    Ok(Lock::parse_uv(&read(path)?, path)?)
}

fn read(path: &Path) -> Result<String, BuildError> {
    std::fs::read_to_string(path).map_err(|source| BuildError::Read { path: path.to_owned(), source })
}

/// Takes a wheel from a folder that the user named, if it is there. Its digest must still be the lock's.
fn prefer_find_links(wheel: &mut LockedWheel, folders: &[PathBuf]) {
    let found = folders.iter().map(|folder| folder.join(wheel.filename.as_str())).find(|path| path.is_file());
    if let Some(path) = found {
        wheel.location = Location::Path(path);
    }
}

/// Leaves out the SDK and what it needs: all of it, because its parts fit only each other.
fn exclude_what_the_runtime_brings(selected: &mut Vec<Selected>, target: &Target) -> Vec<ExcludedReport> {
    let brought = &target.profile.runtime_distributions;
    let excluded = selected.extract_if(.., |selected| brought.contains(&selected.name));
    excluded
        .map(|selected| ExcludedReport {
            name: selected.name.to_string(),
            version: selected.version.map(|version| version.to_string()),
            reason: format!("{} brings it", target.profile.name),
        })
        .collect()
}

/// Collects the application's files: those that are named, or those of a root project that is not a package.
fn application(
    settings: &Settings,
    workspace: &Workspace,
    selected: &[Selected],
    reporter: &dyn Reporter,
) -> Result<Application, BuildError> {
    let mut virtual_root = None;
    for distribution in selected {
        match &distribution.source {
            SelectedSource::Virtual(folder) if distribution.is_root() => virtual_root = Some(folder.as_path()),
            SelectedSource::Virtual(folder) => reporter.warn(&format!(
                "{} is not a package, so its code is left out; name it with --include {}",
                distribution.name,
                folder.display()
            )),
            SelectedSource::Wheel(_) | SelectedSource::Directory(_) => {}
        }
    }
    let named = (!settings.includes.is_empty()).then(|| workspace.folder(workspace.current()));
    match named.as_deref().or(virtual_root) {
        Some(folder) => {
            let excludes = Excludes::new(folder, &settings.excludes)?;
            Ok(application::collect(folder, &workspace.root, &settings.includes, &excludes)?)
        }
        None => Ok(Application::default()),
    }
}
