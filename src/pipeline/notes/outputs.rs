//! What a target was written to, and whether somebody has changed it since.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::archive::destination::Destination;
use crate::digest::Sha256;
use crate::pipeline::documents;
use crate::pipeline::notes::files::FileStamp;
use crate::pipeline::notes::sources::WrittenOutput;

/// The directory of an OCI layout whose files are named by their digests.
const BLOBS: &str = "blobs";

/// The files of the outputs of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutputFiles {
    files: Vec<OutputFile>,
    /// Outputs that are directories, which have no other files.
    directories: Vec<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OutputFile {
    path: PathBuf,
    /// `None` for a document that there might be beside an artifact, and is not.
    state: Option<OutputState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OutputState {
    /// `None` if the file might have been changed since without changing its stamp.
    stamp: Option<FileStamp>,
    digest: Sha256,
}

impl OutputFiles {
    /// Returns the files as they have just been written; `None` if one is no file.
    pub(super) fn of(outputs: &[WrittenOutput]) -> Option<Self> {
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for WrittenOutput { path, digest } in outputs {
            if Destination::of(path) != Destination::File {
                return None;
            }
            if path.is_dir() {
                for (path, digest) in listed(path)? {
                    files.push(OutputFile::new(path, digest)?);
                }
                directories.push(path.clone());
                continue;
            }
            files.push(OutputFile::new(path.clone(), *digest)?);
            for document in documents::paths(path).into_iter().skip(1) {
                files.push(OutputFile::new(document, None)?);
            }
        }
        Some(Self { files, directories })
    }

    /// Returns the files with the stamps that tell of each further change; `None` if one was changed since it was written.
    pub(super) fn settled(mut self) -> Option<Self> {
        let now = SystemTime::now();
        for file in &mut self.files {
            let stamp = FileStamp::of(&file.path);
            let Some(state) = &mut file.state else { continue };
            if stamp != state.stamp {
                return None;
            }
            state.stamp = stamp.filter(|stamp| stamp.is_settled(now));
        }
        Some(self)
    }

    /// Returns the files as they are now, and whether their stamps are the same; `None` if one has other content.
    pub(super) fn again(&self) -> Option<(Self, bool)> {
        let known: HashSet<&Path> = self.files.iter().map(|file| file.path.as_path()).collect();
        for directory in &self.directories {
            if listed(directory)?.iter().any(|(path, _)| !known.contains(path.as_path())) {
                return None;
            }
        }
        let (mut files, now) = (Vec::with_capacity(self.files.len()), SystemTime::now());
        for file in &self.files {
            let stamp = FileStamp::of(&file.path);
            let state = match &file.state {
                None if stamp.is_none() => None,
                None => return None,
                Some(known) if known.stamp.is_some() && known.stamp == stamp => Some(known.clone()),
                // The content decides: a file that was copied has another time and another number.
                Some(known) if Sha256::of_file(&file.path).ok()? == known.digest => {
                    Some(OutputState { stamp: stamp.filter(|stamp| stamp.is_settled(now)), digest: known.digest })
                }
                Some(_) => return None,
            };
            files.push(OutputFile { path: file.path.clone(), state });
        }
        let files = Self { files, directories: self.directories.clone() };
        let are_same = files == *self;
        Some((files, are_same))
    }
}

impl OutputFile {
    /// Returns a file, whose content is read unless its digest is known; `None` if it cannot be read.
    fn new(path: PathBuf, digest: Option<Sha256>) -> Option<Self> {
        let stamp = FileStamp::of(&path);
        let state = match (stamp, digest) {
            (None, None) => None,
            (None, Some(_)) => return None,
            (stamp, Some(digest)) => Some(OutputState { stamp, digest }),
            (stamp, None) => Some(OutputState { stamp, digest: Sha256::of_file(&path).ok()? }),
        };
        Some(Self { path, state })
    }
}

/// Returns the files below a directory, each with its digest if that is its name, as in an OCI layout.
fn listed(directory: &Path) -> Option<Vec<(PathBuf, Option<Sha256>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).ok()? {
        let path = entry.ok()?.path();
        if path.is_dir() {
            files.extend(listed(&path)?);
            continue;
        }
        let is_blob = path.components().any(|component| component.as_os_str() == BLOBS);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let digest = format!("sha256:{name}").parse().ok().filter(|_| is_blob);
        files.push((path, digest));
    }
    Some(files)
}
