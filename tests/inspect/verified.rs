//! Artifacts without problems pass.

use serde_json::Value;

use crate::artifacts::{artifacts, findings, inspected, verified};
use crate::registries::DockerRegistry;
use crate::support::command::{pybundle, succeed};

#[test]
fn what_was_built_is_as_it_should_be() {
    let artifacts = artifacts();
    let _ = artifacts.function();
    let layer = artifacts.path("small-layer.zip").display().to_string();
    for (artifact, checks) in [
        (artifacts.zip(), &["structure", "content", "headers", "RECORD", "limits"][..]),
        (artifacts.function(), &["structure", "content", "headers", "RECORD", "limits"]),
        (layer, &["structure", "content", "headers", "RECORD", "limits"]),
        (artifacts.image(), &IMAGE),
        (artifacts.zstd(), &IMAGE),
        (artifacts.docker_archive(), &IMAGE),
        (artifacts.oci_archive(), &IMAGE),
        (artifacts.index(), &IMAGE),
    ] {
        let (passed, report, _) = verified(&artifact, &[]);
        assert!(passed, "{artifact}: {:?}", findings(&report));
        let names: Vec<&Value> = report["checks"].as_array().unwrap().iter().map(|check| &check["name"]).collect();
        assert_eq!(names, checks);
        assert_eq!(report["digest"].as_str().unwrap().len(), 71);
    }
    let printed = succeed(&mut pybundle(&["verify", &artifacts.zip()]));
    for line in ["  OK\n", "ok      structure", "ok      RECORD         distributions: 4, files: "] {
        assert!(printed.contains(line), "{printed}");
    }
    let (_, report, _) = verified(&artifacts.index(), &[]);
    assert!(report["checks"][2]["covers"].as_str().unwrap().contains("(linux/arm64"), "{report:#}");
}

const IMAGE: [&str; 7] = ["documents", "blobs", "diff IDs", "configuration", "layers", "RECORD", "limits"];

#[test]
fn an_image_in_a_registry_is_pulled_and_hashed() {
    let artifacts = artifacts();
    let registry = DockerRegistry::anonymous();
    for (name, artifact) in [("one", artifacts.small_image()), ("both", artifacts.index())] {
        let reference = format!("{}/team/{name}:1.0", registry.host());
        succeed(&mut pybundle(&["push", &artifact, &reference]));
        let (passed, report, _) = verified(&reference, &[]);
        assert!(passed, "{:?}", findings(&report));
        assert_eq!(report["digest"], verified(&artifact, &[]).1["digest"]);
        // And it is the same to those who look into it.
        let mut there = inspected(&reference, &[]);
        there["name"] = artifact.clone().into();
        assert_eq!(there, inspected(&artifact, &[]));
    }

    // A layer that the registry has lost its mind about, and one that it has lost.
    let layers = inspected(&artifacts.small_image(), &[])["layers"].clone();
    let digest = |layer: usize| layers[layer]["digest"].as_str().unwrap().to_owned();
    let (flipped, lost) = (digest(2), digest(3));
    let blob = |digest: &str| {
        let hex = digest.trim_start_matches("sha256:");
        registry.folder.path().join(format!("storage/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    };
    let mut bytes = std::fs::read(blob(&flipped)).unwrap();
    bytes[100] ^= 1;
    std::fs::write(blob(&flipped), bytes).unwrap();
    std::fs::remove_file(blob(&lost)).unwrap();
    let reference = format!("{}/team/one:1.0", registry.host());
    let (passed, report, said) = verified(&reference, &[]);
    let found = findings(&report);
    assert!(!passed && said.contains("failed: 2 problems"), "{said}");
    assert!(found[0].starts_with(&format!("blobs: {flipped}")) && found[0].contains("digest"), "{found:#?}");
    assert!(found[1].starts_with(&format!("blobs: {lost}")) && found[1].contains("404"), "{found:#?}");
}

#[test]
fn the_project_gives_the_same_bytes_again() {
    let artifacts = artifacts();
    let project = artifacts.small.path().to_str().unwrap();
    let lambda = ["--runtime=python3.12", "--include=app.py", "--include=bin"];
    let (passed, report, _) = verified(&artifacts.small_zip(), &[&[project][..], &lambda].concat());
    assert!(passed, "{:?}", findings(&report));
    assert_eq!(report["checks"].as_array().unwrap().last().unwrap()["name"], "rebuild");

    let image = artifacts.image_arguments();
    let image: Vec<&str> = std::iter::once(project).chain(image.iter().map(String::as_str)).collect();
    for artifact in [artifacts.small_image(), artifacts.docker_archive()] {
        let (passed, report, _) = verified(&artifact, &image);
        assert!(passed, "{:?}", findings(&report));
    }
    let layer = artifacts.path("small-layer.zip");
    let _ = artifacts.function();
    let with_layer = [&[project][..], &lambda, &["--layer=layer.zip"]].concat();
    for artifact in [artifacts.function(), layer.display().to_string()] {
        assert!(verified(&artifact, &with_layer).0, "{artifact}");
    }

    // With other flags it is another artifact, and what differs is said.
    let (passed, report, said) =
        verified(&artifacts.small_zip(), &[project, "--runtime=python3.12", "--include=app.py"]);
    assert!(!passed && said.contains("failed: 1 problem"), "{said}");
    assert!(findings(&report)[0].starts_with("rebuild: : rebuilding the project results in sha256:"));
    assert_eq!(report["difference"]["files"][0]["path"], "bin/run.sh");
    let run = pybundle(&["verify", &artifacts.small_zip(), project, "--nonsense"]).output().unwrap();
    assert_eq!(run.status.code(), Some(2));
}

#[test]
fn an_artifact_in_its_project_is_no_part_of_what_is_built_again() {
    let project = crate::support::uv::Project::new(&[
        ("pyproject.toml", &artifacts().small.read("pyproject.toml")),
        ("uv.lock", &artifacts().small.read("uv.lock")),
        ("app.py", "def handler(event, context):\n    return 1\n"),
    ]);
    let build = ["lambda", "--runtime=python3.12", "--include=.:.", "--output=out/a b[1].zip"];
    succeed(pybundle(&build).current_dir(project.path()));
    let verify = ["verify", "out/a b[1].zip", ".", "--runtime=python3.12", "--include=.:."];
    let printed = succeed(pybundle(&verify).current_dir(project.path()));
    assert!(printed.contains("ok      rebuild"), "{printed}");
}
