//! The Python interpreter of a base image.
//!
//! Specification of layers: [OCI image layer filesystem changeset](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use oci_spec::image::MediaType;
use pep440_rs::Version;
use tar::EntryType;

use super::Base;
use crate::allowance::Allowed;
use crate::target::PythonVersion;

/// An interpreter in an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Python {
    /// The minor version.
    pub version: PythonVersion,
    /// The full version, for instance 3.12.7, where the base states it.
    pub full_version: Option<String>,
    /// The path, for instance `/usr/local/bin/python3.12`.
    pub path: String,
}

/// Why a base has no interpreter for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PythonError {
    /// There is no interpreter.
    #[error("the base has no Python: none of its layers has a file `python3.N` in a folder `bin`")]
    Absent,
    /// There are other versions only.
    #[error("the base has Python {}, the target is Python {wanted}", versions(.found))]
    Mismatch {
        /// The target's version.
        wanted: PythonVersion,
        /// The interpreters that there are.
        found: Vec<Python>,
    },
    /// There are several interpreters of the version, and none of them is on `PATH`.
    #[error("the base has Python {wanted} more than once, and never on its PATH: {}", paths(.found))]
    Ambiguous {
        /// The target's version.
        wanted: PythonVersion,
        /// The interpreters of that version.
        found: Vec<Python>,
    },
}

impl PythonError {
    /// Returns what may be done about it.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Absent => vec!["choose a base with Python".to_owned()],
            Self::Mismatch { wanted, .. } => {
                vec![format!("choose a base with Python {wanted}, or build for the base's with --python")]
            }
            Self::Ambiguous { .. } => vec!["choose a base with one of their folders on its PATH".to_owned()],
        }
    }
}

/// Returns the versions of interpreters, each once.
fn versions(found: &[Python]) -> String {
    let versions: BTreeSet<_> = found.iter().map(|python| python.version).collect();
    versions.iter().map(PythonVersion::to_string).collect::<Vec<_>>().join(" and ")
}

/// Returns the paths of interpreters.
fn paths(found: &[Python]) -> String {
    found.iter().map(|python| python.path.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
}

/// Returns the interpreter of one of Docker's official Python images, or of an image that was made from one, by its
/// configuration alone.
pub fn from_config(base: &Base) -> Option<Python> {
    // They install Python below /usr/local, and state its version.
    const FOLDER: &str = "/usr/local/bin";
    let full_version = base.env("PYTHON_VERSION")?;
    let version = minor(&full_version.parse().ok()?)?;
    let is_on_path = base.env("PATH")?.split(':').any(|folder| folder == FOLDER);
    let path = format!("{FOLDER}/python{version}");
    is_on_path.then(|| Python { version, full_version: Some(full_version.to_owned()), path })
}

/// Returns the minor version of a version of Python 3.
fn minor(version: &Version) -> Option<PythonVersion> {
    match version.release() {
        [major, minor, _patch, ..] => format!("{major}.{minor}").parse().ok(),
        _ => None,
    }
}

/// Chooses the interpreter of the wanted version that `PATH` finds first, else the only one of that version. Without a
/// `PATH`, Docker's is meant.
///
/// # Errors
/// There is none, none of that version, or several that `PATH` does not tell apart.
pub fn choose(found: &[Python], path: Option<&str>, wanted: PythonVersion) -> Result<Python, PythonError> {
    if found.is_empty() {
        return Err(PythonError::Absent);
    }
    let suitable: Vec<_> = found.iter().filter(|python| python.version == wanted).collect();
    let folders = path.unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").split(':');
    let mut paths = folders.map(|folder| format!("{}/python{wanted}", folder.trim_end_matches('/')));
    let first = paths.find_map(|path| suitable.iter().find(|python| python.path == path));
    match (first, suitable.as_slice()) {
        (Some(python), _) | (None, [python]) => Ok((*python).clone()),
        (None, []) => Err(PythonError::Mismatch { wanted, found: found.to_vec() }),
        (None, several) => Err(PythonError::Ambiguous { wanted, found: several.iter().copied().cloned().collect() }),
    }
}

/// The search for interpreters through the layers of an image, from the highest to the lowest.
///
/// It may end as soon as [`choose`] is content with what was found.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// The interpreters' paths. All paths are relative to the root.
    found: BTreeSet<String>,
    /// The virtual environments, whose interpreters are those that they were made with.
    environments: BTreeSet<String>,
    /// What the layers so far hide in those below, each with everything in it.
    hidden: BTreeSet<String>,
    /// About how many bytes of memory all of that takes.
    noted: usize,
}

/// The most that the headers of one entry may take, in bytes: they are held in memory.
const MOST_HEADERS: u64 = 1 << 20;

/// The most that a search may note, in bytes: no image has so much to note.
const MOST_NOTES: usize = 16 << 20;

impl Search {
    /// Looks through one layer, which lies below those that were looked through before, and notes the interpreters that
    /// higher layers do not hide: files, hard links and symbolic links with the name `python3.N` in a folder `bin`.
    ///
    /// # Errors
    /// The layer cannot be read, is no tar archive of its media type, or is made to exhaust memory.
    pub fn in_layer(&mut self, media_type: &MediaType, reader: impl Read) -> io::Result<()> {
        match media_type {
            MediaType::ImageLayer => self.in_tar(&mut BufReader::new(reader)),
            MediaType::ImageLayerGzip => self.in_tar(&mut MultiGzDecoder::new(reader)),
            MediaType::ImageLayerZstd => self.in_tar(&mut zstd::Decoder::new(reader)?),
            other => Err(invalid(format!("`{other}` is no media type of a layer"))),
        }
    }

    /// Returns the interpreters found so far, ordered by path.
    pub fn found(&self) -> Vec<Python> {
        self.found.iter().filter_map(|path| self.interpreter(path)).collect()
    }

    /// Returns the interpreter of a path, unless it is a virtual environment's.
    fn interpreter(&self, path: &str) -> Option<Python> {
        let (folder, version) = interpreter(path)?;
        let prefix = folder.rsplit_once('/').map_or("", |(prefix, _)| prefix);
        let is_own = !self.environments.contains(prefix);
        is_own.then(|| Python { version, full_version: None, path: format!("/{path}") })
    }

    /// Looks through an uncompressed layer.
    fn in_tar(&mut self, tar: &mut dyn Read) -> io::Result<()> {
        let allowance = Cell::new(MOST_HEADERS);
        let mut archive = tar::Archive::new(Allowed { inner: tar, allowance: &allowance });
        // A layer hides nothing of its own.
        let mut hidden = BTreeSet::new();
        for entry in archive.entries()? {
            let entry = entry?;
            let kind = entry.header().entry_type();
            if let Some(path) = relative(&entry.path_bytes()) {
                self.note(path, kind, &mut hidden)?;
            }
            let stored = if kind.is_gnu_sparse() { entry.header().entry_size()? } else { entry.size() };
            allowance.set(stored.saturating_add(MOST_HEADERS));
        }
        self.hidden.append(&mut hidden);
        Ok(())
    }

    /// Notes what an entry means to the search.
    fn note(&mut self, path: String, kind: EntryType, hidden: &mut BTreeSet<String>) -> io::Result<()> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let (notes, path) = if let Some(removed) = whiteout(folder, name) {
            (hidden, removed)
        } else if kind.is_dir() || self.is_hidden(&path) {
            return Ok(());
        } else if interpreter(&path).is_some() && !is_device(kind) {
            (&mut self.found, path)
        } else if name == "pyvenv.cfg" {
            (&mut self.environments, folder.to_owned())
        } else if name == "bin" {
            // A link where lower layers may have a folder.
            (hidden, path)
        } else {
            return Ok(());
        };
        self.noted += path.len() + size_of::<String>();
        if self.noted > MOST_NOTES {
            return Err(invalid("it has more interpreters and whiteouts than any image".to_owned()));
        }
        notes.insert(path);
        Ok(())
    }

    /// Tells whether a higher layer hides a path, or a folder above it.
    fn is_hidden(&self, path: &str) -> bool {
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        !self.hidden.is_empty() && above.chain(["", path]).any(|path| self.hidden.contains(path))
    }
}

/// Tells whether an entry is neither a file nor a link.
fn is_device(kind: EntryType) -> bool {
    kind.is_character_special() || kind.is_block_special() || kind.is_fifo()
}

/// Returns what a whiteout hides: a path, or everything in its folder (layer, whiteouts).
fn whiteout(folder: &str, name: &str) -> Option<String> {
    match name.strip_prefix(".wh.")? {
        ".wh..opq" => Some(folder.to_owned()),
        removed if removed.is_empty() || removed.starts_with(".wh.") => None,
        removed if folder.is_empty() => Some(removed.to_owned()),
        removed => Some(format!("{folder}/{removed}")),
    }
}

/// Returns the folder and the version of an interpreter, if a path can be one's: `python3.N` in a folder `bin`.
fn interpreter(path: &str) -> Option<(&str, PythonVersion)> {
    let (folder, name) = path.rsplit_once('/')?;
    let version = name.strip_prefix("python")?.parse().ok()?;
    let is_bin = folder == "bin" || folder.ends_with("/bin");
    (is_bin && name.len() <= "python3.NN".len()).then_some((folder, version))
}

/// Returns the path of an entry relative to the root, in the one form that names it, if it is a path below the root.
fn relative(path: &[u8]) -> Option<String> {
    let parts = std::str::from_utf8(path).ok()?.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<_> = parts.collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| parts.join("/"))
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests;
