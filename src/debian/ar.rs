//! The container of .deb files.
//!
//! Specification: [deb(5)](https://manpages.debian.org/deb.5), "FORMAT"; [ar(5)](https://man.freebsd.org/cgi/man.cgi?ar(5)).

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::deb::DebErrorKind;

const MAGIC: &[u8; 8] = b"!<arch>\n";

/// The size of a member's header, in bytes.
const HEADER: u64 = 60;

/// A member of an ar archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArMember {
    pub(super) name: String,
    /// The offset of its content, in bytes.
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Returns the members of an archive. A .deb has three; `most` is the greatest number that is accepted.
///
/// # Errors
/// The file cannot be read, is not an ar archive, is cut off, or has more members.
pub(super) fn members(file: &File, most: usize) -> Result<Vec<ArMember>, DebErrorKind> {
    let length = file.metadata().map_err(DebErrorKind::Read)?.len();
    let mut magic = [0; MAGIC.len()];
    if length < magic.len() as u64 {
        return Err(DebErrorKind::NotAr);
    }
    file.read_exact_at(&mut magic, 0).map_err(DebErrorKind::Read)?;
    if &magic != MAGIC {
        return Err(DebErrorKind::NotAr);
    }
    let (mut members, mut at) = (Vec::new(), MAGIC.len() as u64);
    while at < length {
        if members.len() == most {
            return Err(DebErrorKind::Members("it has too many members".to_owned()));
        }
        if length - at < HEADER {
            return Err(DebErrorKind::Truncated);
        }
        let mut header = [0; HEADER as usize];
        file.read_exact_at(&mut header, at).map_err(DebErrorKind::Read)?;
        let member = member(&header, at + HEADER).ok_or(DebErrorKind::MemberHeader(at))?;
        let end = member.offset.checked_add(member.size).filter(|end| *end <= length);
        let end = end.ok_or(DebErrorKind::Truncated)?;
        members.push(member);
        // Contents fill an even number of bytes; the last padding may be missing.
        at = end + end % 2;
    }
    Ok(members)
}

/// Parses the header of a member whose content begins at `offset`.
fn member(header: &[u8; HEADER as usize], offset: u64) -> Option<ArMember> {
    let text = std::str::from_utf8(header).ok()?;
    let name = text.get(..16)?.trim_end_matches(' ').trim_end_matches('/');
    let size = text.get(48..58)?.trim_end_matches(' ');
    let is_number = !size.is_empty() && size.bytes().all(|digit| digit.is_ascii_digit());
    let ends_well = text.get(58..) == Some("`\n");
    (is_number && ends_well).then_some(())?;
    Some(ArMember { name: name.to_owned(), offset, size: size.parse().ok()? })
}
