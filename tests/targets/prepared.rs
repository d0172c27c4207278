//! `prepare`: commands that run before the application's files are collected.

use std::fs;

use serde_json::{Value, json};

use crate::test_project::{SHOP, TestProject};
use crate::tiny::Tiny;

/// Collects what it finds, as `manage.py collectstatic` does, and notes that it ran.
const COLLECT: &str = "\
import pathlib, sys
pathlib.Path('static').mkdir(exist_ok=True)
pathlib.Path('static/site.css').write_text('body { color: ' + sys.argv[1] + ' }\\n')
with open('.runs', 'a') as runs:
    runs.write('ran\\n')
print('1 static file copied')
sys.exit(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
";

fn project(prepare: &str) -> TestProject {
    let configuration = format!(
        "{SHOP}[tool.pybundle]\nfrozen = true\ncompile-bytecode = false\nprepare = {prepare}\n\
         [tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\nhandler = \"app.handler\"\n\
         [tool.pybundle.target.web]\nkind = \"image\"\nbase = \"oci:base\"\npython = \"3.12\"\n"
    );
    let project = TestProject::new(&[
        ("pyproject.toml", &configuration),
        ("app.py", "def handler(event, context): ...\n"),
        ("collect.py", COLLECT),
        ("static/old.css", "old\n"),
    ]);
    Tiny::python().write(&project.0.path().join("base"));
    project
}

/// Returns how often the command ran.
fn runs(project: &TestProject) -> usize {
    fs::read_to_string(project.0.path().join(".runs")).unwrap_or_default().lines().count()
}

#[test]
fn what_a_command_prepares_is_bundled() {
    let project = project("[[\"python3\", \"collect.py\", \"red\"]]");
    project.run(&["build", "--dry-run"]);
    assert_eq!(runs(&project), 0, "a plan runs nothing");
    project.run(&["build", "--provenance"]);
    assert_eq!(runs(&project), 1, "once for both targets");
    let zip = project.0.path().join("dist/api.zip");
    let mut archive = zip::ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    let css = std::io::read_to_string(archive.by_name("static/site.css").unwrap()).unwrap();
    assert_eq!(css, "body { color: red }\n");
    // The command and what it made are in the provenance: not what was there before, nor the output of the build.
    let statement: Value = serde_json::from_str(&project.0.read("dist/api.zip.provenance.json")).unwrap();
    let predicate = &statement["predicate"];
    assert_eq!(
        predicate["buildDefinition"]["externalParameters"]["prepare"],
        json!([["python3", "collect.py", "red"]])
    );
    let byproducts = predicate["runDetails"]["byproducts"].as_array().unwrap();
    let named = |name: &str| byproducts.iter().find(|byproduct| byproduct["name"] == name);
    let sha256 = crate::support::artifact::sha256(css.as_bytes());
    assert_eq!(named("static/site.css").unwrap()["digest"], json!({ "sha256": sha256 }));
    assert!(
        named("static/old.css").is_none()
            && byproducts.iter().all(|file| !file["name"].as_str().unwrap().contains("dist"))
    );
    // The same again gives the same bytes.
    let again = project.json(&["build", "api"]);
    assert_eq!(again["targets"][0]["lambda"]["artifacts"][0]["unchanged"], true);
    // A flag takes precedence.
    project.run(&["lambda", "api", "--prepare", "python3 collect.py blue"]);
    assert_eq!(project.0.read("static/site.css"), "body { color: blue }\n");
}

#[test]
fn a_command_that_cannot_prepare_stops_the_build() {
    for (prepare, flags, expected) in [
        (
            "[[\"python3\", \"collect.py\", \"red\", \"3\"]]",
            &[][..],
            "error: `python3 collect.py red 3`, a command of `prepare`, failed with exit status: 3:\n1 static file copied\n\
             hint: run the command in the project's directory to see everything that it prints\n",
        ),
        (
            "[\"no-such-program --all\"]",
            &[],
            "error: cannot start `no-such-program --all`, a command of `prepare`\n  because: No such file or directory (os error 2)\n\
             hint: install the command, or name it by its path from the project's directory\n",
        ),
        (
            "[[\"python3\", \"collect.py\", \"red\"]]",
            &["--no-build"],
            "error: cannot run the commands of `prepare`: --no-build forbids it\n\
             hint: omit --no-build, or remove `prepare` from pyproject.toml and run its commands first\n",
        ),
    ] {
        let project = project(prepare);
        let (_, said) = project.ends(1, &[&["lambda", "api"], flags].concat());
        assert_eq!(said, expected);
        assert!(!project.0.path().join("dist").exists());
        assert_eq!(runs(&project), usize::from(expected.contains("exit status")));
    }
    let (_, said) = project("[1]").ends(1, &["build"]);
    assert!(said.contains("`prepare` in [tool.pybundle]: expected a string or an array of strings"), "{said}");
}

/// A project that is a package is built after its commands: what they write into it is in the wheel.
#[test]
fn what_a_command_prepares_is_in_the_wheel_of_a_package() {
    let collect = COLLECT.replace("'static", "'src/shop/static");
    let configuration = format!(
        "{SHOP}[build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n\
         [tool.pybundle]\nfrozen = true\nprepare = [[\"python3\", \"collect.py\", \"red\"]]\n"
    );
    let project = TestProject::new(&[
        ("pyproject.toml", &configuration),
        ("collect.py", &collect),
        ("src/shop/__init__.py", ""),
        ("src/shop/app.py", "def handler(event, context): ...\n"),
    ]);
    let css = |flags: &[&str]| {
        project.run(&[&["lambda", "--handler=shop.app.handler", "--runtime=3.12", "--provenance"], flags].concat());
        let mut archive =
            zip::ZipArchive::new(fs::File::open(project.0.path().join("dist/shop.zip")).unwrap()).unwrap();
        std::io::read_to_string(archive.by_name("shop/static/site.css").unwrap()).unwrap()
    };
    assert_eq!(css(&[]), "body { color: red }\n");
    let statement: Value = serde_json::from_str(&project.0.read("dist/shop.zip.provenance.json")).unwrap();
    let made = statement["predicate"]["runDetails"]["byproducts"].as_array().unwrap();
    assert!(made.iter().any(|file| file["name"] == "src/shop/static/site.css"), "{made:?}");
    // The wheel that was built before is not that of the new files.
    assert_eq!(css(&["--prepare", "python3 collect.py blue"]), "body { color: blue }\n");
}
