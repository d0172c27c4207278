//! The image specification's JSON schemas over what was written, by tests/support/schemas.py.

use std::path::Path;
use std::process::Command;

use super::command::{repository, succeed};

/// Asserts that every document of an OCI layout is as its schema says, and that every blob has its digest and its size.
/// Returns the number of documents, `oci-layout` and `index.json` included.
pub fn assert_valid(layout: &Path) -> usize {
    let python = repository().join("target/test-tools/venv/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/setup-tests", python.display());
    let mut command = Command::new(python);
    succeed(command.arg(repository().join("tests/support/schemas.py")).arg(layout)).trim().parse().unwrap()
}
