//! Finding files in indexes: scripted ones on loopback, folders, and PyPI, with uv as the oracle.
#![cfg(unix)]

#[path = "../support/http.rs"]
mod http;
#[path = "../support/mod.rs"]
mod support;

mod access;
mod caching;
mod choosing;
mod order;
mod pages;
mod pypi;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use pybundle::cache::Cache;
use pybundle::digest::{Digest, Sha256};
use pybundle::fetch::{DownloadOptions, RetryPolicy};
use pybundle::hints::Hints;
use pybundle::index::{FileFinder, IndexConfig, IndexError, IndexOptions};
use pybundle::lock::{
    AcceptedFiles, DistributionFiles, DistributionSource, IndexQuery, PinnedDistribution, QueriedIndexes, Selection,
};
use pybundle::platform::TargetPlatform;
use pybundle::report::{Phase, Reporter};
use pybundle::silence::{NetworkTimeout, SilenceLimits};
use serde_json::{Value, json};
use tempfile::TempDir;

use http::{Answer, Server};
use support::uv::{Project, targets};

/// The media type of pages in JSON.
const JSON: &str = "application/vnd.pypi.simple.v1+json";

/// Remembers what the user is warned of.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Reporter for Warnings {
    fn start(&self, _: Phase, _: u64) {}
    fn advance(&self, _: Phase, _: u64) {}
    fn finish(&self, _: Phase) {}
    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

/// Returns limits by which one request may be silent for some milliseconds.
fn impatient(milliseconds: u64) -> SilenceLimits {
    let request = Duration::from_millis(milliseconds);
    SilenceLimits { request, ..SilenceLimits::of_index(NetworkTimeout::default()) }
}

/// A server, an empty cache, and options that do not keep a test waiting.
struct Place {
    server: Server,
    folder: TempDir,
    cache: Cache,
    fetch: DownloadOptions,
    options: IndexOptions,
    warnings: Warnings,
}

impl Place {
    /// Asks the server's index at `/simple` and no other.
    fn new() -> Self {
        let mut place = Self::without_index();
        place.options.indexes.push(IndexConfig { default: true, ..place.index("", "/simple") });
        place
    }

    fn without_index() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let retry =
            RetryPolicy { limit: 2, first_pause: Duration::from_millis(4), longest_pause: Duration::from_millis(20) };
        Self {
            server: Server::start(),
            cache: Cache::open(&folder.path().join("cache")).unwrap(),
            folder,
            fetch: DownloadOptions { retry, silence: impatient(5000), ..DownloadOptions::default() },
            options: IndexOptions::default(),
            warnings: Warnings::default(),
        }
    }

    fn index(&self, name: &str, path: &str) -> IndexConfig {
        IndexConfig::new((!name.is_empty()).then(|| name.to_owned()), self.server.url(path).parse().unwrap())
    }

    fn finder(&self) -> FileFinder<'_> {
        FileFinder::new(self.options.clone(), &self.fetch, &self.cache, &self.warnings)
    }

    /// Serves the page of `demo`, with files in JSON.
    fn serve(&self, path: &str, files: &[Value]) {
        self.server.answer(path, [json_page(files)]);
    }

    fn find(&self, version: &str, wanted: AcceptedFiles) -> Result<Offered, IndexError> {
        find(&self.finder(), &query(version, wanted))
    }

    /// Returns the files of a version, whatever their digests.
    fn names(&self, version: &str) -> Vec<String> {
        self.find(version, AcceptedFiles::Any).unwrap().names()
    }
}

/// A version that was found, and its files.
#[derive(Debug)]
struct Offered {
    version: String,
    files: DistributionFiles,
}

impl Offered {
    fn names(&self) -> Vec<String> {
        let wheels = self.files.wheels.iter().map(|wheel| wheel.filename.to_string());
        wheels.chain(self.files.sdist.iter().map(|sdist| sdist.file.filename.to_string())).collect()
    }
}

fn target() -> TargetPlatform {
    targets(&["3.12"]).remove(0)
}

fn query(version: &str, wanted: AcceptedFiles) -> IndexQuery {
    IndexQuery { version: version.parse().unwrap(), accepted: wanted, indexes: QueriedIndexes::All }
}

fn pinned(name: &str, query: &IndexQuery) -> PinnedDistribution {
    PinnedDistribution {
        name: name.parse().unwrap(),
        version: Some(query.version.clone()),
        required_by: Vec::new(),
        source: DistributionSource::Index(query.clone()),
    }
}

/// Finds the files of `demo`.
fn find(finder: &FileFinder, query: &IndexQuery) -> Result<Offered, IndexError> {
    let mut selection = Selection { distributions: vec![pinned("demo", query)] };
    finder.complete(&mut selection, &target())?;
    let found = selection.distributions.remove(0);
    let DistributionSource::Files(files) = found.source else { panic!("{:?}", found.source) };
    Ok(Offered { version: found.version.unwrap().to_string(), files })
}

/// Returns an error with its causes and hints.
fn told(error: &IndexError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let causes: String = causes.map(|cause| format!(": {cause}")).collect();
    format!("{error}{causes}\n{}", error.hints().join("\n"))
}

/// Returns a file as a page in JSON lists it, below `/files`.
fn listed(name: &str, extra: &Value) -> Value {
    let mut file = json!({"filename": name, "url": format!("/files/{name}"), "hashes": {"sha256": sha256(name).hex()}});
    file.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
    file
}

/// Returns the digest that stands for a file in pages.
fn sha256(name: &str) -> Sha256 {
    Sha256::of(name.as_bytes())
}

fn digest(name: &str) -> Digest {
    sha256(name).into()
}

fn named(names: &[&str]) -> AcceptedFiles {
    AcceptedFiles::Named(names.iter().map(|name| ((*name).to_owned(), [digest(name)].into())).collect())
}

fn json_text(files: &[Value]) -> Vec<u8> {
    serde_json::to_vec(&json!({"meta": {"api-version": "1.1"}, "name": "demo", "files": files})).unwrap()
}

fn json_page(files: &[Value]) -> Answer {
    Answer::file(&json_text(files)).header("Content-Type", JSON)
}

fn html_page(text: &str) -> Answer {
    Answer::file(text.as_bytes()).header("Content-Type", "text/html; charset=utf-8")
}

/// Returns the version and the file that uv would install of each distribution, or none if it fails.
fn uv_picks(target: &TargetPlatform, arguments: &[&str]) -> Option<BTreeMap<String, (String, String)>> {
    let project = Project::new(&[]);
    let platform = support::uv::platform(target);
    let python = target.python.to_string();
    let common = ["pip", "install", "--no-config", "--no-cache", "--dry-run", "--verbose", "--no-deps", "--no-build"];
    let of_target = ["--target", "target", "--python-platform", &platform, "--python-version", &python];
    let output = project.try_uv(&[&common[..], &of_target, arguments].concat());
    let log = String::from_utf8(output.stderr).unwrap();
    if !output.status.success() {
        // Any other error would make the comparison mean nothing.
        let is_meant = ["No solution found", "not found in the package registry", "no version", "requires"];
        assert!(is_meant.iter().any(|reason| log.contains(reason)), "{log}");
        return None;
    }
    let selecting = log.lines().filter_map(|line| line.split_once("Selecting: "));
    let picks = selecting.filter_map(|(_, rest)| {
        let (name, rest) = rest.split_once("==")?;
        let (version, rest) = rest.split_once(' ')?;
        let file = rest.split_once('(')?.1.strip_suffix(')')?;
        Some((name.to_owned(), (version.to_owned(), file.to_owned())))
    });
    Some(picks.collect())
}
