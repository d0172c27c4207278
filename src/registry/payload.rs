//! The bodies of requests. Blobs are streamed and verified; the end of a damaged one is never sent.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, RequestBuilder};
use sha2::Digest as _;
use tokio::sync::mpsc;

use super::client::{RegistryClient, RepositoryName};
use super::pull;
use super::request_error::RequestError;
use super::response::RegistryResponse;
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent, BlobError};
use crate::report::{Phase, Reporter};

/// The size of the chunks in the channel, in bytes.
const CHUNK: usize = 256 << 10;

/// The capacity of the channel, in chunks.
const CAPACITY: usize = 2;

/// The body of a request.
pub(super) enum Payload<'a> {
    Empty,
    Bytes(&'a [u8]),
    Blob(&'a BlobSource<'a>),
}

/// A blob to send, perhaps more than once.
pub(super) struct BlobSource<'a> {
    pub client: &'a RegistryClient,
    pub blob: &'a Blob,
    progress: BlobProgress<'a>,
}

/// The bytes of a blob, as they are read.
pub(super) struct BlobStream {
    /// The last bytes come only after all are verified.
    pub stream: BoxStream<'static, io::Result<Vec<u8>>>,
    /// The number of bytes taken from the stream.
    pub sent: Arc<AtomicU64>,
    failure: SharedError,
}

impl BlobStream {
    /// Takes the stream, and leaves an empty one.
    pub(super) fn take(&mut self) -> BoxStream<'static, io::Result<Vec<u8>>> {
        std::mem::replace(&mut self.stream, stream::empty().boxed())
    }

    /// Returns why the stream ended early, if it did.
    pub(super) fn reason(&self) -> Option<RequestError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type SharedError = Arc<Mutex<Option<RequestError>>>;

impl<'a> BlobSource<'a> {
    pub(super) fn new(client: &'a RegistryClient, blob: &'a Blob, reporter: &'a dyn Reporter) -> Self {
        Self { client, blob, progress: BlobProgress { reporter, phase: Phase::Push, reported: Cell::new(0) } }
    }

    /// Reports progress up to this number of bytes.
    pub(super) fn advance(&self, sent: u64) {
        self.progress.reach(sent.min(self.blob.size));
    }

    /// Makes the blob the body of a request.
    pub(super) fn attach(
        &self,
        builder: RequestBuilder,
        stream: BoxStream<'static, io::Result<Vec<u8>>>,
    ) -> RequestBuilder {
        let builder = builder.header(CONTENT_LENGTH, self.blob.size).header(CONTENT_TYPE, "application/octet-stream");
        builder.body(Body::wrap_stream(stream))
    }

    /// Starts to read the blob from a file, from memory or from another registry.
    pub(super) async fn open(&self) -> Result<BlobStream, RequestError> {
        let (sent, failure) = (Arc::<AtomicU64>::default(), SharedError::default());
        let stream = match &self.blob.content {
            BlobContent::Registry { repository } => {
                let repository = RepositoryName::of(repository);
                // Boxed, since the future is recursive: a request to one registry sends one to another.
                let response = Box::pin(pull::open(self.client, repository, self.blob.digest, 0)).await?;
                relay(response.accepted().await?, self.blob, Arc::clone(&failure))
            }
            _ => read(self.blob.clone(), Arc::clone(&failure)),
        };
        let counter = Arc::clone(&sent);
        let count = move |chunk: &io::Result<Vec<u8>>| {
            let length = chunk.as_ref().map_or(0, Vec::len) as u64;
            counter.fetch_add(length, Ordering::Relaxed);
        };
        Ok(BlobStream { stream: stream.inspect(count).boxed(), sent, failure })
    }
}

/// Reports the progress of a blob, without repetition when it starts over.
pub(super) struct BlobProgress<'a> {
    pub reporter: &'a dyn Reporter,
    pub phase: Phase,
    pub reported: Cell<u64>,
}

impl BlobProgress<'_> {
    /// Reports that the first `position` bytes are done.
    pub(super) fn reach(&self, position: u64) {
        let reported = self.reported.get();
        if position > reported {
            self.reported.set(position);
            self.reporter.advance(self.phase, position - reported);
        }
    }
}

/// Stores why a stream ends early, and returns the error that aborts the request.
fn fail(failure: &SharedError, error: RequestError) -> io::Error {
    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    io::Error::other("the blob cannot be read")
}

/// Reads a local blob, on a thread where that may block.
fn read(blob: Blob, failure: SharedError) -> BoxStream<'static, io::Result<Vec<u8>>> {
    let (channel, mut receiver) = mpsc::channel(CAPACITY);
    tokio::task::spawn_blocking(move || {
        let mut writer = ChunkWriter { channel, chunk: Vec::new(), length: 0 };
        let copied = blob.copy_to(&mut writer);
        let ChunkWriter { channel, chunk, length: actual } = writer;
        let last = match copied {
            Ok(()) if actual == blob.size => Ok(chunk),
            Ok(()) => Err(fail(&failure, RequestError::Size { digest: blob.digest, expected: blob.size, actual })),
            // The request ended before its body: the response has the reason.
            Err(BlobError::Write { .. }) if channel.is_closed() => return,
            Err(error) => Err(fail(&failure, error.into())),
        };
        // The receiver is gone if the request ended.
        let _ = channel.blocking_send(last);
    });
    let stream = stream::poll_fn(move |context| receiver.poll_recv(context));
    stream.filter(|chunk| std::future::ready(!matches!(chunk, Ok(chunk) if chunk.is_empty()))).boxed()
}

/// Writes into a channel, except for the last chunk, which is held until the blob is verified.
struct ChunkWriter {
    channel: mpsc::Sender<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    length: u64,
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() >= CHUNK && !bytes.is_empty() {
            let chunk = std::mem::take(&mut self.chunk);
            self.channel.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        if self.chunk.is_empty() {
            self.chunk.reserve_exact(CHUNK);
        }
        let taken = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        self.length += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A blob that is copied from one registry to another.
struct BlobRelay {
    response: RegistryResponse,
    /// The last chunk, held until the blob is verified.
    held: Vec<u8>,
    hasher: sha2::Sha256,
    length: u64,
    is_done: bool,
    failure: SharedError,
}

/// Streams a blob from another registry.
fn relay(response: RegistryResponse, blob: &Blob, failure: SharedError) -> BoxStream<'static, io::Result<Vec<u8>>> {
    let (expected, size) = (blob.digest, blob.size);
    let start =
        BlobRelay { response, held: Vec::new(), hasher: sha2::Sha256::default(), length: 0, is_done: false, failure };
    let step = move |mut relay: BlobRelay| async move {
        while !relay.is_done {
            match relay.response.chunk().await {
                Ok(Some(chunk)) => {
                    relay.hasher.update(&*chunk);
                    relay.length += chunk.len() as u64;
                    let held = std::mem::replace(&mut relay.held, chunk.to_vec());
                    if !held.is_empty() {
                        return Some((Ok(held), relay));
                    }
                }
                Ok(None) => relay.is_done = true,
                Err(error) => return broken(relay, error),
            }
            let host = relay.response.host();
            if relay.length > size {
                let error = RequestError::TooLarge { host: host.to_owned(), limit: size };
                return broken(relay, error);
            } else if relay.is_done && relay.length < size {
                let error = RequestError::Truncated { host: host.to_owned(), expected: size, actual: relay.length };
                return broken(relay, error);
            }
        }
        let actual = Sha256(relay.hasher.clone().finalize().into());
        if actual != expected {
            let error = RequestError::Digest { host: relay.response.host().to_owned(), expected, actual };
            return broken(relay, error);
        }
        let held = std::mem::take(&mut relay.held);
        (!held.is_empty()).then_some((Ok(held), relay))
    };
    stream::unfold(start, step).boxed()
}

fn broken(relay: BlobRelay, error: RequestError) -> Option<(io::Result<Vec<u8>>, BlobRelay)> {
    let error = fail(&relay.failure, error);
    Some((Err(error), relay))
}
