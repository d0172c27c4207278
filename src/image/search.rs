//! Searches the layers of a base image for interpreters, shared libraries and its file system.
//!
//! Specification of layers: [OCI image layer filesystem changeset](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use oci_spec::image::MediaType;
use tar::EntryType;

use super::filesystem::{self, FileSystem, FileSystemScan, LARGEST_ACCOUNT_FILE};
use super::python::BasePython;
use super::system::{BaseSystem, SystemScan};
use crate::archive::layer::LayerTree;
use crate::limited_reader::LimitedReader;
use crate::platform::{Libstdcxx, PythonVersion};
use crate::tree::{FileAccess, TreeEntry, TreePath};

/// Searches the layers of an image, highest first. All paths are relative to the root.
#[derive(Debug, Clone, Default)]
pub struct LayerSearch {
    /// The paths of interpreters.
    interpreters: BTreeSet<String>,
    /// The names of shared libraries in any directory: one outside the linker's default directories is found by a search
    /// path (`RUNPATH`, `LD_LIBRARY_PATH`).
    libraries: BTreeSet<String>,
    /// The content of glibc.
    libc: Option<Vec<u8>>,
    /// musl, which is its own dynamic linker.
    musl: Option<MuslLoader>,
    /// The directories that musl searches for libraries, as its file of them lists them.
    musl_path: Option<String>,
    /// The beginning of each interpreter's file, by path.
    interpreter_headers: BTreeMap<String, Vec<u8>>,
    /// The file that names the operating system (os-release(5)).
    os_release: Option<String>,
    /// The virtual environments: their interpreters are links to others.
    environments: BTreeSet<String>,
    /// The paths that the layers so far hide in lower layers, with everything below them.
    hidden: BTreeSet<String>,
    file_system: FileSystemScan,
    /// What packages of the operating system depend on; `None` if it is not wanted.
    system: Option<SystemScan>,
    /// About how much memory the search uses, in bytes, without the file system.
    memory: usize,
}

/// Where os-release is. The first is a link to the second, unless a base replaces it.
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

/// The most bytes in the headers of one entry: the tar reader holds them in memory.
const MOST_HEADERS: u64 = 1 << 20;

/// The largest C library that is read, in bytes.
const LARGEST_LIBC: u64 = 16 << 20;

/// How much is read of an interpreter, in bytes: its header, and the name of its dynamic linker, which linkers put next to it.
const INTERPRETER_HEADER: u64 = 8 << 10;

/// The most interpreters of which that is read.
const MOST_INTERPRETERS: usize = 256;

/// The file of musl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MuslLoader {
    /// Relative to the root.
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
}

/// The most memory that a search may use, in bytes: no image has so many interpreters and libraries.
const MOST_MEMORY: usize = 16 << 20;

/// An entry of a layer.
struct LayerEntry {
    /// Relative to the root.
    path: String,
    kind: EntryType,
    access: FileAccess,
    /// The target of a link.
    target: Option<String>,
    /// Of the content, in bytes.
    size: u64,
}

impl LayerSearch {
    /// Returns a search that also reads what packages of the operating system depend on.
    pub(crate) fn of_system() -> Self {
        Self { system: Some(SystemScan::default()), ..Self::default() }
    }

    /// Searches the next lower layer for files and links that higher layers do not hide, and whose names are `bin/python3.N`
    /// or those of shared libraries.
    ///
    /// # Errors
    /// The layer cannot be read, is not a tar archive of its media type, or exceeds the memory limits.
    pub fn in_layer(&mut self, media_type: &MediaType, reader: impl Read) -> io::Result<()> {
        match media_type {
            MediaType::ImageLayer => self.in_tar(&mut BufReader::new(reader)),
            MediaType::ImageLayerGzip => self.in_tar(&mut MultiGzDecoder::new(reader)),
            MediaType::ImageLayerZstd => self.in_tar(&mut zstd::Decoder::new(reader)?),
            other => Err(invalid(format!("`{other}` is not the media type of a layer"))),
        }
    }

    /// Returns the interpreters, sorted by path.
    pub fn pythons(&self) -> Vec<BasePython> {
        self.interpreters.iter().filter_map(|path| self.interpreter(path)).collect()
    }

    /// Returns the names of the shared libraries.
    pub fn libraries(&self) -> &BTreeSet<String> {
        &self.libraries
    }

    /// Returns the version of the newest C++ library, according to file names.
    pub(crate) fn libstdcxx(&self) -> Option<Libstdcxx> {
        self.libraries.iter().filter_map(|name| name.strip_prefix("libstdc++.so.")?.parse().ok()).max()
    }

    /// Returns the content of glibc.
    pub fn libc(&self) -> Option<&[u8]> {
        self.libc.as_deref()
    }

    /// Returns musl.
    pub(crate) fn musl(&self) -> Option<&MuslLoader> {
        self.musl.as_ref()
    }

    /// Returns the content of the file that lists the directories in which musl searches libraries.
    pub(crate) fn musl_path(&self) -> Option<&str> {
        self.musl_path.as_deref()
    }

    /// Returns the beginning of the file of an interpreter: its header and what linkers put next to it.
    pub(crate) fn interpreter_header(&self, python: &BasePython) -> Option<&[u8]> {
        self.interpreter_headers.get(python.executable.trim_start_matches('/')).map(Vec::as_slice)
    }

    /// Returns the file that names the operating system.
    pub(crate) fn os_release(&self) -> Option<&str> {
        self.os_release.as_deref()
    }

    /// Returns the file system, or `None` if it needs too much memory.
    pub(crate) fn file_system(&self) -> Option<&FileSystem> {
        self.file_system.found()
    }

    /// Returns what packages of the operating system depend on, or `None` if it was not wanted or needs too much memory.
    pub(crate) fn into_system(self) -> Option<BaseSystem> {
        self.system?.found(self.file_system.found()?.clone())
    }

    /// Returns the interpreter at a path, unless it is in a virtual environment.
    fn interpreter(&self, path: &str) -> Option<BasePython> {
        let (directory, version) = interpreter(path)?;
        let prefix = directory.rsplit_once('/').map_or("", |(prefix, _)| prefix);
        let is_installed = !self.environments.contains(prefix);
        let files = self.file_system();
        let resolved = files.and_then(|files| files.resolve(path, true));
        let version = self.version(resolved.as_deref().unwrap_or(path), version);
        let executable = resolved.filter(|path| files.is_some_and(|files| files.has_executable(path)));
        let executable = format!("/{}", executable.as_deref().unwrap_or(path));
        is_installed.then(|| BasePython { version, full_version: None, path: format!("/{path}"), executable })
    }

    /// Returns the version of an executable, relative to the root, of a minor version: a free-threaded build is installed as `python3.13t` with its
    /// standard library in `lib/python3.13t`, and `python3.13` is another name of it.
    fn version(&self, executable: &str, version: PythonVersion) -> PythonVersion {
        let free_threaded = PythonVersion { free_threaded: true, ..version };
        let named = interpreter(executable).map(|(_, version)| version);
        let prefix = executable.rsplit_once("bin/").map_or("", |(prefix, _)| prefix);
        let has_library = |version: PythonVersion| {
            // Directories need not be entries of their own.
            let module = format!("{prefix}lib/python{version}/os.py");
            self.file_system().is_some_and(|files| files.contains(&module))
        };
        let is_free_threaded = named == Some(free_threaded) || has_library(free_threaded) && !has_library(version);
        if is_free_threaded { free_threaded } else { version }
    }

    /// Searches an uncompressed layer.
    fn in_tar(&mut self, tar: &mut dyn Read) -> io::Result<()> {
        let remaining = Cell::new(MOST_HEADERS);
        let mut archive = tar::Archive::new(LimitedReader { inner: tar, remaining: &remaining });
        // The whiteouts of a layer do not apply to the layer itself (layer, whiteouts).
        let mut hidden = BTreeSet::new();
        for entry in archive.entries()? {
            let mut entry = entry?;
            let target = entry.link_name_bytes().and_then(|target| String::from_utf8(target.into_owned()).ok());
            let kind = entry.header().entry_type();
            let size = if kind.is_gnu_sparse() { entry.header().entry_size()? } else { entry.size() };
            remaining.set(size.saturating_add(MOST_HEADERS));
            if let Some(path) = relative(&entry.path_bytes()) {
                let access = filesystem::access(entry.header());
                let found = LayerEntry { path, kind, access, target, size };
                self.entry(found, &mut hidden, &mut |most, bytes| {
                    entry.by_ref().take(most).read_to_end(bytes).map(|_| ())
                })?;
            }
        }
        self.hidden.append(&mut hidden);
        Ok(())
    }

    /// Searches the next lower layer, which need not be written.
    ///
    /// # Errors
    /// A file cannot be read, or the layer exceeds the memory limits.
    pub(crate) fn in_tree(&mut self, tree: &LayerTree) -> io::Result<()> {
        let LayerTree { files, links, hard_links, whiteouts, .. } = tree;
        let mut hidden: BTreeSet<String> = whiteouts.iter().map(TreePath::to_string).collect();
        let entries = files.iter().map(|(path, _)| path).chain(links.keys()).chain(hard_links.keys());
        let parents = entries.flat_map(TreePath::parents);
        let explicit = files.directories().map(|(path, _)| path.as_str());
        let directories: BTreeSet<&str> = parents.chain(explicit).collect();
        for path in directories {
            let access = files.directory_access(path);
            let found = LayerEntry { path: path.to_owned(), kind: EntryType::Directory, access, target: None, size: 0 };
            self.entry(found, &mut hidden, &mut |_, _| Ok(()))?;
        }
        for (path, target) in links {
            let (path, target) = (path.to_string(), Some(target.clone()));
            let found = LayerEntry { path, kind: EntryType::Symlink, access: FileAccess::EXECUTABLE, target, size: 0 };
            self.entry(found, &mut hidden, &mut |_, _| Ok(()))?;
        }
        for (path, TreeEntry { access, content, .. }) in files.iter() {
            let (path, size) = (path.to_string(), content.size());
            let found = LayerEntry { path, kind: EntryType::Regular, access: *access, target: None, size };
            self.entry(found, &mut hidden, &mut |most, bytes| {
                content.reader()?.take(most).read_to_end(bytes).map(|_| ())
            })?;
        }
        for (path, target) in hard_links {
            let access = files.get(target.as_str()).map_or(FileAccess::FILE, |entry| entry.access);
            let found = LayerEntry { path: path.to_string(), kind: EntryType::Link, access, target: None, size: 0 };
            self.entry(found, &mut hidden, &mut |_, _| Ok(()))?;
        }
        self.hidden.append(&mut hidden);
        Ok(())
    }

    /// Adds an entry of the layer. `read` appends the content of a file, at most so many bytes.
    fn entry(
        &mut self,
        entry: LayerEntry,
        hidden: &mut BTreeSet<String>,
        read: &mut dyn FnMut(u64, &mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let LayerEntry { path, kind, access, target, size } = entry;
        let is_visible = !self.is_hidden(&path) && !is_whiteout(&path);
        let is_file = is_visible && self.file_system.add(&path, kind, access, target.as_deref());
        let is_visible_file = kind.is_file() && is_visible;
        let is_libc = is_visible_file && is_libc(&path) && self.libc.is_none() && size <= LARGEST_LIBC;
        let is_musl = is_visible_file && is_musl(&path) && self.musl.is_none() && size <= LARGEST_LIBC;
        let is_text = is_visible_file && size <= LARGEST_ACCOUNT_FILE;
        let is_os_release = is_text && OS_RELEASE.contains(&path.as_str()) && self.os_release.is_none();
        let is_musl_path = is_text && is_musl_path(&path) && self.musl_path.is_none();
        let is_interpreter =
            is_file && interpreter(&path).is_some() && self.interpreter_headers.len() < MOST_INTERPRETERS;
        let is_account_file = is_file && filesystem::is_account_file(&path);
        let is_of_system = is_file && self.system.as_ref().is_some_and(|system| system.wants(&path, size));
        self.add(path.clone(), kind, hidden)?;
        if is_account_file && size > LARGEST_ACCOUNT_FILE {
            self.file_system.add_large_account_file(path);
            return Ok(());
        }
        if is_interpreter {
            let mut header = Vec::new();
            read(INTERPRETER_HEADER, &mut header)?;
            self.interpreter_headers.insert(path, header);
            return Ok(());
        }
        if !(is_libc || is_musl || is_os_release || is_musl_path || is_account_file || is_of_system) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        read(u64::MAX, &mut bytes)?;
        if let Some(system) = self.system.as_mut().filter(|_| is_of_system) {
            system.add(&path, access, &bytes);
        }
        if is_account_file {
            self.file_system.add_account_file(path, access, bytes);
        } else if is_libc {
            self.libc = Some(bytes);
        } else if is_musl {
            self.musl = Some(MuslLoader { path, content: bytes });
        } else if is_musl_path {
            self.musl_path = String::from_utf8(bytes).ok();
        } else if is_os_release {
            self.os_release = String::from_utf8(bytes).ok();
        }
        Ok(())
    }

    /// Adds an entry to what the search has found.
    fn add(&mut self, path: String, kind: EntryType, hidden: &mut BTreeSet<String>) -> io::Result<()> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let (found, path) = if let Some(removed) = whiteout(directory, name) {
            (hidden, removed)
        } else if kind.is_dir() || self.is_hidden(&path) {
            return Ok(());
        } else if interpreter(&path).is_some() && !is_device(kind) {
            (&mut self.interpreters, path)
        } else if is_library(name) && !is_device(kind) {
            let name = name.to_owned();
            (&mut self.libraries, name)
        } else if name == "pyvenv.cfg" {
            (&mut self.environments, directory.to_owned())
        } else if name == "bin" {
            // A file or a link that replaces the directory of lower layers.
            (hidden, path)
        } else {
            return Ok(());
        };
        if found.contains(&path) {
            return Ok(());
        }
        self.memory += path.len() + size_of::<String>();
        if self.memory > MOST_MEMORY {
            return Err(invalid("it has too many interpreters, libraries and whiteouts".to_owned()));
        }
        found.insert(path);
        Ok(())
    }

    /// Returns whether a higher layer hides a path, or a directory above it.
    fn is_hidden(&self, path: &str) -> bool {
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        !self.hidden.is_empty() && above.chain(["", path]).any(|path| self.hidden.contains(path))
    }
}

/// Returns whether a file name is that of a shared library, for instance `libz.so.1` or `ld-linux-x86-64.so.2`.
pub(super) fn is_library(name: &str) -> bool {
    let has_suffix = name
        .split_once(".so")
        .is_some_and(|(_, version)| version.chars().all(|character| character.is_ascii_digit() || character == '.'));
    has_suffix && (name.starts_with("lib") || name.starts_with("ld-"))
}

/// Returns whether a path is that of glibc: `libc.so.6`, or before glibc 2.34 its target, for instance `libc-2.31.so`.
fn is_libc(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_of_the_system = ["lib", "lib64"].iter().any(|top| directory.split('/').any(|part| part == *top));
    is_of_the_system && (name == "libc.so.6" || (name.starts_with("libc-2.") && name.ends_with(".so")))
}

/// Returns whether a path is that of musl, which Debian links to from the path of its dynamic linker.
fn is_musl(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_loader = name.starts_with("ld-musl-") && name.ends_with(".so.1");
    let is_of_the_system = ["lib", "usr/lib"].contains(&directory);
    is_of_the_system && is_loader || name == "libc.so" && directory.ends_with("-linux-musl")
}

/// Returns whether a path is that of the list of directories that musl searches.
fn is_musl_path(path: &str) -> bool {
    path.strip_prefix("etc/ld-musl-").is_some_and(|rest| rest.ends_with(".path") && !rest.contains('/'))
}

/// Returns whether an entry is a device or a named pipe.
fn is_device(kind: EntryType) -> bool {
    kind.is_character_special() || kind.is_block_special() || kind.is_fifo()
}

fn is_whiteout(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(".wh."))
}

/// Returns the path that a whiteout hides, or its directory for an opaque whiteout (layer, whiteouts).
fn whiteout(directory: &str, name: &str) -> Option<String> {
    match name.strip_prefix(".wh.")? {
        ".wh..opq" => Some(directory.to_owned()),
        removed if removed.is_empty() || removed.starts_with(".wh.") => None,
        removed if directory.is_empty() => Some(removed.to_owned()),
        removed => Some(format!("{directory}/{removed}")),
    }
}

/// Returns the directory and the version of an interpreter if a path is `bin/python3.N`.
fn interpreter(path: &str) -> Option<(&str, PythonVersion)> {
    let (directory, name) = path.rsplit_once('/')?;
    let version = name.strip_prefix("python")?.parse().ok()?;
    let is_bin = directory == "bin" || directory.ends_with("/bin");
    (is_bin && name.trim_end_matches('t').len() <= "python3.NN".len()).then_some((directory, version))
}

/// Normalizes the path of an entry, relative to the root. Returns `None` if it is the root, leaves it or is not UTF-8.
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
