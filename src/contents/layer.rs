//! Reads a layer, and checks whether pybundle would have written it so.
//!
//! One pass over the layer computes its digest, its diff ID and the digest of every file.
//!
//! Specification: [OCI image layer filesystem changeset](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md).

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::MultiGzDecoder;
use sha2::Digest as _;

use super::measure::{self, MeasuringReader};
use super::{FileKind, LARGEST_RECORD, origins, packages};
use crate::archive::layer;
use crate::archive::tar::{self as written, TarFormat, TarMember};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent};
use crate::limited_reader::LimitedReader;
use crate::tree::{FileAccess, FileMode, FileOwner};

/// The most bytes in the headers of one member: the tar reader holds them in memory.
const MOST_HEADERS: u64 = 1 << 20;

/// The most memory for the members of a layer, in bytes: no image has so many files.
const MOST_MEMORY: usize = 256 << 20;

/// How much is read at a time, in bytes.
const BUFFER: usize = 64 << 10;

/// Something in an artifact that is invalid, or that pybundle would have written differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArtifactProblem {
    /// A file, a layer or a document, in any characters; `None` for the artifact as a whole.
    pub(crate) location: Option<String>,
    pub(crate) message: String,
}

impl ArtifactProblem {
    pub(crate) fn at(location: impl Into<String>, message: impl Into<String>) -> Self {
        Self { location: Some(location.into()), message: message.into() }
    }

    /// Creates a problem of the artifact as a whole.
    pub(crate) fn whole(message: impl Into<String>) -> Self {
        Self { location: None, message: message.into() }
    }
}

#[derive(Debug)]
pub(crate) struct ScannedLayer {
    /// The digest and the size in bytes of the stored layer.
    pub(crate) digest: Sha256,
    pub(crate) size: u64,
    /// The digest of the uncompressed bytes, as far as they could be read.
    pub(crate) diff_id: Sha256,
    /// Why the layer could not be read completely.
    pub(crate) failure: Option<io::Error>,
    /// Deviations from pybundle's format, if they were checked.
    pub(crate) problems: Vec<ArtifactProblem>,
    pub(super) members: Vec<LayerMember>,
    pub(super) records: Vec<(String, Vec<u8>)>,
}

#[derive(Debug)]
pub(super) struct LayerMember {
    pub(super) path: String,
    pub(super) kind: LayerMemberKind,
    pub(super) size: u64,
    pub(super) compressed_size: u64,
    pub(super) mode: u32,
    pub(super) ids: (u64, u64),
    pub(super) time: u64,
    pub(super) sha256: Sha256,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum LayerMemberKind {
    File(FileKind),
    Directory,
    /// A whiteout, which removes a path of lower layers (layer, whiteouts).
    Whiteout(String),
    /// An opaque whiteout, which removes the content of a directory in lower layers.
    Opaque(String),
}

/// Reads a layer in a file. With `is_own`, also checks that it has the format that pybundle writes.
///
/// # Errors
/// The file cannot be opened. All other problems are in the result.
pub(crate) fn read(blob: &Blob, is_own: bool) -> io::Result<ScannedLayer> {
    let media_type = blob.media_type.to_string();
    match &blob.content {
        BlobContent::File { path, offset } => {
            let mut file = fs::File::open(path)?;
            file.seek(SeekFrom::Start(*offset))?;
            read_from(BufReader::with_capacity(BUFFER, file.take(blob.size)), &media_type, is_own)
        }
        BlobContent::Bytes(bytes) => read_from(&bytes[..], &media_type, is_own),
        BlobContent::Layer(_) | BlobContent::Registry { .. } => Err(io::ErrorKind::NotFound.into()),
    }
}

fn read_from(reader: impl BufRead, media_type: &str, is_own: bool) -> io::Result<ScannedLayer> {
    let count = Cell::new(0);
    let mut measured = MeasuringReader::new(reader, &count);
    let recorder = TarRecorder::default();
    let mut scanner = LayerScanner::new(&recorder, &count, is_own);
    let failure = scanner.compressed(&mut measured, media_type).err();
    let LayerScanner { mut members, ends, records, format_check, .. } = scanner;
    let (digest, size) = measured.finish()?;
    for (member, share) in members.iter_mut().filter(|m| m.is_file()).zip(measure::divide(&ends, size)) {
        member.compressed_size = share;
    }
    let diff_id = Sha256(recorder.hasher.into_inner().finalize().into());
    let problems = format_check.map(|check| check.problems).unwrap_or_default();
    Ok(ScannedLayer { digest, size, diff_id, failure, problems, members, records })
}

impl LayerMember {
    fn is_file(&self) -> bool {
        matches!(self.kind, LayerMemberKind::File(_))
    }
}

/// Hashes the uncompressed bytes, and records the headers, which the tar reader does not return unchanged.
#[derive(Default)]
struct TarRecorder {
    hasher: RefCell<sha2::Sha256>,
    /// The bytes between the contents of two members.
    recorded: RefCell<Vec<u8>>,
    is_recording: Cell<bool>,
}

/// A reader of uncompressed bytes that passes them to the recorder.
struct RecordingReader<'a> {
    inner: Box<dyn Read + 'a>,
    recorder: &'a TarRecorder,
}

impl Read for RecordingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.recorder.hasher.borrow_mut().update(&buffer[..length]);
        if self.recorder.is_recording.get() {
            self.recorder.recorded.borrow_mut().extend_from_slice(&buffer[..length]);
        }
        Ok(length)
    }
}

struct LayerScanner<'a> {
    recorder: &'a TarRecorder,
    /// How many compressed bytes have been consumed.
    count: &'a Cell<u64>,
    members: Vec<LayerMember>,
    /// For each file, how many compressed bytes had been consumed when it ended, and its size.
    ends: Vec<(u64, u64)>,
    records: Vec<(String, Vec<u8>)>,
    format_check: Option<LayerFormatCheck>,
    /// About how much memory the members use, in bytes.
    memory: usize,
}

impl<'a> LayerScanner<'a> {
    fn new(recorder: &'a TarRecorder, count: &'a Cell<u64>, is_own: bool) -> Self {
        let format_check = is_own.then(LayerFormatCheck::default);
        Self { recorder, count, members: Vec::new(), ends: Vec::new(), records: Vec::new(), format_check, memory: 0 }
    }

    fn compressed(&mut self, measured: &mut impl BufRead, media_type: &str) -> io::Result<()> {
        let inner: Box<dyn Read + '_> = match media_type.rsplit(['.', '+']).next() {
            Some("gzip") => Box::new(MultiGzDecoder::new(measured)),
            Some("zstd") => Box::new(zstd::Decoder::with_buffer(measured)?),
            Some("tar") => Box::new(measured),
            _ => return Err(invalid(format!("`{}` is not the media type of a layer", media_type.escape_debug()))),
        };
        let recorder = self.recorder;
        self.tar(RecordingReader { inner, recorder })
    }

    fn tar(&mut self, reader: RecordingReader<'_>) -> io::Result<()> {
        let remaining = Cell::new(MOST_HEADERS);
        let mut archive = tar::Archive::new(LimitedReader { inner: reader, remaining: &remaining });
        self.recorder.is_recording.set(self.format_check.is_some());
        for entry in archive.entries()? {
            let mut entry = entry?;
            self.recorder.is_recording.set(false);
            let stored =
                if entry.header().entry_type().is_gnu_sparse() { entry.header().entry_size()? } else { entry.size() };
            remaining.set(stored.saturating_add(MOST_HEADERS));
            let member = self.member(&mut entry)?;
            if let Some(check) = &mut self.format_check {
                check.member(&member, &std::mem::take(&mut *self.recorder.recorded.borrow_mut()));
                self.recorder.is_recording.set(true);
            }
            if member.is_file() {
                self.ends.push((self.count.get(), member.size));
            }
            self.members.push(member);
        }
        let mut rest = archive.into_inner().inner;
        // Record the expected end, and only count what follows: it may be of any size.
        io::copy(&mut (&mut rest).take(written::end().len() as u64), &mut io::sink())?;
        self.recorder.is_recording.set(false);
        let trailing = io::copy(&mut rest, &mut io::sink())?;
        if let Some(check) = &mut self.format_check {
            check.end(&self.recorder.recorded.borrow(), trailing);
        }
        Ok(())
    }

    fn member(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> io::Result<LayerMember> {
        let path = relative(&entry.path_bytes());
        self.memory += path.len() + size_of::<LayerMember>();
        if self.memory > MOST_MEMORY {
            return Err(invalid("it has too many files".to_owned()));
        }
        let header = entry.header();
        // Old archives have empty fields. The headers of pybundle's layers are compared byte by byte elsewhere.
        let (mode, time) = (header.mode().unwrap_or(0) & 0o7777, header.mtime().unwrap_or(0));
        let ids = (header.uid().unwrap_or(0), header.gid().unwrap_or(0));
        let entry_type = header.entry_type();
        let target = entry.link_name_bytes().map(|target| text(&target)).unwrap_or_default();
        let kind = match (entry_type, whiteout(&path)) {
            (entry_type, None) if entry_type.is_dir() => LayerMemberKind::Directory,
            (_, Some(kind)) => kind,
            (entry_type, None) if entry_type.is_symlink() => LayerMemberKind::File(FileKind::Symlink(target)),
            (entry_type, None) if entry_type.is_hard_link() => {
                LayerMemberKind::File(FileKind::HardLink(relative_link(&target)))
            }
            (entry_type, None) if entry_type.is_file() || entry_type.is_gnu_sparse() || entry_type.is_contiguous() => {
                LayerMemberKind::File(FileKind::Regular)
            }
            _ => LayerMemberKind::File(FileKind::Special),
        };
        let (sha256, size) = match &kind {
            LayerMemberKind::File(FileKind::Symlink(target) | FileKind::HardLink(target)) => {
                (Sha256::of(target.as_bytes()), 0)
            }
            _ => self.content(&path, entry)?,
        };
        Ok(LayerMember { path, kind, size, compressed_size: 0, mode, ids, time, sha256 })
    }

    fn content(&mut self, path: &str, entry: &mut tar::Entry<'_, impl Read>) -> io::Result<(Sha256, u64)> {
        let mut hasher = sha2::Sha256::new();
        let is_kept = origins::is_record(path) || packages::is_database(path);
        let mut record = (is_kept && entry.size() <= LARGEST_RECORD).then(Vec::new);
        let (mut buffer, mut size) = (vec![0; BUFFER], 0);
        loop {
            let length = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&buffer[..length]);
            if let Some(record) = &mut record {
                record.extend_from_slice(&buffer[..length]);
            }
            size += length as u64;
        }
        if size < entry.size() && !entry.header().entry_type().is_gnu_sparse() {
            return Err(invalid(format!("`{}` is truncated", path.escape_debug())));
        }
        self.records.extend(record.map(|record| (path.to_owned(), record)));
        Ok((Sha256(hasher.finalize().into()), size))
    }
}

/// Compares the order of a layer's members and every byte of their headers with what pybundle writes.
#[derive(Default)]
struct LayerFormatCheck {
    problems: Vec<ArtifactProblem>,
    /// The size of the previous member, whose padding precedes a header.
    previous_size: u64,
    /// The path of the previous member; that of a directory ends in a slash.
    previous_path: String,
}

impl LayerFormatCheck {
    fn member(&mut self, member: &LayerMember, recorded: &[u8]) {
        if layer::has_whiteout(&member.path) {
            self.find(&member.path, "it is a whiteout, which removes files of lower layers");
        }
        let (uid, gid) = member.ids;
        let owner = FileOwner { uid: u32::try_from(uid).unwrap_or(0), gid: u32::try_from(gid).unwrap_or(0) };
        let expected_member = match &member.kind {
            // Directories that the base has, too, keep the base's access.
            LayerMemberKind::Directory => TarMember::Directory(FileAccess { mode: member.mode.into(), owner }),
            LayerMemberKind::File(FileKind::Regular) => {
                let access = FileAccess { mode: FileMode::from(member.mode & 0o777), owner };
                TarMember::File { access, size: member.size }
            }
            LayerMemberKind::File(FileKind::Symlink(target)) => TarMember::Link(target),
            LayerMemberKind::Whiteout(_) | LayerMemberKind::Opaque(_) => {
                self.previous_size = member.size;
                return;
            }
            LayerMemberKind::File(FileKind::HardLink(_) | FileKind::Special) => {
                self.find(&member.path, "it is neither a file, a directory nor a symbolic link");
                self.previous_size = member.size;
                return;
            }
        };
        let mut expected = written::padding(self.previous_size).to_vec();
        written::append_header(TarFormat::Layer, &member.path, expected_member, &mut expected);
        if expected != recorded {
            self.find(&member.path, &differing(&expected, recorded, member.mode));
        }
        self.previous_size = member.size;
        match expected_member {
            TarMember::Directory(_) => self.order(format!("{}/", member.path)),
            _ => self.order(member.path.clone()),
        }
    }

    /// Checks that members are sorted and that each follows its parent directory: the previous member is that directory,
    /// or is inside it. The path of a directory ends in a slash.
    fn order(&mut self, path: String) {
        if path <= self.previous_path {
            let message =
                format!("it comes after `{}`: members must be sorted by path", self.previous_path.escape_debug());
            self.find(&path, &message);
        }
        let above = path.trim_end_matches('/').rfind('/').map_or("", |at| &path[..=at]);
        if !self.previous_path.starts_with(above) {
            self.find(&path, "its parent directories do not precede it exactly once");
        }
        self.previous_path = path;
    }

    fn end(&mut self, recorded: &[u8], trailing: u64) {
        let expected = [written::padding(self.previous_size), written::end()].concat();
        if recorded != expected || trailing > 0 {
            let message = "the layer does not end with two blocks of zeros and nothing else";
            self.problems.push(ArtifactProblem::whole(message));
        }
    }

    fn find(&mut self, path: &str, message: &str) {
        self.problems.push(ArtifactProblem::at(path, message));
    }
}

/// The offsets of the fields of a header (POSIX, ustar interchange format).
const FIELDS: [(usize, &str); 15] = [
    (0, "name"),
    (100, "mode"),
    (108, "owner"),
    (116, "group"),
    (124, "size"),
    (136, "time"),
    (148, "checksum"),
    (156, "type"),
    (157, "link"),
    (257, "magic"),
    (265, "owner's name"),
    (297, "group's name"),
    (329, "device"),
    (345, "prefix"),
    (500, "padding"),
];

/// Describes how a header differs from what pybundle writes.
fn differing(expected: &[u8], recorded: &[u8], mode: u32) -> String {
    if expected.len() != recorded.len() {
        return "its headers are not those that pybundle writes".to_owned();
    }
    let start = expected.len() - written::BLOCK;
    let mut fields = FIELDS.iter().enumerate().filter(|(index, (from, _))| {
        let until = FIELDS.get(index + 1).map_or(written::BLOCK, |(until, _)| *until);
        expected[start + from..start + until] != recorded[start + from..start + until]
    });
    // The checksum differs whenever another field does.
    let first = fields.clone().find(|(_, (_, name))| *name != "checksum").or_else(|| fields.next());
    match first {
        Some((_, (_, "mode"))) if mode > 0o777 => format!("its mode is {mode:04o}, which sets a special bit"),
        Some((_, (_, name))) => format!("the {name} in its header is not what pybundle writes"),
        None => "the bytes before its header are not what pybundle writes".to_owned(),
    }
}

/// Returns what a whiteout removes, or `None` for any other path.
fn whiteout(path: &str) -> Option<LayerMemberKind> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.strip_prefix(".wh.")? {
        ".wh..opq" => Some(LayerMemberKind::Opaque(directory.to_owned())),
        // Metadata of AUFS (`.wh..wh.aufs`, `.wh..wh.plnk`) removes nothing, and is not a file of the image.
        removed if removed.is_empty() || removed.starts_with(".wh.") => Some(LayerMemberKind::Directory),
        removed if directory.is_empty() => Some(LayerMemberKind::Whiteout(removed.to_owned())),
        removed => Some(LayerMemberKind::Whiteout(format!("{directory}/{removed}"))),
    }
}

/// Normalizes the path of a member, relative to the root.
fn relative(path: &[u8]) -> String {
    relative_link(&text(path))
}

fn relative_link(path: &str) -> String {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/")
}

/// Converts bytes to a string. Those that are not UTF-8 are escaped.
fn text(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .fold(String::new(), |text, chunk| text + chunk.valid() + &chunk.invalid().escape_ascii().to_string())
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
