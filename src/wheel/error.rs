//! Why a wheel is refused.

use std::fmt;
use std::io;

use crate::wheel::filename::WheelFilename;

/// A wheel that is refused: which, where in it, and why.
#[derive(Debug)]
pub struct WheelError {
    /// The wheel's file name.
    pub wheel: String,
    /// The entry of the archive that is at fault, if it is one; it may be any text.
    pub entry: Option<String>,
    /// What is wrong.
    pub fault: WheelErrorKind,
}

impl std::error::Error for WheelError {
    /// Returns what the message does not say: the fault is part of it.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}

impl fmt::Display for WheelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(formatter, "{}: `{}`: {}", self.wheel, entry.escape_debug(), self.fault),
            None => write!(formatter, "{}: {}", self.wheel, self.fault),
        }
    }
}

impl WheelError {
    /// Returns what can be done about it.
    pub fn hints(&self) -> Vec<String> {
        let hint = match &self.fault {
            WheelErrorKind::Read(_) => return Vec::new(),
            fault if fault.is_damage() => {
                "the file is damaged: remove it from where it was fetched to, and fetch it again"
            }
            WheelErrorKind::PlaceTaken => {
                "two of the wheel's files want one place: another version of the wheel may differ"
            }
            _ => "the wheel was built wrongly: lock another version, or ask its maintainers to build it anew",
        };
        vec![hint.to_owned()]
    }
}

/// A fault, and the entry it is in.
#[derive(Debug)]
pub struct StrictArchiveError {
    /// The entry; none if the archive as a whole is wrong. It may be any text.
    pub entry: Option<String>,
    /// What is wrong.
    pub fault: WheelErrorKind,
}

impl StrictArchiveError {
    /// Names the wheel.
    pub(super) fn of(self, wheel: &WheelFilename) -> WheelError {
        WheelError { wheel: wheel.to_string(), entry: self.entry, fault: self.fault }
    }
}

impl From<WheelErrorKind> for StrictArchiveError {
    fn from(fault: WheelErrorKind) -> Self {
        Self { entry: None, fault }
    }
}

/// A field of which the archive has two copies: one in an entry's local header, one in the central directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderField {
    /// The name.
    Name,
    /// The general purpose flags.
    Flags,
    /// The compression method.
    Method,
    /// The CRC-32.
    Crc32,
    /// The number of compressed bytes.
    CompressedSize,
    /// The number of uncompressed bytes.
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
pub enum WheelErrorKind {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),

    // The archive as a whole.
    /// There is no end record.
    #[error("it is not a zip archive: no end of central directory record was found")]
    NoEnd,
    /// Bytes follow the end record and its comment.
    #[error("{0} bytes follow the end of the archive")]
    TrailingBytes(u64),
    /// The comment goes on past the end of the file.
    #[error("it is cut short: the archive's comment should be {0} bytes longer")]
    CommentCutShort(u64),
    /// The comment may be another archive.
    #[error("the archive's comment has control characters, as another archive hidden in it would")]
    Comment,
    /// The archive has several disks.
    #[error("the archive is one of several disks")]
    MultipleDisks,
    /// The zip64 end records are wrong.
    #[error("the zip64 end of central directory {0}")]
    Zip64End(&'static str),
    /// The central directory does not end where the end record begins.
    #[error("the central directory is stated at {offset} with {size} bytes, but the record after it begins at {end}")]
    DirectoryPlace {
        /// The stated offset.
        offset: u64,
        /// The stated size.
        size: u64,
        /// Where the record after it begins.
        end: u64,
    },
    /// The central directory is larger than any wheel's.
    #[error("the central directory has {0} bytes, more than a wheel's can have")]
    DirectorySize(u64),
    /// The central directory holds something other than headers.
    #[error("the central directory is broken at byte {0}")]
    Directory(u64),
    /// The count of entries is wrong.
    #[error("the archive states {stated} entries, but has {found}")]
    Count {
        /// The stated number.
        stated: u64,
        /// The number of entries.
        found: u64,
    },
    /// The archive does not begin with its first entry.
    #[error("{0} bytes precede the first entry")]
    Prefix(u64),

    // An entry's headers.
    /// The name is not a path.
    #[error("its name is refused: {0}")]
    Name(&'static str),
    /// There are two entries of this name.
    #[error("there are two entries of this name")]
    Duplicate,
    /// The path is a file and also a folder.
    #[error("it is both a file and a folder")]
    FileAndFolder,
    /// The compression method is not allowed in a wheel.
    #[error("its compression method is {0}; only 0 (stored) and 8 (deflated) are allowed")]
    Method(u16),
    /// The entry is encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// Flags are set that no wheel has.
    #[error("it has the unknown flags {0:#06x}")]
    Flags(u16),
    /// The entry is neither a file nor a folder.
    #[error("it is a {0}; only files and folders are allowed")]
    FileType(&'static str),
    /// A folder has content.
    #[error("it is a folder, but has content")]
    FolderContent,
    /// The extra field is wrong.
    #[error("its extra field {0}")]
    Extra(&'static str),
    /// There is no local header where the central directory says.
    #[error("there is no local header at byte {0}")]
    NoLocalHeader(u64),
    /// The two copies of a field differ.
    #[error("the local header and the central directory disagree on its {0}")]
    Disagreement(HeaderField),
    /// The entry's bytes are also another's.
    #[error("it overlaps what follows it by {0} bytes")]
    Overlap(u64),
    /// Bytes after the entry belong to none.
    #[error("{0} bytes after it belong to no entry")]
    Gap(u64),
    /// The flags promise a data descriptor that is not there.
    #[error("its data descriptor is missing")]
    DescriptorMissing,
    /// There is a data descriptor that the flags do not promise.
    #[error("it has a data descriptor, which its flags deny")]
    DescriptorUnexpected,
    /// The data descriptor states something else than the central directory.
    #[error("its data descriptor and the central directory disagree on its {0}")]
    DescriptorMismatch(HeaderField),
    /// A stored entry has two sizes.
    #[error("it is stored, but its compressed size ({compressed}) is not its size ({size})")]
    StoredSizes {
        /// The compressed size.
        compressed: u64,
        /// The size.
        size: u64,
    },

    // An entry's bytes.
    /// The deflate stream is wrong.
    #[error("its deflate stream {0}")]
    Deflate(&'static str),
    /// Bytes follow the deflate stream.
    #[error("{0} bytes follow its deflate stream")]
    DeflateTrailing(u64),
    /// The entry inflates to more than it states.
    #[error("it has more than the {0} bytes that it states")]
    TooLong(u64),
    /// The entry inflates to less than it states.
    #[error("it has {actual} bytes, but states {stated}")]
    TooShort {
        /// The stated size.
        stated: u64,
        /// The size.
        actual: u64,
    },
    /// The CRC-32 is wrong.
    #[error("its CRC-32 is {actual:08x}, but it states {stated:08x}")]
    Crc32 {
        /// The stated checksum.
        stated: u32,
        /// The checksum.
        actual: u32,
    },
    /// A file that is read into memory is larger than any such file.
    #[error("it has {0} bytes, more than such a file can have")]
    TextSize(u64),
    /// A file of the wheel's own metadata is not text.
    #[error("it is not UTF-8")]
    NotUtf8,

    // What a wheel must be.
    /// There is no `.dist-info` folder.
    #[error("it has no top-level `.dist-info` folder")]
    NoDistInfo,
    /// There is more than one `.dist-info` folder.
    #[error("it has {} top-level `.dist-info` folders: {}", .0.len(), .0.join(", "))]
    SeveralDistInfo(Vec<String>),
    /// A file that every wheel has is missing.
    #[error("it is missing from the wheel")]
    Missing,
    /// The name is not the file name's.
    #[error("it is of the distribution `{0}`, not of the one in the wheel's file name")]
    DistributionName(String),
    /// The version is not the file name's.
    #[error("it is of version `{0}`, not of the one in the wheel's file name")]
    Version(String),
    /// The file's headers cannot be parsed.
    #[error("its headers cannot be parsed: {0}")]
    Headers(String),
    /// A header is missing.
    #[error("it has no `{0}`")]
    HeaderMissing(&'static str),
    /// The version of the wheel format is not 1.
    #[error("its Wheel-Version is `{0}`; only 1.x is known")]
    WheelVersion(String),
    /// Root-Is-Purelib is neither true nor false.
    #[error("its Root-Is-Purelib is `{0}`, neither `true` nor `false`")]
    RootIsPurelib(String),
    /// A file is in no known folder of `.data`.
    #[error("it is in no known scheme; `.data` may hold purelib, platlib, scripts, headers and data")]
    Scheme,
    /// A `.data` folder belongs to another distribution.
    #[error("it is in a `.data` folder that does not belong to the wheel's `.dist-info`")]
    ForeignData,
    /// A script is in a folder.
    #[error("it is in a folder of scripts; scripts have no folders")]
    ScriptFolder,
    /// A script's name is an interpreter's.
    #[error("a script may not be named `{0}`, which is an interpreter's name")]
    ReservedScript(String),
    /// A script's name is not a file's.
    #[error("`{}` is not a script's name", .0.escape_debug())]
    ScriptName(String),
    /// A line of `entry_points.txt` cannot be understood.
    #[error("line {line}: {reason}")]
    EntryPoint {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A row of RECORD cannot be understood.
    #[error("line {line}: {reason}")]
    RecordRow {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is not listed in RECORD.
    #[error("it is not listed in RECORD")]
    Unlisted,
    /// RECORD lists a file that is not there.
    #[error("RECORD lists it, but the wheel does not have it")]
    Absent,
    /// The size is not RECORD's.
    #[error("it has {actual} bytes, but RECORD states {stated}")]
    RecordSize {
        /// RECORD's size.
        stated: u64,
        /// The size.
        actual: u64,
    },
    /// The digest is not RECORD's.
    #[error("its digest is not the one that RECORD states ({0})")]
    RecordDigest(&'static str),
    /// Two of the wheel's files are installed at one place.
    #[error("another file of the wheel is installed at the same place")]
    PlaceTaken,
    /// A file cannot be installed at a valid path.
    #[error("it cannot be installed: {0}")]
    Place(&'static str),
}

impl WheelErrorKind {
    /// Names the entry that the fault is in.
    pub(super) fn at(self, entry: impl Into<String>) -> StrictArchiveError {
        StrictArchiveError { entry: Some(entry.into()), fault: self }
    }

    /// Returns whether a transfer that went wrong explains the fault better than a wrong build.
    fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::NoEnd
                | Self::TrailingBytes(_)
                | Self::CommentCutShort(_)
                | Self::Directory(_)
                | Self::NoLocalHeader(_)
                | Self::Deflate(_)
                | Self::Crc32 { .. }
                | Self::RecordDigest(_)
        )
    }
}
