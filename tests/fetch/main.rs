//! Fetching, from a server on loopback that answers as it is told to, and from files.
#![cfg(unix)]

#[allow(dead_code, reason = "these tests need honest wheels only")]
#[path = "../support/forge.rs"]
mod forge;
#[path = "../support/http.rs"]
mod http;

mod caching;
mod credentials;
mod downloads;
mod faults;
mod processes;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use pybundle::cache::Cache;
use pybundle::digest::{Algorithm, Digest, Hasher, Sha256};
use pybundle::fetch::{DownloadOptions, FetchError, Fetcher, RetryPolicy};
use pybundle::hints::Hints;
use pybundle::lock::{FileLocation, LockedWheel};
use pybundle::report::{Phase, Reporter, Silent};
use pybundle::silence::{NetworkTimeout, SilenceLimits};
use pybundle::wheel::Wheel;
use tempfile::TempDir;

use forge::{Entry, FILENAME, Forge};
use http::{Answer, Server};

/// Returns a wheel of a little more than `size` bytes, which differs for each `seed`.
fn wheel_bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let content: Vec<u8> = std::iter::repeat_with(|| {
        // A generator by Knuth; what matters is that it does not repeat within a file.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    })
    .take(size)
    .collect();
    let mut forge = Forge::wheel(&[("demo/data.bin", &content)]);
    forge.entries[0] = Entry::stored("demo/data.bin", &content);
    forge.bytes()
}

fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// Returns the entry of a lock for a wheel at a URL, with the digest and the size of `bytes`.
fn locked(url: &str, bytes: &[u8]) -> LockedWheel {
    LockedWheel {
        filename: FILENAME.parse().unwrap(),
        location: FileLocation::Url { url: url.parse().unwrap(), index: None },
        digests: vec![Sha256::of(bytes).into()],
        size: Some(bytes.len() as u64),
    }
}

fn at_path(path: &Path, bytes: &[u8]) -> LockedWheel {
    LockedWheel { location: FileLocation::Path(path.to_owned()), ..locked("http://unused", bytes) }
}

/// Returns limits by which one request may be silent for some milliseconds.
fn impatient(milliseconds: u64) -> SilenceLimits {
    let request = Duration::from_millis(milliseconds);
    SilenceLimits { request, ..SilenceLimits::of_index(NetworkTimeout::default()) }
}

/// Options that do not keep a test waiting.
fn options() -> DownloadOptions {
    DownloadOptions {
        retry: RetryPolicy {
            limit: 3,
            first_pause: Duration::from_millis(4),
            longest_pause: Duration::from_millis(20),
        },
        silence: impatient(20_000),
        ..DownloadOptions::default()
    }
}

/// A server and an empty cache.
struct Place {
    server: Server,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { server: Server::start(), folder: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> Cache {
        Cache::open(&self.folder.path().join("cache")).unwrap()
    }

    /// Serves a wheel and returns its entry in a lock.
    fn serve(&self, path: &str, bytes: &[u8], answers: impl IntoIterator<Item = Answer>) -> LockedWheel {
        self.server.answer(path, answers);
        locked(&self.server.url(path), bytes)
    }

    fn fetch(&self, wheels: &[LockedWheel]) -> Result<Vec<Wheel>, FetchError> {
        self.fetch_with(options(), wheels)
    }

    fn fetch_with(&self, options: DownloadOptions, wheels: &[LockedWheel]) -> Result<Vec<Wheel>, FetchError> {
        Fetcher::new(options).fetch(wheels, &self.cache(), &Silent)
    }

    /// Fetches one wheel, which must arrive as `bytes`.
    #[track_caller]
    fn fetch_one(&self, wheel: &LockedWheel, bytes: &[u8]) {
        let wheels = self.fetch(std::slice::from_ref(wheel)).unwrap();
        assert_arrived(&wheels[0], bytes);
    }

    /// Fetches one wheel, which must fail; returns the whole message and the hints.
    #[track_caller]
    fn refusal(&self, wheel: &LockedWheel) -> (String, String) {
        told(&self.fetch(std::slice::from_ref(wheel)).unwrap_err())
    }

    /// Returns the files in the cache whose name ends so.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().join("cache")];
        while let Some(folder) = folders.pop() {
            // A child may not have made it yet.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_str().unwrap().ends_with(ending) {
                    found.push(path);
                }
            }
        }
        found
    }
}

#[track_caller]
fn assert_arrived(wheel: &Wheel, bytes: &[u8]) {
    assert!(fs::read(&*wheel.archive().unwrap()).unwrap() == bytes, "other bytes arrived");
    assert_eq!((wheel.sha256, wheel.size), (Sha256::of(bytes), bytes.len() as u64));
    assert_eq!(wheel.inventory.name.as_str(), "demo");
}

/// Returns an error's message with its causes, and its hints.
fn told(error: &FetchError) -> (String, String) {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let message: Vec<String> = chain.map(ToString::to_string).collect();
    (message.join(": "), error.hints().join("; "))
}

/// Adds up what it is told.
#[derive(Default)]
struct Tally(Mutex<(u64, u64, u32)>, Mutex<Vec<String>>);

impl Tally {
    /// Returns the total that was announced, the amount that was done, and how often it began or ended.
    fn told(&self) -> (u64, u64, u32) {
        *self.0.lock().unwrap()
    }

    /// Returns what explained why it takes long.
    fn notes(&self) -> Vec<String> {
        self.1.lock().unwrap().clone()
    }
}

impl Reporter for Tally {
    fn start(&self, _: Phase, total: u64) {
        let mut told = self.0.lock().unwrap();
        (told.0, told.2) = (total, told.2 + 1);
    }

    fn advance(&self, _: Phase, amount: u64) {
        self.0.lock().unwrap().1 += amount;
    }

    fn finish(&self, _: Phase) {
        self.0.lock().unwrap().2 += 1;
    }

    fn warn(&self, message: &str) {
        panic!("{message}");
    }

    fn note(&self, message: &str) {
        self.1.lock().unwrap().push(message.to_owned());
    }
}
