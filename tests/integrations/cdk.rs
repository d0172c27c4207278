//! AWS CDK, in Python and TypeScript.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::support::artifact::sha256;
use crate::support::command::succeed;
use crate::support::uv::Project;
use crate::{built, installed, offline, recipes, shop};

/// Synthesizes, and asserts that the only asset is the zip, which both functions have, and returns its name.
fn synthesized(project: &Project, command: &mut Command) -> String {
    let output = project.path().join("cdk.out");
    succeed(command.env("CDK_OUTDIR", &output));
    let names = fs::read_dir(&output).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let assets: Vec<String> = names.filter(|name| name.starts_with("asset.")).collect();
    let [asset] = &assets[..] else { panic!("{assets:?}") };
    let template: Value = serde_json::from_slice(&fs::read(output.join("Shop.template.json")).unwrap()).unwrap();
    let resources = template["Resources"].as_object().unwrap().values();
    let functions: Vec<&Value> = resources.filter(|resource| resource["Type"] == "AWS::Lambda::Function").collect();
    assert_eq!(functions.len(), 2);
    for function in functions {
        let properties = &function["Properties"];
        assert_eq!(properties["Code"]["S3Key"], Value::from(asset.strip_prefix("asset.").unwrap()));
        assert_eq!((&properties["Handler"], &properties["Runtime"]), (&"main.handler".into(), &"python3.13".into()));
        assert_eq!(properties["Architectures"], serde_json::json!(["x86_64"]));
    }
    let artifact = built(project);
    assert_eq!(sha256(&fs::read(output.join(asset)).unwrap()), artifact["sha256"].as_str().unwrap());
    asset.clone()
}

#[test]
fn python_names_the_asset_by_the_digest() {
    let project = shop();
    project.write("app.py", recipes("AWS CDK", "python")[0].as_bytes());
    let mut python = offline(&installed("aws-cdk-lib/bin/python"), project.path());
    synthesized(&project, python.arg("app.py"));
}

#[test]
fn typescript_names_the_asset_by_the_digest() {
    let project = shop();
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
