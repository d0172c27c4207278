//! Wheels that are accepted, refused and installed, each built byte by byte.

#[path = "../support/forge.rs"]
mod forge;

mod accepted;
mod archive;
mod installed;
mod mutants;
mod rules;

use std::fs::File;
use std::io::Write;

use forge::{FILENAME, Forge};
use pybundle::wheel::{WheelError, WheelInventory, WheelReading, read};

/// Reads bytes as the wheel `FILENAME`.
fn read_bytes(bytes: &[u8]) -> Result<WheelInventory, WheelError> {
    read_whole(bytes).map(|reading| reading.inventory)
}

/// As [`read_bytes`], with the extents of the files.
fn read_whole(bytes: &[u8]) -> Result<WheelReading, WheelError> {
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    read(&file, &FILENAME.parse().unwrap())
}

fn read_forged(forge: &Forge) -> Result<WheelInventory, WheelError> {
    read_bytes(&forge.bytes())
}

/// Asserts that reading failed with a message that contains the wheel, the entry and the reason.
#[track_caller]
fn assert_refused(result: Result<WheelInventory, WheelError>, entry: Option<&str>, reason: &str) {
    let error = result.expect_err(reason);
    assert_eq!(error.entry.as_deref(), entry, "{error}");
    let message = error.to_string();
    let start = match entry {
        Some(entry) => format!("{FILENAME}: `{}`: ", entry.escape_debug()),
        None => format!("{FILENAME}: "),
    };
    assert!(message.starts_with(&start) && message.contains(reason), "not `{reason}`: {message}");
}
