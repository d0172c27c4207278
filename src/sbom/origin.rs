//! The origin of a component, and its package URL.
//!
//! Specification: [package URL, type pypi](https://github.com/package-url/purl-spec/blob/main/types/pypi-definition.json)
//! and [its common qualifiers](https://github.com/package-url/purl-spec/blob/main/docs/specification/common-qualifiers.md).

use packageurl::PackageUrl;
use pep440_rs::Version;

use crate::digest::Digest;
use crate::git::revision::GitRevision;

/// The origin of a component. URLs have no user name, password or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ComponentOrigin {
    /// A file of an index.
    Index {
        /// The URL of the index; `None` for PyPI.
        index: Option<String>,
        file: FetchedFile,
    },
    /// A file from a direct URL, or on this machine.
    Direct(FetchedFile),
    /// A commit of a repository.
    Repository {
        /// `None` if the repository is on this machine.
        url: Option<String>,
        /// The full hash.
        commit: String,
        /// The directory of the project, if it is not the top level.
        subdirectory: Option<String>,
    },
    /// A directory on this machine, with the commit of its files if known.
    Directory(Option<GitRevision>),
}

/// A wheel or a source distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchedFile {
    pub(crate) name: String,
    /// `None` if the file is on this machine.
    pub(crate) url: Option<String>,
    pub(crate) digests: Vec<Digest>,
    pub(crate) is_source: bool,
}

impl ComponentOrigin {
    pub(super) fn file(&self) -> Option<&FetchedFile> {
        match self {
            Self::Index { file, .. } | Self::Direct(file) => Some(file),
            Self::Repository { .. } | Self::Directory(_) => None,
        }
    }

    /// Returns the digests of the file, if it is one.
    pub(super) fn digests(&self) -> &[Digest] {
        self.file().map(|file| file.digests.as_slice()).unwrap_or_default()
    }

    /// Returns the commit, if known.
    pub(super) fn commit(&self) -> Option<&str> {
        match self {
            Self::Repository { commit, .. } => Some(commit),
            Self::Directory(revision) => revision.as_ref().map(|revision| revision.commit.as_str()),
            Self::Index { .. } | Self::Direct(_) => None,
        }
    }

    /// Returns the URL of the file, or `git+https://…@COMMIT` (SPDX 2.3, package download location).
    pub(super) fn location(&self) -> Option<String> {
        match self {
            Self::Index { file, .. } | Self::Direct(file) => file.url.clone(),
            Self::Repository { url, commit, subdirectory } => {
                let directory = subdirectory.as_ref().map(|directory| format!("#{directory}")).unwrap_or_default();
                url.as_ref().map(|url| format!("{}@{commit}{directory}", git(url)))
            }
            Self::Directory(Some(GitRevision { commit, source: Some(source) })) => {
                Some(format!("{}@{commit}", git(source)))
            }
            Self::Directory(_) => None,
        }
    }

    /// Returns the package URL of a component with this origin. A directory on this machine has the type `generic`, since
    /// `pypi` would identify an unrelated distribution with the same name on PyPI.
    pub(super) fn purl(&self, name: &str, version: Option<&Version>) -> String {
        let (ty, qualifiers) = match self {
            Self::Index { index, file } => {
                let mut qualifiers = vec![("file_name", file.name.clone())];
                qualifiers.extend(index.clone().map(|index| ("repository_url", index)));
                ("pypi", qualifiers)
            }
            Self::Direct(file) => {
                let mut qualifiers = vec![("file_name", file.name.clone())];
                qualifiers.extend(file.url.clone().map(|url| ("download_url", url)));
                ("pypi", qualifiers)
            }
            Self::Repository { .. } => ("pypi", self.location().map(|url| ("vcs_url", url)).into_iter().collect()),
            Self::Directory(_) => ("generic", self.location().map(|url| ("vcs_url", url)).into_iter().collect()),
        };
        purl(ty, name, version.map(ToString::to_string).as_deref(), &qualifiers)
    }
}

/// Returns the URL of a repository with the scheme `git+…`.
fn git(url: &str) -> String {
    if url.starts_with("git:") || url.starts_with("git+") { url.to_owned() } else { format!("git+{url}") }
}

/// Returns a package URL with sorted qualifiers.
pub(super) fn purl(ty: &str, name: &str, version: Option<&str>, qualifiers: &[(&'static str, String)]) -> String {
    purl_of(ty, None, name, version, qualifiers)
}

/// Returns a package URL with a namespace and sorted qualifiers.
pub(super) fn purl_of(
    ty: &str,
    namespace: Option<&str>,
    name: &str,
    version: Option<&str>,
    qualifiers: &[(&'static str, String)],
) -> String {
    // Fails only if the name is empty, or the type or a key is invalid. These are valid names and constants.
    try_purl(ty, namespace, name, version, qualifiers).unwrap_or_else(|_| format!("pkg:{ty}/unknown"))
}

/// Returns the package URL of software that others describe; `None` if a part of it is invalid.
pub(super) fn canonical(
    ty: &str,
    namespace: Option<&str>,
    name: &str,
    version: Option<&str>,
    qualifiers: impl Iterator<Item = (String, String)>,
) -> Option<String> {
    try_purl(ty, namespace, name, version, &qualifiers.collect::<Vec<_>>()).ok()
}

fn try_purl<Key: AsRef<str>>(
    ty: &str,
    namespace: Option<&str>,
    name: &str,
    version: Option<&str>,
    qualifiers: &[(Key, String)],
) -> Result<String, packageurl::Error> {
    let mut purl = PackageUrl::new(ty, name)?;
    if let Some(namespace) = namespace {
        purl.with_namespace(namespace)?;
    }
    if let Some(version) = version {
        purl.with_version(version)?;
    }
    for (key, value) in qualifiers {
        purl.add_qualifier(key.as_ref(), value.as_str())?;
    }
    Ok(purl.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, url: Option<&str>) -> FetchedFile {
        FetchedFile { name: name.to_owned(), url: url.map(str::to_owned), digests: Vec::new(), is_source: false }
    }

    #[test]
    fn package_urls_contain_the_origin() {
        let version: Version = "1.0+cu1".parse().unwrap();
        let revision = GitRevision { commit: "abc".to_owned(), source: Some("https://h/a".to_owned()) };
        for (origin, expected) in [
            (
                ComponentOrigin::Index { index: None, file: file("a_b-1.0+cu1-py3-none-any.whl", Some("https://h/x")) },
                "pkg:pypi/a-b@1.0%2Bcu1?file_name=a_b-1.0%2Bcu1-py3-none-any.whl",
            ),
            (
                ComponentOrigin::Index { index: Some("https://h/simple".to_owned()), file: file("a.whl", None) },
                "pkg:pypi/a-b@1.0%2Bcu1?file_name=a.whl&repository_url=https:%2F%2Fh%2Fsimple",
            ),
            (
                ComponentOrigin::Direct(file("a.whl", Some("https://h/a.whl"))),
                "pkg:pypi/a-b@1.0%2Bcu1?download_url=https:%2F%2Fh%2Fa.whl&file_name=a.whl",
            ),
            (
                ComponentOrigin::Repository {
                    url: Some("https://h/a.git".to_owned()),
                    commit: "abc".to_owned(),
                    subdirectory: Some("sub".to_owned()),
                },
                "pkg:pypi/a-b@1.0%2Bcu1?vcs_url=git%2Bhttps:%2F%2Fh%2Fa.git%40abc%23sub",
            ),
            (ComponentOrigin::Directory(None), "pkg:generic/a-b@1.0%2Bcu1"),
            (
                ComponentOrigin::Directory(Some(revision)),
                "pkg:generic/a-b@1.0%2Bcu1?vcs_url=git%2Bhttps:%2F%2Fh%2Fa%40abc",
            ),
        ] {
            assert_eq!(origin.purl("a-b", Some(&version)), expected);
        }
    }
}
