//! The bodies of requests. Blobs are streamed and verified; the end of a damaged one is never sent.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, RequestBuilder};
use sha2::Digest as _;
use tokio::sync::mpsc;

use super::client::RegistryClient;
use super::pull;
use super::request_error::RequestError;
use super::response::RegistryResponse;
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent};
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
    sent: Arc<AtomicU64>,
    failure: SharedError,
}

impl BlobStream {
    /// Takes the stream, and leaves an empty one.
    pub(super) fn take(&mut self) -> BoxStream<'static, io::Result<Vec<u8>>> {
        std::mem::replace(&mut self.stream, stream::empty().boxed())
    }

    /// Reports the bytes taken so far as progress of the blob, and returns their number.
    pub(super) fn report(&self, source: &BlobSource<'_>) -> u64 {
        let sent = self.sent.load(Ordering::Relaxed);
        source.advance(sent);
        sent
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
                // Boxed, since the future is recursive: a request to one registry sends one to another.
                let response = Box::pin(pull::open_pulled(self.client, repository, self.blob.digest)).await?;
                relay(response, self.blob, Arc::clone(&failure))
            }
            _ => read(self.blob.clone(), Arc::clone(&failure)),
        };
        let counter = Arc::clone(&sent);
        let stream = stream.inspect(move |chunk| {
            let length = chunk.as_ref().map_or(0, Vec::len) as u64;
            counter.fetch_add(length, Ordering::Relaxed);
        });
        Ok(BlobStream { stream: stream.boxed(), sent, failure })
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
        let mut writer = ChunkWriter { channel, chunk: Vec::new(), length: 0, is_cancelled: false };
        let copied = blob.copy_to(&mut writer);
        let ChunkWriter { channel, chunk, length: actual, is_cancelled } = writer;
        // The request ended before its body, and has the reason. The error here is only that of a closed channel, as
        // whatever copies the blob describes it: a layer that is spliced does so differently from a file.
        if is_cancelled {
            return;
        }
        let last = match copied {
            Ok(()) if actual == blob.size => Ok(chunk),
            Ok(()) => Err(fail(&failure, RequestError::Size { digest: blob.digest, expected: blob.size, actual })),
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
    /// Whether nobody reads the channel any more.
    is_cancelled: bool,
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() >= CHUNK && !bytes.is_empty() {
            let chunk = std::mem::take(&mut self.chunk);
            if self.channel.blocking_send(Ok(chunk)).is_err() {
                self.is_cancelled = true;
                return Err(io::ErrorKind::BrokenPipe.into());
            }
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
    digest: Sha256,
    size: u64,
    /// The last chunk, held until the blob is verified.
    held: Vec<u8>,
    hasher: sha2::Sha256,
    length: u64,
    is_done: bool,
}

/// Streams a blob from another registry.
fn relay(response: RegistryResponse, blob: &Blob, failure: SharedError) -> BoxStream<'static, io::Result<Vec<u8>>> {
    let relay = BlobRelay {
        response,
        digest: blob.digest,
        size: blob.size,
        held: Vec::new(),
        hasher: sha2::Sha256::default(),
        length: 0,
        is_done: false,
    };
    let chunks = stream::try_unfold(relay, |mut relay| async move {
        let chunk = relay.next().await?;
        Ok(chunk.map(|chunk| (chunk, relay)))
    });
    chunks.map_err(move |error| fail(&failure, error)).boxed()
}

impl BlobRelay {
    /// Returns the next chunk to send, or `None` after the last one.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, RequestError> {
        while !self.is_done {
            match self.response.chunk().await? {
                Some(chunk) => {
                    self.hasher.update(&*chunk);
                    self.length += chunk.len() as u64;
                    if self.length > self.size {
                        let host = self.response.host().to_owned();
                        return Err(RequestError::TooLarge { host, limit: self.size });
                    }
                    let held = std::mem::replace(&mut self.held, chunk.to_vec());
                    if !held.is_empty() {
                        return Ok(Some(held));
                    }
                }
                None => {
                    self.is_done = true;
                    self.verify()?;
                }
            }
        }
        let held = std::mem::take(&mut self.held);
        Ok(Some(held).filter(|held| !held.is_empty()))
    }

    /// Verifies the size and the digest of the whole blob.
    fn verify(&self) -> Result<(), RequestError> {
        let (host, expected) = (self.response.host().to_owned(), self.digest);
        if self.length < self.size {
            return Err(RequestError::Truncated { host, expected: self.size, actual: self.length });
        }
        let actual = Sha256(self.hasher.clone().finalize().into());
        if actual == expected { Ok(()) } else { Err(RequestError::Digest { host, expected, actual }) }
    }
}
