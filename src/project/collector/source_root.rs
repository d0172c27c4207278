//! Whether `src` is the directory that modules are imported from, or a package itself.

use std::fs;
use std::path::Path;

use super::{CandidatePath, Collector, DirectoryWalk};
use crate::project::application::ApplicationError;

/// The largest module that is searched for imports, in bytes.
const LARGEST_READ: u64 = 1 << 20;

impl Collector<'_> {
    /// Returns `src` if its contents belong at the root of the artifact: it contains modules, has no `__init__.py`, and
    /// nothing refers to it by its name.
    pub(super) fn source_root(
        &self,
        walk: &mut DirectoryWalk,
        top_level: &[CandidatePath],
    ) -> Result<Option<CandidatePath>, ApplicationError> {
        let Some(source) = top_level.iter().find(|candidate| candidate.is_directory && candidate.name == "src") else {
            return Ok(None);
        };
        let is_root = !source.path.join("__init__.py").exists()
            && self.has_modules(walk, &source.path)?
            && !self.source.started.iter().any(|name| is_in_source(name))
            && !self.is_used_as_package(walk, source, top_level)?;
        Ok(is_root.then(|| source.clone()))
    }

    /// Returns whether a module in `src` or beside it imports `src`, or names it in a string such as `"src.main:app"`.
    fn is_used_as_package(
        &self,
        walk: &mut DirectoryWalk,
        source: &CandidatePath,
        top_level: &[CandidatePath],
    ) -> Result<bool, ApplicationError> {
        for candidate in top_level.iter().filter(|candidate| candidate.is_module()) {
            if refers_to_source(&candidate.path, &source.path) {
                return Ok(true);
            }
        }
        self.has_module(walk, &source.path, &|module| refers_to_source(module, &source.path))
    }
}

/// Returns whether a handler, or an argument of a command, refers to a module or file in `src`.
fn is_in_source(name: &str) -> bool {
    let rest = name.trim_start_matches("./").strip_prefix("src");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/', ':']))
}

/// Returns whether a module refers to one in a directory by the directory's name.
fn refers_to_source(module: &Path, source: &Path) -> bool {
    let is_small = fs::metadata(module).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST_READ);
    let Ok(bytes) = fs::read(if is_small { module } else { return false }) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    text.lines().any(|line| {
        let line = line.trim_start();
        let from = line.strip_prefix("from src").is_some_and(|rest| {
            rest.strip_prefix('.').map_or_else(|| rest.trim_start().starts_with("import "), |rest| exists(rest, source))
        });
        let import = line
            .strip_prefix("import src")
            .is_some_and(|rest| rest.strip_prefix('.').map_or(rest.trim().is_empty(), |rest| exists(rest, source)));
        let string = ["\"src.", "'src."]
            .iter()
            .any(|start| line.match_indices(start).any(|(at, _)| exists(&line[at + start.len()..], source)));
        from || import || string
    })
}

/// Returns whether the name that a text begins with is a module or a package in a directory.
fn exists(text: &str, directory: &Path) -> bool {
    let name =
        text.split(|character: char| !character.is_alphanumeric() && character != '_').next().unwrap_or_default();
    !name.is_empty() && (directory.join(name).is_dir() || directory.join(format!("{name}.py")).is_file())
}
