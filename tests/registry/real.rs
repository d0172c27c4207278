//! Against real registries: with and without logins, tokens and TLS.

use pybundle::registry::Registry;
use pybundle::report::Silent;

use super::registries::{DockerRegistry, PASSWORD};
use super::*;

#[test]
fn an_image_goes_to_a_registry_and_back() {
    let server = DockerRegistry::anonymous();
    let registry = anonymous();
    let to = [reference(&server.host(), "team/app:1"), reference(&server.host(), "team/app:latest")];
    let artifact = image("app", vec![layer(1, 3_000_000), layer(2, 1000), layer(3, 700_000)]);
    let progress = Progress::default();
    let pushed = registry.push(&artifact, &to, &progress).unwrap();
    let size: u64 = artifact.blobs.iter().map(|blob| blob.size).sum();
    assert_eq!((pushed.digest, progress.told()), (artifact.manifest.digest, (size, size)));
    assert_eq!((pushed.repositories[0].uploaded.blobs, pushed.repositories[0].uploaded.bytes), (4, size));
    for reference in &to {
        let found = registry.find(reference).unwrap().unwrap();
        assert_eq!((found.digest, found.size), (artifact.manifest.digest, artifact.manifest.size));
        assert_eq!(registry.manifest(reference).unwrap().digest, artifact.manifest.digest);
    }
    assert_there(&registry, &to[0], &artifact);
    assert_eq!(registry.find(&reference(&server.host(), "team/app:2")).unwrap(), None);
    let (message, _) = told(&registry.manifest(&reference(&server.host(), "team/other:2")).unwrap_err());
    assert!(message.contains("404 Not Found"), "{message}");
    let again = anonymous().push(&artifact, &to[..1], &Silent).unwrap();
    assert_eq!((again.requests, again.repositories[0].present.blobs), (1, 4));
}
