//! Failures of each request of a push and of a pull, injected by a proxy in front of a real registry.

use pybundle::registry::{Registry, RegistryError};
use pybundle::report::Silent;

use super::proxy::{Proxy, Trouble};
use super::registries::{DockerRegistry, PASSWORD};
use super::support::sample::is_tried;
use super::*;

/// A client without concurrency, so that each request has a fixed position.
fn client(proxy: &Proxy) -> Registry<'static> {
    let options = RegistryOptions { concurrency: 1, ..options([user(&proxy.host(), PASSWORD)]) };
    Registry::new(options).unwrap()
}

fn artifact() -> OciArtifact {
    image("app", vec![layer(1, 1_100_000), layer(2, 5000)])
}

/// Asserts that the tag points to the artifact, which is complete.
fn assert_tag_is_complete(server: &DockerRegistry, repository: &str, artifact: &OciArtifact) {
    let registry = Registry::new(options([user(&server.host(), PASSWORD)])).unwrap();
    let at = reference(&server.host(), &format!("{repository}:1"));
    assert_eq!(registry.find(&at).unwrap().unwrap().digest, artifact.manifest.digest);
    assert_complete(&registry, &at, artifact);
}

fn assert_readable(error: &RegistryError) {
    let (message, _) = message_and_hints(error);
    assert!(message.starts_with("cannot ") && message.contains(": "), "{message}");
    assert!(
        !format!("{message}{error:?}").contains("_state="),
        "the URL of an upload session is shown: {message} {error:?}"
    );
}

/// Pushes with each kind of failure at each request. Transient ones are survived. Lasting ones are reported, and leave
/// either no tag or a complete artifact.
fn push_with_failures(server: &DockerRegistry, count: usize) {
    let proxy = Proxy::before(server.port);
    let artifact = artifact();
    let mut pushes = 0;
    for (series, trouble) in Trouble::ALL.into_iter().enumerate() {
        for position in (0..).filter(|position| is_tried(position + series, 3)) {
            pushes += 1;
            let repository = format!("app-{pushes}");
            let to = [reference(&proxy.host(), &format!("{repository}:1"))];
            proxy.trouble(position, trouble, count);
            let progress = ProgressCounter::default();
            let result = client(&proxy).push(&artifact, &to, &progress);
            let requests = proxy.requests().len();
            match result {
                Ok(pushed) => {
                    assert_eq!(pushed.digest, artifact.manifest.digest);
                    assert_eq!(progress.totals().0, progress.totals().1, "{trouble:?} at {position}");
                    assert_tag_is_complete(server, &repository, &artifact);
                }
                Err(error) if count == 1 => panic!("{trouble:?} at {position}: {}", message_and_hints(&error).0),
                Err(error) => {
                    assert_readable(&error);
                    assert!(progress.totals().1 <= progress.totals().0, "{trouble:?} at {position}");
                    // If only the last response was lost, the push is complete.
                    let is_lost = matches!(trouble, Trouble::LoseAnswer | Trouble::CutAnswer);
                    match server.tags(&repository).is_empty() {
                        false if is_lost => assert_tag_is_complete(server, &repository, &artifact),
                        // The manifest is altered at each attempt, and still a valid manifest.
                        false if trouble == Trouble::FlipRequest => {
                            assert!(message_and_hints(&error).0.contains(" sent data with the digest "))
                        }
                        is_empty => assert!(is_empty, "{trouble:?} at {position} leaves a tag"),
                    }
                }
            }
            // A slow connection is slow at all positions.
            if requests <= position || (count > 1 && trouble == Trouble::Slow) {
                break;
            }
        }
    }
    assert!(pushes > 11 * 3, "{pushes}");
}

#[test]
fn pushes_survive_transient_failures() {
    push_with_failures(&DockerRegistry::anonymous(), 1);
}

#[test]
fn pushes_with_tokens_survive_transient_failures() {
    push_with_failures(&DockerRegistry::with_tokens(300), 1);
}

#[test]
fn pushes_with_lasting_failures_leave_no_tag() {
    push_with_failures(&DockerRegistry::with_tokens(300), usize::MAX / 2);
}

#[test]
fn failures_of_the_token_server_are_survived() {
    let server = DockerRegistry::with_tokens(300);
    let proxy = Proxy::before(server.port);
    for (at, trouble) in Trouble::ALL.into_iter().enumerate().filter(|(_, trouble)| *trouble != Trouble::Expire) {
        let repository = format!("app-{at}");
        server.token_proxy().trouble(0, trouble, 1);
        let result = client(&proxy).push(&artifact(), &[reference(&proxy.host(), &format!("{repository}:1"))], &Silent);
        match result {
            // The altered token is well-formed but invalid, and the next one, issued in the same second, is equal.
            Err(error) if trouble == Trouble::FlipAnswer => {
                assert!(message_and_hints(&error).0.contains("401"), "{}", message_and_hints(&error).0)
            }
            result => assert_eq!(result.unwrap().digest, artifact().manifest.digest),
        }
    }
    server.token_proxy().trouble(0, Trouble::Status(503), 1000);
    let error = client(&proxy).push(&artifact(), &[reference(&proxy.host(), "x:1")], &Silent).unwrap_err();
    let (message, _) = message_and_hints(&error);
    assert!(
        message
            .ends_with(&format!("{} returned 503 Service Unavailable: try again later", server.token_proxy().host())),
        "{message}"
    );
    assert!(error.is_retryable());
}

#[test]
fn pulls_survive_failures_and_detect_altered_bytes() {
    let server = DockerRegistry::with_tokens(300);
    let proxy = Proxy::before(server.port);
    let artifact = artifact();
    let at = reference(&proxy.host(), "app:1");
    client(&proxy).push(&artifact, std::slice::from_ref(&at), &Silent).unwrap();
    let blob = &artifact.blobs[1];
    for trouble in Trouble::ALL {
        for position in 0..6 {
            proxy.trouble(position, trouble, 1);
            let registry = client(&proxy);
            assert_eq!(registry.find(&at).unwrap().unwrap().digest, artifact.manifest.digest);
            assert_eq!(registry.manifest(&at).unwrap().digest, artifact.manifest.digest);
            let (mut output, progress) = (Vec::new(), ProgressCounter::default());
            let pulled = registry.blob(&at, blob.digest, blob.size, &mut output, &progress);
            let is_altered = Sha256::of(&output) != blob.digest;
            assert_eq!(pulled.is_err(), is_altered, "{trouble:?} at {position}");
            assert_eq!(progress.totals().1, blob.size, "{trouble:?} at {position}");
            match pulled {
                Ok(()) => assert!(output.len() as u64 == blob.size),
                Err(error) => {
                    assert_eq!(trouble, Trouble::FlipAnswer);
                    assert!(
                        message_and_hints(&error).0.contains(&format!("expected {}", blob.digest)),
                        "{}",
                        message_and_hints(&error).0
                    );
                }
            }
        }
    }
}

/// Failures do not count as long as there is a mebibyte of progress between them.
#[test]
fn interrupted_downloads_are_resumed() {
    let server = DockerRegistry::anonymous();
    let proxy = Proxy::before(server.port);
    let artifact = image("app", vec![layer(1, 40_000_000)]);
    let at = reference(&server.host(), "app:1");
    anonymous().push(&artifact, std::slice::from_ref(&at), &Silent).unwrap();
    let (blob, mut output) = (&artifact.blobs[1], Vec::new());
    proxy.trouble(0, Trouble::CutAnswer, 5);
    let at = reference(&proxy.host(), "app:1");
    anonymous().blob(&at, blob.digest, blob.size, &mut output, &Silent).unwrap();
    assert_eq!(Sha256::of(&output), blob.digest);
    let ranges: Vec<_> = proxy.requests().iter().map(|request| request.header("range").map(str::to_owned)).collect();
    assert_eq!((ranges.len(), &ranges[0]), (6, &None));
    assert!(ranges[1..].iter().all(Option::is_some), "{ranges:?}");
}

#[test]
fn a_registry_that_does_not_respond_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let retry = RetryPolicy { limit: 0, ..options([]).retry };
    let registry = Registry::new(RegistryOptions { retry, silence: impatient(400), ..options([]) }).unwrap();
    let (message, hints) = message_and_hints(&registry.manifest(&reference(&host, "app:1")).unwrap_err());
    assert!(message.contains(&format!("the connection to {host} stalled for")), "{message}");
    assert!(!hints.is_empty());
    drop(listener);
    let (message, hints) = message_and_hints(&registry.manifest(&reference(&host, "app:1")).unwrap_err());
    assert!(message.contains(&format!("the connection to {host} failed")), "{message}");
    assert!(hints.contains("check that a registry is running on"), "{hints}");
}
