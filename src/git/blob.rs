//! The object names of files, as git computes them for blobs.
//!
//! Specification: [gitformat-loose](https://git-scm.com/docs/gitformat-loose): a blob is hashed after `blob SIZE` and NUL.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::digest;

/// Files up to this size in bytes are compared once more with other line ends, for which they are held in memory.
const LARGEST_TEXT: u64 = 16 << 20;

/// Returns whether a file is what git would check out of a blob: the blob itself, its lines with CRLF ends (gitattributes,
/// `eol`), or the file that a pointer of git LFS stands for. Conversions by other filters are not known.
///
/// # Errors
/// The file cannot be read.
pub(super) fn is_checked_out_of(path: &Path, object: &str) -> io::Result<bool> {
    let size = path.metadata()?.len();
    if name_like(object, size, File::open(path)?)? == object {
        return Ok(true);
    }
    let pointer = lfs_pointer(path, size)?;
    if name_like(object, pointer.len() as u64, pointer.as_bytes())? == object {
        return Ok(true);
    }
    if size > LARGEST_TEXT {
        return Ok(false);
    }
    let text = without_carriage_returns(&std::fs::read(path)?);
    Ok(name_like(object, text.len() as u64, &text[..])? == object)
}

/// Returns whether a symbolic link is the one that a blob contains.
///
/// # Errors
/// The link cannot be read.
pub(super) fn is_link_of(path: &Path, object: &str) -> io::Result<bool> {
    let target = std::fs::read_link(path)?;
    let target = target.as_os_str().as_bytes();
    Ok(name_like(object, target.len() as u64, target)? == object)
}

/// Returns the name of a blob, by the algorithm of `object`: SHA-256 in repositories of that object format, else SHA-1.
fn name_like(object: &str, size: u64, content: impl Read) -> io::Result<String> {
    if object.len() == 64 { name::<Sha256>(size, content) } else { name::<Sha1>(size, content) }
}

fn name<D: Digest>(size: u64, mut content: impl Read) -> io::Result<String> {
    let mut writer = DigestWriter(D::new_with_prefix(format!("blob {size}\0")));
    io::copy(&mut content, &mut writer)?;
    Ok(hex::encode(writer.0.finalize()))
}

struct DigestWriter<D>(D);

impl<D: Digest> Write for DigestWriter<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns what git LFS commits in place of a file.
///
/// Specification: [git LFS, the pointer](https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer).
fn lfs_pointer(path: &Path, size: u64) -> io::Result<String> {
    let sha256 = digest::Sha256::of_file(path)?;
    Ok(format!("version https://git-lfs.github.com/spec/v1\noid {sha256}\nsize {size}\n"))
}

/// Turns the line ends CRLF into LF.
fn without_carriage_returns(text: &[u8]) -> Vec<u8> {
    let next = text.iter().skip(1).map(Some).chain([None]);
    let pairs = text.iter().zip(next).filter(|pair| *pair != (&b'\r', Some(&b'\n')));
    pairs.map(|(byte, _)| *byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_equals_its_blob_with_other_line_ends_or_through_a_pointer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        // The names are those of `git hash-object`.
        let two_lines = "422c2b7ab3b3c668038da977e4e93a5fc623169c";
        let pointer_to_large = "6385a367de39c281ab31ab17bbc2ce7bccd226db";
        let empty_by_sha256 = "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813";
        for (content, object, expected) in [
            ("a\nb\n", two_lines, true),
            ("a\r\nb\r\n", two_lines, true),
            ("a\r\nb\r", two_lines, false),
            ("a\nc\n", two_lines, false),
            ("large\n", pointer_to_large, true),
            ("larger\n", pointer_to_large, false),
            ("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", true),
            ("", empty_by_sha256, true),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(is_checked_out_of(&path, object).unwrap(), expected, "{content:?}");
        }
    }
}
