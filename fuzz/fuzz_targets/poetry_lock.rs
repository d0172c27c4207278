//! Whatever a poetry.lock and its pyproject.toml hold, reading and selecting ends with a selection or an error.
//!
//! The input is the lock; after a NUL may stand the pyproject.toml.

#![no_main]

use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use pybundle::lock::{LocalProject, Lock};
use pybundle_fuzz::select;

fuzz_target!(|text: &str| {
    let (text, pyproject) = text.split_once('\0').unwrap_or((text, ""));
    let Ok(table) = pyproject.parse::<toml::Table>() else { return };
    let project = LocalProject { path: PathBuf::new(), table };
    if let Ok(lock) = Lock::parse_poetry(text, Path::new("poetry.lock"), &project) {
        let _ = lock.check_locked(std::slice::from_ref(&project));
        select(&lock);
    }
});
