//! Flags: which of them the commands understand in the terms of each other, and what is checked before a registry is asked.

use serde_json::Value;

use crate::registry::{MemoryRegistry, Profile};
use crate::test_project::TestProject;
use crate::tiny::Tiny;

fn example() -> TestProject {
    let project = TestProject::example("\n[tool.pybundle]\ncompile-bytecode = false\n");
    Tiny::python().write(&project.0.path().join("base"));
    project
}

/// Who builds functions and images should not have to remember which of them has a runtime.
#[test]
fn each_command_understands_the_flags_of_the_other() {
    let project = example();
    let function = |flags: &[&str]| {
        let report = project.json(&[&["plan"], flags].concat());
        let target = &report["target"];
        (target["runtime"].as_str().unwrap().to_owned(), target["architecture"].as_str().unwrap().to_owned())
    };
    for flags in [&["--python=3.12", "--platform=linux/arm64"][..], &["--runtime=python3.12", "--arch=aarch64"]] {
        assert_eq!(function(flags), ("python3.12".to_owned(), "arm64".to_owned()), "{flags:?}");
    }
    for flags in [&["--runtime=python3.12", "--arch=arm64"][..], &["--runtime=3.12", "--platform=arm64"]] {
        let report: Value = project.json(&[&["image", "--base=oci:base", "--dry-run"], flags].concat());
        assert_eq!(report["python"], "3.12", "{flags:?}");
        assert_eq!(report["platforms"][0]["target"]["architecture"], "arm64", "{flags:?}");
    }
    let (_, said) = project.ends(2, &["image", "--runtime=pypy3.10"]);
    assert!(said.contains("expected a version such as 3.13"), "{said}");
}

#[test]
fn a_key_of_the_other_kind_has_a_counterpart() {
    for (kind, key, hint) in [
        (
            "image",
            "runtime = \"python3.12\"",
            "`runtime` is only valid for targets of kind `lambda` or `layer`: use `python`\n",
        ),
        ("image", "arch = \"arm64\"", "`arch` is only valid for targets of kind `lambda` or `layer`: use `platform`\n"),
        ("lambda", "python = \"3.12\"", "`python` is only valid for targets of kind `image`: use `runtime`\n"),
        ("lambda", "platform = \"linux/arm64\"", "`platform` is only valid for targets of kind `image`: use `arch`\n"),
    ] {
        let project = TestProject::configured(&format!("[tool.pybundle.target.a]\nkind = \"{kind}\"\n{key}\n"));
        let (_, said) = project.ends(1, &["build", "--list"]);
        assert!(said.ends_with(&format!("hint: {hint}")), "{said}");
    }
}

#[test]
fn what_is_wrong_here_is_known_before_a_registry_is_asked() {
    let registry = MemoryRegistry::start(Profile::Plain);
    let project = example();
    let base = format!("--base={}/base:1", registry.host());
    for (flags, expected) in [
        (&["--include=nowhere"][..], "nowhere"),
        (&["--extra=nothing", "--python=3.12"], "nothing"),
        (&["--output=oci:x", "--output=oci:x"], "given as an output twice"),
        (&["--platform=linux/amd64,linux/arm64", "--output=docker-archive:x"], "a Docker archive contains"),
        (&["--profile=lambda-image"], "handler"),
    ] {
        registry.forget_requests();
        let (_, said) = project.ends(1, &[&["image", base.as_str()], flags].concat());
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert_eq!(registry.requests().len(), 0, "{flags:?}: {said}");
    }
    // All of it was valid otherwise: the registry is asked.
    let (_, said) = project.ends(1, &["image", &base, "--python=3.12"]);
    assert!(said.contains("base:1") && !registry.requests().is_empty(), "{said}");
}
