//! `pybundle resolve`: the images of targets in the files of Kubernetes and ECS.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::registry::{MemoryRegistry, Profile};
use crate::support::command::{succeed, tool};
use crate::test_project::{SHOP, TestProject};
use crate::tiny::Tiny;

/// A manifest with what a file that is written anew from its values would lose.
const MANIFEST: &str = r#"# The shop.
apiVersion: apps/v1
kind: Deployment
metadata: {name: api,   labels: {"app": 'api'}}
spec:
  template:
    spec:
      initContainers:
      - name: migrate
        image: &image pybundle://web # {"$imagepolicy": "flux-system:web"}
        command: ["python", "-c", "print('pybundle')"]

      containers:
      - {name: api, image: *image}
      - name: again
        image: "pybundle://web"
        args:
        - >-
          folded
          text
"#;

/// Returns a project with two images, one of which has no tag, and a function.
fn shop(registry: &MemoryRegistry) -> TestProject {
    let project = TestProject::example(&format!(
        "\n[tool.pybundle]\ncompile-bytecode = false\n\n[tool.pybundle.target.api]\nkind = \"lambda\"\n\
         runtime = \"python3.12\"\nhandler = \"app.handler\"\n\n[tool.pybundle.target.local]\nkind = \"image\"\n\
         base = \"oci:base\"\ncmd = [\"python\", \"app.py\"]\n\n[tool.pybundle.target.web]\nextends = \"local\"\n\
         tag = [\"{0}/team/web:1\", \"{0}/other/web:2\"]\n",
        registry.host()
    ));
    Tiny::python().write(&project.0.path().join("base"));
    project
}

/// Returns the documents of a stream as PyYAML reads them.
fn documents(yaml: &str) -> Vec<Value> {
    let read = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))";
    let mut python = Command::new(tool("python"));
    let mut child = python.args(["-c", read]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(yaml.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{yaml}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn references_become_pushed_images_and_nothing_else_changes() {
    let registry = MemoryRegistry::start(Profile::Plain);
    let project = shop(&registry);
    let task = r#"{"family": "shop", "containerDefinitions": [{"image": "pybundle://web", "memory": 512}]}"#;
    project.0.write("k8s.yaml", MANIFEST.as_bytes());
    project.0.write("task.json", task.as_bytes());
    let resolved = project.run(&["resolve", "k8s.yaml"]);
    // The image is in the registry, in the repository of its first tag.
    let digest = project.json(&["build", "web", "--push"])["targets"][0]["image"]["digest"].clone();
    let image = format!("{}/team/web@{}", registry.host(), digest.as_str().unwrap());
    assert!(registry.document("team/web", digest.as_str().unwrap()).is_some());
    assert_eq!(resolved, MANIFEST.replace("pybundle://web", &image));
    let containers = &documents(&resolved)[0]["spec"]["template"]["spec"];
    assert_eq!(containers["containers"][0]["image"], image, "the alias follows its anchor");
    // Several files are one stream of documents. A target that is not built again has the same image.
    let both = project.run(&["resolve", "k8s.yaml", "task.json", "k8s.yaml"]);
    let (first, second) =
        (documents(&resolved), serde_json::from_str(&task.replace("pybundle://web", &image)).unwrap());
    assert_eq!(documents(&both), [first[0].clone(), second, first[0].clone()]);
    let report = project.json(&["resolve", "task.json"]);
    assert_eq!(report["images"], json!({ "web": image }));
    assert_eq!(report["text"], task.replace("pybundle://web", &image));
    // A tag of the command line names another repository.
    let tag = format!("--tag={}/team/web:{}", registry.host(), "abc");
    assert!(project.run(&["resolve", "task.json", &tag]).contains(&image));
    assert!(registry.document("team/web", "abc").is_some());
}

#[test]
fn standard_input_is_resolved() {
    let registry = MemoryRegistry::start(Profile::Plain);
    let project = shop(&registry);
    let mut command = project.command(&["resolve", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"image: pybundle://web\nargs: [--image=pybundle://web]\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let image = format!("image: {}/team/web@sha256:", registry.host());
    assert!(stdout.starts_with(&image) && stdout.ends_with("\nargs: [--image=pybundle://web]\n"), "{stdout}{stderr}");
    let kept = "warning: `pybundle://` in standard input, line 2, is not replaced: it is a part of a longer text\n";
    assert!(stderr.contains(kept), "{stderr}");
}

#[test]
fn nothing_is_printed_if_a_reference_cannot_be_resolved() {
    let registry = MemoryRegistry::start(Profile::Plain);
    let project = shop(&registry);
    for (text, message, hint) in [
        ("a: pybundle://api", "cannot resolve `api` in k8s.yaml, line 1: it is a function", "kind `image`"),
        ("a: pybundle://local", "`local` in k8s.yaml, line 1: it has no tag", "[tool.pybundle.target.local]"),
        ("a: pybundle://wob", "has no target `wob`", "did you mean `web`?"),
        ("a: pybundle://", "line 1, names no target", "`pybundle://NAME`"),
        (
            "a: {{ .Values.image }}: pybundle://web",
            "cannot parse k8s.yaml",
            "`helm template CHART | pybundle resolve -`",
        ),
        ("a: [pybundle://web", "cannot parse k8s.yaml", "because: "),
    ] {
        project.0.write("k8s.yaml", text.as_bytes());
        registry.forget_requests();
        let (printed, said) = project.ends(1, &["resolve", "k8s.yaml"]);
        assert!(said.contains(message) && said.contains(hint), "{text}: {said}");
        assert!(printed.is_empty() && registry.requests().is_empty(), "{text}: {printed}");
    }
    let (_, said) = project.ends(1, &["resolve", "missing.yaml"]);
    assert!(said.contains("cannot read missing.yaml"), "{said}");
    // What the hint says makes it work.
    let tag = format!("cmd = [\"python\", \"app.py\"]\ntag = [\"{}/team/local:1\"]\n", registry.host());
    let pyproject = project.0.read("pyproject.toml").replace("cmd = [\"python\", \"app.py\"]\n", &tag);
    project.0.write("pyproject.toml", pyproject.as_bytes());
    project.0.write("k8s.yaml", b"a: pybundle://local");
    assert!(project.run(&["resolve", "k8s.yaml"]).contains("/team/local@sha256:"));
    // A build that fails prints its error, and no file.
    project.0.write("app.py", b"import missing_module\n");
    let (printed, said) = project.ends(1, &["resolve", "k8s.yaml"]);
    assert!(printed.is_empty() && said.contains("missing_module"), "{said}");
    assert!(succeed(&mut project.command(&["resolve", "--help"])).contains("pybundle resolve -"));
}

#[test]
fn a_reference_names_one_target_of_a_workspace() {
    let member = |name: &str| {
        let target = "[tool.pybundle.target.web]\nkind = \"image\"\ntag = \"localhost:1/web:1\"\n";
        format!("{}{target}", SHOP.replace("shop", name))
    };
    let project = TestProject::new(&[
        ("pyproject.toml", "[tool.uv.workspace]\nmembers = [\"services/*\"]\n"),
        ("services/one/pyproject.toml", &member("first")),
        ("services/two/pyproject.toml", &member("second")),
        ("k8s.yaml", "a: pybundle://web"),
    ]);
    let (_, said) = project.ends(1, &["resolve", "k8s.yaml", "--workspace"]);
    assert!(said.contains("line 1: several members have a target of this name"), "{said}");
    assert!(said.contains("hint: name one of first/web, second/web"), "{said}");
    // With the name of its member, it is the only one that is built: it has no lock.
    project.0.write("k8s.yaml", b"a: pybundle://second/web");
    let (_, said) = project.ends(1, &["resolve", "k8s.yaml", "--workspace"]);
    assert!(said.contains("second/web: ") && !said.contains("first"), "{said}");
}
