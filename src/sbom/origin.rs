//! Where a component comes from, and the package URL that follows from it.
//!
//! Specification: [package URL, type pypi](https://github.com/package-url/purl-spec/blob/main/types/pypi-definition.json)
//! and [its common qualifiers](https://github.com/package-url/purl-spec/blob/main/docs/specification/common-qualifiers.md).

use packageurl::PackageUrl;
use pep440_rs::Version;

use crate::digest::Digest;
use crate::project::revision::Revision;

/// Where a component comes from. No address here has a user, a password or a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentOrigin {
    /// A file of an index.
    Index {
        /// The index, unless it is PyPI.
        index: Option<String>,
        /// The file.
        file: FetchedFile,
    },
    /// A file that the lock names by its address alone, or that lies on this machine.
    Direct(FetchedFile),
    /// A commit of a repository.
    Repository {
        /// The repository's address, if it is on a server.
        url: Option<String>,
        /// The commit's full hash.
        commit: String,
        /// The project's directory, if it is not the top.
        subdirectory: Option<String>,
    },
    /// A directory of this machine; with the commit that its files are, if that is known.
    Directory(Option<Revision>),
}

/// A file that was fetched: a wheel, or what a wheel was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Its name.
    pub name: String,
    /// Its address, if it is on a server.
    pub url: Option<String>,
    /// Its digests.
    pub digests: Vec<Digest>,
    /// Whether a wheel was built from it here.
    pub is_source: bool,
}

impl ComponentOrigin {
    /// Returns the file that was fetched, if it was one.
    pub fn file(&self) -> Option<&FetchedFile> {
        match self {
            Self::Index { file, .. } | Self::Direct(file) => Some(file),
            Self::Repository { .. } | Self::Directory(_) => None,
        }
    }

    /// Returns the digests of the file that was fetched.
    pub fn digests(&self) -> &[Digest] {
        self.file().map(|file| file.digests.as_slice()).unwrap_or_default()
    }

    /// Returns the commit, if the component is one.
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Repository { commit, .. } => Some(commit),
            Self::Directory(revision) => revision.as_ref().map(|revision| revision.commit.as_str()),
            Self::Index { .. } | Self::Direct(_) => None,
        }
    }

    /// Returns where the component can be had from: the address of a file, or `git+https://…@COMMIT` (SPDX 2.3, package
    /// download location).
    pub fn location(&self) -> Option<String> {
        match self {
            Self::Index { file, .. } | Self::Direct(file) => file.url.clone(),
            Self::Repository { url, commit, subdirectory } => {
                let directory = subdirectory.as_ref().map(|directory| format!("#{directory}")).unwrap_or_default();
                url.as_ref().map(|url| format!("{}@{commit}{directory}", git(url)))
            }
            Self::Directory(Some(Revision { commit, source: Some(source) })) => {
                Some(format!("{}@{commit}", git(source)))
            }
            Self::Directory(_) => None,
        }
    }

    /// Returns the package URL of a name and a version from here. What comes from a directory of this machine is on no index,
    /// and might be taken for a stranger of the same name there.
    pub fn purl(&self, name: &str, version: Option<&Version>) -> String {
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

/// Returns the address of a repository as version control tools write it.
fn git(url: &str) -> String {
    if url.starts_with("git:") || url.starts_with("git+") { url.to_owned() } else { format!("git+{url}") }
}

/// Writes a package URL, with its qualifiers in their order.
pub(super) fn purl(ty: &str, name: &str, version: Option<&str>, qualifiers: &[(&'static str, String)]) -> String {
    let written = || -> Result<String, packageurl::Error> {
        let mut purl = PackageUrl::new(ty, name)?;
        if let Some(version) = version {
            purl.with_version(version)?;
        }
        for (key, value) in qualifiers {
            purl.add_qualifier(*key, value.as_str())?;
        }
        Ok(purl.to_string())
    };
    // Only a name that is empty, or a type or a key that is none, is refused: what is given here are constants and names.
    written().unwrap_or_else(|_| format!("pkg:{ty}/unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, url: Option<&str>) -> FetchedFile {
        FetchedFile { name: name.to_owned(), url: url.map(str::to_owned), digests: Vec::new(), is_source: false }
    }

    #[test]
    fn package_urls_say_where_a_distribution_is_from() {
        let version: Version = "1.0+cu1".parse().unwrap();
        let revision = Revision { commit: "abc".to_owned(), source: Some("https://h/a".to_owned()) };
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
