//! Responses of registries.

use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use url::Url;

use super::client::is_at;
use super::request_error::{Identity, RequestError, ServerErrors};
use crate::http::authority;
use crate::retry::retry_after;
use crate::silence::{SilenceLimits, SilenceWatch};

/// The longest body of an error that is read, in bytes.
const LARGEST_ERROR: u64 = 64 << 10;

/// A response whose body has not been read.
pub(super) struct RegistryResponse {
    response: reqwest::Response,
    host: String,
    /// The identity that the request had.
    pub identity: Identity,
    watch: Arc<SilenceWatch>,
    silence: SilenceLimits,
}

impl RegistryResponse {
    pub(super) fn new(
        response: reqwest::Response,
        identity: Identity,
        watch: Arc<SilenceWatch>,
        silence: SilenceLimits,
    ) -> Self {
        Self { host: authority(response.url()), response, identity, watch, silence }
    }

    /// Returns the host of the server, with its port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Tells whether the response is from the registry itself, not from a server that it redirected to.
    pub(super) fn is_from(&self, registry: &str) -> bool {
        is_at(self.response.url(), registry)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Returns a header, if it is a string.
    pub(super) fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Returns all values of a header that are strings.
    pub(super) fn headers_named(&self, name: HeaderName) -> Vec<String> {
        let values = self.response.headers().get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    }

    /// Returns the value of `Content-Length`.
    pub(super) fn length(&self) -> Option<u64> {
        self.header(reqwest::header::CONTENT_LENGTH)?.parse().ok()
    }

    /// Returns the URL in a header, which may be relative to that of the request. It may not lead from https to http.
    pub(super) fn location(&self, header: HeaderName) -> Result<Url, RequestError> {
        let text = self.header(header).ok_or_else(|| self.invalid_location("the header is missing"))?;
        let url = self.response.url().join(text).map_err(|_| self.invalid_location("it is not a URL"))?;
        match (self.response.url().scheme(), url.scheme()) {
            (_, "https") | ("http", "http") => Ok(url),
            ("https", "http") => Err(self.invalid_location("it uses http after https")),
            _ => Err(self.invalid_location("its scheme is neither https nor http")),
        }
    }

    fn invalid_location(&self, reason: &'static str) -> RequestError {
        RequestError::Location { host: self.host.clone(), reason }
    }

    /// Returns the next chunk of the body, or `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<impl Deref<Target = [u8]> + use<>>, RequestError> {
        let chunk = self.watch.wait(&self.host, self.silence, self.response.chunk(), || 0).await?;
        chunk.map_err(|error| RequestError::Transport { host: self.host.clone(), source: error.without_url() })
    }

    /// Returns the whole body, of at most `limit` bytes.
    pub(super) async fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, RequestError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(RequestError::TooLarge { host: self.host.clone(), limit });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Returns the errors in the body, as far as it can be read.
    pub(super) async fn errors(&mut self) -> ServerErrors {
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = self.chunk().await {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > LARGEST_ERROR {
                break;
            }
        }
        ServerErrors::parse(&bytes)
    }

    /// Converts the response to an error.
    pub(super) async fn into_error(mut self) -> RequestError {
        let errors = self.errors().await;
        let pause = self.header(RETRY_AFTER).and_then(|value| retry_after(value, SystemTime::now()));
        RequestError::Status { host: self.host, status: self.response.status(), errors, retry_after: pause }
    }

    /// Returns the response if its status is a success.
    pub(super) async fn accepted(self) -> Result<Self, RequestError> {
        if self.status().is_success() { Ok(self) } else { Err(self.into_error().await) }
    }
}
