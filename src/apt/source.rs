//! Sources: the archives that a base's system installs from, and those of the configuration.

use std::fmt;
use std::path::{Path, PathBuf};

use url::Url;

use crate::debian::Fingerprint;
use crate::debian::openpgp::{ArchiveKeyring, InvalidKeyring};
use crate::limited_reader;
use crate::redact;

/// One suite of an archive.
#[derive(Clone, PartialEq, Eq)]
pub struct AptSource {
    /// The URI, without a `/` at its end; credentials in it are sent, but never written.
    pub uri: Url,
    /// The suite, for instance `bookworm-security`; one that ends with `/` is the directory of a flat archive.
    pub suite: String,
    /// The components, for instance `main`; empty for a flat archive.
    pub components: Vec<String>,
    /// The keys of which one must have signed the release.
    pub keyring: ArchiveKeyring,
    /// Where earlier states of the archive are, below a time such as `20261121T090000Z`.
    pub snapshot: Option<Url>,
}

impl AptSource {
    /// Returns the URI without credentials.
    pub fn public_uri(&self) -> String {
        let mut uri = self.uri.clone();
        // They fail for URLs that cannot have any.
        let _ = uri.set_username("");
        let _ = uri.set_password(None);
        uri.as_str().trim_end_matches('/').to_owned()
    }

    /// Returns the URL of a path below the URI.
    pub(super) fn url(&self, path: &str) -> Url {
        below(&self.uri, path)
    }

    /// Returns the path of the directory that the paths in the release are relative to.
    pub(super) fn directory(&self) -> String {
        match self.suite.strip_suffix('/') {
            Some(flat) => flat.trim_matches(['.', '/']).to_owned(),
            None => format!("dists/{}", self.suite),
        }
    }
}

/// The URI without secrets, the suite and the components, as in apt.lock.
impl fmt::Display for AptSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.public_uri(), self.suite)?;
        self.components.iter().try_for_each(|component| write!(formatter, " {component}"))
    }
}

impl fmt::Debug for AptSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AptSource({} {:?})", redact::url(&self.uri), self.suite)
    }
}

/// A keyring file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidKeyringFile {
    /// The file cannot be read.
    #[error("cannot read the keyring {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not a keyring.
    #[error("{} is not a keyring", .path.display())]
    Keyring {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: InvalidKeyring,
    },
}

/// The largest keyring, in bytes. That of Debian has 56 kB.
const LARGEST_KEYRING: u64 = 16 << 20;

/// An archive of the configuration, in the terms of [sources.list(5)](https://manpages.debian.org/sources.list.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredAptSource {
    /// The URIs, without a suite.
    pub uris: Vec<Url>,
    /// The suites.
    pub suites: Vec<String>,
    /// The components; none if the suites end with `/`.
    pub components: Vec<String>,
    /// Which keys are trusted.
    pub signed_by: SignedBy,
    /// Where earlier states of the archive are.
    pub snapshot: Option<Url>,
}

/// Which keys are trusted to sign a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedBy {
    /// Those of the base's distribution.
    Distribution,
    /// Some of those of the base's distribution.
    Fingerprints(Vec<Fingerprint>),
    /// Those of keyring files, binary or armored.
    Files(Vec<PathBuf>),
}

impl ConfiguredAptSource {
    /// Returns the sources for each URI and suite.
    fn sources(&self, distribution: &ArchiveKeyring) -> Result<Vec<AptSource>, InvalidKeyringFile> {
        let keyring = match &self.signed_by {
            SignedBy::Distribution => distribution.clone(),
            SignedBy::Fingerprints(fingerprints) => distribution.clone().restricted_to(fingerprints),
            SignedBy::Files(paths) => {
                let mut keyring = ArchiveKeyring::default();
                for path in paths {
                    keyring.extend(read_keyring(path)?);
                }
                keyring
            }
        };
        let pairs = self.uris.iter().flat_map(|uri| self.suites.iter().map(move |suite| (uri, suite)));
        let sources = pairs.map(|(uri, suite)| AptSource {
            uri: uri.clone(),
            suite: suite.clone(),
            components: self.components.clone(),
            keyring: keyring.clone(),
            snapshot: self.snapshot.clone(),
        });
        Ok(sources.collect())
    }
}

fn read_keyring(path: &Path) -> Result<ArchiveKeyring, InvalidKeyringFile> {
    let bytes = limited_reader::read_regular_file(path, LARGEST_KEYRING)
        .map_err(|source| InvalidKeyringFile::Io { path: path.to_owned(), source })?;
    ArchiveKeyring::parse(&bytes).map_err(|source| InvalidKeyringFile::Keyring { path: path.to_owned(), source })
}

/// Returns the sources of a distribution with those of a configuration, which replace those with the same suite: a mirror
/// needs to be configured only once.
///
/// # Errors
/// A keyring cannot be read.
pub fn merge_sources(
    distribution: Vec<AptSource>,
    configured: &[ConfiguredAptSource],
    keyring: &ArchiveKeyring,
) -> Result<Vec<AptSource>, InvalidKeyringFile> {
    let configured: Vec<Vec<AptSource>> =
        configured.iter().map(|source| source.sources(keyring)).collect::<Result<_, _>>()?;
    let configured: Vec<AptSource> = configured.into_iter().flatten().collect();
    let is_replaced = |source: &AptSource| configured.iter().any(|other| other.suite == source.suite);
    let mut sources: Vec<AptSource> = distribution.into_iter().filter(|source| !is_replaced(source)).collect();
    sources.extend(configured);
    Ok(sources)
}

/// Returns the URL of a path below a URI.
pub(super) fn below(uri: &Url, path: &str) -> Url {
    let mut url = uri.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.split('/').filter(|part| !part.is_empty()));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str, suite: &str) -> AptSource {
        AptSource {
            uri: uri.parse().unwrap(),
            suite: suite.to_owned(),
            components: vec!["main".to_owned()],
            keyring: ArchiveKeyring::default(),
            snapshot: None,
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let source = source("https://user:secret@host/debian/", "bookworm");
        assert_eq!(source.to_string(), "https://host/debian bookworm main");
        assert!(!format!("{source:?}").contains("secret"));
        assert_eq!(source.url("pool/a_1%2b.deb").path(), "/debian/pool/a_1%252b.deb");
        assert_eq!(source.url("pool/a_1~+:.deb").path(), "/debian/pool/a_1~+:.deb");
        assert_eq!(source.directory(), "dists/bookworm");
    }

    #[test]
    fn flat_archives_have_their_files_beside_the_release() {
        assert_eq!(source("https://host", "./").directory(), "");
        assert_eq!(source("https://host", "/").directory(), "");
        assert_eq!(source("https://host", "debian12/").directory(), "debian12");
    }

    #[test]
    fn a_mirror_replaces_the_default_archive_of_its_suites() {
        let defaults = vec![source("http://a", "x"), source("http://a", "y")];
        let mirror = ConfiguredAptSource {
            uris: vec!["https://mirror".parse().unwrap()],
            suites: vec!["x".to_owned(), "z".to_owned()],
            components: vec!["main".to_owned(), "extra".to_owned()],
            signed_by: SignedBy::Distribution,
            snapshot: None,
        };
        let merged = merge_sources(defaults, &[mirror], &ArchiveKeyring::default()).unwrap();
        let merged: Vec<String> = merged.iter().map(ToString::to_string).collect();
        assert_eq!(merged, ["http://a y main", "https://mirror x main extra", "https://mirror z main extra"]);
    }
}
