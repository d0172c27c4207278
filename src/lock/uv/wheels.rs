//! Choosing a distribution's wheel for a target, and saying where it is.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use url::Url;

use super::document::{Source, SourceDistribution, Wheel, WheelPlace, file_name_of_url};
use super::graph::{Package, has_scheme};
use crate::lock::error::{LockError, list};
use crate::lock::{Location, LockedWheel, SelectedSource};
use crate::target::{LambdaProfile, Tag, Tags, Target};

/// How many compatibility tags a message lists.
const LISTED_TAGS: usize = 6;

/// Chooses wheels of one lock for one target.
pub struct Chooser<'a> {
    /// The lock.
    pub path: &'a Path,
    /// The lock's folder.
    pub folder: &'a Path,
    /// The target.
    pub target: &'a Target,
    /// Its compatibility tags.
    pub tags: Tags,
}

impl Chooser<'_> {
    /// Returns where a distribution comes from: the wheel that fits the target best, or the folder that it is built from.
    ///
    /// # Errors
    ///
    /// [`LockError::NoWheel`] and [`LockError::Repository`] if there is no such wheel, [`LockError::InvalidUrl`] if it
    /// cannot be fetched from where the lock says.
    pub fn choose(&self, package: &Package) -> Result<SelectedSource, LockError> {
        match &package.source {
            Source::Directory(path) | Source::Editable(path) => {
                return Ok(SelectedSource::Directory(join(self.folder, path)));
            }
            Source::Virtual(path) => return Ok(SelectedSource::Virtual(join(self.folder, path))),
            Source::Git(url) => return Err(self.repository(package, url)),
            Source::Registry(_) | Source::Url(_) | Source::Path(_) => {}
        }
        let Some((wheel, tag)) = self.best(&package.wheels) else {
            return Err(self.no_wheel(package));
        };
        Ok(SelectedSource::Wheel(LockedWheel {
            filename: wheel.filename.clone(),
            tag: tag.clone(),
            location: self.location(package, wheel)?,
            digest: wheel.digest.clone(),
            size: wheel.size,
        }))
    }

    /// Returns the wheel whose tag the target prefers; among equals the one with the highest build tag, else the first.
    fn best<'w>(&self, wheels: &'w [Wheel]) -> Option<(&'w Wheel, &Tag)> {
        let mut best: Option<(usize, &Wheel, &Tag)> = None;
        for wheel in wheels {
            let Some((rank, tag)) = self.tags.best_match(&wheel.filename) else { continue };
            let better = best.is_none_or(|(best_rank, best_wheel, _)| {
                rank < best_rank || rank == best_rank && wheel.filename.build > best_wheel.filename.build
            });
            if better {
                best = Some((rank, wheel, tag));
            }
        }
        best.map(|(_, wheel, tag)| (wheel, tag))
    }

    fn location(&self, package: &Package, wheel: &Wheel) -> Result<Location, LockError> {
        match (&package.source, &wheel.place) {
            (Source::Path(path), _) => Ok(Location::Path(join(self.folder, path))),
            (Source::Registry(index), WheelPlace::Path(path)) => {
                Ok(Location::Path(join(&join(self.folder, index), path)))
            }
            (Source::Registry(index), WheelPlace::Url(url)) if has_scheme(index) => {
                let index = self.parse_url(package, index, None)?;
                let url = self.parse_url(package, url, Some(&index))?;
                self.fetched_from(package, url, Some(index))
            }
            (Source::Url(url), _) | (_, WheelPlace::Url(url)) => {
                let url = self.parse_url(package, url, None)?;
                self.fetched_from(package, url, None)
            }
            // The graph refuses these.
            (_, WheelPlace::Path(path)) => Ok(Location::Path(join(self.folder, path))),
            (_, WheelPlace::Source) => Err(self.no_wheel(package)),
        }
    }

    fn fetched_from(&self, package: &Package, mut url: Url, index: Option<Url>) -> Result<Location, LockError> {
        url.set_fragment(None);
        match url.scheme() {
            "http" | "https" => Ok(Location::Url { url, index }),
            "file" => match url.to_file_path() {
                Ok(path) => Ok(Location::Path(path)),
                Err(()) => Err(self.invalid_url(package, url.as_str(), "it names no file of this machine")),
            },
            _ => Err(self.invalid_url(package, url.as_str(), "its scheme is none of http, https and file")),
        }
    }

    /// Parses a URL; one that is relative is below its index.
    fn parse_url(&self, package: &Package, text: &str, index: Option<&Url>) -> Result<Url, LockError> {
        let parsed = match (Url::parse(text), index) {
            (Err(url::ParseError::RelativeUrlWithoutBase), Some(index)) => {
                let mut folder = index.clone();
                if !folder.path().ends_with('/') {
                    folder.set_path(&format!("{}/", index.path()));
                }
                folder.join(text)
            }
            (parsed, _) => parsed,
        };
        parsed.map_err(|error| self.invalid_url(package, text, &error.to_string()))
    }

    fn invalid_url(&self, package: &Package, url: &str, reason: &str) -> LockError {
        LockError::InvalidUrl {
            path: self.path.to_owned(),
            package: package.to_string(),
            url: without_credentials(url),
            reason: reason.to_owned(),
        }
    }

    fn repository(&self, package: &Package, url: &str) -> LockError {
        let (repository, commit) = url.split_once('#').unwrap_or((url, ""));
        LockError::Repository {
            package: package.to_string(),
            target: self.summary(),
            repository: without_credentials(repository.split('?').next().unwrap_or_default()),
            commit: commit.to_owned(),
        }
    }

    fn no_wheel(&self, package: &Package) -> LockError {
        let sdist = package.sdist.as_ref().and_then(|sdist| sdist.file_name(&package.source));
        let mut hints = Vec::new();
        if let Some(sdist) = &sdist {
            hints.push(format!("building source distributions is not supported yet: `{sdist}` is not used"));
        }
        hints.push(match &package.source {
            Source::Registry(_) => format!(
                "lock another version of {}, one that has a wheel for the target (tool.uv.constraint-dependencies)",
                package.name
            ),
            _ => "name a wheel for the target in tool.uv.sources".to_owned(),
        });
        let runtimes = self.fitting_runtimes(&package.wheels);
        if !runtimes.is_empty() {
            hints.push(format!("it has a wheel for --runtime {}", runtimes.join(", ")));
        }
        LockError::NoWheel {
            package: package.to_string(),
            target: self.summary(),
            available: self.available(&package.wheels, sdist.as_deref()),
            hints,
        }
    }

    /// Returns the built-in profiles that have a wheel on the target's architecture.
    fn fitting_runtimes(&self, wheels: &[Wheel]) -> Vec<&'static str> {
        let fits = |profile: &&LambdaProfile| {
            let tags = profile.target(self.target.architecture).tags();
            wheels.iter().any(|wheel| tags.best_match(&wheel.filename).is_some())
        };
        LambdaProfile::all().filter(fits).map(|profile| profile.name.as_str()).collect()
    }

    /// Returns what the target is, in tags: `cp312 on manylinux_2_26_x86_64`.
    fn summary(&self) -> String {
        match self.tags.as_slice().first() {
            Some(tag) => format!("{} on {}", tag.python, tag.platform),
            None => "a target without tags".to_owned(),
        }
    }

    /// Says what there is in place of a wheel that fits.
    fn available(&self, wheels: &[Wheel], sdist: Option<&str>) -> String {
        if wheels.is_empty() {
            return match sdist {
                Some(sdist) => format!("it has only the source distribution `{sdist}`"),
                None => "the lock has no file of it".to_owned(),
            };
        }
        let is_known =
            |python: &str, abi: &str| self.tags.as_slice().iter().any(|tag| tag.python == python && tag.abi == abi);
        let fits_interpreter = |wheel: &&Wheel| {
            let filename = &wheel.filename;
            filename.python_tags.iter().any(|python| filename.abi_tags.iter().any(|abi| is_known(python, abi)))
        };
        let platforms: BTreeSet<&str> = wheels
            .iter()
            .filter(fits_interpreter)
            .flat_map(|wheel| wheel.filename.platform_tags.iter().map(String::as_str))
            .collect();
        if platforms.is_empty() {
            let interpreters = wheels.iter().flat_map(|wheel| {
                let filename = &wheel.filename;
                filename
                    .python_tags
                    .iter()
                    .zip(filename.abi_tags.iter().cycle())
                    .map(|(python, abi)| if python == abi { python.clone() } else { format!("{python}-{abi}") })
            });
            return format!("it has wheels for {}", shortened(interpreters.collect()));
        }
        let suffix = self.tags.as_slice().first().and_then(|tag| glibc_of(&tag.platform)).map(|(_, suffix)| suffix);
        let floor = platforms
            .iter()
            .filter_map(|platform| glibc_of(platform))
            .filter(|(_, architecture)| Some(*architecture) == suffix)
            .map(|(version, _)| version)
            .min();
        match floor {
            Some((major, minor)) => format!("it has manylinux_{major}_{minor} and later"),
            None => format!("it has wheels for {}", shortened(platforms.into_iter().map(str::to_owned).collect())),
        }
    }
}

impl SourceDistribution {
    /// Returns the file's name, as far as the lock tells it.
    fn file_name(&self, source: &Source) -> Option<String> {
        match (self, source) {
            (Self { url: Some(url), .. }, _) => file_name_of_url(url).ok(),
            (Self { path: Some(path), .. }, _) | (_, Source::Path(path)) => path.rsplit('/').next().map(str::to_owned),
            (_, Source::Url(url)) => file_name_of_url(url).ok(),
            _ => None,
        }
    }
}

/// Returns the version of glibc and the architecture of a manylinux tag (PEP 600; the older names are its aliases).
fn glibc_of(platform: &str) -> Option<((u16, u16), &str)> {
    let rest = platform.strip_prefix("manylinux")?;
    for (alias, version) in [("1_", (2, 5)), ("2010_", (2, 12)), ("2014_", (2, 17))] {
        if let Some(architecture) = rest.strip_prefix(alias) {
            return Some((version, architecture));
        }
    }
    let (major, rest) = rest.strip_prefix('_')?.split_once('_')?;
    let (minor, architecture) = rest.split_once('_')?;
    Some(((major.parse().ok()?, minor.parse().ok()?), architecture))
}

fn shortened(tags: BTreeSet<String>) -> String {
    let count = tags.len();
    let mut listed: Vec<String> = tags.into_iter().take(LISTED_TAGS).collect();
    if count > LISTED_TAGS {
        listed.push(format!("{} more", count - LISTED_TAGS));
    }
    list(&listed)
}

/// Returns a URL without the user and the password that it may hold.
fn without_credentials(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) => {
            // Both fail only for URLs that cannot hold credentials.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string()
        }
        Err(_) => match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
            Some((scheme, rest)) => format!("{scheme}://{rest}"),
            None => text.to_owned(),
        },
    }
}

/// Joins a path of the lock to a folder, and takes `.` and `..` out as far as they can be.
pub fn join(folder: &Path, path: &str) -> PathBuf {
    let mut joined = PathBuf::new();
    for component in folder.join(path).components() {
        let can_go_up = matches!(joined.components().next_back(), Some(Component::Normal(_)));
        match component {
            Component::CurDir => {}
            Component::ParentDir if can_go_up => {
                joined.pop();
            }
            _ => joined.push(component),
        }
    }
    if joined.as_os_str().is_empty() { PathBuf::from(".") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_without_dots() {
        for (folder, path, joined) in [
            ("/a/b", ".", "/a/b"),
            ("/a/b", "", "/a/b"),
            ("/a/b", "../c/./d", "/a/c/d"),
            ("", ".", "."),
            (".", "x", "x"),
            ("a", "../../b", "../b"),
            ("/a", "/b", "/b"),
        ] {
            assert_eq!(join(Path::new(folder), path), Path::new(joined), "{folder} + {path}");
        }
    }

    #[test]
    fn manylinux_tags_name_a_glibc() {
        for (tag, glibc) in [
            ("manylinux_2_27_x86_64", Some(((2, 27), "x86_64"))),
            ("manylinux2014_aarch64", Some(((2, 17), "aarch64"))),
            ("manylinux1_i686", Some(((2, 5), "i686"))),
            ("musllinux_1_2_x86_64", None),
            ("manylinux_x_y_z", None),
        ] {
            assert_eq!(glibc_of(tag), glibc, "{tag}");
        }
    }

    #[test]
    fn credentials_are_left_out() {
        for (url, clean) in [
            ("https://user:secret@example.org/a", "https://example.org/a"),
            ("https://user:secret@exa mple.org/a", "https://exa mple.org/a"),
            ("ssh://git@example.org/a.git", "ssh://example.org/a.git"),
            ("../a", "../a"),
        ] {
            assert_eq!(without_credentials(url), clean);
        }
    }
}
