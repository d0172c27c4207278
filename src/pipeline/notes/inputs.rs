//! What a target is made from, as far as it is known before its lock is read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::digest::Sha256;
use crate::git::revision::{self, GitRevision};
use crate::lock::LockFormat;
use crate::pipeline::notes::files::{FileIndex, FileReader, ReadFiles};
use crate::pipeline::plan::{self, lock, member_of, requirements_source};
use crate::pipeline::{ProjectCache, documents};
use crate::project::application::{Application, ExclusionRule};
use crate::project::python_pin::python_pin_files;
use crate::project::workspace::{Workspace, WorkspaceMember};
use crate::settings::{ProfileChoice, Settings};
use crate::tree::{FileContent, TreeEntry};

/// The files of a member that decide what it requires and how it is built, besides its pyproject.toml.
const MEMBER_FILES: [&str; 3] = ["setup.py", "setup.cfg", "uv.toml"];

/// What identifies a target and decides what it is built into, apart from files.
pub(crate) struct NotedTarget<'a> {
    pub(crate) settings: &'a Settings,
    /// The settings of the layers that it runs with.
    pub(crate) layers: Vec<&'a Settings>,
    /// A text that differs for settings with different results.
    pub(crate) identity: String,
    /// The outputs, as far as they are known in advance.
    pub(crate) outputs: Vec<PathBuf>,
    /// Whether the artifact states the commit of its workspace.
    pub(crate) states_revision: bool,
}

/// The inputs of a target at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetInputs {
    /// What it alone is made from.
    pub(super) own: ReadFiles,
    /// The lock, of which another target may use another part.
    locks: ReadFiles,
    /// What declares the members of the workspace.
    workspace: Arc<ReadFiles>,
}

/// What several targets have in common, read once.
#[derive(Debug, Default)]
pub(super) struct CommonInputs {
    workspaces: Mutex<BTreeMap<PathBuf, Arc<ReadFiles>>>,
    revisions: Mutex<BTreeMap<PathBuf, Option<GitRevision>>>,
}

impl TargetInputs {
    /// Reads the inputs; `known` is what is known of the files from before.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub(super) fn read(
        target: &NotedTarget,
        projects: &ProjectCache,
        common: &CommonInputs,
        known: Option<&FileIndex>,
    ) -> io::Result<(Self, FileIndex)> {
        let (workspace, _) = projects.workspace(&target.settings.project).map_err(io::Error::other)?;
        let mut reader = FileReader::new(known);
        reader.text(&target.identity);
        let member = member_of(&workspace, target.settings);
        let directory = workspace.directory(member);
        reader.text(&format!("{}\n{:?}", workspace.root.display(), workspace.current().path));
        add_member(&mut reader, member, &directory)?;
        for above in directory.ancestors().take_while(|above| above.starts_with(&workspace.root)) {
            for file in python_pin_files(above) {
                reader.file(&file)?;
            }
        }
        let layers = target.layers.iter().copied();
        for settings in layers.clone() {
            let (workspace, _) = projects.workspace(&settings.project).map_err(io::Error::other)?;
            let member = member_of(&workspace, settings);
            add_member(&mut reader, member, &workspace.directory(member))?;
            for above in workspace.directory(member).ancestors().take_while(|above| above.starts_with(&workspace.root))
            {
                for file in python_pin_files(above) {
                    reader.file(&file)?;
                }
            }
        }
        let stages = std::iter::successors(Some(target.settings), |settings| settings.extends.as_deref());
        for settings in stages.chain(layers.clone()) {
            if let ProfileChoice::File(path) = &settings.profile {
                reader.file(path)?;
            }
            if settings.has_application && !is_in_wheel(settings, member) {
                add_application(&mut reader, settings, &workspace, &directory, &target.outputs)?;
            }
        }
        if target.states_revision {
            reader.text(&format!("{:?}", common.revision(&workspace.root)));
        }
        let (own, index) = reader.finish();
        let mut reader = FileReader::new(known);
        add_locks(&mut reader, &workspace, &directory, target.settings)?;
        for settings in layers {
            let (workspace, _) = projects.workspace(&settings.project).map_err(io::Error::other)?;
            let directory = workspace.directory(member_of(&workspace, settings));
            add_locks(&mut reader, &workspace, &directory, settings)?;
        }
        let (locks, index_of_locks) = reader.finish();
        Ok((Self { own, locks, workspace: common.workspace(&workspace)? }, index.and(index_of_locks)))
    }

    /// Returns the digest of the lock and of the workspace. If it is another, the target may still be made from the same.
    pub(super) fn declared(&self) -> Sha256 {
        Sha256::of(format!("{}\n{}", self.workspace.digest, self.locks.digest).as_bytes())
    }

    /// Returns whether the files that were read besides cannot have changed since these inputs were read, or since a run began.
    pub(super) fn is_untouched(&self, reader: &FileReader, started: SystemTime) -> bool {
        reader.are_untouched_since(started, &[&self.own, &self.locks])
    }
}

impl CommonInputs {
    /// Returns the files that declare the members of a workspace: a lock is compared with all of them.
    fn workspace(&self, workspace: &Workspace) -> io::Result<Arc<ReadFiles>> {
        let mut known = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = known.get(&workspace.root) {
            return Ok(files.clone());
        }
        let mut reader = FileReader::new(None);
        for member in workspace.members.iter() {
            add_member(&mut reader, member, &workspace.directory(member))?;
        }
        let files = Arc::new(reader.finish().0);
        known.insert(workspace.root.clone(), files.clone());
        Ok(files)
    }

    /// Uses the commit that the build will state, which is determined once.
    pub(super) fn state_revision(&self, projects: &ProjectCache, project: &Path) {
        let Ok((workspace, revision)) = projects.workspace(project) else { return };
        let mut known = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(workspace.root.clone(), revision.revision(&workspace.root));
    }

    /// Returns the commit of the files in a directory.
    fn revision(&self, directory: &Path) -> Option<GitRevision> {
        let mut known = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(directory.to_owned()).or_insert_with(|| revision::revision(directory)).clone()
    }
}

/// Adds what declares a member: its pyproject.toml as it was parsed, which the build uses, and the files that it reads.
fn add_member(reader: &mut FileReader, member: &WorkspaceMember, directory: &Path) -> io::Result<()> {
    reader.text(&format!("{}\n{:?}", member.path.display(), member.pyproject.table()));
    MEMBER_FILES.iter().try_for_each(|name| reader.file(&directory.join(name)).map(|_| ()))
}

fn add_locks(reader: &mut FileReader, workspace: &Workspace, directory: &Path, settings: &Settings) -> io::Result<()> {
    let mut locks = settings.locks.clone();
    if locks.is_empty() {
        locks.extend(lock::find(workspace));
    }
    for lock in &locks {
        reader.file(lock)?;
    }
    if locks.is_empty() {
        for name in requirements_source::declaring_files().chain(LockFormat::NAMES) {
            reader.file(&directory.join(name))?;
        }
    }
    Ok(())
}

/// Returns whether the application is a package, so that its files are those of its wheel. What a lock says otherwise is found
/// by [`BuildSources::of`](super::sources::BuildSources::of).
pub(super) fn is_in_wheel(settings: &Settings, member: &WorkspaceMember) -> bool {
    settings.includes.is_empty() && member.pyproject.is_package()
}

/// Adds the files of the application as the build collects them.
fn add_application(
    reader: &mut FileReader,
    settings: &Settings,
    workspace: &Workspace,
    directory: &Path,
    outputs: &[PathBuf],
) -> io::Result<()> {
    // What the locks include, which is not known yet, counts as files of the application.
    let application = match plan::collect(settings, workspace, directory, &settings.locks) {
        Ok(application) => application,
        // A project without files of its own is complete with its dependencies.
        Err(error) => {
            reader.text(&error.to_string());
            return Ok(());
        }
    };
    let outputs = outputs.iter().flat_map(|output| documents::paths(output));
    let outputs: Vec<PathBuf> = outputs.filter_map(|output| output.canonicalize().ok()).collect();
    let Application { files, placed_files, directories, placed_directories, left_out, taken: _ } = &application;
    for (path, TreeEntry { access, content, .. }) in files.iter().chain(placed_files) {
        let FileContent::File { path: source, .. } = content else { continue };
        if !outputs.iter().any(|output| source.starts_with(output)) {
            reader.text(&format!("{path} {access:?}"));
            reader.file(source)?;
        }
    }
    reader.text(&format!("{directories:?} {placed_directories:?} {}", placed_files.len()));
    for excluded in left_out.iter().filter(|excluded| !is_of_tools(excluded.rule)) {
        reader.text(&format!("{excluded:?}"));
    }
    Ok(())
}

/// Returns whether files of this kind change without a change of the project: caches and what builds write.
fn is_of_tools(rule: ExclusionRule) -> bool {
    matches!(rule, ExclusionRule::BuildOutput | ExclusionRule::Cache | ExclusionRule::Environment)
}
