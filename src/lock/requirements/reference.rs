//! Direct references: a file, a directory or a repository instead of a version.
//!
//! Specification: [PyPA, direct URL references](https://packaging.python.org/en/latest/specifications/version-specifiers/#direct-references),
//! with the fragments and plain paths of [pip, VCS support](https://pip.pypa.io/en/stable/topics/vcs-support/).

use std::path::{Path, PathBuf};

use pep440_rs::Version;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::digest::Digest;
use crate::lock::path::join;
use crate::lock::{DistributionFiles, DistributionSource, FileLocation, GitSource, LockedFile, LockedSdist};
use crate::name::DistributionName;
use crate::sdist::filename::SdistFilename;
use crate::wheel::filename::WheelFilename;

/// A parsed direct reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lock) enum DirectReference {
    Wheel(WheelFilename, FileLocation),
    /// A source distribution or another archive, and the project's directory in it.
    Archive(SdistFilename, FileLocation, Option<String>),
    Commit(GitSource),
    /// A branch or tag of a repository, or its default branch, which may move.
    Branch,
    Directory(PathBuf),
}

/// The fragment of a reference (`#egg=…&subdirectory=…&sha256=…`).
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::lock) struct ReferenceFragment {
    pub(super) name: Option<DistributionName>,
    pub(super) subdirectory: Option<String>,
    pub(in crate::lock) digest: Option<Digest>,
    pub(super) lfs: bool,
}

impl DirectReference {
    /// Parses a URL, or a path relative to `directory`, or returns why it is invalid.
    pub(in crate::lock) fn parse(text: &str, directory: &Path) -> Result<(Self, ReferenceFragment), String> {
        let (location, fragment) = match text.split_once('#') {
            Some((location, fragment)) => (location, ReferenceFragment::parse(fragment)?),
            None => (text, ReferenceFragment::default()),
        };
        let reference = match scheme(location) {
            None => Self::file(join(directory, location), &fragment)?,
            Some("file") => Self::file(join(directory, &path_of(location)?), &fragment)?,
            Some("http" | "https") => {
                let url = Url::parse(location).map_err(|error| format!("invalid URL: {error}"))?;
                let name = url.path().rsplit('/').next().unwrap_or_default();
                let name = percent_decode_str(name)
                    .decode_utf8()
                    .map_err(|_| "its file name is not valid UTF-8".to_owned())?;
                let file = FileLocation::Url { url: url.clone(), index: None };
                Self::archive(&name, file, &fragment)?.ok_or_else(|| {
                    format!("`{name}` is not a supported archive; expected .whl, .tar.gz, .tgz or .zip")
                })?
            }
            Some(scheme) if scheme.starts_with("git+") => Self::repository(&location["git+".len()..], &fragment)?,
            Some(scheme @ ("git" | "ssh")) => {
                return Err(format!("the URL of a repository must start with `git+{scheme}://`"));
            }
            Some(scheme) => return Err(format!("unsupported scheme `{scheme}`; expected https, http, file or git+…")),
        };
        Ok((reference, fragment))
    }

    /// Returns the distribution's name, if the file name contains it.
    pub(super) fn name(&self) -> Option<DistributionName> {
        match self {
            Self::Wheel(filename, _) => Some(filename.name.clone()),
            Self::Archive(filename, ..) => {
                let (name, rest) = filename.as_str().rsplit_once('-')?;
                let name = name.parse().ok()?;
                // A version starts with a digit, so that `foo-main.zip` is not a source distribution.
                (rest.starts_with(|first: char| first.is_ascii_digit()) && filename.version_of(&name).is_some())
                    .then_some(name)
            }
            Self::Commit(_) | Self::Branch | Self::Directory(_) => None,
        }
    }

    /// Returns the version of the distribution `name`, if the file name contains it.
    pub(in crate::lock) fn version(&self, name: &DistributionName) -> Option<Version> {
        match self {
            Self::Wheel(filename, _) => Some(filename.version.clone()),
            Self::Archive(filename, ..) => filename.version_of(name),
            Self::Commit(_) | Self::Branch | Self::Directory(_) => None,
        }
    }

    /// Returns the source of the distribution, or `None` if it may change.
    pub(in crate::lock) fn source(&self, digests: Vec<Digest>) -> Option<DistributionSource> {
        match self.clone() {
            Self::Wheel(filename, location) => {
                let wheels = vec![LockedFile { filename, location, digests, size: None }];
                Some(DistributionSource::Files(DistributionFiles { wheels, ..DistributionFiles::default() }))
            }
            Self::Archive(filename, location, subdirectory) => {
                let file = LockedFile { filename, location, digests, size: None };
                let sdist = Some(Box::new(LockedSdist { file, subdirectory }));
                Some(DistributionSource::Files(DistributionFiles { sdist, ..DistributionFiles::default() }))
            }
            Self::Commit(repository) => Some(DistributionSource::Git(repository)),
            Self::Directory(directory) => Some(DistributionSource::Directory(directory)),
            Self::Branch => None,
        }
    }

    /// Returns whether the reference is a file, which has a digest.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::Wheel(..) | Self::Archive(..))
    }

    /// Parses a path. It is a directory unless its name is that of an archive.
    fn file(path: PathBuf, fragment: &ReferenceFragment) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match Self::archive(&name, FileLocation::Path(path.clone()), fragment)? {
            Some(reference) => Ok(reference),
            None if [".egg", ".tar.bz2", ".tar.xz", ".tar"].iter().any(|ending| name.ends_with(ending)) => {
                Err(format!("`{name}` is not a supported archive; expected .whl, .tar.gz, .tgz or .zip"))
            }
            None => match &fragment.subdirectory {
                Some(subdirectory) => Ok(Self::Directory(join(&path, subdirectory))),
                None => Ok(Self::Directory(path)),
            },
        }
    }

    /// Parses a file name. Returns `None` if it is not that of a supported archive.
    fn archive(name: &str, location: FileLocation, fragment: &ReferenceFragment) -> Result<Option<Self>, String> {
        if name.ends_with(".whl") {
            let filename = name.parse::<WheelFilename>().map_err(|error| error.to_string())?;
            return Ok(Some(Self::Wheel(filename, location)));
        }
        let filename = name.parse::<SdistFilename>().ok();
        Ok(filename.map(|filename| Self::Archive(filename, location, fragment.subdirectory.clone())))
    }

    /// Parses the URL of a repository, whose path may end in `@` and a revision.
    fn repository(text: &str, fragment: &ReferenceFragment) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| format!("invalid repository URL: {error}"))?;
        if !matches!(url.scheme(), "https" | "http" | "ssh" | "git" | "file") {
            return Err(format!(
                "unsupported scheme `git+{}`; expected git+https, git+http, git+ssh, git+git or git+file",
                url.scheme()
            ));
        }
        let path = url.path().to_owned();
        let Some((path, revision)) = path.rsplit_once('@') else { return Ok(Self::Branch) };
        if !GitSource::is_commit(revision) {
            return Ok(Self::Branch);
        }
        url.set_path(path);
        Ok(Self::Commit(GitSource {
            url: url.into(),
            commit: revision.to_ascii_lowercase(),
            subdirectory: fragment.subdirectory.clone(),
            lfs: fragment.lfs,
        }))
    }
}

impl ReferenceFragment {
    fn parse(text: &str) -> Result<Self, String> {
        let mut fragment = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                "its fragment is not in the format `#name=value`; a comment must follow a space".to_owned()
            })?;
            match key {
                "egg" => {
                    let name = value.split(['[', '=', '<', '>', '!', '~', ' ']).next().unwrap_or_default();
                    fragment.name = Some(name.parse().map_err(|error: crate::name::InvalidName| error.to_string())?);
                }
                "subdirectory" => fragment.subdirectory = Some(subdirectory(value)?),
                "lfs" => fragment.lfs = value == "true",
                "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512" | "blake2b" => {
                    let digest = format!("{key}:{value}").parse();
                    fragment.digest = Some(digest.map_err(|error: crate::digest::InvalidDigest| error.to_string())?);
                }
                // pip and uv ignore unknown keys.
                _ => {}
            }
        }
        Ok(fragment)
    }
}

/// Parses the directory of a project in an archive or a repository.
fn subdirectory(text: &str) -> Result<String, String> {
    let decoded =
        percent_decode_str(text).decode_utf8().map_err(|_| "its subdirectory is not valid UTF-8".to_owned())?;
    let is_inside = !decoded.starts_with('/') && decoded.split('/').all(|part| part != "..") && !decoded.contains('\0');
    if !is_inside {
        return Err(format!("its subdirectory `{}` is outside its source", decoded.escape_debug()));
    }
    Ok(decoded.into_owned())
}

/// Returns the scheme of a URL (RFC 3986, section 3.1), or `None` for a path.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    // `git+` is never part of a path, even if what follows is not a valid scheme.
    if scheme.starts_with("git+") {
        return Some(scheme);
    }
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
    is_scheme.then_some(scheme)
}

/// Returns the path of a `file` URL, which may be relative (`file:../foo`).
pub(super) fn path_of(url: &str) -> Result<String, String> {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => match rest.strip_prefix("localhost").unwrap_or(rest) {
            path if path.starts_with('/') => path,
            _ => return Err("its host is not localhost".to_owned()),
        },
    };
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| "its path is not valid UTF-8".to_owned())?;
    Ok(decoded.into_owned())
}

/// Returns whether a requirement is a reference without a name: a URL, a path, or the file name of an archive.
pub(super) fn is_unnamed(text: &str) -> bool {
    let end = text.find(|character: char| !character.is_ascii_alphanumeric() && !"-_.".contains(character));
    let name = &text[..end.unwrap_or(text.len())];
    if name.is_empty() || name.starts_with('.') {
        return true;
    }
    if name.ends_with(".whl") || name.parse::<SdistFilename>().is_ok() {
        return true;
    }
    text[name.len()..].starts_with(['/', '\\', ':', '+'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(DirectReference, ReferenceFragment), String> {
        DirectReference::parse(text, Path::new("/project"))
    }

    #[test]
    fn references_are_files_directories_and_commits() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for (text, path) in [
            (".", "/project"),
            ("../a b", "/a b"),
            ("./a#egg=x&subdirectory=b", "/project/a/b"),
            ("file:./a%20b", "/project/a b"),
            ("file://localhost/a", "/a"),
        ] {
            assert_eq!(parse(text).unwrap().0, DirectReference::Directory(path.into()), "{text}");
        }
        for (text, url, subdirectory) in [
            (format!("git+https://host/x.git@{commit}#subdirectory=a/b"), "https://host/x.git", Some("a/b")),
            (format!("git+ssh://git@host/x@{commit}"), "ssh://git@host/x", None),
        ] {
            let (url, commit) = (url.to_owned(), commit.to_owned());
            let source = GitSource { url, commit, subdirectory: subdirectory.map(str::to_owned), lfs: false };
            assert_eq!(parse(&text).unwrap().0, DirectReference::Commit(source), "{text}");
        }
        for text in ["git+ssh://git@host/x", "git+https://host/x@main", &format!("git+https://host/x@{}", &commit[1..])]
        {
            assert_eq!(parse(text).unwrap().0, DirectReference::Branch, "{text}");
        }
        let (archive, fragment) = parse("https://host/a/foo-1.0.tar.gz#md5=d41d8cd98f00b204e9800998ecf8427e").unwrap();
        assert!(archive.is_file() && fragment.digest.is_some());
    }

    #[test]
    fn file_names_contain_names_and_versions() {
        for (text, name, version) in [
            ("./w/foo_bar-1.0-py3-none-any.whl", Some("foo-bar"), Some("1.0")),
            ("https://host/foo-bar-1.0.tar.gz?x=y", Some("foo-bar"), Some("1.0")),
            ("https://host/torch-2.0%2Bcpu-cp312-cp312-linux_x86_64.whl", Some("torch"), Some("2.0+cpu")),
            ("https://host/archive/main.zip", None, None),
            ("https://host/foo-main.zip", None, None),
        ] {
            let (reference, _) = parse(text).unwrap();
            let found = reference.name();
            assert_eq!(found.as_ref().map(DistributionName::as_str), name, "{text}");
            let found = found.and_then(|name| reference.version(&name)).map(|version| version.to_string());
            assert_eq!(found.as_deref(), version, "{text}");
        }
    }

    #[test]
    fn invalid_references_are_refused() {
        for (text, reason) in [
            ("https:///", "empty host"),
            ("https://host/page.html", "not a supported archive"),
            ("https://host/foo.whl", "not a valid wheel file name"),
            ("./foo.egg", "not a supported archive"),
            ("hg+https://host/x", "scheme `hg+https`"),
            ("git+git@github.com:a/b", "invalid repository URL"),
            ("git+ftp://host/x", "scheme `git+ftp`"),
            ("ssh://host/x", "must start with `git+ssh://`"),
            ("file://server/share", "not localhost"),
            ("./a# comment", "follow a space"),
            ("./a#subdirectory=../b", "outside"),
            ("./a#subdirectory=%2Fetc", "outside"),
            ("https://host/a-1.zip#sha256=00", "not a valid digest"),
            ("./a#egg=-", "not a valid name"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn unnamed_references_differ_from_names() {
        for text in
            ["./a", "a/b", "/a", "https://a", "git+https://a", "a-1-py3-none-any.whl[x]", "..", "a-1.zip", "$X/a"]
        {
            assert!(is_unnamed(text), "{text}");
        }
        for text in ["a", "a.b==1", "a @ https://b/c", "a[x]", "a (>1)", "a;os_name=='b'"] {
            assert!(!is_unnamed(text), "{text}");
        }
    }
}
