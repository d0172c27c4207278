//! Sending one blob to one repository.
//!
//! Specification: [OCI distribution 1.1, push](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push).
//! Where registries fall short of it, this falls back: a mount that is refused becomes an upload, a blob that is refused
//! with the request that completes its upload goes before it, and one that is too large for one request goes in chunks.

use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;
use url::form_urlencoded;

use super::answer::Answer;
use super::attempts::{Failure, attempt};
use super::client::{Repository, Request, Target};
use super::fault::Fault;
use super::payload::{Payload, Source};
use super::token::Scopes;

/// The largest blob that is sent with the request that completes its upload, in bytes.
pub(super) const SMALL: u64 = 1 << 20;

/// The usual size of chunks, in bytes. It is the least that ECR takes.
const CHUNK: u64 = 5 << 20;

/// The largest chunk that a registry may ask for, in bytes: it is held in memory.
const LARGEST_CHUNK: u64 = 64 << 20;

/// How a blob came to be in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was sent.
    Uploaded,
    /// The registry took it from another repository.
    Mounted,
    /// It was there.
    Present,
}

/// A blob and where it is to be.
pub(super) struct Upload<'a> {
    pub source: Source<'a>,
    pub repository: Repository<'a>,
    /// Another repository of the same registry that has it.
    pub from: Option<&'a str>,
    /// Whether to ask first if it is there.
    pub asks: bool,
}

/// An upload session.
struct Session {
    /// Where its next request goes.
    location: Url,
    /// The least size of chunks, the last excepted (OCI distribution 1.1, pushing a blob in chunks).
    least_chunk: u64,
}

impl Session {
    fn new(answer: &Answer) -> Result<Self, Fault> {
        let least_chunk =
            answer.header("oci-chunk-min-length").and_then(|value| value.parse().ok()).unwrap_or_default();
        Ok(Self { location: answer.location(LOCATION)?, least_chunk })
    }
}

impl Upload<'_> {
    /// Sees to it that the blob is in the repository. After a failure the whole blob is sent again.
    pub async fn run(&self) -> Result<Placed, Failure> {
        let retry = self.source.client.options().retry;
        let placed = attempt(retry, async |made| self.once(made > 0).await).await?;
        self.source.advance(self.source.blob.size);
        Ok(placed)
    }

    async fn once(&self, is_again: bool) -> Result<Placed, Fault> {
        let mut session = None;
        if let Some(from) = self.from {
            let answer = self.mount(from).await?;
            match answer {
                Some(answer) if answer.status() == StatusCode::CREATED => return Ok(Placed::Mounted),
                Some(answer) => session = Session::new(&answer).ok(),
                None => {}
            }
        }
        // An answer may have been lost that said that all is well.
        if (self.asks || self.from.is_some() || is_again) && self.is_there().await? {
            return Ok(Placed::Present);
        }
        let session = match session {
            Some(session) => session,
            None => self.start().await?,
        };
        self.send(session).await?;
        Ok(Placed::Uploaded)
    }

    async fn is_there(&self) -> Result<bool, Fault> {
        let path = format!("blobs/{}", self.source.blob.digest);
        let request = Request {
            scopes: Scopes::push(self.repository.name),
            ..Request::read(self.repository, Method::HEAD, path)
        };
        let answer = self.source.client.send(&request).await?;
        let status = answer.status();
        if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429 | 499) {
            return Err(answer.into_fault().await);
        }
        // What is redirected is there.
        Ok(status.is_success() || status.is_redirection())
    }

    /// Asks the registry to take the blob from another repository. A registry that will not may have begun an upload.
    async fn mount(&self, from: &str) -> Result<Option<Answer>, Fault> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("mount", &self.source.blob.digest.to_string()).append_pair("from", from);
        let mut request = self.post(format!("blobs/uploads/?{}", query.finish()));
        request.scopes = request.scopes.merged(Scopes::pull(from));
        let answer = match self.source.client.send(&request).await {
            // To read the other repository may be what is refused.
            Err(Fault::Refused { .. }) => return Ok(None),
            answer => answer?,
        };
        match answer.status() {
            StatusCode::CREATED | StatusCode::ACCEPTED => Ok(Some(answer)),
            status if status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429 | 499) => Ok(None),
            _ => Err(answer.into_fault().await),
        }
    }

    fn post(&self, path: String) -> Request<'_> {
        let mut request = Request::write(self.repository, Method::POST, Target::Path(path), Payload::Empty);
        request.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        request
    }

    async fn start(&self) -> Result<Session, Fault> {
        let answer = self.source.client.send(&self.post("blobs/uploads/".to_owned())).await?;
        Session::new(&answer.accepted().await?)
    }

    async fn send(&self, session: Session) -> Result<(), Fault> {
        let host = self.source.client.host(self.repository.registry);
        let is_small = self.source.blob.size <= SMALL;
        if !is_small || host.wants_patch.load(Ordering::Relaxed) {
            return self.send_before(session).await;
        }
        let answer = self.complete(&session.location, Payload::Source(&self.source)).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        let fault = answer.into_fault().await;
        let is_refused = fault.status().is_some_and(|status| status.is_client_error()) && !fault.is_retryable();
        if !is_refused {
            return Err(fault);
        }
        self.send_before(self.start().await?).await?;
        host.wants_patch.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sends the blob in one request, and completes the upload with another.
    async fn send_before(&self, session: Session) -> Result<(), Fault> {
        let answer = self.patch(session.location.clone(), Payload::Source(&self.source), None).await?;
        let location = match answer.status() {
            StatusCode::PAYLOAD_TOO_LARGE => return self.send_in_chunks(self.start().await?).await,
            _ => next(answer.accepted().await?, session.location)?,
        };
        self.complete(&location, Payload::Empty).await?.accepted().await?;
        Ok(())
    }

    async fn send_in_chunks(&self, session: Session) -> Result<(), Fault> {
        let size = CHUNK.max(session.least_chunk);
        if size > LARGEST_CHUNK {
            let host = self.repository.registry.to_owned();
            return Err(Fault::ChunkSize { host, size });
        }
        let mut flow = self.source.open().await?;
        let (mut chunk, mut start, mut location, mut is_last) = (Vec::new(), 0, session.location, false);
        while !is_last {
            match flow.stream.next().await {
                Some(Ok(bytes)) => chunk.extend(bytes),
                Some(Err(error)) => return Err(flow.reason().unwrap_or(Fault::Output(error))),
                None => is_last = true,
            }
            if chunk.len() as u64 >= size || (is_last && !chunk.is_empty()) {
                let end = start + chunk.len() as u64;
                let range = format!("{start}-{}", end - 1);
                let answer = self.patch(location.clone(), Payload::Bytes(&chunk), Some(range)).await?;
                location = next(answer.accepted().await?, location)?;
                self.source.advance(end);
                start = end;
                chunk.clear();
            }
        }
        self.complete(&location, Payload::Empty).await?.accepted().await?;
        Ok(())
    }

    async fn patch(&self, location: Url, payload: Payload<'_>, range: Option<String>) -> Result<Answer, Fault> {
        let mut request = Request::write(self.repository, Method::PATCH, Target::Location(location), payload);
        if let Some(range) = range.and_then(|range| HeaderValue::from_str(&range).ok()) {
            request.headers.insert(CONTENT_RANGE, range);
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        self.source.client.send(&request).await
    }

    async fn complete(&self, location: &Url, payload: Payload<'_>) -> Result<Answer, Fault> {
        let mut location = location.clone();
        location.query_pairs_mut().append_pair("digest", &self.source.blob.digest.to_string());
        let mut request = Request::write(self.repository, Method::PUT, Target::Location(location), payload);
        if matches!(request.payload, Payload::Empty) {
            request.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        self.source.client.send(&request).await
    }
}

/// Returns where the next request of an upload goes. A registry that does not say leaves it as it is.
fn next(answer: Answer, location: Url) -> Result<Url, Fault> {
    if answer.headers().contains_key(LOCATION) { answer.location(LOCATION) } else { Ok(location) }
}
