//! Why files cannot be fetched.

use std::io;
use std::time::Duration;

use reqwest::StatusCode;

use super::credentials::variable_name;
use crate::cache::CacheError;
use crate::digest::Digest;
use crate::hints::Hints;
use crate::http::is_about_certificates;
use crate::retry::{attempts_suffix, is_passing};
use crate::silence::TooSilent;

/// Why files cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A file cannot be fetched from its location.
    #[error("cannot fetch {file} from {from}{}", attempts_suffix(*.attempts))]
    File {
        /// The file's name.
        file: String,
        /// Its URL without secrets, or its path.
        from: String,
        /// The number of attempts.
        attempts: u32,
        /// The error of the last attempt.
        source: Box<DownloadError>,
    },
    /// The network may not be used, and the files with these names are not in the cache.
    #[error("{} not in the cache, and the network is disabled: {}", count(.0.len()), .0.join(", "))]
    Offline(Vec<String>),
    /// The cache cannot be used, or a file is not a valid wheel.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The system gives no threads to download in.
    #[error("cannot start the download threads")]
    Start(#[source] io::Error),
    /// The system's certificates, or its proxy's settings, cannot be used.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// Why a request or a download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server refused to give the file.
    #[error("the server returned {status}{}", if *.with_credentials { " for the credentials that were sent" } else { "" })]
    Status {
        /// The status.
        status: StatusCode,
        /// Whether credentials were sent.
        with_credentials: bool,
        /// The name of the index, if it has one.
        index: Option<String>,
        /// Why the `.netrc` cannot be read.
        netrc: Option<String>,
        /// The Retry-After header.
        retry_after: Option<Duration>,
    },
    /// The proxy answered in place of the server, which it cannot reach.
    #[error("the proxy returned {status} for {host}")]
    Proxy {
        /// The status.
        status: StatusCode,
        /// The server.
        host: String,
    },
    /// The connection failed.
    #[error("the connection failed")]
    Transport(#[source] reqwest::Error),
    /// The server sent nothing for too long.
    #[error(transparent)]
    Silent(#[from] TooSilent),
    /// The server gave another part of the file than it was asked for.
    #[error("the server returned another range than requested")]
    Range,
    /// The response ended early.
    #[error("the file ended after {actual} of {expected} bytes")]
    Truncated {
        /// The expected size.
        expected: u64,
        /// The received size.
        actual: u64,
    },
    /// The file has another size than it should.
    #[error("the file has {} bytes, expected {expected}", or_more(*.actual))]
    Size {
        /// The size in the lock, or else that of the response.
        expected: u64,
        /// The size that the server stated; `None` if it sent more than expected.
        actual: Option<u64>,
    },
    /// The file has none of the digests that the lock says.
    #[error("the file does not match the lock: expected {}, got {actual}", alternatives(.expected))]
    Digest {
        /// Those in the lock; at least one.
        expected: Vec<Digest>,
        /// That of the file.
        actual: Digest,
    },
    /// A document is larger than any of its kind.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A file whose size is not known is too large.
    #[error("the file has more than {limit} bytes, and neither the lock nor the index states its size")]
    Unbounded {
        /// The limit in bytes.
        limit: u64,
    },
    /// A document is compressed in another way than it was asked for, or wrongly.
    #[error("cannot decode the content encoding `{}`", .encoding.escape_debug())]
    Encoding {
        /// The value of Content-Encoding.
        encoding: String,
        /// The error of the decoder, if the encoding is supported.
        #[source]
        source: Option<io::Error>,
    },
    /// The URL is of a kind that cannot be fetched.
    #[error("the URL scheme is {0}, expected https, http or file")]
    Scheme(String),
    /// The file on this machine cannot be read.
    #[error("cannot read the file")]
    Read(#[source] io::Error),
    /// The cache cannot be written to.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl DownloadError {
    /// Returns whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Status { status, .. } => is_passing(*status),
            Self::Transport(error) => !error.is_redirect() && !error.is_builder() && !is_about_certificates(error),
            Self::Silent(silence) => !silence.is_final,
            Self::Truncated { .. } | Self::Proxy { .. } => true,
            _ => false,
        }
    }

    /// Returns whether the data is wrong, which may be because of data from an earlier attempt.
    pub(super) fn is_about_content(&self) -> bool {
        matches!(self, Self::Range | Self::Size { .. } | Self::Unbounded { .. } | Self::Digest { .. })
    }

    /// Returns the value of Retry-After.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl Hints for DownloadError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Status { status, .. } if matches!(status.as_u16(), 401 | 403 | 404 | 410) => self.refusal_hints(),
            Self::Status { .. } | Self::Truncated { .. } => vec!["try again later".to_owned()],
            Self::Proxy { host, .. } => vec![format!(
                "check that the proxy of HTTP_PROXY reaches {host}, or add {host} to NO_PROXY to connect without it"
            )],
            Self::Silent(silence) => silence.hints(),
            Self::Transport(error) if is_about_certificates(error) => {
                vec![
                    "if a proxy signs the certificates, set SSL_CERT_FILE to the certificate file of its authority"
                        .to_owned(),
                ]
            }
            Self::Transport(_) => vec!["check the connection and, behind a proxy, HTTPS_PROXY".to_owned()],
            Self::Size { .. } | Self::Digest { .. } => {
                vec![
                    "if you trust the file that is there now, lock it, for instance with `uv lock --refresh`"
                        .to_owned(),
                ]
            }
            Self::Unbounded { .. } => {
                vec![
                    "use a lock that contains sizes, such as uv.lock: a file whose size is known has no such limit"
                        .to_owned(),
                ]
            }
            Self::Read(error) if error.kind() == io::ErrorKind::NotFound => {
                vec!["restore the file, or lock again with `uv lock`".to_owned()]
            }
            Self::Cache(error) => error.hints(),
            Self::Range | Self::Scheme(_) | Self::Read(_) | Self::TooLarge { .. } | Self::Encoding { .. } => Vec::new(),
        }
    }
}

impl DownloadError {
    fn refusal_hints(&self) -> Vec<String> {
        let Self::Status { status, with_credentials, index, netrc, .. } = self else { return Vec::new() };
        let mut hints = Vec::new();
        if *with_credentials {
            hints.push("check the username and the password, and that they grant access to this file".to_owned());
        } else if let Some(index) = index {
            let name = variable_name(index);
            hints.push(format!(
                "if the index `{index}` needs credentials, set UV_INDEX_{name}_USERNAME and UV_INDEX_{name}_PASSWORD, or add the host to .netrc"
            ));
        } else {
            hints.push(
                "if the index needs credentials, add the host to .netrc, or name the index in [[tool.uv.index]] and set UV_INDEX_<NAME>_USERNAME and UV_INDEX_<NAME>_PASSWORD"
                    .to_owned(),
            );
        }
        hints.extend(netrc.clone());
        if matches!(status.as_u16(), 404 | 410) {
            hints.push(
                "if the file was removed from the index, lock another one, for instance with `uv lock --refresh`"
                    .to_owned(),
            );
        }
        hints
    }
}

impl Hints for FetchError {
    fn hints(&self) -> Vec<String> {
        match self {
            // A file on this machine: uv compares it with its lock only when it upgrades.
            Self::File { file, attempts: 0, source, .. } if matches!(**source, DownloadError::Digest { .. }) => {
                let name = file.split_once('-').map_or(file.as_str(), |(name, _)| name);
                vec![format!(
                    "if you trust the file that is there now, lock it, for instance with `uv lock --upgrade-package {name}`"
                )]
            }
            Self::File { source, .. } => source.hints(),
            Self::Offline(_) => vec!["run once without --offline to fill the cache".to_owned()],
            Self::Cache(error) => error.hints(),
            Self::Start(_) => Vec::new(),
            Self::Client(_) => vec!["check SSL_CERT_FILE, HTTPS_PROXY and HTTP_PROXY".to_owned()],
        }
    }
}

fn count(files: usize) -> String {
    if files == 1 { "1 file is".to_owned() } else { format!("{files} files are") }
}

fn alternatives(digests: &[Digest]) -> String {
    digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn or_more(actual: Option<u64>) -> String {
    actual.map_or_else(|| "more".to_owned(), |actual| actual.to_string())
}
