//! Variants: a target adds layers on top of the unchanged layers of what it extends.

use crate::built::{self, Built};
use crate::test_project::TestProject;
use crate::tiny::Tiny;

const WEB: &str = "\n[tool.pybundle]\ncompile-bytecode = false\n\n[tool.pybundle.target.web]\nkind = \"image\"\n\
    base = \"oci:base\"\nexclude = [\"*.sql\"]\nenv = { MODE = \"production\", SHOP = \"1\" }\nuser = 1000\nexpose = 8000\n\
    label = { team = \"shop\" }\ntag = \"example.org/team/web:1\"\noutput = \"oci:web\"\ncmd = [\"python\", \"app.py\"]\n";

/// Builds two images into layouts, and reads them.
fn built(project: &TestProject, names: [&str; 2]) -> [Built; 2] {
    names.map(|name| {
        project.run(&["image", "--target", name, "--output", &format!("oci:{name}")]);
        built::image(&project.0.path().join(name))
    })
}

#[test]
fn a_variant_shares_the_layers_of_what_it_extends() {
    let project = TestProject::example(&format!(
        "{WEB}\n[tool.pybundle.target.test]\nextends = \"web\"\ngroup = [\"dev\"]\ninclude = [\"tests\"]\n\
         env = {{ MODE = \"test\" }}\ncmd = [\"python\", \"-m\", \"tests.test_app\"]\nexpose = 9000\n\n\
         [tool.pybundle.target.debug]\nextends = \"test\"\nuser = 0\n",
    ));
    Tiny::python().write(&project.0.path().join("base"));
    let [web, test] = built(&project, ["web", "test"]);
    assert!(test.layers.len() > web.layers.len());
    assert_eq!(test.layers[..web.layers.len()], web.layers, "byte for byte");
    let added: Vec<&str> = test.holds().split_off(web.own().len());
    assert_eq!(added, ["example-checks 5.1", "the application"]);
    let own: Vec<String> = test.tree().into_keys().filter(|path| !web.tree().contains_key(path)).collect();
    assert!(own.iter().any(|path| path.ends_with("tests/test_app.py")), "{own:?}");
    assert!(own.iter().any(|path| path.contains("example_checks")), "{own:?}");
    assert_eq!((web.env("MODE"), test.env("MODE")), (Some("production".to_owned()), Some("test".to_owned())));
    assert_eq!((test.env("SHOP"), test.label("team").as_str()), (Some("1".to_owned()), Some("shop")));
    assert_eq!(test.execution()["Cmd"], serde_json::json!(["python", "-m", "tests.test_app"]));
    assert_eq!(test.execution()["ExposedPorts"], serde_json::json!({ "8000/tcp": {}, "9000/tcp": {} }));
    assert_eq!(test.execution()["User"], "1000");
    // Where the other goes and what it is called is its own.
    let report = project.json(&["build", "test"]);
    assert_eq!(report["targets"][0]["image"]["outputs"], serde_json::json!(["oci-archive:dist/test.tar"]));
    assert_eq!(report["targets"][0]["image"]["tags"].as_array().map_or(0, Vec::len), 0);
    let [test, debug] = built(&project, ["test", "debug"]);
    assert_eq!((&debug.layers, &debug.execution()["User"]), (&test.layers, &"0".into()));
}

#[test]
fn a_variant_that_removes_something_shares_no_layers() {
    let project = TestProject::example(&format!(
        "{WEB}\n[tool.pybundle.target.less]\nextends = \"web\"\nno-install-package = [\"example-tally\"]\nno-audit = true\n",
    ));
    Tiny::python().write(&project.0.path().join("base"));
    let report = project.json(&["build", "less"]);
    let warnings = report["targets"][0]["image"]["warnings"].to_string();
    assert!(warnings.contains("example-tally 2.0.0 of the extended target is not selected here"), "{warnings}");
    let [_, less] = built(&project, ["web", "less"]);
    assert!(!less.tree().keys().any(|path| path.contains("example_tally")));
}
