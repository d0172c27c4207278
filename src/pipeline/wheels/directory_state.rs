//! What a wheel that is built from a directory depends on.
//!
//! A backend may read anything. The common ones make the wheel out of the files in the directory and nothing else, if
//! the project neither derives its version nor runs code of its own: then these files decide, and for hatchling and poetry-core
//! what git is told to ignore. Of any other project, the
//! whole repository with its commit and tags counts as well, and the environment variables. In doubt a wheel is built: an
//! unnecessary build takes a second, an outdated wheel takes an afternoon to find.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::cache::Cache;
use crate::digest::Sha256;
use crate::git;
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::pipeline::wheels::static_project::{self, IgnoredFiles};
use crate::settings::Variables;

/// Directories of tools, which no backend reads.
const TOOL_DIRECTORIES: [&str; 14] = [
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".aws-sam",
    ".serverless",
    ".terraform",
    "__pycache__",
    "node_modules",
];

/// A directory with more files is built each time: they would take longer to read than a build.
const MOST_FILES: usize = 50_000;

/// Variables of a terminal and of its session, which differ from one to the next, and pybundle's own. A `*` matches any
/// ending.
const SESSION_VARIABLES: [&str; 24] = [
    "_",
    "COLORTERM",
    "COLUMNS",
    "DBUS_*",
    "DESKTOP_*",
    "DISPLAY",
    "GPG_*",
    "HISTFILE",
    "INVOCATION_ID",
    "ITERM_*",
    "JOURNAL_STREAM",
    "LINES",
    "LS_COLORS",
    "OLDPWD",
    "PROMPT*",
    "PS1",
    "PWD",
    "PYBUNDLE_*",
    "SHLVL",
    "SSH_*",
    "TERM*",
    "TMUX*",
    "WINDOWID",
    "XDG_SESSION*",
];

/// Returns a text that changes with everything that the wheel of a directory depends on, besides what builds it; `None`
/// if that cannot be told. Files at or below the paths `outputs` do not count.
pub(super) fn state(directory: &Path, outputs: &[PathBuf], variables: &Variables, cache: &Cache) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let declared = static_project::declared(&directory)?;
    if declared.has_local_requirements(&directory) {
        return None;
    }
    let files = Files::below(&directory, outputs, declared.mentions_dist).ok()?;
    let mut state = format!("{}\n{}\n", files.digest(cache).ok()?.hex(), settings_of_uv(&directory).ok()?);
    match declared.ignored {
        IgnoredFiles::Kept => {}
        IgnoredFiles::Listed => state += &ignore_files_above(&directory).ok()?,
        // Without git, poetry-core omits none.
        IgnoredFiles::Untracked => state += &files.among(&git::ignored(&directory).unwrap_or_default()),
    }
    if declared.is_static {
        return Some(state);
    }
    let repository = git::state(&directory, outputs).ok()?;
    let is_read_outside = declared.leaves_directory;
    match repository {
        Some(repository) if !is_read_outside || repository.top != directory => state += &repository.digest.hex(),
        None if !is_read_outside => {}
        _ => return None,
    }
    for (name, value) in variables.pairs().filter(|(name, _)| !is_of_session(name)) {
        state += &format!("\n{name}={value}");
    }
    Some(state)
}

fn is_of_session(name: &str) -> bool {
    SESSION_VARIABLES.iter().any(|known| match known.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *known,
    })
}

/// Returns `[tool.uv]` and the `uv.toml` of the directories above, one of which may be the workspace of the project: they
/// decide which backend is installed.
fn settings_of_uv(directory: &Path) -> io::Result<String> {
    let mut settings = String::new();
    for above in directory.ancestors().skip(1) {
        for (name, table) in [("pyproject.toml", &["tool", "uv"][..]), ("uv.toml", &[])] {
            let text = match limited_reader::read_regular_text(&above.join(name), LARGEST_PROJECT_FILE) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let document: toml::Value = toml::from_str(&text).map_err(io::Error::other)?;
            let value = table.iter().try_fold(&document, |value, key| value.get(key));
            settings += &value.map(ToString::to_string).unwrap_or_default();
        }
    }
    Ok(settings)
}

/// Returns the files above a project, up to its repository, that list what git or Mercurial ignores.
fn ignore_files_above(directory: &Path) -> io::Result<String> {
    let mut lists = String::new();
    for (name, repository) in [(".gitignore", ".git"), (".hgignore", ".hg")] {
        let top = directory.ancestors().find(|above| above.join(repository).exists());
        for above in directory.ancestors().skip(1).take_while(|above| top.is_none_or(|top| above.starts_with(top))) {
            match limited_reader::read_regular_text(&above.join(name), LARGEST_PROJECT_FILE) {
                Ok(text) => lists += &format!("{name} {}\n{text}\n", text.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(lists)
}

/// The files that a backend may read.
struct Files {
    /// Relative to the directory, with where each is.
    paths: Vec<(String, PathBuf)>,
}

impl Files {
    /// Lists the files below a directory, also through symbolic links. What earlier builds wrote does not count: pybundle
    /// and other tools write into `dist`.
    fn below(directory: &Path, outputs: &[PathBuf], with_dist: bool) -> io::Result<Self> {
        let mut files = Self { paths: Vec::new() };
        files.add(directory, "", outputs, with_dist, &mut BTreeSet::new())?;
        files.paths.sort_unstable();
        Ok(files)
    }

    fn add(
        &mut self,
        directory: &Path,
        prefix: &str,
        outputs: &[PathBuf],
        with_dist: bool,
        seen: &mut BTreeSet<PathBuf>,
    ) -> io::Result<()> {
        if !seen.insert(directory.canonicalize()?) {
            return Ok(());
        }
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if outputs.iter().any(|output| path.starts_with(output)) {
                continue;
            }
            let relative = format!("{prefix}{name}");
            let is_skipped = TOOL_DIRECTORIES.contains(&&*name)
                || (relative == "dist" && !with_dist)
                || (prefix.is_empty() && name.ends_with(".egg-info") && !directory.join("PKG-INFO").is_file());
            // A broken link is neither.
            if path.is_dir() && !is_skipped && !is_cache(&path) {
                self.add(&path, &format!("{relative}/"), outputs, with_dist, seen)?;
            } else if path.is_file() {
                self.paths.push((relative, path));
            }
        }
        if self.paths.len() > MOST_FILES { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    }

    /// Lists those that are at or below some of these paths.
    fn among(&self, ignored: &BTreeSet<PathBuf>) -> String {
        let found = self.paths.iter().filter(|(_, path)| path.ancestors().any(|above| ignored.contains(above)));
        found.map(|(relative, _)| format!("{relative} is ignored\n")).collect()
    }

    fn digest(&self, cache: &Cache) -> io::Result<Sha256> {
        let states = self.paths.par_iter().map(|(_, path)| file_state(path, cache));
        let states: Vec<String> = states.collect::<Result<_, _>>()?;
        let lines = self.paths.iter().zip(states).map(|((relative, _), state)| format!("{relative}\0{state}\n"));
        Ok(Sha256::of(lines.collect::<String>().as_bytes()))
    }
}

/// Returns whether a directory is a virtual environment or a cache (<https://bford.info/cachedir/>).
fn is_cache(directory: &Path) -> bool {
    directory.join("pyvenv.cfg").exists() || directory.join("CACHEDIR.TAG").exists()
}

fn file_state(path: &Path, cache: &Cache) -> io::Result<String> {
    let metadata = path.metadata()?;
    let is_executable = metadata.mode() & 0o111 != 0;
    Ok(format!("{is_executable} {}", cache.digest_of_file(path, &metadata)?.hex()))
}
