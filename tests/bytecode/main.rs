//! Bytecode that each interpreter compiles from real sources, loads, and that is bundled.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod built;
mod compiled;
mod loaded;

use std::fs;
use std::path::{Path, PathBuf};

use pybundle::interpreter::PythonInterpreter;

/// An interpreter that can run functions, and the directory of its standard library.
struct Python {
    interpreter: PythonInterpreter,
    library: PathBuf,
}

/// Returns the interpreters that can run functions.
fn pythons() -> Vec<Python> {
    let list = support::command::repository().join("target/test-tools/interpreters");
    let list = fs::read_to_string(&list).expect("run scripts/setup-tests");
    let python = |line: &str| {
        let (version, prefix) = line.split_once(' ').unwrap();
        let program = Path::new(prefix).join("bin").join(format!("python{version}"));
        let interpreter = PythonInterpreter::query(&program, version.parse().unwrap());
        let library = Path::new(prefix).join("lib").join(format!("python{version}"));
        Python {
            interpreter: interpreter.unwrap_or_else(|| panic!("{} is not a regular CPython", program.display())),
            library,
        }
    };
    list.lines().map(python).collect()
}

/// Returns the Python files below a directory except those of installed distributions, ordered by relative path. Debian's
/// sitecustomize.py is a link out of it, which may lead nowhere.
fn sources(root: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_folder = path.is_dir() && !path.is_symlink();
            if is_folder && !path.ends_with("site-packages") && !path.ends_with("dist-packages") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "py") && path.exists() {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
