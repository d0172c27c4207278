//! What is to be built, and why: everything that is known before a file is fetched.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::opened::{Noted, Opened};
use super::{BuildError, indexes, locate, lock, requirements};
use crate::audit::handler::{self, Handler, Root};
use crate::index::Finder;
use crate::lock::{Dependent, Lock, LockError, Pinned, Request, Selected, SelectedSource, Selection, Source};
use crate::name::DistributionName;
use crate::platform::TargetPlatform;
use crate::project::application::{self, Application, Excludes};
use crate::project::declared::Declared;
use crate::project::pyproject::Index;
use crate::project::revision::Revision;
use crate::project::uv_options::UvOptions;
use crate::project::workspace::{self, Member, Workspace};
use crate::report::{ExcludedReport, Reporter, Silent};
use crate::settings::Settings;
use crate::tree::{Content, Origin};

/// A project and its lock, which match each other.
pub struct LockedProject {
    /// The project and its workspace.
    pub workspace: Workspace,
    noted: Noted,
    /// The lock file; a project that requires nothing may have none.
    pub path: Option<PathBuf>,
    /// What the lock file says.
    pub lock: Arc<Lock>,
    /// What the member that is built declares as a distribution.
    pub declared: Declared,
    /// What the workspace root's pyproject.toml says to uv of indexes and of building.
    pub uv: UvOptions,
}

impl LockedProject {
    /// Reads the project and its lock, unless they are open, and compares them unless the lock is to be taken as it is.
    ///
    /// # Errors
    /// The project or the lock cannot be read, or they do not match.
    pub fn open(settings: &Settings, opened: &Opened, reporter: &dyn Reporter) -> Result<Self, BuildError> {
        let (workspace, noted) = opened.workspace(&settings.project)?;
        let (path, lock) = lock::open(settings, &workspace, opened, reporter)?;
        let member = member(&workspace, settings);
        let read = |source| BuildError::Read { path: workspace.folder(member), source };
        let declared = Declared::of(&member.pyproject).map_err(read)?;
        let uv = workspace.members.first().map(|root| UvOptions::of(&root.pyproject)).transpose()?.unwrap_or_default();
        Ok(Self { workspace, noted, path, lock, declared, uv })
    }

    /// Returns the member that is built: the one that was named, or the one whose folder it is.
    pub fn member(&self, settings: &Settings) -> &Member {
        member(&self.workspace, settings)
    }

    /// Returns the commit that the workspace's files are; nothing if they differ from it.
    pub fn revision(&self) -> Option<Revision> {
        self.noted.revision(&self.workspace.root)
    }

    /// Returns the name of the project whose folder was named: the declared one, else the folder's.
    fn name(&self) -> Option<DistributionName> {
        self.declared.name.clone().or_else(|| {
            let name = self.workspace.folder(self.workspace.current()).file_name()?.to_string_lossy().into_owned();
            let is_allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
            let name: String =
                name.chars().map(|character| if is_allowed(character) { character } else { '-' }).collect();
            name.trim_matches(|character: char| !character.is_ascii_alphanumeric()).parse().ok()
        })
    }

    /// Returns what is asked of the lock. Files of requirements have no extras; those of a project beside them are its
    /// own, and whether what they require is pinned is seen when it is built.
    fn request(&self, lock: &Lock, settings: &Settings) -> Request {
        let mut request = settings.request.clone();
        if matches!(lock, Lock::Requirements(_)) && self.declared.is_package {
            request.extras.clear();
        }
        request
    }

    /// Returns what is selected for a target: by the lock, with the project itself.
    ///
    /// # Errors
    /// The lock has nothing that fits the target.
    pub fn selection(&self, settings: &Settings, target: &TargetPlatform) -> Result<Selection, BuildError> {
        match (&*self.lock, settings.requirements.resolve) {
            (Lock::Requirements(_), true) => {
                self.selection_of(&requirements::resolve(self, settings, target)?, settings, target)
            }
            (lock, _) => self.selection_of(lock, settings, target),
        }
    }

    /// Returns what would be selected for a target by another lock.
    ///
    /// # Errors
    /// As [`selection`](Self::selection).
    pub fn selection_of(
        &self,
        lock: &Lock,
        settings: &Settings,
        target: &TargetPlatform,
    ) -> Result<Selection, BuildError> {
        let folder = &self.workspace.current().path;
        let selection = lock.select(&self.request(lock, settings), folder, target)?;
        self.with_project(selection, lock, &settings.request)
    }

    /// Adds the project to what a lock selects that knows nothing of it, unless only groups are asked for.
    fn with_project(&self, selection: Selection, lock: &Lock, request: &Request) -> Result<Selection, BuildError> {
        let mut distributions = selection.distributions;
        let is_known = matches!(lock, Lock::Uv(_) | Lock::Poetry(_))
            || distributions.iter().any(|pinned| pinned.required_by.contains(&Dependent::Root));
        let is_left_out = request.no_install_project || request.no_install_workspace || !request.only_groups.is_empty();
        if is_known || is_left_out {
            return Ok(Selection { distributions });
        }
        let folder = self.workspace.folder(self.workspace.current());
        let Some(name) = self.name() else { return Ok(Selection { distributions }) };
        if let (Some(asked), Some(path)) = (request.package.as_ref().filter(|asked| **asked != name), &self.path) {
            let (path, members) = (path.clone(), vec![name.to_string()]);
            return Err(LockError::UnknownMember { path, name: asked.clone(), members }.into());
        }
        if request.no_install_packages.contains(&name) {
            return Ok(Selection { distributions });
        }
        if self.declared.is_package && self.declared.name.is_none() {
            return Err(BuildError::Nameless(folder));
        }
        let source = if self.declared.is_package { Source::Directory(folder) } else { Source::Virtual(folder) };
        let version = self.workspace.current().pyproject.version.clone();
        distributions.push(Pinned { name, version, required_by: vec![Dependent::Root], source });
        distributions.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Selection { distributions })
    }

    /// Returns the text of the `.python-version` that the member goes by, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn python_version_file(&self, member: &Member) -> Result<Option<String>, BuildError> {
        let file = workspace::python_version_file(&self.workspace.folder(member), &self.workspace.root)?;
        Ok(file.map(|(_, text)| text))
    }

    /// Returns the indexes that the project and its workspace declare.
    pub fn indexes(&self) -> impl Iterator<Item = Index> {
        let root = self.workspace.members.first().filter(|root| root.path != self.workspace.current().path);
        let members = std::iter::once(self.workspace.current()).chain(root);
        members.flat_map(|member| member.pyproject.indexes())
    }
}

/// What is to be built for one target.
pub struct Plan<'a> {
    /// The project and its lock.
    pub project: &'a LockedProject,
    /// The target.
    pub target: TargetPlatform,
    /// The selected distributions that are not left out, ordered by name.
    pub selected: Vec<Selected>,
    /// The selected distributions that are left out.
    pub excluded: Vec<ExcludedReport>,
    /// The application's own files, apart from what is built into a wheel.
    pub application: Application,
    /// The plan of what this one extends: all of that is in this one, too.
    pub extends: Option<Box<Self>>,
}

impl<'a> Plan<'a> {
    /// Makes a plan. What the runtime brings is left out.
    ///
    /// # Errors
    /// The lock has nothing that fits the target, or the application's files cannot be collected.
    pub fn new(
        project: &'a LockedProject,
        settings: &Settings,
        target: TargetPlatform,
        brought: &[DistributionName],
        finder: &Finder,
        reporter: &dyn Reporter,
    ) -> Result<Self, BuildError> {
        let workspace = &project.workspace;
        let selection = project.selection(settings, &target)?;
        let formats = indexes::formats(settings, project);
        let mut selected = locate::choose(selection, &formats, &settings.fetch.find_links, &target, finder, reporter)?;
        let excluded = exclude_what_the_runtime_brings(&mut selected, brought, &target);
        let extended = settings.extends.as_deref();
        let extends = extended
            .map(|extended| Self::new(project, extended, target.clone(), brought, finder, &Silent))
            .transpose()?;
        let application = match &extends {
            Some(extends) => extends.application.clone().and(included(settings, workspace)?)?,
            None => application(settings, workspace, &selected, reporter)?,
        };
        let extends = extends.filter(|extends| extends.lies_below(&selected, reporter)).map(Box::new);
        if selected.is_empty() && application.is_empty() {
            return Err(BuildError::Empty);
        }
        Ok(Self { project, target, selected, excluded, application, extends })
    }

    /// Returns the plans that this one extends, one over the other, and then itself.
    pub fn stages(&self) -> Vec<&Self> {
        let mut stages: Vec<&Self> = std::iter::successors(Some(self), |plan| plan.extends.as_deref()).collect();
        stages.reverse();
        stages
    }

    /// Returns whether all that is selected here is among what is selected there; warns if it is not.
    fn lies_below(&self, selected: &[Selected], reporter: &dyn Reporter) -> bool {
        let is_there = |own: &&Selected| selected.iter().any(|it| it.name == own.name && it.version == own.version);
        let Some(missing) = self.selected.iter().find(|own| !is_there(own)) else { return true };
        let version = missing.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        reporter.warn(&format!(
            "{}{version} of what is extended is not selected here, so no layers are shared with it",
            missing.name
        ));
        false
    }

    /// Returns the distributions that are fetched: wheels, and what is built into one.
    pub fn dependencies(&self) -> impl Iterator<Item = &Selected> {
        let is_fetched = |source: &SelectedSource| match source {
            SelectedSource::Wheel(..) | SelectedSource::Sdist(_) | SelectedSource::Repository(_) => true,
            SelectedSource::Directory(_) | SelectedSource::Virtual(_) => false,
        };
        self.selected.iter().filter(move |selected| is_fetched(&selected.source))
    }

    /// Returns the folders that are built into wheels, with the distributions that they are.
    pub fn projects(&self) -> impl Iterator<Item = (&Selected, &Path)> {
        self.selected.iter().filter_map(|selected| match &selected.source {
            SelectedSource::Directory(folder) => Some((selected, folder.as_path())),
            _ => None,
        })
    }

    /// Returns what is installed: everything but projects that are not packages.
    pub fn installed(&self) -> impl Iterator<Item = &Selected> {
        self.selected.iter().filter(|selected| !matches!(selected.source, SelectedSource::Virtual(_)))
    }

    /// Checks that a handler is in the artifact, in one of its roots, and warns where that cannot be told.
    ///
    /// # Errors
    /// It is not there.
    pub fn check_handler(&self, handler: &Handler, roots: &[Root], reporter: &dyn Reporter) -> Result<(), BuildError> {
        let own: Vec<_> = self.projects().map(|(selected, _)| &selected.name).collect();
        let is_own = |origin: &Origin| match origin {
            Origin::Application => true,
            Origin::Distribution(distribution) => own.contains(&&distribution.name),
        };
        let found = handler::check(handler, roots, self.target.python, is_own)?;
        if let Some(doubt) = found.doubt {
            reporter.warn(&format!("whether {handler} exists cannot be told: {doubt}"));
        }
        Ok(())
    }

    /// Leaves out what an earlier build wrote, so that no artifact holds the one before.
    pub fn leave_out(&mut self, outputs: impl Iterator<Item = PathBuf>) {
        let outputs: Vec<PathBuf> = outputs.filter_map(|output| output.canonicalize().ok()).collect();
        // An output may be a folder.
        let is_output = |content: &Content| match content {
            Content::File { path, .. } => outputs.iter().any(|output| path.starts_with(output)),
            _ => false,
        };
        self.application.files.retain(|(_, entry)| !is_output(&entry.content));
        self.application.placed_files.retain(|(_, entry)| !is_output(&entry.content));
        if let Some(extends) = &mut self.extends {
            extends.leave_out(outputs.iter().cloned());
        }
    }

    /// Returns the root project's name, or its folder's if it has none.
    pub fn name(&self) -> String {
        let root = self.selected.iter().find(|selected| selected.is_root());
        let workspace = &self.project.workspace;
        let name = root.map(|root| &root.name).or(self.project.declared.name.as_ref());
        let folder = || workspace.root.file_name().map(|name| name.to_string_lossy().into_owned());
        name.map(ToString::to_string).or_else(folder).unwrap_or_else(|| "bundle".to_owned())
    }
}

fn member<'a>(workspace: &'a Workspace, settings: &Settings) -> &'a Member {
    let named = settings.request.package.as_ref().and_then(|name| workspace.member(name));
    named.unwrap_or_else(|| workspace.current())
}

/// Reads a file that drives the build.
pub fn read(path: &Path) -> Result<String, BuildError> {
    std::fs::read_to_string(path).map_err(|source| BuildError::Read { path: path.to_owned(), source })
}

/// Leaves out the SDK and what it needs: all of it, because its parts fit only each other.
fn exclude_what_the_runtime_brings(
    selected: &mut Vec<Selected>,
    brought: &[DistributionName],
    target: &TargetPlatform,
) -> Vec<ExcludedReport> {
    let excluded = selected.extract_if(.., |selected| brought.contains(&selected.name));
    excluded
        .map(|selected| ExcludedReport {
            name: selected.name.to_string(),
            version: selected.version.map(|version| version.to_string()),
            reason: format!("{} brings it", target.name),
        })
        .collect()
}

/// Collects the files that are named: of a variant, what it adds to those of what it extends.
fn included(settings: &Settings, workspace: &Workspace) -> Result<Application, BuildError> {
    if settings.includes.is_empty() {
        return Ok(Application::default());
    }
    collect(settings, workspace, &workspace.folder(workspace.current()))
}

/// Collects what is named of a folder, or what it has by default.
fn collect(settings: &Settings, workspace: &Workspace, folder: &Path) -> Result<Application, BuildError> {
    let excludes = Excludes::new(folder, &settings.excludes)?;
    Ok(application::collect(folder, &workspace.root, &settings.includes, &excludes)?)
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
            _ => {}
        }
    }
    match virtual_root.filter(|_| settings.includes.is_empty()) {
        Some(folder) => collect(settings, workspace, folder),
        None => included(settings, workspace),
    }
}
