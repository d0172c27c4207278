//! Projects: what `pyproject.toml` says, the workspace around it, the files of an application, and the building of
//! local projects into wheels.

pub mod application;
pub mod changes;
mod collector;
pub mod declared;
mod error;
mod gitignore;
mod include;
mod poetry;
pub mod pyproject;
pub mod revision;
mod rules;
pub mod setuptools;
pub mod uv_options;
pub mod workspace;

pub use changes::{Changes, ChangesError};
pub use error::ProjectError;
