//! The download of one file: resumed and retried if possible, and verified while it arrives.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use super::client::HttpClient;
use super::error::{DownloadError, FetchError};
use super::fetchable::Fetchable;
use super::verify::Verifier;
use super::{RemoteFile, RetryPolicy, failure};
use crate::cache::{CacheError, Claim, copy};
use crate::digest::{Digest, Sha256};
use crate::report::{Phase, Reporter};

/// The progress in bytes that resets the count of failures.
const PROGRESS: u64 = 1 << 20;

/// An incomplete file in the cache.
pub(super) struct PartialFile {
    claim: Claim,
    file: File,
    length: u64,
    expected: Vec<Digest>,
    verifier: Verifier,
}

impl PartialFile {
    /// Opens the file of a claim. What an earlier run left in it is kept, if the one digest that it must have can tell
    /// whether it is right.
    pub(crate) fn open(claim: Claim, expected: Vec<Digest>) -> Result<Self, CacheError> {
        let file = claim.open()?;
        let verifier = Verifier::new(&expected);
        let mut partial = Self { claim, file, length: 0, expected, verifier };
        if partial.expected.len() != 1 {
            partial.restart()?;
            return Ok(partial);
        }
        let hashed = copy(&mut partial.file, |bytes| partial.verifier.update(bytes));
        partial.length = hashed.map_err(CacheError::io("read", partial.claim.path()))?;
        Ok(partial)
    }

    /// Returns the open file and its path.
    pub(crate) fn staged(&self) -> (&File, &Path) {
        (&self.file, self.claim.path())
    }

    /// Removes the file: it is not what is wanted.
    pub(crate) fn discard(&self) {
        self.claim.discard();
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), CacheError> {
        self.file.write_all(bytes).map_err(CacheError::io("write", self.claim.path()))?;
        self.verifier.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> Result<(), CacheError> {
        let empty = self.file.set_len(0).and_then(|()| self.file.rewind());
        empty.map_err(CacheError::io("write", self.claim.path()))?;
        self.length = 0;
        self.verifier = Verifier::new(&self.expected);
        Ok(())
    }

    /// Compares the digests.
    fn verify(&self) -> Result<Sha256, DownloadError> {
        self.verifier.clone().finish(&self.expected)
    }

    /// Returns whether the file is complete, by its digest: the lock may not have the size.
    fn is_whole(&self) -> bool {
        self.length > 0 && self.expected.len() == 1 && self.verify().is_ok()
    }
}

pub(super) struct Download<'a, Name> {
    client: &'a HttpClient<'a>,
    retry: RetryPolicy,
    largest_unsized: u64,
    reporter: &'a dyn Reporter,
    remote: &'a RemoteFile<'a, Name>,
    partial: PartialFile,
    /// Whether the data of earlier attempts may be kept.
    may_resume: bool,
    /// Whether the data comes from more than one response.
    is_resumed: bool,
    /// The reported bytes.
    reported: u64,
    attempts: u32,
}

impl<'a, Name: Fetchable> Download<'a, Name> {
    pub(crate) fn new(
        client: &'a HttpClient<'a>,
        retry: RetryPolicy,
        largest_unsized: u64,
        reporter: &'a dyn Reporter,
        remote: &'a RemoteFile<'a, Name>,
        partial: PartialFile,
    ) -> Self {
        let (may_resume, is_resumed) = (partial.expected.len() == 1, partial.length > 0);
        Self {
            client,
            retry,
            largest_unsized,
            reporter,
            remote,
            partial,
            may_resume,
            is_resumed,
            reported: 0,
            attempts: 0,
        }
    }

    /// Downloads what is missing and verifies the whole.
    pub(crate) async fn run(mut self) -> Result<(PartialFile, Sha256), FetchError> {
        let mut result = self.complete_and_verify().await;
        // The earlier data may be wrong: try once from the start.
        if result.as_ref().is_err_and(DownloadError::is_about_content) && self.is_resumed {
            self.may_resume = false;
            self.partial.restart()?;
            result = self.complete_and_verify().await;
        }
        match result {
            Ok(sha256) => Ok((self.partial, sha256)),
            Err(error) => {
                if error.is_about_content() {
                    self.partial.discard();
                }
                Err(failure(self.remote.locked, self.attempts, error))
            }
        }
    }

    async fn complete_and_verify(&mut self) -> Result<Sha256, DownloadError> {
        self.complete().await?;
        self.partial.verify()
    }

    /// Downloads the rest of the file, with retries.
    async fn complete(&mut self) -> Result<(), DownloadError> {
        self.report();
        let (mut failures, mut mark) = (0, self.reported);
        while !self.partial.is_whole() {
            self.attempts += 1;
            let Err(error) = self.attempt().await else { break };
            if self.reported >= mark + PROGRESS {
                (failures, mark) = (0, self.reported);
            }
            failures += 1;
            if !error.is_retryable() || failures > self.retry.limit {
                return Err(error);
            }
            tokio::time::sleep(self.retry.pause(failures, error.retry_after())).await;
        }
        Ok(())
    }

    async fn attempt(&mut self) -> Result<(), DownloadError> {
        let locked = self.remote.locked;
        if !self.may_resume || locked.size.is_some_and(|size| self.partial.length >= size) {
            self.partial.restart()?;
        }
        let offset = self.partial.length;
        self.is_resumed = offset > 0;
        let mut body = self.client.get(self.remote.url, self.remote.index, offset).await?;
        if body.start < offset {
            self.partial.restart()?;
            self.is_resumed = false;
        }
        // Where there is a digest, it decides: a size that is listed wrongly does no harm.
        let listed = locked.size.filter(|_| self.partial.expected.is_empty());
        let expected = listed.or(body.size).or(locked.size);
        let limit = if expected.is_some() && expected == locked.size { u64::MAX } else { self.largest_unsized };
        if expected.is_some_and(|expected| expected > limit) {
            return Err(DownloadError::Unbounded { limit });
        }
        if let (Some(expected), Some(actual)) = (expected, body.size)
            && expected != actual
        {
            return Err(DownloadError::Size { expected, actual: Some(actual) });
        }
        while let Some(bytes) = self.client.chunk(&mut body.response).await? {
            let room = expected.map(|expected| (expected, expected.saturating_sub(self.partial.length)));
            if let Some((expected, room)) = room
                && room < bytes.len() as u64
            {
                return Err(DownloadError::Size { expected, actual: None });
            }
            if self.partial.length.saturating_add(bytes.len() as u64) > limit {
                return Err(DownloadError::Unbounded { limit });
            }
            self.partial.append(&bytes)?;
            self.report();
        }
        match expected {
            Some(expected) if self.partial.length < expected => {
                Err(DownloadError::Truncated { expected, actual: self.partial.length })
            }
            _ => Ok(()),
        }
    }

    /// Reports progress. After a restart there is none until the earlier length is exceeded.
    fn report(&mut self) {
        let length = self.partial.length.min(self.remote.locked.size.unwrap_or(u64::MAX));
        if length > self.reported {
            self.reporter.advance(Phase::Fetch, length - self.reported);
            self.reported = length;
        }
    }
}
