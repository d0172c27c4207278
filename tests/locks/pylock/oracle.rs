//! packaging and uv as oracles of the selection from a pylock.toml.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pybundle::lock::{Lock, LockError, SelectedDistribution, SelectedSource, SelectionRequest};
use pybundle::platform::TargetPlatform;
use serde_json::json;

use crate::support::case::chosen;
use crate::support::command::repository;
use crate::support::uv::{Project, platform};

/// The version and source of each distribution.
pub type Choices = BTreeMap<String, (Option<String>, String)>;

/// Returns what pybundle selects from a project's lock of this name.
pub fn pybundle(
    project: &Project,
    lock: &str,
    request: &SelectionRequest,
    target: &TargetPlatform,
) -> Result<Choices, LockError> {
    let lock = Lock::parse_pylock(&project.read(lock), &project.path().join(lock))?;
    let selection = lock.select(request, Path::new(""), target)?;
    let choice = |selected: SelectedDistribution| {
        let from = match &selected.source {
            SelectedSource::Wheel(wheel, _) => format!("file {}", wheel.filename),
            SelectedSource::Sdist(sdist) => format!("file {}", sdist.file.filename),
            SelectedSource::Git(repository) => format!("commit {}", repository.commit),
            SelectedSource::Directory(folder) | SelectedSource::Virtual(folder) => {
                let below = folder.strip_prefix(project.path()).unwrap();
                format!("folder {}", if below == Path::new("") { ".".into() } else { below.to_string_lossy() })
            }
        };
        (selected.name.to_string(), (selected.version.map(|version| version.to_string()), from))
    };
    Ok(chosen(&selection, target)?.into_iter().map(choice).collect())
}

/// Returns what packaging selects, or its error. `None` stands for the default groups.
pub fn packaging(
    project: &Project,
    lock: &str,
    extras: &[&str],
    groups: Option<&[&str]>,
    target: &TargetPlatform,
) -> Result<Choices, String> {
    let environment = target.marker_environment();
    let question = json!({
        "lock": project.path().join(lock),
        "extras": extras,
        "groups": groups,
        "tags": target.tags().as_slice().iter().map(|tag| [&tag.python, &tag.abi, &tag.platform]).collect::<Vec<_>>(),
        "environment": {
            "implementation_name": environment.implementation_name,
            "implementation_version": environment.implementation_version.to_string(),
            "os_name": environment.os_name,
            "platform_machine": environment.platform_machine,
            "platform_python_implementation": environment.platform_python_implementation,
            "platform_release": environment.platform_release,
            "platform_system": environment.platform_system,
            "platform_version": environment.platform_version,
            "python_full_version": environment.python_full_version.to_string(),
            "python_version": environment.python_version.to_string(),
            "sys_platform": environment.sys_platform,
        },
    });
    let mut command = Command::new(repository().join("target/test-tools/venv/bin/python"));
    command.arg(repository().join("tests/locks/pylock/ask_packaging.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("packaging is missing: run scripts/setup-tests ({error})"));
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "packaging does not read {lock}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    match answer.get("error").and_then(|error| error.as_str()) {
        Some(error) => Err(error.to_owned()),
        None => Ok(serde_json::from_value(answer).unwrap()),
    }
}

/// Returns the names of what uv would install, with these arguments.
pub fn uv(project: &Project, lock: &str, arguments: &[&str], target: &TargetPlatform) -> BTreeSet<String> {
    let (platform, python) = (platform(target), target.python.to_string());
    let common = [
        &["pip", "install", "--no-config", "--preview", "--dry-run", "--no-deps", "--target", "target"][..],
        &["--requirements", lock, "--python-platform", &platform, "--python-version", &python],
    ];
    let (_, log) = project.uv(&[&common.concat(), arguments].concat());
    let installed = log.lines().filter_map(|line| line.strip_prefix(" + "));
    installed.map(|line| line.split(['=', ' ']).next().unwrap().to_owned()).collect()
}
