//! Real registries, with and without credentials, tokens and TLS.

use pybundle::image::BlobContent;
use pybundle::registry::Registry;
use pybundle::report::Silent;

use super::proxy::Proxy;
use super::registries::{DockerRegistry, PASSWORD};
use super::*;

#[test]
fn images_are_pushed_and_pulled() {
    let server = DockerRegistry::anonymous();
    let registry = anonymous();
    let to = [reference(&server.host(), "team/app:1"), reference(&server.host(), "team/app:latest")];
    let artifact = image("app", vec![layer(1, 3_000_000), layer(2, 1000), layer(3, 700_000)]);
    let progress = ProgressCounter::default();
    let pushed = registry.push(&artifact, &to, &progress).unwrap();
    let size: u64 = artifact.blobs.iter().map(|blob| blob.size).sum();
    assert_eq!((pushed.digest, progress.totals()), (artifact.manifest.digest, (size, size)));
    assert_eq!((pushed.repositories[0].uploaded.blobs, pushed.repositories[0].uploaded.bytes), (4, size));
    for reference in &to {
        let found = registry.find(reference).unwrap().unwrap();
        assert_eq!((found.digest, found.size), (artifact.manifest.digest, artifact.manifest.size));
        assert_eq!(registry.manifest(reference).unwrap().digest, artifact.manifest.digest);
    }
    assert_complete(&registry, &to[0], &artifact);
    assert_eq!(registry.find(&reference(&server.host(), "team/app:2")).unwrap(), None);
    let (message, _) = message_and_hints(&registry.manifest(&reference(&server.host(), "team/other:2")).unwrap_err());
    assert!(message.contains("404 Not Found"), "{message}");
    let again = anonymous().push(&artifact, &to[..1], &Silent).unwrap();
    assert_eq!((again.requests, again.repositories[0].present.blobs), (1, 4));
}

/// The cost of a one-line edit: one request for the manifest before, two for the layer, two for the configuration, one for
/// the manifest.
#[test]
fn a_changed_layer_takes_six_requests() {
    let server = DockerRegistry::anonymous();
    let proxy = Proxy::before(server.port);
    let to = [reference(&proxy.host(), "app:latest")];
    let mut layers: Vec<_> = (0..12).map(|seed| layer(seed, 300_000)).collect();
    let first = image("app", layers.clone());
    anonymous().push(&first, &to, &Silent).unwrap();
    layers[11] = layer(99, 2000);
    let second = image("app", layers);
    proxy.reset();
    let progress = ProgressCounter::default();
    let pushed = anonymous().push(&second, &to, &progress).unwrap();
    let mut log = proxy.log();
    assert_eq!(log[0], "GET /v2/app/manifests/latest");
    assert_eq!(log[5], "PUT /v2/app/manifests/latest");
    log[1..5].sort();
    let (start, end) = ("POST /v2/app/blobs/uploads/", "PUT /v2/app/blobs/uploads/…");
    assert_eq!(log[1..5], [start, start, end, end]);
    assert_eq!(pushed.requests, 6);
    let done = &pushed.repositories[0];
    assert_eq!((done.uploaded.blobs, done.present.blobs, done.mounted.blobs), (2, 11, 0));
    assert_eq!(progress.totals().0, progress.totals().1);
    assert_complete(&anonymous(), &to[0], &second);
}

#[test]
fn only_changed_platforms_are_pushed_again() {
    let server = DockerRegistry::anonymous();
    let proxy = Proxy::before(server.port);
    let to = [reference(&proxy.host(), "app:latest")];
    let images =
        [image("amd64", vec![layer(1, 9000), layer(2, 10)]), image("arm64", vec![layer(1, 9000), layer(3, 10)])];
    let both = index(images.to_vec());
    let pushed = anonymous().push(&both, &to, &Silent).unwrap();
    assert_eq!((pushed.digest, pushed.repositories[0].uploaded.blobs), (both.manifest.digest, 5));
    assert_complete(&anonymous(), &to[0], &both);
    let changed = index(vec![images[0].clone(), image("arm64", vec![layer(1, 9000), layer(4, 10)])]);
    let pushed = anonymous().push(&changed, &to, &Silent).unwrap();
    // The index, the manifest to be replaced, two for each of layer and configuration, the new manifest, the new index.
    assert_eq!((pushed.requests, pushed.repositories[0].uploaded.blobs), (8, 2));
    assert_complete(&anonymous(), &to[0], &changed);
}

/// The blobs of a base are mounted in the same registry, and copied from another one.
#[test]
fn blobs_are_mounted_or_copied_between_registries() {
    let [server, other] = [DockerRegistry::anonymous(), DockerRegistry::anonymous()];
    let registry = anonymous();
    let base = image("base", vec![layer(1, 3_000_000), layer(2, 5000)]);
    let at = reference(&server.host(), "library/base:1");
    registry.push(&base, std::slice::from_ref(&at), &Silent).unwrap();
    let remote = |blob: &Blob| Blob {
        content: BlobContent::Registry { repository: at.repository_name().into() },
        ..blob.clone()
    };
    let mut app = image("app", vec![layer(1, 3_000_000), layer(2, 5000), layer(3, 5000)]);
    app.blobs[1] = remote(&app.blobs[1]);
    app.blobs[2] = remote(&app.blobs[2]);
    let to = [(&server, "app:1"), (&server, "copy:1"), (&other, "app:1")].map(|(to, name)| reference(&to.host(), name));
    let progress = ProgressCounter::default();
    let pushed = registry.push(&app, &to, &progress).unwrap();
    let counts = pushed.repositories.iter().map(|done| (done.uploaded.blobs, done.mounted.blobs, done.present.blobs));
    assert_eq!(counts.collect::<Vec<_>>(), [(2, 2, 0), (0, 4, 0), (4, 0, 0)]);
    assert_eq!(progress.totals().0, progress.totals().1);
    for to in &to {
        assert_complete(&anonymous(), to, &app);
    }
    // In the repository of the base they exist.
    let own = reference(&server.host(), "library/base:2");
    let pushed = registry.push(&app, std::slice::from_ref(&own), &Silent).unwrap();
    assert_eq!((pushed.repositories[0].uploaded.blobs, pushed.repositories[0].present.blobs), (2, 2));
    // A blob that is missing everywhere is an error.
    app.blobs[1].content = BlobContent::Registry { repository: format!("{}/nowhere", server.host()).into() };
    let (message, _) =
        message_and_hints(&registry.push(&app, &[reference(&other.host(), "x:1")], &Silent).unwrap_err());
    assert!(message.contains("cannot push blob sha256:") && message.contains("404"), "{message}");
}

#[test]
fn passwords_are_sent_when_requested() {
    let server = DockerRegistry::with_password();
    let to = [reference(&server.host(), "team/app:1")];
    let artifact = image("app", vec![layer(1, 2_000_000)]);
    let registry = Registry::new(options([user(&server.host(), PASSWORD)])).unwrap();
    registry.push(&artifact, &to, &Silent).unwrap();
    assert_complete(&registry, &to[0], &artifact);

    for (logins, whom) in [
        (vec![], "without a login"),
        (vec![user(&server.host(), "hunter2")], "for the user `alice`"),
        (vec![user("127.0.0.1:1", PASSWORD)], "without a login"),
    ] {
        let registry = Registry::new(options(logins)).unwrap();
        for error in [registry.push(&artifact, &to, &Silent).unwrap_err(), registry.manifest(&to[0]).unwrap_err()] {
            let (message, hints) = message_and_hints(&error);
            let refusal = format!("{} denied access {whom} (401 Unauthorized: UNAUTHORIZED: ", server.host());
            assert!(message.contains(&refusal), "{message}");
            assert!(hints.contains(&format!("`docker login {}`", server.host())), "{hints}");
            assert!(!format!("{message}{hints}{error:?}").contains("hunter2"), "{error:?}");
            assert!(!error.is_retryable());
        }
    }
}

#[test]
fn tokens_are_requested_with_and_without_credentials() {
    let server = DockerRegistry::with_tokens(300);
    let host = server.host();
    let to = [reference(&host, "team/app:1")];
    let artifact = image("app", vec![layer(1, 2_000_000), layer(2, 10)]);
    let registry = Registry::new(options([user(&host, PASSWORD)])).unwrap();
    registry.push(&artifact, &to, &Silent).unwrap();
    // One token serves the whole push.
    let scope = "scope=repository%3Ateam%2Fapp%3Apull%2Cpush";
    assert_eq!(server.token_requests(), [format!("GET service=test-registry&{scope}")]);
    // A mount needs access to both repositories.
    let copy = registry.push(&artifact, &[to[0].clone(), reference(&host, "team/copy:1")], &Silent).unwrap();
    assert_eq!(copy.repositories[1].mounted.blobs, 3);
    assert!(server.token_requests().iter().any(|query| query.contains("Acopy%3A")
        || query.contains("scope=repository%3Ateam%2Fcopy%3Apull%2Cpush&scope=repository%3Ateam%2Fapp%3Apull")));

    let token = RegistryLogin::IdentityToken(registries::IDENTITY_TOKEN.to_owned().into());
    let registry = Registry::new(options([(host.clone(), token)])).unwrap();
    registry.push(&artifact, &[reference(&host, "team/third:1")], &Silent).unwrap();
    let form = server.token_requests().pop().unwrap();
    assert!(
        form.starts_with("POST grant_type=refresh_token&client_id=pybundle&service=test-registry&scope="),
        "{form}"
    );

    // Anonymous clients may read, but not write.
    assert_complete(&anonymous(), &to[0], &artifact);
    let changed = image("changed", vec![layer(3, 10)]);
    let (message, hints) = message_and_hints(&anonymous().push(&changed, &to, &Silent).unwrap_err());
    assert!(message.contains(&format!("{host} denied access without a login (401")), "{message}");
    assert!(hints.contains("docker login"), "{hints}");
    let wrong = Registry::new(options([user(&host, "hunter2")])).unwrap();
    let (message, _) = message_and_hints(&wrong.manifest(&to[0]).unwrap_err());
    assert!(
        message.contains("denied access for the user `alice` (401 Unauthorized: incorrect username or password)"),
        "{message}"
    );
}

/// The rest of the test below, in a process that trusts the registry's certificate authority.
#[test]
fn push_over_tls_in_a_child() {
    let Ok(host) = std::env::var("TEST_REGISTRY") else { return };
    let registry = Registry::new(options([user(&host, PASSWORD)])).unwrap();
    let artifact = image("app", vec![layer(1, 9_000_000), layer(2, 10)]);
    let to = [reference(&host, "team/app:1")];
    registry.push(&artifact, &to, &Silent).unwrap();
    assert_complete(&registry, &to[0], &artifact);
}

#[test]
fn ssl_cert_file_names_the_certificate_authority() {
    let server = DockerRegistry::with_tls();
    for host in [server.host(), format!("localhost:{}", server.port)] {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "real::push_over_tls_in_a_child"])
            .env("TEST_REGISTRY", &host)
            // Proxies are not used for loopback addresses.
            .envs(["HTTP_PROXY", "HTTPS_PROXY"].map(|name| (name, "http://127.0.0.1:1")))
            .env("SSL_CERT_FILE", server.folder.path().join("ca.crt"))
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        assert_eq!(server.tags("team/app"), ["1"]);
        let (message, hints) = message_and_hints(&anonymous().manifest(&reference(&host, "team/app:1")).unwrap_err());
        assert!(message.contains(&format!("the connection to {host} failed")), "{message}");
        assert!(hints.contains("SSL_CERT_FILE"), "{message} {hints}");
    }
}

/// skopeo verifies every digest.
#[test]
fn skopeo_reads_pushed_images() {
    let server = DockerRegistry::anonymous();
    let gzip = |seed: u64| {
        use std::io::Write as _;
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(5);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, format!("file-{seed}"), &b"bytes"[..]).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&archive.into_inner().unwrap()).unwrap();
        Blob::of_bytes(MediaType::ImageLayerGzip, encoder.finish().unwrap())
    };
    let artifact = image("app", vec![gzip(1), gzip(2)]);
    let to = reference(&server.host(), "team/app:1");
    anonymous().push(&artifact, std::slice::from_ref(&to), &Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("skopeo")
        .args(["copy", "--src-tls-verify=false", &format!("docker://{to}")])
        .arg(format!("oci:{}:app", folder.path().display()))
        .output()
        .unwrap_or_else(|error| panic!("skopeo: {error}; run scripts/setup-tests"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for blob in artifact.leaves().into_values().chain(artifact.manifests()) {
        assert!(folder.path().join("blobs/sha256").join(blob.digest.hex()).exists(), "{}", blob.media_type);
    }
}
