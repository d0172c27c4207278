//! Artifacts to push, clients without long pauses, and what a registry has afterwards.

use std::sync::Mutex;
use std::time::Duration;

use oci_spec::image::MediaType;
use pybundle::digest::Sha256;
use pybundle::hints::Hints;
use pybundle::image::{Blob, OciArtifact};
use pybundle::registry::credentials::{Keychain, RegistryLogin};
use pybundle::registry::{ImageReference, Registry, RegistryError, RegistryOptions};
use pybundle::report::{Phase, Reporter};
use pybundle::retry::RetryPolicy;
use pybundle::silence::{NetworkTimeout, SilenceLimits};
use serde_json::{Value, json};

use super::registries::USER;

/// Returns bytes that do not repeat, different ones for each `seed`.
pub fn bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let bytes = std::iter::repeat_with(|| {
        // A generator by Knuth.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    });
    bytes.take(size).collect()
}

pub fn descriptor(blob: &Blob) -> Value {
    json!({"mediaType": blob.media_type.to_string(), "digest": blob.digest.to_string(), "size": blob.size})
}

pub fn layer(seed: u64, size: usize) -> Blob {
    Blob::of_bytes(MediaType::ImageLayerGzip, bytes(seed, size))
}

/// Returns an image with a label `name`.
pub fn image(name: &str, layers: Vec<Blob>) -> OciArtifact {
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.digest.to_string()).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Labels": {"name": name}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let config = Blob::of_bytes(MediaType::ImageConfig, config.to_string().into_bytes());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MediaType::ImageManifest.to_string(), "config": descriptor(&config),
        "layers": layers.iter().map(descriptor).collect::<Vec<_>>(),
    });
    let manifest = Blob::of_bytes(MediaType::ImageManifest, manifest.to_string().into_bytes());
    OciArtifact { manifest, blobs: [vec![config], layers].concat(), children: Vec::new(), referrers: Vec::new() }
}

/// Returns an index.
pub fn index(images: Vec<OciArtifact>) -> OciArtifact {
    let document = json!({
        "schemaVersion": 2, "mediaType": MediaType::ImageIndex.to_string(),
        "manifests": images.iter().map(|image| descriptor(&image.manifest)).collect::<Vec<_>>(),
    });
    let manifest = Blob::of_bytes(MediaType::ImageIndex, document.to_string().into_bytes());
    OciArtifact { manifest, blobs: Vec::new(), children: images, referrers: Vec::new() }
}

/// Options with short pauses.
pub fn options(logins: impl IntoIterator<Item = (String, RegistryLogin)>) -> RegistryOptions {
    RegistryOptions {
        retry: RetryPolicy {
            limit: 3,
            first_pause: Duration::from_millis(4),
            longest_pause: Duration::from_millis(20),
        },
        silence: impatient(20_000),
        ..RegistryOptions::new(Keychain::fixed(logins))
    }
}

/// Returns limits by which one request may be silent for some milliseconds.
pub fn impatient(milliseconds: u64) -> SilenceLimits {
    let request = Duration::from_millis(milliseconds);
    SilenceLimits { request, ..SilenceLimits::of_registry(NetworkTimeout::default()) }
}

pub fn anonymous() -> Registry<'static> {
    Registry::new(options([])).unwrap()
}

pub fn user(host: &str, password: &str) -> (String, RegistryLogin) {
    let login = RegistryLogin::Basic { username: USER.to_owned(), password: password.to_owned().into() };
    (host.to_owned(), login)
}

pub fn reference(host: &str, rest: &str) -> ImageReference {
    format!("{host}/{rest}").parse().unwrap()
}

/// Returns the message of an error with its causes, and its hints.
pub fn message_and_hints(error: &RegistryError) -> (String, String) {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let message: Vec<String> = chain.map(ToString::to_string).collect();
    (message.join(": "), error.hints().join("; "))
}

/// Adds up the progress.
#[derive(Default)]
pub struct ProgressCounter(Mutex<(u64, u64)>);

impl ProgressCounter {
    /// Returns the announced total and the progress.
    pub fn totals(&self) -> (u64, u64) {
        *self.0.lock().unwrap()
    }
}

impl Reporter for ProgressCounter {
    fn start(&self, _: Phase, total: u64) {
        self.0.lock().unwrap().0 += total;
    }

    fn advance(&self, _: Phase, amount: u64) {
        self.0.lock().unwrap().1 += amount;
    }

    fn finish(&self, _: Phase) {}

    fn warn(&self, message: &str) {
        panic!("{message}");
    }
}

/// Asserts that a repository has all of an artifact, by digest.
#[track_caller]
pub fn assert_complete(registry: &Registry<'_>, at: &ImageReference, artifact: &OciArtifact) {
    for manifest in artifact.manifests() {
        let found = registry.manifest(&at.with_digest(manifest.digest)).unwrap();
        assert_eq!((found.digest, found.media_type), (manifest.digest, manifest.media_type.clone()));
    }
    for blob in artifact.leaves().values() {
        let (mut output, progress) = (Vec::new(), ProgressCounter::default());
        registry.blob(at, blob.digest, blob.size, &mut output, &progress).unwrap();
        assert_eq!((Sha256::of(&output), progress.totals().1), (blob.digest, blob.size));
    }
}
