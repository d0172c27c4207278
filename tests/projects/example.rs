//! A copy of an example, with all of its targets built.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::bases;
use crate::support::command::{pybundle, repository, succeed};
use crate::support::docker::docker;
use crate::support::lambda::architecture;

/// The base and the runtime that the examples name. They are pulled, or run by AWS; the tests have others of their kind.
const BASE: &str = "base = \"python:3.12-slim\"";
const RUNTIME: &str = "runtime = \"python3.12\"";

/// An example whose targets have been built, and its images loaded into Docker by the names that the configuration gives.
pub struct Example {
    folder: PathBuf,
    /// What `pybundle build --json` printed of each target.
    targets: Vec<Value>,
}

impl Example {
    /// Copies an example, and builds all that it has, with these arguments and variables.
    pub fn build(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        succeed(Command::new("cp").arg("-R").arg(repository().join("testdata/projects").join(name)).arg(&folder));
        let requests_packages = adapt(&folder);
        if requests_packages {
            succeed(&mut pybundle(&["apt", "lock", folder.to_str().unwrap()]));
        }
        let mut command = pybundle(&["build", "--json", "--project", folder.to_str().unwrap()]);
        // What is compiled, sources as well as bytecode, is compiled for the base's Python, wherever that is.
        let path = std::env::var_os("PATH").unwrap();
        let folders = [bases::slim().programs()].into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).unwrap());
        let printed = succeed(command.args(arguments).envs(variables.iter().copied()));
        let mut document: Value = serde_json::from_str(&printed).unwrap();
        let Value::Array(targets) = document["targets"].take() else { panic!("{printed}") };
        for target in &targets {
            assert_eq!(target["status"], "built", "{target}");
            for output in target["image"]["outputs"].as_array().into_iter().flatten() {
                docker().load(&folder.join(output.as_str().unwrap().trim_start_matches("docker-archive:")));
            }
        }
        Self { folder, targets }
    }

    /// Returns a path in the copy.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Returns what was reported of a target, as `pybundle lambda --json` and `pybundle image --json` do.
    pub fn report(&self, target: &str) -> &Value {
        let found = self.targets.iter().find(|report| report["name"] == target);
        let found = found.unwrap_or_else(|| panic!("no {target} in {:?}", self.targets));
        &found[found["kind"].as_str().unwrap()]
    }

    /// Returns the digests of the layers that lie over the base, in their order.
    pub fn layers(&self, target: &str) -> Vec<&str> {
        let layers = self.report(target)["platforms"][0]["layers"].as_array().unwrap();
        layers.iter().map(|layer| layer["digest"].as_str().unwrap()).collect()
    }
}

/// Puts bases and runtimes that can be run here in the place of those that the configuration names. Returns whether the
/// example has packages of the operating system, which are locked over its base.
fn adapt(folder: &Path) -> bool {
    let base = bases::slim();
    let mut requests_packages = false;
    for path in pyprojects(folder) {
        let text = std::fs::read_to_string(&path).unwrap();
        requests_packages |= text.contains("\napt = ");
        let platform = format!("base = \"{}\"\nplatform = [\"{}\"]", base.argument(), bases::platform());
        let runtime = format!("runtime = \"python{}\"\narch = \"{}\"", base.python, architecture());
        std::fs::write(&path, text.replace(BASE, &platform).replace(RUNTIME, &runtime)).unwrap();
    }
    requests_packages
}

/// Returns every pyproject.toml below a folder.
fn pyprojects(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| match path.is_dir() {
        true => pyprojects(&path),
        false => Vec::from_iter(path.ends_with("pyproject.toml").then_some(path)),
    });
    found.collect()
}
