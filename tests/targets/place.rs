//! Folders with projects that configure targets.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::command::{self, repository, succeed};
use crate::support::uv::Project;

/// A project that requires nothing.
pub const SHOP: &str = "[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n";

/// A temporary folder with projects in it.
pub struct Place(pub Project);

impl Place {
    /// Makes a folder with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        Self(Project::new(files))
    }

    /// Makes a folder with a project of one module that requires nothing, and this configuration.
    pub fn configured(configuration: &str) -> Self {
        Self::new(&[
            ("pyproject.toml", &format!("{SHOP}{configuration}")),
            ("app.py", "def handler(event, context): ...\n"),
        ])
    }

    /// Makes a copy of the example, with this configuration.
    pub fn example(configuration: &str) -> Self {
        let place = Self::new(&[]);
        succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(place.0.path()));
        place.0.write("pyproject.toml", format!("{}{configuration}", place.0.read("pyproject.toml")).as_bytes());
        place
    }

    /// Returns `pybundle` with arguments, to be run in the folder. The example's wheels are all that it may fetch.
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

    /// Runs `pybundle`, which must end with an exit status, and returns what it prints and what it says.
    pub fn ends(&self, status: i32, arguments: &[&str]) -> (String, String) {
        let Output { status: ended, stdout, stderr } = self.command(arguments).output().unwrap();
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(ended.code(), Some(status), "{arguments:?}\n{stdout}{stderr}");
        (stdout, self.shown(&stderr))
    }

    /// Returns a text in which the folder is called `HERE`.
    pub fn shown(&self, text: &str) -> String {
        let here = self.0.path().canonicalize().unwrap();
        text.replace(here.to_str().unwrap(), "HERE")
    }

    /// Returns what is in force for a target, as `KEY = VALUE` with where it is stated.
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
