//! The workspace around a project, found by uv's rules.
//!
//! Specification: [uv, workspaces](https://docs.astral.sh/uv/concepts/projects/workspaces/).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use super::error::ProjectError;
use super::gitignore::GitIgnore;
use super::pyproject::{FILENAME, PyprojectToml, WorkspaceTable};
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::name::DistributionName;

/// The most directories that a pattern may lead through: links between directories can make more paths than there are
/// directories.
const MOST_DIRECTORIES: usize = 100_000;

/// The projects that are locked together.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The absolute path of the workspace root, without symbolic links. It contains the lock.
    pub root: PathBuf,
    /// The root, which need not be a project, then the members ordered by path.
    pub members: Arc<[WorkspaceMember]>,
    current: usize,
}

/// A directory of a workspace that has a `pyproject.toml`.
#[derive(Debug, Clone)]
pub struct WorkspaceMember {
    /// The directory, relative to the workspace root; empty for the root.
    pub path: PathBuf,
    /// Its `pyproject.toml`.
    pub pyproject: PyprojectToml,
}

impl Workspace {
    /// Finds the project that `directory` belongs to, and its workspace: the nearest `pyproject.toml`, then the nearest
    /// one above it, if that is a workspace root with the project as a member. Otherwise the project is its own workspace.
    ///
    /// A directory with one of the files in `marks`, or with a `setup.py` or `setup.cfg`, is a project without a
    /// `pyproject.toml`; so is `directory` itself if no project is found. If `directory` is a file, it is a script, which is
    /// alone in its workspace. Outside of every project, it needs no metadata.
    ///
    /// # Errors
    /// The directory or the script cannot be read, or the project, its workspace root or another member is invalid.
    pub fn discover(directory: &Path, marks: &[&str]) -> Result<Self, ProjectError> {
        let directory = fs::canonicalize(directory).map_err(read_error(directory))?;
        let marks: Vec<&str> = [FILENAME, "setup.py", "setup.cfg"].iter().chain(marks).copied().collect();
        let mut ancestors = directory.ancestors();
        let project = ancestors.find(|directory| marks.iter().any(|mark| directory.join(mark).is_file()));
        if directory.is_file() {
            let around = directory.parent().unwrap_or(&directory).to_owned();
            let pyproject = match PyprojectToml::of_script(directory.clone()) {
                // As for `uv run`, which runs it with the dependencies of the project that it is in, or else without any.
                Err(ProjectError::NoScriptMetadata(_)) if project.is_none() => {
                    PyprojectToml::of_plain_script(directory)?
                }
                read => read?,
            };
            return Ok(Self::alone(&around, pyproject));
        }
        let project = project.unwrap_or(&directory);
        if !project.join(FILENAME).is_file() {
            return Ok(Self::alone(project, PyprojectToml::absent(project)));
        }
        let pyproject = PyprojectToml::read(project)?;
        if !pyproject.is_managed() {
            return Ok(Self::alone(project, pyproject));
        }
        if let Some(patterns) = pyproject.workspace().map(|table| MemberPatterns::new(table, &pyproject)).transpose()? {
            let members = collect(project, pyproject, &patterns)?;
            return Ok(Self { root: project.to_owned(), members: members.into(), current: 0 });
        }
        if pyproject.name.is_some()
            && let Some((root, root_pyproject, patterns)) = find_root(project)?
        {
            let members = collect(&root, root_pyproject, &patterns)?;
            if let Some(current) = members.iter().position(|member| root.join(&member.path) == project) {
                return Ok(Self { root, members: members.into(), current });
            }
        }
        Ok(Self::alone(project, pyproject))
    }

    fn alone(project: &Path, pyproject: PyprojectToml) -> Self {
        let member = WorkspaceMember { path: PathBuf::new(), pyproject };
        Self { root: project.to_owned(), members: [member].into(), current: 0 }
    }

    /// Returns the workspace as [`discover`](Self::discover) finds it from the directory of one of its members; `None` for
    /// any other directory.
    pub fn seen_from(&self, directory: &Path) -> Option<Self> {
        let directory = fs::canonicalize(directory).ok()?;
        if let Some(script) = self.script() {
            return (script == directory).then(|| self.clone());
        }
        let current = self.members.iter().position(|member| self.directory(member) == directory)?;
        let between = directory.ancestors().skip(1).take_while(|above| **above != *self.root);
        // Discovery would find a project between the member and the root first.
        let is_hidden = current > 0 && between.into_iter().any(|above| above.join(FILENAME).is_file());
        (!is_hidden && directory.join(FILENAME).is_file()).then(|| Self { current, ..self.clone() })
    }

    /// Returns the project that was discovered, which has no name if it is a root without a project.
    pub fn current(&self) -> &WorkspaceMember {
        &self.members[self.current]
    }

    /// Returns the script that is built, if it is not a project: its canonical path.
    pub(crate) fn script(&self) -> Option<&Path> {
        self.current().pyproject.script()
    }

    /// Returns the member with a name.
    pub fn member(&self, name: &DistributionName) -> Option<&WorkspaceMember> {
        self.members.iter().find(|member| member.pyproject.name.as_ref() == Some(name))
    }

    /// Returns the absolute path of a member's directory.
    pub fn directory(&self, member: &WorkspaceMember) -> PathBuf {
        // Joining an empty path would leave a trailing separator.
        member.path.components().fold(self.root.clone(), |directory, component| directory.join(component))
    }
}

/// Finds the Python version that a project is pinned to: the first line that is not a comment in the nearest
/// `.python-version`, or else `.python-versions`, from `directory` up to `workspace_root`. As in uv, the nearest file
/// counts even if it is empty; unlike in uv, a file in the user's configuration directory does not, so that all machines
/// build the same. `directory` is below `workspace_root` by its path, as [`Workspace::directory`] is below
/// [`Workspace::root`].
///
/// # Errors
/// The file cannot be read.
pub fn python_version_file(directory: &Path, workspace_root: &Path) -> Result<Option<(PathBuf, String)>, ProjectError> {
    let within = directory.ancestors().take_while(|ancestor| ancestor.starts_with(workspace_root));
    let candidates = within.flat_map(python_version_files);
    let Some(path) = candidates.into_iter().find(|path| path.is_file()) else { return Ok(None) };
    let text = limited_reader::read_regular_text(&path, LARGEST_PROJECT_FILE).map_err(read_error(&path))?;
    let version = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(version.map(|version| (path.clone(), version.to_owned())))
}

/// Returns the files that may pin the Python version of a directory, by precedence.
pub fn python_version_files(directory: &Path) -> [PathBuf; 2] {
    [".python-version", ".python-versions"].map(|name| directory.join(name))
}

fn read_error(path: &Path) -> impl Fn(io::Error) -> ProjectError {
    move |source| ProjectError::Read { path: path.to_owned(), source }
}

/// Finds the workspace root above a project, if the project is one of its members.
fn find_root(project: &Path) -> Result<Option<(PathBuf, PyprojectToml, MemberPatterns)>, ProjectError> {
    let Some(root) = project.ancestors().skip(1).find(|directory| directory.join(FILENAME).is_file()) else {
        return Ok(None);
    };
    let pyproject = PyprojectToml::read(root)?;
    let Some(table) = pyproject.workspace() else { return Ok(None) };
    let patterns = MemberPatterns::new(table, &pyproject)?;
    let path = project.strip_prefix(root).unwrap_or(project);
    let is_member = patterns.members.iter().any(|pattern| pattern.matches(path)) && !patterns.exclude(path);
    Ok(is_member.then(|| (root.to_owned(), pyproject, patterns)))
}

/// Reads the members that match the patterns, and checks that they are compatible.
fn collect(
    root: &Path,
    root_pyproject: PyprojectToml,
    patterns: &MemberPatterns,
) -> Result<Vec<WorkspaceMember>, ProjectError> {
    let mut members = BTreeMap::from([(PathBuf::new(), root_pyproject)]);
    for pattern in &patterns.members {
        for path in pattern.expand(root)? {
            if members.contains_key(&path) || patterns.exclude(&path) {
                continue;
            }
            if let Some(pyproject) = read_member(root, &path, pattern)? {
                members.insert(path, pyproject);
            }
        }
    }
    let mut names = HashMap::new();
    for (path, pyproject) in &members {
        if !path.as_os_str().is_empty() {
            if pyproject.name.is_none() {
                return Err(ProjectError::MemberWithoutProject(pyproject.path.clone()));
            }
            if pyproject.workspace().is_some() {
                return Err(ProjectError::NestedWorkspace(pyproject.path.clone()));
            }
        }
        if let Some(name) = &pyproject.name
            && let Some(first) = names.insert(name.clone(), &pyproject.path)
        {
            let (first, second) = (first.clone(), pyproject.path.clone());
            return Err(ProjectError::SameName { name: name.clone(), first, second });
        }
    }
    Ok(members.into_iter().map(|(path, pyproject)| WorkspaceMember { path, pyproject }).collect())
}

/// Reads a directory that matches a pattern. Like uv, ignores unmanaged projects, and hidden or ignored directories
/// without a project.
fn read_member(root: &Path, path: &Path, pattern: &MemberPattern) -> Result<Option<PyprojectToml>, ProjectError> {
    let directory = root.join(path);
    if directory.join(FILENAME).is_file() {
        let pyproject = PyprojectToml::read(&directory)?;
        return Ok(pyproject.is_managed().then_some(pyproject));
    }
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut ignore = GitIgnore::above(&directory, root).map_err(read_error(&directory))?;
    if is_hidden || ignore.ignores_all_below(&directory).map_err(read_error(&directory))? {
        return Ok(None);
    }
    Err(ProjectError::MemberWithoutPyproject { member: directory, pattern: pattern.text.clone() })
}

/// The compiled patterns of `tool.uv.workspace`.
struct MemberPatterns {
    members: Vec<MemberPattern>,
    /// A `*` in these also matches `/`, as in uv.
    excluded: Vec<GlobMatcher>,
}

impl MemberPatterns {
    fn new(table: &WorkspaceTable, pyproject: &PyprojectToml) -> Result<Self, ProjectError> {
        let mut patterns = Self { members: Vec::new(), excluded: Vec::new() };
        for text in &table.members {
            let pattern = MemberPattern::new(text).map_err(|reason| invalid_pattern(pyproject, text, reason))?;
            patterns.members.push(pattern);
        }
        for text in &table.exclude {
            let pattern = normalized(text).and_then(|parts| glob(&parts.join("/"), false));
            patterns.excluded.push(pattern.map_err(|reason| invalid_pattern(pyproject, text, reason))?);
        }
        Ok(patterns)
    }

    fn exclude(&self, path: &Path) -> bool {
        self.excluded.iter().any(|pattern| pattern.is_match(path))
    }
}

fn invalid_pattern(pyproject: &PyprojectToml, pattern: &str, reason: String) -> ProjectError {
    ProjectError::MemberPattern { path: pyproject.path.clone(), pattern: pattern.to_owned(), reason }
}

/// A pattern of `tool.uv.workspace.members`.
struct MemberPattern {
    text: String,
    parts: Vec<PatternPart>,
}

/// A component of a pattern.
enum PatternPart {
    Literal(String),
    Wildcard(GlobMatcher),
    /// `**`: any number of directories.
    Recursive,
}

impl PatternPart {
    fn new(text: String) -> Result<Self, String> {
        match text.as_str() {
            "**" => Ok(Self::Recursive),
            wildcard if wildcard.contains(['*', '?', '[']) => glob(wildcard, true).map(Self::Wildcard),
            _ => Ok(Self::Literal(text)),
        }
    }
}

impl MemberPattern {
    fn new(text: &str) -> Result<Self, String> {
        let parts = normalized(text)?.into_iter().map(PatternPart::new).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), parts })
    }

    fn matches(&self, path: &Path) -> bool {
        let mut reached = self.initial_positions();
        for component in path.components() {
            let Some(name) = component.as_os_str().to_str() else { return false };
            reached = self.step(&reached, name, true);
        }
        reached.contains(&self.parts.len())
    }

    /// Returns the directories below `root` that match, relative to it and sorted.
    fn expand(&self, root: &Path) -> Result<Vec<PathBuf>, ProjectError> {
        let mut search = MemberSearch { pattern: self, root, found: Vec::new(), left: MOST_DIRECTORIES };
        search.visit(Path::new(""), &self.initial_positions())?;
        search.found.sort();
        Ok(search.found)
    }

    /// Returns the positions in the pattern before the first component. A set of positions, rather than one choice after the
    /// other, keeps patterns with many `**` from taking exponential time.
    fn initial_positions(&self) -> BTreeSet<usize> {
        self.with_skipped(BTreeSet::from([0]))
    }

    /// Returns the positions after one more component, from those before it. `recurses` says whether `**` matches it.
    fn step(&self, before: &BTreeSet<usize>, name: &str, recurses: bool) -> BTreeSet<usize> {
        let after = before.iter().filter_map(|&position| match self.parts.get(position)? {
            PatternPart::Literal(literal) => (literal == name).then_some(position + 1),
            PatternPart::Wildcard(glob) => glob.is_match(name).then_some(position + 1),
            PatternPart::Recursive => recurses.then_some(position),
        });
        self.with_skipped(after.collect())
    }

    /// Adds the positions behind each `**`, which matches no directory as well.
    fn with_skipped(&self, mut positions: BTreeSet<usize>) -> BTreeSet<usize> {
        for (position, part) in self.parts.iter().enumerate() {
            if matches!(part, PatternPart::Recursive) && positions.contains(&position) {
                positions.insert(position + 1);
            }
        }
        positions
    }
}

/// The search for the directories that match a pattern.
struct MemberSearch<'a> {
    pattern: &'a MemberPattern,
    root: &'a Path,
    found: Vec<PathBuf>,
    /// How many more directories may be visited.
    left: usize,
}

impl MemberSearch<'_> {
    /// Visits a directory that is at these positions of the pattern.
    fn visit(&mut self, path: &Path, positions: &BTreeSet<usize>) -> Result<(), ProjectError> {
        let directory = self.root.join(path);
        if !directory.is_dir() {
            return Ok(());
        }
        self.left = self.left.checked_sub(1).ok_or_else(|| ProjectError::MemberPattern {
            path: self.root.join(FILENAME),
            pattern: self.pattern.text.clone(),
            reason: format!("it leads through more than {MOST_DIRECTORIES} directories"),
        })?;
        if positions.contains(&self.pattern.parts.len()) {
            self.found.push(path.to_owned());
        }
        for name in self.next_names(&directory, positions)? {
            let deeper = path.join(&name);
            let positions = self.pattern.step(positions, &name, !leads_back(self.root, &deeper));
            if !positions.is_empty() {
                self.visit(&deeper, &positions)?;
            }
        }
        Ok(())
    }

    /// Returns the names that may match next. A directory is only listed for wildcards: it may not be readable.
    fn next_names(&self, directory: &Path, positions: &BTreeSet<usize>) -> Result<BTreeSet<String>, ProjectError> {
        let mut names = BTreeSet::new();
        for part in positions.iter().filter_map(|position| self.pattern.parts.get(*position)) {
            match part {
                PatternPart::Literal(name) => {
                    names.insert(name.clone());
                }
                PatternPart::Wildcard(_) | PatternPart::Recursive => {
                    return Ok(subdirectories(directory)?.into_iter().collect());
                }
            }
        }
        Ok(names)
    }
}

/// Returns whether a path is a symbolic link to one of its ancestors, which `**` would follow forever.
fn leads_back(root: &Path, path: &Path) -> bool {
    let link = root.join(path);
    link.is_symlink()
        && fs::canonicalize(&link).is_ok_and(|target| {
            let mut above =
                path.ancestors().skip(1).filter_map(|directory| fs::canonicalize(root.join(directory)).ok());
            above.any(|directory| directory == target)
        })
}

/// Returns the names of the subdirectories; none if the path is not a directory.
fn subdirectories(directory: &Path) -> Result<Vec<String>, ProjectError> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(read_error(directory))? {
        let entry = entry.map_err(read_error(directory))?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Splits a pattern into its components, without `.` and with `..` resolved.
fn normalized(text: &str) -> Result<Vec<String>, String> {
    let mut parts: Vec<String> = Vec::new();
    for component in Path::new(text).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir if parts.pop().is_some() => {}
            Component::ParentDir => return Err("it leads out of the workspace".to_owned()),
            Component::RootDir | Component::Prefix(_) => return Err("it is absolute".to_owned()),
        }
    }
    if let Some(part) = parts.iter().find(|part| part.contains("**") && *part != "**") {
        return Err(format!("`**` stands alone between slashes, unlike in `{part}`"));
    }
    Ok(parts)
}

/// Compiles a pattern of `*`, `?` and `[…]`; uv supports neither braces nor escapes.
fn glob(pattern: &str, literal_separator: bool) -> Result<GlobMatcher, String> {
    let mut escaped = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        match character {
            '{' => escaped.push_str("[{]"),
            '}' => escaped.push_str("[}]"),
            other => escaped.push(other),
        }
    }
    let glob = GlobBuilder::new(&escaped).literal_separator(literal_separator).backslash_escape(false).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests;
