//! Bases in every format, and what an image inherits from its base.

use std::fs;

use serde_json::{Value, json};

use crate::support::bases;
use crate::tiny::{Tiny, converted};
use crate::workshop::Workshop;

/// Every property of an image config, and properties that Docker leaves there.
fn rich() -> Value {
    json!({
        "User": "7",
        "Env": ["PATH=/usr/local/bin:/bin", "LANG=C.UTF-8", "PYTHONUNBUFFERED=no"],
        "Entrypoint": ["/bin/tini", "--"],
        "Cmd": ["python3"],
        "WorkingDir": "/srv",
        "Labels": { "maintainer": "somebody", "org.opencontainers.image.title": "the base" },
        "StopSignal": "SIGINT",
        "Volumes": { "/data": {} },
        "ExposedPorts": { "53/udp": {} },
        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 5_000_000_000_u64 },
        "Hostname": "builder",
        "OnBuild": ["COPY . /app"],
    })
}

#[test]
fn every_format_of_the_base_gives_the_same_image() {
    let workshop = Workshop::new();
    let layout = Tiny::python().architectures(&["amd64"]).write(&workshop.path("single"));
    let expected = workshop.run(&mut workshop.without_base(&["--base", &layout]));
    let archive = converted(&layout, "oci-archive", workshop.path("single.tar"));
    assert_eq!(workshop.run(&mut workshop.without_base(&["--base", &archive])), expected);

    // One of several, by its name and by its digest.
    let digest = expected.manifest["annotations"]["org.opencontainers.image.base.digest"].as_str().unwrap();
    let by_digest = format!("{layout}@{digest}");
    assert_eq!(workshop.run(&mut workshop.without_base(&["--base", &by_digest])), expected);
}

#[test]
fn uncompressed_layers_are_compressed_the_same_way_each_time() {
    let workshop = Workshop::new();
    let layout = Tiny::python().architectures(&["amd64"]).write(&workshop.path("single"));
    let archive = converted(&layout, "docker-archive", workshop.path("docker.tar"));
    let plain = Tiny::python().architectures(&["amd64"]).uncompressed().write(&workshop.path("plain"));
    let compressed = workshop.run(&mut workshop.without_base(&["--base", &layout]));
    let mut seen = Vec::new();
    for base in [&archive, &plain] {
        for more in ["--quiet", "--quiet", "--no-cache"] {
            let image = workshop.run(&mut workshop.without_base(&["--base", base, more]));
            assert_eq!(image.layers[0].form, "tar+gzip");
            assert_eq!(image.layers[0].diff_id, compressed.layers[0].diff_id);
            assert_eq!(image.layers[1..], compressed.layers[1..]);
            seen.push(image.layers[0].digest.clone());
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[test]
fn an_empty_base_has_nothing() {
    let workshop = Workshop::new();
    let image = workshop.run(&mut workshop.without_base(&["--base=scratch", "--python=3.12"]));
    assert_eq!(image.config["architecture"], "amd64");
    let annotations = image.manifest["annotations"].as_object().unwrap();
    assert!(annotations.keys().eq(["dev.pybundle.cache"]), "{annotations:?}");
    assert!(image.layers.iter().all(|layer| !layer.holds.contains("virtual environment")));
    let files = image.layers.iter().flat_map(|layer| &layer.members).map(|member| member.path.as_str());
    assert!(files.clone().any(|path| path == "app/app.py"));
    assert!(files.clone().any(|path| path == "app/.venv/lib/python3.12/site-packages/example_greeting.py"
        || path == "app/.venv/lib/python3.12/site-packages/example_greeting/__init__.py"));
    // That of container engines, which they set only where an image has none.
    let path = "/app/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(image.env("PATH").as_deref(), Some(path));
}

#[test]
fn the_configuration_is_inherited() {
    let workshop = Workshop::new();
    Tiny::python().execution(rich()).write(&workshop.path("base"));
    let image = workshop.build(&["--entrypoint=python app.py", "--expose=8000", "--label=maintainer=me"]);
    let execution = image.execution();
    assert_eq!(execution["User"], "65532:65532");
    assert_eq!(execution["WorkingDir"], "/app");
    assert_eq!(execution["Entrypoint"], json!(["python", "app.py"]));
    // It belonged to the base's entrypoint.
    assert_eq!(execution.get("Cmd"), None);
    assert_eq!(image.env("PATH").unwrap(), "/app/.venv/bin:/usr/local/bin:/bin");
    assert_eq!(image.env("LANG").unwrap(), "C.UTF-8");
    assert_eq!(image.env("PYTHONUNBUFFERED").unwrap(), "1");
    assert_eq!(image.label("maintainer"), "me");
    assert_eq!(image.label("org.opencontainers.image.title"), "example");
    assert_eq!(execution["StopSignal"], "SIGINT");
    assert_eq!(execution["Volumes"], json!({ "/data": {} }));
    assert_eq!(execution["ExposedPorts"], json!({ "53/udp": {}, "8000/tcp": {} }));
    assert_eq!(execution["Healthcheck"], rich()["Healthcheck"]);
    assert_eq!((execution.get("Hostname"), execution.get("OnBuild")), (None, None));
    let history = image.config["history"].as_array().unwrap();
    assert_eq!(history[0], json!({ "created_by": "by hand" }));
    let annotations = &image.manifest["annotations"];
    let manifest = &annotations["org.opencontainers.image.base.digest"];
    let base = fs::read(workshop.path("base/blobs/sha256").join(manifest.as_str().unwrap().replace("sha256:", "")));
    assert!(String::from_utf8(base.unwrap()).unwrap().contains("image.manifest.v1+json"));
    // A path of this machine means nothing elsewhere.
    assert_eq!(annotations.get("org.opencontainers.image.base.name"), None);
}

#[test]
fn an_entrypoint_is_inherited_or_reset_as_the_profile_says() {
    let workshop = Workshop::new();
    Tiny::with_files(&["var/lang/bin/python3.12"]).execution(rich()).write(&workshop.path("base"));
    let lambda = workshop.build(&["--profile=lambda-image", "--cmd=app.handler"]);
    assert_eq!(lambda.execution()["Entrypoint"], json!(["/bin/tini", "--"]));
    assert_eq!(lambda.execution()["Cmd"], json!(["app.handler"]));
    // Lambda chooses the user, so the base's stays.
    assert_eq!(lambda.execution()["User"], "7");
    assert_eq!(lambda.execution()["WorkingDir"], "/var/task");

    let service = workshop.build(&["--cmd=python app.py"]);
    assert_eq!(service.execution().get("Entrypoint"), None);
    assert_eq!(service.execution()["Cmd"], json!(["python", "app.py"]));
    let nothing = workshop.build(&[]);
    assert_eq!((nothing.execution().get("Entrypoint"), nothing.execution().get("Cmd")), (None, None));
}

#[test]
fn a_real_base_without_a_shell_has_python_in_its_layers() {
    let base = bases::distroless();
    let workshop = Workshop::new();
    let argument = format!("--base={}", base.argument());
    let image = workshop.run(&mut workshop.without_base(&[&argument, "--profile=distroless", "--entrypoint=python"]));
    assert_eq!(image.link("app/.venv/bin/python"), format!("/usr/bin/python{}", base.python));
    assert_eq!(image.execution()["Entrypoint"], json!(["python"]));
    // What the search found is known the next time.
    assert_eq!(
        workshop.run(&mut workshop.without_base(&[&argument, "--profile=distroless", "--entrypoint=python"])),
        image
    );
}

#[test]
fn a_base_in_a_project_is_relative_to_it() {
    let workshop = Workshop::new();
    Tiny::with_files(&["usr/bin/python3.11"]).write(&workshop.path("project/images/base"));
    let pyproject = fs::read_to_string(workshop.path("project/pyproject.toml")).unwrap();
    workshop.write("pyproject.toml", format!("{pyproject}\n[tool.pybundle]\nbase = \"oci:images/base\"\n"));
    let image = workshop.run(&mut workshop.without_base(&[]));
    assert_eq!(image.link("app/.venv/bin/python"), "/usr/bin/python3.11");
    // A flag beats it.
    assert_eq!(workshop.build(&[]).link("app/.venv/bin/python"), "/usr/local/bin/python3.12");

    workshop.write("pyproject.toml", format!("{pyproject}\n[tool.pybundle]\nbase = \"Not A Reference\"\n"));
    let said = workshop.fail(&mut workshop.without_base(&[]));
    assert!(said.contains("Not A Reference"), "{said}");
}

#[test]
fn a_missing_or_invalid_base_is_an_error() {
    let workshop = Workshop::new();
    fs::write(workshop.path("text.tar"), "no archive").unwrap();
    fs::create_dir(workshop.path("folder")).unwrap();
    let damaged = workshop.path("damaged");
    Tiny::python().write(&damaged);
    for blob in crate::workshop::listing(&damaged.join("blobs/sha256")) {
        let mut bytes = fs::read(&blob).unwrap();
        bytes[3] ^= 1;
        fs::write(blob, bytes).unwrap();
    }
    for (base, expected) in [
        ("oci:nowhere", "cannot read nowhere"),
        ("oci-archive:nowhere.tar", "cannot read nowhere.tar"),
        ("oci-archive:text.tar", "text.tar is not an OCI layout, an OCI archive or a Docker archive"),
        ("docker-archive:text.tar", "text.tar is not an OCI layout"),
        ("oci:folder", "folder"),
        ("oci:base:other", "other"),
        ("oci:damaged", "should have the digest"),
    ] {
        let said = workshop.fail(&mut workshop.without_base(&["--base", base]));
        assert!(said.contains(expected), "{base}: {said}");
    }
    for wrong in ["", "oci:", "oci:base:", "Not A Reference", "docker.io/", "oci:a@sha256:12"] {
        let run = workshop.without_base(&["--base", wrong]).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{wrong}");
    }
}
