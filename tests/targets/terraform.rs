//! `--output-format terraform`: the protocol of `data "external"`.
//!
//! The provider starts the program with an object in JSON on standard input, and reads an object of which each value is a
//! string (terraform-provider-external 2.3, `Read` of its data source).

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::registry::{MemoryRegistry, Profile};
use crate::test_project::TestProject;
use crate::tiny::Tiny;

/// Runs `pybundle` as the provider does, and returns the values, or standard error if it fails.
fn read(project: &TestProject, arguments: &[&str]) -> Result<Map<String, Value>, String> {
    let mut command = project.command(arguments);
    command.arg("--output-format=terraform");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program need not read it.
    let _ = child.stdin.take().unwrap().write_all(b"{}");
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    if !status.success() {
        assert!(stdout.is_empty());
        return Err(String::from_utf8(stderr).unwrap());
    }
    let values: Map<String, Value> = serde_json::from_slice(&stdout).unwrap();
    assert!(values.values().all(Value::is_string), "{values:?}");
    Ok(values)
}

#[test]
fn a_function_has_the_hash_that_terraform_computes() {
    let project = TestProject::example("");
    let arguments = ["lambda", "--handler=app.handler", "--runtime=python3.12", "--layer=dist/layer.zip"];
    let values = read(&project, &arguments).unwrap();
    for (filename, hash) in [("filename", "source_code_hash"), ("layer_filename", "layer_source_code_hash")] {
        let zip = fs::read(project.0.path().join(values[filename].as_str().unwrap())).unwrap();
        // What `filebase64sha256` returns.
        assert_eq!(values[hash], STANDARD.encode(Sha256::digest(&zip)));
    }
    assert_eq!(
        (&values["filename"], &values["layer_filename"]),
        (&"dist/example.zip".into(), &"dist/layer.zip".into())
    );
    assert_eq!((&values["runtime"], &values["architecture"]), (&"python3.12".into(), &"x86_64".into()));
    assert_eq!(values["handler"], "app.handler");
    // An error is shown as it is, without values.
    let said = read(&project, &["lambda", "--handler=app.missing", "--runtime=python3.12"]).unwrap_err();
    assert!(said.contains("error: ") && said.contains("missing"), "{said}");
}

#[test]
fn targets_precede_their_values() {
    let registry = MemoryRegistry::start(Profile::Plain);
    let project = TestProject::example(&format!(
        "\n[tool.pybundle.target.api]\nkind = \"lambda\"\nruntime = \"python3.12\"\n\n[tool.pybundle.target.web]\n\
         kind = \"image\"\nbase = \"oci:base\"\ncmd = [\"python\", \"app.py\"]\ncompile-bytecode = false\n\
         tag = \"{}/team/web:1\"\n",
        registry.host()
    ));
    Tiny::python().write(&project.0.path().join("base"));
    let values = read(&project, &["build", "--push"]).unwrap();
    let digest = values["web.digest"].as_str().unwrap();
    assert_eq!(values["web.image_uri"], format!("{}/team/web@{digest}", registry.host()));
    assert!(registry.document("team/web", digest).is_some());
    assert_eq!(values["api.filename"], "dist/api.zip");
    assert_eq!(read(&project, &["build", "--push"]).unwrap(), values, "nothing has changed");
    // A failing target leaves Terraform without values for the others.
    project.0.write("app.py", b"import missing_module\n");
    let said = read(&project, &["build", "--push"]).unwrap_err();
    assert!(said.contains("missing_module"), "{said}");
}

#[test]
fn other_commands_have_no_values() {
    let project = TestProject::example("");
    let (printed, said) = project.ends(2, &["plan", "--output-format=terraform"]);
    assert!(printed.is_empty() && said.contains("is for lambda, image and build"), "{said}");
}
