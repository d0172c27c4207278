//! What a requirements file includes is no file of the application. Another lock may include other files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Reach;
use crate::git::changes::ChangeState;
use crate::pipeline::BuildError;
use crate::pipeline::plan::{self, lock};
use crate::project::application::Excludes;
use crate::settings::Settings;

impl Reach<'_> {
    /// Finds a file that a requirements file included before and does not any more, or the other way round, and that is
    /// therefore in only one of the two applications.
    pub(super) fn included(&self, directory: &Path, settings: &Settings) -> Result<Option<String>, BuildError> {
        let project = self.project;
        let now: BTreeSet<PathBuf> = project.lock_reads.files.iter().map(canonical).collect();
        if project.lock.requirements().is_none() || now.iter().all(|path| self.changes.state(path) == ChangeState::Same)
        {
            return Ok(None);
        }
        let paths: Vec<PathBuf> = project.paths.iter().map(canonical).collect();
        let references = &settings.environment.references;
        let before = match lock::before(&paths, references, &project.workspace, self.changes) {
            Ok(Some((_, reads))) => reads.files.iter().map(canonical).collect::<BTreeSet<PathBuf>>(),
            // The comparison of what is selected says so.
            Ok(None) | Err(_) => return Ok(None),
        };
        for (files, others, what) in
            [(&before, &now, "is not a part of the lock any more"), (&now, &before, "is a part of the lock now")]
        {
            let excludes = Excludes::new(directory, &settings.excludes)?;
            let locks: Vec<PathBuf> = others.iter().cloned().collect();
            let source = plan::application_source(settings, &project.workspace, directory, (&excludes, &locks));
            for path in files.difference(others).filter(|path| path.exists()) {
                if source.takes(path)? {
                    return Ok(Some(format!("{} {what}", self.shown(path))));
                }
            }
        }
        Ok(None)
    }
}

/// Returns a path without symbolic links, as git names files.
pub(super) fn canonical(path: impl AsRef<Path>) -> PathBuf {
    path.as_ref().canonicalize().unwrap_or_else(|_| path.as_ref().to_owned())
}
