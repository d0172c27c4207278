//! Layers that are compressed with zstd. Not every engine reads them; skopeo does.

use serde_json::Value;

use crate::projects::{image, tool};
use crate::registries::DockerRegistry;
use crate::skopeo::{digest, pull, skopeo};
use crate::support::artifact::sha256;
use crate::support::bases;
use crate::support::schema::assert_valid;

/// Returns the values of a key of all layers that pybundle made.
fn layers<'a>(report: &'a Value, key: &str) -> Vec<&'a str> {
    let layers = report["platforms"][0]["layers"].as_array().unwrap().iter();
    layers.map(|layer| layer[key].as_str().unwrap()).collect()
}

#[test]
fn zstd_layers_hold_what_gzip_layers_hold() {
    let registry = DockerRegistry::anonymous();
    let directory = tempfile::tempdir().unwrap();
    let (project, base) = (tool(), bases::slim().argument());
    let [to, zipped] = ["zstd", "gzip"].map(|tag| format!("{}/team/tool:{tag}", registry.host()));
    let [zstd, gzip] = [("zstd", &to), ("gzip", &zipped)]
        .map(|(method, to)| image(&project, &["--base", &base, "--compression", method, "--tag", to, "--push"]));
    assert_eq!(layers(&zstd, "diff_id"), layers(&gzip, "diff_id"));
    assert_eq!(digest(&to), zstd["digest"].as_str().unwrap());

    // The layout and its index, the manifest and the configuration.
    let layout = pull(&to, directory.path());
    assert_eq!(assert_valid(&layout), 4);
    let source = format!("oci:{}:pulled", layout.display());
    let manifest: Value = serde_json::from_str(&skopeo(&["inspect", "--raw", &source])).unwrap();
    let types = manifest["layers"].as_array().unwrap().iter().map(|layer| layer["mediaType"].as_str().unwrap());
    let types: Vec<_> = types.skip(zstd["platforms"][0]["base_layers"].as_u64().unwrap() as usize).collect();
    assert_eq!(types, vec!["application/vnd.oci.image.layer.v1.tar+zstd"; layers(&zstd, "digest").len()]);

    // skopeo names what it decompressed by its digest, which is the diff ID.
    let plain = directory.path().join("plain");
    skopeo(&["copy", "--quiet", "--dest-decompress", &source, &format!("dir:{}", plain.display())]);
    for diff_id in layers(&zstd, "diff_id") {
        let hexadecimal = diff_id.strip_prefix("sha256:").unwrap();
        assert_eq!(sha256(&std::fs::read(plain.join(hexadecimal)).unwrap()), hexadecimal);
    }
}
