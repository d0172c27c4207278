//! The workspaces of a run: each is discovered once, and its files are parsed once.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::ProjectError;
use super::workspace::Workspace;

/// The workspaces that were discovered in a run.
#[derive(Debug, Default)]
pub(crate) struct WorkspaceCache {
    known: Mutex<Vec<Workspace>>,
}

impl WorkspaceCache {
    /// Returns the workspace that a directory belongs to, as [`Workspace::discover`] finds it when it is first asked for.
    ///
    /// # Errors
    /// See [`Workspace::discover`].
    pub(crate) fn discover(&self, directory: &Path, marks: &[&str]) -> Result<Workspace, ProjectError> {
        // Another thread that needs the same workspace waits here.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workspace) = known.iter().find_map(|workspace| workspace.seen_from(directory)) {
            return Ok(workspace);
        }
        let workspace = Workspace::discover(directory, marks)?;
        known.push(workspace.clone());
        Ok(workspace)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_file_is_parsed_once() {
        fn project(name: &str) -> String {
            format!("[project]\nname = \"{name}\"\nversion = \"1\"\n")
        }

        let directory = tempfile::tempdir().unwrap();
        fs::write(
            directory.path().join("pyproject.toml"),
            format!("{}[tool.uv.workspace]\nmembers = [\"*\"]\n", project("root")),
        )
        .unwrap();
        for member in ["a", "b"] {
            fs::create_dir(directory.path().join(member)).unwrap();
            fs::write(directory.path().join(member).join("pyproject.toml"), project(member)).unwrap();
        }
        let cache = WorkspaceCache::default();
        let first = cache.discover(&directory.path().join("a"), &[]).unwrap();
        for (at, member) in ["", "a", "b"].into_iter().enumerate() {
            let again = cache.discover(&directory.path().join(member), &[]).unwrap();
            assert_eq!(again.current().path, Path::new(member));
            for (one, other) in first.members.iter().zip(&*again.members) {
                assert!(Arc::ptr_eq(&one.pyproject.document.table, &other.pyproject.document.table), "{at}");
            }
        }
    }
}
