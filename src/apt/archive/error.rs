//! Why an archive cannot be used.

use jiff::Timestamp;
use url::Url;

use crate::apt::packages::InvalidPackageIndex;
use crate::cache::CacheError;
use crate::debian::openpgp::{InvalidCleartext, UnverifiedText};
use crate::debian::{DebianArchitecture, Fingerprint, InvalidRelease};
use crate::fetch::{DownloadError, FetchError};
use crate::hints::Hints;
use crate::redact;
use crate::retry::attempts_suffix;

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AptArchiveError {
    /// InRelease cannot be fetched.
    #[error("cannot fetch {url}{}", attempts_suffix(*.attempts))]
    Request {
        /// The URL without secrets.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// The error of the last attempt.
        source: DownloadError,
    },
    /// A file is not text.
    #[error("{0} is not UTF-8")]
    Encoding(String),
    /// A release has no signature.
    #[error("the release `{release}` is invalid")]
    Unsigned {
        /// The URI and the suite.
        release: String,
        /// What is wrong.
        source: InvalidCleartext,
    },
    /// No signature of a release is good and by a trusted key.
    #[error("the release `{release}` has no good signature by a trusted key")]
    Unverified {
        /// The URI and the suite.
        release: String,
        /// The trusted keys.
        trusted: Vec<Fingerprint>,
        /// What is wrong with each signature.
        source: UnverifiedText,
    },
    /// A release is invalid.
    #[error("the release `{release}` is invalid")]
    Release {
        /// The URI and the suite.
        release: String,
        /// What is wrong.
        source: InvalidRelease,
    },
    /// A release may no longer be used.
    #[error("the release `{release}` expired at {until}")]
    Expired {
        /// The URI and the suite.
        release: String,
        /// Its Valid-Until.
        until: Timestamp,
    },
    /// A release is from the future.
    #[error("the release `{release}` is dated {date}, which is in the future")]
    Future {
        /// The URI and the suite.
        release: String,
        /// Its date.
        date: Timestamp,
    },
    /// A later release was seen before.
    #[error("the release `{release}` is dated {date}, but an earlier run has seen that of {seen}")]
    Older {
        /// The URI and the suite.
        release: String,
        /// Its date.
        date: Timestamp,
        /// The date of the one that was seen.
        seen: Timestamp,
    },
    /// A release is that of another suite.
    #[error("the release `{release}` is for another suite: {}", .names.join(", "))]
    OtherSuite {
        /// The URI and the suite.
        release: String,
        /// Its suite and its codename.
        names: Vec<String>,
    },
    /// A release has no index of packages.
    #[error("the release `{release}` has no packages for {architecture} in the component `{component}`")]
    MissingIndex {
        /// The URI and the suite.
        release: String,
        /// The component.
        component: String,
        /// The architecture.
        architecture: DebianArchitecture,
        /// The components that it has.
        components: Vec<String>,
    },
    /// The network is disabled, and the release is not in the cache.
    #[error("the release `{0}` is not in the cache, and the network is disabled")]
    Offline(String),
    /// An index cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A .deb file cannot be fetched.
    #[error(transparent)]
    Deb(FetchError),
    /// The URI of a locked release is invalid.
    #[error("`{0}` is not a valid URI of an archive")]
    Uri(String),
    /// An index cannot be read.
    #[error("cannot read {url}")]
    Read {
        /// The index.
        url: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An index is invalid.
    #[error("{url} is invalid")]
    Index {
        /// The index.
        url: String,
        /// What is wrong.
        source: InvalidPackageIndex,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl AptArchiveError {
    pub(super) fn request(url: &Url, source: DownloadError, attempts: u32) -> Self {
        Self::Request { url: redact::url(url), attempts, source }
    }

    /// Returns a text, or the error that it is none.
    pub(super) fn text(url: &Url, bytes: Vec<u8>) -> Result<String, Self> {
        String::from_utf8(bytes).map_err(|_| Self::Encoding(redact::url(url)))
    }
}

impl Hints for AptArchiveError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Request { source, .. } => hints_of(source),
            Self::Fetch(error) => match error {
                FetchError::File { source, .. } => hints_of(source),
                other => other.hints(),
            },
            Self::Deb(error) => match error {
                FetchError::File { source, .. } if is_gone(source) => {
                    vec!["lock the versions that the archive has now with `pybundle apt lock --upgrade`".to_owned()]
                }
                FetchError::File { source, .. } => hints_of(source),
                other => other.hints(),
            },
            Self::Unverified { trusted, .. } => {
                let trusted: Vec<String> = trusted.iter().map(ToString::to_string).collect();
                let trusted = if trusted.is_empty() { "none".to_owned() } else { trusted.join(", ") };
                vec![format!("set `signed-by` of the source to a keyring with its key; trusted are {trusted}")]
            }
            Self::Expired { .. } | Self::Future { .. } => {
                vec!["check the clock of this machine, and whether the mirror is up to date".to_owned()]
            }
            Self::Older { .. } => {
                vec!["try again later: the mirror is being updated, or serves an old state".to_owned()]
            }
            Self::OtherSuite { names, .. } => {
                names.first().map(|name| format!("set `suites` of the source to `{name}`")).into_iter().collect()
            }
            Self::MissingIndex { components, .. } if !components.is_empty() => {
                vec![format!("set `components` of the source to some of {}", components.join(", "))]
            }
            Self::Offline(_) => vec!["run once without --offline to fill the cache".to_owned()],
            Self::Cache(error) => error.hints(),
            _ => Vec::new(),
        }
    }
}

/// Returns the hints for a request; those about indexes of Python do not apply.
fn hints_of(error: &DownloadError) -> Vec<String> {
    match error {
        DownloadError::Status { status, .. } if matches!(status.as_u16(), 401 | 403) => {
            vec!["write `machine HOST login USER password PASSWORD` into .netrc or auth.conf".to_owned()]
        }
        DownloadError::Status { status, .. } if status.is_client_error() => {
            vec!["check `uris` and `suites` of the source".to_owned()]
        }
        DownloadError::Size { .. } | DownloadError::Digest { .. } => {
            vec!["try again later: the mirror may be damaged".to_owned()]
        }
        other => other.hints(),
    }
}

fn is_gone(error: &DownloadError) -> bool {
    matches!(error, DownloadError::Status { status, .. } if matches!(status.as_u16(), 404 | 410))
}
