//! SBOMs and provenance statements of real projects, checked with the tools of each format: beside zips, in layouts and
//! archives, and attached to images in registries.
#![cfg(unix)]

#[allow(dead_code, reason = "the tests of images look at more")]
#[path = "../images/built.rs"]
mod built;
#[path = "../support/http.rs"]
mod http;
#[allow(dead_code, reason = "what is in it is particular")]
#[path = "../support/registry.rs"]
mod memory;
#[allow(dead_code, reason = "these tests need no faults")]
#[path = "../support/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "these tests need no logins")]
#[path = "../support/registries.rs"]
mod registries;
#[path = "../support/mod.rs"]
mod support;
#[allow(dead_code, reason = "the tests of images need more")]
#[path = "../images/tiny.rs"]
mod tiny;
#[allow(dead_code, reason = "each server of tests needs another part")]
#[path = "../support/wire.rs"]
mod wire;
#[allow(dead_code, reason = "the tests of images need more")]
#[path = "../images/workshop.rs"]
mod workshop;

mod bundled;
mod documents;
mod layouts;
mod projects;
mod referrers;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use support::command::{repository, tool};

/// Reads a JSON document.
fn json(path: impl AsRef<Path>) -> Value {
    let path = path.as_ref();
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

/// Checks the documents of cases with tests/sbom/judge.py; returns their number, or the errors.
fn judge(cases: &[Value]) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cases.json");
    fs::write(&path, Value::from(cases.to_vec()).to_string()).unwrap();
    let script = repository().join("tests/sbom/judge.py");
    let output = Command::new(tool("python")).arg(script).arg(path).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}
