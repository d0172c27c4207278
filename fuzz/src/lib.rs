//! What is fuzzed: each reader of what somebody else wrote, and what follows from it, ends with a result or an error.
//!
//! The targets call these, and so does `tests/corpus.rs`, which replays what was kept.

use std::io;
use std::path::{Path, PathBuf};

use pybundle::apt::DebianDistribution;
use pybundle::apt::lock::AptLock;
use pybundle::apt::packages::PackageIndex;
use pybundle::debian::openpgp::{ArchiveKeyring, SignedText};
use pybundle::debian::{DpkgStatus, ReleaseFile};
pub use pybundle::fuzzing::{deb, elf, image_config, image_manifest, metadata, pyproject};
use pybundle::hints::Hints;
use pybundle::index::page::{html, json};
use pybundle::lock::requirements::{RequirementsEnvironment, RequirementsTxt};
use pybundle::lock::{FileChooser, FormatControl, LocalProject, Lock, LockError, PipfileEnvironment, SelectionRequest};
use pybundle::platform::{Architecture, LambdaProfile};

/// Reads a uv.lock and selects from it; returns whether it could be read.
pub fn uv_lock(text: &str) -> bool {
    select(Lock::parse_uv(text, Path::new("uv.lock")))
}

/// Reads a pylock.toml and selects from it; returns whether it could be read.
pub fn pylock(text: &str) -> bool {
    select(Lock::parse_pylock(text, Path::new("pylock.toml")))
}

/// Reads a poetry.lock and selects from it; returns whether it could be read. After a NUL may stand the pyproject.toml.
pub fn poetry_lock(text: &str) -> bool {
    let (text, pyproject) = text.split_once('\0').unwrap_or((text, ""));
    let Ok(table) = pyproject.parse::<toml::Table>() else { return false };
    let project = LocalProject { path: PathBuf::new(), script: false, table, is_package: true };
    let lock = Lock::parse_poetry(text, Path::new("poetry.lock"), &project);
    select(lock.inspect(|lock| drop(lock.check_locked(std::slice::from_ref(&project)))))
}

/// Reads a pdm.lock and selects from it; returns whether it could be read. After a NUL may stand the pyproject.toml.
pub fn pdm_lock(text: &str) -> bool {
    let (text, pyproject) = text.split_once('\0').unwrap_or((text, ""));
    let Ok(table) = pyproject.parse::<toml::Table>() else { return false };
    let project = LocalProject { path: PathBuf::new(), script: false, table, is_package: true };
    let lock = Lock::parse_pdm(text, Path::new("pdm.lock"), &project, &variable);
    select(lock.inspect(|lock| drop(lock.check_locked(std::slice::from_ref(&project)))))
}

/// Reads a Pipfile.lock and selects from it; returns whether it could be read. After a NUL may stand the Pipfile.
pub fn pipfile_lock(text: &str) -> bool {
    let (text, pipfile) = match text.split_once('\0') {
        Some((text, pipfile)) => (text, Some(pipfile)),
        None => (text, None),
    };
    let lock =
        Lock::parse_pipfile(text, Path::new("Pipfile.lock"), &PipfileEnvironment { pipfile, variable: &variable });
    select(lock.inspect(|lock| drop(lock.check_locked(&[]))))
}

fn variable(name: &str) -> Option<String> {
    (name == "TOKEN").then(|| "secret".to_owned())
}

/// Reads `requirements.txt` and selects from it; returns whether it could be read. After each NUL stands a further file:
/// `a.txt`, `b.txt` and `c.txt`.
pub fn requirements(text: &str) -> bool {
    let files: Vec<&str> = text.split('\0').collect();
    let read = |path: &Path| {
        let names = ["requirements.txt", "a.txt", "b.txt", "c.txt"];
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let file = names.iter().position(|known| *known == name).and_then(|position| files.get(position));
        file.map(|file| (*file).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let surroundings = RequirementsEnvironment {
        project: Path::new("/project"),
        read: &read,
        variable: &variable,
        name: &|folder| folder.file_name()?.to_str()?.parse().ok(),
    };
    select(RequirementsTxt::read(&[Path::new("requirements.txt")], &surroundings).map(Lock::Requirements))
}

/// Reads a page in either form of the simple API; returns whether it could be read in one of them.
pub fn index_page(bytes: &[u8]) -> bool {
    let Ok(base) = "https://example.org/simple/foo/".parse() else { return false };
    let (html, json) = (html::parse(bytes, &base), json::parse(bytes, &base));
    let could_be_read = html.is_ok() || json.is_ok();
    for error in [html.err(), json.err()].into_iter().flatten() {
        drop(error.to_string());
    }
    could_be_read
}

/// Selects everything from a lock for two targets, and chooses files.
fn select(lock: Result<Lock, LockError>) -> bool {
    let lock = match lock {
        Ok(lock) => lock,
        Err(error) => {
            drop((error.to_string(), error.hints()));
            return false;
        }
    };
    for (runtime, architecture) in [("python3.9", Architecture::Arm64), ("python3.13", Architecture::X86_64)] {
        let target = LambdaProfile::built_in(runtime).expect("it is built in").target(architecture);
        for all_extras in [false, true] {
            let request = SelectionRequest { all_extras, ..SelectionRequest::default() };
            match lock.select(&request, Path::new(""), &target) {
                Ok(selection) => drop(FileChooser::new(&target, &FormatControl::default()).choose(selection)),
                Err(error) => drop((error.to_string(), error.hints())),
            }
        }
    }
    true
}

/// Reads an apt.lock, which is written as it was read; returns whether it could be read.
pub fn apt_lock(text: &str) -> bool {
    let path = Path::new("apt.lock");
    match AptLock::parse(text, path) {
        Ok(lock) => {
            let written = lock.to_toml();
            let again = AptLock::parse(&written, path).map(|lock| lock.to_toml());
            assert_eq!(again.ok(), Some(written));
            true
        }
        Err(error) => {
            let _ = (error.to_string(), error.hints());
            false
        }
    }
}

/// Reads a control file as an index of packages, as dpkg's status, and as a release; returns whether it is one of them.
pub fn control(bytes: &[u8]) -> bool {
    let mut index = PackageIndex::default();
    let added = index.add(bytes, 0).map_err(|error| error.to_string());
    let names: Vec<_> = index.names().cloned().collect();
    for offer in names.iter().filter_map(|name| index.latest(name)) {
        let _ = index.stanza(offer).map_err(|error| error.to_string());
        let _ = index.file(offer).map_err(|error| error.to_string());
    }
    let status = DpkgStatus::read(bytes, "amd64").map_err(|error| error.to_string());
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let release = ReleaseFile::parse(text).map_err(|error| error.to_string());
    let distribution = DebianDistribution::of_os_release(Some(text)).map_err(|error| error.to_string());
    added.is_ok() || status.is_ok() || release.is_ok() || distribution.is_ok()
}

/// Reads a keyring and, after the first NUL and NL, a signed text, and verifies it; returns whether both could be read.
pub fn signed_text(bytes: &[u8]) -> bool {
    let at = bytes.windows(2).position(|pair| pair == b"\0\n").unwrap_or(bytes.len());
    let keyring = ArchiveKeyring::parse(&bytes[..at]);
    let text = bytes.get(at + 2..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
    match (keyring, SignedText::parse(text)) {
        (Ok(keyring), Ok(signed)) => {
            let _ = keyring.verify(&signed, 1_800_000_000).map_err(|error| error.to_string());
            true
        }
        _ => false,
    }
}
