//! The code that is live, as it is compared with what would be deployed.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use url::Url;

use super::{DeployError, block_on};
use crate::hints::Hints;
use crate::http;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing may arrive.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest zip that is read, in bytes: what Lambda takes is smaller unpacked.
const LARGEST_ZIP: u64 = 262_144_000;

/// Where Lambda lets the zip of a version be downloaded for ten minutes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LiveZip {
    /// Signed, so that whoever knows it can read the code.
    url: Url,
    code_sha256: String,
}

impl fmt::Debug for LiveZip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LiveZip").field("code_sha256", &self.code_sha256).finish_non_exhaustive()
    }
}

/// Why the zip that is live cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveZipError {
    #[error("cannot send requests")]
    Start(#[from] DeployError),
    #[error("the download failed")]
    Transport(#[source] reqwest::Error),
    #[error("the server returned status {0}")]
    Refused(reqwest::StatusCode),
    #[error("the download made no progress for {} seconds", SILENCE_TIMEOUT.as_secs())]
    Silent,
    #[error("the zip is larger than Lambda's limit")]
    TooLarge,
    #[error("the zip does not have the digest that Lambda reports")]
    OtherDigest,
    #[error("cannot write the zip to a temporary file")]
    Write(#[source] io::Error),
}

impl Hints for LiveZipError {
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }
}

impl LiveZip {
    /// Returns the zip at a location; `None` if that is no URL of HTTP.
    pub(super) fn at(location: &str, code_sha256: &str) -> Option<Self> {
        let url = Url::parse(location).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        Some(Self { url, code_sha256: code_sha256.to_owned() })
    }

    /// Downloads the zip into a file.
    ///
    /// # Errors
    /// It cannot be downloaded or written, or is another one.
    pub(crate) fn download(&self, path: &Path) -> Result<(), LiveZipError> {
        block_on(async { Ok(self.fetch(path).await) })?
    }

    async fn fetch(&self, path: &Path) -> Result<(), LiveZipError> {
        let failed = |error: reqwest::Error| LiveZipError::Transport(error.without_url());
        let client = http::client(CONNECT_TIMEOUT);
        let is_direct = http::is_direct(&self.url) || http::is_loopback(&http::authority(&self.url));
        let client = if is_direct { client.no_proxy() } else { client };
        let response = client.build().map_err(failed)?.get(self.url.clone()).send();
        let mut response = attended(response).await?.map_err(failed)?;
        if !response.status().is_success() {
            return Err(LiveZipError::Refused(response.status()));
        }
        let mut file = File::create(path).await.map_err(LiveZipError::Write)?;
        let (mut digest, mut size) = (Sha256::new(), 0);
        while let Some(chunk) = attended(response.chunk()).await?.map_err(failed)? {
            size += chunk.len() as u64;
            if size > LARGEST_ZIP {
                return Err(LiveZipError::TooLarge);
            }
            digest.update(&chunk);
            file.write_all(&chunk).await.map_err(LiveZipError::Write)?;
        }
        file.flush().await.map_err(LiveZipError::Write)?;
        let is_meant = BASE64_STANDARD.encode(digest.finalize()) == self.code_sha256;
        if is_meant { Ok(()) } else { Err(LiveZipError::OtherDigest) }
    }
}

async fn attended<T>(step: impl Future<Output = T>) -> Result<T, LiveZipError> {
    tokio::time::timeout(SILENCE_TIMEOUT, step).await.map_err(|_| LiveZipError::Silent)
}
