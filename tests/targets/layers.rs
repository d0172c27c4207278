//! Layers as targets, and the functions that name them.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use crate::notes::SETTLING;
use crate::support::artifact::{paths_of_zip, sha256};
use crate::support::lambda::{architecture, invoke, newest_python};
use crate::support::wheel;
use crate::test_project::{SHOP, TestProject};

/// A layer, and two functions that name it.
const TARGETS: &str = "\n[tool.pybundle]\nruntime = \"python3.12\"\n\n[tool.pybundle.target.common]\nkind = \"layer\"\n\n\
    [tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\nlayers = [\"common\"]\n\n\
    [tool.pybundle.target.web]\nkind = \"lambda\"\nhandler = \"app.handler\"\nlayers = [\"common\"]\nexclude = [\"tests\"]\n";

const SITE_PACKAGES: &str = "python/lib/python3.12/site-packages";

/// A function of the example with a layer, and what the layer contains besides its kind.
fn with_layer(layer: &str) -> TestProject {
    TestProject::example(&TARGETS.replace("kind = \"layer\"\n", &format!("kind = \"layer\"\n{layer}\n")))
}

fn paths(project: &TestProject, zip: &str) -> Vec<String> {
    paths_of_zip(&project.0.path().join(zip))
}

/// Returns what came of each target, by its name.
fn outcomes(report: &Value) -> Vec<(&str, &str)> {
    let targets = report["targets"].as_array().unwrap().iter();
    targets.map(|target| (target["name"].as_str().unwrap(), target["status"].as_str().unwrap())).collect()
}

/// Returns the names of the distributions in the zip of a function or a layer.
fn distributions(report: &Value) -> Vec<&str> {
    let distributions = report["distributions"].as_array().unwrap().iter();
    distributions.map(|distribution| distribution["name"].as_str().unwrap()).collect()
}

#[test]
fn functions_leave_out_what_their_layer_contains() {
    let project = with_layer("");
    let built = project.json(&["build"]);
    assert_eq!(outcomes(&built), [("api", "built"), ("common", "built"), ("web", "built")]);
    let [api, common] = [0, 1].map(|at| &built["targets"][at]["lambda"]);
    assert_eq!(built["targets"][1]["kind"], "layer");
    let dependencies = ["example-banner", "example-greeting", "example-tally"];
    assert_eq!((distributions(api), distributions(common)), (vec![], dependencies.to_vec()));
    let of_layer = paths(&project, "dist/common.zip");
    assert!(
        of_layer.iter().all(|path| path.starts_with("python/") || path.starts_with("bin/example-")),
        "{of_layer:?}"
    );
    assert_eq!(paths(&project, "dist/api.zip"), ["app.py", "shop/__init__.py", "shop/prices.json"]);
    assert_eq!(common["artifacts"][0]["kind"], "layer");
    assert_eq!((&common["application"]["files"], &common["handler"]), (&json!(0), &json!(null)));
    // Sizes count together.
    let sizes = |report: &Value| report["artifacts"][0]["unzipped_size"].as_u64().unwrap();
    assert_eq!(api["limits"]["unzipped_size"], sizes(api) + sizes(common));
    assert_eq!(api["layers"], json!([{ "name": "common", "unzipped_size": sizes(common) }]));
    let excluded = json!({ "name": "example-banner", "version": "0.3.1", "reason": "contained in layer `common`", "layer": "common" });
    assert_eq!(api["excluded"][0], excluded);
    // The layer is the same by itself, whatever the functions are.
    let layer = fs::read(project.0.path().join("dist/common.zip")).unwrap();
    let alone = project.json(&["lambda", "common", "--output=alone.zip"]);
    assert_eq!(alone["artifacts"][0]["sha256"], sha256(&layer));
    let page = project.run(&["lambda", "api"]);
    assert!(
        page.contains("layer     common, ") && page.contains("contains 3 distributions of this function"),
        "{page}"
    );
    let planned = project.json(&["plan", "api"]);
    assert_eq!((distributions(&planned), &planned["excluded"][0]), (vec![], &excluded));
    assert_eq!(distributions(&project.json(&["plan", "common"])), dependencies);
    let terraform = project.run(&["build", "common", "--output-format=terraform"]);
    assert!(terraform.contains("\"common.filename\": \"dist/common.zip\""), "{terraform}");
}

#[test]
fn a_function_is_built_together_with_its_layers() {
    let project = with_layer("");
    assert_eq!(outcomes(&project.json(&["build", "api"])), [("api", "built"), ("common", "built")]);
    thread::sleep(SETTLING);
    let layer = fs::read(project.0.path().join("dist/common.zip")).unwrap();
    assert_eq!(outcomes(&project.json(&["build", "api"])), [("api", "unchanged"), ("common", "unchanged")]);
    // An edit of the application does not concern the layer.
    project.0.write("app.py", format!("{}\nVERSION = 2\n", project.0.read("app.py")).as_bytes());
    thread::sleep(SETTLING);
    assert_eq!(outcomes(&project.json(&["build", "api"])), [("api", "built"), ("common", "unchanged")]);
    assert!(fs::read(project.0.path().join("dist/common.zip")).unwrap() == layer);
    thread::sleep(SETTLING);
    // Of the layer, the function is another one.
    let pyproject = project.0.read("pyproject.toml");
    let fewer = pyproject.replace("kind = \"layer\"\n", "kind = \"layer\"\ndistributions = \"example-tally\"\n");
    project.0.write("pyproject.toml", fewer.as_bytes());
    thread::sleep(SETTLING);
    let built = project.json(&["build"]);
    assert_eq!(outcomes(&built), [("api", "built"), ("common", "built"), ("web", "built")]);
    assert_eq!(distributions(&built["targets"][0]["lambda"]), ["example-banner", "example-greeting"]);
    assert_eq!(distributions(&built["targets"][1]["lambda"]), ["example-tally"]);
}

#[test]
fn named_distributions_come_with_what_they_require() {
    let project = with_layer("distributions = [\"example-greeting\"]");
    let planned = project.json(&["plan", "common"]);
    let named = distributions(&planned);
    assert!(named.contains(&"example-greeting") && !named.contains(&"example-tally"), "{named:?}");
    let both = [distributions(&project.json(&["plan", "api"])).len(), named.len()];
    assert_eq!(both.iter().sum::<usize>(), 3);
    // A group that functions do not select.
    let project = with_layer("only-group = \"dev\"");
    assert_eq!(distributions(&project.json(&["plan", "common"])), ["example-checks"]);
    assert_eq!(distributions(&project.json(&["plan", "api"])).len(), 3);
}

#[test]
fn the_shared_code_of_a_workspace_is_a_layer() {
    let project = TestProject::new(&[
        (
            "pyproject.toml",
            &format!(
                "{SHOP}dependencies = [\"shared\"]\n[tool.uv.workspace]\nmembers = [\"shared\"]\n\
                 [tool.uv.sources]\nshared = {{ workspace = true }}\n[tool.pybundle]\nruntime = \"python3.12\"\n\
                 [tool.pybundle.target.common]\nkind = \"layer\"\ndistributions = [\"shared\"]\n\
                 [tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\nlayers = [\"common\"]\n"
            ),
        ),
        ("app.py", "import shared\n\n\ndef handler(event, context): ...\n"),
        (
            "shared/pyproject.toml",
            "[project]\nname = \"shared\"\nversion = \"1\"\nrequires-python = \">=3.9\"\n\
             [build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n",
        ),
        ("shared/src/shared/__init__.py", "VALUE = 1\n"),
    ]);
    project.0.uv(&["lock", "--quiet"]);
    project.json(&["build"]);
    assert!(paths(&project, "dist/common.zip").contains(&format!("{SITE_PACKAGES}/shared/__init__.py")));
    assert_eq!(paths(&project, "dist/api.zip"), ["app.py"]);
    thread::sleep(SETTLING);
    project.0.write("shared/src/shared/__init__.py", b"VALUE = 2\n");
    thread::sleep(SETTLING);
    assert_eq!(outcomes(&project.json(&["build"])), [("api", "built"), ("common", "built")]);
}

#[test]
fn a_function_runs_with_its_layer() {
    let (python, architecture) = (newest_python(), architecture());
    let targets = TARGETS.replace("python3.12\"", &format!("python{python}\"\narch = \"{architecture}\""));
    let project = TestProject::example(&targets);
    project.run(&["build"]);
    let [api, common] = ["dist/api.zip", "dist/common.zip"].map(|zip| project.0.path().join(zip));
    let event = json!({ "items": ["apple"] });
    let answer = invoke(&python, "app.handler", &event, &[&api, &common]).answer();
    assert_eq!(answer["python"], python);
    assert_eq!(invoke(&python, "app.handler", &event, &[&api]).error(), "Runtime.ImportModuleError");
}

#[test]
fn audits_see_the_function_and_its_layer_together() {
    let project = with_layer("distributions = [\"example-tally\"]");
    // A package of the function hides what the layer has of the same package.
    project.0.write("example_tally/__init__.py", b"");
    project.0.write("app.py", format!("import example_tally.totals\n{}", project.0.read("app.py")).as_bytes());
    let (_, said) = project.ends(1, &["lambda", "api"]);
    assert!(said.contains("example_tally.totals"), "{said}");
    fs::remove_dir_all(project.0.path().join("example_tally")).unwrap();
    project.0.write("app.py", project.0.read("app.py").replacen("import example_tally.totals\n", "", 1).as_bytes());
    // The SBOM is about both.
    project.run(&["lambda", "api", "--sbom=cyclonedx"]);
    let sbom = project.0.read("dist/api.zip.cdx.json");
    for name in ["example-banner", "example-greeting", "example-tally"] {
        assert!(
            sbom.contains(&format!("\"name\":\"{name}\"")) || sbom.contains(&format!("\"name\": \"{name}\"")),
            "{name}"
        );
    }
    // Sizes count together.
    let profile = project.run(&["profile", "show", "python3.12"]);
    let small = profile
        .lines()
        .map(|line| if line.trim_start().starts_with("unzipped") { "unzipped = 2000" } else { line })
        .collect::<Vec<_>>();
    project.0.write("small.toml", small.join("\n").as_bytes());
    let pyproject = project.0.read("pyproject.toml").replace("runtime = \"python3.12\"", "profile = \"small.toml\"");
    project.0.write("pyproject.toml", pyproject.as_bytes());
    let (_, said) = project.ends(1, &["lambda", "api"]);
    assert!(said.contains("limit of 2000 for a function and its layers, of which layer `common` has "), "{said}");
}

#[test]
fn layers_that_do_not_suit_their_functions_are_refused() {
    let refused = |project: &TestProject, arguments: &[&str], texts: &[&str]| {
        let (_, said) = project.ends(1, arguments);
        texts.iter().for_each(|text| assert!(said.contains(text), "{text} is not in {said}"));
    };
    let project = with_layer("arch = \"arm64\"");
    refused(
        &project,
        &["plan", "api"],
        &[
            "the function is built for python3.12 on x86_64 (as requested), but its layer `common` for python3.12 on arm64",
            "hint: set the same `runtime` and `arch` for both",
        ],
    );
    // As the hint says: a flag is for both.
    project.run(&["lambda", "api", "--arch=arm64"]);
    refused(
        &with_layer("distributions = [\"absent\"]"),
        &["lambda", "common"],
        &[
            "cannot take absent into the layer: it is not selected from the lock",
            "hint: add absent to the dependencies, or select the group that has it with `group`",
        ],
    );
    refused(
        &with_layer("only-group = \"dev\"\nno-install-package = \"example-checks\""),
        &["build", "common"],
        &[
            "layer `common` contains no distribution",
            "hint: select its distributions with `group`, `extra` or `distributions`",
        ],
    );
    let changed = |from: &str, to: &str| TestProject::example(&TARGETS.replacen(from, to, 1));
    refused(
        &changed("layers = [\"common\"]", "layers = [\"web\"]"),
        &["build"],
        &["cannot use target `web` as a layer: its kind is `lambda`", "hint: name a target of kind `layer`"],
    );
    refused(
        &changed("layers = [\"common\"]", "layers = [\"comon\"]"),
        &["build"],
        &["has no target `comon`", "`common`"],
    );
    refused(
        &changed("layers = [\"common\"]", "layers = [\"common\"]\nlayer = \"own.zip\""),
        &["lambda", "api"],
        &[
            "`layer` and `layers` of a function cannot be used together",
            "hint: remove `layer`, or move the dependencies",
        ],
    );
    refused(
        &changed("kind = \"layer\"\n", "kind = \"layer\"\nextends = \"api\"\n"),
        &["build"],
        &["a target of another kind"],
    );
    refused(
        &changed("kind = \"layer\"\n", "kind = \"layer\"\nhandler = \"app.handler\"\n"),
        &["build"],
        &[
            "unknown key `handler` in [tool.pybundle.target.common]",
            "hint: `handler` is only valid for targets of kind `lambda`\n",
        ],
    );
    refused(
        &changed("kind = \"layer\"\n", "kind = \"layer\"\ninclude = [\"app.py\"]\n"),
        &["build"],
        &["hint: `include` is only valid for targets of kind `lambda` or `image`\n"],
    );
    let (_, said) = changed("", "").ends(2, &["lambda", "common", "--handler=app.handler"]);
    assert!(said.contains("--handler is for functions, but target `common` is a layer"), "{said}");
    let layers: String = (0..6).map(|at| format!("[tool.pybundle.target.l{at}]\nkind = \"layer\"\n")).collect();
    let names: Vec<String> = (0..6).map(|at| format!("\"l{at}\"")).collect();
    let six = TARGETS.replacen("[\"common\"]", &format!("[{}]", names.join(", ")), 1);
    refused(
        &TestProject::example(&format!("{six}{layers}")),
        &["lambda", "api"],
        &[
            "the function has 6 layers, but Lambda allows 5: l0, l1, l2, l3, l4, l5",
            "hint: put the distributions of several layers into one",
        ],
    );
}

#[test]
fn a_layer_of_another_lock_must_have_the_same_versions() {
    let project = with_layer("lock = \"other.txt\"\nfind-links = \"wheels\"\nno-index = true");
    project.0.write("other.txt", b"example-tally==1.0\n");
    project.0.write("wheels/example_tally-1.0-py3-none-any.whl", &wheel("example_tally", "1.0"));
    for command in [["plan", "api"], ["lambda", "api"]] {
        let (_, said) = project.ends(1, &command);
        assert!(said.contains("the function needs example-tally 2.0.0, but its layer `common` contains 1.0"), "{said}");
        assert!(said.contains("hint: build them from the same lock, or remove one of them from `layers`"), "{said}");
    }
    // Two layers must agree, too.
    let pyproject = project.0.read("pyproject.toml");
    let other = "[tool.pybundle.target.other]\nkind = \"layer\"\n";
    let both = pyproject.replace("layers = [\"common\"]", "layers = [\"common\", \"other\"]");
    project.0.write("pyproject.toml", format!("{both}{other}").as_bytes());
    let (_, said) = project.ends(1, &["lambda", "api"]);
    assert!(
        said.contains("layers `common` and `other` contain different versions of example-tally: 1.0 and 2.0.0"),
        "{said}"
    );
    // Such a lock does not tell what its distributions require.
    let named = pyproject.replace("kind = \"layer\"\n", "kind = \"layer\"\ndistributions = [\"example-tally\"]\n");
    project.0.write("pyproject.toml", named.as_bytes());
    let (_, said) = project.ends(1, &["lambda", "common"]);
    assert!(
        said.contains("cannot select `distributions` from ") && said.contains("other.txt: it does not say"),
        "{said}"
    );
    assert!(said.contains("hint: use uv.lock, poetry.lock or pdm.lock, or select a group with `only-group`"), "{said}");
}
