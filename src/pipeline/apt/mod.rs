//! Packages of the operating system in an image.

mod accounts;
mod capabilities;
mod certificates;
mod closure_files;
mod database;
mod effects;
mod error;
mod layer_trees;
mod layers;
mod libraries;
mod packages_error;
mod packed;
mod system_paths;
mod system_state;

pub(crate) use error::SystemLayerError;
pub(crate) use layer_trees::key as layer_key;
pub(crate) use layers::{FetchedPackage, SystemLayer, UpgradedPackage, layers};
pub(crate) use packages_error::PackagesError;
