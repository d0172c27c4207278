//! What fuzzing found to be worth keeping (`fuzz/corpus`): reading each input, and selecting from it, ends with a result or
//! an error.

use std::io::Read as _;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

/// Returns the inputs of a target.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target).with_extension("tar.zst");
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).unwrap());
    let mut inputs = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            inputs.push(bytes);
        }
    }
    assert!(inputs.len() > 100, "{target}: {} inputs", inputs.len());
    inputs
}

/// Replays every input of a target that is text; some of them can be read.
fn replay(target: &str, read: impl Fn(&str) -> bool) {
    let inputs = inputs(target);
    let texts = inputs.iter().filter_map(|input| std::str::from_utf8(input).ok());
    assert!(texts.filter(|text| read(text)).count() > 0);
}

#[test]
fn locks_of_uv() {
    replay("uv_lock", fuzz::uv_lock);
}

#[test]
fn pylocks() {
    replay("pylock", fuzz::pylock);
}

#[test]
fn locks_of_poetry() {
    replay("poetry_lock", fuzz::poetry_lock);
}

#[test]
fn files_of_requirements() {
    replay("requirements", fuzz::requirements);
}

#[test]
fn pages_of_indexes() {
    let inputs = inputs("index_page");
    assert!(inputs.iter().filter(|input| fuzz::index_page(input)).count() > 0);
}
