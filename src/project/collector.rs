//! Walks a project's directories to collect the files of its application.

mod imported_tests;
mod module_imports;
mod reach;
mod script_modules;
mod source_root;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::application::{Application, ApplicationError, ApplicationSource, ExcludedPath};
use super::gitignore::GitIgnore;
use super::include::{DestinationRoot, Include};
use super::rules::{CandidatePath, ExclusionRule, is_module};
use crate::archive::destination;
use crate::tree::{FileAccess, FileContent, FileMode, FileOrigin, FileOwner, TreeEntry, TreePath};

/// The files collected so far.
pub(super) struct Collector<'a> {
    source: ApplicationSource<'a>,
    /// Canonical.
    project: PathBuf,
    /// The workspace root, canonical.
    workspace: PathBuf,
    /// The files that only the build reads: the locks with what they include, and the profile. Canonical.
    build_files: Vec<PathBuf>,
    files: BTreeMap<(DestinationRoot, TreePath), (PathBuf, TreeEntry)>,
    /// The directories with an owner.
    directories: BTreeMap<(DestinationRoot, String), FileAccess>,
    /// The number of collected files and directories; one that is included twice counts twice.
    count: usize,
    taken: Vec<String>,
    left_out: Vec<ExcludedPath>,
    /// The devices and inodes of standard output and standard error.
    streams: Vec<(u64, u64)>,
    /// What is named like a test, but part of the application.
    imported_tests: OnceCell<BTreeSet<PathBuf>>,
}

/// Whether files and directories that are named like tests are collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TestFiles {
    /// What is included is a test itself.
    Kept,
    Excluded,
    ExcludedUnlessImported,
}

/// The state of a walk, and its rules.
struct DirectoryWalk {
    ignore: GitIgnore,
    /// The directories that symbolic links may point to.
    within: Vec<PathBuf>,
    /// The canonical paths of the directories that are being walked, the innermost last.
    directories: Vec<PathBuf>,
    tests: TestFiles,
    /// Whether the user included nothing, so that everything is collected that does not belong to development.
    is_default: bool,
    /// Where the paths in the artifact start.
    start: DestinationRoot,
    mode: Option<FileMode>,
    owner: Option<FileOwner>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(source: ApplicationSource<'a>) -> Result<Self, ApplicationError> {
        let build_files = source.locks.iter().map(PathBuf::as_path).chain(source.profile);
        Ok(Self {
            project: canonical(source.project)?,
            workspace: canonical(source.workspace)?,
            build_files: build_files.filter_map(|file| file.canonicalize().ok()).collect(),
            source,
            files: BTreeMap::new(),
            directories: BTreeMap::new(),
            count: 0,
            taken: Vec::new(),
            left_out: Vec::new(),
            streams: destination::redirected_streams(),
            imported_tests: OnceCell::new(),
        })
    }

    /// Collects everything in the project that does not belong to development. The contents of `src` are put at the root,
    /// unless it is a package.
    pub(super) fn take_default(&mut self) -> Result<(), ApplicationError> {
        let project = self.project.clone();
        let mut walk = self.walk(&project)?;
        walk.is_default = true;
        walk.enter(&project, project.clone())?;
        let top_level = self.list(&walk, &project)?;
        let source = self.source_root(&mut walk, &top_level)?;
        let mut in_source = BTreeSet::new();
        if let Some(source) = &source {
            self.take(&mut walk, &source.path, "")?;
            self.taken.push("src/".to_owned());
            in_source
                .extend(self.files.keys().filter_map(|(_, path)| Some(path.as_str().split('/').next()?.to_owned())));
        }
        for candidate in &top_level {
            if source.as_ref().is_some_and(|source| source.path == candidate.path) {
                continue;
            }
            if in_source.contains(&candidate.name) {
                self.exclude(candidate, ExclusionRule::BesideSource);
                continue;
            }
            let before = self.count;
            self.take(&mut walk, &candidate.path, &candidate.name)?;
            if self.count > before {
                self.taken.push(self.shown(&candidate.path, candidate.is_directory));
            }
        }
        let has_module = self.files.keys().any(|(_, path)| is_module(path.as_str()));
        if has_module { Ok(()) } else { Err(ApplicationError::NothingFound(project)) }
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
        let is_directory = path.is_dir();
        let to = &include.destination;
        let is_into = to.is_directory || (to.path.is_empty() && !is_directory);
        let destination = if is_into { joined(&to.path, &name) } else { to.path.clone() };
        let candidate = CandidatePath { path: named.clone(), name, is_directory };
        let before = self.count;
        if self.source.excludes.matches(&named, is_directory) {
            self.exclude(&candidate, ExclusionRule::Excluded);
        } else {
            let mut walk = self.walk(&path)?;
            if candidate.is_test() {
                walk.tests = TestFiles::Kept;
            }
            (walk.start, walk.mode, walk.owner) = (to.start, include.mode, include.owner);
            walk.within.push(path.clone());
            self.take(&mut walk, &path, &destination)?;
        }
        if self.count == before {
            return Err(if is_empty_directory(&path) {
                ApplicationError::EmptyDirectory(named)
            } else {
                ApplicationError::NothingIncluded(named)
            });
        }
        self.taken.push(self.shown(&named, is_directory));
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
        for ((start, path), access) in self.directories {
            match start {
                DestinationRoot::Application => application.directories.push((path, access)),
                // The root directory of an image is always owned by root.
                DestinationRoot::Root => {
                    application.placed_directories.extend(TreePath::new(&path).ok().map(|path| (path, access)))
                }
            }
        }
        Ok(application)
    }

    /// Starts a walk at a canonical path.
    fn walk(&self, path: &Path) -> Result<DirectoryWalk, ApplicationError> {
        Ok(DirectoryWalk {
            ignore: GitIgnore::above(path, &self.workspace).map_err(read_error(path))?,
            within: vec![repository(&self.workspace).to_owned(), self.project.clone()],
            directories: Vec::new(),
            tests: TestFiles::ExcludedUnlessImported,
            is_default: false,
            start: DestinationRoot::Application,
            mode: None,
            owner: None,
        })
    }

    /// Collects a file, or a directory recursively.
    fn take(&mut self, walk: &mut DirectoryWalk, path: &Path, destination: &str) -> Result<(), ApplicationError> {
        let target = match (walk.directories.last(), path.file_name()) {
            _ if path.is_symlink() => self.follow(walk, path)?,
            (Some(directory), Some(name)) => directory.join(name),
            _ => path.to_owned(),
        };
        let metadata = fs::metadata(&target).map_err(read_error(path))?;
        if metadata.is_dir() {
            if walk.directories.contains(&target) {
                return Err(ApplicationError::LinkLoop(path.to_owned()));
            }
            walk.enter(path, target)?;
            if let Some(owner) = walk.owner {
                let access = FileAccess { owner, ..FileAccess::DIRECTORY };
                if !destination.is_empty() {
                    tree_path(destination, path)?;
                }
                self.directories.insert((walk.start, destination.to_owned()), access);
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
        let key = (walk.start, tree_path(destination, path)?);
        let before = self.files.get(&key);
        if let Some((first, _)) = before.filter(|(first, _)| *first != target) {
            let (first, second) = (first.clone(), target);
            return Err(ApplicationError::Conflict { path: key.1, first, second });
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
        self.files.insert(key, (target, entry));
        self.count += 1;
        Ok(())
    }

    /// Lists the entries of a directory that no rule excludes, and records the others.
    fn list(&mut self, walk: &DirectoryWalk, directory: &Path) -> Result<Vec<CandidatePath>, ApplicationError> {
        let mut kept = Vec::new();
        for candidate in self.candidates(walk, directory)? {
            match self.rule(walk, &candidate) {
                Some(rule) => self.exclude(&candidate, rule),
                None => kept.push(candidate),
            }
        }
        Ok(kept)
    }

    /// Lists a directory, ordered by name.
    fn candidates(&self, walk: &DirectoryWalk, directory: &Path) -> Result<Vec<CandidatePath>, ApplicationError> {
        let mut candidates = Vec::new();
        for entry in fs::read_dir(directory).map_err(read_error(directory))? {
            let entry = entry.map_err(read_error(directory))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(read_error(&path))?;
            let is_directory = kind.is_dir() || (kind.is_symlink() && path.is_dir());
            match entry.file_name().into_string() {
                Ok(name) => candidates.push(CandidatePath { path, name, is_directory }),
                Err(_)
                    if self.source.excludes.matches(&path, is_directory)
                        || walk.ignore.ignores(&path, is_directory) => {}
                Err(_) => return Err(ApplicationError::NotUtf8(path)),
            }
        }
        candidates.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(candidates)
    }

    fn rule(&self, walk: &DirectoryWalk, candidate: &CandidatePath) -> Option<ExclusionRule> {
        let CandidatePath { path, name, is_directory } = candidate;
        if self.source.excludes.matches(path, *is_directory) {
            return Some(ExclusionRule::Excluded);
        }
        if self.source.excludes.keeps(path, *is_directory) {
            return None;
        }
        if let Some(rule) = candidate.rule() {
            return Some(rule);
        }
        let is_top_level = path.parent() == Some(self.project.as_path());
        let is_stream = || {
            let metadata = path.metadata();
            metadata.is_ok_and(|metadata| self.streams.contains(&(metadata.dev(), metadata.ino())))
        };
        let is_build_directory = *is_directory && matches!(name.as_str(), "dist" | "build" | "cdk.out");
        if (is_top_level && is_build_directory) || candidate.is_build_output() || is_stream() {
            Some(ExclusionRule::BuildOutput)
        } else if self.excludes_test(walk, candidate) {
            Some(ExclusionRule::Test)
        } else if walk.is_default && *is_directory && path.join("pyproject.toml").exists() {
            Some(ExclusionRule::Project)
        } else if walk.ignore.ignores(path, *is_directory) {
            Some(ExclusionRule::GitIgnored)
        } else if walk.is_default && self.build_files.contains(path) {
            Some(ExclusionRule::Tool)
        } else if walk.is_default {
            is_top_level.then(|| candidate.top_level_rule()).flatten().or_else(|| candidate.default_rule())
        } else {
            None
        }
    }

    fn excludes_test(&self, walk: &DirectoryWalk, candidate: &CandidatePath) -> bool {
        match walk.tests {
            TestFiles::Kept => false,
            TestFiles::Excluded => candidate.is_test(),
            TestFiles::ExcludedUnlessImported => candidate.is_test() && !self.is_imported_test(candidate),
        }
    }

    /// Returns whether a directory contains a module that no rule excludes.
    fn has_modules(&self, walk: &mut DirectoryWalk, directory: &Path) -> Result<bool, ApplicationError> {
        self.has_module(walk, directory, &|_| true)
    }

    /// Returns whether a directory contains a module that no rule excludes, for which `is_wanted` is true.
    fn has_module(
        &self,
        walk: &mut DirectoryWalk,
        directory: &Path,
        is_wanted: &dyn Fn(&Path) -> bool,
    ) -> Result<bool, ApplicationError> {
        let Ok(target) = fs::canonicalize(directory) else { return Ok(false) };
        if walk.directories.contains(&target) {
            return Ok(false);
        }
        walk.enter(directory, target)?;
        let mut found = false;
        for candidate in self.candidates(walk, directory)? {
            found = self.rule(walk, &candidate).is_none()
                && if candidate.is_directory {
                    self.has_module(walk, &candidate.path, is_wanted)?
                } else {
                    candidate.is_module() && is_wanted(&candidate.path)
                };
            if found {
                break;
            }
        }
        walk.leave();
        Ok(found)
    }

    /// Resolves a symbolic link.
    fn follow(&self, walk: &DirectoryWalk, link: &Path) -> Result<PathBuf, ApplicationError> {
        let target = fs::canonicalize(link).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ApplicationError::BrokenLink(link.to_owned()),
            io::ErrorKind::PermissionDenied => ApplicationError::Read(link.to_owned(), error),
            _ => ApplicationError::LinkLoop(link.to_owned()),
        })?;
        if walk.within.iter().any(|directory| target.starts_with(directory)) {
            Ok(target)
        } else {
            Err(ApplicationError::LinkOutside { link: link.to_owned(), path: self.shown(link, false), target })
        }
    }

    fn exclude(&mut self, candidate: &CandidatePath, rule: ExclusionRule) {
        self.left_out.push(ExcludedPath { path: self.shown(&candidate.path, candidate.is_directory), rule });
    }

    fn shown(&self, path: &Path, is_directory: bool) -> String {
        let path = path.strip_prefix(&self.project).unwrap_or(path);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        format!("{}{}", path.display(), if is_directory { "/" } else { "" })
    }
}

impl DirectoryWalk {
    fn enter(&mut self, directory: &Path, target: PathBuf) -> Result<(), ApplicationError> {
        self.directories.push(target);
        self.ignore.enter(directory).map_err(read_error(directory))
    }

    fn leave(&mut self) {
        self.directories.pop();
        self.ignore.leave();
    }
}

/// Returns the root of the git repository that contains a directory, or else the directory.
fn repository(directory: &Path) -> &Path {
    directory.ancestors().find(|ancestor| ancestor.join(".git").exists()).unwrap_or(directory)
}

fn canonical(path: &Path) -> Result<PathBuf, ApplicationError> {
    fs::canonicalize(path).map_err(read_error(path))
}

fn is_empty_directory(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

fn read_error(path: &Path) -> impl Fn(io::Error) -> ApplicationError {
    move |error| ApplicationError::Read(path.to_owned(), error)
}

fn tree_path(destination: &str, path: &Path) -> Result<TreePath, ApplicationError> {
    TreePath::new(destination).map_err(|error| ApplicationError::Path(path.to_owned(), error))
}

fn joined(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else if name.is_empty() {
        directory.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}
