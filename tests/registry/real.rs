//! Against real registries: with and without logins, tokens and TLS.

use pybundle::image::BlobContent;
use pybundle::registry::Registry;
use pybundle::report::Silent;

use super::proxy::Proxy;
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

/// What a one-line edit costs: the tag's manifest is read, the application's layer and the configuration are sent, and
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
    let progress = Progress::default();
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
    assert_eq!(progress.told().0, progress.told().1);
    assert_there(&anonymous(), &to[0], &second);
}

#[test]
fn several_platforms_are_pushed_and_only_what_changed_again() {
    let server = DockerRegistry::anonymous();
    let proxy = Proxy::before(server.port);
    let to = [reference(&proxy.host(), "app:latest")];
    let images =
        [image("amd64", vec![layer(1, 9000), layer(2, 10)]), image("arm64", vec![layer(1, 9000), layer(3, 10)])];
    let both = index(images.to_vec());
    let pushed = anonymous().push(&both, &to, &Silent).unwrap();
    assert_eq!((pushed.digest, pushed.repositories[0].uploaded.blobs), (both.manifest.digest, 5));
    assert_there(&anonymous(), &to[0], &both);
    let changed = index(vec![images[0].clone(), image("arm64", vec![layer(1, 9000), layer(4, 10)])]);
    let pushed = anonymous().push(&changed, &to, &Silent).unwrap();
    // The index, the manifest that is replaced, layer and configuration, the new manifest, the new index.
    assert_eq!((pushed.requests, pushed.repositories[0].uploaded.blobs), (8, 2));
    assert_there(&anonymous(), &to[0], &changed);
}

/// The blobs of a base are taken from where they are, in the same registry and from another one.
#[test]
fn blobs_are_mounted_or_passed_on() {
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
    let progress = Progress::default();
    let pushed = registry.push(&app, &to, &progress).unwrap();
    let counts = pushed.repositories.iter().map(|done| (done.uploaded.blobs, done.mounted.blobs, done.present.blobs));
    assert_eq!(counts.collect::<Vec<_>>(), [(2, 2, 0), (0, 4, 0), (4, 0, 0)]);
    assert_eq!(progress.told().0, progress.told().1);
    for to in &to {
        assert_there(&anonymous(), to, &app);
    }
    // To the base's own repository, where they are.
    let own = reference(&server.host(), "library/base:2");
    let pushed = registry.push(&app, std::slice::from_ref(&own), &Silent).unwrap();
    assert_eq!((pushed.repositories[0].uploaded.blobs, pushed.repositories[0].present.blobs), (2, 2));
    // What is nowhere is told of.
    app.blobs[1].content = BlobContent::Registry { repository: format!("{}/nowhere", server.host()).into() };
    let (message, _) = told(&registry.push(&app, &[reference(&other.host(), "x:1")], &Silent).unwrap_err());
    assert!(message.contains("cannot push blob sha256:") && message.contains("404"), "{message}");
}

#[test]
fn a_password_is_demanded_and_given() {
    let server = DockerRegistry::with_password();
    let to = [reference(&server.host(), "team/app:1")];
    let artifact = image("app", vec![layer(1, 2_000_000)]);
    let registry = Registry::new(options([user(&server.host(), PASSWORD)])).unwrap();
    registry.push(&artifact, &to, &Silent).unwrap();
    assert_there(&registry, &to[0], &artifact);

    for (logins, whom) in [
        (vec![], "a request without a login"),
        (vec![user(&server.host(), "hunter2")], "the user `alice`"),
        (vec![user("127.0.0.1:1", PASSWORD)], "a request without a login"),
    ] {
        let registry = Registry::new(options(logins)).unwrap();
        for error in [registry.push(&artifact, &to, &Silent).unwrap_err(), registry.manifest(&to[0]).unwrap_err()] {
            let (message, hints) = told(&error);
            let refusal = format!("{} refuses {whom} (401 Unauthorized: UNAUTHORIZED: ", server.host());
            assert!(message.contains(&refusal), "{message}");
            assert!(hints.contains(&format!("`docker login {}`", server.host())), "{hints}");
            assert!(!format!("{message}{hints}{error:?}").contains("hunter2"), "{error:?}");
            assert!(!error.is_retryable());
        }
    }
}

#[test]
fn tokens_are_had_for_logins_and_for_nobody() {
    let server = DockerRegistry::with_tokens(300);
    let host = server.host();
    let to = [reference(&host, "team/app:1")];
    let artifact = image("app", vec![layer(1, 2_000_000), layer(2, 10)]);
    let registry = Registry::new(options([user(&host, PASSWORD)])).unwrap();
    registry.push(&artifact, &to, &Silent).unwrap();
    // One token serves for all of a push.
    let scope = "scope=repository%3Ateam%2Fapp%3Apull%2Cpush";
    assert_eq!(server.token_requests(), [format!("GET service=test-registry&{scope}")]);
    // To mount, it must be good for both repositories.
    let copy = registry.push(&artifact, &[to[0].clone(), reference(&host, "team/copy:1")], &Silent).unwrap();
    assert_eq!(copy.repositories[1].mounted.blobs, 3);
    assert!(server.token_requests().iter().any(|query| query.contains("Acopy%3A")
        || query.contains("scope=repository%3Ateam%2Fcopy%3Apull%2Cpush&scope=repository%3Ateam%2Fapp%3Apull")));

    let token = Login::IdentityToken(registries::IDENTITY_TOKEN.to_owned().into());
    let registry = Registry::new(options([(host.clone(), token)])).unwrap();
    registry.push(&artifact, &[reference(&host, "team/third:1")], &Silent).unwrap();
    let form = server.token_requests().pop().unwrap();
    assert!(
        form.starts_with("POST grant_type=refresh_token&client_id=pybundle&service=test-registry&scope="),
        "{form}"
    );

    // Everybody may read, and nobody else may write.
    assert_there(&anonymous(), &to[0], &artifact);
    let changed = image("changed", vec![layer(3, 10)]);
    let (message, hints) = told(&anonymous().push(&changed, &to, &Silent).unwrap_err());
    assert!(message.contains(&format!("{host} refuses a request without a login (401")), "{message}");
    assert!(hints.contains("docker login"), "{hints}");
    let wrong = Registry::new(options([user(&host, "hunter2")])).unwrap();
    let (message, _) = told(&wrong.manifest(&to[0]).unwrap_err());
    assert!(
        message.contains("refuses the user `alice` (401 Unauthorized: incorrect username or password)"),
        "{message}"
    );
}

/// The rest of the test below, in a process whose roots of trust are the authority of its registry.
#[test]
fn push_by_tls_in_a_child() {
    let Ok(host) = std::env::var("TEST_REGISTRY") else { return };
    let registry = Registry::new(options([user(&host, PASSWORD)])).unwrap();
    let artifact = image("app", vec![layer(1, 9_000_000), layer(2, 10)]);
    let to = [reference(&host, "team/app:1")];
    registry.push(&artifact, &to, &Silent).unwrap();
    assert_there(&registry, &to[0], &artifact);
}

#[test]
fn tls_is_trusted_by_the_authority_that_the_environment_names() {
    let server = DockerRegistry::with_tls();
    for host in [server.host(), format!("localhost:{}", server.port)] {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "real::push_by_tls_in_a_child"])
            .env("TEST_REGISTRY", &host)
            // A proxy is of no use on the way to this machine.
            .envs(["HTTP_PROXY", "HTTPS_PROXY"].map(|name| (name, "http://127.0.0.1:1")))
            .env("SSL_CERT_FILE", server.folder.path().join("ca.crt"))
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        assert_eq!(server.tags("team/app"), ["1"]);
        let (message, hints) = told(&anonymous().manifest(&reference(&host, "team/app:1")).unwrap_err());
        assert!(message.contains(&format!("the connection to {host} failed")), "{message}");
        assert!(hints.contains("SSL_CERT_FILE"), "{message} {hints}");
    }
}

/// What is pushed here is read by a program of other people, which compares every digest.
#[test]
fn skopeo_reads_what_was_pushed() {
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
