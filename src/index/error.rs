//! Why files could not be found.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::page::IndexPageError;
use crate::cache::CacheError;
use crate::digest::Digest;
use crate::fetch::{DownloadError, FetchError};
use crate::hints::Hints;

/// How many versions or files a message lists.
const LISTED: usize = 8;

/// Why files could not be found in an index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// No index has the distribution.
    #[error("{name} was not found{}{}", asked_suffix(.asked), refused_suffix(.refused))]
    NotFound {
        /// The distribution.
        name: String,
        /// What was asked, without what may be secret.
        asked: Vec<String>,
        /// The indexes that refused to answer.
        refused: Vec<DeniedIndex>,
    },
    /// The distribution is there, but not the version.
    #[error("{package} is not in {}, which {}", list(.places), having(.available))]
    NoVersion {
        /// The distribution with its version.
        package: String,
        /// What has the distribution.
        places: Vec<String>,
        /// The versions that are there, the nearest to the missing one first.
        available: Vec<String>,
    },
    /// The version is there, but none of its files is accepted.
    #[error("{package} has no file that may be used in {}: {}", list(.places), .reasons.join("; "))]
    NoFile {
        /// The distribution with its version.
        package: String,
        /// What has the version.
        places: Vec<String>,
        /// Why its files are not accepted.
        reasons: Vec<String>,
        /// Whether one of the files is another than the one that was locked.
        is_other: bool,
    },
    /// An index is needed, and none may be asked.
    #[error("{name} is in the index {index}, and no index may be asked (--no-index)")]
    NoIndex {
        /// The distribution.
        name: String,
        /// The index that the lock names, without what may be secret.
        index: String,
    },
    /// The network may not be used, and what the indexes say of a distribution is not in the cache.
    #[error("what {} {} of {name} is not in the cache, and the network may not be used", list(.asked), says(.asked))]
    Offline {
        /// The distribution.
        name: String,
        /// What would have been asked, without what may be secret.
        asked: Vec<String>,
    },
    /// A page could not be had.
    #[error("cannot read {page}{}", attempts_suffix(*.attempts))]
    Ask {
        /// The page's URL without what may be secret.
        page: String,
        /// How often it was tried.
        attempts: u32,
        /// What was wrong, the last time.
        #[source]
        fault: Arc<DownloadError>,
    },
    /// A page is malformed.
    #[error("cannot read {page}")]
    Page {
        /// The page's URL without what may be secret.
        page: String,
        /// What is wrong with it.
        source: IndexPageError,
    },
    /// The metadata that is served beside a wheel is not the metadata of the wheel.
    #[error("the metadata of {wheel} is not what its index says: expected {expected}, got {actual}")]
    Metadata {
        /// The wheel's file name.
        wheel: String,
        /// The digest that the index states.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// A file or a folder of this machine cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file or the folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file URL names no file of this machine.
    #[error("{0} is not on this machine")]
    NotLocal(String),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The connections cannot be set up.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// An index that refused to tell what it has.
#[derive(Debug, Clone)]
pub struct DeniedIndex {
    /// The index, without what may be secret.
    pub index: String,
    /// How it refused.
    pub fault: Arc<DownloadError>,
}

impl Hints for IndexError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound { refused, .. } if !refused.is_empty() => {
                refused.iter().flat_map(|refusal| refusal.fault.hints()).collect()
            }
            Self::NotFound { .. } => vec![
                "name the index that has it with --index-url or --extra-index-url, or in [[tool.uv.index]]".to_owned(),
            ],
            Self::NoVersion { .. } => vec![
                "name the index that has the version with --index-url or --extra-index-url, or lock one that is there"
                    .to_owned(),
            ],
            Self::NoFile { is_other: true, .. } => vec![
                "the files were replaced, or this is not the index that they were locked from: lock again if you trust it"
                    .to_owned(),
            ],
            Self::NoFile { .. } => vec!["lock another version".to_owned()],
            Self::NoIndex { .. } => vec!["leave --no-index out, or lock again with --find-links".to_owned()],
            Self::Offline { .. } => vec!["run once without --offline, with the same cache".to_owned()],
            Self::Ask { fault, .. } => fault.hints(),
            Self::Page { .. } => vec![
                "check that the URL is the one of the index's simple API, as pip's --index-url takes it".to_owned(),
            ],
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                vec!["check the paths that --find-links and the indexes name".to_owned()]
            }
            Self::Metadata { .. } | Self::Read { .. } | Self::NotLocal(_) => Vec::new(),
            Self::Cache(error) => error.hints(),
            Self::Fetch(error) => error.hints(),
        }
    }
}

/// Joins what a message lists, and says how much more there is.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] if items.len() <= LISTED => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", items[..LISTED].join(", "), items.len() - LISTED),
    }
}

fn asked_suffix(asked: &[String]) -> String {
    if asked.is_empty() { ": there is no index to ask".to_owned() } else { format!(" in {}", list(asked)) }
}

fn refused_suffix(refused: &[DeniedIndex]) -> String {
    let refusals = refused.iter().map(|refusal| format!("; {}: {}", refusal.index, refusal.fault));
    refusals.collect()
}

fn having(versions: &[String]) -> String {
    if versions.is_empty() { "has no file that can be used".to_owned() } else { format!("has {}", list(versions)) }
}

fn says(asked: &[String]) -> &'static str {
    if asked.len() == 1 { "says" } else { "say" }
}

fn attempts_suffix(attempts: u32) -> String {
    if attempts > 1 { format!(", which was tried {attempts} times") } else { String::new() }
}
