//! Tells whether a change affects a target: through its own files, its lock, or a pyproject.toml. What cannot be
//! decided counts as changed. Changes elsewhere, such as a moved tag of the base image or a new file in an index, are
//! not detected.

mod declared;
mod includes;
mod layers;
mod selection;

use std::collections::BTreeMap;
use std::path::{self, Path, PathBuf};

use toml::Table;

use crate::git::changes::{ChangeState, GitChanges};
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::lock::{Dependent, DistributionSource, FileLocation, LockFormat, Selection};
use crate::pipeline::plan::{self, LockedProject, lock};
use crate::pipeline::targets::Target;
use crate::pipeline::{BuildError, ProjectCache, image, lambda};
use crate::platform;
use crate::project::application::{Excludes, ExclusionRule};
use crate::project::pyproject::FILENAME;
use crate::project::python_pin::python_pin_files;
use crate::report::Silent;
use crate::settings::{BaseChoice, ProfileChoice, Settings};
use crate::tree::FileContent;

/// Returns why a target has to be rebuilt, or `None` if it need not be.
///
/// # Errors
/// The target cannot be planned.
pub(crate) fn reason(
    target: &Target,
    changes: &GitChanges,
    projects: &ProjectCache,
) -> Result<Option<String>, BuildError> {
    let project = LockedProject::open(target.common(), projects, &Silent)?;
    // A script is alone in its workspace, also if it is a target of a project.
    let of_script = project.workspace.script().and_then(|_| target.common().directory.canonicalize().ok());
    let root = of_script.unwrap_or_else(|| project.workspace.root.clone());
    let reach = Reach { changes, project: &project, root };
    let (targets, bases) = match target {
        Target::Lambda(settings) => (lambda::targets(settings, &project)?, Vec::new()),
        Target::Image(settings) => image::candidates(settings, &project)?,
    };
    if let Some(path) = reach.inputs(target, bases).into_iter().find(|path| reach.is_touched(path)) {
        return Ok(Some(reach.changed(&path)));
    }
    if let Some(reason) = reach.declared()? {
        return Ok(Some(reason));
    }
    for settings in std::iter::successors(Some(target.common()), |settings| settings.extends.as_deref()) {
        for target in &targets {
            let selection = project.selection(settings, target)?;
            let reason = match reach.selected(settings, target, &selection)? {
                None => reach.files(settings, &selection)?,
                reason => reason,
            };
            if reason.is_some() {
                return Ok(reason);
            }
        }
    }
    layers::reason(target, changes, projects)
}

/// Finds what a change affects.
struct Reach<'a> {
    changes: &'a GitChanges,
    project: &'a LockedProject,
    root: PathBuf,
}

impl Reach<'_> {
    /// Returns the files and directories besides its sources that a target depends on.
    fn inputs(&self, target: &Target, bases: Vec<BaseChoice>) -> Vec<PathBuf> {
        let settings = target.common();
        let files = bases.into_iter().filter_map(|base| match base {
            BaseChoice::File(file) => Some(file.path),
            BaseChoice::Scratch | BaseChoice::Registry(_) => None,
        });
        let mut inputs: Vec<PathBuf> = files.collect();
        if let ProfileChoice::File(path) = &settings.profile {
            inputs.push(path.clone());
        }
        let is_pinned = match target {
            Target::Lambda(_) => settings.profile != ProfileChoice::Default,
            Target::Image(settings) => settings.python.is_some(),
        };
        if !is_pinned {
            let workspace = &self.project.workspace;
            let directory = workspace.directory(self.project.member(settings));
            let within = directory.ancestors().take_while(|directory| directory.starts_with(&workspace.root));
            inputs.extend(within.flat_map(python_pin_files).filter(|path| {
                // A file that never existed is not a change.
                path.exists() || self.changes.state(path) == ChangeState::Changed
            }));
        }
        inputs
    }

    /// Tells whether a file, or a file in a directory, may have changed.
    fn is_touched(&self, path: &Path) -> bool {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.changes.state(&path) != ChangeState::Same || self.changes.paths().any(|changed| changed.starts_with(&path))
    }

    /// Describes the change of a file.
    fn changed(&self, path: &Path) -> String {
        let found = path.canonicalize();
        let path = found.as_deref().unwrap_or(path);
        let shown = self.shown(path);
        if found.is_err() {
            format!("{shown} is gone")
        } else if self.changes.state(path) == ChangeState::Unknown {
            format!("{shown} is not tracked by git")
        } else {
            format!("{shown} changed")
        }
    }

    /// Returns a path for messages: relative to the workspace or to the script's project, if it is in it.
    fn shown<'p>(&self, path: &'p Path) -> path::Display<'p> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    /// Compares what the project and its workspace declare.
    fn declared(&self) -> Result<Option<String>, BuildError> {
        let workspace = &self.project.workspace;
        let current = &workspace.current().pyproject;
        if let Some(script) = current.script() {
            return Ok(self.is_touched(script).then(|| self.changed(script)));
        }
        if let Some(reason) = self.tables(&current.path, current.table(), declared::of_project)? {
            return Ok(Some(reason));
        }
        match workspace.members.first() {
            Some(root) => self.tables(&root.pyproject.path, root.pyproject.table(), declared::of_root),
            None => Ok(None),
        }
    }

    /// Compares the relevant tables of a pyproject.toml with those before the change.
    fn tables(
        &self,
        path: &Path,
        now: &Table,
        relevant: fn(&Table) -> BTreeMap<String, Table>,
    ) -> Result<Option<String>, BuildError> {
        match self.changes.state(path) {
            ChangeState::Same => return Ok(None),
            ChangeState::Unknown if !path.exists() => return Ok(None),
            ChangeState::Unknown => return Ok(Some(self.changed(path))),
            ChangeState::Changed => {}
        }
        let Some(before) = self.changes.text_before(path)?.and_then(|text| text.parse::<Table>().ok()) else {
            return Ok(Some(format!("{} is new", self.shown(path))));
        };
        let (before, now) = (relevant(&before), relevant(now));
        let differs = before.keys().chain(now.keys()).find(|name| before.get(*name) != now.get(*name));
        Ok(differs.map(|name| format!("[{name}] in {} changed", self.shown(path))))
    }

    /// Compares what the lock selects now and before the change.
    fn selected(
        &self,
        settings: &Settings,
        target: &platform::TargetPlatform,
        now: &Selection,
    ) -> Result<Option<String>, BuildError> {
        if settings.requirements.resolve && self.project.lock.requirements().is_some() {
            return Ok(Some("uv may resolve to other versions than before".to_owned()));
        }
        let paths: Vec<PathBuf> = self.project.paths.iter().map(includes::canonical).collect();
        let Some(first) = paths.first() else { return Ok(None) };
        // A requirements file may include others.
        let is_alone = self.project.lock.requirements().is_none();
        if let Some(unknown) = paths.iter().find(|path| self.changes.state(path) == ChangeState::Unknown) {
            return Ok(Some(self.changed(unknown)));
        }
        if is_alone && paths.iter().all(|path| self.changes.state(path) == ChangeState::Same) {
            return Ok(None);
        }
        let shown = self.shown(first);
        let before = match lock::before(&paths, &settings.environment.references, &self.project.workspace, self.changes)
        {
            Ok(Some((lock, _))) => lock,
            Ok(None) => return Ok(Some(format!("{shown} is new"))),
            Err(_) => return Ok(Some(format!("cannot read the previous {shown}"))),
        };
        let before = match self.project.selection_of(&before, settings, target) {
            Ok(selection) => selection,
            Err(_) => return Ok(Some(format!("the previous {shown} does not contain what is selected"))),
        };
        Ok(selection::differences(&before, now, target, &plan::indexes::formats(settings, self.project)))
    }

    /// Finds changed files: of the application, of projects that are built, and of wheels in the repository.
    fn files(&self, settings: &Settings, selection: &Selection) -> Result<Option<String>, BuildError> {
        let workspace = &self.project.workspace;
        let mut default = None;
        for pinned in &selection.distributions {
            match &pinned.source {
                DistributionSource::Directory(directory) => {
                    if let Some(reason) = self.built(directory)? {
                        return Ok(Some(reason));
                    }
                }
                DistributionSource::Virtual(directory) if pinned.required_by.contains(&Dependent::Root) => {
                    default = Some(directory)
                }
                DistributionSource::Files(files) => {
                    let wheels = files.wheels.iter().map(|wheel| &wheel.location);
                    let locations = wheels.chain(files.sdist.as_ref().map(|sdist| &sdist.file.location));
                    let paths = locations.filter_map(|location| match location {
                        FileLocation::Path(path) => Some(path),
                        FileLocation::Url { .. } => None,
                    });
                    if let Some(path) = paths.into_iter().find(|path| self.is_touched(path)) {
                        return Ok(Some(self.changed(path)));
                    }
                }
                DistributionSource::Index(_) | DistributionSource::Git(_) | DistributionSource::Virtual(_) => {}
            }
        }
        match default.filter(|_| settings.includes.is_empty()) {
            Some(directory) => Ok(self.application(directory, settings)?.or(self.included(directory, settings)?)),
            None if settings.includes.is_empty() => Ok(None),
            None => self.application(&workspace.directory(workspace.current()), settings),
        }
    }

    /// Finds changes in a project that is built into a wheel. Its build backend may read any file in its directory,
    /// except for other members' and those that are compared by content.
    fn built(&self, directory: &Path) -> Result<Option<String>, BuildError> {
        let workspace = &self.project.workspace;
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        if self.changes.state(&directory) != ChangeState::Same {
            return Ok(Some(self.changed(&directory)));
        }
        let pyproject = directory.join(FILENAME);
        // What a lock selects is compared by itself. A build backend may read a requirements.txt, too.
        let locks = LockFormat::NAMES.into_iter().filter(|name| *name != LockFormat::Requirements.file_name());
        let judged: Vec<PathBuf> = locks.map(|name| directory.join(name)).collect();
        let others: Vec<PathBuf> = workspace.members.iter().map(|member| workspace.directory(member)).collect();
        // `dist` contains artifacts, which no build reads.
        let artifacts = directory.join("dist");
        for path in self.changes.paths().filter(|path| path.starts_with(&directory) && !path.starts_with(&artifacts)) {
            let is_others = others.iter().any(|other| path.starts_with(other) && !directory.starts_with(other));
            if !is_others && *path != pyproject && !judged.iter().any(|judged| judged == path) {
                return Ok(Some(self.changed(path)));
            }
        }
        let table = limited_reader::read_regular_text(&pyproject, LARGEST_PROJECT_FILE)
            .ok()
            .and_then(|text| text.parse::<Table>().ok());
        self.tables(&pyproject, &table.unwrap_or_default(), declared::of_built)
    }

    /// Finds changes of the collected files, and of what decides which files are collected.
    fn application(&self, directory: &Path, settings: &Settings) -> Result<Option<String>, BuildError> {
        let excludes = Excludes::new(directory, &settings.excludes)?;
        let (workspace, locks) = (&self.project.workspace, self.project.lock_reads.all());
        let source = plan::application_source(settings, workspace, directory, (&excludes, &locks));
        let collected = source.collect()?;
        let mut files = collected.all_files().filter_map(|entry| match &entry.content {
            FileContent::File { path, .. } => Some(path.as_ref()),
            FileContent::Archived { .. } | FileContent::Bytes(_) | FileContent::Deferred(_) => None,
        });
        if let Some(path) = files.find(|path| self.changes.state(path) != ChangeState::Same) {
            return Ok(Some(self.changed(path)));
        }
        for path in self.changes.paths() {
            if source.takes(path)? {
                return Ok(Some(self.changed(path)));
            }
        }
        for excluded in &collected.left_out {
            let path = directory.join(&excluded.path);
            let rule = match excluded.rule {
                ExclusionRule::Project => path.join(FILENAME),
                ExclusionRule::Environment => path.join("pyvenv.cfg"),
                // A file that is tracked despite a .gitignore may have been collected before.
                ExclusionRule::GitIgnored if self.changes.state(&path) == ChangeState::Same => {
                    let mut changed = self.changes.paths().filter(|path| path.ends_with(".gitignore"));
                    match changed.find(|ignore| ignore.parent().is_some_and(|above| path.starts_with(above))) {
                        Some(ignore) => ignore.to_owned(),
                        None => continue,
                    }
                }
                _ => continue,
            };
            if self.changes.state(&rule) == ChangeState::Changed {
                return Ok(Some(self.changed(&rule)));
            }
        }
        Ok(None)
    }
}
