//! How far two versions of a zip are equal, known without having both: each is stored with the digests of its beginnings.
//!
//! A zip begins with the dependencies and ends with the application, so an edit changes its end. The beginnings end at
//! distances from the end of the zip that grow by a fifth, so that what is sent is at most a fifth more than what changed, and
//! the digests of a zip of 250 MB need 1 KB, half of what S3 takes as an object's metadata.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The shortest distance from the end.
const FIRST: u64 = 64 << 10;

/// How many bytes of a digest are stored: half, since nobody makes two zips with equal halves.
const STORED: usize = 16;

/// Separates the digests.
const SEPARATOR: char = '.';

/// Returns the lengths of a zip's beginnings, the longest first.
fn lengths(size: u64) -> impl Iterator<Item = u64> {
    let distances = std::iter::successors(Some(FIRST), |distance| Some(distance + distance / 5));
    distances.map_while(move |distance| size.checked_sub(distance)).filter(|length| *length > 0)
}

/// The digests of a zip's beginnings, its size and its checksum.
pub(super) struct Checkpoints {
    /// As they are stored with the object.
    pub(super) text: String,
    pub(super) crc32c: u32,
}

impl Checkpoints {
    /// Reads a zip.
    pub(super) fn of(path: &Path, size: u64) -> io::Result<Self> {
        let lengths: Vec<u64> = lengths(size).collect();
        let (digests, crc32c) = digests(path, &lengths)?;
        Ok(Self { text: digests.join(&SEPARATOR.to_string()), crc32c })
    }
}

/// Returns how long the longest beginning is that a zip has in common with a stored one, as far as that is known.
pub(super) fn common_beginning(path: &Path, size: u64, stored: &str, stored_size: u64) -> io::Result<u64> {
    let stored = stored.split(SEPARATOR).zip(lengths(stored_size));
    let stored: Vec<(&str, u64)> = stored.filter(|(_, length)| *length < size).collect();
    let lengths: Vec<u64> = stored.iter().map(|(_, length)| *length).collect();
    let (digests, _) = digests(path, &lengths)?;
    let mut pairs = stored.iter().zip(&digests);
    Ok(pairs.find(|((stored, _), digest)| stored == digest).map_or(0, |((_, length), _)| *length))
}

/// Returns the digests of a file's beginnings of these lengths, of which the first is the longest, and the checksum of the
/// whole file.
fn digests(path: &Path, lengths: &[u64]) -> io::Result<(Vec<String>, u32)> {
    let mut file = File::open(path)?;
    let (mut sha256, mut crc32c, mut digests) = (Sha256::new(), 0, Vec::new());
    let (mut position, mut buffer) = (0, vec![0; 1 << 20]);
    let mut next = lengths.iter().rev().copied().peekable();
    loop {
        let wanted = next.peek().map_or(buffer.len() as u64, |length| (length - position).min(buffer.len() as u64));
        let count = file.read(&mut buffer[..wanted as usize])?;
        if count == 0 {
            break;
        }
        crc32c = crc32c::crc32c_append(crc32c, &buffer[..count]);
        position += count as u64;
        if next.peek().is_some() {
            sha256.update(&buffer[..count]);
        }
        while next.next_if_eq(&position).is_some() {
            digests.push(BASE64_URL_SAFE_NO_PAD.encode(&sha256.clone().finalize()[..STORED]));
        }
    }
    digests.reverse();
    Ok((digests, crc32c))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn beginnings_are_found_up_to_a_fifth_of_what_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.zip");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number / 7) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let stored = Checkpoints::of(&path, bytes.len() as u64).unwrap();
        assert_eq!(stored.crc32c, crc32c::crc32c(&bytes));
        for changed in [1, 70_000, 200_000, 1_000_000, 2_990_000] {
            for added in [0, 5_000] {
                let mut edited = bytes.clone();
                let at = edited.len() - changed;
                edited[at] ^= 1;
                edited.extend(std::iter::repeat_n(7, added));
                fs::write(&path, &edited).unwrap();
                let common =
                    common_beginning(&path, edited.len() as u64, &stored.text, bytes.len() as u64).unwrap() as usize;
                assert!(common <= at, "{changed}: {common}");
                let sent = bytes.len() - common;
                assert!(sent <= (changed + changed / 5 + 1).max(FIRST as usize), "{changed}: {sent}");
            }
        }
        assert_eq!(common_beginning(&path, 10, &stored.text, bytes.len() as u64).unwrap(), 0);
        assert_eq!(common_beginning(&path, bytes.len() as u64, "", 0).unwrap(), 0);
    }

    #[test]
    fn the_digests_of_the_largest_zip_are_short_enough_for_metadata() {
        assert!(lengths(250 << 20).count() * 23 < 1100);
    }
}
