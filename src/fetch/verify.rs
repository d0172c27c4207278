//! Verifies a file with the lock's digests while it arrives.

use std::collections::BTreeSet;

use sha2::Digest as _;

use super::error::DownloadError;
use crate::digest::{Algorithm, Digest, Hasher, Sha256};

/// Computes the digests of a file: SHA-256, which the cache stores it by, and those of the lock's algorithms.
#[derive(Clone)]
pub(super) struct Verifier {
    sha256: sha2::Sha256,
    others: Vec<Hasher>,
}

impl Verifier {
    /// Starts for a file that is to have one of some digests, or any if there are none.
    pub(crate) fn new(expected: &[Digest]) -> Self {
        let algorithms: BTreeSet<Algorithm> = expected.iter().map(Digest::algorithm).collect();
        let others = algorithms.into_iter().filter(|algorithm| *algorithm != Algorithm::Sha256);
        Self { sha256: sha2::Sha256::new(), others: others.map(Hasher::new).collect() }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        for other in &mut self.others {
            other.update(bytes);
        }
    }

    pub(crate) fn finish(self, expected: &[Digest]) -> Result<Sha256, DownloadError> {
        let sha256 = Sha256(self.sha256.finalize().into());
        let computed: Vec<Digest> =
            std::iter::once(sha256.into()).chain(self.others.into_iter().map(Hasher::finish)).collect();
        if expected.is_empty() || expected.iter().any(|digest| computed.contains(digest)) {
            return Ok(sha256);
        }
        let mut computed = computed.into_iter();
        let actual = computed.find(|digest| expected.iter().any(|other| other.algorithm() == digest.algorithm()));
        Err(DownloadError::Digest { expected: expected.to_vec(), actual: actual.unwrap_or_else(|| sha256.into()) })
    }
}
