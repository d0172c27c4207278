//! Workflows, actions, examples and forms, checked by linters and schemas.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use crate::support::command::{repository, succeed, tool};

/// Returns the files in a directory, at any depth, whose names have this ending.
fn below(directory: &str, end: &str) -> Vec<PathBuf> {
    let (mut directories, mut found) = (vec![repository().join(directory)], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "found nothing to lint");
    found
}

/// Asserts that files are valid by a schema of check-jsonschema.
pub fn assert_valid(schema: &str, files: &[PathBuf]) {
    let mut command = Command::new(tool("check-jsonschema"));
    succeed(command.args(["--builtin-schema", schema]).args(files));
}

#[test]
fn workflows_and_actions_are_valid() {
    let workflows = below(".github/workflows", ".yml");
    assert_valid("vendor.github-workflows", &workflows);
    assert_valid("vendor.github-actions", &below(".github/actions", "action.yml"));
    succeed(Command::new(tool("actionlint")).arg("-shellcheck=").args(workflows).current_dir(repository()));
}

#[test]
fn foreign_actions_are_pinned_to_one_commit() {
    let mut pins = BTreeMap::new();
    for path in below(".github", ".yml") {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: ")) {
            let Some((name, pin)) = line.split_once('@') else {
                assert!(line.starts_with("$/.github/"), "{line}");
                continue;
            };
            let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("{line} names no version"));
            assert!(commit.len() == 40 && version.split('.').count() == 3, "{line}");
            assert_eq!(*pins.entry(name.to_owned()).or_insert(pin.to_owned()), pin, "{line}");
        }
    }
    assert!(pins.contains_key("actions/cache"));
}

#[test]
fn workflows_and_actions_are_safe() {
    let mut command = Command::new(tool("zizmor"));
    succeed(command.args(["--offline", "--no-progress", "--strict-collection"]).arg(repository().join(".github")));
}

#[test]
fn template_injection_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("action.yml");
    let action = std::fs::read_to_string(repository().join(".github/actions/check/action.yml")).unwrap();
    std::fs::write(&path, action.replace("'\"$GITHUB_ACTION_PATH", "'${{ inputs.types }} \"$GITHUB_ACTION_PATH"))
        .unwrap();
    let output = Command::new(tool("zizmor")).args(["--offline", "--no-progress"]).arg(&path).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("template-injection"));
}

#[test]
fn forms_and_dependency_updates_are_valid() {
    assert_valid("vendor.dependabot", &[repository().join(".github/dependabot.yml")]);
    let (configuration, forms): (Vec<_>, Vec<_>) =
        below(".github/ISSUE_TEMPLATE", ".yml").into_iter().partition(|path| path.ends_with("config.yml"));
    assert_valid("vendor.github-issue-forms", &forms);
    assert_valid("vendor.github-issue-config", &configuration);
}

#[test]
fn examples_for_other_systems_are_valid() {
    let examples = repository().join(".github/examples");
    for (schema, name) in [("vendor.gitlab-ci", "gitlab-ci.yml"), ("vendor.buildkite", "buildkite.yml")] {
        assert_valid(schema, &[examples.join(name)]);
    }
}
