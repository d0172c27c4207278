//! Walks a project's folders for the files of its application.

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
    /// The project's folder, canonical.
    project: PathBuf,
    /// The workspace root, canonical.
    workspace: PathBuf,
    excludes: &'a Excludes,
    files: BTreeMap<(DestinationRoot, TreePath), (PathBuf, TreeEntry)>,
    /// The folders that somebody is to own.
    folders: BTreeMap<(DestinationRoot, String), FileAccess>,
    /// The number of files and folders taken, with those taken twice.
    count: usize,
    taken: Vec<String>,
    left_out: Vec<ExcludedPath>,
}

/// Where a walk is, and by which rules it goes.
struct DirectoryWalk {
    ignore: GitIgnore,
    /// Where symbolic links may lead.
    within: Vec<PathBuf>,
    /// The canonical paths of the folders that the walk is in, the innermost last.
    folders: Vec<PathBuf>,
    leaves_tests_out: bool,
    leaves_projects_out: bool,
    /// Where the paths in the artifact start.
    start: DestinationRoot,
    /// The mode of the files, and the owner of files and folders, as far as they are stated.
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

    /// Takes the content of `src`, or the top-level modules and packages.
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

    /// Takes what the user named.
    pub(super) fn take_include(&mut self, include: &Include) -> Result<(), ApplicationError> {
        let named = self.project.join(&include.source);
        let path = fs::canonicalize(&named).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ApplicationError::Missing(named.clone()),
            _ => ApplicationError::Read(named.clone(), error),
        })?;
        // `.`, `..` and `/` have no name: what they are put into is filled with their content.
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
            let at = |parent: &str| self.files.get_key_value(&(*start, TreePath::new(parent).ok()?));
            if let Some(((_, parent), (first, _))) = path.parents().find_map(at) {
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
                // The root itself is nobody's but root's.
                DestinationRoot::Root => {
                    application.placed_folders.extend(TreePath::new(&path).ok().map(|path| (path, access)))
                }
            }
        }
        Ok(application)
    }

    /// Starts a walk at a file or folder, whose path is canonical.
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

    /// Takes a file, or a folder with what is below it.
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
        // Of a file that is taken twice, what is said once holds.
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

    /// Lists what of a folder no rule leaves out, and notes the rest.
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

    /// Lists a folder, ordered by name.
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
        let is_build_output =
            || *is_folder && matches!(name.as_str(), "dist" | "build") && path.parent() == Some(self.project.as_path());
        candidate.rule().or_else(|| {
            if is_build_output() {
                Some(ExclusionRule::BuildOutput)
            } else if walk.leaves_tests_out && candidate.is_test() {
                Some(ExclusionRule::Test)
            } else if walk.leaves_projects_out && *is_folder && path.join("pyproject.toml").exists() {
                Some(ExclusionRule::Project)
            } else {
                walk.ignore.ignores(path, *is_folder).then_some(ExclusionRule::GitIgnored)
            }
        })
    }

    /// Returns whether a module is left somewhere below a folder.
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

    /// Returns what a symbolic link leads to in the end.
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

/// Returns the place in the artifact of what lies at a path of this machine.
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
