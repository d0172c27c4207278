//! Uploading one blob to one repository.
//!
//! Specification: [OCI distribution 1.1, push](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push).
//! There are fallbacks for registries that do not follow it: a mount that is refused becomes an upload; a blob that is
//! refused in the request that completes the upload is sent before that request; one that is too large for a request is
//! sent in chunks.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode};
use url::Url;
use url::form_urlencoded;

use super::attempts::{AttemptCounter, FailedAttempts};
use super::client::{RegistryRequest, RepositoryName, RequestTarget};
use super::payload::{BlobSource, Payload};
use super::request_error::RequestError;
use super::response::RegistryResponse;
use super::token::Scopes;
use crate::retry::is_about_timing;

/// The largest blob that is sent in the request that completes the upload, in bytes.
pub(super) const SMALL: u64 = 1 << 20;

/// The size of chunks, in bytes: the smallest that ECR accepts.
const CHUNK: u64 = 5 << 20;

/// The largest chunk that a registry may require, in bytes: chunks are held in memory.
const LARGEST_CHUNK: u64 = 64 << 20;

/// How a blob got into a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlobPlacement {
    /// It was new to the registry, as far as that was asked.
    Uploaded,
    /// It was sent again: the registry knew it, but had lost its bytes.
    Restored,
    Mounted,
    Present,
}

/// The upload of a blob to a repository.
pub(super) struct BlobUpload<'a> {
    pub source: BlobSource<'a>,
    pub repository: RepositoryName<'a>,
    pub from: Option<BlobMount<'a>>,
    pub check: BlobCheck,
}

/// Another repository of the registry, to mount a blob from.
#[derive(Clone, Copy)]
pub(super) struct BlobMount<'a> {
    /// Its name.
    pub from: &'a str,
    /// Whether it has the blob, so that a registry that does not mount it mounts nothing.
    pub is_certain: bool,
}

/// Whether to ask the registry for a blob before it is uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlobCheck {
    /// Before the first attempt, and again before each other one, as the response to a successful upload may have been lost.
    Always,
    /// Before all but the first attempt.
    Again,
    /// Never: the registry has said that it has blobs which it then missed.
    Never,
}

/// What a registry has of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownBlob {
    Missing,
    /// The registry says that it has the blob, but returns no byte of it.
    Lost,
    Readable,
}

/// How far an attempt at an upload got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum UploadStep {
    Begin,
    /// The blob is known to be missing.
    Checked,
    /// The registry has opened an upload session.
    Started,
    /// All bytes are sent, and the last request only names the digest.
    Sent,
}

/// An upload session.
struct UploadSession {
    /// The URL of the next request.
    location: Url,
    /// The smallest chunk that is not the last (OCI distribution 1.1, pushing a blob in chunks).
    min_chunk: u64,
}

impl UploadSession {
    fn new(response: &RegistryResponse) -> Result<Self, RequestError> {
        let min_chunk =
            response.header("oci-chunk-min-length").and_then(|value| value.parse().ok()).unwrap_or_default();
        Ok(Self { location: response.location(LOCATION)?, min_chunk })
    }
}

impl BlobUpload<'_> {
    /// Uploads the blob unless it exists. After a failure it is sent again from its start. Failures are counted anew when
    /// an attempt gets further than all before: an upload takes up to four requests, and each of them may fail.
    pub(super) async fn run(&self) -> Result<BlobPlacement, FailedAttempts> {
        let mut attempts = AttemptCounter::new(self.source.client.options().retry);
        let (reached, mut furthest, mut is_again) = (Cell::new(UploadStep::Begin), UploadStep::Begin, false);
        loop {
            let error = match self.once(is_again, &reached).await {
                Ok(placed) => {
                    self.source.advance(self.source.blob.size);
                    return Ok(placed);
                }
                Err(error) => error,
            };
            if reached.get() > furthest {
                furthest = reached.get();
                attempts.reset();
            }
            attempts.pause(error).await?;
            is_again = true;
        }
    }

    async fn once(&self, is_again: bool, reached: &Cell<UploadStep>) -> Result<BlobPlacement, RequestError> {
        let (mut session, mut is_mounted) = (None, false);
        if let Some(BlobMount { from, is_certain }) = self.from {
            match self.mount(from).await? {
                Some(response) if response.status() == StatusCode::CREATED => is_mounted = true,
                Some(response) => {
                    let host = self.source.client.host(self.repository.registry);
                    host.refused_mount.fetch_or(is_certain, Ordering::Relaxed);
                    session = UploadSession::new(&response).ok();
                }
                None => {}
            }
        }
        let asks = match self.check {
            BlobCheck::Always => true,
            BlobCheck::Again => self.from.is_some() || is_again,
            BlobCheck::Never => is_mounted,
        };
        let known = match if asks { self.probe().await } else { Ok(KnownBlob::Missing) } {
            // docker-registry 2.8.2 that was killed while it wrote the link to a blob leaves an empty file, and answers 500
            // until the blob is sent again.
            Err(error) if is_again && error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR) => KnownBlob::Missing,
            known => known?,
        };
        if known == KnownBlob::Readable {
            return Ok(if is_mounted { BlobPlacement::Mounted } else { BlobPlacement::Present });
        }
        reached.set(UploadStep::Checked);
        let session = match session {
            Some(session) => session,
            None => self.start().await?,
        };
        reached.set(UploadStep::Started);
        self.send(session, reached).await?;
        Ok(if known == KnownBlob::Lost { BlobPlacement::Restored } else { BlobPlacement::Uploaded })
    }

    /// Reads the first byte of the blob.
    ///
    /// HEAD is no evidence: after garbage collection, docker-registry 2.8.2 with its descriptor cache in memory answers 200
    /// to HEAD and 201 to a mount of a blob whose bytes are gone (distribution issues 2966 and 4569). Only where the blob
    /// cannot be read, by a token that may only push or behind a storage that is out of reach, HEAD decides.
    async fn probe(&self) -> Result<KnownBlob, RequestError> {
        let mut response = match self.request(Method::GET).await {
            Err(RequestError::Refused { .. }) => return self.ask().await,
            Err(RequestError::Transport { host, .. }) if host != self.repository.registry => return self.ask().await,
            response => response?,
        };
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => return self.ask().await,
            status if !status.is_success() => return Ok(KnownBlob::Missing),
            _ => {}
        }
        let is_readable = match response.chunk().await {
            Ok(chunk) => chunk.is_some_and(|chunk| !chunk.is_empty()),
            Err(_) => false,
        };
        if is_readable && response.status() == StatusCode::PARTIAL_CONTENT {
            // At its end, the connection can be used again. A registry that ignores ranges sends the whole blob, which
            // is not read.
            let _ = response.chunk().await;
        }
        Ok(if is_readable { KnownBlob::Readable } else { KnownBlob::Lost })
    }

    /// Asks whether the registry knows the blob.
    async fn ask(&self) -> Result<KnownBlob, RequestError> {
        let response = match self.request(Method::HEAD).await {
            // A storage that only the registry reaches tells nothing.
            Err(RequestError::Transport { host, .. }) if host != self.repository.registry => {
                return Ok(KnownBlob::Missing);
            }
            response => response?,
        };
        // A storage may have signed its URL for GET alone, and refuse this request for a blob that exists.
        Ok(if response.status().is_success() { KnownBlob::Readable } else { KnownBlob::Missing })
    }

    /// Requests the first byte of the blob, or its description. A failure of the registry itself is an error.
    async fn request(&self, method: Method) -> Result<RegistryResponse, RequestError> {
        let path = format!("blobs/{}", self.source.blob.digest);
        let mut request = RegistryRequest::read(self.repository, method, path);
        request.scopes = Scopes::push(self.repository.name);
        if request.method == Method::GET {
            request.headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        }
        let response = self.source.client.send(&request).await?;
        let status = response.status();
        let is_failure = match status {
            StatusCode::NOT_IMPLEMENTED => request.method == Method::HEAD,
            status => status.is_server_error() || is_about_timing(status),
        };
        if is_failure && response.is_from(self.repository.registry) {
            return Err(response.into_error().await);
        }
        Ok(response)
    }

    /// Mounts the blob from another repository. A registry that refuses may have started an upload session instead.
    async fn mount(&self, from: &str) -> Result<Option<RegistryResponse>, RequestError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("mount", &self.source.blob.digest.to_string()).append_pair("from", from);
        let mut request = self.post(format!("blobs/uploads/?{}", query.finish()));
        request.scopes = request.scopes.merged(Scopes::pull(from));
        let response = match self.source.client.send(&request).await {
            // The denied access may be that to the other repository.
            Err(RequestError::Refused { .. }) => return Ok(None),
            response => response?,
        };
        match response.status() {
            StatusCode::CREATED | StatusCode::ACCEPTED => Ok(Some(response)),
            status if status.is_client_error() && !is_about_timing(status) => Ok(None),
            _ => Err(response.into_error().await),
        }
    }

    fn post(&self, path: String) -> RegistryRequest<'_> {
        let mut request =
            RegistryRequest::write(self.repository, Method::POST, RequestTarget::Path(path), Payload::Empty);
        request.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        request
    }

    async fn start(&self) -> Result<UploadSession, RequestError> {
        let response = self.source.client.send(&self.post("blobs/uploads/".to_owned())).await?;
        UploadSession::new(&response.accepted().await?)
    }

    async fn send(&self, session: UploadSession, reached: &Cell<UploadStep>) -> Result<(), RequestError> {
        let host = self.source.client.host(self.repository.registry);
        let is_small = self.source.blob.size <= SMALL;
        if !is_small || host.wants_patch.load(Ordering::Relaxed) {
            return self.send_before(session, reached).await;
        }
        let response = self.complete(&session.location, Payload::Blob(&self.source)).await?;
        if response.status().is_success() {
            return Ok(());
        }
        let error = response.into_error().await;
        let is_refused = error.status().is_some_and(|status| status.is_client_error()) && !error.is_retryable();
        if !is_refused {
            return Err(error);
        }
        self.send_before(self.start().await?, reached).await?;
        host.wants_patch.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sends the blob in one request, and completes the upload with another.
    async fn send_before(&self, session: UploadSession, reached: &Cell<UploadStep>) -> Result<(), RequestError> {
        let response = self.patch(session.location.clone(), Payload::Blob(&self.source), None).await?;
        let location = match response.status() {
            StatusCode::PAYLOAD_TOO_LARGE => return self.send_in_chunks(self.start().await?).await,
            _ => next(response.accepted().await?, session.location)?,
        };
        reached.set(UploadStep::Sent);
        self.complete(&location, Payload::Empty).await?.accepted().await?;
        Ok(())
    }

    async fn send_in_chunks(&self, session: UploadSession) -> Result<(), RequestError> {
        let size = CHUNK.max(session.min_chunk);
        if size > LARGEST_CHUNK {
            let host = self.repository.registry.to_owned();
            return Err(RequestError::ChunkSize { host, size });
        }
        let mut flow = self.source.open().await?;
        let (mut chunk, mut start, mut location, mut is_last) = (Vec::new(), 0, session.location, false);
        while !is_last {
            match flow.stream.next().await {
                Some(Ok(bytes)) => chunk.extend(bytes),
                Some(Err(error)) => return Err(flow.reason().unwrap_or(RequestError::Output(error))),
                None => is_last = true,
            }
            if chunk.len() as u64 >= size || (is_last && !chunk.is_empty()) {
                let end = start + chunk.len() as u64;
                let range = format!("{start}-{}", end - 1);
                let response = self.patch(location.clone(), Payload::Bytes(&chunk), Some(range)).await?;
                location = next(response.accepted().await?, location)?;
                self.source.advance(end);
                start = end;
                chunk.clear();
            }
        }
        self.complete(&location, Payload::Empty).await?.accepted().await?;
        Ok(())
    }

    async fn patch(
        &self,
        location: Url,
        payload: Payload<'_>,
        range: Option<String>,
    ) -> Result<RegistryResponse, RequestError> {
        let mut request =
            RegistryRequest::write(self.repository, Method::PATCH, RequestTarget::Location(location), payload);
        if let Some(range) = range.and_then(|range| HeaderValue::from_str(&range).ok()) {
            request.headers.insert(CONTENT_RANGE, range);
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        self.source.client.send(&request).await
    }

    async fn complete(&self, location: &Url, payload: Payload<'_>) -> Result<RegistryResponse, RequestError> {
        let mut location = location.clone();
        location.query_pairs_mut().append_pair("digest", &self.source.blob.digest.to_string());
        let mut request =
            RegistryRequest::write(self.repository, Method::PUT, RequestTarget::Location(location), payload);
        if matches!(request.payload, Payload::Empty) {
            request.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        self.source.client.send(&request).await
    }
}

/// Returns the URL of the next request of an upload: the same if the registry returns none.
fn next(response: RegistryResponse, location: Url) -> Result<Url, RequestError> {
    if response.headers().contains_key(LOCATION) { response.location(LOCATION) } else { Ok(location) }
}
