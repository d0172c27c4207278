//! Repeated pushes, from a build and from files.

use serde_json::Value;

use crate::projects::{counts, image, push, tool};
use crate::registries::DockerRegistry;
use crate::skopeo::digest;
use crate::support::bases;

fn requests(report: &Value) -> u64 {
    report["requests"].as_u64().unwrap()
}

#[test]
fn only_what_changed_is_pushed() {
    let registry = DockerRegistry::anonymous();
    let to = format!("{}/team/tool:latest", registry.host());
    let project = tool();
    let base = bases::slim().argument();
    let build = || image(&project, &["--base", &base, "--tag", &to, "--push"]);

    let first = build();
    let layers = first["platforms"][0]["layers"].as_array().unwrap().len() as u64;
    let blobs = first["platforms"][0]["base_layers"].as_u64().unwrap() + layers + 1;
    assert_eq!(counts(&first["pushed"], &to), [blobs, 0, 0]);
    assert_eq!(first["outputs"], Value::Array(Vec::new()));
    assert!(!project.path().join("dist").exists());

    let again = build();
    assert_eq!(again["digest"], first["digest"]);
    assert_eq!(counts(&again["pushed"], &to), [0, 0, blobs]);
    assert_eq!(requests(&again["pushed"]), 1);

    let code = project.read("src/report_tool/__init__.py");
    project.write("src/report_tool/__init__.py", format!("{code}# an edit\n").as_bytes());
    let edited = build();
    assert_ne!(edited["digest"], first["digest"]);
    // The application's layer and the configuration.
    assert_eq!(counts(&edited["pushed"], &to), [2, 0, blobs - 2]);
    assert!(requests(&edited["pushed"]) <= 6, "{}", edited["pushed"]);
    let last = edited["platforms"][0]["layers"].as_array().unwrap().last().unwrap();
    let bytes = edited["pushed"]["tags"][0]["uploaded_bytes"].as_u64().unwrap();
    let of_layer = last["size"].as_u64().unwrap();
    assert!((of_layer + 1..of_layer + 10_000).contains(&bytes), "{bytes} bytes for a layer of {of_layer}");
    assert_eq!(digest(&to), edited["digest"].as_str().unwrap());
}

#[test]
fn every_name_and_every_file_leads_to_one_digest() {
    let registry = DockerRegistry::anonymous();
    let at = |name: &str| format!("{}/{name}", registry.host());
    let directory = tempfile::tempdir().unwrap();
    let files = ["oci", "oci-archive", "docker-archive"]
        .map(|form| format!("{form}:{}", directory.path().join(form).display()));
    let [first, second, other] = ["team/tool:1", "team/tool:latest", "mirror/tool:1"].map(at);
    let names = ["--push", "--tag", &first, "--tag", &second, "--tag", &other];
    let outputs = ["--output", &files[0], "--output", &files[1], "--output", &files[2]];
    let base = bases::slim().argument();
    let report = image(&tool(), &[&["--base", &base][..], &names, &outputs].concat());

    let expected = report["digest"].as_str().unwrap();
    for reference in [&first, &second, &other] {
        assert_eq!(digest(reference), expected);
    }
    // The second repository took everything from the first.
    let [uploaded, _, _] = counts(&report["pushed"], &first);
    assert_eq!(counts(&report["pushed"], &other), [0, uploaded, 0]);
    assert_eq!(report["outputs"], serde_json::json!(files));
    for (file, name) in files.iter().zip(["from/layout:1", "from/archive:1", "from/docker:1"]) {
        // Such files have the names of the image within, too: a path alone says which one is meant.
        let path = file.split_once(':').unwrap().1;
        for (artifact, reference) in [(file.as_str(), at(name)), (path, at(name).replace(":1", ":2"))] {
            let pushed = push(artifact, &[&reference]);
            assert_eq!((&pushed["digest"], digest(&reference).as_str()), (&report["digest"], expected), "{artifact}");
        }
    }
}
