//! Published pylock.tomls, compared with `uv pip install --dry-run`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pybundle::lock::{Lock, LockError, SelectedDistribution, SelectedSource, SelectionRequest};
use pybundle::platform::TargetPlatform;

use super::corpus::{Published, for_each, published};
use crate::support::case::chosen;
use crate::support::uv::{Project, platform, targets};

/// The locks for which uv differs, with the reason.
const DEVIATIONS: &[(&str, &str)] = &[
    (
        "uv/crates/uv/tests/pip/pip_sync.rs:5632",
        "a wheel that is there has another size than in the lock: pybundle says so when it reads the wheel",
    ),
    (
        "uv/crates/uv/tests/project/export.rs:5336",
        "a folder with an absolute path is not there: pybundle says so when it builds",
    ),
];

/// The selection or error of one tool for a target.
type Outcome = Result<BTreeSet<String>, String>;

#[test]
fn each_pylock_selects_the_same_as_with_uv_or_is_refused_by_both() {
    let locks = published("pylock.toml");
    let answers = for_each(&locks, |lock| {
        targets(&["3.12", "3.13"]).iter().step_by(2).map(|target| outcomes(lock, target)).collect::<Vec<_>>()
    });
    let mut differing = BTreeMap::new();
    let (mut same, mut refused) = (0, 0);
    for (origin, answers) in answers {
        for (ours, theirs) in answers {
            match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) if are_equal(ours, theirs) => same += 1,
                (Err(_), Err(_)) => refused += 1,
                (ours, theirs) => {
                    differing.insert(origin, format!("pybundle: {ours:?}\nuv: {theirs:?}"));
                }
            }
        }
    }
    for (origin, answers) in &differing {
        eprintln!("{origin}:\n{answers}\n");
    }
    eprintln!("{} locks, {same} equal selections, {refused} refusals, {} differ", locks.len(), differing.len());
    let expected: BTreeSet<&str> = DEVIATIONS.iter().map(|(origin, _)| *origin).collect();
    assert_eq!(differing.keys().copied().collect::<BTreeSet<_>>(), expected);
}

/// Compares distributions, without the versions of direct references, which uv does not print.
fn are_equal(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> bool {
    let comparable = ours.iter().map(|distribution| {
        let name = distribution.split("==").next().unwrap_or_default();
        if theirs.contains(name) { name.to_owned() } else { distribution.clone() }
    });
    comparable.collect::<BTreeSet<_>>() == *theirs
}

/// Returns the outcomes of pybundle and uv.
fn outcomes(lock: &Published, target: &TargetPlatform) -> (Outcome, Outcome) {
    let project = Project::new(&[("folder/pylock.toml", &without_requires_python(&lock.text))]);
    write_paths(&project, &lock.text);
    let ours = Lock::parse_pylock(&lock.text, &project.path().join("folder/pylock.toml"))
        .and_then(|lock| lock.select(&SelectionRequest::default(), Path::new(""), target))
        .and_then(|selection| chosen(&selection, target))
        .map(|distributions| distributions.iter().map(name_and_version).collect())
        .map_err(|error: LockError| error.to_string());
    let output = project.try_uv(
        &[
            &[
                "pip",
                "install",
                "--no-config",
                "--offline",
                "--preview",
                "--dry-run",
                "--no-deps",
                "--target",
                "target",
            ],
            &["--requirements", "folder/pylock.toml", "--python-platform", &platform(target)][..],
            &["--python-version", &target.python.to_string()],
        ]
        .concat(),
    );
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let theirs = if output.status.success() { Ok(log.lines().filter_map(installed).collect()) } else { Err(log) };
    (ours, theirs)
}

/// Creates the files and directories that a lock refers to, because uv checks that they exist.
fn write_paths(project: &Project, text: &str) {
    let quoted = text.split("path = \"").skip(1).filter_map(|rest| rest.split('"').next());
    for path in quoted.filter(|path| !path.starts_with('/')) {
        let is_file = [".whl", ".gz", ".zip"].iter().any(|ending| path.ends_with(ending));
        let path = format!("folder/{path}{}", if is_file { "" } else { "/pyproject.toml" });
        project.write(&path, b"");
    }
}

/// Removes the `requires-python` of a lock, which uv compares with its own interpreter instead of the target. pybundle reads the
/// whole text.
fn without_requires_python(text: &str) -> String {
    let (head, packages) = text.split_at(text.find("[[packages]]").unwrap_or(text.len()));
    let lines = head.lines().filter(|line| !line.trim_start().starts_with("requires-python"));
    lines.map(|line| format!("{line}\n")).chain([packages.to_owned()]).collect()
}

/// Returns a distribution with its version, or only its name if it does not come from an index.
fn name_and_version(selected: &SelectedDistribution) -> String {
    let (name, version) = (&selected.name, selected.version.as_ref().map(ToString::to_string));
    match (&selected.source, version) {
        (SelectedSource::Wheel(..) | SelectedSource::Sdist(_), Some(version)) => format!("{name}=={version}"),
        _ => name.to_string(),
    }
}

/// Parses a line about a distribution that would be installed: ` + idna==3.10`, ` + foo==1.0 (from file:///…)` or ` + foo @ file:///…`.
fn installed(line: &str) -> Option<String> {
    let line = line.strip_prefix(" + ")?;
    match line.split_once(" (from ").or_else(|| line.split_once(" @ ")) {
        Some((distribution, _)) => distribution.split("==").next().map(str::to_owned),
        None => Some(line.to_owned()),
    }
}
