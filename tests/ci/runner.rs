//! A runner of GitHub's actions and workflows, as far as this repository's need one.
//!
//! Scripts are run as they stand, with the files that GitHub gives them. An action that comes from elsewhere is done here
//! by what it amounts to, and only if it is one that is known.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::check::search_path;
use crate::expression::{Contexts, evaluate, fill, is_true, text};
use crate::support::command::{repository, succeed, tool};

/// The machine of a job: its folders, what was said, and what came of it.
pub struct Runner {
    folder: TempDir,
    source: PathBuf,
    /// What is set for every script.
    environment: BTreeMap<String, String>,
    /// What was printed, on both streams.
    pub log: String,
    /// The summary, as Markdown.
    pub summary: String,
    /// The keys of what was kept from one run to the next.
    pub caches: Vec<String>,
    /// The files that were uploaded, by their names.
    pub uploads: Vec<String>,
}

/// How steps ended.
pub struct Outcome {
    pub success: bool,
    pub outputs: Map<String, Value>,
}

impl Runner {
    /// A machine for jobs of the repository that lies in a folder.
    pub fn new(source: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["workspace", "temporary", "files"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let (log, summary) = (String::new(), String::new());
        let environment = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("PATH", search_path().into_string().unwrap()),
            ("RUNNER_TEMP", folder.path().join("temporary").display().to_string()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        Self { folder, source: source.to_owned(), environment, log, summary, caches: Vec::new(), uploads: Vec::new() }
    }

    /// Sets a variable for every script.
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    /// Returns the folder of the checkout.
    pub fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// Checks the repository out, as `actions/checkout` does: the last commit, or with the depth 0 all of them.
    pub fn check_out(&self, depth: &str) {
        let mut command = Command::new("git");
        command.args(["clone", "--quiet"]).args((depth != "0").then(|| format!("--depth={depth}")));
        succeed(command.arg(format!("file://{}", self.source.display())).arg(self.workspace()));
    }

    /// Runs a job of a reusable workflow, which has these inputs and secrets.
    pub fn job(&mut self, workflow: &str, job: &str, inputs: &Value, secrets: &Value) -> Outcome {
        let workflow = read_yaml(&repository().join(workflow));
        let call = &workflow["on"]["workflow_call"];
        assert!(known_to(secrets, &call["secrets"]), "{secrets} are no secrets of the workflow");
        let mut contexts = Contexts::new(with_defaults(inputs, &call["inputs"]), secrets.clone());
        let job = &workflow["jobs"][job];
        if job.get("if").is_some_and(|condition| !holds(condition, &contexts)) {
            return Outcome { success: true, outputs: Map::new() };
        }
        let success = self.steps(&job["steps"], &mut contexts, None);
        Outcome { success, outputs: filled(&job["outputs"], &contexts) }
    }

    /// Runs an action of this repository, which has these inputs.
    pub fn action(&mut self, folder: &str, inputs: &Value) -> Outcome {
        let folder = repository().join(folder);
        let action = read_yaml(&folder.join("action.yml"));
        assert_eq!(action["runs"]["using"], "composite");
        let mut inputs = with_defaults(inputs, &action["inputs"]);
        // An action is given nothing but texts.
        inputs.values_mut().for_each(|value| *value = text(value).into());
        let mut contexts = Contexts::new(inputs, json!({}));
        let success = self.steps(&action["runs"]["steps"], &mut contexts, Some(&folder));
        let outputs = action["outputs"].as_object().cloned().unwrap_or_default();
        let values = outputs.into_iter().map(|(name, output)| (name, output["value"].clone())).collect();
        Outcome { success, outputs: filled(&Value::Object(values), &contexts) }
    }

    /// Runs steps until one fails, and tells whether none did.
    fn steps(&mut self, steps: &Value, contexts: &mut Contexts, action: Option<&Path>) -> bool {
        for step in steps.as_array().unwrap() {
            if step.get("if").is_some_and(|condition| !holds(condition, contexts)) {
                continue;
            }
            let outcome = match step["uses"].as_str() {
                Some(uses) => self.uses(uses, &filled(&step["with"], contexts)),
                None => self.script(step, contexts, action.expect("our workflows only call actions")),
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

    /// Does what an action of others amounts to, or runs one of this repository.
    fn uses(&mut self, uses: &str, with: &Map<String, Value>) -> Outcome {
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
                    assert!(Path::new(file).is_file(), "{file} is uploaded, but is no file");
                    self.uploads.push(Path::new(file).file_name().unwrap().to_str().unwrap().to_owned());
                }
            }
            _ => panic!("{uses} is no action that is known here"),
        }
        Outcome { success: true, outputs: Map::new() }
    }

    /// Runs a script with Bash, as GitHub does.
    fn script(&mut self, step: &Value, contexts: &Contexts, action: &Path) -> Outcome {
        assert_eq!(step["shell"], "bash");
        let file = |name: &str| self.folder.path().join("files").join(name);
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
        Outcome { success: output.status.success(), outputs }
    }
}

/// Reads a document of YAML 1.2, for which `on` is a text.
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
            _ => panic!("{line} is no output"),
        };
        outputs.insert(name.to_owned(), value.into());
    }
    outputs
}

/// Tells whether everything that is given is declared.
fn known_to(given: &Value, declared: &Value) -> bool {
    given.as_object().unwrap().keys().all(|name| declared.get(name).is_some())
}

/// Returns what is given, and the defaults of what else is declared.
fn with_defaults(given: &Value, declared: &Value) -> Map<String, Value> {
    assert!(known_to(given, declared), "not all of {given} is declared");
    let declared = declared.as_object().unwrap().iter();
    declared.map(|(name, input)| (name.clone(), given.get(name).unwrap_or(&input["default"]).clone())).collect()
}

/// Tells whether an `if` holds.
fn holds(condition: &Value, contexts: &Contexts) -> bool {
    is_true(&evaluate(condition.as_str().unwrap(), contexts))
}

/// Returns a table with its expressions evaluated.
fn filled(table: &Value, contexts: &Contexts) -> Map<String, Value> {
    let entries = table.as_object().cloned().unwrap_or_default();
    let fill = |value: Value| match value {
        Value::String(text) => fill(&text, contexts).into(),
        other => other,
    };
    entries.into_iter().map(|(name, value)| (name, fill(value))).collect()
}
