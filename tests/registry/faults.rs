//! Every request of a push and of a pull gets into trouble in turn, before a real registry.

use std::time::Duration;

use pybundle::registry::{Registry, RegistryError};
use pybundle::report::Silent;

use super::proxy::{Proxy, Trouble};
use super::registries::{DockerRegistry, PASSWORD};
use super::*;

/// A client that sends one request after the other, so that each has its position.
fn client(proxy: &Proxy) -> Registry {
    let options = RegistryOptions { concurrency: 1, ..options([user(&proxy.host(), PASSWORD)]) };
    Registry::new(options).unwrap()
}

fn artifact() -> OciArtifact {
    image("app", vec![layer(1, 1_100_000), layer(2, 5000)])
}

/// Asserts that a tag, if there is one, names the artifact, and that all of it is there.
fn assert_whole(server: &DockerRegistry, repository: &str, artifact: &OciArtifact) {
    let registry = Registry::new(options([user(&server.host(), PASSWORD)])).unwrap();
    let at = reference(&server.host(), &format!("{repository}:1"));
    assert_eq!(registry.find(&at).unwrap().unwrap().digest, artifact.manifest.digest);
    assert_there(&registry, &at, artifact);
}

fn assert_clear(error: &RegistryError) {
    let (message, _) = told(error);
    assert!(message.starts_with("cannot ") && message.contains(": "), "{message}");
    assert!(
        !format!("{message}{error:?}").contains("_state="),
        "the address of an upload is told: {message} {error:?}"
    );
}

/// Pushes with each request in each kind of trouble. One that passes is got over; one that stays is told of, and then no
/// tag is there, or all that it needs.
fn push_in_trouble(server: &DockerRegistry, count: usize) {
    let proxy = Proxy::before(server.port);
    let artifact = artifact();
    let mut pushes = 0;
    for trouble in Trouble::ALL {
        for position in 0.. {
            pushes += 1;
            let repository = format!("app-{pushes}");
            let to = [reference(&proxy.host(), &format!("{repository}:1"))];
            proxy.trouble(position, trouble, count);
            let progress = Progress::default();
            let result = client(&proxy).push(&artifact, &to, &progress);
            let requests = proxy.requests().len();
            match result {
                Ok(pushed) => {
                    assert_eq!(pushed.digest, artifact.manifest.digest);
                    assert_eq!(progress.told().0, progress.told().1, "{trouble:?} at {position}");
                    assert_whole(server, &repository, &artifact);
                }
                Err(error) if count == 1 => panic!("{trouble:?} at {position}: {}", told(&error).0),
                Err(error) => {
                    assert_clear(&error);
                    assert!(progress.told().1 <= progress.told().0, "{trouble:?} at {position}");
                    // The registry did its part where only its last word was lost.
                    let is_lost = matches!(trouble, Trouble::LoseAnswer | Trouble::CutAnswer);
                    match server.tags(&repository).is_empty() {
                        false if is_lost => assert_whole(server, &repository, &artifact),
                        // A manifest that is altered each time, and is a manifest still.
                        false if trouble == Trouble::FlipRequest => {
                            assert!(told(&error).0.contains("has bytes with the digest"))
                        }
                        is_empty => assert!(is_empty, "{trouble:?} at {position} leaves a tag"),
                    }
                }
            }
            // What is slow is slow at all positions.
            if requests <= position || (count > 1 && trouble == Trouble::Slow) {
                break;
            }
        }
    }
    assert!(pushes > 11 * 10, "{pushes}");
}

#[test]
fn a_push_gets_over_any_trouble_that_passes() {
    push_in_trouble(&DockerRegistry::anonymous(), 1);
}

#[test]
fn a_push_with_tokens_gets_over_any_trouble_that_passes() {
    push_in_trouble(&DockerRegistry::with_tokens(300), 1);
}

#[test]
fn a_push_in_lasting_trouble_leaves_no_tag() {
    push_in_trouble(&DockerRegistry::with_tokens(300), usize::MAX / 2);
}

#[test]
fn trouble_with_the_server_of_tokens_is_got_over() {
    let server = DockerRegistry::with_tokens(300);
    let proxy = Proxy::before(server.port);
    for (at, trouble) in Trouble::ALL.into_iter().enumerate().filter(|(_, trouble)| *trouble != Trouble::Expire) {
        let repository = format!("app-{at}");
        server.token_proxy().trouble(0, trouble, 1);
        let result = client(&proxy).push(&artifact(), &[reference(&proxy.host(), &format!("{repository}:1"))], &Silent);
        match result {
            // The altered token reads well, but is good for nothing, and the next is the same to the second.
            Err(error) if trouble == Trouble::FlipAnswer => {
                assert!(told(&error).0.contains("401"), "{}", told(&error).0)
            }
            result => assert_eq!(result.unwrap().digest, artifact().manifest.digest),
        }
    }
    server.token_proxy().trouble(0, Trouble::Status(503), 1000);
    let error = client(&proxy).push(&artifact(), &[reference(&proxy.host(), "x:1")], &Silent).unwrap_err();
    let (message, _) = told(&error);
    assert!(
        message
            .ends_with(&format!("{} answered 503 Service Unavailable: try again later", server.token_proxy().host())),
        "{message}"
    );
    assert!(error.is_retryable());
}

#[test]
fn a_pull_gets_over_trouble_and_notices_what_was_altered() {
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
            let (mut output, progress) = (Vec::new(), Progress::default());
            let pulled = registry.blob(&at, blob.digest, blob.size, &mut output, &progress);
            let is_altered = Sha256::of(&output) != blob.digest;
            assert_eq!(pulled.is_err(), is_altered, "{trouble:?} at {position}");
            assert_eq!(progress.told().1, blob.size, "{trouble:?} at {position}");
            match pulled {
                Ok(()) => assert!(output.len() as u64 == blob.size),
                Err(error) => {
                    assert_eq!(trouble, Trouble::FlipAnswer);
                    assert!(told(&error).0.contains(&format!("where {} should be", blob.digest)), "{}", told(&error).0);
                }
            }
        }
    }
}

/// A line that breaks again and again, but lets a mebibyte through between two failures, is good enough.
#[test]
fn a_broken_blob_is_gone_on_with() {
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
fn a_registry_that_says_nothing_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let retry = RetryPolicy { limit: 0, ..options([]).retry };
    let registry =
        Registry::new(RegistryOptions { retry, read_timeout: Duration::from_millis(400), ..options([]) }).unwrap();
    let (message, hints) = told(&registry.manifest(&reference(&host, "app:1")).unwrap_err());
    assert!(message.contains(&format!("nothing came from {host} for")), "{message}");
    assert!(!hints.is_empty());
    drop(listener);
    let (message, hints) = told(&registry.manifest(&reference(&host, "app:1")).unwrap_err());
    assert!(message.contains(&format!("the connection to {host} failed")), "{message}");
    assert!(hints.contains("check that a registry runs and answers"), "{hints}");
}
