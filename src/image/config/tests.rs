use oci_spec::image::MediaType;
use serde_json::json;

use super::*;
use crate::digest::Sha256;
use crate::image::{Blob, json as documents};

/// Returns a shortened image config of a Docker Official Image of Python, with the properties that Docker leaves there.
fn official() -> Value {
    json!({
        "architecture": "amd64",
        "author": "the maintainers",
        "config": {
            "ArgsEscaped": true,
            "AttachStdin": false,
            "Cmd": ["python3"],
            "Domainname": "",
            "Entrypoint": null,
            "Env": ["PATH=/usr/local/bin:/usr/bin", "LANG=C.UTF-8", "PYTHON_VERSION=3.12.7"],
            "ExposedPorts": { "80/tcp": {} },
            "Healthcheck": { "Test": ["CMD", "true"], "Interval": 30_000_000_000_i64 },
            "Hostname": "d6c0fe130dba",
            "Image": "sha256:0000",
            "Labels": { "a": "base", "b": "base" },
            "OnBuild": ["RUN false"],
            "OpenStdin": null,
            "Shell": ["/bin/bash", "-c"],
            "StopSignal": "SIGINT",
            "Tty": false,
            "User": "",
            "Volumes": { "/data": {} },
            "WorkingDir": "/srv"
        },
        "container": "d6c0fe130dba",
        "container_config": { "Cmd": ["/bin/sh"] },
        "created": "2024-10-19T01:12:54Z",
        "docker_version": "20.10.23",
        "history": [
            { "created": "2024-10-19T01:12:54Z", "created_by": "ADD rootfs.tar", "comment": "debuerreotype" },
            { "created": "2024-10-19T01:12:54Z", "created_by": "ENV LANG=C.UTF-8", "empty_layer": true }
        ],
        "moby.buildkit.buildinfo.v1": "e30=",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [Sha256::of(b"base").to_string()] }
    })
}

fn parse(document: &Value) -> ImageConfig {
    documents::parse(document.to_string().as_bytes()).unwrap()
}

/// Returns the image config of an image that adds no layers.
fn derive(base: &Value, settings: &ConfigOverrides) -> Value {
    json!(parse(base).derive(&[layer("base")], settings, &[]))
}

fn layer(tar: &str) -> Layer {
    let blob = Blob::of_bytes(MediaType::ImageLayer, tar.as_bytes().to_vec());
    Layer { diff_id: blob.digest, blob }
}

#[test]
fn the_base_is_inherited_without_dockers_properties() {
    let derived = derive(&official(), &ConfigOverrides::default());
    let mut expected = official();
    expected["created"] = json!("1980-01-01T00:00:00Z");
    for leftover in ["container", "container_config", "docker_version", "moby.buildkit.buildinfo.v1"] {
        expected.as_object_mut().unwrap().remove(leftover);
    }
    let leftovers =
        ["ArgsEscaped", "AttachStdin", "Domainname", "Hostname", "Image", "OnBuild", "OpenStdin", "Tty", "User"];
    for leftover in leftovers.into_iter().chain(["Entrypoint"]) {
        expected["config"].as_object_mut().unwrap().remove(leftover);
    }
    assert_eq!(derived, expected);
}

#[test]
fn settings_replace_and_add() {
    let settings = ConfigOverrides {
        user: Some("10001:10001".to_owned()),
        workdir: Some("/app".to_owned()),
        env: [("LANG", "C"), ("PYTHONUNBUFFERED", "1"), ("PATH", "/app/.venv/bin:/usr/local/bin"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        exposed_ports: ["8000", "53/udp"].map(|port| port.parse().unwrap()).into(),
        labels: [("b".to_owned(), "ours".to_owned()), ("c".to_owned(), "ours".to_owned())].into(),
        created: "1709210096".parse().unwrap(),
        ..ConfigOverrides::default()
    };
    let derived = derive(&official(), &settings);
    let execution = &derived["config"];
    assert_eq!(derived["created"], "2024-02-29T12:34:56Z");
    assert_eq!(execution["User"], "10001:10001");
    assert_eq!(execution["WorkingDir"], "/app");
    assert_eq!(
        execution["Env"],
        json!([
            "PATH=/app/.venv/bin:/usr/local/bin",
            "LANG=C",
            "PYTHON_VERSION=3.12.7",
            "PYTHONUNBUFFERED=1",
            "EMPTY="
        ])
    );
    assert_eq!(execution["ExposedPorts"], json!({ "53/udp": {}, "80/tcp": {}, "8000/tcp": {} }));
    assert_eq!(execution["Labels"], json!({ "a": "base", "b": "ours", "c": "ours" }));
}

#[test]
fn a_duplicate_variable_of_the_base_is_set_once() {
    let mut execution =
        ExecutionParameters { env: ["A=1", "AB=2", "A", "A=3"].map(str::to_owned).into(), ..Default::default() };
    execution.set_env("A", "4=5");
    assert_eq!(execution.env, ["A=4=5", "AB=2"]);
    assert_eq!((execution.env("A"), execution.env("AB"), execution.env("B")), (Some("4=5"), Some("2"), None));
}

/// As with Docker, a new entrypoint removes the base's command.
#[test]
fn a_new_entrypoint_removes_the_command() {
    fn owned(arguments: &[&str]) -> Vec<String> {
        arguments.iter().copied().map(str::to_owned).collect()
    }

    let mut base = official();
    base["config"]["Entrypoint"] = json!(["/base"]);
    let set = Entrypoint::Set(owned(&["/ours"]));
    let (old, none) = (json!(["/base"]), Value::Null);
    for (entrypoint, command, expected) in [
        (Entrypoint::Inherit, None, [old.clone(), json!(["python3"])]),
        (Entrypoint::Inherit, Some(&["b"][..]), [old.clone(), json!(["b"])]),
        (Entrypoint::Inherit, Some(&[]), [old, none.clone()]),
        (Entrypoint::Reset, None, [none.clone(), none.clone()]),
        (Entrypoint::Reset, Some(&["b"]), [none.clone(), json!(["b"])]),
        (set.clone(), None, [json!(["/ours"]), none]),
        (set, Some(&["b"]), [json!(["/ours"]), json!(["b"])]),
    ] {
        let settings = ConfigOverrides { entrypoint, command: command.map(owned), ..ConfigOverrides::default() };
        let derived = derive(&base, &settings);
        let actual = ["Entrypoint", "Cmd"].map(|name| derived["config"].get(name).cloned().unwrap_or_default());
        assert_eq!(actual, expected, "{settings:?}");
    }
}

#[test]
fn each_added_layer_is_in_the_history() {
    let layers = [(layer("six"), "six 1.17.0".to_owned()), (layer("app"), "the application".to_owned())];
    let derived = json!(parse(&official()).derive(&[layer("base")], &ConfigOverrides::default(), &layers));
    let mut expected = official()["history"].as_array().unwrap().clone();
    for (_, comment) in &layers {
        expected.push(json!({ "created": "1980-01-01T00:00:00Z", "created_by": "pybundle", "comment": comment }));
    }
    assert_eq!(derived["history"], json!(expected));
    let diff_ids: Vec<_> = [&b"base"[..], b"six", b"app"].map(|tar| Sha256::of(tar).to_string()).into();
    assert_eq!(derived["rootfs"]["diff_ids"], json!(diff_ids));
}

#[test]
fn a_history_that_does_not_match_the_layers_is_replaced() {
    for history in [json!(null), json!([]), json!([{ "empty_layer": true }]), json!([{}, {}])] {
        let mut base = official();
        base["history"] = history;
        let derived = json!(parse(&base).derive(
            &[layer("base")],
            &ConfigOverrides::default(),
            &[(layer("own"), "own".to_owned())]
        ));
        let comments: Vec<_> = derived["history"].as_array().unwrap().iter().map(|step| &step["comment"]).collect();
        assert_eq!(comments, ["base image", "own"]);
    }
}

#[test]
fn values_refer_to_the_base() {
    let base = parse(&official()).execution;
    for (value, expanded) in [
        ("", ""),
        ("plain {PATH} text", "plain {PATH} text"),
        ("/app/bin:${PATH}", "/app/bin:/usr/local/bin:/usr/bin"),
        ("${LANG}${LANG}", "C.UTF-8C.UTF-8"),
        ("a${MISSING}b", "ab"),
        ("$$", "$"),
        ("$${LANG}", "${LANG}"),
        ("é$$é${LANG}é", "é$éC.UTF-8é"),
    ] {
        assert_eq!(expand(value, &base).as_deref(), Ok(expanded), "{value}");
    }
    for value in ["$", "a$b", "$PATH", "${", "${PATH", "${}", "${A B}", "${PATH:-x}", "$$$", "${$}", "${é}"] {
        let error = expand(value, &base).unwrap_err();
        assert_eq!(error, InvalidEnvValue(value.to_owned()));
        assert!(error.to_string().contains(value) || value.contains('é'), "{error}");
    }
}

#[test]
fn values_are_expanded_once() {
    let base =
        ExecutionParameters { env: vec!["A=${B}$".to_owned(), "B=b".to_owned()], ..ExecutionParameters::default() };
    assert_eq!(expand("${A}", &base).unwrap(), "${B}$");
}
