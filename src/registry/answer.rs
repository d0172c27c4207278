//! What a server answered.

use std::ops::Deref;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use url::Url;

use super::client::{authority, is_at};
use super::fault::{Fault, Identity, ServerErrors};
use crate::retry::retry_after;

/// The longest body of an error that is read, in bytes.
const LONGEST_ERROR: u64 = 64 << 10;

/// An answer whose body is still to come.
pub(super) struct Answer {
    response: reqwest::Response,
    host: String,
    /// As whom was asked.
    pub identity: Identity,
    /// How long the next part of the body is waited for.
    limit: Duration,
}

impl Answer {
    pub fn new(response: reqwest::Response, identity: Identity, limit: Duration) -> Self {
        Self { host: authority(response.url()), response, identity, limit }
    }

    /// Returns the server's host, with its port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Tells whether the registry itself answered.
    pub fn is_from(&self, registry: &str) -> bool {
        is_at(self.response.url(), registry)
    }

    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Returns a header that is text.
    pub fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Returns all values of a header that are text.
    pub fn texts(&self, name: HeaderName) -> Vec<String> {
        let values = self.response.headers().get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    }

    /// Returns the size of the body, if that is told.
    pub fn length(&self) -> Option<u64> {
        self.header(reqwest::header::CONTENT_LENGTH)?.parse().ok()
    }

    /// Returns the address in a header, which may be relative to the one that was asked.
    pub fn location(&self, header: HeaderName) -> Result<Url, Fault> {
        let wrong = |reason| Fault::Location { host: self.host.clone(), reason };
        let text = self.header(header).ok_or_else(|| wrong("is missing"))?;
        let url = self.response.url().join(text).map_err(|_| wrong("is none"))?;
        match (self.response.url().scheme(), url.scheme()) {
            (_, "https") | ("http", "http") => Ok(url),
            ("https", "http") => Err(wrong("is not protected by TLS, as its own is")),
            _ => Err(wrong("is neither of https nor of http")),
        }
    }

    /// Returns the next part of the body, or nothing at its end.
    pub async fn chunk(&mut self) -> Result<Option<impl Deref<Target = [u8]> + use<>>, Fault> {
        match tokio::time::timeout(self.limit, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(Fault::Transport { host: self.host.clone(), source: error.without_url() }),
            Err(_) => Err(Fault::Stalled { host: self.host.clone(), limit: self.limit }),
        }
    }

    /// Returns the whole body, which may have at most `limit` bytes.
    pub async fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(Fault::TooLarge { host: self.host.clone(), limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Returns the reasons that the body gives for an error, as far as it can be read.
    pub async fn errors(&mut self) -> ServerErrors {
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = self.chunk().await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > LONGEST_ERROR {
                break;
            }
        }
        ServerErrors::parse(&bytes)
    }

    /// Takes the answer for an error.
    pub async fn into_fault(mut self) -> Fault {
        let answers = self.errors().await;
        let pause = self.header(RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now()));
        Fault::Status { host: self.host, status: self.response.status(), answers, retry_after: pause }
    }

    /// Returns the answer if it is a good one.
    pub async fn accepted(self) -> Result<Self, Fault> {
        if self.status().is_success() { Ok(self) } else { Err(self.into_fault().await) }
    }
}
