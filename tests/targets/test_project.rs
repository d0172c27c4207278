//! Temporary projects that configure targets.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::command::{self, repository, succeed};
use crate::support::uv::Project;

/// A project that requires nothing.
pub const SHOP: &str = "[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n";

/// A temporary directory with projects.
pub struct TestProject(pub Project);

impl TestProject {
    /// Creates a directory with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        Self(Project::new(files))
    }

    /// Creates a project of one module that requires nothing, with this configuration.
    pub fn configured(configuration: &str) -> Self {
        Self::new(&[
            ("pyproject.toml", &format!("{SHOP}{configuration}")),
            ("app.py", "def handler(event, context): ...\n"),
        ])
    }

    /// Copies the example, and adds this configuration.
    pub fn example(configuration: &str) -> Self {
        let project = Self::new(&[]);
        succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(project.0.path()));
        project.0.write("pyproject.toml", format!("{}{configuration}", project.0.read("pyproject.toml")).as_bytes());
        project
    }

    /// Returns `pybundle` with arguments, to be run in the directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command::pybundle(arguments);
        command.current_dir(self.0.path());
        command
    }

    /// Runs `pybundle`, which must succeed, and returns what it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        succeed(&mut self.command(arguments))
    }

    /// Runs `pybundle --json`, which must succeed, and returns the document.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&succeed(self.command(arguments).arg("--json"))).unwrap()
    }

    /// Runs `pybundle`, which must end with this exit status, and returns standard output and standard error.
    pub fn ends(&self, status: i32, arguments: &[&str]) -> (String, String) {
        let Output { status: ended, stdout, stderr } = self.command(arguments).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(ended.code(), Some(status), "{arguments:?}\n{stdout}{stderr}");
        (stdout, self.shown(&stderr))
    }

    /// Returns a text in which the path of the directory is replaced by `HERE`.
    pub fn shown(&self, text: &str) -> String {
        let here = self.0.path().canonicalize().unwrap();
        text.replace(here.to_str().unwrap(), "HERE")
    }

    /// Returns the values of a target, as `KEY = VALUE (SOURCES)`.
    pub fn in_force(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
        let mut command = self.command(&["config", "show", "--json"]);
        let printed = succeed(command.args(arguments).envs(environment.iter().copied()));
        let document: Value = serde_json::from_str(&printed).unwrap();
        let values = document["targets"][0]["values"].as_array().unwrap();
        let row = |value: &Value| {
            let sources: Vec<&str> =
                value["sources"].as_array().unwrap().iter().map(|source| source.as_str().unwrap()).collect();
            self.shown(&format!("{} = {} ({})", value["key"].as_str().unwrap(), value["value"], sources.join(", ")))
        };
        values.iter().map(row).collect()
    }
}
