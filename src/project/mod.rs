//! Projects: what `pyproject.toml` says, the workspace around it, the files of an application, and the building of
//! local projects into wheels.

pub mod application;
pub mod changes;
mod collector;
pub mod declared;
pub mod document;
mod error;
mod gitignore;
mod include;
pub mod lines;
mod poetry;
pub mod pyproject;
pub mod revision;
mod rules;
mod setup_script;
mod setuptools;
pub mod uv_options;
pub mod workspace;
mod workspace_cache;

pub use changes::{GitChanges, GitChangesError};
pub use error::ProjectError;
pub use workspace_cache::WorkspaceCache;
