//! Requests for selections, and Poetry's installer as the oracle.

use std::collections::BTreeMap;
use std::path::Path;

use pybundle::lock::{LockError, Selection, SelectionRequest};
use pybundle::platform::TargetPlatform;

use super::project::{Project, python};
use crate::support::uv::targets;

/// A request.
#[derive(Default, Clone)]
pub struct Case(pub SelectionRequest);

impl Case {
    /// Requests an extra.
    pub fn extra(mut self, name: &str) -> Self {
        self.0.extras.insert(name.parse().unwrap());
        self
    }

    /// Requests every extra.
    pub fn all_extras(mut self) -> Self {
        self.0.all_extras = true;
        self
    }

    /// Requests a group.
    pub fn group(mut self, name: &str) -> Self {
        self.0.groups.insert(name.parse().unwrap());
        self
    }

    /// Requests only a group.
    pub fn only_group(mut self, name: &str) -> Self {
        self.0.only_groups.insert(name.parse().unwrap());
        self
    }

    /// Returns what is selected for Python 3.12 on x86_64.
    pub fn select(&self, project: &Project) -> Result<Selection, LockError> {
        project.lock().select(&self.0, Path::new(""), &targets(&["3.12"])[0])
    }

    /// Returns the request to the oracle. `extras` are those of the project.
    fn question(&self, target: &TargetPlatform, extras: &[&str]) -> serde_json::Value {
        let main = if self.0.only_groups.is_empty() { vec!["main".to_owned()] } else { Vec::new() };
        let groups = self.0.groups.union(&self.0.only_groups).map(ToString::to_string);
        let extras: Vec<String> = if self.0.all_extras {
            extras.iter().map(ToString::to_string).collect()
        } else {
            self.0.extras.iter().map(ToString::to_string).collect()
        };
        serde_json::json!({
            "python": target.python_full_version.to_string(),
            "machine": target.architecture.wheel_name(),
            "groups": main.into_iter().chain(groups).collect::<Vec<_>>(),
            "extras": extras,
        })
    }
}

/// Asserts that the selections equal Poetry's, for each case, runtime and architecture. `extras` are those of the project.
pub fn agree(project: &Project, cases: &[Case], extras: &[&str], pythons: &[&str]) {
    let lock = project.lock();
    let targets = targets(pythons);
    let asked: Vec<(&Case, &TargetPlatform)> =
        cases.iter().flat_map(|case| targets.iter().map(move |target| (case, target))).collect();
    let questions: Vec<_> = asked.iter().map(|(case, target)| case.question(target, extras)).collect();
    let answers = python("selections.py", &[project.path()], &serde_json::to_string(&questions).unwrap());
    let answers: Vec<BTreeMap<String, String>> = serde_json::from_str(&answers).unwrap();
    assert_eq!(answers.len(), asked.len());
    for (((case, target), question), answer) in asked.into_iter().zip(questions).zip(answers) {
        let selection =
            lock.select(&case.0, Path::new(""), target).unwrap_or_else(|error| panic!("{question}: {error}"));
        assert!(!answer.is_empty(), "{question}");
        assert_eq!(versions(&selection), answer, "{question}");
    }
}

/// Returns the version of each distribution except the root.
fn versions(selection: &Selection) -> BTreeMap<String, String> {
    let others =
        selection.distributions.iter().filter(|pinned| !pinned.required_by.contains(&pybundle::lock::Dependent::Root));
    others.map(|pinned| (pinned.name.to_string(), pinned.version.as_ref().unwrap().to_string())).collect()
}
