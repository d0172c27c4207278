//! Pushes of layers that are spliced while they are sent.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use oci_spec::image::MediaType;
use pybundle::archive::layer::{LayerTree, gzip};
use pybundle::digest::Sha256;
use pybundle::image::{Blob, BlobContent, OciArtifact};
use pybundle::platform::Scheme;
use pybundle::registry::{Registry, RegistryOptions};
use pybundle::report::Silent;
use pybundle::wheel::{InstallChanges, install};

use super::fault_proxy::{Chaos, FaultProxy};
use super::pushing::{
    anonymous, assert_complete, bytes, image, impatient, layer, message_and_hints, options, reference,
};
use super::registries::DockerRegistry;
use super::support::sample::is_every_case;
use super::support::wheel_with;
use super::wheels::read_wheel;

/// The seed of the faults, unless `PYBUNDLE_CHAOS_SEED` is set.
const SEED: u64 = 20_261_129;

/// Pushes that run at the same time.
const THREADS: usize = 12;

/// Returns a layer that is spliced from a wheel each time it is read. `bytes` is about its size.
fn spliced_layer(directory: &Path, seed: u64, size: usize) -> Blob {
    let path = directory.join(seed.to_string()).join("demo-1.0-py3-none-any.whl");
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, wheel_with("demo", "1.0", &[("demo/data", &bytes(seed, size))])).unwrap();
    let scheme = Scheme {
        site_packages: "lib".to_owned(),
        scripts: "bin".to_owned(),
        headers: "include".to_owned(),
        data: "data".to_owned(),
    };
    let mut tree = LayerTree::default();
    for (path, entry) in install(&read_wheel(&path), &InstallChanges::default(), &scheme, "/usr/bin/python3").unwrap() {
        tree.files.insert(path, entry).unwrap();
    }
    let mut bytes = Vec::new();
    gzip(&tree, &mut bytes).unwrap();
    Blob { content: BlobContent::Layer(Arc::new(tree)), ..Blob::of_bytes(MediaType::ImageLayerGzip, bytes) }
}

/// Pushes images through the proxy, each to its own repository, and asserts that all arrive.
fn push_all(server: &DockerRegistry, proxy: &FaultProxy, milliseconds: u64, images: &[OciArtifact]) {
    let (next, failures) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((number, image)) = take(&next, images) {
                    let registry =
                        Registry::new(RegistryOptions { silence: impatient(milliseconds), ..options([]) }).unwrap();
                    let to = reference(&proxy.host(), &format!("chaos/{number}:1"));
                    if let Err(error) = registry.push(image, std::slice::from_ref(&to), &Silent) {
                        failures.lock().unwrap().push(format!("push {number}: {}", message_and_hints(&error).0));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {} pushes failed:\n{}", failures.len(), images.len(), failures.join("\n"));
    let registry = anonymous();
    for (number, image) in images.iter().enumerate() {
        let at = reference(&server.host(), &format!("chaos/{number}:1"));
        assert_eq!(registry.find(&at).unwrap().unwrap().digest, image.manifest.digest);
        assert_complete(&registry, &at, image);
    }
}

fn take<'a>(next: &AtomicU64, images: &'a [OciArtifact]) -> Option<(u64, &'a OciArtifact)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    Some((number, images.get(number as usize)?))
}

/// Layers are spliced while they are sent. What splices a layer fails when the connection breaks, and that failure must
/// not hide the one of the connection, which is worth another attempt.
#[test]
fn uploads_that_are_reset_are_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let server = DockerRegistry::anonymous();
    let proxy = FaultProxy::before(server.port, Chaos::ResetAfter(300_000));
    let spliced = spliced_layer(directory.path(), 0, 5_000_000);
    let images: Vec<_> = (0..40).map(|number| image("app", vec![spliced.clone(), layer(number, 100)])).collect();
    push_all(&server, &proxy, 20_000, &images);
    assert_eq!(proxy.counts().into_values().sum::<usize>(), images.len());
}

/// Each request of a push is broken once: the failures of one blob, up to four, do not add up to a failed push.
#[test]
fn pushes_survive_chaos() {
    let seed = std::env::var("PYBUNDLE_CHAOS_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("repeat with PYBUNDLE_CHAOS_SEED={seed}");
    let directory = tempfile::tempdir().unwrap();
    let server = DockerRegistry::anonymous();
    let proxy = FaultProxy::before(server.port, Chaos::Random(seed));
    let count = if is_every_case() { 200 } else { 60 };
    let images: Vec<_> = (0..count)
        .map(|number| {
            let spliced = spliced_layer(directory.path(), number, 1_100_000 + 1000 * number as usize);
            image("app", vec![spliced, layer(number, 50_000)])
        })
        .collect();
    let digests: BTreeSet<Sha256> = images.iter().map(|image| image.manifest.digest).collect();
    assert_eq!(digests.len(), images.len());
    push_all(&server, &proxy, 1000, &images);
    let counts = proxy.counts();
    println!("{counts:?}");
    assert!(counts.len() == 6 && counts.values().all(|of_kind| *of_kind > count as usize / 4), "{counts:?}");
}
