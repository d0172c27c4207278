//! Registries that have lost blobs or manifests to garbage collection, and do not say so.

use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use pybundle::image::BlobContent;
use pybundle::registry::{ImageReference, PushSummary};
use pybundle::report::Silent;

use super::memory::{MemoryRegistry, Profile};
use super::proxy::{Proxy, Trouble};
use super::registries::DockerRegistry;
use super::*;

fn push(artifact: &OciArtifact, to: &ImageReference) -> PushSummary {
    anonymous()
        .push(artifact, std::slice::from_ref(to), &Silent)
        .unwrap_or_else(|error| panic!("{}", message_and_hints(&error).0))
}

/// Returns a layer with one file, as a client unpacks it.
fn gzip_layer(seed: u64, size: usize) -> Blob {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_ustar();
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, format!("file-{seed}"), &*bytes(seed, size)).unwrap();
    Blob::of_bytes(MediaType::ImageLayerGzip, archive.into_inner().unwrap().finish().unwrap())
}

/// Asserts that skopeo, which verifies every digest, pulls all of an artifact.
#[track_caller]
fn assert_pulled(from: &ImageReference) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("skopeo")
        .args(["copy", "--all", "--src-tls-verify=false", &format!("docker://{from}")])
        .arg(format!("oci:{}:app", folder.path().display()))
        .output()
        .unwrap_or_else(|error| panic!("skopeo: {error}; run scripts/setup-tests"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A manifest is deleted, its blobs are collected, and the same image is pushed again: HEAD and mounts find all blobs, and
/// docker-registry 2.8.2 does not even store the manifest.
#[test]
fn a_deleted_and_collected_image_can_be_pushed_again() {
    let server = DockerRegistry::with_debian_storage();
    let app = image("app", vec![gzip_layer(1, 2_000_000), gzip_layer(2, 1000)]);
    let at = reference(&server.host(), "team/app:1");
    push(&app, &at);
    server.delete_manifest("team/app", app.manifest.digest);
    server.collect_garbage(&[]);
    let again = push(&app, &at);
    assert_eq!((again.repositories[0].uploaded.blobs, again.repositories[0].present.blobs), (3, 0));
    assert_pulled(&at);
    assert_complete(&anonymous(), &at, &app);
}

/// The tag is gone, and with it the manifest; an image with the same large layer is pushed to the same tag, to another one and
/// to another repository.
#[test]
fn layers_of_collected_images_are_sent_again() {
    let server = DockerRegistry::with_debian_storage();
    let [at, other, copy] = ["team/app:1", "team/app:2", "team/copy:1"].map(|name| reference(&server.host(), name));
    let large = gzip_layer(1, 2_000_000);
    push(&image("app", vec![large.clone(), gzip_layer(2, 1000)]), &at);
    server.remove_tag("team/app", "1");
    server.collect_garbage(&["--delete-untagged"]);
    let second = image("app", vec![large.clone(), gzip_layer(3, 1000)]);
    let pushed = anonymous().push(&second, &[at.clone(), copy.clone()], &Silent).unwrap();
    assert_eq!(pushed.repositories[0].uploaded.blobs, 3);
    assert_eq!(pushed.repositories[1].mounted.blobs, 3);
    assert_pulled(&at);
    assert_pulled(&copy);
    // With a manifest under the tag, only blobs that it does not list are asked for.
    push(&image("other", vec![gzip_layer(4, 10)]), &other);
    let third = gzip_layer(5, 2_000_000);
    push(&image("third", vec![third.clone()]), &reference(&server.host(), "team/app:3"));
    server.remove_tag("team/app", "3");
    server.collect_garbage(&["--delete-untagged"]);
    push(&image("other", vec![third, gzip_layer(4, 10)]), &other);
    assert_pulled(&other);
}

/// docker-registry 2.8.2 answers 500 to every question about a blob whose link it was killed over, until the blob is sent.
#[test]
fn a_blob_that_the_registry_cannot_look_up_is_sent_again() {
    let mut server = DockerRegistry::anonymous();
    let large = gzip_layer(1, 2_000_000);
    push(&image("app", vec![large.clone()]), &reference(&server.host(), "team/app:1"));
    server.empty_link("team/app", large.digest);
    server.restart(Duration::ZERO);
    let (at, app) = (reference(&server.host(), "team/app:2"), image("second", vec![large, gzip_layer(2, 1000)]));
    push(&app, &at);
    assert_complete(&anonymous(), &at, &app);
}

/// docker-registry 2.8.2 takes the empty file that it was killed over for the manifest, answers 201, and then 500 to every
/// pull.
#[test]
fn a_push_does_not_succeed_without_its_manifest() {
    let server = DockerRegistry::anonymous();
    let proxy = Proxy::before(server.port);
    let apps = [1, 2].map(|seed| image("app", vec![gzip_layer(seed, 1000)]));
    let [at, other] = ["team/app:1", "team/other:1"].map(|name| reference(&proxy.host(), name));
    push(&apps[0], &other);
    let is_manifest = |line: &String| line.starts_with("PUT ") && line.contains("/manifests/");
    let position = proxy.log().iter().position(is_manifest).unwrap();
    server.begin_blob(apps[1].manifest.digest);
    proxy.reset();
    proxy.trouble(position, Trouble::LoseAnswer, 1);
    let error = anonymous().push(&apps[1], std::slice::from_ref(&at), &Silent).unwrap_err();
    let message = message_and_hints(&error).0;
    assert!(message.starts_with("cannot push the manifest of ") && message.contains("returned 500"), "{message}");
    assert!(anonymous().find(&at).is_err());
}

/// A mount of a lost layer is answered with 201.
#[test]
fn mounts_of_lost_layers_are_not_believed() {
    let server = DockerRegistry::with_debian_storage();
    let [base, at] = ["library/base:1", "team/app:1"].map(|name| reference(&server.host(), name));
    let large = gzip_layer(1, 2_000_000);
    push(&image("base", vec![large.clone()]), &base);
    server.remove_tag("library/base", "1");
    server.collect_garbage(&["--delete-untagged"]);
    let mut of_base = large.clone();
    of_base.content = BlobContent::Registry { repository: base.repository_name().into() };
    // Nobody has the layer: that is an error, not an image that cannot be pulled.
    let app = image("app", vec![of_base, gzip_layer(2, 10)]);
    let error = anonymous().push(&app, std::slice::from_ref(&at), &Silent).unwrap_err();
    let expected = format!("cannot push blob {} to {}", large.digest, at.repository_name());
    assert!(message_and_hints(&error).0.starts_with(&expected), "{}", message_and_hints(&error).0);
    assert!(anonymous().find(&at).unwrap().is_none());
    // With the base again, the layer is mounted.
    push(&image("base", vec![large]), &base);
    assert_eq!(push(&app, &at).repositories[0].mounted.blobs, 1);
    assert_pulled(&at);
}

/// `--delete-untagged` leaves an index whose manifests, and their layers, are gone.
#[test]
fn an_index_without_its_manifests_is_pushed_again() {
    let server = DockerRegistry::with_debian_storage();
    let at = reference(&server.host(), "team/app:1");
    let both = index(vec![
        image("amd64", vec![gzip_layer(1, 2_000_000), gzip_layer(2, 10)]),
        image("arm64", vec![gzip_layer(1, 2_000_000), gzip_layer(3, 10)]),
    ]);
    push(&both, &at);
    server.collect_garbage(&["--delete-untagged"]);
    assert_eq!(anonymous().find(&at).unwrap().unwrap().digest, both.manifest.digest);
    push(&both, &at);
    assert_pulled(&at);
    server.collect_garbage(&["--delete-untagged"]);
    let changed = index(vec![both.children[0].clone(), image("arm64", vec![gzip_layer(4, 10)])]);
    push(&changed, &at);
    assert_pulled(&at);
}

/// The requests of pushes in which nothing is lost.
#[test]
fn a_probe_costs_no_more_than_head() {
    let server = DockerRegistry::with_debian_storage();
    let proxy = Proxy::before(server.port);
    let large = gzip_layer(1, 2_000_000);
    push(&image("app", vec![large.clone(), gzip_layer(2, 10)]), &reference(&proxy.host(), "app:1"));
    proxy.reset();
    let second = push(&image("app", vec![large.clone(), gzip_layer(3, 10)]), &reference(&proxy.host(), "app:2"));
    let mut log = proxy.log();
    // The manifest, a probe for each blob, two for each of layer and configuration, the manifest.
    assert_eq!((second.requests, log.len()), (9, 9), "{log:?}");
    log.retain(|line| line.ends_with("/blobs/…"));
    assert!(log.len() == 3 && log.iter().all(|line| line.starts_with("GET ")), "{log:?}");
}

/// The same registry, played: mounts and probes of lost blobs, and a manifest that is not stored.
#[test]
fn a_registry_that_forgets_gets_what_it_lost() {
    let server = MemoryRegistry::start(Profile::Forgetful);
    let both = index(vec![image("amd64", vec![layer(1, 2_000_000)]), image("arm64", vec![layer(2, 10)])]);
    let to = ["team/app:1", "team/copy:1"].map(|name| reference(&server.host(), name));
    anonymous().push(&both, &to, &Silent).unwrap();
    for lost in both.leaves().into_keys().chain(both.manifests().iter().map(|manifest| manifest.digest)) {
        server.lose(lost);
    }
    assert!(anonymous().find(&to[0]).unwrap().is_none());
    anonymous().push(&both, &to, &Silent).unwrap();
    for to in &to {
        assert_complete(&anonymous(), to, &both);
    }
    let leaf = both.children[0].blobs[1].digest;
    server.lose(leaf);
    // What a tagged manifest lists is believed.
    assert_eq!(push(&both, &to[0]).repositories[0].present.blobs, 4);
}

/// A request that came too late or too often says nothing of whether the manifest is stored.
#[test]
fn a_manifest_is_not_taken_for_stored_after_a_passing_status() {
    let server = DockerRegistry::with_debian_storage();
    let proxy = Proxy::before(server.port);
    let app = image("app", vec![gzip_layer(1, 1000)]);
    let at = reference(&proxy.host(), "team/app:1");
    push(&app, &at);
    let mut looked = 0;
    for status in [None, Some(408), Some(425), Some(429), Some(499), Some(500)] {
        server.delete_manifest("team/app", app.manifest.digest);
        server.collect_garbage(&[]);
        proxy.reset();
        if let Some(status) = status {
            proxy.trouble(looked, Trouble::Status(status), 1);
        }
        push(&app, &at);
        let log = proxy.log();
        let sent = log.iter().position(|line| line == "PUT /v2/team/app/manifests/1").unwrap();
        looked = sent + 1;
        assert_eq!(log[looked], "HEAD /v2/team/app/manifests/1", "{log:?}");
        assert_eq!(log[looked] == log[looked + 1], status.is_some(), "{log:?}");
        proxy.reset();
        assert_pulled(&at);
    }
}

#[test]
fn a_blob_is_not_read_to_its_end_to_know_that_it_is_there() {
    let server = MemoryRegistry::start(Profile::NoRanges);
    let large = layer(1, 48 << 20);
    push(&image("app", vec![large.clone()]), &reference(&server.host(), "app:1"));
    let before = server.taken();
    let pushed = push(&image("app", vec![large, layer(2, 10)]), &reference(&server.host(), "app:2"));
    assert_eq!(pushed.repositories[0].present.blobs, 1);
    // The buffers of a connection are smaller.
    assert!(server.taken() - before < 24 << 20, "{} bytes", server.taken() - before);
}

/// Where blobs may be written but not read, the answer to HEAD decides.
#[test]
fn a_token_that_may_only_push_suffices() {
    let server = MemoryRegistry::start(Profile::PushOnly);
    let app = image("app", vec![layer(1, 2_000_000), layer(2, 10)]);
    assert_eq!(push(&app, &reference(&server.host(), "app:1")).repositories[0].uploaded.blobs, 3);
    let second = push(&app, &reference(&server.host(), "app:2"));
    assert_eq!((second.repositories[0].uploaded.blobs, second.repositories[0].present.blobs), (0, 3));
}
