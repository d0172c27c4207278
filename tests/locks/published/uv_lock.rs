//! Published uv.locks, compared with `uv export --frozen`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pep440_rs::VersionSpecifiers;
use pybundle::lock::{DistributionSource, FileLocation, Lock, LockError, PinnedDistribution, SelectionRequest};
use pybundle::marker::{ActiveExtras, Marker, Requirement, VersionOrUrl};
use pybundle::platform::{MarkerEnvironment, TargetPlatform};
use toml::Table;

use super::corpus::{Published, for_each, published};
use crate::support::uv::{Project, targets};

/// The locks for which uv differs, with the reason.
const DEVIATIONS: &[(&str, &str)] = &[(
    "uv/crates/uv/tests/project/export.rs:456",
    "written by hand, with an extra's bare name in the marker of an edge: `uv export` takes it for the root's, `uv sync` does not",
)];

/// The result of a comparison.
#[derive(Debug, PartialEq, Eq)]
enum Comparison {
    /// Both select the same, for this many targets.
    Same(usize),
    /// Both refuse the lock.
    BothRefuse,
    /// They differ.
    Differ(String),
}

#[test]
fn each_uv_lock_selects_the_same_as_with_uv_or_is_refused_by_both() {
    let locks = published("uv.lock");
    let comparisons = for_each(&locks, compare);
    let same: usize = comparisons
        .values()
        .map(|comparison| if let Comparison::Same(targets) = comparison { *targets } else { 0 })
        .sum();
    let refused = comparisons.values().filter(|comparison| **comparison == Comparison::BothRefuse).count();
    let differing: BTreeMap<_, _> = comparisons
        .iter()
        .filter_map(|(origin, comparison)| match comparison {
            Comparison::Differ(reason) => Some((*origin, reason.as_str())),
            _ => None,
        })
        .collect();
    for (origin, reason) in &differing {
        eprintln!("{origin}: {reason}\n");
    }
    eprintln!("{} locks, {same} equal selections, {refused} refused, {} differ", locks.len(), differing.len());
    let expected: BTreeSet<&str> = DEVIATIONS.iter().map(|(origin, _)| *origin).collect();
    assert_eq!(differing.keys().copied().collect::<BTreeSet<_>>(), expected);
}

fn compare(lock: &Published) -> Comparison {
    let table: Result<Table, _> = lock.text.parse();
    let Ok(table) = table else {
        let ours = Lock::parse_uv(&lock.text, Path::new("uv.lock"));
        return if ours.is_err() { Comparison::BothRefuse } else { Comparison::Differ("is not TOML".to_owned()) };
    };
    let project = Project::new(&[("uv.lock", &lock.text), ("script.py.lock", &lock.text)]);
    let requests = Requests::of(&table);
    project.write("pyproject.toml", requests.pyproject.as_bytes());
    project.write("script.py", requests.script.as_bytes());
    let arguments: Vec<&str> = requests.arguments.iter().map(String::as_str).collect();
    let output = project.try_uv(&arguments);
    let ours = Lock::parse_uv(&lock.text, &project.path().join("uv.lock"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    match (output.status.success(), ours) {
        (false, Err(_)) => Comparison::BothRefuse,
        (true, Err(error)) => Comparison::Differ(format!("only pybundle refuses: {error}")),
        (false, Ok(lock)) => {
            let refusals = targets(&["3.12", "3.13"])
                .into_iter()
                .map(|target| lock.select(&requests.request, Path::new(""), &target));
            if refusals.into_iter().all(|result| result.is_err()) {
                Comparison::BothRefuse
            } else {
                Comparison::Differ(format!("only uv refuses: {stderr}"))
            }
        }
        (true, Ok(lock)) => {
            let exported = Exported::parse(&String::from_utf8(output.stdout).unwrap(), project.path());
            requests.selections(&lock, &exported, project.path())
        }
    }
}

/// The requests to pybundle and uv for a lock.
struct Requests {
    request: SelectionRequest,
    arguments: Vec<String>,
    pyproject: String,
    script: String,
    requires_python: VersionSpecifiers,
}

impl Requests {
    fn of(table: &Table) -> Self {
        let text = |table: &Table, key: &str| table.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        let requires_python = text(table, "requires-python").unwrap_or_default();
        let packages: Vec<&Table> = table
            .get("package")
            .and_then(|value| value.as_array())
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_table())
            .collect();
        let is_root = |package: &&&Table| {
            let source = package.get("source").and_then(|value| value.as_table());
            source.is_some_and(|source| {
                ["editable", "virtual", "directory"].iter().any(|key| text(source, key).is_some_and(|path| path == "."))
            })
        };
        let root = packages.iter().find(is_root).copied();
        let manifest = table.get("manifest").and_then(|value| value.as_table());
        let has = |key: &str| manifest.is_some_and(|manifest| manifest.contains_key(key));
        let is_script = root.is_none() && !has("members") && !has("dependency-groups");
        let mut pyproject = String::new();
        if let Some(root) = root {
            let name = text(root, "name").unwrap_or_default();
            let version = text(root, "version").map(|version| format!("version = {version:?}"));
            let version = version.unwrap_or_else(|| "dynamic = [\"version\"]".to_owned());
            pyproject = format!("[project]\nname = {name:?}\n{version}\nrequires-python = {requires_python:?}\n");
        }
        pyproject.push_str("[tool.uv.workspace]\nmembers = []\n");
        let conflicts = table.contains_key("conflicts");
        let mut request = SelectionRequest::default();
        let mut arguments: Vec<String> = [
            "export",
            "--frozen",
            "--offline",
            "--quiet",
            "--no-hashes",
            "--no-annotate",
            "--no-header",
            "--no-default-groups",
        ]
        .map(str::to_owned)
        .to_vec();
        if is_script {
            arguments.extend(["--script", "script.py"].map(str::to_owned));
        } else if !conflicts {
            request.all_extras = true;
            arguments.extend(["--all-extras", "--all-groups"].map(str::to_owned));
            let owners = match root {
                Some(root) => vec![root],
                None => packages.clone(),
            };
            let mut groups: BTreeSet<String> = BTreeSet::new();
            for owner in owners {
                for groups_of in [
                    owner.get("dev-dependencies"),
                    owner.get("dependency-groups"),
                    owner.get("metadata").and_then(|metadata| metadata.get("requires-dev")),
                ] {
                    groups.extend(
                        groups_of
                            .and_then(|value| value.as_table())
                            .into_iter()
                            .flat_map(|table| table.keys().cloned()),
                    );
                }
            }
            let of_manifest =
                manifest.and_then(|manifest| manifest.get("dependency-groups")).and_then(|value| value.as_table());
            groups.extend(of_manifest.into_iter().filter(|_| root.is_none()).flat_map(|table| table.keys().cloned()));
            request.groups = groups.iter().map(|group| group.parse().unwrap()).collect();
        }
        let script = format!("# /// script\n# requires-python = {requires_python:?}\n# dependencies = []\n# ///\n");
        Self { request, arguments, pyproject, script, requires_python: requires_python.parse().unwrap_or_default() }
    }

    fn selections(&self, lock: &Lock, exported: &Exported, folder: &Path) -> Comparison {
        let mut compared = 0;
        for target in targets(&["3.9", "3.12", "3.13"]) {
            let selection = match lock.select(&self.request, Path::new(""), &target) {
                Ok(selection) => selection,
                Err(LockError::IncompatiblePython { .. }) if !target.python.is_allowed_by(&self.requires_python) => {
                    continue;
                }
                Err(LockError::UnsupportedTarget { .. }) => continue,
                Err(error) => return Comparison::Differ(format!("only pybundle refuses: {error}")),
            };
            let theirs = exported.on(&self.environment(&target));
            let ours: Vec<_> = selection.distributions.iter().filter_map(|pinned| forms(pinned, folder)).collect();
            let more: Vec<_> = ours.iter().filter(|forms| !forms.iter().any(|form| theirs.contains(form))).collect();
            let less: Vec<_> = theirs.iter().filter(|form| !ours.iter().any(|forms| forms.contains(form))).collect();
            if !more.is_empty() || !less.is_empty() {
                return Comparison::Differ(format!(
                    "{} on {:?}: uv has {less:?}, pybundle {more:?}",
                    target.name, target.architecture
                ));
            }
            compared += 1;
        }
        Comparison::Same(compared)
    }

    /// Returns the environment of the first patch version that the lock allows.
    fn environment(&self, target: &TargetPlatform) -> MarkerEnvironment {
        let mut patches = (0..100).map(|patch| target.python.patch_release(patch));
        let version = patches.find(|version| self.requires_python.contains(version)).unwrap();
        MarkerEnvironment::new(&version, target.architecture)
    }
}

/// Returns the forms in which uv may export a distribution: the name and version if it comes from an index, the name if it comes
/// from another URL, or the path. Projects that are not packages are not exported.
fn forms(pinned: &PinnedDistribution, folder: &Path) -> Option<Vec<String>> {
    match &pinned.source {
        DistributionSource::Files(files) => {
            let sdist = files.sdist.iter().map(|sdist| &sdist.file.location);
            Some(match files.wheels.iter().map(|wheel| &wheel.location).chain(sdist).next() {
                Some(FileLocation::Url { index: None, .. }) => vec![pinned.name.to_string()],
                // An index may be a directory.
                Some(FileLocation::Path(path)) => vec![pinned.to_string(), path.display().to_string()],
                None => files
                    .unusable
                    .iter()
                    .map(|file| format!("{}/{file}", folder.display()))
                    .chain([pinned.to_string()])
                    .collect(),
                Some(_) => vec![pinned.to_string()],
            })
        }
        DistributionSource::Git(_) => Some(vec![pinned.name.to_string()]),
        DistributionSource::Directory(folder) => Some(vec![folder.display().to_string()]),
        DistributionSource::Index(_) | DistributionSource::Virtual(_) => None,
    }
}

/// The output of `uv export`.
struct Exported(Vec<(String, Option<Marker>)>);

impl Exported {
    /// Parses the requirements, whose paths are relative to a directory.
    fn parse(text: &str, folder: &Path) -> Self {
        let line = |line: &str| match line.parse::<Requirement>() {
            Ok(Requirement { name, constraint: VersionOrUrl::Specifiers(specifiers), marker, .. }) => {
                (format!("{name} {}", specifiers.iter().next().unwrap().version()), marker)
            }
            Ok(requirement) => (requirement.name.to_string(), requirement.marker),
            Err(_) => {
                let (path, marker) = line.split_once(" ; ").unwrap_or((line, ""));
                let path = path.trim_start_matches("-e ").trim_start_matches("file://");
                (normalized(&folder.join(path)), (!marker.is_empty()).then(|| marker.parse().unwrap()))
            }
        };
        Self(text.lines().map(line).collect())
    }

    fn on(&self, environment: &MarkerEnvironment) -> BTreeSet<String> {
        let holds = |marker: &Option<Marker>| {
            marker.as_ref().is_none_or(|marker| marker.evaluate(environment, &ActiveExtras::default()))
        };
        self.0.iter().filter(|(_, marker)| holds(marker)).map(|(name, _)| name.clone()).collect()
    }
}

/// Returns a path without `.` and `..`.
fn normalized(path: &Path) -> String {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => assert!(normalized.pop()),
            _ => normalized.push(component),
        }
    }
    normalized.display().to_string()
}
