//! Images of several platforms under one name.

use serde_json::{Value, json};

use crate::projects::{counts, image, publish, tool};
use crate::registries::DockerRegistry;
use crate::skopeo::{digest, pull, skopeo};
use crate::support::bases::{self, other_platform, platform};
use crate::support::command::succeed;
use crate::support::docker::docker;
use crate::support::sandbox::Sandbox;
use crate::support::schema::assert_valid;

/// Asserts that the tool ran.
fn assert_ran(printed: &str) {
    let facts: Value = serde_json::from_str(printed).unwrap();
    assert_eq!((&facts["compiled"], &facts["user"]), (&json!([14, 3]), &json!([65532, 65532])));
}

/// The base is in the registry that the image goes to, so its blobs are mounted; then, in another one, they are passed on.
#[test]
fn several_platforms_go_to_registries_and_back() {
    let [registry, other] = [DockerRegistry::anonymous(), DockerRegistry::anonymous()];
    let base = publish(&bases::multi(), &registry, "library/python:3-slim");
    let [here, there] = [&registry, &other].map(|registry| format!("{}/team/tool:1", registry.host()));
    let platforms = format!("{},{}", platform(), other_platform());
    let project = tool();
    let common = ["--platform", &platforms, "--base", &base, "--push"];

    let report = image(&project, &[&common[..], &["--tag", &here]].concat());
    assert_eq!(report["media_type"], "application/vnd.oci.image.index.v1+json");
    let images = report["platforms"].as_array().unwrap();
    let of_base: u64 = images.iter().map(|image| image["base_layers"].as_u64().unwrap()).sum();
    // The layers that do not depend on the platform are one blob; each platform has a configuration.
    let layers = images.iter().flat_map(|image| image["layers"].as_array().unwrap());
    let mut own: Vec<_> = layers.map(|layer| layer["digest"].as_str().unwrap()).collect();
    own.sort_unstable();
    own.dedup();
    let own = own.len() as u64 + 2;
    assert_eq!(counts(&report["pushed"], &here), [own, of_base, 0]);
    let elsewhere = image(&project, &[&common[..], &["--tag", &there]].concat());
    assert_eq!(elsewhere["digest"], report["digest"]);
    assert_eq!(counts(&elsewhere["pushed"], &there), [own + of_base, 0, 0]);

    let expected = report["digest"].as_str().unwrap();
    let deployed = &report["pushed"]["tags"][0]["reference"];
    assert_eq!(*deployed, format!("{here}@{expected}"));
    for reference in [&here, &there] {
        assert_eq!(digest(reference), expected);
        let directory = tempfile::tempdir().unwrap();
        let layout = pull(reference, directory.path());
        // The layout and its index, the index, two manifests and two configurations.
        assert_eq!(assert_valid(&layout), 7);
        let raw = skopeo(&["inspect", "--raw", &format!("oci:{}:pulled", layout.display())]);
        let index: Value = serde_json::from_str(&raw).unwrap();
        let manifests = index["manifests"].as_array().unwrap().iter();
        let platforms = manifests.map(|entry| format!("linux/{}", entry["platform"]["architecture"].as_str().unwrap()));
        assert_eq!(platforms.collect::<Vec<_>>(), [platform(), other_platform()]);
        if *reference == here {
            assert_ran(&succeed(&mut Sandbox::unpack_tag(&layout, "pulled").run(&[])));
        }
    }
    let deployed = deployed.as_str().unwrap();
    docker().pull(deployed);
    assert_ran(&succeed(&mut docker().run(deployed, &[], &[])));
}
