//! Releases: fetched, verified, and never older than before.

use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{AptArchiveError, Archives, VerifiedRelease};
use crate::apt::AptSource;
use crate::apt::lock::LockedRelease;
use crate::cache::{RecordKey, RecordKind};
use crate::debian::ReleaseFile;
use crate::debian::openpgp::SignedText;
use crate::digest::Sha256;
use crate::fetch::{DocumentRequest, DocumentResponse, DownloadError, HttpClient};

/// The largest InRelease, in bytes. Those of Debian have up to 200 kB.
const LARGEST_RELEASE: u64 = 16 << 20;

/// How far the clocks of archives may be ahead.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// The version of [`ReleaseRecord`].
const FORMAT: u32 = 1;

/// The newest release of a suite that was verified.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ReleaseRecord {
    etag: Option<String>,
    /// InRelease.
    text: String,
    /// In seconds since 1970.
    date: i64,
}

impl Archives<'_> {
    /// Returns the verified releases of sources. Without a network, those of the cache are used.
    ///
    /// # Errors
    /// A release cannot be fetched, is not signed by a trusted key, is not valid now, is older than one that was seen, or is
    /// that of another suite.
    pub fn releases(&self, sources: &[AptSource]) -> Result<Vec<VerifiedRelease>, AptArchiveError> {
        let runtime = self.options.connections.runtime()?;
        let client = HttpClient::new(self.options)?;
        let fetch_all = try_join_all(sources.iter().map(|source| self.release(source, &client)));
        runtime.block_on(self.options.attend(self.reporter, fetch_all))
    }

    async fn release(&self, source: &AptSource, client: &HttpClient<'_>) -> Result<VerifiedRelease, AptArchiveError> {
        let key = RecordKey::new(format!("release {FORMAT}"), &[&source.public_uri(), &source.suite]);
        let seen: Option<ReleaseRecord> = self.cache.record(RecordKind::Release, key);
        let url = source.url(&format!("{}/InRelease", source.directory()));
        let (text, etag) = self.text(source, &url, seen.as_ref(), client).await?;
        let release = self.verify(source, &text)?;
        let date = release.file.date.as_second();
        match seen {
            Some(seen) if seen.date > date => {
                let seen = Timestamp::from_second(seen.date).unwrap_or(self.now);
                return Err(AptArchiveError::Older { release: release.locked.label(), date: release.file.date, seen });
            }
            Some(seen) if seen.text == text && seen.etag == etag => {}
            _ => self.cache.store_record(RecordKind::Release, key, &ReleaseRecord { etag, text, date })?,
        }
        Ok(release)
    }

    /// Returns InRelease with its entity tag.
    async fn text(
        &self,
        source: &AptSource,
        url: &Url,
        seen: Option<&ReleaseRecord>,
        client: &HttpClient<'_>,
    ) -> Result<(String, Option<String>), AptArchiveError> {
        let failed = |source, attempts| AptArchiveError::request(url, source, attempts);
        if let Ok(path) = url.to_file_path()
            && url.scheme() == "file"
        {
            let read = crate::limited_reader::read_regular_file(&path, LARGEST_RELEASE);
            let bytes = read.map_err(|error| failed(DownloadError::Read(error), 1))?;
            return Ok((AptArchiveError::text(url, bytes)?, None));
        }
        let kept = || seen.map(|seen| (seen.text.clone(), seen.etag.clone()));
        if self.options.offline {
            return kept().ok_or_else(|| AptArchiveError::Offline(source.to_string()));
        }
        let etag = seen.and_then(|seen| seen.etag.as_deref());
        let request = DocumentRequest { url, index: Some(&source.uri), accept: "*/*", etag, limit: LARGEST_RELEASE };
        match client.ask(&request, self.options.retry).await {
            Ok(DocumentResponse::Document(document)) => Ok((AptArchiveError::text(url, document.body)?, document.etag)),
            Ok(DocumentResponse::Unchanged(_)) => kept().ok_or_else(|| AptArchiveError::Offline(source.to_string())),
            Err((error, attempts)) => Err(failed(error, attempts)),
        }
    }

    /// Verifies the signatures, the dates and the suite.
    fn verify(&self, source: &AptSource, text: &str) -> Result<VerifiedRelease, AptArchiveError> {
        let label = format!("{} {}", source.public_uri(), source.suite);
        let signed = SignedText::parse(text)
            .map_err(|reason| AptArchiveError::Unsigned { release: label.clone(), source: reason })?;
        let verified = source.keyring.verify(&signed, self.now.as_second());
        let (verified, signed_by) = verified.map_err(|reason| AptArchiveError::Unverified {
            release: label.clone(),
            trusted: source.keyring.fingerprints(),
            source: reason,
        })?;
        let file = ReleaseFile::parse(verified)
            .map_err(|reason| AptArchiveError::Release { release: label.clone(), source: reason })?;
        let locked = LockedRelease {
            uri: source.public_uri(),
            suite: source.suite.clone(),
            date: file.date,
            valid_until: file.valid_until,
            inrelease_sha256: Sha256::of(text.as_bytes()),
            signed_by,
        };
        if let Some(until) = file.valid_until.filter(|until| *until < self.now) {
            return Err(AptArchiveError::Expired { release: label, until });
        }
        if file.date > self.now + CLOCK_TOLERANCE {
            return Err(AptArchiveError::Future { release: label, date: file.date });
        }
        // Otherwise one suite could be served instead of another, with the same keys.
        let names: Vec<String> = file.suite.iter().chain(&file.codename).cloned().collect();
        let is_flat = source.suite.ends_with('/');
        if !is_flat && !names.is_empty() && !names.contains(&source.suite) {
            return Err(AptArchiveError::OtherSuite { release: label, names });
        }
        Ok(VerifiedRelease { source: source.clone(), file, locked })
    }
}
