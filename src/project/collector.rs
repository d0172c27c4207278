//! Walks a project's directories to collect the files of its application.

mod reach;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::application::{Application, ApplicationError, ExcludedPath};
use super::gitignore::GitIgnore;
use super::include::{DestinationRoot, Include};
use super::rules::{CandidatePath, Excludes, ExclusionRule};
use crate::tree::{FileAccess, FileContent, FileMode, FileOrigin, FileOwner, TreeEntry, TreePath};

/// The files collected so far.
pub(super) struct Collector<'a> {
    /// Canonical.
    project: PathBuf,
    /// The workspace root, canonical.
    workspace: PathBuf,
    excludes: &'a Excludes,
    files: BTreeMap<(DestinationRoot, TreePath), (PathBuf, TreeEntry)>,
    /// The directories with an owner.
    folders: BTreeMap<(DestinationRoot, String), FileAccess>,
    /// The number of collected files and directories; one that is included twice counts twice.
    count: usize,
    taken: Vec<String>,
    left_out: Vec<ExcludedPath>,
}

/// The state of a walk, and its rules.
struct DirectoryWalk {
    ignore: GitIgnore,
    /// The directories that symbolic links may point to.
    within: Vec<PathBuf>,
    /// The canonical paths of the directories that are being walked, the innermost last.
    folders: Vec<PathBuf>,
    leaves_tests_out: bool,
    leaves_projects_out: bool,
    /// Where the paths in the artifact start.
    start: DestinationRoot,
    mode: Option<FileMode>,
    owner: Option<FileOwner>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(project: &Path, workspace: &Path, excludes: &'a Excludes) -> Result<Self, ApplicationError> {
        Ok(Self {
            project: canonical(project)?,
            workspace: canonical(workspace)?,
            excludes,
            files: BTreeMap::new(),
            folders: BTreeMap::new(),
            count: 0,
            taken: Vec::new(),
            left_out: Vec::new(),
        })
    }

    /// Collects the contents of `src`, or the top-level modules and packages.
    pub(super) fn take_default(&mut self) -> Result<(), ApplicationError> {
        let project = self.project.clone();
        let mut walk = self.walk(&project)?;
        walk.enter(&project, project.clone())?;
        let top_level = self.list(&walk, &project)?;
        let mut source = None;
        if let Some(folder) = top_level.iter().find(|candidate| candidate.is_folder && candidate.name == "src")
            && !folder.path.join("__init__.py").exists()
            && self.has_modules(&mut walk, &folder.path)?
        {
            source = Some(folder.path.clone());
            self.take(&mut walk, &folder.path, "")?;
            self.taken.push("src/".to_owned());
        }
        for candidate in &top_level {
            let is_wanted = if candidate.is_folder {
                candidate.is_importable_folder() && self.has_modules(&mut walk, &candidate.path)?
            } else {
                candidate.is_module()
            };
            if !is_wanted || source.as_ref() == Some(&candidate.path) {
                continue;
            }
            if let Some(rule) = candidate.top_level_rule().or(source.is_some().then_some(ExclusionRule::BesideSource)) {
                self.leave_out(candidate, rule);
            } else {
                self.take(&mut walk, &candidate.path, &candidate.name)?;
                self.taken.push(self.shown(&candidate.path, candidate.is_folder));
            }
        }
        if self.files.is_empty() { Err(ApplicationError::NothingFound(project)) } else { Ok(()) }
    }

    pub(super) fn take_include(&mut self, include: &Include) -> Result<(), ApplicationError> {
        let named = self.project.join(&include.source);
        let path = fs::canonicalize(&named).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ApplicationError::Missing(named.clone()),
            _ => ApplicationError::Read(named.clone(), error),
        })?;
        // `.`, `..` and `/` have no file name: like `cp -r`, their contents are put into the destination.
        let name = include.source.file_name().unwrap_or_default().to_str();
        let name = name.ok_or_else(|| ApplicationError::NotUtf8(named.clone()))?.to_owned();
        let is_folder = path.is_dir();
        let to = &include.destination;
        let is_into = to.is_folder || (to.path.is_empty() && !is_folder);
        let destination = if is_into { joined(&to.path, &name) } else { to.path.clone() };
        let candidate = CandidatePath { path: named.clone(), name, is_folder };
        let before = self.count;
        if self.excludes.matches(&named, is_folder) {
            self.leave_out(&candidate, ExclusionRule::Excluded);
        } else {
            let mut walk = self.walk(&path)?;
            walk.leaves_tests_out = !candidate.is_test();
            walk.leaves_projects_out = false;
            (walk.start, walk.mode, walk.owner) = (to.start, include.mode, include.owner);
            walk.within.push(path.clone());
            self.take(&mut walk, &path, &destination)?;
        }
        if self.count == before {
            return Err(ApplicationError::NothingIncluded(named));
        }
        self.taken.push(self.shown(&named, is_folder));
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Application, ApplicationError> {
        for ((start, path), (second, _)) in &self.files {
            let mut parents = path.parents().filter_map(|parent| TreePath::new(parent).ok());
            let file = parents.find_map(|parent| self.files.get_key_value(&(*start, parent)));
            if let Some(((_, parent), (first, _))) = file {
                let (path, first, second) = (parent.clone(), first.clone(), second.clone());
                return Err(ApplicationError::Conflict { path, first, second });
            }
        }
        let mut application = Application { taken: self.taken, left_out: self.left_out, ..Application::default() };
        for ((start, path), (_, entry)) in self.files {
            match start {
                DestinationRoot::Application => application.files.push((path, entry)),
                DestinationRoot::Root => application.placed_files.push((path, entry)),
            }
        }
        for ((start, path), access) in self.folders {
            match start {
                DestinationRoot::Application => application.folders.push((path, access)),
                // The root directory of an image is always owned by root.
                DestinationRoot::Root => {
                    application.placed_folders.extend(TreePath::new(&path).ok().map(|path| (path, access)))
                }
            }
        }
        Ok(application)
    }

    /// Starts a walk at a canonical path.
    fn walk(&self, path: &Path) -> Result<DirectoryWalk, ApplicationError> {
        Ok(DirectoryWalk {
            ignore: GitIgnore::above(path, &self.workspace).map_err(read_error(path))?,
            within: vec![self.workspace.clone(), self.project.clone()],
            folders: Vec::new(),
            leaves_tests_out: true,
            leaves_projects_out: true,
            start: DestinationRoot::Application,
            mode: None,
            owner: None,
        })
    }

    /// Collects a file, or a directory recursively.
    fn take(&mut self, walk: &mut DirectoryWalk, path: &Path, destination: &str) -> Result<(), ApplicationError> {
        let target = match (walk.folders.last(), path.file_name()) {
            _ if path.is_symlink() => walk.follow(path)?,
            (Some(folder), Some(name)) => folder.join(name),
            _ => path.to_owned(),
        };
        let metadata = fs::metadata(&target).map_err(read_error(path))?;
        if metadata.is_dir() {
            if walk.folders.contains(&target) {
                return Err(ApplicationError::LinkLoop(path.to_owned()));
            }
            walk.enter(path, target)?;
            if let Some(owner) = walk.owner {
                let access = FileAccess { owner, ..FileAccess::DIRECTORY };
                if !destination.is_empty() {
                    tree_path(destination, path)?;
                }
                self.folders.insert((walk.start, destination.to_owned()), access);
                self.count += 1;
            }
            for candidate in self.list(walk, path)? {
                self.take(walk, &candidate.path, &joined(destination, &candidate.name))?;
            }
            walk.leave();
            return Ok(());
        }
        if !metadata.is_file() {
            return Err(ApplicationError::Special(path.to_owned()));
        }
        File::open(&target).map_err(read_error(path))?;
        let place = (walk.start, tree_path(destination, path)?);
        let before = self.files.get(&place);
        if let Some((first, _)) = before.filter(|(first, _)| *first != target) {
            let (first, second) = (first.clone(), target);
            return Err(ApplicationError::Conflict { path: place.1, first, second });
        }
        // A file that is included twice keeps a mode or an owner that only one of the includes states.
        let before = before.map(|(_, entry)| entry.access);
        let mode = walk.mode.or(before.map(|access| access.mode));
        let owner = walk.owner.or(before.map(|access| access.owner));
        let entry = TreeEntry {
            access: FileAccess {
                mode: mode.unwrap_or_else(|| FileMode::from_permissions(metadata.permissions().mode())),
                owner: owner.unwrap_or_default(),
            },
            content: FileContent::File { path: target.clone(), size: metadata.len() },
            origin: FileOrigin::Application,
        };
        self.files.insert(place, (target, entry));
        self.count += 1;
        Ok(())
    }

    /// Lists the entries of a directory that no rule excludes, and records the others.
    fn list(&mut self, walk: &DirectoryWalk, folder: &Path) -> Result<Vec<CandidatePath>, ApplicationError> {
        let mut kept = Vec::new();
        for candidate in self.candidates(walk, folder)? {
            match self.rule(walk, &candidate) {
                Some(rule) => self.leave_out(&candidate, rule),
                None => kept.push(candidate),
            }
        }
        Ok(kept)
    }

    /// Lists a directory, ordered by name.
    fn candidates(&self, walk: &DirectoryWalk, folder: &Path) -> Result<Vec<CandidatePath>, ApplicationError> {
        let mut candidates = Vec::new();
        for entry in fs::read_dir(folder).map_err(read_error(folder))? {
            let entry = entry.map_err(read_error(folder))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(read_error(&path))?;
            let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
            match entry.file_name().into_string() {
                Ok(name) => candidates.push(CandidatePath { path, name, is_folder }),
                Err(_) if self.excludes.matches(&path, is_folder) || walk.ignore.ignores(&path, is_folder) => {}
                Err(_) => return Err(ApplicationError::NotUtf8(path)),
            }
        }
        candidates.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(candidates)
    }

    fn rule(&self, walk: &DirectoryWalk, candidate: &CandidatePath) -> Option<ExclusionRule> {
        let CandidatePath { path, name, is_folder } = candidate;
        if self.excludes.matches(path, *is_folder) {
            return Some(ExclusionRule::Excluded);
        }
        if let Some(rule) = candidate.rule() {
            return Some(rule);
        }
        let is_build_directory = *is_folder && matches!(name.as_str(), "dist" | "build");
        if is_build_directory && path.parent() == Some(self.project.as_path()) {
            Some(ExclusionRule::BuildOutput)
        } else if walk.leaves_tests_out && candidate.is_test() {
            Some(ExclusionRule::Test)
        } else if walk.leaves_projects_out && *is_folder && path.join("pyproject.toml").exists() {
            Some(ExclusionRule::Project)
        } else {
            walk.ignore.ignores(path, *is_folder).then_some(ExclusionRule::GitIgnored)
        }
    }

    /// Returns whether a directory contains a module that no rule excludes.
    fn has_modules(&self, walk: &mut DirectoryWalk, folder: &Path) -> Result<bool, ApplicationError> {
        let Ok(target) = fs::canonicalize(folder) else { return Ok(false) };
        if walk.folders.contains(&target) {
            return Ok(false);
        }
        walk.enter(folder, target)?;
        let mut found = false;
        for candidate in self.candidates(walk, folder)? {
            found = self.rule(walk, &candidate).is_none()
                && (candidate.is_module() || (candidate.is_folder && self.has_modules(walk, &candidate.path)?));
            if found {
                break;
            }
        }
        walk.leave();
        Ok(found)
    }

    fn leave_out(&mut self, candidate: &CandidatePath, rule: ExclusionRule) {
        self.left_out.push(ExcludedPath { path: self.shown(&candidate.path, candidate.is_folder), rule });
    }

    fn shown(&self, path: &Path, is_folder: bool) -> String {
        let path = path.strip_prefix(&self.project).unwrap_or(path);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        format!("{}{}", path.display(), if is_folder { "/" } else { "" })
    }
}

impl DirectoryWalk {
    fn enter(&mut self, folder: &Path, target: PathBuf) -> Result<(), ApplicationError> {
        self.folders.push(target);
        self.ignore.enter(folder).map_err(read_error(folder))
    }

    fn leave(&mut self) {
        self.folders.pop();
        self.ignore.leave();
    }

    /// Resolves a symbolic link.
    fn follow(&self, link: &Path) -> Result<PathBuf, ApplicationError> {
        let target = fs::canonicalize(link).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ApplicationError::BrokenLink(link.to_owned()),
            io::ErrorKind::PermissionDenied => ApplicationError::Read(link.to_owned(), error),
            _ => ApplicationError::LinkLoop(link.to_owned()),
        })?;
        if self.within.iter().any(|folder| target.starts_with(folder)) {
            Ok(target)
        } else {
            Err(ApplicationError::LinkOutside { link: link.to_owned(), target })
        }
    }
}

fn canonical(path: &Path) -> Result<PathBuf, ApplicationError> {
    fs::canonicalize(path).map_err(read_error(path))
}

fn read_error(path: &Path) -> impl Fn(io::Error) -> ApplicationError {
    move |error| ApplicationError::Read(path.to_owned(), error)
}

fn tree_path(destination: &str, path: &Path) -> Result<TreePath, ApplicationError> {
    TreePath::new(destination).map_err(|error| ApplicationError::Path(path.to_owned(), error))
}

fn joined(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}
