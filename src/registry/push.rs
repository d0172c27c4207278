//! Pushing artifacts.

use super::Reference;
use crate::digest::Sha256;

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest that the references now name.
    pub digest: Sha256,
    /// What was done in each repository, in the order of the references.
    pub repositories: Vec<RepositoryPush>,
    /// How many requests it took, those for tokens included.
    pub requests: u64,
}

/// What a push did in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryPush {
    /// The references that now name the manifest.
    pub references: Vec<Reference>,
    /// The blobs that were sent.
    pub uploaded: Tally,
    /// The blobs that the registry took from another of its repositories.
    pub mounted: Tally,
    /// The blobs that were there already.
    pub present: Tally,
}

/// Some blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
}
