//! Direct references: a file, a folder or a repository in the place of a version.
//!
//! Specification: [PyPA, direct URL references](https://packaging.python.org/en/latest/specifications/version-specifiers/#direct-references),
//! with the fragments and the plain paths of [pip, VCS support](https://pip.pypa.io/en/stable/topics/vcs-support/).

use std::path::{Path, PathBuf};

use pep440_rs::Version;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::digest::Digest;
use crate::lock::path::join;
use crate::lock::{Files, Location, LockedFile, LockedSdist, Repository, Source};
use crate::name::DistributionName;
use crate::sdist::filename::SdistFilename;
use crate::wheel::filename::WheelFilename;

/// What a direct reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A wheel.
    Wheel(WheelFilename, Location),
    /// A source distribution or another archive; with the project's folder in it.
    Archive(SdistFilename, Location, Option<String>),
    /// A commit of a repository.
    Commit(Repository),
    /// A branch or a tag of a repository, or its default branch: what it leads to may change.
    Branch,
    /// A folder of this machine.
    Folder(PathBuf),
}

/// What the fragment of a reference says (`#egg=…&subdirectory=…&sha256=…`).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The distribution's name.
    pub name: Option<DistributionName>,
    /// The project's folder.
    pub subdirectory: Option<String>,
    /// The file's digest.
    pub digest: Option<Digest>,
    /// Whether files in git LFS are fetched.
    pub lfs: bool,
}

impl Reference {
    /// Reads a URL or a path, which is relative to `folder`.
    ///
    /// # Errors
    ///
    /// The reason, if it leads to nothing that can be installed.
    pub fn parse(text: &str, folder: &Path) -> Result<(Self, Fragment), String> {
        let (place, fragment) = match text.split_once('#') {
            Some((place, fragment)) => (place, Fragment::parse(fragment)?),
            None => (text, Fragment::default()),
        };
        let reference = match scheme(place) {
            None => Self::file(join(folder, place), &fragment)?,
            Some("file") => Self::file(join(folder, &path_of(place)?), &fragment)?,
            Some("http" | "https") => {
                let url = Url::parse(place).map_err(|error| format!("it is no URL: {error}"))?;
                let name = url.path().rsplit('/').next().unwrap_or_default();
                let name =
                    percent_decode_str(name).decode_utf8().map_err(|_| "its file name is not UTF-8".to_owned())?;
                let location = Location::Url { url: url.clone(), index: None };
                Self::archive(&name, location, &fragment)?
                    .ok_or_else(|| format!("`{name}` is neither a wheel nor a .tar.gz, .tgz or .zip"))?
            }
            Some(scheme) if scheme.starts_with("git+") => Self::repository(&place["git+".len()..], &fragment)?,
            Some(scheme @ ("git" | "ssh")) => return Err(format!("a repository's URL begins with `git+{scheme}://`")),
            Some(scheme) => return Err(format!("its scheme `{scheme}` is none of https, http, file and git+…")),
        };
        Ok((reference, fragment))
    }

    /// Returns the name that the file's name tells.
    pub fn name(&self) -> Option<DistributionName> {
        match self {
            Self::Wheel(filename, _) => Some(filename.name.clone()),
            Self::Archive(filename, ..) => {
                let (name, rest) = filename.as_str().rsplit_once('-')?;
                let name = name.parse().ok()?;
                // A version begins with a digit: `foo-main.zip` is no source distribution.
                (rest.starts_with(|first: char| first.is_ascii_digit()) && filename.version_of(&name).is_some())
                    .then_some(name)
            }
            Self::Commit(_) | Self::Branch | Self::Folder(_) => None,
        }
    }

    /// Returns the version of the distribution `name`, if the file's name tells it.
    pub fn version(&self, name: &DistributionName) -> Option<Version> {
        match self {
            Self::Wheel(filename, _) => Some(filename.version.clone()),
            Self::Archive(filename, ..) => filename.version_of(name),
            Self::Commit(_) | Self::Branch | Self::Folder(_) => None,
        }
    }

    /// Returns where the distribution comes from; nothing if that may change.
    pub fn source(&self, digests: Vec<Digest>) -> Option<Source> {
        match self.clone() {
            Self::Wheel(filename, location) => {
                let wheels = vec![LockedFile { filename, location, digests, size: None }];
                Some(Source::Files(Files { wheels, ..Files::default() }))
            }
            Self::Archive(filename, location, subdirectory) => {
                let file = LockedFile { filename, location, digests, size: None };
                let sdist = Some(LockedSdist { file, subdirectory });
                Some(Source::Files(Files { sdist, ..Files::default() }))
            }
            Self::Commit(repository) => Some(Source::Repository(repository)),
            Self::Folder(folder) => Some(Source::Directory(folder)),
            Self::Branch => None,
        }
    }

    /// Returns whether what it leads to is a file, which has a digest.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::Wheel(..) | Self::Archive(..))
    }

    /// Reads a path: what is no archive by its name is a folder.
    fn file(path: PathBuf, fragment: &Fragment) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match Self::archive(&name, Location::Path(path.clone()), fragment)? {
            Some(reference) => Ok(reference),
            None if [".egg", ".tar.bz2", ".tar.xz", ".tar"].iter().any(|ending| name.ends_with(ending)) => {
                Err(format!("`{name}` is neither a wheel nor a .tar.gz, .tgz or .zip"))
            }
            None => match &fragment.subdirectory {
                Some(subdirectory) => Ok(Self::Folder(join(&path, subdirectory))),
                None => Ok(Self::Folder(path)),
            },
        }
    }

    /// Reads a file's name; returns nothing if it is none of an archive.
    fn archive(name: &str, location: Location, fragment: &Fragment) -> Result<Option<Self>, String> {
        if name.ends_with(".whl") {
            let filename = name.parse::<WheelFilename>().map_err(|error| error.to_string())?;
            return Ok(Some(Self::Wheel(filename, location)));
        }
        let filename = name.parse::<SdistFilename>().ok();
        Ok(filename.map(|filename| Self::Archive(filename, location, fragment.subdirectory.clone())))
    }

    /// Reads a repository's URL; after an `@` in its path is what to check out.
    fn repository(text: &str, fragment: &Fragment) -> Result<Self, String> {
        let mut url = Url::parse(text).map_err(|error| format!("its repository has no URL: {error}"))?;
        if !matches!(url.scheme(), "https" | "http" | "ssh" | "git" | "file") {
            return Err(format!("git cannot fetch from `git+{}`", url.scheme()));
        }
        let path = url.path().to_owned();
        let Some((path, revision)) = path.rsplit_once('@') else { return Ok(Self::Branch) };
        if !Repository::is_commit(revision) {
            return Ok(Self::Branch);
        }
        url.set_path(path);
        Ok(Self::Commit(Repository {
            url: url.into(),
            commit: revision.to_ascii_lowercase(),
            subdirectory: fragment.subdirectory.clone(),
            lfs: fragment.lfs,
        }))
    }
}

impl Fragment {
    fn parse(text: &str) -> Result<Self, String> {
        let mut fragment = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                "its fragment is not of the form `#name=value`; a comment is written after a space".to_owned()
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
                // pip passes over what it does not know, and so does uv.
                _ => {}
            }
        }
        Ok(fragment)
    }
}

/// Reads a folder of an archive or a repository, which must lie in it.
fn subdirectory(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "its subdirectory is not UTF-8".to_owned())?;
    let is_inside = !decoded.starts_with('/') && decoded.split('/').all(|part| part != "..") && !decoded.contains('\0');
    if !is_inside {
        return Err(format!("its subdirectory `{}` lies outside of it", decoded.escape_debug()));
    }
    Ok(decoded.into_owned())
}

/// Returns the scheme of a URL; a path has none (RFC 3986, section 3.1).
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    // What follows `git+` is never a path, even if it is no URL either.
    if scheme.starts_with("git+") {
        return Some(scheme);
    }
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
    is_scheme.then_some(scheme)
}

/// Returns the path of a URL of the scheme `file`, which may be relative (`file:../foo`).
pub fn path_of(url: &str) -> Result<String, String> {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => match rest.strip_prefix("localhost").unwrap_or(rest) {
            path if path.starts_with('/') => path,
            _ => return Err("its host is not this machine".to_owned()),
        },
    };
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| "its path is not UTF-8".to_owned())?;
    Ok(decoded.into_owned())
}

/// Returns whether a requirement is a reference alone, without a name: a URL, a path, or an archive's file name.
pub fn is_bare(text: &str) -> bool {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let name = &text[..text.find(|character| !is_name(character)).unwrap_or(text.len())];
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

    fn parse(text: &str) -> Result<(Reference, Fragment), String> {
        Reference::parse(text, Path::new("/project"))
    }

    #[test]
    fn references_lead_to_files_folders_and_commits() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let repository = |url: &str, subdirectory: Option<&str>| {
            let (url, commit) = (url.to_owned(), commit.to_owned());
            Reference::Commit(Repository { url, commit, subdirectory: subdirectory.map(str::to_owned), lfs: false })
        };
        let folder = |path: &str| Reference::Folder(PathBuf::from(path));
        for (text, expected) in [
            (".".to_owned(), folder("/project")),
            ("../a b".to_owned(), folder("/a b")),
            ("./a#egg=x&subdirectory=b".to_owned(), folder("/project/a/b")),
            ("file:./a%20b".to_owned(), folder("/project/a b")),
            ("file://localhost/a".to_owned(), folder("/a")),
            (
                format!("git+https://host/x.git@{commit}#subdirectory=a/b"),
                repository("https://host/x.git", Some("a/b")),
            ),
            (format!("git+ssh://git@host/x@{commit}"), repository("ssh://git@host/x", None)),
            ("git+ssh://git@host/x".to_owned(), Reference::Branch),
            ("git+https://host/x@main".to_owned(), Reference::Branch),
            (format!("git+https://host/x@{}", &commit[1..]), Reference::Branch),
        ] {
            assert_eq!(parse(&text).unwrap().0, expected, "{text}");
        }
        let (archive, fragment) = parse("https://host/a/foo-1.0.tar.gz#md5=d41d8cd98f00b204e9800998ecf8427e").unwrap();
        assert!(archive.is_file() && fragment.digest.is_some());
    }

    #[test]
    fn files_tell_names_and_versions() {
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
    fn references_that_lead_nowhere_are_refused() {
        for (text, reason) in [
            ("https:///", "empty host"),
            ("https://host/page.html", "neither a wheel"),
            ("https://host/foo.whl", "not a valid wheel file name"),
            ("./foo.egg", "neither a wheel"),
            ("hg+https://host/x", "scheme `hg+https`"),
            ("git+git@github.com:a/b", "no URL"),
            ("git+ftp://host/x", "cannot fetch"),
            ("ssh://host/x", "begins with `git+ssh://`"),
            ("file://server/share", "not this machine"),
            ("./a# comment", "after a space"),
            ("./a#subdirectory=../b", "outside"),
            ("./a#subdirectory=%2Fetc", "outside"),
            ("https://host/a-1.zip#sha256=00", "not a digest"),
            ("./a#egg=-", "not a valid name"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn bare_references_are_told_from_names() {
        for text in
            ["./a", "a/b", "/a", "https://a", "git+https://a", "a-1-py3-none-any.whl[x]", "..", "a-1.zip", "$X/a"]
        {
            assert!(is_bare(text), "{text}");
        }
        for text in ["a", "a.b==1", "a @ https://b/c", "a[x]", "a (>1)", "a;os_name=='b'"] {
            assert!(!is_bare(text), "{text}");
        }
    }
}
