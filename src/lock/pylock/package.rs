//! The entries of pylock.toml, each with the one source that it has.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};

use pep440_rs::{Version, VersionSpecifiers};

use super::document::{DirectoryTable, FileTable, PackageTable, VcsKind, VcsTable};
use super::fault::Fault;
use super::file::{self, File, checked_path, invalid_url, parse_url};
use crate::lock::path::join;
use crate::lock::syntax::Parsed;
use crate::lock::{Files, LockedSdist, Repository, Source};
use crate::marker::Marker;
use crate::name::DistributionName;

/// An entry: one version of a distribution, and where it applies.
#[derive(Debug)]
pub struct Package {
    /// The distribution.
    pub name: DistributionName,
    /// Its version; the one that its files have, if the entry has none.
    pub version: Option<Version>,
    /// Where it is installed.
    pub marker: Option<Parsed<Marker>>,
    /// The versions of Python that it runs on.
    pub requires_python: Option<VersionSpecifiers>,
    /// What it needs, as far as the lock says so.
    pub dependencies: BTreeSet<DistributionName>,
    /// Where it comes from; or the version control system that has it, if that is not git.
    pub source: Result<Source, VcsKind>,
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(formatter, "{} {version}", self.name),
            None => write!(formatter, "{}", self.name),
        }
    }
}

impl Package {
    /// Relates the keys of an entry to each other. `folder` is the lock's.
    ///
    /// # Errors
    ///
    /// [`Fault`], if it has no source or several, or if a source breaks the rules.
    pub fn new(mut table: PackageTable, folder: &Path) -> Result<Self, Fault> {
        let mut version = table.version.take().map(|version| version.value);
        let sources = [
            ("vcs", table.vcs.is_some()),
            ("directory", table.directory.is_some()),
            ("archive", table.archive.is_some()),
            ("sdist", table.sdist.is_some()),
            ("wheels", !table.wheels.is_empty()),
        ];
        let named: Vec<_> = sources.into_iter().filter_map(|(key, is_there)| is_there.then_some(key)).collect();
        match named[..] {
            [_] | ["sdist", "wheels"] => {}
            [first, second, ..] => return Err(Fault::TwoSources(first, second)),
            [] => return Err(Fault::NoSource),
        }
        let source = match (table.vcs.take(), table.directory.take(), table.archive.take()) {
            (Some(VcsTable { r#type, .. }), ..) if r#type != VcsKind::Git => Err(r#type),
            (Some(vcs), ..) => Ok(Source::Repository(repository(vcs, folder)?)),
            (_, Some(directory), _) => Ok(Source::Directory(project_folder(directory, folder)?)),
            (.., Some(archive)) => Ok(Source::Files(one_file(archive, &table.name, &mut version, folder)?)),
            _ => Ok(Source::Files(files(&mut table, &mut version, folder)?)),
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
fn files(table: &mut PackageTable, version: &mut Option<Version>, folder: &Path) -> Result<Files, Fault> {
    let index = table.index.as_deref().map(|index| parse_url("index", index)).transpose()?;
    let mut files = Files::default();
    for wheel in std::mem::take(&mut table.wheels) {
        let file = file::read(wheel, "wheels", folder, index.as_ref())?;
        files.wheels.push(file::wheel(file, &table.name, version)?);
    }
    if let Some(sdist) = table.sdist.take() {
        let file = file::read(sdist, "sdist", folder, index.as_ref())?;
        add_archive(&mut files, file, None);
        if let Some(sdist) = &files.sdist {
            file::check_sdist(&sdist.file.filename, &table.name, version)?;
        }
    }
    Ok(files)
}

/// Reads `packages.archive`, which is a wheel if its name ends so.
fn one_file(
    table: FileTable,
    name: &DistributionName,
    version: &mut Option<Version>,
    folder: &Path,
) -> Result<Files, Fault> {
    let subdirectory = table.subdirectory.as_deref().map(below).transpose()?.flatten();
    let file = file::read(FileTable { name: None, ..table }, "archive", folder, None)?;
    if file.filename.ends_with(".whl") {
        return Ok(Files { wheels: vec![file::wheel(file, name, version)?], ..Files::default() });
    }
    let mut files = Files::default();
    add_archive(&mut files, file, subdirectory);
    Ok(files)
}

fn add_archive(files: &mut Files, file: File, subdirectory: Option<String>) {
    match file::archive(file) {
        Ok(file) => files.sdist = Some(LockedSdist { file, subdirectory }),
        Err(unusable) => files.unusable.push(unusable),
    }
}

/// Reads `packages.directory`.
fn project_folder(table: DirectoryTable, folder: &Path) -> Result<PathBuf, Fault> {
    let subdirectory = table.subdirectory.as_deref().map(below).transpose()?.flatten();
    let folder = join(folder, checked_path(&table.path)?);
    Ok(subdirectory.map_or_else(|| folder.clone(), |subdirectory| join(&folder, &subdirectory)))
}

/// Reads `packages.vcs` of git.
fn repository(table: VcsTable, folder: &Path) -> Result<Repository, Fault> {
    let commit = table.commit_id;
    if !Repository::is_commit(&commit) {
        return Err(Fault::InvalidCommit(commit));
    }
    if let Some(requested) =
        table.requested_revision.filter(|revision| Repository::is_commit(revision) && *revision != commit)
    {
        return Err(Fault::OtherCommit { commit, requested });
    }
    let (path, url) = (table.path.filter(|path| !path.is_empty()), table.url.filter(|url| !url.is_empty()));
    let url = match (path, url) {
        (Some(path), _) => join(folder, checked_path(&path)?).to_string_lossy().into_owned(),
        (None, Some(text)) => {
            let mut url = parse_url("vcs", &text)?;
            // Others would have git run programs of the lock's choice.
            if !matches!(url.scheme(), "https" | "http" | "ssh" | "git" | "file") {
                let reason = "its scheme is none of https, http, ssh, git and file".to_owned();
                return Err(invalid_url("vcs", &text, reason));
            }
            url.set_query(None);
            url.set_fragment(None);
            url.into()
        }
        (None, None) => return Err(Fault::NoPlace("vcs")),
    };
    let subdirectory = table.subdirectory.as_deref().map(below).transpose()?.flatten();
    Ok(Repository { url, commit, subdirectory, lfs: false })
}

/// Returns a subdirectory, which stays below its top; none for the top itself.
fn below(subdirectory: &str) -> Result<Option<String>, Fault> {
    let outside = || Fault::SubdirectoryOutside(subdirectory.to_owned());
    let mut names = Vec::new();
    for component in Path::new(checked_path(subdirectory)?).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str().ok_or_else(outside)?),
            _ => return Err(outside()),
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
            ("..", Err(Fault::SubdirectoryOutside("..".to_owned()))),
            ("a/../..", Err(Fault::SubdirectoryOutside("a/../..".to_owned()))),
            ("/a", Err(Fault::SubdirectoryOutside("/a".to_owned()))),
            ("a\0", Err(Fault::InvalidPath("a\0".to_owned()))),
        ] {
            assert_eq!(below(given), expected, "{given}");
        }
    }
}
