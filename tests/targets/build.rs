//! `pybundle build`: many targets at once, also if some of them fail.

use std::fs;

use serde_json::{Value, json};

use crate::registry::{MemoryRegistry, Profile};
use crate::support::artifact::sha256;
use crate::test_project::TestProject;
use crate::tiny::Tiny;

/// A function and an image of the example.
const TARGETS: &str = "\n[tool.pybundle]\ncompile-bytecode = false\n\n[tool.pybundle.target.api]\nkind = \"lambda\"\n\
    runtime = \"python3.12\"\nhandler = \"app.handler\"\n\n[tool.pybundle.target.web]\nkind = \"image\"\n\
    base = \"oci:base\"\ncmd = [\"python\", \"app.py\"]\n";

/// Returns the example with these targets besides, and the base of its images.
fn example(more: &str) -> TestProject {
    let project = TestProject::example(&format!("{TARGETS}{more}"));
    Tiny::python().write(&project.0.path().join("base"));
    project
}

/// Returns what a report says of each target: its name and what came of it.
fn outcomes(report: &Value) -> Vec<(&str, &str)> {
    let targets = report["targets"].as_array().unwrap().iter();
    targets.map(|target| (target["name"].as_str().unwrap(), target["status"].as_str().unwrap())).collect()
}

#[test]
fn each_target_is_what_its_command_builds() {
    let project = example("");
    let report = project.json(&["build"]);
    assert_eq!(outcomes(&report), [("api", "built"), ("web", "built")]);
    let (api, web) = (&report["targets"][0], &report["targets"][1]);
    assert_eq!((&api["kind"], &web["kind"], &api["project"]), (&json!("lambda"), &json!("image"), &json!(".")));
    let zip = fs::read(project.0.path().join("dist/api.zip")).unwrap();
    assert_eq!(api["lambda"]["artifacts"][0]["sha256"], sha256(&zip));
    assert_eq!(web["image"]["outputs"], json!(["oci-archive:dist/web.tar"]));
    let archive = fs::read(project.0.path().join("dist/web.tar")).unwrap();
    // The same by itself, and by names, in another order, on one thread.
    let alone = project.json(&["lambda", "--target=api", "--output=alone.zip"]);
    assert_eq!(alone["artifacts"][0]["sha256"], api["lambda"]["artifacts"][0]["sha256"]);
    let alone = project.json(&["image", "--target=web", "--output=oci-archive:alone.tar"]);
    assert_eq!(alone["digest"], web["image"]["digest"]);
    assert!(fs::read(project.0.path().join("alone.tar")).unwrap() == archive);
    for output in ["dist/api.zip", "dist/web.tar"] {
        fs::remove_file(project.0.path().join(output)).unwrap();
    }
    let mut command = project.command(&["build", "web", "api", "--json"]);
    let again: Value = serde_json::from_slice(&command.env("RAYON_NUM_THREADS", "1").output().unwrap().stdout).unwrap();
    assert_eq!(outcomes(&again), outcomes(&report), "the order is that of the names");
    assert!(fs::read(project.0.path().join("dist/api.zip")).unwrap() == zip);
    assert!(fs::read(project.0.path().join("dist/web.tar")).unwrap() == archive);
    let page = project.run(&["build", "api"]);
    assert!(
        page.contains("dist/api.zip") && page.contains("1 target: 1 built, in ") && !page.contains("web"),
        "{page}"
    );
}

#[test]
fn the_failure_of_one_target_does_not_stop_the_others() {
    let project = example(
        "\n[tool.pybundle.target.wrong]\nkind = \"lambda\"\nruntime = \"python3.12\"\nhandler = \"app.missing\"\n",
    );
    let (printed, said) = project.ends(1, &["build", "--json"]);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(outcomes(&report), [("api", "built"), ("web", "built"), ("wrong", "failed")]);
    let error = &report["targets"][2]["error"];
    assert_eq!(error["causes"], json!([]));
    assert!(error["message"].as_str().unwrap().contains("missing"), "{error}");
    assert!(said.starts_with("error: wrong: ") && !project.0.path().join("dist/wrong.zip").exists(), "{said}");
    let (page, _) = project.ends(1, &["build"]);
    assert!(page.contains("3 targets: 2 built, 1 failed, in "), "{page}");
    // One that is wrong in the configuration is known beforehand, and nothing is built.
    fs::remove_dir_all(project.0.path().join("dist")).unwrap();
    let pyproject =
        project.0.read("pyproject.toml").replace("app.missing\"", "app.handler\"\noutput = \"dist/./api.zip\"");
    project.0.write("pyproject.toml", pyproject.as_bytes());
    let (_, said) = project.ends(1, &["build"]);
    assert_eq!(said, "error: dist/./api.zip is given as an output twice\nhint: give each output its own path\n");
    assert!(!project.0.path().join("dist").exists());
}

#[test]
fn targets_are_listed_and_planned_without_building() {
    let project = example("");
    let listed = project.json(&["build", "--list"]);
    let row = |name: &str, kind: &str| json!({ "name": name, "target": name, "project": ".", "kind": kind, "changed": true, "reason": null });
    assert_eq!(listed, json!({ "format": 1, "targets": [row("api", "lambda"), row("web", "image")] }));
    let page = project.run(&["build", "--list"]);
    assert!(page.contains("api") && page.contains("lambda") && page.contains("image"), "{page}");
    let matrix = project.run(&["build", "--list", "--format=github-matrix", "web"]);
    assert_eq!(matrix.lines().count(), 1);
    let expected = json!({ "include": [{ "name": "web", "target": "web", "project": ".", "kind": "image" }] });
    assert_eq!(serde_json::from_str::<Value>(&matrix).unwrap(), expected);
    let planned = project.json(&["build", "--dry-run"]);
    assert_eq!(outcomes(&planned), [("api", "planned"), ("web", "planned")]);
    assert_eq!(planned["targets"][0]["plan"]["target"]["runtime"], "python3.12");
    assert!(!project.0.path().join("dist").exists());
}

#[test]
fn the_members_of_a_workspace_are_built_together() {
    let target = |name: &str| {
        format!(
            "[project]\nname = \"{name}\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\n\
             [tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\n"
        )
    };
    let project = TestProject::new(&[
        (
            "pyproject.toml",
            &format!(
                "{}\n[tool.uv.workspace]\nmembers = [\"services/*\"]\n[tool.pybundle]\nruntime = \"python3.12\"\n",
                target("root")
            ),
        ),
        ("app.py", "def handler(event, context): ...\nROOT = 0\n"),
        ("services/one/pyproject.toml", &target("first")),
        ("services/one/app.py", "def handler(event, context): ...\n"),
        ("services/two/pyproject.toml", &target("second")),
        ("services/two/app.py", "def handler(event, context): ...\nTWO = 2\n"),
        ("services/none/pyproject.toml", "[project]\nname = \"none\"\nversion = \"1\"\n"),
    ]);
    let report = project.json(&["build", "--workspace"]);
    assert_eq!(outcomes(&report), [("root/api", "built"), ("first/api", "built"), ("second/api", "built")]);
    let folders: Vec<_> =
        report["targets"].as_array().unwrap().iter().map(|target| target["project"].as_str()).collect();
    assert_eq!(folders, [".", "services/one", "services/two"].map(Some));
    assert!(project.0.path().join("services/one/dist/api.zip").is_file());
    assert_eq!(outcomes(&project.json(&["build", "--workspace", "second/api"])), [("second/api", "built")]);
    assert_eq!(outcomes(&project.json(&["build", "--project=services/two"])), [("api", "built")]);
    assert_eq!(outcomes(&project.json(&["build", "--workspace", "--project=services/two", "api"])).len(), 3);
    let (_, said) = project.ends(1, &["build", "--workspace", "second/web"]);
    assert!(said.contains("has no target `second/web`"), "{said}");
}

#[test]
fn only_images_with_tags_are_pushed() {
    let registry = MemoryRegistry::start(Profile::Plain);
    let tagged =
        format!("\n[tool.pybundle.target.tagged]\nextends = \"web\"\ntag = \"{}/team/web:1\"\n", registry.host());
    let project = example(&tagged);
    let report = project.json(&["build", "--push"]);
    assert_eq!(outcomes(&report), [("api", "built"), ("tagged", "built"), ("web", "built")]);
    let (tagged, web) = (&report["targets"][1]["image"], &report["targets"][2]["image"]);
    assert_eq!((&tagged["outputs"], &web["pushed"]), (&json!([]), &Value::Null));
    assert_eq!(web["outputs"], json!(["oci-archive:dist/web.tar"]));
    let manifest = registry.document("team/web", "1").unwrap();
    assert_eq!(tagged["digest"], format!("sha256:{}", sha256(manifest.to_string().as_bytes())));
    // Without the flag, nothing is sent.
    registry.forget_requests();
    project.json(&["build", "tagged"]);
    assert!(registry.requests().is_empty());
    assert!(project.0.path().join("dist/tagged.tar").is_file());
}
