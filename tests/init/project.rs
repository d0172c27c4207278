//! Projects and distributions that a test creates.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::bases;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::uv;
use crate::support::wheel;

pub struct Project(pub uv::Project);

impl Project {
    /// Creates a project with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        Self(uv::Project::new(files))
    }

    /// Creates and locks a project that depends on distributions, each with one wheel in the directory `index`. `rest` is the
    /// end of its pyproject.toml.
    pub fn locked(dependencies: &[&str], groups: &[&str], rest: &str, files: &[(&str, &str)]) -> Self {
        let project = Self::new(files);
        for name in dependencies.iter().chain(groups) {
            project.0.write(&format!("index/{name}-1.0-py3-none-any.whl"), &wheel(name, "1.0"));
        }
        project.0.write("pyproject.toml", pyproject("shop", dependencies, rest).as_bytes());
        project.0.uv(&["lock", "--offline"]);
        project
    }

    /// Returns the path of a file of the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the command `pybundle init` in the project, without input.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pybundle(&["init"]);
        command.args(arguments).current_dir(self.0.path()).stdin(std::process::Stdio::null());
        command
    }

    /// Runs `pybundle init`, and returns its JSON report.
    pub fn init(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&succeed(self.command(arguments).arg("--json"))).unwrap()
    }

    /// Runs `pybundle init`, which must fail without changing a file, and returns its messages.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let before = self.files();
        let said = fail(&mut self.command(arguments));
        assert!(said.starts_with("error: "), "{said}");
        assert_eq!(self.files(), before, "{said}");
        said
    }

    /// Returns the `[tool.pybundle.target]` table of a target.
    pub fn target(&self, name: &str) -> toml::Table {
        let configuration: toml::Table = self.0.read("pyproject.toml").parse().unwrap();
        configuration["tool"]["pybundle"]["target"][name].as_table().unwrap().clone()
    }

    /// Plans the targets that were written, with a local base and without the network, and returns their names.
    pub fn planned(&self, arguments: &[&str]) -> Vec<String> {
        let configured = self.0.read("pyproject.toml");
        let base = format!("\n[tool.pybundle]\nbase = {:?}\n", bases::slim().argument());
        self.0.write("pyproject.toml", format!("{configured}{base}").as_bytes());
        let mut command = pybundle(&["build", "--dry-run", "--offline", "--json"]);
        let report: Value = serde_json::from_str(&succeed(command.args(arguments).current_dir(self.0.path()))).unwrap();
        self.0.write("pyproject.toml", configured.as_bytes());
        let targets = report["targets"].as_array().unwrap().iter();
        targets.map(|target| target["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns every file with its content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        collect(self.0.path(), &mut found);
        found.sort();
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
}

/// Returns the pyproject.toml of a project whose distributions are in the directory `index`.
pub fn pyproject(name: &str, dependencies: &[&str], rest: &str) -> String {
    format!(
        "[project]\nname = \"{name}\"\nversion = \"1.0\"\nrequires-python = \">=3.11,<3.13\"\n\
         dependencies = {dependencies:?}\n\n{rest}[[tool.uv.index]]\nname = \"local\"\nurl = \"./index\"\n\
         format = \"flat\"\ndefault = true\n"
    )
}

/// Returns the names of the items of a list in a report.
pub fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}
