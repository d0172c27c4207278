//! Why a registry could not be used.

use std::fmt;
use std::io;

use reqwest::StatusCode;

use super::Reference;
use super::credentials::CredentialsError;
use super::ecr::EcrError;
use crate::digest::Sha256;
use crate::image::BlobError;

/// Why a registry could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The system gives no threads to talk to registries in.
    #[error("cannot start to talk to registries")]
    Start(#[source] io::Error),
}

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {}

/// What was wrong, the last time.
#[derive(Debug, thiserror::Error)]
pub enum Fault {}

impl RegistryError {
    /// Returns what the user may do about it.
    pub fn hints(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns whether the same may go well another time, though nothing is changed.
    pub fn is_retryable(&self) -> bool {
        false
    }
}
