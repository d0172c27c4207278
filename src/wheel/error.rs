//! Errors about invalid wheels.

use std::fmt;
use std::io;

use super::violation::BrokenRule;
use super::{directory, inventory};
use crate::hints::Hints;
use crate::wheel::filename::WheelFilename;

/// An invalid wheel.
#[derive(Debug)]
pub struct WheelError {
    /// The wheel's file name.
    pub wheel: String,
    /// The invalid entry; `None` if the error is about the whole archive. Untrusted: it may contain control characters.
    pub entry: Option<String>,
    /// What is wrong with the entry or the archive.
    pub kind: WheelErrorKind,
}

impl std::error::Error for WheelError {
    /// Returns the cause of the kind, since the message includes the kind itself.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind.source()
    }
}

impl fmt::Display for WheelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(formatter, "{}: `{}`: {}", self.wheel, entry.escape_debug(), self.kind),
            None => write!(formatter, "{}: {}", self.wheel, self.kind),
        }
    }
}

impl Hints for WheelError {
    fn hints(&self) -> Vec<String> {
        let another = "lock another version of the wheel, or report the problem to its maintainers".to_owned();
        match &self.kind {
            WheelErrorKind::Read(_) => Vec::new(),
            kind if kind.is_damage() => vec![
                "download the file again, or lock another version of the wheel if it is damaged in the index, too"
                    .to_owned(),
            ],
            WheelErrorKind::Violation(_) => {
                let accept = self.wheel.parse::<WheelFilename>().ok().map(|filename| {
                    format!("pass --accept-invalid {} to install the wheel as pip does, despite this", filename.name)
                });
                accept.into_iter().chain([another]).collect()
            }
            _ => vec![another],
        }
    }
}

/// An invalid archive that may be a wheel or a finished artifact.
#[derive(Debug)]
pub struct StrictArchiveError {
    /// As [`WheelError::entry`].
    pub entry: Option<String>,
    /// As [`WheelError::kind`].
    pub kind: WheelErrorKind,
}

impl StrictArchiveError {
    pub(super) fn of(self, wheel: &WheelFilename) -> WheelError {
        WheelError { wheel: wheel.to_string(), entry: self.entry, kind: self.kind }
    }
}

impl From<WheelErrorKind> for StrictArchiveError {
    fn from(kind: WheelErrorKind) -> Self {
        Self { entry: None, kind }
    }
}

/// A field that is both in an entry's local header and in the central directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are named after APPNOTE's fields")]
pub enum HeaderField {
    Name,
    Flags,
    Method,
    Crc32,
    CompressedSize,
    Size,
}

impl fmt::Display for HeaderField {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Name => "name",
            Self::Flags => "flags",
            Self::Method => "compression method",
            Self::Crc32 => "CRC-32",
            Self::CompressedSize => "compressed size",
            Self::Size => "size",
        })
    }
}

/// What is wrong with a wheel, or with one of its entries.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message describes it")]
pub enum WheelErrorKind {
    #[error("it cannot be read")]
    Read(#[source] io::Error),

    // The archive as a whole.
    #[error("it is not a zip archive: it has no end of central directory record")]
    NoEndRecord,
    #[error("{0} bytes follow the end of the archive")]
    TrailingBytes(u64),
    #[error("it is truncated: the archive comment should be {0} bytes longer")]
    CommentCutShort(u64),
    #[error("the archive comment has control characters and may hide another archive")]
    HiddenArchive,
    #[error("the archive is split over several disks")]
    MultipleDisks,
    #[error("the zip64 end of central directory {0}")]
    Zip64End(&'static str),
    #[error(
        "the central directory is declared at offset {offset} with {size} bytes, but the next record begins at {end}"
    )]
    DirectoryOffset { offset: u64, size: u64, end: u64 },
    #[error("the central directory has {0} bytes, expected at most {max}", max = directory::LARGEST)]
    DirectorySize(u64),
    #[error("the central directory is invalid at byte {0}")]
    InvalidDirectory(u64),
    #[error("the archive declares {declared} entries, but has {found}")]
    EntryCount { declared: u64, found: u64 },
    #[error("{0} bytes precede the first entry")]
    Prefix(u64),

    // An entry's headers.
    #[error("its name is invalid: {0}")]
    InvalidName(&'static str),
    #[error("two entries have this name")]
    Duplicate,
    #[error("it is both a file and a directory")]
    FileAndDirectory,
    #[error("it is compressed with {}; only stored and deflated entries are supported", compression(*.0))]
    Method(u16),
    #[error("it is encrypted")]
    Encrypted,
    #[error("it has unknown flags: {0:#06x}")]
    Flags(u16),
    #[error("it is a {0}; only files and directories are allowed")]
    FileType(&'static str),
    #[error("it is a directory, but has content")]
    DirectoryContent,
    #[error("its extra field {0}")]
    ExtraField(&'static str),
    #[error("it has no local header at byte {0}")]
    NoLocalHeader(u64),
    #[error("the local header and the central directory disagree on its {0}")]
    Disagreement(HeaderField),
    #[error("it overlaps what follows by {0} bytes")]
    Overlap(u64),
    #[error("{0} bytes after it belong to no entry")]
    Gap(u64),
    #[error("its data descriptor is missing")]
    MissingDescriptor,
    #[error("it has a data descriptor, but its flags do not announce one")]
    UnexpectedDescriptor,
    #[error("its data descriptor and the central directory disagree on its {0}")]
    DescriptorDisagreement(HeaderField),
    #[error("it is stored, but its compressed size ({compressed}) differs from its size ({size})")]
    StoredSizes { compressed: u64, size: u64 },

    // An entry's bytes.
    #[error("its deflate stream {0}")]
    Deflate(&'static str),
    #[error("{0} bytes follow its deflate stream")]
    DeflateTrailing(u64),
    #[error("it inflates to more than the {0} bytes that its headers declare")]
    TooLong(u64),
    #[error("it inflates to {actual} bytes, expected {expected}")]
    TooShort { expected: u64, actual: u64 },
    #[error("its CRC-32 is {actual:08x}, expected {expected:08x}")]
    Crc32 { expected: u32, actual: u32 },
    #[error("it has {0} bytes, expected at most {max}", max = inventory::LARGEST_TEXT)]
    TextSize(u64),
    #[error("it is not UTF-8")]
    NotUtf8,

    // What a wheel must be.
    #[error("it has no top-level `.dist-info` directory")]
    NoDistInfo,
    #[error("it has {} top-level `.dist-info` directories: {}", .0.len(), .0.join(", "))]
    SeveralDistInfo(Vec<String>),
    #[error("it is missing from the wheel")]
    MissingFile,
    #[error("its distribution name `{0}` differs from the one in the wheel's file name")]
    DistributionName(String),
    #[error("its version `{0}` differs from the one in the wheel's file name")]
    DistributionVersion(String),
    #[error("its headers cannot be parsed: {0}")]
    InvalidHeaders(String),
    #[error("it has no `{0}` header")]
    MissingHeader(&'static str),
    #[error("its Wheel-Version is `{0}`; only 1.x is supported")]
    WheelVersion(String),
    #[error("its Root-Is-Purelib is `{0}`, expected `true` or `false`")]
    RootIsPurelib(String),
    #[error("it is in an unknown scheme; `.data` may contain purelib, platlib, scripts, headers and data")]
    UnknownScheme,
    #[error("it is in a `.data` directory that does not belong to the wheel's `.dist-info`")]
    ForeignData,
    #[error("it is a script in a subdirectory; scripts have no subdirectories")]
    ScriptSubdirectory,
    #[error("the script name `{0}` is reserved for a Python interpreter")]
    ReservedScript(String),
    #[error("`{}` is not a valid script name", .0.escape_debug())]
    ScriptName(String),
    #[error("line {line}: {reason}")]
    EntryPoint { line: usize, reason: String },
    #[error("line {line}: {reason}")]
    UnreadableRecord { line: u64, reason: &'static str },
    #[error(transparent)]
    Violation(#[from] BrokenRule),
    #[error("another file of the wheel is installed at the same path")]
    DuplicateDestination,
    #[error("it cannot be installed: {0}")]
    InvalidDestination(&'static str),
}

impl WheelErrorKind {
    /// Returns the error for an entry.
    pub(super) fn at(self, entry: impl Into<String>) -> StrictArchiveError {
        StrictArchiveError { entry: Some(entry.into()), kind: self }
    }

    /// Returns whether an incomplete or corrupted download explains the error better than a build backend's mistake.
    fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::NoEndRecord
                | Self::TrailingBytes(_)
                | Self::CommentCutShort(_)
                | Self::InvalidDirectory(_)
                | Self::NoLocalHeader(_)
                | Self::Deflate(_)
                | Self::Crc32 { .. }
        )
    }
}

/// Returns the name of a compression method (4.4.5).
fn compression(method: u16) -> String {
    let name = match method {
        9 => "Deflate64",
        12 => "bzip2",
        14 => "LZMA",
        93 => "Zstandard",
        95 => "XZ",
        _ => return format!("the unknown method {method}"),
    };
    format!("{name} (method {method})")
}
