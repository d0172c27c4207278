//! Requirements in one form, whether they come from pyproject.toml or from a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use pep440_rs::{VersionSpecifier, VersionSpecifiers};
use url::Url;

use super::super::document;
use super::grid::Table;
use crate::lock::path::join;
use crate::name::{DistributionName, ExtraName};

/// Requirements, each with where it applies; requirements that apply nowhere are left out.
pub type Requirements = BTreeMap<Key, Table>;

/// What is required, but for where it applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The distribution.
    pub name: DistributionName,
    /// Its extras.
    pub extras: BTreeSet<ExtraName>,
    /// Which versions, and from where.
    pub origin: Origin,
}

/// Which versions are required, and from where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Versions of an index; the default indexes if none is named.
    Index(BTreeSet<VersionSpecifier>, Option<String>),
    /// A commit of a repository: its URL, and what says which commit and folder.
    Git(String, BTreeMap<String, String>),
    /// A file on a server, and the folder in it.
    Url(String, Option<String>),
    /// A file or folder.
    Path(PathBuf),
}

/// The parts of a repository's URL in a lock that say which commit and folder.
const GIT_KEYS: [&str; 5] = ["rev", "tag", "branch", "subdirectory", "path"];

impl Origin {
    /// Returns versions of an index.
    pub fn index(specifiers: Option<&VersionSpecifiers>, index: Option<&str>) -> Self {
        let specifiers = specifiers.into_iter().flat_map(|specifiers| specifiers.iter().cloned()).collect();
        // The path of a local index is another on each machine.
        let normalize = |index: &str| match index.starts_with("http://") || index.starts_with("https://") {
            true => normalize_url(index).trim_end_matches('/').to_owned(),
            false => "a local index".to_owned(),
        };
        Self::Index(specifiers, index.map(normalize))
    }

    /// Returns a commit of a repository.
    pub fn git<'a>(url: &str, parts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let present = parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), trim_folder(value?))));
        Self::Git(normalize_url(url).trim_end_matches('/').to_owned(), present.collect())
    }

    /// Returns a file on a server.
    pub fn url(url: &str, subdirectory: Option<&str>) -> Self {
        Self::Url(normalize_url(url), subdirectory.map(trim_folder))
    }

    /// Returns a file or folder, whose path is relative to a folder.
    pub fn path(folder: &Path, path: &str) -> Self {
        let of_url = Url::parse(path).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
        Self::Path(of_url.unwrap_or_else(|| join(folder, path)))
    }

    /// Returns what a direct reference means (PyPA, version specifiers, direct references).
    pub fn direct_reference(folder: &Path, reference: &str) -> Self {
        let (location, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let part = |key: &str| {
            fragment
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value)
        };
        if let Some(repository) = location.strip_prefix("git+") {
            // The first `@` may belong to the user's name.
            let after_host =
                repository.find("://").and_then(|start| Some(start + 3 + repository[start + 3..].find('/')?));
            let at = after_host.and_then(|host| Some(host + repository[host..].rfind('@')?));
            let (url, rev) = match at {
                Some(at) => (&repository[..at], Some(&repository[at + 1..])),
                None => (repository, None),
            };
            return Self::git(url, [("rev", rev), ("subdirectory", part("subdirectory")), ("path", part("path"))]);
        }
        if location.starts_with("http://") || location.starts_with("https://") {
            return Self::url(location, part("subdirectory"));
        }
        Self::path(folder, location)
    }

    /// Returns what a requirement of a lock means.
    pub fn locked(folder: &Path, requirement: &document::Requirement) -> Self {
        let local = [&requirement.path, &requirement.directory, &requirement.editable, &requirement.r#virtual];
        if let Some(git) = &requirement.git {
            let query =
                Url::parse(git).map(|url| url.query_pairs().into_owned().collect::<Vec<_>>()).unwrap_or_default();
            let parts = query.iter().map(|(key, value)| (key.as_str(), Some(value.as_str())));
            Self::git(git, parts.filter(|(key, _)| GIT_KEYS.contains(key)))
        } else if let Some(url) = &requirement.url {
            Self::url(url, requirement.subdirectory.as_deref())
        } else if let Some(path) = local.into_iter().flatten().next() {
            Self::path(folder, path)
        } else {
            Self::index(requirement.specifier.as_ref().map(|specifier| &specifier.value), requirement.index.as_deref())
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.name)?;
        if !self.extras.is_empty() {
            let extras: Vec<_> = self.extras.iter().map(ExtraName::as_str).collect();
            write!(formatter, "[{}]", extras.join(","))?;
        }
        match &self.origin {
            Origin::Index(specifiers, index) => {
                let specifiers: Vec<_> = specifiers.iter().map(ToString::to_string).collect();
                formatter.write_str(&specifiers.join(","))?;
                index.iter().try_for_each(|index| write!(formatter, " from {index}"))
            }
            Origin::Git(url, parts) => {
                write!(formatter, " from the repository {url}")?;
                parts.iter().try_for_each(|(key, value)| write!(formatter, " {key} {value}"))
            }
            Origin::Url(url, _) => write!(formatter, " from {url}"),
            Origin::Path(path) => write!(formatter, " from {}", path.display()),
        }
    }
}

/// Returns a URL without credentials, query and fragment.
fn normalize_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return text.to_owned() };
    // Both fail only for URLs that cannot hold credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url.set_query(None);
    url.to_string()
}

fn trim_folder(folder: &str) -> String {
    folder.trim_start_matches("./").trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direct_references_are_taken_apart() {
        let folder = Path::new("/project");
        for (reference, origin) in [
            (
                "git+ssh://git@example.org/a/b.git@v1#subdirectory=c/",
                Origin::git("ssh://example.org/a/b.git", [("rev", Some("v1")), ("subdirectory", Some("c"))]),
            ),
            ("git+https://example.org/a/b", Origin::git("https://example.org/a/b", [])),
            ("https://example.org/a.zip#subdirectory=x", Origin::url("https://u:p@example.org/a.zip", Some("x"))),
            ("file:///wheels/a.whl", Origin::Path("/wheels/a.whl".into())),
            ("../a.whl", Origin::Path("/a.whl".into())),
        ] {
            assert_eq!(Origin::direct_reference(folder, reference), origin, "{reference}");
        }
    }
}
