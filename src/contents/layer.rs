//! Reading a layer: its members, and whether pybundle would have written them so.
//!
//! One pass over the layer finds its digest, its diff ID and the digest of every file in it.
//!
//! Specification: [OCI image layer filesystem changeset](https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md).

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::MultiGzDecoder;
use sha2::Digest as _;

use super::measure::{self, MeasuringReader};
use super::{FileKind, LARGEST_RECORD, owners};
use crate::archive::tar::{self as written, TarFormat, TarMember};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent};
use crate::limited_reader::LimitedReader;
use crate::tree::{FileAccess, FileMode, FileOwner};

/// The most that the headers of one member may take, in bytes: they are held in memory.
const MOST_HEADERS: u64 = 1 << 20;

/// The most that the paths of a layer may take, in bytes: no image has so many files.
const MOST_PATHS: usize = 256 << 20;

/// How much is read at a time, in bytes.
const BUFFER: usize = 64 << 10;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactProblem {
    /// Where: a file, a layer or a document; none for the artifact as a whole. It may be any text.
    pub place: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl ArtifactProblem {
    /// Something that is wrong in one place.
    pub fn at(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: Some(place.into()), message: message.into() }
    }
}

/// What reading a layer has found.
#[derive(Debug)]
pub struct ScannedLayer {
    /// The digest of the layer as it is stored.
    pub digest: Sha256,
    /// Its size as it is stored, in bytes.
    pub size: u64,
    /// The digest of its uncompressed bytes, as far as they could be had.
    pub diff_id: Sha256,
    /// Why not all of it could be read.
    pub failure: Option<io::Error>,
    /// Where it is not what pybundle writes, if that was asked for.
    pub findings: Vec<ArtifactProblem>,
    pub(super) members: Vec<LayerMember>,
    pub(super) records: Vec<(String, Vec<u8>)>,
}

/// A member of a layer.
#[derive(Debug)]
pub(super) struct LayerMember {
    pub path: String,
    pub kind: LayerMemberKind,
    pub size: u64,
    pub compressed_size: u64,
    pub mode: u32,
    pub ids: (u64, u64),
    pub time: u64,
    pub sha256: Sha256,
}

/// What a member does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LayerMemberKind {
    File(FileKind),
    Directory,
    /// It removes a path of the layers below (layer, whiteouts).
    Whiteout(String),
    /// It removes what the layers below have in a directory.
    Opaque(String),
}

/// Reads a layer that lies in a file. With `is_own`, compares it with what pybundle writes.
///
/// # Errors
/// The file cannot be opened. What is wrong with the layer is in the result.
pub fn read(blob: &Blob, is_own: bool) -> io::Result<ScannedLayer> {
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
    let mut taken = MeasuringReader::new(reader, &count);
    let tap = TarRecorder::default();
    let mut walk = LayerScanner {
        tap: &tap,
        count: &count,
        layout: is_own.then(LayerFormatCheck::default),
        ..LayerScanner::new(&tap, &count)
    };
    let failure = walk.compressed(&mut taken, media_type).err();
    let LayerScanner { mut members, ends, records, layout, .. } = walk;
    let (digest, size) = taken.finish()?;
    for (member, share) in members.iter_mut().filter(|m| m.is_file()).zip(measure::divide(&ends, size)) {
        member.compressed_size = share;
    }
    let diff_id = Sha256(tap.hasher.into_inner().finalize().into());
    let findings = layout.map(|layout| layout.findings).unwrap_or_default();
    Ok(ScannedLayer { digest, size, diff_id, failure, findings, members, records })
}

impl LayerMember {
    fn is_file(&self) -> bool {
        matches!(self.kind, LayerMemberKind::File(_))
    }
}

/// What is seen of the uncompressed bytes besides the tar reader.
#[derive(Default)]
struct TarRecorder {
    hasher: RefCell<sha2::Sha256>,
    /// The bytes between the content of one member and that of the next, while they are recorded.
    recorded: RefCell<Vec<u8>>,
    is_recording: Cell<bool>,
}

/// A reader of uncompressed bytes that shows them to the tap.
struct RecordingReader<'a> {
    inner: Box<dyn Read + 'a>,
    tap: &'a TarRecorder,
}

impl Read for RecordingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.tap.hasher.borrow_mut().update(&buffer[..length]);
        if self.tap.is_recording.get() {
            self.tap.recorded.borrow_mut().extend_from_slice(&buffer[..length]);
        }
        Ok(length)
    }
}

/// The way through a layer.
struct LayerScanner<'a> {
    tap: &'a TarRecorder,
    count: &'a Cell<u64>,
    members: Vec<LayerMember>,
    /// For each file, how many compressed bytes had been taken when it ended, and its size.
    ends: Vec<(u64, u64)>,
    records: Vec<(String, Vec<u8>)>,
    layout: Option<LayerFormatCheck>,
    /// How many bytes the paths so far take.
    paths: usize,
}

impl<'a> LayerScanner<'a> {
    fn new(tap: &'a TarRecorder, count: &'a Cell<u64>) -> Self {
        Self { tap, count, members: Vec::new(), ends: Vec::new(), records: Vec::new(), layout: None, paths: 0 }
    }

    fn compressed(&mut self, taken: &mut impl BufRead, media_type: &str) -> io::Result<()> {
        let inner: Box<dyn Read + '_> = match media_type.rsplit(['.', '+']).next() {
            Some("gzip") => Box::new(MultiGzDecoder::new(taken)),
            Some("zstd") => Box::new(zstd::Decoder::with_buffer(taken)?),
            Some("tar") => Box::new(taken),
            _ => return Err(invalid(format!("`{}` is no media type of a layer", media_type.escape_debug()))),
        };
        let tap = self.tap;
        self.tar(RecordingReader { inner, tap })
    }

    fn tar(&mut self, tapped: RecordingReader<'_>) -> io::Result<()> {
        let remaining = Cell::new(MOST_HEADERS);
        let mut archive = tar::Archive::new(LimitedReader { inner: tapped, remaining: &remaining });
        self.tap.is_recording.set(self.layout.is_some());
        for entry in archive.entries()? {
            let mut entry = entry?;
            self.tap.is_recording.set(false);
            let stored =
                if entry.header().entry_type().is_gnu_sparse() { entry.header().entry_size()? } else { entry.size() };
            remaining.set(stored.saturating_add(MOST_HEADERS));
            let member = self.member(&mut entry)?;
            if let Some(layout) = &mut self.layout {
                layout.member(&member, &std::mem::take(&mut *self.tap.recorded.borrow_mut()));
                self.tap.is_recording.set(true);
            }
            if member.is_file() {
                self.ends.push((self.count.get(), member.size));
            }
            self.members.push(member);
        }
        let mut rest = archive.into_inner().inner;
        // Nothing but the end is expected, so nothing much is recorded.
        io::copy(&mut (&mut rest).take(written::end().len() as u64), &mut io::sink())?;
        self.tap.is_recording.set(false);
        let trailing = io::copy(&mut rest, &mut io::sink())?;
        if let Some(layout) = &mut self.layout {
            layout.end(&self.tap.recorded.borrow(), trailing);
        }
        Ok(())
    }

    fn member(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> io::Result<LayerMember> {
        let path = relative(&entry.path_bytes());
        self.paths += path.len() + size_of::<LayerMember>();
        if self.paths > MOST_PATHS {
            return Err(invalid("it has more files than any image".to_owned()));
        }
        let header = entry.header();
        // Old archives leave fields empty; of layers that pybundle made, every byte of the header is compared.
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
        let mut kept = (owners::is_record(path) && entry.size() <= LARGEST_RECORD).then(Vec::new);
        let (mut buffer, mut size) = (vec![0; BUFFER], 0);
        loop {
            let length = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&buffer[..length]);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(&buffer[..length]);
            }
            size += length as u64;
        }
        if size < entry.size() && !entry.header().entry_type().is_gnu_sparse() {
            return Err(invalid(format!("`{}` is cut short", path.escape_debug())));
        }
        self.records.extend(kept.map(|record| (path.to_owned(), record)));
        Ok((Sha256(hasher.finalize().into()), size))
    }
}

/// The comparison of a layer with how pybundle writes one: the order of its members, and every byte of their headers.
#[derive(Default)]
struct LayerFormatCheck {
    findings: Vec<ArtifactProblem>,
    /// The size of the member before, whose padding precedes a header.
    before: u64,
    /// The path of the member before; that of a directory ends in a slash.
    previous: String,
}

impl LayerFormatCheck {
    fn member(&mut self, member: &LayerMember, recorded: &[u8]) {
        let id = |id: u64| u32::try_from(id).unwrap_or(0);
        let owner = FileOwner { uid: id(member.ids.0), gid: id(member.ids.1) };
        let kind = match &member.kind {
            // The directories of a base keep what they have.
            LayerMemberKind::Directory => TarMember::Directory(FileAccess { mode: member.mode.into(), owner }),
            LayerMemberKind::File(FileKind::Regular) => {
                let access = FileAccess { mode: FileMode::from(member.mode & 0o777), owner };
                TarMember::File { access, size: member.size }
            }
            LayerMemberKind::File(FileKind::Symlink(target)) => TarMember::Link(target),
            _ => {
                self.find(&member.path, "it is neither a file, a directory nor a symbolic link");
                self.before = member.size;
                return;
            }
        };
        let mut expected = written::padding(self.before).to_vec();
        written::append_header(TarFormat::Layer, &member.path, kind, &mut expected);
        if expected != recorded {
            self.find(&member.path, &differing(&expected, recorded, member.mode));
        }
        self.before = member.size;
        match kind {
            TarMember::Directory(_) => self.order(format!("{}/", member.path)),
            _ => self.order(member.path.clone()),
        }
    }

    /// Checks that a member, of whose path a slash ends a directory's, comes after the one before it, and after the directory
    /// that it is in: that is the member before it, or one above that.
    fn order(&mut self, path: String) {
        if path <= self.previous {
            let message =
                format!("it comes after `{}`: members are ordered by their paths", self.previous.escape_debug());
            self.find(&path, &message);
        }
        let above = path.trim_end_matches('/').rfind('/').map_or("", |at| &path[..=at]);
        if !self.previous.starts_with(above) {
            self.find(&path, "the directories above it do not stand once before it");
        }
        self.previous = path;
    }

    fn end(&mut self, recorded: &[u8], trailing: u64) {
        let expected = [written::padding(self.before), written::end()].concat();
        if recorded != expected || trailing > 0 {
            let message = "the layer does not end with two blocks of zeros and nothing else";
            self.findings.push(ArtifactProblem { place: None, message: message.to_owned() });
        }
    }

    fn find(&mut self, path: &str, message: &str) {
        self.findings.push(ArtifactProblem::at(path, message));
    }
}

/// The fields of a header (POSIX, ustar interchange format), but for the checksum, which follows from them.
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

/// Says where the blocks of a header are not what pybundle writes.
fn differing(expected: &[u8], recorded: &[u8], mode: u32) -> String {
    if expected.len() != recorded.len() {
        return "its headers are not those that pybundle writes".to_owned();
    }
    let start = expected.len() - 512;
    let mut fields = FIELDS.iter().enumerate().filter(|(index, (from, _))| {
        let until = FIELDS.get(index + 1).map_or(512, |(until, _)| *until);
        expected[start + from..start + until] != recorded[start + from..start + until]
    });
    let is_checksum = |name: &str| name == "checksum";
    let first = fields.clone().find(|(_, (_, name))| !is_checksum(name)).or_else(|| fields.next());
    match first {
        Some((_, (_, "mode"))) if mode > 0o777 => format!("its mode is {mode:04o}, which sets a special bit"),
        Some((_, (_, name))) => format!("the {name} in its header is not what pybundle writes"),
        None => "the bytes before its header are not what pybundle writes".to_owned(),
    }
}

/// Returns what a whiteout does, if a path is one's.
fn whiteout(path: &str) -> Option<LayerMemberKind> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.strip_prefix(".wh.")? {
        ".wh..opq" => Some(LayerMemberKind::Opaque(directory.to_owned())),
        // The notes of AUFS remove nothing, and are no files either.
        removed if removed.is_empty() || removed.starts_with(".wh.") => Some(LayerMemberKind::Directory),
        removed if directory.is_empty() => Some(LayerMemberKind::Whiteout(removed.to_owned())),
        removed => Some(LayerMemberKind::Whiteout(format!("{directory}/{removed}"))),
    }
}

/// Returns the path of a member relative to the root.
fn relative(path: &[u8]) -> String {
    relative_link(&text(path))
}

fn relative_link(path: &str) -> String {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).collect::<Vec<_>>().join("/")
}

/// Returns bytes as text; those that are not UTF-8 are escaped.
fn text(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .fold(String::new(), |text, chunk| text + chunk.valid() + &chunk.invalid().escape_ascii().to_string())
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
