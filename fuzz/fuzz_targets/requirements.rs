//! Whatever files of requirements hold, reading and selecting ends with a selection or an error.
//!
//! The input is `requirements.txt`; after each NUL stands a further file: `a.txt`, `b.txt` and so on.

#![no_main]

use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use pybundle::lock::Lock;
use pybundle::lock::requirements::{Requirements, Surroundings};
use pybundle_fuzz::select;

const NAMES: [&str; 4] = ["requirements.txt", "a.txt", "b.txt", "c.txt"];

fuzz_target!(|text: &str| {
    let files: Vec<&str> = text.split('\0').collect();
    let read = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let position = NAMES.iter().position(|known| *known == name);
        let file = position.and_then(|position| files.get(position));
        file.map(|file| (*file).to_owned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    let surroundings = Surroundings {
        project: Path::new("/project"),
        read: &read,
        variable: &|name| (name == "TOKEN").then(|| "secret".to_owned()),
        name: &|folder| folder.file_name()?.to_str()?.parse().ok(),
    };
    match Requirements::read(Path::new("requirements.txt"), &surroundings) {
        Ok(requirements) => select(&Lock::Requirements(requirements)),
        Err(error) => drop((error.to_string(), error.hints())),
    }
});
