//! Software within wheels, which the SBOMs in them name (PEP 770).

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::command::{pybundle, succeed, tool};
use crate::support::uv::Project;
use crate::support::wheel_with;
use crate::{json, judge};

/// Distributions, and how many components their SBOMs name besides themselves.
const REAL: [(&str, &str, usize); 4] = [
    ("numpy", "2.5.5", 0),
    ("pillow", "13.0.0", 16),
    ("psycopg2-binary", "2.9.13", 6),
    ("pydantic-core", "2.50.5", 98),
];

/// Writes both SBOMs of a project beside a zip; returns their paths and the warnings.
fn build(project: &Project, more: &[&str]) -> (PathBuf, PathBuf, String) {
    let zip = project.path().join("out.zip");
    let written = |format: &str, extension: &str| {
        let mut command = pybundle(&["lambda", "--json", "--no-audit", "--no-deps", "--runtime=python3.12", "-o"]);
        command.arg(&zip).args(["--arch=x86_64", "--sbom", format]).args(more).arg(project.path());
        let report: Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        let kept = project.path().join(format!("kept.{extension}"));
        std::fs::copy(project.path().join(format!("out.zip.{extension}")), &kept).unwrap();
        (kept, report["warnings"].to_string())
    };
    let ((cyclonedx, _), (spdx, warnings)) = (written("cyclonedx", "cdx.json"), written("spdx", "spdx.json"));
    (cyclonedx, spdx, warnings)
}

/// The judge reads them with cyclonedx-python-lib and spdx-tools.
#[test]
fn what_real_wheels_contain_is_in_both_formats() {
    let pins: String = REAL.iter().map(|(name, version, _)| format!("{name}=={version}\n")).collect();
    let project = Project::new(&[("requirements.txt", &pins), ("app.py", "")]);
    let (cyclonedx, spdx, warnings) = build(&project, &[]);
    assert_eq!(warnings, "[]");
    assert_eq!(judge(&[json!({ "cyclonedx": cyclonedx, "spdx": spdx })]), Ok(2));
    let (document, packages) = (json(&cyclonedx), json(&spdx));
    let none = Vec::new();
    for (name, _, count) in REAL {
        let mut components = document["components"].as_array().unwrap().iter();
        let inner = components.find(|component| component["name"] == name).unwrap()["components"].as_array();
        assert_eq!(inner.unwrap_or(&none).len(), count, "{name}");
        let own = format!("SPDXRef-Package-{name}");
        let relationships = packages["relationships"].as_array().unwrap().iter();
        let contained = relationships
            .filter(|entry| entry["relationshipType"] == "CONTAINS" && entry["spdxElementId"] == *own)
            .count();
        assert_eq!(contained, count, "{name}");
    }
    // Each library that auditwheel copied from krb5-libs, although its own SBOM does not say which they are.
    let psycopg = document["components"].as_array().unwrap().iter().find(|found| found["name"] == "psycopg2-binary");
    let inner = psycopg.unwrap()["components"].as_array().unwrap();
    let krb5 = inner.iter().find(|component| component["name"] == "krb5-libs").unwrap();
    assert_eq!(krb5["purl"], "pkg:rpm/centos/krb5-libs@1.15.1-55.el7_9");
    let locations: Vec<&str> = krb5["evidence"]["occurrences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|occurrence| occurrence["location"].as_str().unwrap())
        .collect();
    assert_eq!(
        locations,
        [
            "psycopg2_binary.libs/libgssapi_krb5-497db0c6.so.2.2",
            "psycopg2_binary.libs/libk5crypto-b1f99d5c.so.3.1",
            "psycopg2_binary.libs/libkrb5-fcafa220.so.3.3",
            "psycopg2_binary.libs/libkrb5support-d0bcff84.so.0.1",
        ]
    );
    for sbom in [cyclonedx, spdx] {
        let mut syft = Command::new(tool("syft"));
        syft.args(["convert", "--output=json"]).arg(&sbom);
        let found: Value = serde_json::from_str(&succeed(syft.env("SYFT_CHECK_FOR_APP_UPDATE", "false"))).unwrap();
        let artifacts = found["artifacts"].as_array().unwrap();
        assert!(artifacts.iter().any(|artifact| artifact["name"] == "krb5-libs"), "{}", sbom.display());
        // With the project.
        let all = 1 + REAL.iter().map(|(_, _, count)| 1 + count).sum::<usize>();
        assert_eq!(artifacts.len(), all, "{}", sbom.display());
    }
}

/// Whatever a wheel says of itself, it is installed, and the SBOM is valid.
#[test]
fn unreadable_sboms_in_wheels_are_warnings() {
    let good = json!({ "bomFormat": "CycloneDX", "specVersion": "1.4", "components": [
        { "name": "good", "purl": "pkg:generic/good@1", "bom-ref": "x" }, { "name": "good", "purl": "pkg:generic/good@1" },
        { "name": "half", "purl": "pkg:", "version": 7, "components": [{}, null, { "name": "inner" }] }, "odd",
    ] });
    let (deep, large) = ("[".repeat(1 << 20), vec![b' '; (16 << 20) + 1]);
    let directory = "demo-1.0.dist-info/sboms";
    let files = [
        ("a-good.cdx.json", good.to_string().into_bytes()),
        ("b-deep.cdx.json", deep.into_bytes()),
        ("c-large.cdx.json", large),
        ("d-spdx.json", b"{\"spdxVersion\": \"SPDX-2.3\"}".to_vec()),
        ("e-other.cdx.json", b"{\"bomFormat\": \"Other\", \"components\": [{\"name\": \"x\"}]}".to_vec()),
        ("f-xml.cdx.xml", b"<bom/>".to_vec()),
        ("g-numbers.cdx.json", b"{\"bomFormat\": \"CycloneDX\", \"components\": 3, \"metadata\": []}".to_vec()),
    ];
    let paths: Vec<String> = files.iter().map(|(name, _)| format!("{directory}/{name}")).collect();
    let entries: Vec<(&str, &[u8])> =
        paths.iter().zip(&files).map(|(path, (_, bytes))| (path.as_str(), bytes.as_slice())).collect();
    let project = Project::new(&[("requirements.txt", "demo==1.0\n"), ("app.py", "")]);
    project.write("wheels/demo-1.0-py3-none-any.whl", &wheel_with("demo", "1.0", &entries));
    let wheels = project.path().join("wheels").display().to_string();
    let (cyclonedx, spdx, warnings) = build(&project, &["--no-index", "--find-links", &wheels]);
    assert_eq!(judge(&[json!({ "cyclonedx": cyclonedx, "spdx": spdx })]), Ok(2));
    let inner = json(&cyclonedx)["components"][0]["components"].clone();
    let names: Vec<&str> = inner.as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["half", "inner", "good"]);
    for (name, reason) in [
        ("b-deep.cdx.json", "it is not JSON: recursion limit exceeded"),
        ("c-large.cdx.json", "it has more than 16777216 bytes"),
        ("d-spdx.json", "it is not in CycloneDX format"),
        ("e-other.cdx.json", "it is not in CycloneDX format"),
        ("f-xml.cdx.xml", "it is not JSON: expected value at line 1 column 1"),
    ] {
        let warning = format!("what {directory}/{name} of demo 1.0 lists is not in the SBOM: {reason}");
        assert!(warnings.contains(&warning), "{warning}: {warnings}");
    }
    assert!(!warnings.contains("a-good") && !warnings.contains("g-numbers"), "{warnings}");
}
