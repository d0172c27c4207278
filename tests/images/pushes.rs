//! Bases in a registry, and images pushed to one.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::built;
use crate::registries::DockerRegistry;
use crate::support::command::{pybundle, succeed};
use crate::tiny::Tiny;
use crate::workshop::Workshop;

/// Copies the workshop's base to a registry with skopeo, and returns its name there.
fn upload(workshop: &Workshop, registry: &DockerRegistry, tag: &str) -> String {
    let name = format!("{}/bases/python:{tag}", registry.host());
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"]);
    skopeo.args(["oci:base", &format!("docker://{name}")]).current_dir(workshop.path(""));
    succeed(&mut skopeo);
    name
}

/// Returns the digest of the base's index, or of its only manifest.
fn digest_of_base(workshop: &Workshop) -> String {
    let index: Value = serde_json::from_slice(&fs::read(workshop.path("base/index.json")).unwrap()).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_base_in_a_registry_gives_the_image_that_the_file_gives_and_its_name() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    let base = upload(&workshop, &registry, "3.12");
    let from_file = workshop.build(&[]);
    let argument = format!("--base={base}");
    let image = workshop.run(&mut workshop.without_base(&[&argument]));
    assert_eq!(image.manifest["annotations"]["org.opencontainers.image.base.name"], base.as_str());
    assert_eq!((&image.config, &image.layers), (&from_file.config, &from_file.layers));

    // What was fetched once is there offline, and the report says what the name stands for.
    let offline = ["--offline", &argument, "--output=oci:out", "--json"];
    drop(registry);
    let report: Value = serde_json::from_str(&succeed(&mut workshop.without_base(&offline))).unwrap();
    assert_eq!(report["digest"], image.digest.as_str());
    assert_eq!(report["base"]["name"], base.as_str());
    assert_eq!(report["base"]["digest"], digest_of_base(&workshop).as_str());
    assert_eq!(report["base"]["pinned"], false);
    let printed = succeed(&mut workshop.without_base(&offline[..3]));
    assert!(printed.contains(&format!("{base}, currently {}; ", digest_of_base(&workshop))), "{printed}");
}

#[test]
fn the_digest_is_the_same_pushed_and_written() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    let base = format!("--base={}", upload(&workshop, &registry, "3.12"));
    for (platforms, name) in [("linux/amd64", "one"), ("linux/amd64,linux/arm64", "both")] {
        let tag = format!("{}/team/{name}:1.0", registry.host());
        let arguments = [&base, "--platform", platforms, "--tag", &tag, "--push"];
        let pushed = succeed(workshop.without_base(&arguments).arg("--json"));
        let pushed: Value = serde_json::from_str(&pushed).unwrap();
        assert_eq!(pushed["outputs"], serde_json::json!([]));
        let reference = pushed["pushed"]["tags"][0]["reference"].as_str().unwrap();
        assert_eq!(reference, format!("{tag}@{}", pushed["digest"].as_str().unwrap()));

        let (_place, layout) = workshop.layout(&mut workshop.without_base(&arguments[..3]));
        let top: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        assert_eq!(top["manifests"][0]["digest"], pushed["digest"]);
        // What was built before is pushed under another name.
        let other = format!("{}/team/{name}:again", registry.host());
        let again =
            succeed(pybundle(&["push", layout.to_str().unwrap(), &other, "--json"]).env("DOCKER_CONFIG", "/none"));
        let again: Value = serde_json::from_str(&again).unwrap();
        assert_eq!(again["digest"], pushed["digest"]);
        assert_eq!(again["tags"][0]["uploaded_bytes"], 0);
    }
    let tag = format!("--tag={}/team/other:1.0", registry.host());
    let printed = succeed(&mut workshop.without_base(&[&base, &tag, "--push"]));
    // The base's layer is where the base is.
    assert!(
        printed.contains("/team/other:1.0: of 6 blobs, 5 uploaded (") && printed.contains(", 1 mounted\n"),
        "{printed}"
    );
    assert!(printed.contains("deploy ") && !printed.contains("wrote"), "{printed}");
    let copied = workshop.path("copied");
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--quiet", "--preserve-digests", "--src-tls-verify=false"]);
    skopeo.arg(format!("docker://{}/team/one:1.0", registry.host())).arg(format!("oci:{}", copied.display()));
    succeed(&mut skopeo);
    let image = workshop.run(&mut workshop.without_base(&[&base]));
    assert_eq!(built::image(&copied), image);
}

#[test]
fn a_base_is_pinned_where_it_is_configured() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    let base = upload(&workshop, &registry, "3.12");
    let pyproject = fs::read_to_string(workshop.path("project/pyproject.toml")).unwrap();
    let pinned = |digest: &str| format!("{base}@{digest}");
    for (before, after) in [
        ("\n[tool.pybundle]\nbase = 'BASE'  # ours\n", "\n[tool.pybundle]\nbase = \"BASE\"  # ours\n"),
        ("\n[tool]\npybundle = { base = \"BASE\" }\n", "\n[tool]\npybundle = { base = \"BASE\" }\n"),
        ("\ntool.pybundle.base = \"BASE\"\n", "\ntool.pybundle.base = \"BASE\"\n"),
    ] {
        // The last form belongs before the first table, and a table `tool` must not be there twice.
        let pyproject = &pyproject[..pyproject.find("[[tool.uv.index]]").unwrap()];
        let with = |text: &str| match text.starts_with("\ntool") {
            true => format!("{}\n{pyproject}", text.trim_start()),
            false => format!("{pyproject}{text}"),
        };
        workshop.write("pyproject.toml", with(&before.replace("BASE", &base)));
        let report = succeed(&mut workshop.without_base(&["--pin", "--json", "--frozen"]));
        let report: Value = serde_json::from_str(&report).unwrap();
        let digest = digest_of_base(&workshop);
        assert_eq!(report["pinned"], pinned(&digest));
        let written = fs::read_to_string(workshop.path("project/pyproject.toml")).unwrap();
        assert_eq!(written, with(&after.replace("BASE", &pinned(&digest))));
    }
    let report = workshop_report(&workshop);
    assert_eq!(report["base"]["pinned"], true);
    assert_eq!(report["base"]["digest"], digest_of_base(&workshop).as_str());

    // The tag moves on: the pinned base stays until it is pinned anew.
    let old = digest_of_base(&workshop);
    Tiny::with_files(&["usr/local/bin/python3.12", "new"]).write(&workshop.path("base"));
    assert_eq!(upload(&workshop, &registry, "3.12"), base);
    assert_eq!(workshop_report(&workshop)["base"]["digest"], old.as_str());
    let printed = succeed(&mut workshop.without_base(&["--pin", "--frozen"]));
    assert!(printed.contains(&pinned(&digest_of_base(&workshop))) && printed.contains("pyproject.toml"), "{printed}");
    assert_eq!(workshop_report(&workshop)["base"]["digest"], digest_of_base(&workshop).as_str());
}

fn workshop_report(workshop: &Workshop) -> Value {
    let mut command = workshop.without_base(&["--frozen", "--output=oci:out", "--json"]);
    serde_json::from_str(&succeed(&mut command)).unwrap()
}

#[test]
fn a_base_is_pinned_in_a_custom_profile() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    let base = upload(&workshop, &registry, "3.12");
    let service = succeed(&mut pybundle(&["profile", "show", "service"]));
    let of = |base: &str| service.replace("docker.io/library/python:{python}-slim", base);
    fs::write(workshop.path("mine.toml"), of(&base)).unwrap();
    succeed(&mut workshop.without_base(&["--pin", "--profile=./mine.toml"]));
    let written = fs::read_to_string(workshop.path("mine.toml")).unwrap();
    assert_eq!(written, of(&format!("{base}@{}", digest_of_base(&workshop))));

    // One digest is not for every version of Python.
    fs::write(workshop.path("mine.toml"), &service).unwrap();
    let said = workshop.fail(&mut workshop.without_base(&["--pin", "--profile=./mine.toml"]));
    assert!(said.contains("python:{python}-slim`: it does not name an image by its tag"), "{said}");
}

#[test]
fn a_base_that_is_missing_from_the_registry_is_an_error() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    let name = format!("{}/bases/python:3.99", registry.host());
    let said = workshop.fail(&mut workshop.without_base(&["--base", &name]));
    assert!(
        said.contains(&format!("base image {name} does not exist")) && said.contains("hint: choose another base image"),
        "{said}"
    );
    let (host, _) = name.split_once('/').unwrap();
    let nobody = format!("--base={}/python:1", host.replace(&registry.port.to_string(), "9"));
    let said = workshop.fail(&mut workshop.without_base(&[&nobody]));
    assert!(said.contains("127.0.0.1:9"), "{said}");
}

#[test]
fn a_damaged_base_in_the_cache_is_downloaded_again() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    let base = format!("--base={}", upload(&workshop, &registry, "3.12"));
    let build = || {
        let _ = fs::remove_dir_all(workshop.path("out"));
        let output = workshop.without_base(&[&base, "--output=oci:out"]).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(build().0);
    let expected = built::image(&workshop.path("out"));
    let mut noticed = 0;
    for directory in fs::read_dir(workshop.path("cache/v1/blobs")).unwrap() {
        for entry in fs::read_dir(directory.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            let intact = fs::read(&path).unwrap();
            let mut damaged = intact.clone();
            damaged[intact.len() / 2] ^= 4;
            fs::write(&path, damaged).unwrap();
            let (is_built, said) = build();
            assert!(is_built && built::image(&workshop.path("out")) == expected, "{}: {said}", path.display());
            noticed += usize::from(said.contains(&format!("warning: {} was damaged", path.display())));
            assert!(fs::read(&path).unwrap() == intact, "{} is still damaged", path.display());
        }
    }
    // The configuration and the layer; a damaged manifest is replaced at once.
    assert_eq!(noticed, 2);
}
