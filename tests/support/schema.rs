//! Validates OCI layouts with the JSON schemas of the image specification, with tests/support/schemas.py.

use std::path::Path;
use std::process::Command;

use super::command::{repository, succeed};

/// Asserts that every document of an OCI layout matches its schema, and every blob its digest and size.
/// Returns the number of documents, including `oci-layout` and `index.json`.
pub fn assert_valid(layout: &Path) -> usize {
    let python = repository().join("target/test-tools/venv/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/setup-tests", python.display());
    let mut command = Command::new(python);
    succeed(command.arg(repository().join("tests/support/schemas.py")).arg(layout)).trim().parse().unwrap()
}
