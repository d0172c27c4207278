//! Fetching the wheels and source distributions that a lock selects: out of the cache, off this machine, or from an
//! index.
//!
//! Every file is verified against the lock's digest while it comes in, a wheel is read strictly, and only then does it
//! get its name in the cache. Downloads go on where a connection broke, or where an earlier run was killed.
//!
//! All that is asynchronous stays in here: [`Fetcher::fetch`] blocks. [`Connections`] are shared by all requests of a run;
//! wheels are read by rayon's threads, while others still come in.

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

use futures_util::StreamExt;
use futures_util::stream;
use rayon::Scope;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use tokio::sync::{oneshot, watch};
use url::Url;

use crate::cache::{CLAIM_PAUSE, Cache, CacheError, Claim};
use crate::lock::{FileLocation, LockedFile};
use crate::redact;
use crate::report::{Phase, Reporter};
use download::{Download, PartialFile};

pub use crate::retry::RetryPolicy;
pub(crate) use client::HttpClient;
pub use connections::{ConnectionTimeouts, Connections};
pub use credentials::{IndexCredentials, IndexUrl};
pub(crate) use document::{DocumentRequest, DocumentResponse, FetchedDocument};
pub use error::{DownloadError, FetchError};
pub use fetchable::Fetchable;
pub use keyring::{InvalidKeyringProvider, KeyringProvider};

/// How to fetch.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// How many files are downloaded at once; at least one. The default is 16: 4 are as fast for large wheels and
    /// somewhat slower for many small ones, and with 32 and more, name servers were seen to drop requests.
    pub concurrency: usize,
    /// Whether the network must not be used.
    pub offline: bool,
    /// What is tried again, and when.
    pub retry: RetryPolicy,
    /// The credentials of the indexes.
    pub credentials: IndexCredentials,
    /// The connections, which are shared with whatever else has clones of them.
    pub connections: Connections,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self {
            concurrency: 16,
            offline: false,
            retry: RetryPolicy::default(),
            credentials: IndexCredentials::default(),
            connections: Connections::default(),
        }
    }
}

/// Fetches files.
#[derive(Debug)]
pub struct Fetcher {
    options: DownloadOptions,
}

/// A file that has to be downloaded.
struct RemoteFile<'a, Name> {
    /// Its place among the files asked for.
    position: usize,
    locked: &'a LockedFile<Name>,
    url: &'a Url,
    index: Option<&'a Url>,
}

impl Fetcher {
    /// Makes one. Nothing is connected before it is needed.
    pub fn new(options: DownloadOptions) -> Self {
        Self { options }
    }

    /// Returns the files in the order of `files`, which are all of one kind. Blocks: it is for a thread of the program's own, neither an
    /// asynchronous one nor one of rayon's.
    ///
    /// A file that the lock has a digest for is taken from the cache if it is there. One without is read again each
    /// time: that is how it is noticed that it changed.
    ///
    /// # Errors
    /// A file cannot be had, is not what the lock says, or is a wheel that cannot be installed. If that is so for several,
    /// the first one of `files` is reported, whatever the order of events; those after it are given up.
    pub fn fetch<Name: Fetchable>(
        &self,
        files: &[LockedFile<Name>],
        cache: &Cache,
        reporter: &dyn Reporter,
    ) -> Result<Vec<Name::Fetched>, FetchError> {
        let found: Vec<_> = files.par_iter().map(|locked| find(locked, cache)).collect();
        let mut found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        let remotes = files.iter().enumerate().filter_map(|(position, locked)| match &locked.location {
            FileLocation::Url { url, index } => Some(RemoteFile { position, locked, url, index: index.as_ref() }),
            FileLocation::Path(_) => None,
        });
        let missing: Vec<RemoteFile<Name>> = remotes.filter(|remote| found[remote.position].is_none()).collect();
        if !missing.is_empty() {
            if self.options.offline {
                return Err(FetchError::Offline(
                    missing.iter().map(|remote| remote.locked.filename.to_string()).collect(),
                ));
            }
            reporter.start(Phase::Fetch, missing.iter().filter_map(|remote| remote.locked.size).sum());
            let downloaded = self.download(&missing, cache, reporter);
            reporter.finish(Phase::Fetch);
            for (position, fetched) in downloaded? {
                found[position] = Some(fetched);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Downloads files; returns each with its position.
    fn download<Name: Fetchable>(
        &self,
        missing: &[RemoteFile<Name>],
        cache: &Cache,
        reporter: &dyn Reporter,
    ) -> Result<Vec<(usize, Name::Fetched)>, FetchError> {
        let runtime = self.options.connections.runtime()?;
        let client = HttpClient::new(&self.options)?;
        rayon::in_place_scope(|scope| {
            let downloads = Downloads { client: &client, retry: self.options.retry, cache, reporter, scope };
            runtime.block_on(downloads.run(missing, self.options.concurrency.max(1)))
        })
    }
}

/// What all downloads share. What takes a processor's time is spawned into the scope.
struct Downloads<'a, 'scope> {
    client: &'a HttpClient<'a>,
    retry: RetryPolicy,
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
        // The largest first: begun last, it would keep everyone waiting.
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
        // After a failure those that come before it go on: one of them may fail too, and is reported then.
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
        let begin = move || match in_cache(locked, cache)? {
            Some(fetched) => Ok(StartedDownload::Done(fetched)),
            None => PartialFile::open(claim, locked.digests.clone()).map(StartedDownload::Partial),
        };
        let partial = match self.spawn(begin).await? {
            // Another process brought it in meanwhile.
            StartedDownload::Done(fetched) => {
                self.reporter.advance(Phase::Fetch, locked.size.unwrap_or_default());
                return Ok(fetched);
            }
            StartedDownload::Partial(partial) => partial,
        };
        let (partial, sha256) = Download::new(self.client, self.retry, self.reporter, remote, partial).run().await?;
        let store = move || {
            let stored = locked.filename.keep(partial.staged(), sha256, locked.digest(), cache);
            stored.inspect_err(|error| {
                if matches!(error, CacheError::Wheel(_)) {
                    partial.discard();
                }
            })
        };
        Ok(self.spawn(store).await?)
    }

    /// Waits until nobody else brings the file in.
    async fn claim<Name>(&self, remote: &RemoteFile<'_, Name>) -> Result<Claim, CacheError> {
        let source = remote.locked.digest().map_or_else(|| remote.url.to_string(), ToString::to_string);
        loop {
            match self.cache.try_claim(&source)? {
                Some(claim) => return Ok(claim),
                None => tokio::time::sleep(CLAIM_PAUSE).await,
            }
        }
    }

    /// Has work done by rayon's threads.
    async fn spawn<T: Send + 'scope>(&self, work: impl FnOnce() -> T + Send + 'scope) -> T {
        let (sender, receiver) = oneshot::channel();
        self.scope.spawn(move |_| {
            // Nobody waits for it if the download was given up.
            let _ = sender.send(work());
        });
        match receiver.await {
            Ok(result) => result,
            // The work panicked; the scope passes that on when it ends.
            Err(_) => panic!("a thread that reads wheels panicked"),
        }
    }
}

/// How a download begins.
enum StartedDownload<Fetched> {
    Done(Fetched),
    Partial(PartialFile),
}

/// Returns a file that is there without the network, if it is.
fn find<Name: Fetchable>(locked: &LockedFile<Name>, cache: &Cache) -> Result<Option<Name::Fetched>, FetchError> {
    if let Some(fetched) = in_cache(locked, cache)? {
        return Ok(Some(fetched));
    }
    let path = match &locked.location {
        FileLocation::Path(path) => path.clone(),
        FileLocation::Url { url, .. } => match url.scheme() {
            "https" | "http" => return Ok(None),
            scheme => match url.to_file_path() {
                Ok(path) if scheme == "file" => path,
                _ => return Err(failure(locked, 0, DownloadError::Scheme(scheme.to_owned()))),
            },
        },
    };
    match local::take_in(locked, &path, cache) {
        Ok(fetched) => Ok(Some(fetched)),
        Err(fault) => Err(failure(locked, 0, fault)),
    }
}

fn in_cache<Name: Fetchable>(locked: &LockedFile<Name>, cache: &Cache) -> Result<Option<Name::Fetched>, CacheError> {
    locked.digest().map_or(Ok(None), |digest| locked.filename.find(digest, cache))
}

/// Names the file that a fault is about; those of the cache speak for themselves.
fn failure<Name: Fetchable>(locked: &LockedFile<Name>, attempts: u32, fault: DownloadError) -> FetchError {
    let from = match &locked.location {
        FileLocation::Url { url, .. } => redact::url(url),
        FileLocation::Path(path) => path.display().to_string(),
    };
    match fault {
        DownloadError::Cache(error) => FetchError::Cache(error),
        fault => FetchError::File { file: locked.filename.to_string(), from, attempts, fault: Box::new(fault) },
    }
}
