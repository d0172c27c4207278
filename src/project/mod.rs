//! Projects: what `pyproject.toml` says, the workspace around it, the files of an application, and the building of
//! local projects into wheels.

pub mod application;
mod collector;
mod error;
mod gitignore;
pub mod pyproject;
pub mod revision;
mod rules;
pub mod workspace;

pub use error::ProjectError;
