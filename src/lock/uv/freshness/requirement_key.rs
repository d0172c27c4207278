//! A common form of the requirements of pyproject.toml and of a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use pep440_rs::{VersionSpecifier, VersionSpecifiers};
use url::Url;

use super::super::document;
use super::marker_grid::TruthTable;
use crate::lock::path::join;
use crate::marker::Requirement;
use crate::name::{DistributionName, ExtraName};

/// Requirements with the environments in which they apply, without those that apply nowhere.
pub(super) type RequirementMap = BTreeMap<RequirementKey, TruthTable>;

/// A requirement without its marker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RequirementKey {
    pub(super) name: DistributionName,
    pub(super) extras: BTreeSet<ExtraName>,
    /// Which versions, and from where.
    pub(super) origin: RequirementOrigin,
}

/// The versions that are required, or where the distribution comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RequirementOrigin {
    /// Versions from an index, or from the default indexes if it is `None`.
    Index(BTreeSet<VersionSpecifier>, Option<String>),
    /// The URL of a repository, and the [`GIT_KEYS`] that say which commit and directory.
    Git(String, BTreeMap<String, String>),
    /// The URL of a file, and the project's directory in it.
    Url(String, Option<String>),
    /// A local file or directory.
    Path(PathBuf),
}

/// The parameters of a repository's URL in a lock that say which commit and directory.
const GIT_KEYS: [&str; 5] = ["rev", "tag", "branch", "subdirectory", "path"];

impl RequirementOrigin {
    pub(super) fn index(specifiers: Option<&VersionSpecifiers>, index: Option<&str>) -> Self {
        let specifiers = specifiers.into_iter().flat_map(|specifiers| specifiers.iter().cloned()).collect();
        Self::Index(specifiers, index.map(normalize_index))
    }

    pub(super) fn git<'a>(url: &str, parts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let present = parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), trim_directory(value?))));
        Self::Git(normalize_url(url).trim_end_matches('/').to_owned(), present.collect())
    }

    pub(super) fn url(url: &str, subdirectory: Option<&str>) -> Self {
        Self::Url(normalize_url(url), subdirectory.map(trim_directory))
    }

    /// Returns a local file or directory, whose path is relative to a directory.
    pub(super) fn path(directory: &Path, path: &str) -> Self {
        let file_url =
            Url::parse(path).ok().filter(|url| url.scheme() == "file").and_then(|url| url.to_file_path().ok());
        Self::Path(file_url.unwrap_or_else(|| join(directory, path)))
    }

    /// Parses a [direct reference](https://packaging.python.org/en/latest/specifications/version-specifiers/#direct-references).
    pub(super) fn direct_reference(directory: &Path, reference: &str) -> Self {
        let (location, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let subdirectory = fragment_value(fragment, "subdirectory");
        if let Some(repository) = location.strip_prefix("git+") {
            // An `@` before the host belongs to the user name.
            let after_host =
                repository.find("://").and_then(|start| Some(start + 3 + repository[start + 3..].find('/')?));
            let at = after_host.and_then(|host| Some(host + repository[host..].rfind('@')?));
            let (url, rev) = match at {
                Some(at) => (&repository[..at], Some(&repository[at + 1..])),
                None => (repository, None),
            };
            return Self::git(
                url,
                [("rev", rev), ("subdirectory", subdirectory), ("path", fragment_value(fragment, "path"))],
            );
        }
        if location.starts_with("http://") || location.starts_with("https://") {
            return Self::url(location, subdirectory);
        }
        Self::path(directory, location)
    }

    /// Returns the origin of a requirement of a lock.
    pub(super) fn locked(directory: &Path, requirement: &document::UvRequirement) -> Self {
        let local = [&requirement.path, &requirement.directory, &requirement.editable, &requirement.r#virtual];
        if let Some(git) = &requirement.git {
            let query =
                Url::parse(git).map(|url| url.query_pairs().into_owned().collect::<Vec<_>>()).unwrap_or_default();
            let parts = query.iter().map(|(key, value)| (key.as_str(), Some(value.as_str())));
            Self::git(git, parts.filter(|(key, _)| GIT_KEYS.contains(key)))
        } else if let Some(url) = &requirement.url {
            Self::url(url, requirement.subdirectory.as_deref())
        } else if let Some(path) = local.into_iter().flatten().next() {
            Self::path(directory, path)
        } else {
            Self::index(requirement.specifier.as_ref().map(|specifier| &specifier.value), requirement.index.as_deref())
        }
    }
}

impl RequirementKey {
    pub(super) fn new(requirement: &Requirement, origin: RequirementOrigin) -> Self {
        Self { name: requirement.name.clone(), extras: requirement.extras.clone(), origin }
    }
}

impl fmt::Display for RequirementKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.name)?;
        if !self.extras.is_empty() {
            let extras: Vec<_> = self.extras.iter().map(ExtraName::as_str).collect();
            write!(formatter, "[{}]", extras.join(","))?;
        }
        match &self.origin {
            RequirementOrigin::Index(specifiers, index) => {
                let specifiers: Vec<_> = specifiers.iter().map(ToString::to_string).collect();
                formatter.write_str(&specifiers.join(","))?;
                index.iter().try_for_each(|index| write!(formatter, " from {index}"))
            }
            RequirementOrigin::Git(url, parts) => {
                write!(formatter, " from the repository {url}")?;
                parts.iter().try_for_each(|(key, value)| write!(formatter, " {key} {value}"))
            }
            RequirementOrigin::Url(url, _) => write!(formatter, " from {url}"),
            RequirementOrigin::Path(path) => write!(formatter, " from {}", path.display()),
        }
    }
}

/// Returns the URL of an index without details that do not matter, or a placeholder: the path of a local index differs
/// between machines.
fn normalize_index(index: &str) -> String {
    if index.starts_with("http://") || index.starts_with("https://") {
        normalize_url(index).trim_end_matches('/').to_owned()
    } else {
        "a local index".to_owned()
    }
}

fn fragment_value<'f>(fragment: &'f str, key: &str) -> Option<&'f str> {
    let mut pairs = fragment.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
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

fn trim_directory(directory: &str) -> String {
    directory.trim_start_matches("./").trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direct_references_are_parsed() {
        let directory = Path::new("/project");
        for (reference, origin) in [
            (
                "git+ssh://git@example.org/a/b.git@v1#subdirectory=c/",
                RequirementOrigin::git("ssh://example.org/a/b.git", [("rev", Some("v1")), ("subdirectory", Some("c"))]),
            ),
            ("git+https://example.org/a/b", RequirementOrigin::git("https://example.org/a/b", [])),
            (
                "https://example.org/a.zip#subdirectory=x",
                RequirementOrigin::url("https://u:p@example.org/a.zip", Some("x")),
            ),
            ("file:///wheels/a.whl", RequirementOrigin::Path("/wheels/a.whl".into())),
            ("../a.whl", RequirementOrigin::Path("/a.whl".into())),
        ] {
            assert_eq!(RequirementOrigin::direct_reference(directory, reference), origin, "{reference}");
        }
    }
}
