//! The completeness of requirements files, with real distributions.

use std::collections::{BTreeMap, BTreeSet};

use pybundle::lock::requirements::{InstalledMetadata, completeness};
use pybundle::name::DistributionName;
use pybundle::platform::TargetPlatform;

use super::read;
use crate::support::uv::{Project, targets};

/// The values of `Requires-Dist` of each distribution.
type Metadata = BTreeMap<String, Vec<String>>;

/// Returns the metadata of the distributions that a file lists, as uv installs them for a target.
fn metadata(project: &Project, file: &str, target: &TargetPlatform) -> Metadata {
    let platform = format!("{}-manylinux_2_34", target.architecture.wheel_name());
    let python = target.python.to_string();
    let install =
        ["pip", "install", "--no-config", "--quiet", "--no-build", "--no-deps", "--target", "target", "-r", file];
    project.uv(&[&install[..], &["--python-platform", &platform, "--python-version", &python]].concat());
    let mut metadata = Metadata::new();
    for entry in std::fs::read_dir(project.path().join("target")).unwrap() {
        let Ok(text) = std::fs::read_to_string(entry.unwrap().path().join("METADATA")) else { continue };
        let headers = text.split("\n\n").next().unwrap();
        let values = |name: &str| -> Vec<String> {
            headers.lines().filter_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned()).collect()
        };
        let name: DistributionName = values("Name:")[0].parse().unwrap();
        metadata.insert(name.to_string(), values("Requires-Dist:"));
    }
    metadata
}

/// Returns the missing requirements of a file, as `name by name`, and the mismatched ones, as `requirement by name`.
fn unsatisfied(
    project: &Project,
    text: &str,
    metadata: &Metadata,
    target: &TargetPlatform,
) -> (Vec<String>, Vec<String>) {
    project.write("pinned.txt", text.as_bytes());
    let requirements = read(&project.path().join("pinned.txt"), project.path()).unwrap();
    let extras = requirements.extras(target);
    let selection = requirements.select(&Default::default(), target).unwrap();
    let installed = |pinned: &pybundle::lock::PinnedDistribution| InstalledMetadata {
        name: pinned.name.clone(),
        version: pinned.version.clone(),
        extras: extras.get(&pinned.name).cloned().unwrap_or_default(),
        requires_dist: &metadata[pinned.name.as_str()],
    };
    let installed: Vec<InstalledMetadata> = selection.distributions.iter().map(installed).collect();
    let found = completeness(&installed, &BTreeSet::new(), target);
    assert_eq!(found.is_complete(), found.missing.is_empty() && found.mismatched.is_empty());
    (
        found.missing.iter().map(|missing| format!("{} by {}", missing.name, missing.required_by)).collect(),
        found.mismatched.iter().map(|it| format!("{} by {}", it.requirement, it.required_by)).collect(),
    )
}

#[test]
fn requirements_that_are_missing_from_a_compiled_file_are_found() {
    let project = Project::new(&[("r.in", "uvicorn[standard]==0.34.0\nhttpx[http2]==0.28.1\n")]);
    let compile = ["pip", "compile", "--no-config", "--quiet", "--universal", "--no-strip-extras", "--no-annotate"];
    project.uv(&[&compile[..], &["--no-header", "--python-version", "3.10", "r.in", "-o", "r.txt"]].concat());
    let target = &targets(&["3.10"])[0];
    let (text, metadata) = (project.read("r.txt"), metadata(&project, "r.txt", target));
    assert!(metadata.len() > 10, "{metadata:?}");
    let nothing = (Vec::<String>::new(), Vec::<String>::new());
    assert_eq!(unsatisfied(&project, &text, &metadata, target), nothing);
    let without = |name: &str| -> String {
        text.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\n")).collect()
    };
    for (name, expected) in [
        // Required by a requested extra.
        ("uvloop==", vec!["uvloop by uvicorn"]),
        ("h2==", vec!["h2 by httpx"]),
        // Required by other distributions.
        ("h11==", vec!["h11 by httpcore", "h11 by uvicorn"]),
        ("hyperframe==", vec!["hyperframe by h2"]),
        // Required under a marker that holds for the target.
        ("exceptiongroup==", vec!["exceptiongroup by anyio"]),
        // Required only on Windows.
        ("colorama==", vec![]),
    ] {
        let (missing, mismatched) = unsatisfied(&project, &without(name), &metadata, target);
        assert_eq!((missing, mismatched), (expected.iter().map(ToString::to_string).collect(), vec![]), "{name}");
    }
    // Only the top-level distribution.
    let (missing, _) = unsatisfied(&project, "uvicorn==0.34.0", &metadata, target);
    assert_eq!(missing, ["click by uvicorn", "h11 by uvicorn", "typing-extensions by uvicorn"]);
    // A version that httpcore does not accept.
    let h11 = text.lines().find(|line| line.starts_with("h11==")).unwrap();
    let (_, mismatched) = unsatisfied(&project, &text.replace(h11, "h11==0.9.0"), &metadata, target);
    assert!(
        matches!(&mismatched[..], [only] if only.starts_with("h11") && only.ends_with("by httpcore")),
        "{mismatched:?}"
    );
}

/// Extras that require each other.
#[test]
fn extras_of_extras_are_active() {
    let target = &targets(&["3.12"])[0];
    let requires = |lines: &[&str]| -> Vec<String> { lines.iter().map(|line| (*line).to_owned()).collect() };
    let a = requires(&["b[x]>=1", "a[two] ; extra == 'all'", "c ; extra == 'two'", "not a requirement !"]);
    let b = requires(&["a[all] ; extra == 'x'", "d (>=2.0b1) ; extra == 'x'", "e ; extra == 'y'"]);
    let installed = |name: &str, requires_dist| InstalledMetadata {
        name: name.parse().unwrap(),
        version: "2.0".parse().ok(),
        extras: BTreeSet::new(),
        requires_dist,
    };
    let all = [installed("a", &a), installed("b", &b), installed("d", &[])];
    let found = completeness(&all, &BTreeSet::new(), target);
    let missing: Vec<_> =
        found.missing.iter().map(|missing| (missing.requirement.as_str(), missing.required_by.as_str())).collect();
    assert_eq!(missing, [("c", "a")]);
    assert!(found.mismatched.is_empty());
    assert!(completeness(&all, &["c".parse().unwrap()].into(), target).is_complete());
}
