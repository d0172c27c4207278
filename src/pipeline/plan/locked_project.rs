//! A project and its lock, which match each other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fetch::Connections;
use crate::git::revision::GitRevision;
use crate::lock::{Dependent, DistributionSource, Lock, LockError, PinnedDistribution, Selection, SelectionRequest};
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::plan::lock::{self, LockReads, OpenedLock};
use crate::pipeline::plan::named_distributions;
use crate::pipeline::plan::resolve;
use crate::pipeline::session::{ProjectCache, WorkspaceRevision};
use crate::platform::{PythonPin, TargetPlatform};
use crate::project::declared::DeclaredDistribution;
use crate::project::pyproject::DeclaredIndex;
use crate::project::python_pin::python_pin;
use crate::project::uv_options::UvOptions;
use crate::project::workspace::{Workspace, WorkspaceMember};
use crate::report::Reporter;
use crate::settings::Settings;

/// A project and its lock, which match each other.
pub(crate) struct LockedProject {
    pub workspace: Workspace,
    noted: WorkspaceRevision,
    /// The connections to indexes, which all projects of a run share.
    pub connections: Connections,
    /// The lock, or several requirements files; empty if the project has no lock.
    pub paths: Vec<PathBuf>,
    pub lock: Arc<Lock>,
    /// What reading the lock depends on.
    pub lock_reads: LockReads,
    /// Whether the files alone tell that the lock matches the project: uv was not asked.
    pub is_locked_by_files: bool,
    /// The metadata of the member that is built.
    pub declared: DeclaredDistribution,
    /// The options of `[tool.uv]` in the workspace root's pyproject.toml.
    pub uv: UvOptions,
    /// What uv has resolved, for each request and target: to choose a version of Python asks for several, of which one is
    /// planned then.
    resolved: Mutex<Vec<(SelectionRequest, TargetPlatform, Arc<Lock>)>>,
}

impl LockedProject {
    /// Reads the project and its lock, unless another target has, and compares them unless `--frozen` is given.
    ///
    /// # Errors
    /// The project or the lock cannot be read, or they do not match.
    pub(crate) fn open(
        settings: &Settings,
        projects: &ProjectCache,
        reporter: &dyn Reporter,
    ) -> Result<Self, BuildError> {
        let (workspace, noted) = projects.workspace(&settings.project)?;
        let opened = lock::open(settings, &workspace, projects, reporter)?;
        let OpenedLock { paths, lock, reads: lock_reads, is_checked_by_files: is_locked_by_files } = opened;
        let member = member_of(&workspace, settings);
        let declared =
            DeclaredDistribution::of(&member.pyproject).map_err(BuildError::reading(&workspace.directory(member)))?;
        let uv = workspace.members.first().map(|root| UvOptions::of(&root.pyproject)).transpose()?.unwrap_or_default();
        let connections = projects.connections().clone();
        let resolved = Mutex::default();
        Ok(Self { workspace, noted, connections, paths, lock, lock_reads, is_locked_by_files, declared, uv, resolved })
    }

    /// Returns the lock, or the first of several requirements files; `None` if the project has no lock.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.paths.first().map(PathBuf::as_path)
    }

    /// Returns the member that is built: the one that `--package` names, or the one in the project's directory.
    pub(crate) fn member(&self, settings: &Settings) -> &WorkspaceMember {
        member_of(&self.workspace, settings)
    }

    /// Returns the commit that the workspace's files are identical to; `None` if they differ from it.
    pub(crate) fn revision(&self) -> Option<GitRevision> {
        self.noted.revision(&self.workspace.root)
    }

    /// Returns the names of the project and of the members of its workspace, as far as they are declared.
    pub(crate) fn local_names(&self) -> impl Iterator<Item = DistributionName> {
        let declared = |member: &WorkspaceMember| DeclaredDistribution::of(&member.pyproject).ok()?.name;
        self.workspace.members.iter().filter_map(declared).chain(self.name())
    }

    /// Returns the declared name of the project, or one derived from its directory's or its script's.
    fn name(&self) -> Option<DistributionName> {
        self.declared.name.clone().or_else(|| {
            let directory = self.workspace.directory(self.workspace.current());
            let named = self.workspace.script().map_or_else(|| directory.file_name(), Path::file_stem);
            let name = named?.to_string_lossy().into_owned();
            let name = name.replace(|character| !DistributionName::may_contain(character), "-");
            name.trim_matches(|character: char| !character.is_ascii_alphanumeric()).parse().ok()
        })
    }

    /// Returns what is requested of the lock. A requirements file has no extras: they are the project's own, and
    /// whether their requirements are pinned is checked once its wheel is built. What uv resolves includes them.
    fn request(&self, lock: &Lock, settings: &Settings) -> SelectionRequest {
        let mut request = settings.request.clone();
        if lock.requirements().is_some() && (self.declared.is_package || self.paths.is_empty()) {
            request.extras.clear();
        }
        request
    }

    /// Returns what the lock selects for a target, with the project itself.
    ///
    /// # Errors
    /// The lock has nothing compatible with the target.
    pub(crate) fn selection(&self, settings: &Settings, target: &TargetPlatform) -> Result<Selection, BuildError> {
        // There is nothing to resolve for a script that requires nothing, and uv resolves none without metadata.
        let is_resolved =
            self.paths.is_empty() && self.workspace.script().is_some() && lock::requires_nothing(&self.workspace);
        if settings.requirements.resolve && self.lock.requirements().is_some() && !is_resolved {
            let resolved = self.resolved(settings, target)?;
            self.selection_of(&resolved, settings, target)
        } else {
            self.selection_of(&self.lock, settings, target)
        }
    }

    /// Returns what uv resolves for a target.
    fn resolved(&self, settings: &Settings, target: &TargetPlatform) -> Result<Arc<Lock>, BuildError> {
        // A panic while it was locked left the list as it was.
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let before = resolved.iter().find(|(request, other, _)| *request == settings.request && other == target);
        if let Some((.., lock)) = before {
            return Ok(Arc::clone(lock));
        }
        let lock = Arc::new(resolve::resolve(self, settings, target)?);
        resolved.push((settings.request.clone(), target.clone(), Arc::clone(&lock)));
        Ok(lock)
    }

    /// Returns what another lock would select for a target.
    ///
    /// # Errors
    /// As [`selection`](Self::selection).
    pub(crate) fn selection_of(
        &self,
        lock: &Lock,
        settings: &Settings,
        target: &TargetPlatform,
    ) -> Result<Selection, BuildError> {
        let directory = &self.workspace.current().path;
        let selection = lock.select(&self.request(lock, settings), directory, target)?;
        let mut selection = self.with_project(selection, lock, &settings.request)?;
        named_distributions::retain(&mut selection.distributions, &settings.request.distributions, lock, self.path())?;
        Ok(selection)
    }

    /// Adds the project to the selection of a lock that does not list it, unless only groups are requested.
    fn with_project(
        &self,
        selection: Selection,
        lock: &Lock,
        request: &SelectionRequest,
    ) -> Result<Selection, BuildError> {
        let mut distributions = selection.distributions;
        let name = match self.workspace.script() {
            Some(_) => self.name_of_script(&mut distributions),
            None if lock.lists_project() => return Ok(Selection { distributions }),
            None => self.name(),
        };
        let is_known = distributions.iter().any(|pinned| pinned.required_by.contains(&Dependent::Root));
        let is_excluded = request.no_install_project || request.no_install_workspace || !request.only_groups.is_empty();
        if is_known || is_excluded {
            return Ok(Selection { distributions });
        }
        let directory = self.workspace.directory(self.workspace.current());
        let Some(name) = name else { return Ok(Selection { distributions }) };
        if let (Some(asked), Some(path)) = (request.package.as_ref().filter(|asked| **asked != name), self.path()) {
            let (path, members) = (path.to_owned(), vec![name.to_string()]);
            return Err(LockError::UnknownMember { path, name: asked.clone(), members }.into());
        }
        if request.no_install_packages.contains(&name) {
            return Ok(Selection { distributions });
        }
        if self.declared.is_package && self.declared.name.is_none() {
            return Err(BuildError::Nameless(directory));
        }
        let source = if self.declared.is_package {
            DistributionSource::Directory(directory)
        } else {
            DistributionSource::Virtual(directory)
        };
        let version = self.workspace.current().pyproject.version.clone();
        distributions.push(PinnedDistribution { name, version, required_by: vec![Dependent::Root], source });
        distributions.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Selection { distributions })
    }

    /// Returns a name for the script that no distribution has, and makes it what requires those that its lock lists as required.
    fn name_of_script(&self, distributions: &mut [PinnedDistribution]) -> Option<DistributionName> {
        let stem = self.name().map(|name| name.to_string());
        let long = stem.as_ref().map(|stem| format!("{stem}-script"));
        let candidates = stem.into_iter().chain(long).chain((1..).map(|number| format!("script-{number}")));
        let mut candidates = candidates.filter_map(|name| name.parse::<DistributionName>().ok());
        let name = candidates.find(|name| distributions.iter().all(|pinned| pinned.name != *name))?;
        for dependent in distributions.iter_mut().flat_map(|pinned| &mut pinned.required_by) {
            if *dependent == Dependent::Root {
                *dependent = Dependent::Distribution(name.clone(), None);
            }
        }
        Some(name)
    }

    /// Returns the version of Python that a file pins for a member.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn python_pin(&self, member: &WorkspaceMember) -> Result<Option<PythonPin>, BuildError> {
        Ok(python_pin(&self.workspace.directory(member), &self.workspace.root)?)
    }

    /// Returns the indexes that the project and its workspace declare.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = DeclaredIndex> {
        let root = self.workspace.members.first().filter(|root| root.path != self.workspace.current().path);
        let members = std::iter::once(self.workspace.current()).chain(root);
        members.flat_map(|member| member.pyproject.indexes())
    }
}

/// Returns the member of a workspace that is built.
pub(crate) fn member_of<'a>(workspace: &'a Workspace, settings: &Settings) -> &'a WorkspaceMember {
    let named = settings.request.package.as_ref().and_then(|name| workspace.member(name));
    named.unwrap_or_else(|| workspace.current())
}
