//! Why files cannot be found.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::page::IndexPageError;
use crate::cache::CacheError;
use crate::digest::Digest;
use crate::fetch::{DownloadError, FetchError};
use crate::hints::Hints;
use crate::retry::attempts_suffix;

/// The most versions or files that a message lists.
const LISTED: usize = 8;

/// Why files cannot be found in indexes.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// No index has the distribution.
    #[error("{name} was not found{}{}", asked_suffix(.asked), refused_suffix(.refused))]
    NotFound {
        /// The distribution.
        name: String,
        /// The indexes that were searched, without secrets.
        asked: Vec<String>,
        /// The indexes that denied access.
        refused: Vec<DeniedIndex>,
    },
    /// Indexes have the distribution, but not the version.
    #[error("{package} is not in {}, which {}", list(.locations), having(.available))]
    NoVersion {
        /// The distribution with its version.
        package: String,
        /// The indexes that have the distribution.
        locations: Vec<String>,
        /// The available versions, the nearest to the missing one first.
        available: Vec<String>,
        /// The indexes that were not searched, because an earlier one has the distribution.
        not_asked: Vec<String>,
    },
    /// Indexes have the version, but none of its files is accepted.
    #[error("{package} has no usable file in {}: {}", list(.locations), .reasons.join("; "))]
    NoFile {
        /// The distribution with its version.
        package: String,
        /// The indexes that have the version.
        locations: Vec<String>,
        /// Why its files are rejected.
        reasons: Vec<String>,
        /// Whether the digest of a file is not in the lock.
        is_other: bool,
    },
    /// An index is needed, but indexes are disabled.
    #[error("{name} is locked from the index {index}, but indexes are disabled (--no-index)")]
    NoIndex {
        /// The distribution.
        name: String,
        /// The index in the lock, without secrets.
        index: String,
    },
    /// The network is disabled, and the page of a distribution is not in the cache.
    #[error("the page of {name} in {} is not in the cache, and the network is disabled", list(.asked))]
    Offline {
        /// The distribution.
        name: String,
        /// The indexes that would have been queried, without secrets.
        asked: Vec<String>,
    },
    /// A page cannot be fetched.
    #[error("cannot fetch {page}{}", attempts_suffix(*.attempts))]
    Request {
        /// The page's URL without secrets.
        page: String,
        /// The number of attempts.
        attempts: u32,
        /// The error of the last attempt.
        source: Arc<DownloadError>,
    },
    /// A page is invalid.
    #[error("cannot parse {page}")]
    Page {
        /// The page's URL without secrets.
        page: String,
        /// The reason.
        source: IndexPageError,
    },
    /// The metadata that an index serves for a wheel has another digest than the index states.
    #[error("the metadata of {wheel} does not match its index: expected {expected}, got {actual}")]
    Metadata {
        /// The wheel's file name.
        wheel: String,
        /// The digest that the index states.
        expected: Digest,
        /// The digest of the response.
        actual: Digest,
    },
    /// A local file or directory cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file URL is not a local path.
    #[error("{0} is not a local file")]
    NotLocal(String),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// An index that denied access to a page.
#[derive(Debug, Clone)]
pub struct DeniedIndex {
    /// The index, without secrets.
    pub index: String,
    /// The response.
    pub error: Arc<DownloadError>,
}

impl IndexError {
    /// Returns the conversion of an I/O error, for `map_err(IndexError::read(path))`.
    pub(super) fn read(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }
}

impl Hints for IndexError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound { refused, .. } if !refused.is_empty() => {
                refused.iter().flat_map(|refusal| refusal.error.hints()).collect()
            }
            Self::NotFound { asked, .. } if asked.is_empty() => {
                vec!["omit --no-index, or name a directory that has it with --find-links".to_owned()]
            }
            Self::NotFound { .. } => vec![
                "add an index that has it with --index-url or --extra-index-url, or in [[tool.uv.index]]".to_owned(),
            ],
            // uv's rule, which protects from a public distribution with the name of a private one. pip searches all indexes.
            Self::NoVersion { not_asked, .. } if !not_asked.is_empty() => vec![format!(
                "{} not searched, because an earlier index has other versions: if you trust all of them, pass --index-strategy unsafe-best-match",
                match &not_asked[..] {
                    [only] => format!("{only} was"),
                    several => format!("{} were", list(several)),
                }
            )],
            Self::NoVersion { .. } => vec![
                "add an index that has the version with --index-url or --extra-index-url, or lock an available version"
                    .to_owned(),
            ],
            Self::NoFile { is_other: true, .. } => {
                // Without `--upgrade`, uv keeps the digests of versions that are in its output file (0.13).
                vec![
                    "if you trust the index, lock again, for instance with `uv pip compile --upgrade`: its files are not the ones that were locked"
                        .to_owned(),
                ]
            }
            Self::NoFile { .. } => vec!["lock another version".to_owned()],
            Self::NoIndex { .. } => vec!["omit --no-index, or lock again with --find-links".to_owned()],
            Self::Offline { .. } => vec!["run once without --offline to fill the cache".to_owned()],
            Self::Request { source, .. } => source.hints(),
            Self::Page { .. } => {
                vec!["check that the URL is that of the simple API, as for pip's --index-url".to_owned()]
            }
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                vec!["check the paths of --find-links and of the indexes".to_owned()]
            }
            Self::Metadata { .. } | Self::Read { .. } | Self::NotLocal(_) => Vec::new(),
            Self::Cache(error) => error.hints(),
            Self::Fetch(error) => error.hints(),
        }
    }
}

/// Joins the items of a list in a message; of a long list, only the number of the rest.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] if items.len() <= LISTED => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", items[..LISTED].join(", "), items.len() - LISTED),
    }
}

fn asked_suffix(asked: &[String]) -> String {
    if asked.is_empty() { ": no index is enabled".to_owned() } else { format!(" in {}", list(asked)) }
}

fn refused_suffix(refused: &[DeniedIndex]) -> String {
    let refusals = refused.iter().map(|refusal| format!("; {}: {}", refusal.index, refusal.error));
    refusals.collect()
}

fn having(versions: &[String]) -> String {
    if versions.is_empty() { "has no file that can be used".to_owned() } else { format!("has {}", list(versions)) }
}
