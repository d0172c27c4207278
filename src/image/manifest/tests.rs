use super::*;
use crate::digest::Sha256;
use crate::image::BlobContent;
use crate::image::config::ConfigOverrides;
use crate::image::index::index;
use crate::platform::Architecture::{Arm64, X86_64};

fn layer(bytes: &str) -> Layer {
    let blob = Blob::of_bytes(MediaType::ImageLayerGzip, bytes.as_bytes().to_vec());
    Layer { blob, diff_id: Sha256::of(format!("{bytes} uncompressed").as_bytes()) }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Returns an image with so many labels and annotations that an unordered map would be noticed.
fn some(architecture: crate::platform::Architecture) -> OciImage {
    let mut base = Base::scratch(architecture);
    base.name = Some("docker.io/library/python:3.12-slim".to_owned());
    base.digest = Some(Sha256::of(b"base"));
    let settings = ConfigOverrides {
        user: Some("10001".to_owned()),
        workdir: Some("/app".to_owned()),
        env: vec![("PATH".to_owned(), "/app/.venv/bin".to_owned())],
        entrypoint: Entrypoint::Set(vec!["serve".to_owned()]),
        labels: map(&[("c", "3"), ("a", "1"), ("d", "4"), ("b", "2")]),
        exposed_ports: ["8000".parse().unwrap()].into(),
        ..ConfigOverrides::default()
    };
    let layers = vec![(layer("one"), "six 1.17.0".to_owned()), (layer("two"), "the application".to_owned())];
    image(&base, layers, &settings, &map(&[("z", "1"), ("y", "2"), ("x", "3"), ("w", "4")])).unwrap()
}

fn text(blob: &Blob) -> String {
    let BlobContent::Bytes(bytes) = &blob.content else { panic!("a document is in memory") };
    assert_eq!((blob.digest, blob.size), (Sha256::of(bytes), bytes.len() as u64));
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The documents of an unchanged project must only change for a reason that the changelog states.
#[test]
fn documents_are_these_bytes() {
    let image = some(Arm64);
    let config = concat!(
        r#"{"architecture":"arm64","config":{"Entrypoint":["serve"],"Env":["PATH=/app/.venv/bin"],"#,
        r#""ExposedPorts":{"8000/tcp":{}},"Labels":{"a":"1","b":"2","c":"3","d":"4"},"User":"10001","#,
        r#""WorkingDir":"/app"},"created":"1980-01-01T00:00:00Z","history":[{"comment":"six 1.17.0","#,
        r#""created":"1980-01-01T00:00:00Z","created_by":"pybundle"},{"comment":"the application","#,
        r#""created":"1980-01-01T00:00:00Z","created_by":"pybundle"}],"os":"linux","rootfs":{"diff_ids":["#,
        r#""sha256:8f665fbd6d2f0b101b10c912f243de9c0b3805579f1d544539272bbc4e1ede82","#,
        r#""sha256:eb890245513d272d7e52b237a14daa72c369c233036f0fa780e00e40cfa3fc03"],"type":"layers"},"variant":"v8"}"#,
    );
    assert_eq!(text(&image.config), config);
    let manifest = concat!(
        r#"{"annotations":{"org.opencontainers.image.base.digest":"sha256:cae662172fd450bb0cd710a769079c05bfc5d8e35efa6576edc7d0377afdd4a2","#,
        r#""org.opencontainers.image.base.name":"docker.io/library/python:3.12-slim","w":"4","x":"3","y":"2","z":"1"},"#,
        r#""config":{"digest":"sha256:cb023f32404b2a3fee01d484b9a041734ca5fd910d23dc7acbded8c6cff7eeb7","mediaType":"application/vnd.oci.image.config.v1+json","size":627},"#,
        r#""layers":[{"digest":"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":3},"#,
        r#"{"digest":"sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":3}],"#,
        r#""mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}"#,
    );
    assert_eq!(text(&image.manifest), manifest);
    let index = index(&[some(X86_64), image], &map(&[("k", "v")]));
    let expected = concat!(
        r#"{"annotations":{"k":"v"},"manifests":["#,
        r#"{"digest":"sha256:0d194c8e9c7479ae6792e720986f0eec17561771268ae057ffe15b6096da9ca9","mediaType":"application/vnd.oci.image.manifest.v1+json","#,
        r#""platform":{"architecture":"amd64","os":"linux"},"size":786},"#,
        r#"{"digest":"sha256:f0dcd6e21c238011c0e24b0a96df769a24374f17def2bda4b030a04658a94fd8","mediaType":"application/vnd.oci.image.manifest.v1+json","#,
        r#""platform":{"architecture":"arm64","os":"linux","variant":"v8"},"size":786}],"#,
        r#""mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#,
    );
    assert_eq!(text(&index.manifest), expected);
    assert_eq!(
        index.manifest.digest.to_string(),
        "sha256:31159f10c821ba23227924c46c0daffc41ca727dbff9d9a65f250595d2da7d75"
    );
}

#[test]
fn documents_are_serialised_deterministically() {
    let first = index(&[some(X86_64), some(Arm64)], &map(&[("a", "1"), ("b", "2"), ("c", "3")]));
    for _ in 0..20 {
        let again = index(&[some(X86_64), some(Arm64)], &map(&[("c", "3"), ("b", "2"), ("a", "1")]));
        assert_eq!(digests(&first), digests(&again));
    }
}

fn digests(artifact: &crate::image::OciArtifact) -> Vec<Sha256> {
    artifact.manifests().iter().map(|manifest| manifest.digest).chain(artifact.leaves().into_keys()).collect()
}

#[test]
fn annotations_identify_the_base_unless_they_are_set() {
    let mut base = Base::scratch(X86_64);
    assert_eq!(annotations(&base, &[]), Value::Null);
    base.name = Some("docker.io/library/python:3.12-slim".to_owned());
    base.digest = Some(Sha256::of(b"base"));
    let digest = Sha256::of(b"base").to_string();
    assert_eq!(
        annotations(&base, &[]),
        json!({ BASE_NAME: "docker.io/library/python:3.12-slim", BASE_DIGEST: digest })
    );
    assert_eq!(annotations(&base, &[(BASE_NAME, "mine")]), json!({ BASE_NAME: "mine", BASE_DIGEST: digest }));
}

/// Returns the annotations of an image for which some are set.
fn annotations(base: &Base, set: &[(&str, &str)]) -> Value {
    let layers = vec![(layer("one"), "one".to_owned())];
    let image = image(base, layers, &ConfigOverrides::default(), &map(set)).unwrap();
    let mut manifest: Value = serde_json::from_str(&text(&image.manifest)).unwrap();
    manifest["annotations"].take()
}

#[test]
fn the_number_of_layers_is_limited() {
    fn with_layers(of_base: usize, own: usize) -> Result<OciImage, ImageError> {
        let base = Base { layers: vec![layer("base"); of_base], ..Base::scratch(X86_64) };
        image(&base, vec![(layer("own"), "own".to_owned()); own], &ConfigOverrides::default(), &BTreeMap::new())
    }

    assert_eq!(with_layers(100, 27).unwrap().layers.len(), 127);
    let error = with_layers(100, 28).unwrap_err();
    assert_eq!(error, ImageError::TooManyLayers { base: 100, added: 28 });
    assert_eq!(
        error.to_string(),
        "the image would have 128 layers (100 from its base, 28 added), more than the limit of 127"
    );
    assert_eq!(with_layers(0, 0).unwrap_err(), ImageError::NoLayers);
}

#[test]
fn invalid_settings_are_errors() {
    let workdir = ConfigOverrides { workdir: Some("app".to_owned()), ..ConfigOverrides::default() };
    assert_eq!(error_of(&workdir), ImageError::Workdir("app".to_owned()));
    for (name, value) in [("", "a"), ("A=B", "a"), ("A\0", "a"), ("A", "a\0")] {
        let env = vec![(name.to_owned(), value.to_owned())];
        assert_eq!(error_of(&ConfigOverrides { env, ..ConfigOverrides::default() }), ImageError::Env(name.to_owned()));
    }
    let entrypoint = Entrypoint::Set(vec![]);
    assert_eq!(error_of(&ConfigOverrides { entrypoint, ..ConfigOverrides::default() }), ImageError::Entrypoint);
}

fn error_of(settings: &ConfigOverrides) -> ImageError {
    let layers = vec![(layer("one"), "one".to_owned())];
    image(&Base::scratch(X86_64), layers, settings, &BTreeMap::new()).unwrap_err()
}
