//! The files that a lock is read from, and those that it is made from: none of them is a file of the application.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::limited_reader::{self, LARGEST_LOCK};
use crate::lock::requirements::{RequirementsEnvironment, RequirementsTxt};
use crate::pipeline::plan::lock;
use crate::pipeline::plan::requirements_source::RequirementsSource;
use crate::project::workspace::Workspace;

/// What reading a lock depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct LockReads {
    /// The files of the lock, and those that they include, in the order in which they are read.
    pub files: Vec<PathBuf>,
    /// The environment variables that they refer to.
    pub variables: BTreeSet<String>,
    /// The requirements.in that uv resolves or the lock was compiled from, and what it includes.
    pub sources: Vec<PathBuf>,
}

impl LockReads {
    /// Returns all files of the lock and its source.
    pub(crate) fn all(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.sources).cloned().collect()
    }

    /// Adds the requirements.in of a project, if that is what the project declares its requirements in.
    pub(super) fn with_source(mut self, workspace: &Workspace) -> Self {
        if RequirementsSource::of(workspace) == Some(RequirementsSource::RequirementsIn) {
            let directory = workspace.directory(workspace.current());
            self.sources = included(&directory, &directory.join(RequirementsSource::RequirementsIn.file_name()));
        }
        self
    }
}

/// Returns a requirements file and what it includes, as far as it can be read: uv says what is wrong in it.
fn included(project: &Path, file: &Path) -> Vec<PathBuf> {
    let files = RefCell::new(Vec::new());
    let text = |path: &Path| {
        files.borrow_mut().push(path.to_owned());
        limited_reader::read_regular_text(path, LARGEST_LOCK)
    };
    let environment = RequirementsEnvironment { read: &text, ..lock::environment(project, &|_| None) };
    // An error leaves out what follows it.
    drop(RequirementsTxt::read(&[file], &environment));
    files.into_inner()
}
