//! SBOMs and provenance statements in OCI layouts and archives, and beside Docker archives.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::artifact::sha256;
use crate::support::command::succeed;
use crate::support::schema::assert_valid;
use crate::workshop::Workshop;
use crate::{json, judge};

/// Returns the documents that the referrers in a layout refer to, with their artifact types.
fn documents(layout: &std::path::Path) -> Vec<(String, Value)> {
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        json(layout.join("blobs").join(digest.replace(':', "/")))
    };
    let index = json(layout.join("index.json"));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1, "several manifests: {index}");
    let referrers = json(layout.join("referrers.json"));
    let referrers = referrers["manifests"].as_array().unwrap().iter();
    referrers
        .map(|found| (found["artifactType"].as_str().unwrap().to_owned(), blob(&blob(found)["layers"][0])))
        .collect()
}

#[test]
fn a_layout_contains_the_documents_beside_its_image() {
    let workshop = Workshop::new();
    let layout = workshop.path("layout");
    let output = format!("--output=oci:{}", layout.display());
    let named = ["--tag=shop:1", &output];
    let plain = workshop.report(&named);
    assert_eq!(json(layout.join("index.json"))["manifests"].as_array().unwrap().len(), 1);
    let mut cases = Vec::new();
    for form in ["cyclonedx", "spdx"] {
        let report = workshop.report(&[&named[..], &["--provenance", "--sbom", form]].concat());
        assert_eq!(report["digest"], plain["digest"]);
        assert_eq!(report["documents"][0]["paths"], json!([]));
        // The layout and its index, the manifest and the configuration, the list of referrers and those.
        assert_eq!(assert_valid(&layout), 7);
        for (position, (media_type, document)) in documents(&layout).into_iter().enumerate() {
            assert_eq!(report["documents"][position]["media_type"], media_type);
            let key = if media_type.contains("in-toto") { "provenance" } else { form };
            let path = workshop.path(&format!("{form}-{position}.{key}.json").replace(".spdx.json", ".doc.spdx.json"));
            fs::write(&path, document.to_string()).unwrap();
            cases.push(json!({ key: path }));
            // The base in the documents is that of the image.
            let base = json(workshop.path("base/index.json"))["manifests"][0]["digest"].clone();
            let image = json(layout.join("blobs").join(plain["digest"].as_str().unwrap().replace(':', "/")));
            let stated = &image["annotations"]["org.opencontainers.image.base.digest"];
            assert!(document.to_string().contains(&stated.as_str().unwrap()[7..]), "{base} {document}");
        }
    }
    assert_eq!(judge(&cases), Ok(4));

    // Other tools still find the image by its name.
    let named = format!("oci:{}:1", layout.display());
    let mut skopeo = Command::new("skopeo");
    assert!(succeed(skopeo.args(["inspect", &named])).contains(plain["digest"].as_str().unwrap()));
    let copied = workshop.path("copied");
    let mut skopeo = Command::new("skopeo");
    succeed(skopeo.args(["--insecure-policy", "copy", "--quiet", &named, &format!("oci:{}:1", copied.display())]));
    assert_eq!(json(copied.join("index.json"))["manifests"][0]["digest"], plain["digest"]);
    // And the layout can still be used as a base by its path.
    let base = format!("--base=oci:{}", layout.display());
    let over = workshop.path("over");
    succeed(&mut workshop.without_base(&[&base, "--output", &format!("oci:{}", over.display())]));
}

#[test]
fn a_docker_archive_has_the_documents_beside_it() {
    let workshop = Workshop::new();
    let (docker, oci) = (workshop.path("docker.tar"), workshop.path("oci.tar"));
    let outputs =
        [format!("--output=docker-archive:{}", docker.display()), format!("--output=oci-archive:{}", oci.display())];
    let build =
        |arguments: &[&str]| workshop.report(&[&["--tag=shop:1", &outputs[0], &outputs[1]], arguments].concat());
    build(&[]);
    let plain = fs::read(&docker).unwrap();
    let report = build(&["--sbom=cyclonedx", "--provenance"]);
    assert!(fs::read(&docker).unwrap() == plain, "the archive differs");
    for (position, end) in ["cdx.json", "provenance.json"].iter().enumerate() {
        let path = workshop.path(&format!("docker.tar.{end}"));
        let document = &report["documents"][position];
        assert_eq!(document["paths"], json!([path]));
        assert_eq!(document["digest"], format!("sha256:{}", sha256(&fs::read(&path).unwrap())));
        assert!(!workshop.path(&format!("oci.tar.{end}")).exists());
    }
    let unpacked = workshop.path("unpacked");
    fs::create_dir(&unpacked).unwrap();
    succeed(Command::new("tar").arg("-xf").arg(&oci).arg("-C").arg(&unpacked));
    assert_eq!(documents(&unpacked).len(), 2);
    assert_eq!(documents(&unpacked)[0].1, json(workshop.path("docker.tar.cdx.json")));
    let page = succeed(&mut workshop.command(&["--tag=shop:1", &outputs[0], "--sbom=cyclonedx"]));
    let line = page.lines().find(|line| line.starts_with("  sbom ")).unwrap();
    assert!(
        line.starts_with("  sbom      CycloneDX, amd64, sha256:") && line.ends_with("docker.tar.cdx.json"),
        "{line}"
    );
}

/// Equal inputs give equal documents and layouts, with any directory, cache and number of threads.
#[test]
fn equal_images_have_equal_documents() {
    let layouts = ["1", "3"].map(|threads| {
        let workshop = Workshop::new();
        let mut command = workshop.command(&["--sbom=spdx", "--provenance", "--platform=linux/amd64,linux/arm64"]);
        let (place, layout) = workshop.layout(command.env("RAYON_NUM_THREADS", threads));
        let found = (fs::read(layout.join("index.json")).unwrap(), documents(&layout));
        drop(place);
        found
    });
    assert_eq!(layouts[0].1.len(), 4);
    assert!(layouts[0] == layouts[1], "the documents differ");
}
