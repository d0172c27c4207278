//! The committed schemas are current, and the output of every command is valid.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::studio::{run, studio};
use crate::support::command::{repository, succeed, tool};
use crate::support::lambda::newest_python;

/// The only schema of a document that is read, and not printed.
const CONFIGURATION: &str = "config";

fn names() -> Vec<String> {
    let listed: Value = serde_json::from_str(&succeed(&mut studio().pybundle(&["schema", "--json"]))).unwrap();
    let schemas = listed["schemas"].as_array().unwrap();
    schemas.iter().map(|schema| schema["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_schemas_are_those_that_are_committed() {
    let folder = repository().join("schemas");
    let mut expected = names();
    for name in &expected {
        let printed = succeed(&mut studio().pybundle(&["schema", name]));
        let schema: Value = serde_json::from_str(&printed).unwrap();
        // Editors read that of the configuration, in an older draft.
        if name != CONFIGURATION {
            assert_eq!(schema["$id"], format!("urn:pybundle:schema:{name}:1"));
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        }
        let path = folder.join(format!("{name}.json"));
        if std::env::var_os("PYBUNDLE_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &printed).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == printed,
            "{} differs from what `pybundle schema {name}` prints: if documents changed on purpose, and no field of format 1 \
             was removed or changed its meaning, write the schemas again with PYBUNDLE_BLESS=1 cargo test --test output schemas",
            path.display()
        );
    }
    let mut committed: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    committed.sort();
    expected.sort();
    assert_eq!(committed, expected);
}

#[test]
fn what_every_command_prints_is_as_its_schema_says() {
    let studio = studio();
    let host = studio.registry.host();
    let (base, tag) = (format!("{host}/base/python:3.12"), format!("--tag={host}/team/app:1"));
    let pinned = format!("[tool.pybundle]\nbase = \"{base}\"\n");
    let project = studio.path("pinned");
    succeed(Command::new("cp").arg("-r").arg(studio.path("project")).arg(&project));
    let pyproject = fs::read_to_string(project.join("pyproject.toml")).unwrap();
    fs::write(project.join("pyproject.toml"), format!("{pyproject}\n{pinned}")).unwrap();

    let packages = studio.path("packages");
    succeed(Command::new("cp").arg("-r").arg(studio.path("project")).arg(&packages));
    fs::copy(repository().join("testdata/apt/apt_lock/no_base.lock"), packages.join("apt.lock")).unwrap();

    fs::write(studio.path("k8s.yaml"), "image: registry.example.com/shop:1\n").unwrap();

    let lambda = "lambda project --output=made/app.zip --handler=app.handler --arch=x86_64";
    let image = "image project --base=oci:base --output=oci:made/image";
    let registry = format!("{image} --platform=linux/amd64,linux/arm64 {tag} --push --sbom=spdx --provenance");
    let invoked = format!("run project --handler=app.handler --runtime=python{}", newest_python());
    let cases: &[(&str, i32, &str)] = &[
        ("lambda", 0, lambda),
        (
            "lambda",
            0,
            &format!(
                "{lambda} --layer=made/layer.zip --sbom=cyclonedx --slim --strip --compile-bytecode --runtime=python{}",
                newest_python()
            ),
        ),
        ("lambda", 0, "lambda project --output=made/plain.zip --no-audit --exclude-runtime --no-compile-bytecode"),
        ("plan", 0, "lambda project --dry-run"),
        ("plan", 0, "plan project --extra-index-url=https://example.org/simple --offline"),
        ("build", 0, "build api web --project=targets"),
        ("build", 1, "build --project=targets"),
        ("build", 0, "build --project=targets --dry-run api web"),
        ("deploy", 1, "deploy api --project=targets --function=shop --region=eu-west-1"),
        ("run", 0, &invoked),
        ("run", 1, &format!("{invoked} --event=[]")),
        ("run-profile", 0, &format!("{invoked} --profile-imports")),
        ("build-list", 0, "build --project=targets --list"),
        ("failure", 1, "lambda project --handler=absent.handler"),
        ("why", 0, "why example-banner project"),
        ("apt-lock", 0, "apt lock packages --base=scratch --apt=tini --platform=linux/amd64 --offline"),
        ("apt-list", 0, "apt list packages"),
        ("apt-why", 0, "apt why tini packages"),
        ("apt-search-file", 0, "apt search-file libGL.so.1"),
        ("failure", 1, "apt why absent packages"),
        ("failure", 1, "plan absent"),
        ("failure", 1, "verify absent.zip"),
        ("config-show", 0, "config show targets"),
        ("config-show", 0, "config show project"),
        ("init", 0, "init project --dry-run"),
        ("resolve", 0, "resolve k8s.yaml"),
        ("push", 0, &format!("push oci:base {base}")),
        ("image", 0, image),
        ("image", 0, &registry),
        (
            "image",
            0,
            "image project --base=scratch --python=3.12 --entrypoint= --output=docker-archive:made/docker.tar",
        ),
        ("image-plan", 0, "image project --base=oci:base --dry-run --platform=linux/amd64,linux/arm64"),
        ("image-pin", 0, "image pinned --pin --frozen"),
        ("inspect", 0, "inspect app.zip --files"),
        ("inspect", 0, "inspect oci:image --platform=linux/arm64 --files"),
        ("inspect", 0, &format!("inspect {base}")),
        ("diff", 0, "diff app.zip app.zip"),
        ("diff", 0, "diff app.zip other.zip"),
        ("diff", 0, "diff oci:image oci:base"),
        ("verify", 0, "verify app.zip"),
        ("verify", 0, "verify app.zip project"),
        ("verify", 0, "verify oci:image"),
        ("verify", 1, "verify app.zip project --no-audit --no-install-package=example-banner"),
        ("verify", 1, "verify damaged.zip"),
        ("profile-list", 0, "profile list"),
        ("profile-show", 0, "profile show python3.13"),
        ("profile-show", 0, "profile show service"),
        ("cache-dir", 0, "cache dir"),
        ("cache-size", 0, "cache size"),
        ("cache-size", 0, "cache prune"),
        ("cache-size", 0, "cache clean --cache-dir=other-cache"),
        ("schema-list", 0, "schema"),
        ("completions", 0, "completions zsh"),
    ];
    let mut documents: Vec<Value> = cases
        .iter()
        .map(|(schema, status, words)| {
            let words: Vec<&str> = words.split(' ').chain(["--json"]).collect();
            // A document is never colored.
            let printed =
                run(studio.pybundle(&words).env("CLICOLOR_FORCE", "1").env("AWS_EC2_METADATA_DISABLED", "true"));
            assert_eq!(printed.status, *status, "{words:?}: {}", printed.err);
            let document: Value =
                serde_json::from_str(&printed.out).unwrap_or_else(|_| panic!("{words:?}: {}", printed.out));
            assert_eq!(document["format"], 1, "{words:?}");
            json!([schema, words.join(" "), document])
        })
        .collect();
    let configured: Value =
        toml::from_str(&fs::read_to_string(studio.path("targets/pyproject.toml")).unwrap()).unwrap();
    documents.push(json!([CONFIGURATION, "targets/pyproject.toml", configured["tool"]["pybundle"]]));
    let unseen: Vec<String> = names()
        .into_iter()
        .filter(|name| name != CONFIGURATION && !cases.iter().any(|(seen, ..)| seen == name))
        .collect();
    assert!(unseen.is_empty(), "no command was run whose document is one of {unseen:?}");
    assert_eq!(check(&documents).trim(), documents.len().to_string());
}

/// Validates documents by their schemas, and checks that a missing or unknown field is an error.
fn check(documents: &[Value]) -> String {
    let wrong = json!([["cache-size", "by hand", { "format": 1, "files": "2", "surprise": 3 }]]);
    let (status, _, said) = validate(&wrong);
    assert_eq!(status, Some(1));
    for part in ["'bytes' is a required property", "'2' is not of type 'integer'", "'surprise' was unexpected"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    let (status, printed, said) = validate(&documents.into());
    assert_eq!(status, Some(0), "{said}");
    printed
}

fn validate(documents: &Value) -> (Option<i32>, String, String) {
    let mut command = Command::new(tool("python"));
    command.arg(repository().join("tests/support/documents.py"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut python = command.spawn().unwrap();
    python.stdin.take().unwrap().write_all(documents.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
