//! Replays the inputs that fuzzing has kept (`fuzz/corpus`): parsing each of them and selecting from it never panics.

use std::io::Read as _;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

/// Returns the inputs of a fuzz target.
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

/// Replays every input of a fuzz target that is text, some of which must be valid.
fn replay(target: &str, read: impl Fn(&str) -> bool) {
    let inputs = inputs(target);
    let texts = inputs.iter().filter_map(|input| std::str::from_utf8(input).ok());
    assert!(texts.filter(|text| read(text)).count() > 0);
}

#[test]
fn uv_locks() {
    replay("uv_lock", fuzz::uv_lock);
}

#[test]
fn pylocks() {
    replay("pylock", fuzz::pylock);
}

#[test]
fn poetry_locks() {
    replay("poetry_lock", fuzz::poetry_lock);
}

#[test]
fn requirements_files() {
    replay("requirements", fuzz::requirements);
}

#[test]
fn index_pages() {
    let inputs = inputs("index_page");
    assert!(inputs.iter().filter(|input| fuzz::index_page(input)).count() > 0);
}
