//! What there is in a base image: its interpreters, its shared libraries, and where things lie in its file system.
//!
//! Specification of layers: [OCI image layer filesystem changeset](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use oci_spec::image::MediaType;
use tar::EntryType;

use super::filesystem::{self, FileSystem, FileSystemScan, LARGEST_TEXT};
use super::python::BasePython;
use crate::limited_reader::LimitedReader;
use crate::platform::{Libstdcxx, PythonVersion};

/// The search for interpreters and shared libraries through the layers of an image, from the highest to the lowest.
#[derive(Debug, Clone, Default)]
pub struct LayerSearch {
    /// The interpreters' paths. All paths are relative to the root.
    found: BTreeSet<String>,
    /// The names of shared libraries, wherever they are: one outside of the linker's directories is there for a search path.
    libraries: BTreeSet<String>,
    /// The C library, until a lower layer.
    libc: Option<Vec<u8>>,
    /// The virtual environments, whose interpreters are those that they were made with.
    environments: BTreeSet<String>,
    /// What the layers so far hide in those below, each with everything in it.
    hidden: BTreeSet<String>,
    /// Everything by its path.
    survey: FileSystemScan,
    /// About how many bytes of memory all of that takes, but for the survey.
    noted: usize,
}

/// The most that the headers of one entry may take, in bytes: they are held in memory.
const MOST_HEADERS: u64 = 1 << 20;

/// The largest C library that is read, in bytes.
const LARGEST_LIBC: u64 = 16 << 20;

/// The most that a search may note, in bytes: no image has so much to note.
const MOST_NOTES: usize = 16 << 20;

impl LayerSearch {
    /// Looks through one layer, which lies below those that were looked through before, and notes what higher layers do not
    /// hide: files, hard links and symbolic links with the name `python3.N` in a directory `bin`, or with that of a shared
    /// library.
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
    pub fn found(&self) -> Vec<BasePython> {
        self.found.iter().filter_map(|path| self.interpreter(path)).collect()
    }

    /// Returns the names of the shared libraries found so far.
    pub fn libraries(&self) -> &BTreeSet<String> {
        &self.libraries
    }

    /// Returns the newest C++ library found so far, by the names of files.
    pub fn libstdcxx(&self) -> Option<Libstdcxx> {
        self.libraries.iter().filter_map(|name| name.strip_prefix("libstdc++.so.")?.parse().ok()).max()
    }

    /// Returns the bytes of the C library, if one was found.
    pub fn libc(&self) -> Option<&[u8]> {
        self.libc.as_deref()
    }

    /// Returns the file system as found so far; none if it has more files than any image.
    pub fn file_system(&self) -> Option<&FileSystem> {
        self.survey.found()
    }

    /// Returns the interpreter of a path, unless it is a virtual environment's.
    fn interpreter(&self, path: &str) -> Option<BasePython> {
        let (directory, version) = interpreter(path)?;
        let prefix = directory.rsplit_once('/').map_or("", |(prefix, _)| prefix);
        let is_own = !self.environments.contains(prefix);
        is_own.then(|| BasePython { version, full_version: None, path: format!("/{path}") })
    }

    /// Looks through an uncompressed layer.
    fn in_tar(&mut self, tar: &mut dyn Read) -> io::Result<()> {
        let remaining = Cell::new(MOST_HEADERS);
        let mut archive = tar::Archive::new(LimitedReader { inner: tar, remaining: &remaining });
        // A layer hides nothing of its own.
        let mut hidden = BTreeSet::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let kind = entry.header().entry_type();
            let path = relative(&entry.path_bytes());
            let is_libc = kind.is_file() && path.as_deref().is_some_and(is_libc) && self.libc.is_none();
            let is_hidden = path.as_deref().is_some_and(|path| self.is_hidden(path));
            let target = entry.link_name_bytes().and_then(|target| String::from_utf8(target.into_owned()).ok());
            let seen = path.as_deref().filter(|path| !is_hidden && !is_whiteout(path));
            let text = seen.filter(|path| self.survey.note(path, entry.header(), target.as_deref())).map(str::to_owned);
            if let Some(path) = path {
                self.note(path, kind, &mut hidden)?;
            }
            let stored = if kind.is_gnu_sparse() { entry.header().entry_size()? } else { entry.size() };
            remaining.set(stored.saturating_add(MOST_HEADERS));
            if is_libc && !is_hidden && stored <= LARGEST_LIBC {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                self.libc = Some(bytes);
            } else if let Some(path) = text.filter(|_| stored <= LARGEST_TEXT) {
                let access = filesystem::access(entry.header());
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                self.survey.keep(path, access, bytes);
            }
        }
        self.hidden.append(&mut hidden);
        Ok(())
    }

    /// Notes what an entry means to the search.
    fn note(&mut self, path: String, kind: EntryType, hidden: &mut BTreeSet<String>) -> io::Result<()> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let (notes, path) = if let Some(removed) = whiteout(directory, name) {
            (hidden, removed)
        } else if kind.is_dir() || self.is_hidden(&path) {
            return Ok(());
        } else if interpreter(&path).is_some() && !is_device(kind) {
            (&mut self.found, path)
        } else if is_library(name) && !is_device(kind) {
            let name = name.to_owned();
            (&mut self.libraries, name)
        } else if name == "pyvenv.cfg" {
            (&mut self.environments, directory.to_owned())
        } else if name == "bin" {
            // A link where lower layers may have a directory.
            (hidden, path)
        } else {
            return Ok(());
        };
        if notes.contains(&path) {
            return Ok(());
        }
        self.noted += path.len() + size_of::<String>();
        if self.noted > MOST_NOTES {
            return Err(invalid("it has more interpreters, libraries and whiteouts than any image".to_owned()));
        }
        notes.insert(path);
        Ok(())
    }

    /// Tells whether a higher layer hides a path, or a directory above it.
    fn is_hidden(&self, path: &str) -> bool {
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        !self.hidden.is_empty() && above.chain(["", path]).any(|path| self.hidden.contains(path))
    }
}

/// Tells whether a file's name is one that others may be linked to: `libz.so.1`, or `ld-linux-x86-64.so.2`.
fn is_library(name: &str) -> bool {
    let is_version = |rest: &str| rest.chars().all(|character| character.is_ascii_digit() || character == '.');
    let has_suffix = name.split_once(".so").is_some_and(|(_, rest)| is_version(rest));
    has_suffix && (name.starts_with("lib") || name.starts_with("ld-"))
}

/// Tells whether a path is the C library's: `libc-2.31.so`, to which `libc.so.6` leads, or that itself.
fn is_libc(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_of_the_system = ["lib", "lib64"].iter().any(|top| directory.split('/').any(|part| part == *top));
    is_of_the_system && (name == "libc.so.6" || (name.starts_with("libc-2.") && name.ends_with(".so")))
}

/// Tells whether an entry is neither a file nor a link.
fn is_device(kind: EntryType) -> bool {
    kind.is_character_special() || kind.is_block_special() || kind.is_fifo()
}

/// Tells whether a path is a whiteout's, and no file's.
fn is_whiteout(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(".wh."))
}

/// Returns what a whiteout hides: a path, or everything in its directory (layer, whiteouts).
fn whiteout(directory: &str, name: &str) -> Option<String> {
    match name.strip_prefix(".wh.")? {
        ".wh..opq" => Some(directory.to_owned()),
        removed if removed.is_empty() || removed.starts_with(".wh.") => None,
        removed if directory.is_empty() => Some(removed.to_owned()),
        removed => Some(format!("{directory}/{removed}")),
    }
}

/// Returns the directory and the version of an interpreter, if a path can be one's: `python3.N` in a directory `bin`.
fn interpreter(path: &str) -> Option<(&str, PythonVersion)> {
    let (directory, name) = path.rsplit_once('/')?;
    let version = name.strip_prefix("python")?.parse().ok()?;
    let is_bin = directory == "bin" || directory.ends_with("/bin");
    (is_bin && name.len() <= "python3.NN".len()).then_some((directory, version))
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
