//! What `pybundle init` found and wrote.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

/// What setting up a project tells.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InitReport {
    /// [`FORMAT_VERSION`](super::FORMAT_VERSION).
    #[schemars(schema_with = "super::format_version")]
    pub format: u32,
    /// Whether nothing was written, because it was only asked what would be.
    pub dry_run: bool,
    /// The projects that were looked at.
    pub projects: Vec<InitProjectReport>,
    /// The files that were written, or would be.
    pub files: Vec<InitFileReport>,
    /// The files that were left as they are.
    pub kept: Vec<PathBuf>,
    /// What to add to `.gitlab-ci.yml`, if that is what the repository has.
    pub gitlab: Option<String>,
    /// The commands to run next.
    pub next: Vec<String>,
}

/// A project that was looked at.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InitProjectReport {
    /// Its folder.
    pub folder: PathBuf,
    /// Its name, or else its folder's.
    pub name: String,
    /// Whether it is a package.
    pub package: bool,
    /// The minor version of Python that it gets.
    pub python: String,
    /// Why.
    pub python_reason: String,
    /// Its lock.
    pub lock: Option<PathBuf>,
    /// What it can be started by, the likeliest of each kind first.
    pub found: Vec<InitFoundReport>,
    /// The targets that its configuration has now.
    pub targets: Vec<InitTargetReport>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// Something that a project can be started by.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InitFoundReport {
    /// `handler`, `application`, `program` or `tests`.
    pub kind: &'static str,
    /// Its name: `module.function`, `module:application`, a command, or a folder.
    pub name: String,
    /// Why it is taken for that.
    pub reason: String,
    /// The file, relative to the project.
    pub path: Option<String>,
    /// The line in it, from 1.
    pub line: Option<usize>,
}

/// A target of a configuration that was written.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InitTargetReport {
    /// Its name.
    pub name: String,
    /// `lambda` or `image`.
    pub kind: String,
    /// What it is.
    pub what: String,
}

/// A file that was written, or would be.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InitFileReport {
    /// The file.
    pub path: PathBuf,
    /// Whether it was not there before.
    pub new: bool,
    /// What was added to it.
    pub text: String,
}
