//! Fetches the wheels and source distributions that a lock selects: from the cache, from local files, or from indexes.
//!
//! Every file is verified with the lock's digest while it arrives, and wheels are read strictly, before the file gets its
//! final name in the cache. Downloads are resumed after a broken connection, and after an earlier run that was killed.
//!
//! [`Fetcher::fetch`] blocks. Indexes and Debian's archives send their requests by `HttpClient`, and block, too. All requests of
//! a run share [`Connections`], with their runtime; rayon's threads read wheels while others are being downloaded.

mod client;
mod connections;
mod credentials;
mod document;
mod download;
mod error;
mod fetchable;
mod keyring;
mod local;
mod verify;

use std::cmp::Reverse;
use std::thread;

use futures_util::StreamExt;
use futures_util::stream;
use rayon::Scope;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use tokio::sync::{oneshot, watch};
use url::Url;

use crate::cache::{CLAIM_PAUSE, Cache, CacheError, Claim};
use crate::lock::{FileLocation, LockedFile};
use crate::redact;
use crate::report::{Phase, Reporter, RunningPhase, RunningTask, Silent, Task, TaskKind};
use crate::silence::{NetworkTimeout, SilenceLimits};
use download::{Download, PartialFile};

pub use crate::retry::RetryPolicy;
pub(crate) use client::HttpClient;
pub use connections::Connections;
pub use credentials::{IndexCredentials, IndexUrl};
pub(crate) use document::{DocumentRequest, DocumentResponse, FetchedDocument};
pub use error::{DownloadError, FetchError};
pub use fetchable::Fetchable;
pub use keyring::{InvalidKeyringProvider, KeyringProvider};

/// The largest file without a size in the lock or the index, in bytes. The largest wheels on PyPI have less than 1 GiB, those of
/// PyTorch's index about 3 GiB.
const LARGEST_UNSIZED: u64 = 4 << 30;

/// The options of requests and downloads.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// How many files are downloaded concurrently; at least one. The default is 16: 4 are as fast for large wheels, but
    /// slower for many small ones, and with 32 or more, name servers were seen to drop requests.
    pub concurrency: usize,
    /// Whether the network is disabled.
    pub offline: bool,
    /// The retries.
    pub retry: RetryPolicy,
    /// How long servers may be silent. There is no limit for a whole file.
    pub silence: SilenceLimits,
    /// The largest file that is downloaded if the lock and the index do not state its size, in bytes.
    pub largest_unsized: u64,
    /// The credentials of the indexes.
    pub credentials: IndexCredentials,
    /// The connections, which clones share.
    pub connections: Connections,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            concurrency: 16,
            offline: false,
            retry: RetryPolicy::default(),
            silence: SilenceLimits::of_index(NetworkTimeout::default()),
            largest_unsized: LARGEST_UNSIZED,
            credentials: IndexCredentials::default(),
            connections: Connections::default(),
        }
    }
}

impl DownloadOptions {
    /// Runs requests, and tells of servers that do not answer them.
    pub(crate) async fn attend<T>(&self, reporter: &dyn Reporter, run: impl Future<Output = T>) -> T {
        self.connections.watch().attend(self.silence, reporter, run).await
    }
}

/// Fetches files.
#[derive(Debug)]
pub struct Fetcher {
    options: DownloadOptions,
}

struct RemoteFile<'a, Name> {
    /// The position among the requested files.
    position: usize,
    locked: &'a LockedFile<Name>,
    url: &'a Url,
    index: Option<&'a Url>,
}

impl Fetcher {
    /// Creates a fetcher, without connecting to anything.
    pub fn new(options: DownloadOptions) -> Self {
        Self { options }
    }

    /// Returns the files in the order of `files`. Blocks, so it must not be called from asynchronous code or from a rayon
    /// thread.
    ///
    /// A file with a digest in the lock is taken from the cache if possible; one on this machine must still have the digest. One
    /// without is read again each time, in case it has changed.
    ///
    /// # Errors
    /// A file cannot be fetched, does not match the lock, or is not a valid wheel. Of several failures, the first in the order
    /// of `files` is returned, and the downloads after it are cancelled.
    pub fn fetch<Name: Fetchable>(
        &self,
        files: &[LockedFile<Name>],
        cache: &Cache,
        reporter: &dyn Reporter,
    ) -> Result<Vec<Name::Fetched>, FetchError> {
        let found: Vec<_> = files.par_iter().map(|locked| find(locked, cache)).collect();
        let mut found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        let remotes = files.iter().enumerate().filter_map(|(position, locked)| match &locked.location {
            FileLocation::Url { url, index } => Some(RemoteFile { position, locked, url, index: index.as_deref() }),
            FileLocation::Path(_) => None,
        });
        let missing: Vec<RemoteFile<Name>> = remotes.filter(|remote| found[remote.position].is_none()).collect();
        if !missing.is_empty() {
            if self.options.offline {
                return Err(FetchError::Offline(
                    missing.iter().map(|remote| remote.locked.filename.to_string()).collect(),
                ));
            }
            let size = missing.iter().filter_map(|remote| remote.locked.size).sum();
            let fetching = RunningPhase::start(reporter, Phase::Fetch, size);
            for (position, fetched) in self.download(&missing, cache, reporter)? {
                found[position] = Some(fetched);
            }
            fetching.finish();
        }
        let found: Vec<Name::Fetched> = found.into_iter().flatten().collect();
        for (locked, fetched) in files.iter().zip(&found) {
            warn_of_size(locked, fetched, reporter);
        }
        Ok(found)
    }

    /// As [`fetch`](Self::fetch), but on threads of its own, so that it may be called from anywhere, also while all other
    /// threads wait for it.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch), or threads cannot be started.
    pub(crate) fn fetch_apart<Name: Fetchable>(
        &self,
        files: &[LockedFile<Name>],
        cache: &Cache,
    ) -> Result<Vec<Name::Fetched>, FetchError> {
        // One thread waits for the downloads, and the other reads what has arrived.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let pool = pool.map_err(|error| FetchError::Start(std::io::Error::other(error)))?;
        // A thread of rayon that waits for another pool does other work meanwhile, which may need the same file.
        let fetched = thread::scope(|scope| scope.spawn(|| pool.install(|| self.fetch(files, cache, &Silent))).join());
        match fetched {
            Ok(fetched) => fetched,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Downloads files; returns them with their positions.
    fn download<Name: Fetchable>(
        &self,
        missing: &[RemoteFile<Name>],
        cache: &Cache,
        reporter: &dyn Reporter,
    ) -> Result<Vec<(usize, Name::Fetched)>, FetchError> {
        let runtime = self.options.connections.runtime()?;
        let client = HttpClient::new(&self.options)?;
        rayon::in_place_scope(|scope| {
            let (retry, largest_unsized) = (self.options.retry, self.options.largest_unsized);
            let downloads = Downloads { client: &client, retry, largest_unsized, cache, reporter, scope };
            let run = downloads.run(missing, self.options.concurrency.max(1));
            runtime.block_on(self.options.attend(reporter, run))
        })
    }
}

/// The context of all downloads. CPU-bound work is spawned into the rayon scope.
struct Downloads<'a, 'scope> {
    client: &'a HttpClient<'a>,
    retry: RetryPolicy,
    largest_unsized: u64,
    cache: &'scope Cache,
    reporter: &'a dyn Reporter,
    scope: &'a Scope<'scope>,
}

impl<'scope> Downloads<'_, 'scope> {
    async fn run<Name: Fetchable>(
        &self,
        missing: &'scope [RemoteFile<'scope, Name>],
        concurrency: usize,
    ) -> Result<Vec<(usize, Name::Fetched)>, FetchError> {
        // The largest first: started last, it would finish long after the others.
        let mut order: Vec<&RemoteFile<Name>> = missing.iter().collect();
        order.sort_by_key(|remote| Reverse(remote.locked.size));

        let (failed, failure) = watch::channel(usize::MAX);
        let downloads = order.into_iter().map(|remote| {
            let mut failure = failure.clone();
            async move {
                tokio::select! {
                    biased;
                    _ = failure.wait_for(|failed| *failed < remote.position) => None,
                    result = self.fetch(remote) => Some((remote.position, result)),
                }
            }
        });
        let mut finished = stream::iter(downloads).buffer_unordered(concurrency);
        let (mut fetched, mut first) = (Vec::new(), None);
        // Downloads before a failed one continue: if one of them fails too, that error is returned.
        while let Some(result) = finished.next().await {
            match result {
                Some((position, Ok(file))) => fetched.push((position, file)),
                Some((position, Err(error))) if position < *failed.borrow() => {
                    failed.send_replace(position);
                    first = Some(error);
                }
                _ => {}
            }
        }
        first.map_or(Ok(fetched), Err)
    }

    async fn fetch<Name: Fetchable>(
        &self,
        remote: &'scope RemoteFile<'scope, Name>,
    ) -> Result<Name::Fetched, FetchError> {
        let (cache, locked) = (self.cache, remote.locked);
        let claim = self.claim(remote).await?;
        let started = self.spawn(move || match in_cache(locked, cache)? {
            Some(fetched) => Ok(StartedDownload::Done(fetched)),
            None => PartialFile::open(claim, locked.digests.clone()).map(StartedDownload::Partial),
        });
        let partial = match started.await? {
            // Another process has stored it meanwhile.
            StartedDownload::Done(fetched) => {
                self.reporter.advance(Phase::Fetch, locked.size.unwrap_or_default());
                return Ok(fetched);
            }
            StartedDownload::Partial(partial) => partial,
        };
        let (partial, sha256) =
            Download::new(self.client, self.retry, self.largest_unsized, self.reporter, remote, partial).run().await?;
        let stored = self.spawn(move || {
            let stored = locked.filename.keep(partial.staged(), sha256, locked.digest(), cache);
            if matches!(stored, Err(CacheError::Wheel(_))) {
                partial.discard();
            }
            stored
        });
        Ok(stored.await?)
    }

    /// Waits for the exclusive right to store the file.
    async fn claim<Name: Fetchable>(&self, remote: &RemoteFile<'_, Name>) -> Result<Claim, CacheError> {
        let source = remote.locked.digest().map_or_else(|| remote.url.to_string(), ToString::to_string);
        if let Some(claim) = self.cache.try_claim(&source)? {
            return Ok(claim);
        }
        // By another process, or for another target.
        let fetched = format!("{}, which is being fetched", remote.locked.filename);
        let waiting = RunningTask::start(self.reporter, Task::new(TaskKind::Wait, fetched));
        loop {
            tokio::time::sleep(CLAIM_PAUSE).await;
            if let Some(claim) = self.cache.try_claim(&source)? {
                waiting.finish();
                return Ok(claim);
            }
        }
    }

    /// Runs work on a rayon thread.
    async fn spawn<T: Send + 'scope>(&self, work: impl FnOnce() -> T + Send + 'scope) -> T {
        let (sender, receiver) = oneshot::channel();
        self.scope.spawn(move |_| {
            // The receiver is gone if the download was cancelled.
            let _ = sender.send(work());
        });
        match receiver.await {
            Ok(result) => result,
            // The work panicked, which the scope propagates.
            Err(_) => panic!("a thread that reads wheels panicked"),
        }
    }
}

enum StartedDownload<Fetched> {
    Done(Fetched),
    Partial(PartialFile),
}

/// Returns a file from the cache or a local path; `None` if it must be downloaded.
fn find<Name: Fetchable>(locked: &LockedFile<Name>, cache: &Cache) -> Result<Option<Name::Fetched>, FetchError> {
    let cached = in_cache(locked, cache)?;
    let path = match &locked.location {
        FileLocation::Path(path) => path.clone(),
        FileLocation::Url { url, .. } => match url.scheme() {
            "https" | "http" => return Ok(cached),
            scheme => match url.to_file_path() {
                Ok(path) if scheme == "file" => path,
                _ if cached.is_some() => return Ok(cached),
                _ => return Err(failure(locked, 0, DownloadError::Scheme(scheme.to_owned()))),
            },
        },
    };
    if cached.is_some() && local::is_current(locked, &path, cache) {
        return Ok(cached);
    }
    match local::take_in(locked, &path, cache) {
        Ok(fetched) => Ok(Some(fetched)),
        Err(error) => Err(failure(locked, 0, error)),
    }
}

/// Warns of a file whose size is not the listed one, although its digest is: a file without a digest would have been refused.
fn warn_of_size<Name: Fetchable>(locked: &LockedFile<Name>, fetched: &Name::Fetched, reporter: &dyn Reporter) {
    if let (Some(listed), Some(actual)) = (locked.size, Name::size(fetched))
        && listed != actual
    {
        let file = &locked.filename;
        reporter.warn(&format!("{file} has the right digest, but {actual} bytes instead of the {listed} listed"));
    }
}

fn in_cache<Name: Fetchable>(locked: &LockedFile<Name>, cache: &Cache) -> Result<Option<Name::Fetched>, CacheError> {
    locked.digest().map_or(Ok(None), |digest| locked.filename.find(digest, cache))
}

/// Adds the file to an error; errors of the cache name a file themselves.
fn failure<Name: Fetchable>(locked: &LockedFile<Name>, attempts: u32, error: DownloadError) -> FetchError {
    let from = match &locked.location {
        FileLocation::Url { url, .. } => redact::url(url),
        FileLocation::Path(path) => path.display().to_string(),
    };
    match error {
        DownloadError::Cache(error) => FetchError::Cache(error),
        error => FetchError::File { file: locked.filename.to_string(), from, attempts, source: Box::new(error) },
    }
}
