//! Which indexes are searched, and in which order.
//!
//! The rules and their names are uv's ([indexes](https://docs.astral.sh/uv/concepts/indexes/)).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, absolute};
use std::str::FromStr;

use url::Url;

use super::cutoff::Cutoff;
use crate::lock::PYPI;
use crate::name::DistributionName;
use crate::redact;

/// Where files are searched.
#[derive(Debug, Clone, Default)]
pub struct IndexOptions {
    /// The indexes in the order in which they are searched, except that the default index is always last.
    pub indexes: Vec<IndexConfig>,
    /// Directories of files and pages of links, see [`location`]. Their files are preferred to equal files of an index.
    pub find_links: Vec<Url>,
    /// Whether only `find_links` are searched.
    pub no_index: bool,
    /// How one of several indexes is chosen.
    pub strategy: IndexStrategy,
    /// Excludes files by upload time.
    pub exclude_newer: Option<Cutoff>,
    /// Overrides `exclude_newer` for single distributions; `None` disables it.
    pub exclude_newer_package: BTreeMap<DistributionName, Option<Cutoff>>,
}

/// An index.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexConfig {
    /// The name, which the environment variables of its credentials contain.
    pub name: Option<String>,
    /// The URL of the simple API. Credentials in it are used only if
    /// [`IndexCredentials`](crate::fetch::IndexCredentials) have been created with it.
    pub url: Url,
    /// Whether it is searched only for distributions that name it.
    pub explicit: bool,
    /// Whether it replaces PyPI as the default index. Of several, the first does.
    pub default: bool,
    /// HTTP statuses besides 404 that mean that the index does not have a distribution.
    pub ignored_statuses: BTreeSet<u16>,
}

impl fmt::Debug for IndexConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, url, explicit, default, ignored_statuses } = self;
        formatter
            .debug_struct("IndexConfig")
            .field("name", name)
            .field("url", &redact::url(url))
            .field("explicit", explicit)
            .field("default", default)
            .field("ignored_statuses", ignored_statuses)
            .finish()
    }
}

impl IndexConfig {
    /// Parses the value of uv's variables: `NAME=LOCATION` or `LOCATION`. As in uv, the text before the first `=` is a name
    /// unless it contains a colon. A path is relative to `directory`.
    ///
    /// # Errors
    /// The name has invalid characters, or the location is neither a URL nor a path.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, InvalidIndexUrl> {
        match text.split_once('=') {
            Some((name, rest)) if !name.contains(':') => {
                if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
                    let reason = "an index name consists of ASCII letters, digits, `-`, `_` and `.`".to_owned();
                    return Err(InvalidIndexUrl { text: redact::text(text), reason });
                }
                Ok(Self::new(Some(name.to_owned()).filter(|name| !name.is_empty()), location(rest, directory)?))
            }
            _ => Ok(Self::new(None, location(text, directory)?)),
        }
    }

    /// Creates an index that is searched for every distribution, before the default one.
    pub fn new(name: Option<String>, url: Url) -> Self {
        Self { name, url, explicit: false, default: false, ignored_statuses: BTreeSet::new() }
    }
}

/// How one of several indexes is chosen: uv's `index-strategy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IndexStrategy {
    /// Use the first index that has the distribution, whatever its versions. This prevents dependency confusion, where an
    /// attacker uploads a distribution with the name of a private one to a public index.
    #[default]
    FirstIndex,
    /// Search all indexes, and use the first that has a file of the version.
    UnsafeFirstMatch,
    /// Search all indexes, and use the best version of all.
    UnsafeBestMatch,
}

impl fmt::Display for IndexStrategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::FirstIndex => "first-index",
            Self::UnsafeFirstMatch => "unsafe-first-match",
            Self::UnsafeBestMatch => "unsafe-best-match",
        })
    }
}

/// A text that is not the name of an [`IndexStrategy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an index strategy: expected first-index, unsafe-first-match or unsafe-best-match", .0.escape_debug())]
pub struct InvalidIndexStrategy(pub String);

impl FromStr for IndexStrategy {
    type Err = InvalidIndexStrategy;

    fn from_str(text: &str) -> Result<Self, InvalidIndexStrategy> {
        match text {
            "first-index" => Ok(Self::FirstIndex),
            "unsafe-first-match" => Ok(Self::UnsafeFirstMatch),
            "unsafe-best-match" => Ok(Self::UnsafeBestMatch),
            _ => Err(InvalidIndexStrategy(text.to_owned())),
        }
    }
}

impl IndexOptions {
    /// Returns the indexes that are searched for a distribution that names none, in order. Of indexes with the same name or
    /// the same URL, the first counts.
    pub(super) fn implicit(&self) -> Vec<IndexConfig> {
        if self.no_index {
            return Vec::new();
        }
        let mut names = BTreeSet::new();
        let distinct = self.indexes.iter().filter(|index| index.name.as_ref().is_none_or(|name| names.insert(name)));
        let (defaults, others): (Vec<&IndexConfig>, Vec<&IndexConfig>) = distinct.partition(|index| index.default);
        let default = defaults.first().map(|index| (*index).clone()).or_else(pypi);
        let mut urls = BTreeSet::new();
        let implicit = others.into_iter().cloned().chain(default).filter(|index| !index.explicit);
        implicit.filter(|index| urls.insert(index.url.clone())).collect()
    }

    /// As [`implicit`](Self::implicit), and further indexes.
    pub(super) fn implicit_and(&self, further: &[Url]) -> Vec<IndexConfig> {
        let mut indexes = self.implicit();
        if !self.no_index {
            let new = further.iter().filter(|url| !indexes.iter().any(|index| is_same(&index.url, url)));
            let new: Vec<IndexConfig> = new.map(|url| self.named_by(url)).collect();
            indexes.extend(new);
        }
        indexes
    }

    /// Returns the index with a URL.
    pub(super) fn named_by(&self, url: &Url) -> IndexConfig {
        let known = self.indexes.iter().find(|index| is_same(&index.url, url));
        known.cloned().unwrap_or_else(|| IndexConfig::new(None, url.clone()))
    }

    /// Returns the cutoff of a distribution.
    pub(super) fn cutoff(&self, name: &DistributionName) -> Option<Cutoff> {
        self.exclude_newer_package.get(name).copied().unwrap_or(self.exclude_newer)
    }
}

fn pypi() -> Option<IndexConfig> {
    Some(IndexConfig::new(Some("pypi".to_owned()), PYPI.parse().ok()?))
}

/// Returns whether two URLs belong to the same index, whatever their credentials.
fn is_same(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
        && a.scheme() == b.scheme()
        && a.path().trim_end_matches('/') == b.path().trim_end_matches('/')
}

/// A text that is neither a URL nor a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid location: {reason}")]
pub struct InvalidIndexUrl {
    /// The text, without secrets.
    pub text: String,
    /// The reason.
    pub reason: String,
}

/// Parses a value of `--index-url` or `--find-links`: an https, http or file URL, or a path relative to a directory.
///
/// # Errors
/// The text is neither.
pub fn location(text: &str, directory: &Path) -> Result<Url, InvalidIndexUrl> {
    let location = if text.contains("://") { remote_or_file_url(text) } else { path_url(&directory.join(text)) };
    location.map_err(|reason| InvalidIndexUrl { text: redact::text(text), reason })
}

fn remote_or_file_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "https" | "http" | "file" => Ok(url),
        scheme => Err(format!("only https, http and file URLs can be read, not {scheme}")),
    }
}

fn path_url(path: &Path) -> Result<Url, String> {
    let path = absolute(path).map_err(|error| error.to_string())?;
    let url = Url::from_file_path(&path).map_err(|()| "the path cannot be made absolute".to_owned())?;
    // Parsing resolves the `..` in it.
    Url::parse(url.as_str()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, url: &str) -> IndexConfig {
        IndexConfig::new((!name.is_empty()).then(|| name.to_owned()), url.parse().unwrap())
    }

    fn order(indexes: Vec<IndexConfig>) -> Vec<String> {
        let options = IndexOptions { indexes, ..IndexOptions::default() };
        options.implicit().into_iter().map(|index| index.url.to_string()).collect()
    }

    #[test]
    fn the_default_index_is_asked_last() {
        let default = IndexConfig { default: true, ..index("mine", "https://mine/simple") };
        let explicit = IndexConfig { explicit: true, ..index("only", "https://only/simple") };
        let extra = index("extra", "https://extra/simple");
        assert_eq!(order(vec![]), [PYPI]);
        assert_eq!(order(vec![extra.clone(), explicit.clone()]), ["https://extra/simple", PYPI]);
        assert_eq!(order(vec![default, explicit, extra]), ["https://extra/simple", "https://mine/simple"]);
    }

    #[test]
    fn names_and_urls_count_once() {
        let first = index("a", "https://first/simple");
        let again = index("a", "https://second/simple");
        let same = index("b", "https://first/simple");
        assert_eq!(order(vec![first, again, same]), ["https://first/simple", PYPI]);
        // An explicit default switches PyPI off.
        assert!(
            order(vec![IndexConfig { default: true, explicit: true, ..index("x", "https://x/simple") }]).is_empty()
        );
    }

    #[test]
    fn variables_have_names_and_locations() {
        let project = Path::new("/project");
        for (text, name, url) in [
            ("https://host/simple", None, "https://host/simple"),
            ("https://host/simple?a=b", None, "https://host/simple?a=b"),
            ("my-own_1.x=https://u:p@host/simple", Some("my-own_1.x"), "https://u:p@host/simple"),
            ("local=../wheels", Some("local"), "file:///wheels"),
            ("=https://host/simple", None, "https://host/simple"),
            ("wheels", None, "file:///project/wheels"),
        ] {
            let index = IndexConfig::parse(text, project).unwrap();
            assert_eq!((index.name.as_deref(), index.url.as_str()), (name, url), "{text}");
        }
        for (text, reason) in
            [("a/b=https://u:hunter2@host", "an index name consists of"), ("a=ftp://host/", "not ftp")]
        {
            let error = IndexConfig::parse(text, project).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("hunter2"), "{error}");
        }
    }

    /// As Python's IDNA codec and browsers write them.
    #[test]
    fn international_host_names_are_encoded() {
        for (text, host) in
            [("https://Bücher.example/simple", "xn--bcher-kva.example"), ("https://日本/", "xn--wgv71a")]
        {
            assert_eq!(location(text, Path::new("/project")).unwrap().host_str(), Some(host));
        }
    }

    #[test]
    fn locations_are_urls_or_paths() {
        let directory = Path::new("/project/sub");
        assert_eq!(location("../wheels", directory).unwrap().as_str(), "file:///project/wheels");
        assert_eq!(location("https://u:p@host/x", directory).unwrap().as_str(), "https://u:p@host/x");
        for (text, reason) in [("ftp://me:hunter2@host/", "not ftp"), ("https://", "empty host")] {
            let error = location(text, directory).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("hunter2"), "{error}");
        }
    }
}
