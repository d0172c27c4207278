//! Invokes functions under Lambda's runtime client, with scripts/lambda-run.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::command::{repository, succeed};
use super::sample::is_every_case;

/// The result of invoking a function.
#[derive(Debug, serde::Deserialize)]
pub struct Invocation {
    /// The HTTP status: 502 if the function could not be loaded.
    status: u16,
    answer: Value,
    /// The output of the runtime.
    log: String,
}

impl Invocation {
    /// Returns the answer of a function that must have succeeded.
    pub fn answer(self) -> Value {
        let failed = self.status != 200 || self.answer.get("errorMessage").is_some();
        assert!(!failed, "the function failed with status {}: {}\n{}", self.status, self.answer, self.log);
        self.answer
    }

    /// Returns the error type of a function that must have failed.
    pub fn error(self) -> String {
        let kind = self.answer.get("errorType").and_then(Value::as_str);
        kind.unwrap_or_else(|| panic!("the function did not fail: {}\n{}", self.answer, self.log)).to_owned()
    }
}

/// Returns the versions of the available interpreters, for instance `3.9`, the oldest first.
pub fn pythons() -> Vec<String> {
    let path = repository().join("target/test-tools/interpreters");
    let lines = std::fs::read_to_string(&path).unwrap_or_default();
    let pythons: Vec<_> = lines.lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect();
    assert!(!pythons.is_empty(), "no interpreter is available: run scripts/setup-tests");
    pythons
}

/// Returns the versions that functions are run on: the first and the last for each Amazon Linux, and the newest; all if every
/// case is tried.
pub fn tried_pythons() -> Vec<String> {
    let is_tried = |python: &String| !["3.10", "3.11", "3.13"].contains(&&**python) || is_every_case();
    pythons().into_iter().filter(is_tried).collect()
}

/// Returns the version of the newest available interpreter whose runtime AWS has released: distributions have wheels for it.
pub fn newest_python() -> String {
    let mut released = pythons().into_iter().filter(|python| python != "3.15");
    released.next_back().expect("an interpreter before 3.15 is available")
}

/// Returns AWS's name for the architecture of this machine.
pub fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

/// Invokes a function once. The first zip is the function, the others are layers.
pub fn invoke(python: &str, handler: &str, event: &Value, zips: &[&Path]) -> Invocation {
    let mut command = Command::new(repository().join("scripts/lambda-run"));
    command.args(["--python", python, "--handler", handler, "--event", &event.to_string()]).args(zips);
    serde_json::from_str(&succeed(&mut command)).unwrap()
}
