//! A runner for the actions and workflows of this repository, like GitHub's.
//!
//! Scripts are run unchanged, with the files that GitHub provides. Actions of other repositories are emulated.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::check::search_path;
use crate::expression::{Contexts, evaluate, fill, is_true, text};
use crate::support::command::{repository, succeed, tool};

/// The machine of a job.
pub struct Runner {
    directory: TempDir,
    repository: PathBuf,
    /// The variables that every script gets.
    environment: BTreeMap<String, String>,
    /// The output of all scripts, on both streams.
    pub log: String,
    /// The job summary, as Markdown.
    pub summary: String,
    /// The keys of the caches that were used.
    pub caches: Vec<String>,
    /// The names of the uploaded files.
    pub uploads: Vec<String>,
}

/// The result of a step, an action or a job.
pub struct StepResult {
    pub success: bool,
    pub outputs: Map<String, Value>,
}

impl Runner {
    /// Returns a machine for jobs of a local repository.
    pub fn new(repository: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["workspace", "temporary", "files"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let (log, summary) = (String::new(), String::new());
        let environment = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("PATH", search_path().into_string().unwrap()),
            ("RUNNER_TEMP", directory.path().join("temporary").display().to_string()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        Self {
            directory,
            repository: repository.to_owned(),
            environment,
            log,
            summary,
            caches: Vec::new(),
            uploads: Vec::new(),
        }
    }

    /// Sets a variable for every script.
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    /// Returns the directory of the checkout.
    pub fn workspace(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    /// Checks out the repository, like `actions/checkout`. The depth `0` fetches the whole history.
    pub fn check_out(&self, depth: &str) {
        let mut command = Command::new("git");
        command.args(["clone", "--quiet"]).args((depth != "0").then(|| format!("--depth={depth}")));
        succeed(command.arg(format!("file://{}", self.repository.display())).arg(self.workspace()));
    }

    /// Runs a job of a reusable workflow with these inputs and secrets.
    pub fn job(&mut self, workflow: &str, job: &str, inputs: &Value, secrets: &Value) -> StepResult {
        let workflow = read_yaml(&repository().join(workflow));
        let call = &workflow["on"]["workflow_call"];
        assert!(are_declared(secrets, &call["secrets"]), "the workflow does not declare all of {secrets}");
        let mut contexts = Contexts::new(with_defaults(inputs, &call["inputs"]), secrets.clone());
        let job = &workflow["jobs"][job];
        if job.get("if").is_some_and(|condition| !holds(condition, &contexts)) {
            return StepResult { success: true, outputs: Map::new() };
        }
        let success = self.steps(&job["steps"], &mut contexts, None);
        StepResult { success, outputs: filled(&job["outputs"], &contexts) }
    }

    /// Runs an action of this repository with these inputs.
    pub fn action(&mut self, directory: &str, inputs: &Value) -> StepResult {
        let directory = repository().join(directory);
        let action = read_yaml(&directory.join("action.yml"));
        assert_eq!(action["runs"]["using"], "composite");
        let mut inputs = with_defaults(inputs, &action["inputs"]);
        // The inputs of an action are strings.
        inputs.values_mut().for_each(|value| *value = text(value).into());
        let mut contexts = Contexts::new(inputs, json!({}));
        let success = self.steps(&action["runs"]["steps"], &mut contexts, Some(&directory));
        let outputs = action["outputs"].as_object().cloned().unwrap_or_default();
        let values = outputs.into_iter().map(|(name, output)| (name, output["value"].clone())).collect();
        StepResult { success, outputs: filled(&Value::Object(values), &contexts) }
    }

    /// Runs steps until one fails. Returns whether all succeeded.
    fn steps(&mut self, steps: &Value, contexts: &mut Contexts, action: Option<&Path>) -> bool {
        for step in steps.as_array().unwrap() {
            if step.get("if").is_some_and(|condition| !holds(condition, contexts)) {
                continue;
            }
            let outcome = match step["uses"].as_str() {
                Some(uses) => self.uses(uses, &filled(&step["with"], contexts)),
                None => self.script(step, contexts, action.expect("the workflows only call actions")),
            };
            if let Some(id) = step["id"].as_str() {
                contexts.steps.insert(id.to_owned(), json!({"outputs": outcome.outputs}));
            }
            if !outcome.success {
                return false;
            }
        }
        true
    }

    /// Runs an action of this repository, or emulates a known one of another.
    fn uses(&mut self, uses: &str, with: &Map<String, Value>) -> StepResult {
        if let Some(own) = uses.strip_prefix("$/") {
            return self.action(own, &Value::Object(with.clone()));
        }
        match uses.split_once('@').map(|(name, _)| name) {
            Some("actions/checkout") => {
                assert_eq!(with["persist-credentials"], false);
                self.check_out(&with.get("fetch-depth").map_or("1".to_owned(), text));
            }
            Some("astral-sh/setup-uv") => {
                succeed(Command::new("uv").arg("--version").env("PATH", &self.environment["PATH"]));
            }
            Some("actions/cache") => {
                assert!(Path::new(&text(&with["path"])).is_absolute(), "{with:?}");
                self.caches.push(text(&with["key"]));
            }
            Some("actions/upload-artifact") => {
                for file in text(&with["path"]).lines() {
                    assert!(Path::new(file).is_file(), "{file} is uploaded but does not exist");
                    self.uploads.push(Path::new(file).file_name().unwrap().to_str().unwrap().to_owned());
                }
            }
            _ => panic!("unknown action {uses}"),
        }
        StepResult { success: true, outputs: Map::new() }
    }

    /// Runs a script with Bash, with the options that GitHub passes.
    fn script(&mut self, step: &Value, contexts: &Contexts, action: &Path) -> StepResult {
        assert_eq!(step["shell"], "bash");
        let file = |name: &str| self.directory.path().join("files").join(name);
        let (script, outputs, page) = (file("script.sh"), file("outputs"), file("summary"));
        fs::write(&script, fill(step["run"].as_str().unwrap(), contexts)).unwrap();
        fs::write(&outputs, "").unwrap();
        fs::write(&page, "").unwrap();
        let mut command = Command::new("bash");
        command.args(["-c", "exec bash --noprofile --norc -eo pipefail \"$0\" 2>&1"]).arg(&script);
        command.current_dir(self.workspace()).env_remove("UV_PYTHON").envs(&self.environment);
        command.env("GITHUB_ACTION_PATH", action).env("GITHUB_WORKSPACE", self.workspace());
        command.env("GITHUB_OUTPUT", &outputs).env("GITHUB_STEP_SUMMARY", &page);
        command.envs(filled(&step["env"], contexts).iter().map(|(name, value)| (name, text(value))));
        let output = command.output().unwrap();
        self.log += &String::from_utf8(output.stdout).unwrap();
        self.summary += &fs::read_to_string(&page).unwrap();
        let outputs = read_outputs(&fs::read_to_string(&outputs).unwrap());
        StepResult { success: output.status.success(), outputs }
    }
}

/// Reads a YAML 1.2 document, in which `on` is a string; for a YAML 1.1 parser, it is `true`.
pub fn read_yaml(path: &Path) -> Value {
    let program = "import json, sys; from ruamel.yaml import YAML
print(json.dumps(YAML(typ='safe').load(open(sys.argv[1], encoding='utf-8'))))";
    let text = succeed(Command::new(tool("python")).args(["-c", program]).arg(path));
    serde_json::from_str(&text).unwrap()
}

/// Reads `name=value` and `name<<end`, as in GITHUB_OUTPUT.
fn read_outputs(text: &str) -> Map<String, Value> {
    let mut outputs = Map::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, value) = match (line.split_once('='), line.split_once("<<")) {
            (Some((name, value)), _) if !name.contains("<<") => (name, value.to_owned()),
            (_, Some((name, end))) => {
                let value: Vec<_> = lines.by_ref().take_while(|line| *line != end).collect();
                (name, value.join("\n"))
            }
            _ => panic!("`{line}` is not a valid output"),
        };
        outputs.insert(name.to_owned(), value.into());
    }
    outputs
}

/// Returns whether all of the given values are declared.
fn are_declared(given: &Value, declared: &Value) -> bool {
    given.as_object().unwrap().keys().all(|name| declared.get(name).is_some())
}

/// Returns the given values and the defaults of the others.
fn with_defaults(given: &Value, declared: &Value) -> Map<String, Value> {
    assert!(are_declared(given, declared), "not all of {given} is declared");
    let declared = declared.as_object().unwrap().iter();
    declared.map(|(name, input)| (name.clone(), given.get(name).unwrap_or(&input["default"]).clone())).collect()
}

/// Evaluates the condition of an `if`.
fn holds(condition: &Value, contexts: &Contexts) -> bool {
    is_true(&evaluate(condition.as_str().unwrap(), contexts))
}

/// Evaluates the expressions in the values of a table.
fn filled(table: &Value, contexts: &Contexts) -> Map<String, Value> {
    let entries = table.as_object().cloned().unwrap_or_default();
    let fill = |value: Value| match value {
        Value::String(text) => fill(&text, contexts).into(),
        other => other,
    };
    entries.into_iter().map(|(name, value)| (name, fill(value))).collect()
}
