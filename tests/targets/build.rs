//! `pybundle build`: many targets at once, also if some of them fail.

use std::{fs, thread};

use serde_json::{Value, json};

use crate::notes::SETTLING;
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
        page.contains("dist/api.zip") && page.contains("1 target: 1 unchanged, in ") && !page.contains("web"),
        "{page}"
    );
}

#[test]
fn the_failure_of_one_target_does_not_stop_the_others() {
    let project = example(
        "\n[tool.pybundle.target.wrong]\nkind = \"lambda\"\nruntime = \"python3.12\"\nhandler = \"app.missing\"\n",
    );
    thread::sleep(SETTLING);
    let (printed, said) = project.ends(1, &["build", "--json"]);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(outcomes(&report), [("api", "built"), ("web", "built"), ("wrong", "failed")]);
    let error = &report["targets"][2]["error"];
    assert_eq!(error["causes"], json!([]));
    assert!(error["message"].as_str().unwrap().contains("missing"), "{error}");
    assert!(said.starts_with("error: wrong: ") && !project.0.path().join("dist/wrong.zip").exists(), "{said}");
    let (page, _) = project.ends(1, &["build"]);
    assert!(page.contains("3 targets: 2 unchanged, 1 failed, in "), "{page}");
    // One that is wrong in the configuration is known beforehand, and nothing is built.
    fs::remove_dir_all(project.0.path().join("dist")).unwrap();
    let pyproject =
        project.0.read("pyproject.toml").replace("app.missing\"", "app.handler\"\noutput = \"dist/./api.zip\"");
    project.0.write("pyproject.toml", pyproject.as_bytes());
    let (_, said) = project.ends(1, &["build"]);
    assert_eq!(
        said,
        "error: dist/./api.zip is given as an output twice: see the targets `api` and `wrong`\nhint: give each output its own path\n"
    );
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
    // What was written within a tick of the build could have been written again.
    thread::sleep(SETTLING);
    let report = project.json(&["build", "--workspace"]);
    assert_eq!(outcomes(&report), [("root/api", "built"), ("first/api", "built"), ("second/api", "built")]);
    let folders: Vec<_> =
        report["targets"].as_array().unwrap().iter().map(|target| target["project"].as_str()).collect();
    assert_eq!(folders, [".", "services/one", "services/two"].map(Some));
    assert!(project.0.path().join("services/one/dist/api.zip").is_file());
    assert_eq!(outcomes(&project.json(&["build", "--workspace", "second/api"])), [("second/api", "unchanged")]);
    assert_eq!(outcomes(&project.json(&["build", "--project=services/two"])), [("api", "unchanged")]);
    assert_eq!(outcomes(&project.json(&["build", "--workspace", "--project=services/two", "api"])).len(), 3);
    let (_, said) = project.ends(1, &["build", "--workspace", "second/web"]);
    assert!(said.contains("has no target `second/web`\nhint: did you mean `second/api`?"), "{said}");
    let (_, said) = project.ends(1, &["build", "--workspace", "apo"]);
    assert!(said.contains("has no target `apo`\nhint: did you mean `api`?"), "{said}");
    let (_, said) = project.ends(1, &["build", "--workspace", "third/worker"]);
    assert!(said.contains("hint: the targets are root/api, first/api, second/api\n"), "{said}");
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

/// Flags of a run take precedence over the keys of each target that it builds.
#[test]
fn flags_apply_to_every_target() {
    let project = example("");
    let report = project.json(&[
        "build",
        "--arch=aarch64",
        "--runtime=3.12",
        "--sbom=spdx",
        "--provenance",
        "--tag=localhost:1/web:2",
        "--jobs=1",
    ]);
    let (api, web) = (&report["targets"][0]["lambda"], &report["targets"][1]["image"]);
    assert_eq!(api["target"]["architecture"], "arm64");
    assert_eq!(web["platforms"][0]["platform"], "linux/arm64");
    assert_eq!((&api["target"]["runtime"], &web["python"]), (&json!("python3.12"), &json!("3.12")));
    for target in [api, web] {
        let kinds: Vec<&Value> =
            target["documents"].as_array().unwrap().iter().map(|document| &document["kind"]).collect();
        assert_eq!(kinds, ["spdx", "provenance"]);
    }
    let index: Value = serde_json::from_str(&project.run(&["inspect", "oci-archive:dist/web.tar", "--json"])).unwrap();
    assert_eq!(index["image"]["platform"], "linux/arm64/v8");
    // One platform of an image, and the architecture of a function.
    let report = project.json(&["build", "--platform=linux/arm64", "--python=python3.12"]);
    assert_eq!(report["targets"][0]["lambda"]["target"]["architecture"], "arm64");
    assert_eq!(report["targets"][1]["image"]["platforms"][0]["platform"], "linux/arm64");
}

#[test]
fn a_flag_that_a_target_cannot_have_is_refused() {
    let project = example("\n[tool.pybundle.target.more]\nextends = \"web\"\n");
    let tag = "--tag=localhost:1/web:2";
    for (arguments, expected) in [
        (
            &["build", tag][..],
            "error: --tag names one image, but 2 are built: more, web\n\
             hint: name the target, for instance `pybundle build more --tag …`, or set `tag` of each in [tool.pybundle]\n",
        ),
        (
            &["build", "api", tag],
            "error: --tag names an image, but none is built\nhint: omit --tag, or name a target of kind `image`\n",
        ),
        (
            &["build", "api", "web", "--platform=linux/amd64,linux/arm64"],
            "error: cannot build target `api` for several platforms: a function has one architecture\n\
             hint: build the images and the functions separately, by the names of their targets\n",
        ),
    ] {
        let (_, said) = project.ends(2, arguments);
        assert_eq!(said, expected);
        assert!(!project.0.path().join("dist").exists());
    }
    // What the hints say.
    let report = project.json(&["build", "more", tag, "--platform=linux/amd64,linux/arm64"]);
    assert_eq!(report["targets"][0]["image"]["platforms"].as_array().unwrap().len(), 2);
}

#[test]
fn an_output_that_has_the_same_bytes_is_unchanged() {
    let project = example("output = [\"oci:dist/layout\", \"docker-archive:dist/web.tar\"]\n");
    let modified = |name: &str| fs::metadata(project.0.path().join(name)).unwrap().modified().unwrap();
    let unchanged = |report: &Value| {
        let api = report["targets"][0]["lambda"]["artifacts"][0]["unchanged"].clone();
        (api, report["targets"][1]["image"]["unchanged"].clone())
    };
    assert_eq!(unchanged(&project.json(&["build"])), (json!(false), json!([])));
    let before = ["dist/api.zip", "dist/web.tar"].map(modified);
    let again = project.json(&["build"]);
    assert_eq!(unchanged(&again), (json!(true), json!(["oci:dist/layout", "docker-archive:dist/web.tar"])));
    assert_eq!(["dist/api.zip", "dist/web.tar"].map(modified), before);
    let page = project.run(&["build"]);
    assert!(page.contains("dist/api.zip (unchanged)\n") && page.contains("oci:dist/layout (unchanged), "), "{page}");
    assert!(project.run(&["lambda", "--target=api"]).lines().next().unwrap().ends_with(", unchanged"));
    assert!(project.run(&["image", "--target=web"]).contains("oci:dist/layout, unchanged\n"));
    // Only what a change affects is another.
    project.0.write("app.py", format!("{}\n# Changed.\n", project.0.read("app.py")).as_bytes());
    assert_eq!(unchanged(&project.json(&["build"])), (json!(false), json!([])));
    assert_ne!(["dist/api.zip", "dist/web.tar"].map(modified), before);
}

/// Documents about an artifact that is no longer there would be attributed to the new one.
#[test]
fn documents_about_an_earlier_artifact_are_removed() {
    let project = example("output = \"docker-archive:dist/web.tar\"\n");
    let documents = || {
        let entries = fs::read_dir(project.0.path().join("dist")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
        names.sort();
        names
    };
    project.run(&["build", "--sbom=cyclonedx", "--provenance"]);
    let all = ["api.zip.cdx.json", "api.zip.intoto.json", "web.tar.cdx.json", "web.tar.intoto.json"];
    let found = documents();
    assert_eq!(found.len(), all.len(), "{found:?}");
    // They still describe the artifacts, which are the same.
    project.run(&["build"]);
    assert_eq!(documents(), found);
    project.0.write("dist/api.zip.spdx.json", b"{\"creator\": \"somebody else\"}");
    project.0.write("app.py", format!("{}\n# Changed.\n", project.0.read("app.py")).as_bytes());
    let (_, said) = project.ends(0, &["build", "--provenance"]);
    assert!(
        said.contains("api: removed HERE/dist/api.zip.cdx.json") || said.contains("api: removed dist/api.zip.cdx.json"),
        "{said}"
    );
    let left = documents();
    assert_eq!(left.iter().filter(|name| name.contains(".cdx.")).count(), 0, "{left:?}");
    assert_eq!(left.len(), 3, "what others wrote stays: {left:?}");
}

/// A reader should not have to scroll through what is said of every target again.
#[test]
fn what_several_targets_have_in_common_is_said_once() {
    let project = example(
        "\n[tool.pybundle.target.one]\nkind = \"lambda\"\nruntime = \"python3.12\"\nhandler = \"app.missing\"\n\
         \n[tool.pybundle.target.two]\nextends = \"one\"\n",
    );
    let (_, said) = project.ends(1, &["build", "one", "two"]);
    assert!(said.starts_with("error: one, two: ") && said.matches("error: ").count() == 1, "{said}");
    let imports: String = (0..74).map(|number| format!("import missing_{number}\n")).collect();
    project.0.write("app.py", format!("{imports}def handler(event, context): ...\n").as_bytes());
    let (_, said) = project.ends(1, &["build", "api"]);
    assert!(said.contains("74 problems") && said.contains("… and 64 more; -v shows all\n"), "{said}");
    assert!(said.matches("hint: ").count() <= 6, "{said}");
    let (printed, said) = project.ends(1, &["build", "api", "--verbose", "--json"]);
    assert!(said.contains("app.py:74 imports `missing_73`"), "{said}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert!(report["targets"][0]["error"]["hints"].as_array().unwrap().len() >= 74);
}

/// A budget per target: the largest distributions are named, and nothing is written.
#[test]
fn a_target_that_is_larger_than_its_budget_is_refused() {
    let project = example("max-size = \"60 MiB\"\n");
    project.run(&["build", "--max-size=1 GiB"]);
    fs::remove_dir_all(project.0.path().join("dist")).unwrap();
    let (printed, said) = project.ends(1, &["build", "--max-size=1 KiB", "--json"]);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(outcomes(&report), [("api", "failed"), ("web", "failed")]);
    for target in [0, 1] {
        let error = &report["targets"][target]["error"];
        let message = error["message"].as_str().unwrap();
        assert!(
            message.starts_with("the artifact has ") && message.ends_with(" KiB, and max-size is 1 KiB"),
            "{message}"
        );
        let hint = error["hints"][0].as_str().unwrap();
        assert!(hint.starts_with("reduce the largest distributions: example-tally ("), "{hint}");
    }
    assert!(said.contains("hint: omit what is not needed with --slim, or pass a larger --max-size\n"), "{said}");
    assert_eq!(fs::read_dir(project.0.path().join("dist")).map_or(0, Iterator::count), 0);
    // Of its own key.
    let pyproject = project.0.read("pyproject.toml").replace("60 MiB", "2 KiB");
    project.0.write("pyproject.toml", pyproject.as_bytes());
    let (_, said) = project.ends(1, &["build"]);
    assert!(
        said.contains("error: web: the artifact has ") && said.contains("max-size is 2 KiB") && !said.contains("api:"),
        "{said}"
    );
    let (_, said) = project.ends(2, &["build", "--max-size=large"]);
    assert!(said.contains("expected a size such as 60 MiB or 1.5 GB"), "{said}");
}
