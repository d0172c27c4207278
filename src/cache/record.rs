//! The record of a wheel in the cache: its inventory, so that builds need not read the wheel again.
//!
//! A line with the version of the format, the CRC-32 of the rest, then the file name, the size and the inventory in the
//! [postcard](https://postcard.jamesmunns.com/wire-format) format.

use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wheel::filename::WheelFilename;
use crate::wheel::{WheelInventory, WheelReading};

/// The version of this module's part of the format; the inventory has its own.
const FORMAT: u32 = 1;

#[derive(Debug, PartialEq, Eq, serde::Deserialize)]
pub(super) struct WheelRecord {
    /// The file name that the wheel was read as: its distribution and version were checked against it.
    pub(crate) filename: String,
    /// The wheel's size in bytes.
    pub(crate) size: u64,
    /// What reading found.
    pub(crate) reading: WheelReading,
}

fn header() -> String {
    format!("pybundle record {FORMAT}.{}\n", WheelInventory::FORMAT)
}

pub(super) fn encode(filename: &WheelFilename, size: u64, reading: &WheelReading) -> io::Result<Vec<u8>> {
    seal(header(), &(filename.as_str(), size, reading))
}

/// Serializes a value after a header and a checksum.
pub(super) fn seal(header: String, value: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(value).map_err(io::Error::other)?;
    let mut bytes = header.into_bytes();
    bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Returns a serialized value that was sealed; `None` if it is damaged or has another header.
pub(super) fn body<'a>(header: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (checksum, body) = bytes.strip_prefix(header.as_bytes())?.split_first_chunk()?;
    (crc32fast::hash(body) == u32::from_le_bytes(*checksum)).then_some(body)
}

/// Deserializes a sealed value; `None` if it is damaged or has another header.
fn unseal<T: DeserializeOwned>(header: &str, bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(body(header, bytes)?).ok()
}

/// Reads a record; `None` if it is missing, damaged or from another version.
pub(super) fn read(path: &Path) -> io::Result<Option<WheelRecord>> {
    match fs::read(path) {
        Ok(bytes) => Ok(unseal(&header(), &bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
