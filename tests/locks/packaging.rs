//! Versions, markers, requirements and compatibility tags, compared with PyPA's library `packaging`: with every case of its
//! own tests, and with its results.
//!
//! The cases come from `tests/support/packaging_cases.py`, which needs Python and, once, PyPI. They are kept under
//! `target/`, or in the directory `PYBUNDLE_TEST_PACKAGING`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use pep440_rs::{Version, VersionSpecifier, VersionSpecifiers};
use pybundle::marker::{ActiveExtras, Marker, Requirement, VersionOrUrl, contains};
use pybundle::name::{DistributionName, ExtraName};
use pybundle::platform::{Architecture, CLibrary, CompatibilityTags, MarkerEnvironment};
use pybundle::wheel::filename::WheelFilename;
use serde::Deserialize;

use crate::support::uv::Project;
use crate::support::wheel;

#[derive(Deserialize)]
struct Cases {
    versions: BTreeMap<String, Option<String>>,
    ascending: Vec<String>,
    specifiers: BTreeMap<String, bool>,
    contained: Vec<Contained>,
    markers: BTreeMap<String, Option<String>>,
    evaluated: Vec<Evaluated>,
    requirements: BTreeMap<String, Option<ReadRequirement>>,
    tags: Vec<ExpectedTags>,
}

#[derive(Deserialize)]
struct Contained {
    specifiers: String,
    version: String,
    expected: bool,
}

#[derive(Deserialize)]
struct Evaluated {
    marker: String,
    environment: BTreeMap<String, Value>,
    expected: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Set(BTreeSet<String>),
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct ReadRequirement {
    name: String,
    extras: BTreeSet<String>,
    specifiers: BTreeSet<String>,
    url: Option<String>,
    marker: Option<String>,
}

#[derive(Deserialize)]
struct ExpectedTags {
    python: String,
    /// The C library, for instance `glibc 2.34`.
    libc: String,
    machine: String,
    tags: Vec<String>,
}

static CASES: LazyLock<Cases> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("PYBUNDLE_TEST_PACKAGING")
        .map_or_else(|| root.join("target").join("packaging"), PathBuf::from);
    // Debian's own Python has no pip.
    let python = root.join("target/test-tools/venv/bin/python");
    let output = Command::new(python).arg(root.join("tests/support/packaging_cases.py")).arg(folder).output();
    let output = output.expect("run scripts/setup-tests");
    assert!(output.status.success(), "{}\nthese tests need PyPI once", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the script prints the cases as JSON")
});

/// A difference from packaging, with its reason.
struct Deviation {
    /// The number of differing cases that it covers.
    cases: usize,
    /// Whether it covers a case.
    covers: fn(&str) -> bool,
    reason: &'static str,
}

/// Asserts that there are at least `minimum` cases, and that exactly as many differ as the deviations state. A case is an input
/// and both results.
fn assert_same<A: PartialEq + Debug>(
    minimum: usize,
    deviations: &[Deviation],
    cases: impl IntoIterator<Item = (String, A, A)>,
) {
    let mut total = 0;
    let mut covered = vec![0; deviations.len()];
    let mut failures = vec![];
    for (asked, answer, expected) in cases {
        total += 1;
        if answer != expected {
            match deviations.iter().position(|deviation| (deviation.covers)(&asked)) {
                Some(index) => covered[index] += 1,
                None => failures.push(format!("{asked:?}: {answer:?}, but packaging says {expected:?}")),
            }
        }
    }
    assert!(failures.is_empty(), "{} of {total} cases differ:\n{}", failures.len(), failures.join("\n"));
    for (deviation, covered) in deviations.iter().zip(covered) {
        assert_eq!(covered, deviation.cases, "cases that differ because {}", deviation.reason);
    }
    assert!(total >= minimum, "only {total} cases");
}

#[test]
fn versions_are_read_and_written_alike() {
    let deviations = [Deviation {
        cases: 1,
        covers: |version| version == "\u{202f}1.0\t\u{2029}\n ",
        reason: "pep440_rs strips ASCII whitespace only",
    }];
    let read = |text: &str| text.parse::<Version>().ok().map(|version| version.to_string());
    let cases = CASES.versions.iter().map(|(text, expected)| (text.clone(), read(text), expected.clone()));
    assert_same(1000, &deviations, cases);
}

#[test]
fn a_number_beyond_64_bits_is_refused_in_versions() {
    let digits = "1".repeat(5000);
    assert!(digits.parse::<Version>().is_err());
    assert!(format!(">=1.0a{digits}").parse::<VersionSpecifiers>().is_err());
}

#[test]
fn versions_are_ordered_alike() {
    let versions: Vec<Version> = CASES.ascending.iter().map(|version| version.parse().expect(version)).collect();
    let pairs =
        versions.iter().enumerate().flat_map(|left| versions.iter().enumerate().map(move |right| (left, right)));
    let cases = pairs.map(|((i, left), (j, right))| (format!("{left} and {right}"), left.cmp(right), i.cmp(&j)));
    assert_same(1000, &[], cases);
}

/// Returns whether one of the specifiers compares strings, where pep440_rs requires a version and normalizes it.
fn compares_text(asked: &str) -> bool {
    asked.contains("===")
}

#[test]
fn specifiers_are_read_alike() {
    let deviations = [Deviation {
        cases: 17,
        covers: compares_text,
        reason: "pep440_rs requires a version after `===`, whose use is discouraged for anything else",
    }];
    let is_read = |text: &str| text.parse::<VersionSpecifier>().is_ok();
    let cases = CASES.specifiers.iter().map(|(text, expected)| (text.clone(), is_read(text), *expected));
    assert_same(1000, &deviations, cases);
}

#[test]
fn specifiers_contain_the_same_versions() {
    let deviations = [
        Deviation {
            cases: 26,
            covers: compares_text,
            reason: "pep440_rs requires a version after `===`, and compares it in its normalized form",
        },
        Deviation {
            cases: 2,
            covers: |asked| ["foobar in ``", "garbage in ``"].contains(&asked),
            reason: "what is not a version is not in any set of versions",
        },
    ];
    // What cannot be read contains nothing, or is contained in nothing.
    let is_contained =
        |specifiers: &str, version: &str| match (specifiers.parse::<VersionSpecifiers>(), version.parse()) {
            (Ok(specifiers), Ok(version)) => specifiers.iter().all(|each| contains(each, &version)),
            _ => false,
        };
    let cases = CASES.contained.iter().map(|Contained { specifiers, version, expected }| {
        (format!("{version} in `{specifiers}`"), is_contained(specifiers, version), *expected)
    });
    assert_same(10_000, &deviations, cases);
}

#[test]
fn markers_are_read_and_written_alike() {
    let deviations = [Deviation {
        cases: 8,
        covers: |marker| marker.starts_with("extras ") || marker.starts_with("dependency_groups "),
        reason: "a set that is compared is refused at once; packaging refuses to evaluate it",
    }];
    let read = |text: &str| text.parse::<Marker>().ok().map(|marker| marker.to_string());
    let cases = CASES.markers.iter().map(|(text, expected)| (text.clone(), read(text), expected.clone()));
    assert_same(2000, &deviations, cases);
}

#[test]
fn markers_have_the_same_value() {
    let deviations = [
        Deviation {
            cases: 1,
            covers: |marker| marker == "\"a\" <= \"a\"",
            reason: "packaging takes the literal on the right for the name of a variable",
        },
        Deviation {
            cases: 1,
            covers: |marker| marker == "python_full_version < \"3.12\"",
            reason: "packaging takes Python's version `3.11.1+` for 3.11.1; a target's is always a version",
        },
    ];
    let cases = CASES.evaluated.iter().map(|case| {
        // A marker that is refused, an undefined comparison and an environment without versions do not hold.
        let marker = case.marker.parse::<Marker>();
        let value = environment(&case.environment)
            .and_then(|(environment, active)| Some(marker.ok()?.evaluate(&environment, &active)));
        (case.marker.clone(), value.unwrap_or(false), case.expected.unwrap_or(false))
    });
    assert_same(5000, &deviations, cases);
}

/// Returns the environment and the extras of a case, if its versions are valid.
fn environment(values: &BTreeMap<String, Value>) -> Option<(MarkerEnvironment, ActiveExtras)> {
    let text = |key: &str| match values.get(key) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let normalized = |name: &String| name.parse::<ExtraName>().expect(name).to_string();
    let set = |key: &str| match values.get(key) {
        Some(Value::Set(set)) => set.iter().map(normalized).collect(),
        Some(Value::Text(name)) if !name.is_empty() => BTreeSet::from([normalized(name)]),
        _ => BTreeSet::new(),
    };
    let environment = MarkerEnvironment {
        implementation_name: text("implementation_name"),
        implementation_version: text("implementation_version").parse().ok()?,
        os_name: text("os_name"),
        platform_machine: text("platform_machine"),
        platform_python_implementation: text("platform_python_implementation"),
        platform_release: text("platform_release"),
        platform_system: text("platform_system"),
        platform_version: text("platform_version"),
        python_full_version: text("python_full_version").parse().ok()?,
        python_version: text("python_version").parse().ok()?,
        sys_platform: text("sys_platform"),
    };
    let extras = set("extra").union(&set("extras")).cloned().collect();
    Some((environment, ActiveExtras { extras, groups: set("dependency_groups") }))
}

#[test]
fn requirements_are_read_alike() {
    let deviations = [Deviation {
        cases: 576,
        covers: |requirement| requirement.contains("arbitrarystring"),
        reason: "pep440_rs requires a version after `===`, whose use is discouraged for anything else",
    }];
    let cases = CASES.requirements.iter().map(|(text, expected)| {
        let requirement = text.parse::<Requirement>().ok().map(|requirement| ReadRequirement::from(&requirement));
        (text.clone(), requirement, expected.as_ref().map(ReadRequirement::normalized))
    });
    assert_same(5000, &deviations, cases);
}

impl ReadRequirement {
    /// Returns the requirement with its names and versions in normalized form.
    fn normalized(&self) -> Self {
        let specifier = |text: &String| text.parse::<VersionSpecifier>().map_or(text.clone(), |each| each.to_string());
        Self {
            name: self.name.parse::<DistributionName>().expect("a name").to_string(),
            extras: self.extras.iter().map(|extra| extra.parse::<ExtraName>().expect("a name").to_string()).collect(),
            specifiers: self.specifiers.iter().map(specifier).collect(),
            ..self.clone()
        }
    }
}

impl From<&Requirement> for ReadRequirement {
    fn from(requirement: &Requirement) -> Self {
        let (specifiers, url) = match &requirement.constraint {
            VersionOrUrl::Any => (BTreeSet::new(), None),
            VersionOrUrl::Specifiers(specifiers) => (specifiers.iter().map(ToString::to_string).collect(), None),
            VersionOrUrl::Url(url) => (BTreeSet::new(), Some(url.clone())),
        };
        Self {
            name: requirement.name.to_string(),
            extras: requirement.extras.iter().map(ToString::to_string).collect(),
            specifiers,
            url,
            marker: requirement.marker.as_ref().map(ToString::to_string),
        }
    }
}

#[test]
fn tags_have_the_same_order() {
    let mut count = 0;
    for ExpectedTags { python, libc, machine, tags: expected } in &CASES.tags {
        let architecture = Architecture::ALL.into_iter().find(|architecture| architecture.wheel_name() == machine);
        let c_library = match libc.split_once(' ').unwrap() {
            ("glibc", version) => CLibrary::Glibc(version.parse().unwrap()),
            (_, version) => CLibrary::Musl(version.parse().unwrap()),
        };
        let tags = CompatibilityTags::new(python.parse().unwrap(), c_library, architecture.unwrap());
        let tags: Vec<String> = tags.as_slice().iter().map(ToString::to_string).collect();
        assert_eq!(&tags, expected, "Python {python}, {libc}, {machine}");
        count += tags.len();
    }
    assert!(CASES.tags.len() >= 100 && count > 20_000, "only {count} tags");
}

/// The tags that are new since 2025, and the stable ABI under both of its names (PEP 803), in a flat index.
#[test]
fn wheels_with_new_tags_are_those_that_uv_installs() {
    const TAGS: [&str; 10] = [
        "cp315-cp315",
        "cp315-abi3",
        "cp315-abi3t",
        "cp315-abi3.abi3t",
        "cp314-abi3.abi3t",
        "cp314-abi3t",
        "cp315-cp315t",
        "cp314-cp314t",
        "cp316-abi3",
        "py315-none",
    ];
    let project = Project::new(&[]);
    let names = TAGS.map(|tag| format!("demo-1.0-{tag}-manylinux_2_17_x86_64.whl"));
    for (name, tag) in names.iter().zip(TAGS) {
        project.write(&format!("{tag}/{name}"), &wheel("demo", "1.0"));
    }
    let of_3_15 = ["cp315-cp315", "cp315-abi3", "cp315-abi3.abi3t", "cp314-abi3.abi3t", "py315-none"];
    for (python, expected) in [("3.14", &["cp314-abi3.abi3t"][..]), ("3.15", &of_3_15)] {
        let libc = CLibrary::Glibc("2.34".parse().unwrap());
        let tags = CompatibilityTags::new(python.parse().unwrap(), libc, Architecture::X86_64);
        for (name, tag) in names.iter().zip(TAGS) {
            let mut arguments =
                vec!["pip", "install", "--no-config", "--dry-run", "--no-deps", "--no-index", "--target=x"];
            arguments.extend(["--python-platform=x86_64-manylinux_2_34", "--python-version", python]);
            arguments.extend(["--find-links", tag, "demo"]);
            let is_installed = project.try_uv(&arguments).status.success();
            let wheel: WheelFilename = name.parse().unwrap();
            assert_eq!(tags.best_match(&wheel).is_some(), is_installed, "{name} for Python {python}");
            assert_eq!(is_installed, expected.contains(&tag), "{name} for Python {python}");
        }
    }
}
