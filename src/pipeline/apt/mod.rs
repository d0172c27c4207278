//! Packages of the operating system in an image.

mod closure_files;
mod database;
mod error;
mod layer_trees;
mod layers;
mod packages_error;
mod packed;
mod system_paths;

pub(crate) use error::SystemLayerError;
pub(crate) use layers::{FetchedPackage, SystemLayer, SystemLayerOptions, UpgradedPackage, layers};
pub(crate) use packages_error::PackagesError;
