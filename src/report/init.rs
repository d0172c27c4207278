//! What `pybundle init` found and wrote.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

/// What `pybundle init` reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct InitReport {
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
    #[schemars(schema_with = "super::format_version")]
    pub(crate) format: u32,
    /// Whether nothing was written, as with `--dry-run`.
    pub(crate) dry_run: bool,
    /// The projects that were examined.
    pub(crate) projects: Vec<InitProjectReport>,
    /// The files that were written, or would be.
    pub(crate) files: Vec<InitFileReport>,
    /// The files that were left as they are.
    pub(crate) kept: Vec<PathBuf>,
    /// What to add to `.gitlab-ci.yml`, if that is what the repository has.
    pub(crate) gitlab: Option<String>,
    /// The commands to run next.
    pub(crate) next: Vec<String>,
}

/// A project that was examined.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct InitProjectReport {
    /// Its directory.
    pub(crate) folder: PathBuf,
    /// Its name, or else that of its directory.
    pub(crate) name: String,
    /// Whether it is a package.
    pub(crate) package: bool,
    /// The minor version of Python that it gets.
    pub(crate) python: String,
    /// Why.
    pub(crate) python_reason: String,
    /// Its lock.
    pub(crate) lock: Option<PathBuf>,
    /// What can be started in it, the likeliest of each kind first.
    pub(crate) found: Vec<InitFoundReport>,
    /// The targets that its configuration has now.
    pub(crate) targets: Vec<InitTargetReport>,
    /// Further notes.
    pub(crate) notes: Vec<String>,
}

/// Something that can be started in a project.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct InitFoundReport {
    /// `handler`, `application`, `program` or `tests`.
    pub(crate) kind: &'static str,
    /// Its name: `module.function`, `module:application`, a command, or a directory.
    pub(crate) name: String,
    /// Why it is taken for that.
    pub(crate) reason: String,
    /// The file, relative to the project.
    pub(crate) path: Option<String>,
    /// The line in it, from 1.
    pub(crate) line: Option<usize>,
}

/// A target of a configuration that was written.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct InitTargetReport {
    /// Its name.
    pub(crate) name: String,
    /// `lambda` or `image`.
    pub(crate) kind: String,
    /// What it is.
    pub(crate) what: String,
}

/// A file that was written, or would be.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct InitFileReport {
    /// The file.
    pub(crate) path: PathBuf,
    /// Whether it was not there before.
    pub(crate) new: bool,
    /// What was added to it.
    pub(crate) text: String,
}
