//! What fuzzing found to be worth keeping (`fuzz/corpus`): reading each input, and selecting from it, ends with a result or
//! an error.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use pybundle::index::page::{html, json};
use pybundle::lock::requirements::{Requirements, Surroundings};
use pybundle::lock::{Chooser, FormatControl, LocalProject, Lock, LockError, Request};
use pybundle::target::{Architecture, LambdaProfile};

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

/// Reads and selects from every input of a target that is text; returns how many could be read.
fn replay(target: &str, read: impl Fn(&str) -> Option<Result<Lock, LockError>>) -> usize {
    let mut parsed = 0;
    for input in inputs(target) {
        let Some(lock) = std::str::from_utf8(&input).ok().and_then(&read) else { continue };
        match lock {
            Ok(lock) => {
                parsed += 1;
                select(&lock);
            }
            Err(error) => drop((error.to_string(), error.hints())),
        }
    }
    parsed
}

fn select(lock: &Lock) {
    for (runtime, architecture) in [("python3.9", Architecture::Arm64), ("python3.13", Architecture::X86_64)] {
        let target = LambdaProfile::built_in(runtime).unwrap().target(architecture);
        for all_extras in [false, true] {
            let request = Request { all_extras, ..Request::default() };
            match lock.select(&request, Path::new(""), &target) {
                Ok(selection) => drop(Chooser::new(&target, &FormatControl::default()).choose(selection)),
                Err(error) => drop((error.to_string(), error.hints())),
            }
        }
    }
}

#[test]
fn locks_of_uv() {
    assert!(replay("uv_lock", |text| Some(Lock::parse_uv(text, Path::new("uv.lock")))) > 0);
}

#[test]
fn pylocks() {
    assert!(replay("pylock", |text| Some(Lock::parse_pylock(text, Path::new("pylock.toml")))) > 0);
}

#[test]
fn locks_of_poetry() {
    let read = |text: &str| {
        let (text, pyproject) = text.split_once('\0').unwrap_or((text, ""));
        let project = LocalProject { path: PathBuf::new(), table: pyproject.parse().ok()? };
        let lock = Lock::parse_poetry(text, Path::new("poetry.lock"), &project);
        Some(lock.inspect(|lock| drop(lock.check_locked(std::slice::from_ref(&project)))))
    };
    assert!(replay("poetry_lock", read) > 0);
}

#[test]
fn files_of_requirements() {
    let read = |text: &str| {
        let files: Vec<&str> = text.split('\0').collect();
        let read = |path: &Path| {
            let names = ["requirements.txt", "a.txt", "b.txt", "c.txt"];
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let file = names.iter().position(|known| *known == name).and_then(|position| files.get(position));
            file.map(|file| (*file).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let surroundings = Surroundings {
            project: Path::new("/project"),
            read: &read,
            variable: &|name| (name == "TOKEN").then(|| "secret".to_owned()),
            name: &|folder| folder.file_name()?.to_str()?.parse().ok(),
        };
        Some(Requirements::read(Path::new("requirements.txt"), &surroundings).map(Lock::Requirements))
    };
    assert!(replay("requirements", read) > 0);
}

#[test]
fn pages_of_indexes() {
    let base = "https://example.org/simple/foo/".parse().unwrap();
    let inputs = inputs("index_page");
    let parsed = inputs.iter().filter(|input| html::parse(input, &base).is_ok() | json::parse(input, &base).is_ok());
    assert!(parsed.count() > 0);
}
