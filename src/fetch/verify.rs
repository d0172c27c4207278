//! Verifying a file against the lock while it comes in.

use sha2::Digest as _;

use super::error::Fault;
use crate::digest::{Algorithm, Digest, Hasher, Sha256};

/// Computes the digests of a file: SHA-256, by which the cache keeps it, and the lock's, if that is another.
#[derive(Clone)]
pub(super) struct Verifier {
    sha256: sha2::Sha256,
    other: Option<Hasher>,
}

impl Verifier {
    /// Starts for a file that is to have a digest.
    pub fn new(expected: Option<&Digest>) -> Self {
        let other = expected.map(Digest::algorithm).filter(|algorithm| *algorithm != Algorithm::Sha256);
        Self { sha256: sha2::Sha256::new(), other: other.map(Hasher::new) }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(other) = &mut self.other {
            other.update(bytes);
        }
    }

    /// Compares, and returns the SHA-256.
    pub fn finish(self, expected: Option<&Digest>) -> Result<Sha256, Fault> {
        let sha256 = Sha256(self.sha256.finalize().into());
        let actual = self.other.map_or_else(|| sha256.into(), Hasher::finish);
        match expected {
            Some(expected) if *expected != actual => Err(Fault::Digest { expected: expected.clone(), actual }),
            _ => Ok(sha256),
        }
    }
}
