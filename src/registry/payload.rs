//! The bodies of requests. A blob is streamed, verified on the way, and withheld at its end if it is damaged.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, RequestBuilder};
use sha2::Digest as _;
use tokio::sync::mpsc;

use super::answer::Answer;
use super::client::{Client, Repository};
use super::fault::Fault;
use super::pull;
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent, BlobError};
use crate::report::{Phase, Reporter};

/// How many bytes go through the channel at once.
const CHUNK: usize = 256 << 10;

/// How many chunks wait in the channel at most.
const WAITING: usize = 2;

/// What goes with a request.
pub(super) enum Payload<'a> {
    /// Nothing.
    Empty,
    /// Bytes at hand.
    Bytes(&'a [u8]),
    /// A blob.
    Source(&'a Source<'a>),
}

/// A blob to be sent, perhaps more than once.
pub(super) struct Source<'a> {
    pub client: &'a Client,
    pub blob: &'a Blob,
    progress: Progress<'a>,
}

/// A blob that flows.
pub(super) struct Flow {
    /// Its bytes. The last of them come when all are verified.
    pub stream: BoxStream<'static, io::Result<Vec<u8>>>,
    /// How many bytes have been taken.
    pub sent: Arc<AtomicU64>,
    failure: Failure,
}

impl Flow {
    /// Returns the stream, and leaves an empty one.
    pub fn take(&mut self) -> BoxStream<'static, io::Result<Vec<u8>>> {
        std::mem::replace(&mut self.stream, stream::empty().boxed())
    }

    /// Returns why the stream broke off, if it did.
    pub fn reason(&self) -> Option<Fault> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Failure = Arc<Mutex<Option<Fault>>>;

impl<'a> Source<'a> {
    pub fn new(client: &'a Client, blob: &'a Blob, reporter: &'a dyn Reporter) -> Self {
        Self { client, blob, progress: Progress { reporter, phase: Phase::Push, reported: Cell::new(0) } }
    }

    /// Tells the reporter that so many bytes of the blob were sent, as far as it does not know.
    pub fn advance(&self, sent: u64) {
        self.progress.reach(sent.min(self.blob.size));
    }

    /// Has a request carry a blob.
    pub fn attach(&self, builder: RequestBuilder, stream: BoxStream<'static, io::Result<Vec<u8>>>) -> RequestBuilder {
        let builder = builder.header(CONTENT_LENGTH, self.blob.size).header(CONTENT_TYPE, "application/octet-stream");
        builder.body(Body::wrap_stream(stream))
    }

    /// Begins to read the blob, from where it lies.
    pub async fn open(&self) -> Result<Flow, Fault> {
        let (sent, failure) = (Arc::<AtomicU64>::default(), Failure::default());
        let stream = match &self.blob.content {
            BlobContent::Registry { repository } => {
                let repository = Repository::of(repository);
                // Boxed: to send a blob of one registry to another, one request waits for another.
                let answer = Box::pin(pull::open(self.client, repository, self.blob.digest, 0)).await?;
                relay(answer.accepted().await?, self.blob, Arc::clone(&failure))
            }
            _ => read(self.blob.clone(), Arc::clone(&failure)),
        };
        let counter = Arc::clone(&sent);
        let count = move |chunk: &io::Result<Vec<u8>>| {
            let length = chunk.as_ref().map_or(0, Vec::len) as u64;
            counter.fetch_add(length, Ordering::Relaxed);
        };
        Ok(Flow { stream: stream.inspect(count).boxed(), sent, failure })
    }
}

/// Tells a reporter how far a blob is, and nothing twice when it starts over.
pub(super) struct Progress<'a> {
    pub reporter: &'a dyn Reporter,
    pub phase: Phase,
    pub reported: Cell<u64>,
}

impl Progress<'_> {
    /// The first `position` bytes are done.
    pub fn reach(&self, position: u64) {
        let reported = self.reported.get();
        if position > reported {
            self.reported.set(position);
            self.reporter.advance(self.phase, position - reported);
        }
    }
}

/// Notes why a stream breaks off, and breaks it off: the request is never completed.
fn fail(failure: &Failure, fault: Fault) -> io::Error {
    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
    io::Error::other("the blob cannot be read")
}

/// Reads a blob of this machine, on a thread where that may block.
fn read(blob: Blob, failure: Failure) -> BoxStream<'static, io::Result<Vec<u8>>> {
    let (channel, mut receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut writer = Chunks { channel, chunk: Vec::new(), length: 0 };
        let copied = blob.copy_to(&mut writer);
        let Chunks { channel, chunk, length: actual } = writer;
        let last = match copied {
            Ok(()) if actual == blob.size => Ok(chunk),
            Ok(()) => Err(fail(&failure, Fault::Size { digest: blob.digest, expected: blob.size, actual })),
            // The request ended before its body did: that is where the reason is.
            Err(BlobError::Write { .. }) if channel.is_closed() => return,
            Err(error) => Err(fail(&failure, error.into())),
        };
        // Nobody waits for it if the request ended.
        let _ = channel.blocking_send(last);
    });
    let stream = stream::poll_fn(move |context| receiver.poll_recv(context));
    stream.filter(|chunk| std::future::ready(!matches!(chunk, Ok(chunk) if chunk.is_empty()))).boxed()
}

/// Writes into a channel, but for the last chunk, which it keeps.
struct Chunks {
    channel: mpsc::Sender<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    length: u64,
}

impl Write for Chunks {
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

/// A blob on its way from one registry to another.
struct Relay {
    answer: Answer,
    /// What came last and is not passed on yet.
    held: Vec<u8>,
    hasher: sha2::Sha256,
    length: u64,
    is_done: bool,
    failure: Failure,
}

/// Passes on a blob of another registry.
fn relay(answer: Answer, blob: &Blob, failure: Failure) -> BoxStream<'static, io::Result<Vec<u8>>> {
    let (expected, size) = (blob.digest, blob.size);
    let start = Relay { answer, held: Vec::new(), hasher: sha2::Sha256::default(), length: 0, is_done: false, failure };
    let step = move |mut relay: Relay| async move {
        while !relay.is_done {
            match relay.answer.chunk().await {
                Ok(Some(chunk)) => {
                    relay.hasher.update(&*chunk);
                    relay.length += chunk.len() as u64;
                    let held = std::mem::replace(&mut relay.held, chunk.to_vec());
                    if !held.is_empty() {
                        return Some((Ok(held), relay));
                    }
                }
                Ok(None) => relay.is_done = true,
                Err(fault) => return broken(relay, fault),
            }
            let host = || relay.answer.host().to_owned();
            if relay.length > size {
                let fault = Fault::TooLarge { host: host(), limit: size };
                return broken(relay, fault);
            } else if relay.is_done && relay.length < size {
                let fault = Fault::Truncated { host: host(), expected: size, actual: relay.length };
                return broken(relay, fault);
            }
        }
        let actual = Sha256(relay.hasher.clone().finalize().into());
        if actual != expected {
            let fault = Fault::Digest { host: relay.answer.host().to_owned(), expected, actual };
            return broken(relay, fault);
        }
        let held = std::mem::take(&mut relay.held);
        (!held.is_empty()).then_some((Ok(held), relay))
    };
    stream::unfold(start, step).boxed()
}

fn broken(relay: Relay, fault: Fault) -> Option<(io::Result<Vec<u8>>, Relay)> {
    let error = fail(&relay.failure, fault);
    Some((Err(error), relay))
}
