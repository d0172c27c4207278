//! The files of a .deb, deflated once and kept by its digest.
//!
//! Nothing can be copied from a .deb: its files are in one stream of xz or zstd. In a pack they are deflated one by one, as
//! in a wheel, so that any number of layers is spliced from them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;

use md5::Digest as _;
use serde::{Deserialize, Serialize};

use crate::archive::deflate::DeflateEffort;
use crate::archive::pack::Packer;
use crate::audit::elf::{self, ElfMachine, ElfRole};
use crate::cache::{Cache, CacheError, RecordKey, RecordKind};
use crate::debian::{ControlFile, Deb, DebEntry, DebEntryKind, DebError, DebErrorKind, DebIdentity};
use crate::digest::Sha256;
use crate::pipeline::apt::SystemLayerError;
use crate::pipeline::apt::layers::FetchedPackage;
use crate::temporary::{CopyError, TemporaryFile, seekable_copy};
use crate::tree::{Extent, FileAccess};

/// The version of packs and of their records. Raise it whenever either changes.
const FORMAT: &str = "deb 2";

/// Up to this size a shared library is read from memory, in bytes; a larger one from a temporary file.
const LARGEST_IN_MEMORY: u64 = 2 << 20;

/// An entry of a package. Paths are relative to the root, and not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PackedEntry {
    /// Empty for the root.
    pub path: String,
    pub access: FileAccess,
    pub kind: PackedKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PackedKind {
    Directory,
    File(Box<PackedFile>),
    Link(String),
    /// The path of a file before it.
    HardLink(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PackedFile {
    pub extent: Extent,
    /// The digest for dpkg's database, if the package does not contain it.
    pub md5: Option<[u8; 16]>,
    /// What the dynamic linker's cache has of it.
    pub library: Option<PackedLibrary>,
}

/// A shared library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PackedLibrary {
    pub soname: Option<String>,
    pub machine: ElfMachine,
}

/// A package whose files are in the cache.
#[derive(Debug, Clone)]
pub(super) struct PackedPackage {
    pub pack: Arc<PathBuf>,
    /// The size of the pack, in bytes.
    pub size: u64,
    pub control: String,
    pub control_files: BTreeMap<String, ControlFile>,
    pub entries: Vec<PackedEntry>,
}

#[derive(Clone, Serialize, Deserialize)]
struct PackRecord {
    digest: Sha256,
    size: u64,
    control: String,
    control_files: BTreeMap<String, ControlFile>,
    entries: Vec<PackedEntry>,
}

impl PackRecord {
    fn package(self, pack: PathBuf) -> PackedPackage {
        let Self { size, control, control_files, entries, .. } = self;
        PackedPackage { pack: pack.into(), size, control, control_files, entries }
    }
}

/// Returns the files of a package, which are deflated unless the cache has them.
///
/// # Errors
/// The .deb is not valid or not the locked package, or the cache cannot be written to.
pub(super) fn packed(package: &FetchedPackage, cache: &Cache) -> Result<PackedPackage, SystemLayerError> {
    cache.remember_with(
        RecordKind::Deb,
        RecordKey::new(FORMAT, &[&package.sha256.hex()]),
        |record: PackRecord| {
            let pack = cache.blob(record.digest);
            Ok::<_, SystemLayerError>(pack.map(|pack| record.package(pack)))
        },
        || {
            let (record, blob) = pack(package, cache)?;
            let pack = cache.keep_blob(blob, record.digest)?;
            let packed = record.clone().package(pack);
            Ok((record, packed))
        },
    )
}

/// Deflates the files of a .deb.
fn pack(package: &FetchedPackage, cache: &Cache) -> Result<(PackRecord, TemporaryFile), SystemLayerError> {
    let path = package.path.as_path();
    let file =
        File::open(path).map_err(|error| DebError { path: path.to_owned(), source: DebErrorKind::Read(error) })?;
    let deb = Deb::open(path, &file)?;
    let FetchedPackage { name, version, architecture, .. } = package;
    deb.check(DebIdentity { name, version, architecture })?;
    let blob = cache.begin_blob()?;
    let blob_path = blob.path().to_owned();
    let mut packer = Packer::new(io::BufWriter::with_capacity(256 * 1024, blob), DeflateEffort::Fast);
    let mut entries = Vec::new();
    let has_sums = deb.control_files.contains_key("md5sums");
    let conffiles = deb.control_files.get("conffiles").map(|file| String::from_utf8_lossy(&file.bytes));
    deb.entries::<SystemLayerError>(|DebEntry { path: entry, access, kind }, content| {
        let entry = entry.map_or(String::new(), |entry| entry.as_str().to_owned());
        let kind = match kind {
            DebEntryKind::Directory => PackedKind::Directory,
            DebEntryKind::Link(target) => PackedKind::Link(target),
            DebEntryKind::HardLink(target) => PackedKind::HardLink(target),
            DebEntryKind::File(size) => {
                let needs_md5 = !has_sums || conffiles.as_ref().is_some_and(|paths| paths.contains(&entry));
                let file = file_entry((&entry, size), content, needs_md5, &mut packer);
                PackedKind::File(Box::new(file.map_err(|failure| failure.of(path, &blob_path))?))
            }
        };
        entries.push(PackedEntry { path: entry, access, kind });
        Ok(())
    })?;
    let (output, digest, size) = packer.finish();
    let write = |error: io::Error| SystemLayerError::from(CacheError::io("write", &blob_path)(error));
    let blob = output.into_inner().map_err(|error| write(error.into_error()))?;
    let record =
        PackRecord { digest, size, control: deb.control.clone(), control_files: deb.control_files.clone(), entries };
    Ok((record, blob))
}

/// Why an entry cannot be packed.
enum PackFailure {
    Source(io::Error),
    Output(io::Error),
    Temporary(io::Error),
}

impl PackFailure {
    fn of(self, deb: &std::path::Path, pack: &std::path::Path) -> SystemLayerError {
        match self {
            Self::Source(error) => DebError { path: deb.to_owned(), source: DebErrorKind::Read(error) }.into(),
            Self::Output(error) => CacheError::io("write", pack)(error).into(),
            Self::Temporary(error) => SystemLayerError::Temporary(error),
        }
    }
}

/// Packs one file. A shared library is read twice, so it is kept meanwhile.
fn file_entry<W: Write>(
    (path, size): (&str, u64),
    content: &mut dyn Read,
    needs_md5: bool,
    packer: &mut Packer<W>,
) -> Result<PackedFile, PackFailure> {
    if !is_library_name(path) {
        return pack_file(content, needs_md5, None, packer);
    }
    if size <= LARGEST_IN_MEMORY {
        // With room for all of it at once: growing would need three times the memory for a moment.
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        content.read_to_end(&mut bytes).map_err(PackFailure::Source)?;
        let library = library(&mut io::Cursor::new(&bytes));
        return pack_file(&mut bytes.as_slice(), needs_md5, library, packer);
    }
    let mut kept = seekable_copy(content).map_err(|error| match error {
        CopyError::Read(error) => PackFailure::Source(error),
        CopyError::Write(error) => PackFailure::Temporary(error),
    })?;
    let library = library(&mut kept);
    kept.rewind().map_err(PackFailure::Temporary)?;
    pack_file(&mut kept, needs_md5, library, packer)
}

fn pack_file<W: Write>(
    content: &mut dyn Read,
    needs_md5: bool,
    library: Option<PackedLibrary>,
    packer: &mut Packer<W>,
) -> Result<PackedFile, PackFailure> {
    let mut source = DigestReader::new(content, needs_md5);
    let extent = packer.add_from(&mut source).map_err(|error| source.blame(error))?;
    Ok(PackedFile { extent, md5: source.md5(), library })
}

/// Returns whether ldconfig looks at files with this name.
pub(super) fn is_library_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    (name.starts_with("lib") || name.starts_with("ld-")) && name.contains(".so")
}

fn library(file: &mut (impl Read + Seek)) -> Option<PackedLibrary> {
    let elf = elf::read(file).ok()?;
    let is_shared = elf.role != ElfRole::Object;
    is_shared.then_some(PackedLibrary { soname: elf.soname, machine: elf.machine })
}

/// Computes the MD5 of what is read if it is needed, and remembers whether reading failed.
struct DigestReader<'a> {
    inner: &'a mut dyn Read,
    md5: Option<md5::Md5>,
    has_failed: bool,
}

impl<'a> DigestReader<'a> {
    fn new(inner: &'a mut dyn Read, needs_md5: bool) -> Self {
        Self { inner, md5: needs_md5.then(md5::Md5::new), has_failed: false }
    }

    fn blame(&self, error: io::Error) -> PackFailure {
        if self.has_failed { PackFailure::Source(error) } else { PackFailure::Output(error) }
    }

    fn md5(self) -> Option<[u8; 16]> {
        self.md5.map(|md5| md5.finalize().into())
    }
}

impl Read for DigestReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer);
        self.has_failed = read.is_err();
        if let Some(md5) = &mut self.md5 {
            md5.update(&buffer[..read.as_ref().copied().unwrap_or(0)]);
        }
        read
    }
}
