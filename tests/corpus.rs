//! Replays the inputs that fuzzing has kept (`fuzz/corpus`): reading each of them, and using what was read, never panics.

use std::io::Read as _;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
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

/// Replays every input of a fuzz target, some of which must be valid.
fn replay(target: &str, read: impl Fn(&[u8]) -> bool) {
    assert!(inputs(target).iter().filter(|input| read(input)).count() > 0, "{target}: no input is valid");
}

/// Replays every input of a fuzz target that is text, some of which must be valid.
fn replay_texts(target: &str, read: impl Fn(&str) -> bool) {
    replay(target, |input| std::str::from_utf8(input).is_ok_and(&read));
}

#[test]
fn uv_locks() {
    replay_texts("uv_lock", fuzz::uv_lock);
}

#[test]
fn pylocks() {
    replay_texts("pylock", fuzz::pylock);
}

#[test]
fn poetry_locks() {
    replay_texts("poetry_lock", fuzz::poetry_lock);
}

#[test]
fn pdm_locks() {
    replay_texts("pdm_lock", fuzz::pdm_lock);
}

#[test]
fn pipfile_locks() {
    replay_texts("pipfile_lock", fuzz::pipfile_lock);
}

#[test]
fn requirements_files() {
    replay_texts("requirements", fuzz::requirements);
}

#[test]
fn index_pages() {
    replay("index_page", fuzz::index_page);
}

#[test]
fn image_configs() {
    replay("image_config", fuzz::image_config);
}

#[test]
fn image_manifests() {
    replay("image_manifest", fuzz::image_manifest);
}

#[test]
fn elf_files() {
    replay("elf", fuzz::elf);
}

#[test]
fn metadata_files() {
    replay("metadata", fuzz::metadata);
}

#[test]
fn pyprojects() {
    replay_texts("pyproject", fuzz::pyproject);
}

/// Reads every seed of a fuzz target, which is valid, and the same with each byte changed and after each byte cut off.
fn damage(target: &str, read: impl Fn(&[u8]) -> bool) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/apt").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let seed = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(read(&seed), "{target}");
        for at in (0..seed.len()).step_by(1 + seed.len() / 150) {
            read(&seed[..at]);
            for other in [0, b'\n', b' ', seed[at] ^ 1, 0xff] {
                let mut damaged = seed.clone();
                damaged[at] = other;
                read(&damaged);
                count += 1;
            }
        }
    }
    assert!(count > 500, "{target}: {count} inputs");
}

#[test]
fn apt_locks() {
    replay_texts("apt_lock", fuzz::apt_lock);
    damage("apt_lock", |bytes| std::str::from_utf8(bytes).is_ok_and(fuzz::apt_lock));
}

#[test]
fn control_files() {
    replay("control", fuzz::control);
    damage("control", fuzz::control);
}

#[test]
fn signed_texts() {
    damage("signed_text", fuzz::signed_text);
}

/// Made by dpkg-deb, with each of its compressions.
#[test]
fn debs() {
    damage("deb", fuzz::deb);
}
