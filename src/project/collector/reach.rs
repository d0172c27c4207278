//! Whether a change of a file, which need not be there any more, is a change of what is collected.

use std::fs;
use std::path::Path;

use super::{CandidatePath, Collector, TestFiles};
use crate::project::application::ApplicationError;

impl Collector<'_> {
    /// Returns whether a file at a path would be included, or leads to one that is, as far as the rules tell.
    pub(in crate::project) fn would_take(&self, path: &Path) -> Result<bool, ApplicationError> {
        let includes = self.source.includes;
        if let Some(script) = self.source.script {
            if self.script_reaches(script, path) {
                return Ok(true);
            }
        } else if includes.is_empty() {
            let is_above = self.project.starts_with(path);
            return Ok(is_above || self.keeps(&self.project, path, true)?);
        }
        for include in includes {
            let named = self.project.join(&include.source);
            let root = fs::canonicalize(&named).unwrap_or_else(|_| named.clone());
            let is_above = root.starts_with(path) || path == named;
            if !self.source.excludes.matches(&named, root.is_dir()) && (is_above || self.keeps(&root, path, false)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns whether no rule excludes a path below a directory.
    fn keeps(&self, root: &Path, path: &Path, by_default: bool) -> Result<bool, ApplicationError> {
        let Ok(below) = path.strip_prefix(root) else { return Ok(false) };
        let mut walk = self.walk(root)?;
        if !by_default && CandidatePath::new(root, true).is_none_or(|root| root.is_test()) {
            walk.tests = TestFiles::Kept;
        }
        walk.is_default = by_default;
        let mut directory = root.to_owned();
        for component in below.components() {
            // A directory that was replaced by a file has no rules of its own.
            if directory.is_dir() && walk.enter(&directory, directory.clone()).is_err() {
                return Ok(true);
            }
            directory.push(component);
            // What cannot be named is refused when it is collected.
            let is_directory = directory != path || directory.is_dir();
            let Some(candidate) = CandidatePath::new(&directory, is_directory) else { return Ok(true) };
            if self.rule(&walk, &candidate).is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
