//! The entries of pylock.toml, each with its one source.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pep440_rs::{Version, VersionSpecifiers};

use super::document::{PylockDirectoryTable, PylockFileTable, PylockPackageTable, PylockVcsTable, VcsKind};
use super::error::InvalidPylockPackage;
use super::file::{self, PylockFile, checked_path, invalid_url, parse_url};
use crate::lock::path::join;
use crate::lock::toml_syntax::Parsed;
use crate::lock::{DistributionFiles, DistributionSource, GitSource, LockedSdist};
use crate::marker::Marker;
use crate::name::DistributionName;

/// An entry: one version of a distribution, and where it applies.
#[derive(Debug)]
pub(super) struct PylockPackage {
    pub(super) name: DistributionName,
    /// The version of the files, if the entry has none.
    pub(super) version: Option<Version>,
    pub(super) marker: Option<Parsed<Marker>>,
    pub(super) requires_python: Option<VersionSpecifiers>,
    pub(super) dependencies: BTreeSet<DistributionName>,
    pub(super) source: Result<DistributionSource, UnusableSource>,
}

/// Why an entry cannot be installed. It is an error only if the entry is selected.
#[derive(Debug, Clone, Copy)]
pub(super) enum UnusableSource {
    /// It is a repository of a version control system that is not supported.
    Vcs(VcsKind),
    /// It has no source. The specification requires one, but uv 0.13.8 writes such entries for platforms for which PyTorch's
    /// index has no wheels, and pipenv 2026.10 for what the markers of its own platform exclude.
    Missing,
}

impl fmt::Display for PylockPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "{} {version}", self.name),
            None => write!(formatter, "{}", self.name),
        }
    }
}

impl PylockPackage {
    /// Checks the keys of an entry against each other. `lock_directory` is the lock's directory.
    pub(super) fn new(mut table: PylockPackageTable, lock_directory: &Path) -> Result<Self, InvalidPylockPackage> {
        let mut version = table.version.take().map(|version| version.value);
        let sources = [
            ("vcs", table.vcs.is_some()),
            ("directory", table.directory.is_some()),
            ("archive", table.archive.is_some()),
            ("sdist", table.sdist.is_some()),
            ("wheels", !table.wheels.is_empty()),
        ];
        let named: Vec<_> = sources.into_iter().filter_map(|(key, is_present)| is_present.then_some(key)).collect();
        match named[..] {
            [] | [_] | ["sdist", "wheels"] => {}
            [first, second, ..] => return Err(InvalidPylockPackage::ConflictingSources(first, second)),
        }
        let source = match (table.vcs.take(), table.directory.take(), table.archive.take()) {
            _ if named.is_empty() => Err(UnusableSource::Missing),
            (Some(PylockVcsTable { r#type, .. }), ..) if r#type != VcsKind::Git => Err(UnusableSource::Vcs(r#type)),
            (Some(vcs), ..) => Ok(DistributionSource::Git(repository(vcs, lock_directory)?)),
            (_, Some(directory), _) => Ok(DistributionSource::Directory(project_directory(directory, lock_directory)?)),
            (.., Some(archive)) => {
                Ok(DistributionSource::Files(one_file(archive, &table.name, &mut version, lock_directory)?))
            }
            _ => Ok(DistributionSource::Files(files(&mut table, &mut version, lock_directory)?)),
        };
        Ok(Self {
            version,
            marker: table.marker,
            requires_python: table.requires_python.map(|range| range.value),
            dependencies: table.dependencies.into_iter().filter_map(|dependency| dependency.name).collect(),
            name: table.name,
            source,
        })
    }
}

/// Reads `packages.wheels` and `packages.sdist`.
fn files(
    table: &mut PylockPackageTable,
    version: &mut Option<Version>,
    lock_directory: &Path,
) -> Result<DistributionFiles, InvalidPylockPackage> {
    let index = table.index.as_deref().map(|index| parse_url("index", index)).transpose()?.map(Arc::new);
    let mut files = DistributionFiles::default();
    for wheel in std::mem::take(&mut table.wheels) {
        let file = file::read(wheel, "wheels", lock_directory, index.as_ref())?;
        match file.filename.parse() {
            Ok(filename) => files.wheels.push(file::wheel(filename, file, &table.name, version)?),
            // The name may be that of a variant wheel (PEP 825).
            Err(_) if file.filename.ends_with(".whl") => files.unusable.push(file.filename),
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(sdist) = table.sdist.take() {
        let file = file::read(sdist, "sdist", lock_directory, index.as_ref())?;
        add_archive(&mut files, file, None);
        if let Some(sdist) = &files.sdist {
            file::check_sdist(&sdist.file.filename, &table.name, version)?;
        }
    }
    Ok(files)
}

/// Reads `packages.archive`, which is a wheel if its name ends in `.whl`.
fn one_file(
    table: PylockFileTable,
    name: &DistributionName,
    version: &mut Option<Version>,
    lock_directory: &Path,
) -> Result<DistributionFiles, InvalidPylockPackage> {
    let subdirectory = table.subdirectory.as_deref().map(below).transpose()?.flatten();
    let file = file::read(PylockFileTable { name: None, ..table }, "archive", lock_directory, None)?;
    if file.filename.ends_with(".whl") {
        return Ok(DistributionFiles {
            wheels: vec![file::wheel(file.filename.parse()?, file, name, version)?],
            ..DistributionFiles::default()
        });
    }
    let mut files = DistributionFiles::default();
    add_archive(&mut files, file, subdirectory);
    Ok(files)
}

fn add_archive(files: &mut DistributionFiles, file: PylockFile, subdirectory: Option<String>) {
    match file::archive(file) {
        Ok(file) => files.sdist = Some(Box::new(LockedSdist { file, subdirectory })),
        Err(unusable) => files.unusable.push(unusable),
    }
}

/// Reads `packages.directory`.
fn project_directory(table: PylockDirectoryTable, lock_directory: &Path) -> Result<PathBuf, InvalidPylockPackage> {
    let subdirectory = table.subdirectory.as_deref().map(below).transpose()?.flatten();
    let directory = join(lock_directory, checked_path(&table.path)?);
    Ok(match subdirectory {
        Some(subdirectory) => join(&directory, &subdirectory),
        None => directory,
    })
}

/// Reads `packages.vcs` of a Git repository.
fn repository(table: PylockVcsTable, lock_directory: &Path) -> Result<GitSource, InvalidPylockPackage> {
    let commit = table.commit_id;
    if !GitSource::is_commit(&commit) {
        return Err(InvalidPylockPackage::InvalidCommit(commit));
    }
    if let Some(requested) =
        table.requested_revision.filter(|revision| GitSource::is_commit(revision) && *revision != commit)
    {
        return Err(InvalidPylockPackage::CommitMismatch { commit, requested });
    }
    let (path, url) = (table.path.filter(|path| !path.is_empty()), table.url.filter(|url| !url.is_empty()));
    let url = match (path, url) {
        (Some(path), _) => join(lock_directory, checked_path(&path)?).to_string_lossy().into_owned(),
        (None, Some(text)) => {
            let mut url = parse_url("vcs", &text)?;
            // Other schemes, such as `ext::`, let git run arbitrary commands.
            if !matches!(url.scheme(), "https" | "http" | "ssh" | "git" | "file") {
                let reason = "unsupported scheme; expected https, http, ssh, git or file".to_owned();
                return Err(invalid_url("vcs", &text, reason));
            }
            url.set_query(None);
            url.set_fragment(None);
            url.into()
        }
        (None, None) => return Err(InvalidPylockPackage::MissingLocation("vcs")),
    };
    let subdirectory = table.subdirectory.as_deref().map(below).transpose()?.flatten();
    Ok(GitSource { url, commit, subdirectory, lfs: false })
}

/// Returns a subdirectory, which must stay inside its source, or `None` for the top itself.
fn below(subdirectory: &str) -> Result<Option<String>, InvalidPylockPackage> {
    let mut names = Vec::new();
    for component in Path::new(checked_path(subdirectory)?).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) if let Some(name) = name.to_str() => names.push(name),
            _ => return Err(InvalidPylockPackage::SubdirectoryOutsideSource(subdirectory.to_owned())),
        }
    }
    Ok((!names.is_empty()).then(|| names.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdirectories_stay_below_their_top() {
        for (given, expected) in [
            ("", Ok(None)),
            (".", Ok(None)),
            ("./a//b/", Ok(Some("a/b".to_owned()))),
            ("..", Err(InvalidPylockPackage::SubdirectoryOutsideSource("..".to_owned()))),
            ("a/../..", Err(InvalidPylockPackage::SubdirectoryOutsideSource("a/../..".to_owned()))),
            ("/a", Err(InvalidPylockPackage::SubdirectoryOutsideSource("/a".to_owned()))),
            ("a\0", Err(InvalidPylockPackage::InvalidPath("a\0".to_owned()))),
        ] {
            assert_eq!(below(given), expected, "{given}");
        }
    }
}
