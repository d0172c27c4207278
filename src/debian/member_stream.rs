//! A member of a .deb, decompressed.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::ar::ArMember;
use super::deb::DebErrorKind;

/// The most memory that decompressing xz may use, in bytes: `xz -9` needs 65 MiB (xz(1)).
const MOST_XZ_MEMORY: u64 = 128 << 20;

/// How much is read at a time, in bytes.
const PORTION: usize = 128 * 1024;

/// Reads a member in the form that the end of its name tells.
pub(super) enum MemberStream<'a> {
    Plain(BufReader<MemberBytes<'a>>),
    Gzip(MultiGzDecoder<BufReader<MemberBytes<'a>>>),
    Xz(XzDecoder<BufReader<MemberBytes<'a>>>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<MemberBytes<'a>>>),
}

impl<'a> MemberStream<'a> {
    /// # Errors
    /// The compression is unknown, or cannot begin.
    pub(super) fn open(file: &'a File, member: &ArMember) -> Result<Self, DebErrorKind> {
        let bytes = MemberBytes { file, at: member.offset, end: member.offset + member.size };
        let bytes = BufReader::with_capacity(PORTION, bytes);
        Ok(match member.name.rsplit_once('.').map_or("", |(_, end)| end) {
            "tar" => Self::Plain(bytes),
            "gz" => Self::Gzip(MultiGzDecoder::new(bytes)),
            "xz" => {
                let stream = Stream::new_stream_decoder(MOST_XZ_MEMORY, CONCATENATED);
                let stream = stream.map_err(|error| DebErrorKind::Read(error.into()))?;
                Self::Xz(XzDecoder::new_stream(bytes, stream))
            }
            "zst" => Self::Zstd(zstd::stream::read::Decoder::with_buffer(bytes).map_err(DebErrorKind::Read)?),
            _ => {
                let name = member.name.escape_debug();
                let expected = "expected .tar, .tar.gz, .tar.xz or .tar.zst";
                return Err(DebErrorKind::Members(format!(
                    "its member `{name}` has an unknown compression: {expected}"
                )));
            }
        })
    }
}

impl Read for MemberStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(bytes) => bytes.read(buffer),
            Self::Gzip(bytes) => bytes.read(buffer),
            Self::Xz(bytes) => bytes.read(buffer),
            Self::Zstd(bytes) => bytes.read(buffer),
        }
    }
}

/// The stored bytes of a member.
pub(super) struct MemberBytes<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for MemberBytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
