//! Published pylock.tomls, compared with `uv pip install --dry-run`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pybundle::lock::{Lock, LockError, SelectedDistribution, SelectedSource, SelectionRequest};
use pybundle::platform::TargetPlatform;

use super::corpus::{Published, ask, published};
use crate::support::case::chosen;
use crate::support::uv::{Project, platform, targets};

/// The locks of which uv says something else, with the reason.
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

/// What one side makes of a lock for a target.
type Answer = Result<BTreeSet<String>, String>;

#[test]
fn each_pylock_is_selected_from_as_uv_does_or_refused_where_uv_refuses() {
    let locks = published("pylock.toml");
    let answers = ask(&locks, |lock| {
        targets(&["3.12", "3.13"]).iter().step_by(2).map(|target| answer(lock, target)).collect::<Vec<_>>()
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

/// Compares distributions; uv does not tell the version of those that are direct references.
fn are_equal(ours: &BTreeSet<String>, theirs: &BTreeSet<String>) -> bool {
    let name = |distribution: &str| distribution.split("==").next().unwrap_or_default().to_owned();
    let comparable = |distribution: &String| match theirs.contains(&name(distribution)) {
        true => name(distribution),
        false => distribution.clone(),
    };
    ours.iter().map(comparable).collect::<BTreeSet<_>>() == *theirs
}

/// Returns what pybundle and uv say.
fn answer(lock: &Published, target: &TargetPlatform) -> (Answer, Answer) {
    let project = Project::new(&[("folder/pylock.toml", &without_requires_python(&lock.text))]);
    write_paths(&project, &lock.text);
    let ours = Lock::parse_pylock(&lock.text, &project.path().join("folder/pylock.toml"))
        .and_then(|lock| lock.select(&SelectionRequest::default(), Path::new(""), target))
        .and_then(|selection| chosen(&selection, target))
        .map(|distributions| distributions.iter().map(form).collect())
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

/// Makes the files and folders that a lock names, for uv looks whether they are there.
fn write_paths(project: &Project, text: &str) {
    let quoted = text.split("path = \"").skip(1).filter_map(|rest| rest.split('"').next());
    for path in quoted.filter(|path| !path.starts_with('/')) {
        let is_file = [".whl", ".gz", ".zip"].iter().any(|ending| path.ends_with(ending));
        let path = format!("folder/{path}{}", if is_file { "" } else { "/pyproject.toml" });
        project.write(&path, b"");
    }
}

/// Leaves out the range of Pythons that a lock is for: uv compares it with the interpreter that it happens to run on instead
/// of the target. pybundle reads the whole text.
fn without_requires_python(text: &str) -> String {
    let (head, packages) = text.split_at(text.find("[[packages]]").unwrap_or(text.len()));
    let lines = head.lines().filter(|line| !line.trim_start().starts_with("requires-python"));
    lines.map(|line| format!("{line}\n")).chain([packages.to_owned()]).collect()
}

/// Returns a distribution with its version, or its name alone if it is no index's.
fn form(selected: &SelectedDistribution) -> String {
    let (name, version) = (&selected.name, selected.version.as_ref().map(ToString::to_string));
    match (&selected.source, version) {
        (SelectedSource::Wheel(..) | SelectedSource::Sdist(_), Some(version)) => format!("{name}=={version}"),
        _ => name.to_string(),
    }
}

/// Reads a line on what would be installed: ` + idna==3.10`, ` + foo==1.0 (from file:///…)` or ` + foo @ file:///…`.
fn installed(line: &str) -> Option<String> {
    let line = line.strip_prefix(" + ")?;
    match line.split_once(" (from ").or_else(|| line.split_once(" @ ")) {
        Some((distribution, _)) => distribution.split("==").next().map(str::to_owned),
        None => Some(line.to_owned()),
    }
}
