//! The peculiarities of registries that cannot be run here, played by a registry in memory.

use pybundle::image::BlobContent;
use pybundle::registry::Registry;
use pybundle::report::Silent;

use super::memory::{LIMIT, MemoryRegistry, Profile, SIGNATURE};
use super::*;

fn push(
    artifact: &OciArtifact,
    server: &MemoryRegistry,
    to: &str,
) -> Result<pybundle::registry::PushSummary, RegistryError> {
    anonymous().push(artifact, &[reference(&server.host(), to)], &Silent)
}

/// A base, and an application on it for two platforms, with a blob that is larger than any limit.
#[test]
fn images_are_pushed_to_every_kind_of_registry() {
    for profile in Profile::ALL {
        let server = MemoryRegistry::start(profile);
        let base = image("base", vec![layer(1, 2_000_000), layer(2, 5000)]);
        push(&base, &server, "base:1").unwrap_or_else(|error| panic!("{profile:?}: {}", message_and_hints(&error).0));
        let mut layers = vec![layer(1, 2_000_000), layer(2, 5000)];
        for layer in &mut layers {
            layer.content = BlobContent::Registry { repository: format!("{}/base", server.host()).into() };
        }
        let app = |name: &str, seed| {
            image(name, [layers.clone(), vec![layer(seed, 15_000_000), layer(seed + 1, 10)]].concat())
        };
        let both = index(vec![app("amd64", 3), app("arm64", 5)]);
        let progress = ProgressCounter::default();
        let to = [reference(&server.host(), "team/app:1"), reference(&server.host(), "team/app:2")];
        let pushed = anonymous().push(&both, &to, &progress);
        let pushed = pushed.unwrap_or_else(|error| panic!("{profile:?}: {}", message_and_hints(&error).0));
        let done = &pushed.repositories[0];
        let mounts = if matches!(profile, Profile::Ecr | Profile::Harbor) { 0 } else { 2 };
        assert_eq!((done.uploaded.blobs, done.mounted.blobs), (8 - mounts, mounts), "{profile:?}");
        assert_eq!(progress.totals().0, progress.totals().1, "{profile:?}");
        for to in &to {
            assert_complete(&anonymous(), to, &both);
        }
        assert_eq!(push(&both, &server, "team/app:1").unwrap().repositories[0].present.blobs, 8);
    }
}

#[test]
fn an_immutable_tag_may_be_pushed_again_but_not_moved() {
    for profile in [Profile::Ecr, Profile::Immutable] {
        let server = MemoryRegistry::start(profile);
        let (first, second) = (image("first", vec![layer(1, 10)]), image("second", vec![layer(2, 10)]));
        let to = ["app:v1", "app:v2"].map(|to| reference(&server.host(), to));
        anonymous().push(&first, &to, &Silent).unwrap();
        // The first tag is known to point to it; the second is refused, then compared.
        anonymous().push(&first, &to, &Silent).unwrap();
        let error = anonymous().push(&second, &to[..1], &Silent).unwrap_err();
        let (message, hints) = message_and_hints(&error);
        let (present, wanted) = (first.manifest.digest, second.manifest.digest);
        assert_eq!(
            message,
            format!("the tag {} is immutable: it points to {present} and cannot be moved to {wanted}", to[0])
        );
        assert_eq!(hints, "push to another tag");
        anonymous().push(&second, &[reference(&server.host(), "app:v3")], &Silent).unwrap();
    }
}

#[test]
fn a_missing_repository_is_reported() {
    let server = MemoryRegistry::start(Profile::Ecr);
    let error = push(&image("app", vec![layer(1, 10)]), &server, "missing/app:1").unwrap_err();
    assert_eq!(message_and_hints(&error).0, format!("the repository {}/missing/app does not exist", server.host()));
    assert!(message_and_hints(&error).1.contains("create it in the registry"), "{}", message_and_hints(&error).1);
}

/// The blobs of the previous manifest are assumed to exist. If one does not, the registry refuses the new manifest.
#[test]
fn a_garbage_collected_blob_is_sent_again() {
    let server = MemoryRegistry::start(Profile::Plain);
    let (kept, lost) = (layer(1, 3000), layer(2, 2_000_000));
    push(&image("first", vec![kept.clone(), lost.clone()]), &server, "app:1").unwrap();
    server.lose(lost.digest);
    let second = image("second", vec![kept, lost]);
    push(&second, &server, "app:1").unwrap();
    assert_complete(&anonymous(), &reference(&server.host(), "app:1"), &second);
    // The same if the registry refuses a manifest of an index.
    let both = index(vec![image("third", second.blobs[1..].to_vec())]);
    server.lose(second.blobs[2].digest);
    push(&both, &server, "app:1").unwrap();
    assert_complete(&anonymous(), &reference(&server.host(), "app:1"), &both);
}

#[test]
fn a_registry_that_refuses_blobs_in_the_last_request_is_remembered() {
    let server = MemoryRegistry::start(Profile::Artifactory);
    let registry = Registry::new(RegistryOptions { concurrency: 1, ..options([]) }).unwrap();
    let artifact = image("app", vec![layer(1, 10), layer(2, 10), layer(3, 10)]);
    registry.push(&artifact, &[reference(&server.host(), "app:1")], &Silent).unwrap();
    let refused = server.requests().into_iter().filter(|request| {
        request.method() == "PUT" && request.path().contains("uploads") && request.header("content-length") != Some("0")
    });
    assert_eq!(refused.count(), 1);
}

#[test]
fn a_blob_that_is_too_large_for_one_request_is_sent_in_chunks() {
    let server = MemoryRegistry::start(Profile::Limited);
    push(&image("app", vec![layer(1, 15_000_000)]), &server, "app:1").unwrap();
    let patches = server.requests().into_iter().filter(|request| request.method() == "PATCH");
    let ranges: Vec<_> = patches.map(|request| request.header("content-range").map(str::to_owned)).collect();
    let mut ends: Vec<usize> = Vec::new();
    for range in ranges.iter().flatten() {
        let (start, end) = range.split_once('-').unwrap();
        assert_eq!(start.parse::<usize>().unwrap(), ends.last().map_or(0, |end| end + 1));
        ends.push(end.parse().unwrap());
    }
    assert_eq!((ranges[0].as_ref(), ends.last()), (None, Some(&14_999_999)));
    assert!(ends[0] + 1 >= LIMIT - (256 << 10) && ends.len() == 3, "{ranges:?}");
}

#[test]
fn tokens_are_reused_and_cover_mounts() {
    let server = MemoryRegistry::start(Profile::DockerHub);
    let artifact = image("app", vec![layer(1, 10), layer(2, 10)]);
    let to = ["team/app:1", "other/app:1"].map(|to| reference(&server.host(), to));
    anonymous().push(&artifact, &to, &Silent).unwrap();
    let tokens = server.requests().into_iter().filter(|request| request.path() == "/token");
    let scopes: Vec<_> = tokens
        .map(|request| {
            request.target().split_once("scope=").unwrap().1.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",")
        })
        .collect();
    assert_eq!(
        scopes,
        [
            "repository:team/app:pull,push",
            "repository:other/app:pull,push",
            "repository:other/app:pull,push&scope=repository:team/app:pull",
        ]
    );
}

/// No other server gets credentials, and no message shows the URLs of redirects, which are signed.
#[test]
fn credentials_are_sent_to_the_registry_alone() {
    let server = MemoryRegistry::start(Profile::DockerHub);
    let artifact = image("app", vec![layer(1, 2_000_000)]);
    push(&artifact, &server, "team/app:1").unwrap();
    let elsewhere = server.send_blobs_elsewhere();
    elsewhere.take_blobs(&server);
    let at = reference(&server.host(), "team/app:1");
    // The other server asks for a token too, and gets none.
    let blob = &artifact.blobs[1];
    let error = anonymous().blob(&at, blob.digest, blob.size, &mut Vec::new(), &Silent).unwrap_err();
    let (message, _) = message_and_hints(&error);
    assert!(message.contains(&format!("{} returned 401", elsewhere.host())), "{message}");
    assert!(!format!("{message}{error:?}").contains(SIGNATURE), "{message} {error:?}");
    for size in [10, 2_000_000] {
        let error = push(&image("app", vec![layer(2, size)]), &server, "team/other:1").unwrap_err();
        assert!(!format!("{}{error:?}", message_and_hints(&error).0).contains(SIGNATURE), "{error:?}");
    }
    let requests = elsewhere.requests();
    assert!(["GET", "PATCH", "PUT"].iter().all(|method| requests.iter().any(|request| request.method() == *method)));
    assert!(!requests.is_empty() && requests.iter().all(|request| request.header("authorization").is_none()));
    assert!(server.requests().iter().any(|request| request.header("authorization").is_some()));

    let server = MemoryRegistry::start(Profile::Plain);
    push(&artifact, &server, "team/app:1").unwrap();
    let elsewhere = server.send_blobs_elsewhere();
    elsewhere.take_blobs(&server);
    assert_complete(&anonymous(), &reference(&server.host(), "team/app:1"), &artifact);
    assert!(elsewhere.requests().iter().all(|request| request.query("signature").is_some()));
    assert!(!elsewhere.requests().is_empty());
}

/// The registry is on this machine, which may reach more than the registry.
#[test]
fn uploads_are_not_redirected_into_private_networks() {
    for host in ["10.0.0.1:8000", "169.254.169.254", "[fd00::1]:8000"] {
        let server = MemoryRegistry::start(Profile::Plain);
        server.send_blobs_to(host);
        for size in [10, 2_000_000] {
            let error = push(&image("app", vec![layer(1, size)]), &server, "team/app:1").unwrap_err();
            let (message, _) = message_and_hints(&error);
            let expected =
                format!("{} redirected an upload to {host}, a private, loopback or link-local address", server.host());
            assert!(message.contains(&expected), "{message}");
            assert!(!message.contains(SIGNATURE) && !error.is_retryable(), "{message}");
        }
    }
}

/// A file that changes during a push never becomes a blob.
#[test]
fn a_damaged_blob_is_never_completed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layer");
    for size in [5000, 3_000_000] {
        let server = MemoryRegistry::start(Profile::Plain);
        let mut artifact = image("app", vec![layer(1, size)]);
        let mut damaged = bytes(1, size);
        damaged[size - 1] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        artifact.blobs[1].content = BlobContent::File { path: path.clone().into(), offset: 0 };
        let (message, _) = message_and_hints(&push(&artifact, &server, "app:1").unwrap_err());
        let digest = artifact.blobs[1].digest;
        assert!(message.contains(&format!("blob {digest} is damaged")), "{message}");
        assert!(
            server
                .requests()
                .iter()
                .all(|request| request.path() != "/v2/app/manifests/1" || request.method() == "GET")
        );
        let there =
            anonymous().blob(&reference(&server.host(), "app:1"), digest, size as u64, &mut Vec::new(), &Silent);
        assert!(message_and_hints(&there.unwrap_err()).0.contains("404"));
        // The same for a file that is shorter than its descriptor says.
        std::fs::write(&path, &bytes(1, size)[1..]).unwrap();
        assert!(message_and_hints(&push(&artifact, &server, "app:1").unwrap_err()).0.contains("is damaged"));
        std::fs::remove_file(&path).unwrap();
        assert!(message_and_hints(&push(&artifact, &server, "app:1").unwrap_err()).0.contains("cannot read"));
    }
}

#[test]
fn the_digest_in_a_reference_must_match_the_artifact() {
    let server = MemoryRegistry::start(Profile::Plain);
    let artifact = image("app", vec![layer(1, 10)]);
    let to = reference(&server.host(), "app:1");
    let error = anonymous().push(&artifact, &[to.with_digest(Sha256::of(b""))], &Silent).unwrap_err();
    assert!(message_and_hints(&error).0.contains("is not that of the artifact"), "{}", message_and_hints(&error).0);
    assert!(server.requests().is_empty());
    let by_digest = format!("{}/app@{}", server.host(), artifact.manifest.digest).parse().unwrap();
    anonymous().push(&artifact, &[by_digest, to.with_digest(artifact.manifest.digest)], &Silent).unwrap();
    assert_eq!(anonymous().find(&to).unwrap().unwrap().digest, artifact.manifest.digest);
}

/// Answers to HEAD that say nothing, or something wrong, lose no blob.
#[test]
fn blobs_are_sent_although_the_registry_seems_to_have_them() {
    for profile in [Profile::Cdn, Profile::Hopeful] {
        let server = MemoryRegistry::start(profile);
        let artifact = image("app", vec![layer(1, 10), layer(2, 2_000_000)]);
        let at = reference(&server.host(), "team/app:1");
        let first = anonymous().push(&artifact, std::slice::from_ref(&at), &Silent).unwrap();
        assert_eq!(first.repositories[0].uploaded.blobs, 3, "{profile:?}");
        // The next version has one more layer.
        let artifact = image("app", vec![layer(1, 10), layer(2, 2_000_000), layer(3, 2_000_000)]);
        anonymous().push(&artifact, &[at], &Silent).unwrap();
        assert!(server.document("team/app", "1").unwrap()["layers"].as_array().unwrap().len() == 3);
    }
}
