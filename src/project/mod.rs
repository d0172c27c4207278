//! Projects: their `pyproject.toml`, their workspace, and the files of an application.

pub(crate) mod application;
mod collector;
pub(crate) mod declared;
pub(crate) mod document;
mod error;
mod gitignore;
mod include;
pub(crate) mod lines;
mod poetry;
pub mod pyproject;
pub(crate) mod python_pin;
mod requires_python;
mod rules;
pub(crate) mod script;
mod setup_script;
mod setuptools;
pub(crate) mod uv_options;
pub mod workspace;
mod workspace_cache;

pub use error::ProjectError;
pub(crate) use workspace_cache::WorkspaceCache;
