//! Whether a change of a file, which need not be there any more, is a change of what is collected.

use std::fs;
use std::path::Path;

use super::{CandidatePath, Collector, Include};
use crate::project::application::ApplicationError;

impl Collector<'_> {
    /// Returns whether a file at a path would be included, or leads to one that is, as far as the rules tell.
    pub(in crate::project) fn would_take(&self, includes: &[Include], path: &Path) -> Result<bool, ApplicationError> {
        if includes.is_empty() {
            let is_above = self.project.starts_with(path);
            return Ok(is_above || self.keeps(&self.project, path, true)?);
        }
        for include in includes {
            let named = self.project.join(&include.source);
            let root = fs::canonicalize(&named).unwrap_or_else(|_| named.clone());
            let is_above = root.starts_with(path) || path == named;
            if !self.excludes.matches(&named, root.is_dir()) && (is_above || self.keeps(&root, path, false)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns whether no rule excludes a path below a directory. By default, the entries of the project's directory must be
    /// modules or packages.
    fn keeps(&self, root: &Path, path: &Path, by_default: bool) -> Result<bool, ApplicationError> {
        let Ok(below) = path.strip_prefix(root) else { return Ok(false) };
        let mut walk = self.walk(root)?;
        walk.excludes_tests = by_default || CandidatePath::new(root, true).is_some_and(|root| !root.is_test());
        walk.excludes_projects = by_default;
        let mut directory = root.to_owned();
        for (depth, component) in below.components().enumerate() {
            // A directory that was replaced by a file has no rules of its own.
            if directory.is_dir() && walk.enter(&directory, directory.clone()).is_err() {
                return Ok(true);
            }
            directory.push(component);
            // What cannot be named is refused when it is collected.
            let is_directory = directory != path || directory.is_dir();
            let Some(candidate) = CandidatePath::new(&directory, is_directory) else { return Ok(true) };
            let is_wanted = candidate.is_importable_directory() || candidate.is_module();
            let is_excluded = by_default && depth == 0 && (!is_wanted || candidate.top_level_rule().is_some());
            if is_excluded || self.rule(&walk, &candidate).is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
