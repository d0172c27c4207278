//! AWS CDK, in Python and TypeScript.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::support::artifact::sha256;
use crate::support::command::succeed;
use crate::support::uv::Project;
use crate::{built, installed, offline, recipes, shop};

/// Returns a project with two functions that have a layer in common.
fn shop_with_layer() -> Project {
    let project = shop();
    let layered =
        project.read("pyproject.toml").replace("kind = \"lambda\"\n", "kind = \"lambda\"\nlayers = [\"common\"]\n");
    let layer = "\n[tool.pybundle.target.common]\nkind = \"layer\"\ndistributions = [\"idna\"]\n";
    project.write("pyproject.toml", (layered + layer).as_bytes());
    project
}

/// Synthesizes, and asserts that the assets are the layer and the zip that both functions have, and returns the zip's name.
fn synthesized(project: &Project, command: &mut Command) -> String {
    let output = project.path().join("cdk.out");
    succeed(command.env("CDK_OUTDIR", &output));
    let names = fs::read_dir(&output).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let assets: Vec<String> = names.filter(|name| name.starts_with("asset.")).collect();
    assert_eq!(assets.len(), 2, "{assets:?}");
    let template: Value = serde_json::from_slice(&fs::read(output.join("Shop.template.json")).unwrap()).unwrap();
    let of_type = |kind: &str| -> Vec<&Value> {
        let resources = template["Resources"].as_object().unwrap().values();
        resources.filter(|resource| resource["Type"] == kind).map(|resource| &resource["Properties"]).collect()
    };
    let (functions, layers) = (of_type("AWS::Lambda::Function"), of_type("AWS::Lambda::LayerVersion"));
    assert_eq!((functions.len(), layers.len()), (2, 1));
    let [api, common] = ["api", "common"].map(|name| built(project, name));
    let digest_of = |key: &Value| sha256(&fs::read(output.join(format!("asset.{}", key.as_str().unwrap()))).unwrap());
    assert_eq!(digest_of(&layers[0]["Content"]["S3Key"]), common["sha256"].as_str().unwrap());
    for properties in &functions {
        assert_eq!(properties["Code"], functions[0]["Code"]);
        assert_eq!(properties["Layers"].as_array().unwrap().len(), 1);
        assert_eq!((&properties["Handler"], &properties["Runtime"]), (&"main.handler".into(), &"python3.13".into()));
        assert_eq!(properties["Architectures"], serde_json::json!(["x86_64"]));
    }
    let key = &functions[0]["Code"]["S3Key"];
    assert_eq!(digest_of(key), api["sha256"].as_str().unwrap());
    key.as_str().unwrap().to_owned()
}

#[test]
fn python_names_the_asset_by_the_digest() {
    let project = shop_with_layer();
    project.write("app.py", recipes("AWS CDK", "python")[0].as_bytes());
    let mut python = offline(&installed("aws-cdk-lib/bin/python"), project.path());
    synthesized(&project, python.arg("app.py"));
}

#[test]
fn typescript_names_the_asset_by_the_digest() {
    let project = shop_with_layer();
    project.write("app.ts", recipes("AWS CDK", "ts")[0].as_bytes());
    symlink(installed("npm/node_modules"), project.path().join("node_modules")).unwrap();
    let mut node = offline(&installed("bin/node"), project.path());
    let first = synthesized(&project, node.arg("app.ts"));
    fs::remove_dir_all(project.path().join("cdk.out")).unwrap();
    project.write("main.py", project.read("main.py").replace("return ", "return 'v' + ").as_bytes());
    assert_ne!(synthesized(&project, &mut node), first);
    // An error of pybundle ends the synthesis.
    project.write("main.py", b"");
    let failed = node.output().unwrap();
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && said.contains("main.handler"), "{said}");
}
