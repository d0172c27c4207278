//! A work tree, compared with a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use rayon::prelude::*;

use super::blob;

/// The files that a repository has checked out.
#[derive(Debug, Clone)]
pub(super) struct WorkTree {
    /// The directory that contains `.git`, without symbolic links.
    top: PathBuf,
}

/// An entry of a commit's tree.
struct CommittedEntry {
    kind: EntryKind,
    /// The name of the blob, or of the submodule's commit.
    object: String,
}

/// The kind of an entry, by its mode (git-fast-import, M).
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    File { is_executable: bool },
    Link,
    Submodule,
}

impl WorkTree {
    /// Finds the work tree that contains a directory. Only a `.git` makes one: a directory that merely looks like a bare
    /// repository may be part of a project that somebody else made.
    ///
    /// # Errors
    /// git cannot be started.
    pub(super) fn containing(directory: &Path) -> io::Result<Option<Self>> {
        let Some(top) = directory.canonicalize().ok().as_deref().and_then(top_above).map(Path::to_owned) else {
            return Ok(None);
        };
        let work_tree = Self { top };
        // An invalid `.git` makes git go on to look for a repository in its own way.
        let found = work_tree.line(&["rev-parse", "--show-toplevel"])?;
        Ok(found.filter(|found| OsStr::from_bytes(found) == work_tree.top).map(|_| work_tree))
    }

    pub(super) fn top(&self) -> &Path {
        &self.top
    }

    /// Runs git in the work tree.
    ///
    /// # Errors
    /// git cannot be started.
    fn git(&self, arguments: &[impl AsRef<OsStr>]) -> io::Result<Output> {
        let mut command = super::command("git");
        // Since git 2.38, and refused by none before.
        command.args(["-c", "safe.bareRepository=explicit", "-c", "core.untrackedCache=false"]);
        // A partial clone would fetch what it lacks, with the programs that its remote names.
        command.env("GIT_ALLOW_PROTOCOL", "none").env("GIT_NO_LAZY_FETCH", "1").env("GIT_OPTIONAL_LOCKS", "0");
        command.arg("-C").arg(&self.top).args(arguments).output()
    }

    /// Runs git, and returns its output without the line end; `None` if it fails.
    ///
    /// # Errors
    /// As [`git`](Self::git).
    pub(super) fn line(&self, arguments: &[impl AsRef<OsStr>]) -> io::Result<Option<Vec<u8>>> {
        let output = self.git(arguments)?;
        Ok(output.status.success().then(|| output.stdout.trim_ascii_end().to_owned()))
    }

    /// Runs git, and returns the items of its output that NUL ends.
    ///
    /// # Errors
    /// git cannot be started, or fails: the error is what it said.
    fn list(&self, arguments: &[impl AsRef<OsStr>]) -> io::Result<Vec<Vec<u8>>> {
        let output = self.git(arguments)?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let items = output.stdout.split(|byte| *byte == 0).filter(|item| !item.is_empty());
        Ok(items.map(<[u8]>::to_vec).collect())
    }

    /// Returns the content of a blob, named by a commit and a path; `None` if there is none.
    ///
    /// # Errors
    /// As [`git`](Self::git).
    pub(super) fn blob(&self, name: &OsStr) -> io::Result<Option<Vec<u8>>> {
        let output = self.git(&[OsStr::new("cat-file"), OsStr::new("blob"), name])?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// Returns the hash of the commit that a revision names; `None` if there is none.
    ///
    /// # Errors
    /// As [`git`](Self::git).
    pub(super) fn commit(&self, revision: &str) -> io::Result<Option<String>> {
        let revision = format!("{revision}^{{commit}}");
        let found = self.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &revision])?;
        Ok(found.map(|hash| String::from_utf8_lossy(&hash).into_owned()))
    }

    /// Returns the files at or below these paths that differ from a commit: changed, added, removed, and untracked ones that
    /// are not ignored. A directory that is a repository itself is one path.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub(super) fn differences(&self, commit: &str, paths: &[&Path]) -> io::Result<BTreeSet<PathBuf>> {
        let committed = self.committed(commit, paths)?;
        let list = ["ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--"].map(OsString::from);
        let pathspecs: Vec<OsString> = paths.iter().map(|path| literal(path)).collect();
        let (mut differences, mut absent) = (BTreeSet::new(), BTreeSet::new());
        for item in self.list(&[&list[..], &pathspecs].concat())? {
            let Some((tag, name)) = item.split_at_checked(2) else { continue };
            let name = PathBuf::from(OsStr::from_bytes(name));
            match tag {
                // A sparse checkout has not checked it out.
                b"S " => drop(absent.insert(name)),
                _ if !committed.contains_key(&name) && self.top.join(&name).symlink_metadata().is_ok() => {
                    differences.insert(self.absolute(&name));
                }
                _ => {}
            }
        }
        let has_modes = self.has_modes()?;
        let changed = committed.par_iter().filter(|(name, entry)| {
            let is_absent = absent.contains(*name) && self.top.join(name).symlink_metadata().is_err();
            !is_absent && !self.is_same(name, entry, has_modes)
        });
        let changed: Vec<PathBuf> = changed.map(|(name, _)| self.absolute(name)).collect();
        differences.extend(changed);
        Ok(differences)
    }

    /// Returns the files and directories at or below these paths that git ignores.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub(super) fn ignored(&self, paths: &[&Path]) -> io::Result<BTreeSet<PathBuf>> {
        let list = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory", "--"];
        let pathspecs: Vec<OsString> = paths.iter().map(|path| literal(path)).collect();
        let list = list.map(OsString::from);
        Ok(self
            .list(&[&list[..], &pathspecs].concat())?
            .iter()
            .map(|name| self.absolute(Path::new(OsStr::from_bytes(name))))
            .collect())
    }

    /// git lists directories with a trailing slash; `components` removes it.
    fn absolute(&self, name: &Path) -> PathBuf {
        self.top.join(name).components().collect()
    }

    /// Returns the files of a commit at or below these paths, relative to the top.
    fn committed(&self, commit: &str, paths: &[&Path]) -> io::Result<BTreeMap<PathBuf, CommittedEntry>> {
        let list = ["ls-tree", "-r", "-z", "--full-tree", commit, "--"].map(OsStr::new);
        let within = paths.iter().map(|path| path.strip_prefix(&self.top).unwrap_or(Path::new("")).as_os_str());
        let mut within: Vec<&OsStr> = within.collect();
        // No path names the top.
        if within.contains(&OsStr::new("")) {
            within.clear();
        }
        let items = self.list(&[&list[..], &within].concat())?;
        Ok(items.iter().filter_map(|item| CommittedEntry::parse(item)).collect())
    }

    /// Returns whether the modes of files mean something: `core.fileMode` is false on file systems where they do not.
    fn has_modes(&self) -> io::Result<bool> {
        Ok(self.line(&["config", "--type=bool", "--get", "core.fileMode"])?.is_none_or(|value| value != b"false"))
    }

    fn is_same(&self, name: &Path, entry: &CommittedEntry, has_modes: bool) -> bool {
        let path = self.top.join(name);
        let Ok(metadata) = path.symlink_metadata() else { return false };
        match entry.kind {
            EntryKind::Submodule => is_checked_out(&path, &entry.object),
            EntryKind::Link => metadata.is_symlink() && blob::is_link_of(&path, &entry.object).unwrap_or(false),
            EntryKind::File { is_executable } => {
                metadata.is_file()
                    && (!has_modes || is_executable == (metadata.permissions().mode() & 0o100 != 0))
                    && blob::is_checked_out_of(&path, &entry.object).unwrap_or(false)
            }
        }
    }
}

impl CommittedEntry {
    /// Parses `MODE TYPE OBJECT` and the path, which a tab separates (git-ls-tree, output format).
    fn parse(item: &[u8]) -> Option<(PathBuf, Self)> {
        let tab = item.iter().position(|byte| *byte == b'\t')?;
        let mut fields = std::str::from_utf8(&item[..tab]).ok()?.split(' ');
        let (mode, _, object) = (fields.next()?, fields.next()?, fields.next()?.to_owned());
        let kind = match mode {
            "120000" => EntryKind::Link,
            "160000" => EntryKind::Submodule,
            mode => EntryKind::File { is_executable: mode == "100755" },
        };
        Some((OsStr::from_bytes(&item[tab + 1..]).into(), Self { kind, object }))
    }
}

/// Returns the nearest directory at or above another that contains `.git`.
pub(super) fn top_above(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|directory| directory.join(".git").symlink_metadata().is_ok())
}

/// Returns whether a submodule has a commit checked out and nothing else, or is not checked out at all.
fn is_checked_out(path: &Path, commit: &str) -> bool {
    if path.join(".git").symlink_metadata().is_err() {
        return path.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    }
    let Ok(Some(work_tree)) = WorkTree::containing(path) else { return false };
    work_tree.commit("HEAD").is_ok_and(|head| head.as_deref() == Some(commit))
        && work_tree.differences(commit, &[&work_tree.top]).is_ok_and(|differences| differences.is_empty())
}

/// Returns a pathspec for exactly this path (gitglossary, pathspec).
fn literal(path: &Path) -> OsString {
    let mut pathspec = OsString::from(":(literal)");
    pathspec.push(path);
    pathspec
}
