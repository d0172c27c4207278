//! Records that somebody changed.

use std::fs;
use std::path::{Path, PathBuf};

/// The first line of a record.
pub const HEADER: &[u8] = b"pybundle closure\n";

/// Returns the path of the only record in a directory.
pub fn record_in(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory).unwrap().map(|file| file.unwrap());
    files.find(|file| file.file_name() != "CACHEDIR.TAG").unwrap().path()
}

/// Changes the values of the only record in a directory.
pub fn rewrite_record(directory: &Path, change: impl FnOnce(&mut [u8])) {
    let path = record_in(directory);
    fs::write(&path, rewritten(&fs::read(&path).unwrap(), change)).unwrap();
}

/// Returns a record with changed values.
fn rewritten(record: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut values = zstd::decode_all(record.strip_prefix(HEADER).unwrap()).unwrap();
    change(&mut values);
    [HEADER, &zstd::encode_all(&values[..], 3).unwrap()].concat()
}

/// Makes a record say that a wheel has another file: it is valid in itself.
pub fn name_another_file(values: &mut [u8]) {
    let name = b"example_greeting-1.2.0.dist-info/METADATA";
    let at = values.windows(name.len()).position(|bytes| bytes == name).unwrap();
    values[at + name.len() - 1] = b'B';
}

/// Returns a record that says so.
pub fn with_another_file(record: &[u8]) -> Vec<u8> {
    rewritten(record, name_another_file)
}
