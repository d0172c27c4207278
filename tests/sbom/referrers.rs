//! SBOMs and provenance statements attached to pushed images, in registries with and without the referrers API and in
//! registries that refuse referrers.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use oci_spec::image::MediaType;
use pybundle::image::{Blob, OciArtifact};
use pybundle::registry::credentials::Keychain;
use pybundle::registry::{ImageReference, Registry, RegistryOptions};
use pybundle::report::Silent;
use serde_json::{Value, json};

use crate::memory::{MemoryRegistry, Profile};
use crate::registries::DockerRegistry;
use crate::support::bases;
use crate::support::command::{fail, pybundle, succeed};
use crate::workshop::Workshop;

const CYCLONEDX: &str = "application/vnd.cyclonedx+json";
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The flags for an SBOM and a provenance statement.
const DOCUMENTS: [&str; 2] = ["--sbom=cyclonedx", "--provenance"];

fn client() -> Registry<'static> {
    Registry::new(RegistryOptions::new(Keychain::fixed([]))).unwrap()
}

fn reference(text: &str) -> ImageReference {
    text.parse().unwrap()
}

/// Pulls a manifest.
fn manifest(reference: &str) -> Value {
    serde_json::from_slice(&client().manifest(&self::reference(reference)).unwrap().bytes).unwrap()
}

/// Returns the tag for the referrers of a digest (OCI distribution specification, referrers tag schema).
fn tag(digest: &str) -> String {
    digest.replace(':', "-")
}

/// Returns the digests and artifact types of referrers.
fn listed(index: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = index["manifests"].as_array().unwrap();
    list.iter().map(|descriptor| (text(&descriptor["digest"]), text(&descriptor["artifactType"]))).collect()
}

/// Returns the digests of the attached manifests in a report.
fn attached(report: &Value) -> Vec<String> {
    let documents = report["documents"].as_array().unwrap();
    documents.iter().map(|document| document["referrer"].as_str().unwrap().to_owned()).collect()
}

/// Pushes the example with its documents, and returns the report.
fn push(workshop: &Workshop, to: &str, arguments: &[&str]) -> Value {
    workshop.report(&[&["--push", "--tag", to], &DOCUMENTS[..], arguments].concat())
}

/// docker-registry 2.8 has no referrers API: the list is kept under a tag, with the entries of other tools.
#[test]
fn a_registry_without_referrers_lists_them_under_a_tag() {
    let (workshop, registry) = (Workshop::new(), DockerRegistry::anonymous());
    let repository = format!("{}/team/app", registry.host());
    let image = format!("{repository}:1");
    let plain = workshop.report(&["--push", "--tag", &image]);
    assert_eq!(registry.tags("team/app"), ["1"]);

    // The image was signed by another tool before.
    let digest = plain["digest"].as_str().unwrap();
    let config = Blob::of_bytes(MediaType::EmptyJSON, b"{}".to_vec());
    let signature = Blob::of_bytes(MediaType::from("application/x-signature"), b"signed".to_vec());
    let descriptor =
        |blob: &Blob| json!({ "mediaType": blob.media_type, "digest": blob.digest.to_string(), "size": blob.size });
    let signed = json!({
        "schemaVersion": 2, "mediaType": MediaType::ImageManifest, "artifactType": "application/x-signature",
        "config": descriptor(&config), "layers": [descriptor(&signature)],
    });
    let signed = Blob::of_bytes(MediaType::ImageManifest, signed.to_string().into_bytes());
    let mut foreign = descriptor(&signed);
    foreign["artifactType"] = json!("application/x-signature");
    foreign["annotations"] = json!({ "org.example.by": "somebody" });
    let list = json!({
        "schemaVersion": 2, "mediaType": MediaType::ImageIndex, "manifests": [foreign],
        "annotations": { "org.example.kept": "yes" },
    });
    let list = Blob::of_bytes(MediaType::ImageIndex, list.to_string().into_bytes());
    let signed = OciArtifact { manifest: signed, blobs: vec![config, signature], children: vec![], referrers: vec![] };
    let list = OciArtifact { manifest: list, blobs: vec![], children: vec![signed], referrers: vec![] };
    let list_tag = format!("{repository}:{}", tag(digest));
    client().push(&list, &[reference(&list_tag)], &Silent).unwrap();

    let report = push(&workshop, &image, &[]);
    assert_eq!(report["digest"], digest);
    let tags: BTreeSet<String> = registry.tags("team/app").into_iter().collect();
    assert_eq!(tags, ["1".to_owned(), tag(digest)].into());
    let index = manifest(&list_tag);
    assert_eq!(index["annotations"], json!({ "org.example.kept": "yes" }));
    assert_eq!(index["manifests"][0], foreign);
    let [sbom, provenance] = &attached(&report)[..] else { panic!("{report}") };
    let own = [(sbom.clone(), CYCLONEDX.to_owned()), (provenance.clone(), IN_TOTO.to_owned())];
    assert_eq!(listed(&index)[1..], own);
    assert_eq!(report["pushed"]["tags"][0]["attached"], json!([sbom, provenance]));

    // Each referrer has the image as its subject and contains the document.
    for (digest_of, media_type) in &own {
        let manifest = manifest(&format!("{repository}@{digest_of}"));
        assert_eq!((&manifest["artifactType"], &manifest["subject"]["digest"]), (&json!(media_type), &json!(digest)));
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
        let layer = &manifest["layers"][0];
        let mut bytes = Vec::new();
        let (blob, size) = (layer["digest"].as_str().unwrap().parse().unwrap(), layer["size"].as_u64().unwrap());
        client().blob(&reference(&image), blob, size, &mut bytes, &Silent).unwrap();
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(document["bomFormat"] == "CycloneDX" || document["subject"][0]["digest"]["sha256"] == digest[7..]);
    }

    // Pushing again changes nothing, and another document is added.
    let before = client().find(&reference(&list_tag)).unwrap();
    let again = push(&workshop, &image, &[]);
    assert_eq!((attached(&again), &again["pushed"]["tags"][0]["uploaded"]), (attached(&report), &json!(0)));
    assert_eq!(client().find(&reference(&list_tag)).unwrap(), before);
    workshop.report(&["--push", "--tag", &image, "--sbom=spdx"]);
    assert_eq!(listed(&manifest(&list_tag)).len(), 4);

    let to = workshop.path("copied");
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--quiet", "--preserve-digests", "--src-tls-verify=false"]);
    succeed(skopeo.arg(format!("docker://{image}")).arg(format!("oci:{}:1", to.display())));
    let mut skopeo = Command::new("skopeo");
    let inspected = succeed(skopeo.args(["inspect", "--tls-verify=false", &format!("docker://{image}")]));
    assert!(inspected.contains(digest), "{inspected}");

    // A tag of that name that is not an index is not overwritten.
    let taken = format!("{repository}2:{}", tag(digest));
    workshop.report(&["--push", "--tag", &taken]);
    let image = format!("{repository}2:1");
    let said = workshop.command(&["--push", "--tag", &image, "--sbom=cyclonedx"]).output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(
        said.contains("was pushed, but not all of its referrers") && said.contains("is not a list of referrers"),
        "{said}"
    );
    assert_eq!(client().find(&reference(&taken)).unwrap().unwrap().digest.to_string(), digest);
}

#[test]
fn a_registry_with_referrers_lists_them_itself() {
    let workshop = Workshop::new();
    let server = MemoryRegistry::start(Profile::Referrers);
    let image = format!("{}/team/app:1", server.host());
    let report = push(&workshop, &image, &[]);
    let digest = report["digest"].as_str().unwrap();
    let documents = attached(&report);
    let names = server.names("team/app");
    let expected: BTreeSet<String> = documents.iter().cloned().chain(["1".to_owned(), digest.to_owned()]).collect();
    assert_eq!(names, expected, "there is a tag that nobody needs");
    for name in &documents {
        assert_eq!(server.document("team/app", name).unwrap()["subject"]["digest"], digest);
    }
    // The first push does not request a list.
    assert!(server.requests().iter().all(|request| !request.path().contains("/referrers/")));

    server.forget_requests();
    let again = push(&workshop, &image, &[]);
    assert_eq!(attached(&again), documents);
    let writes: Vec<_> = server.requests().iter().map(|request| request.start.clone()).collect();
    assert!(writes.iter().all(|start| start.starts_with("GET") || start.starts_with("HEAD")), "{writes:?}");
    assert!(writes.iter().any(|start| start.contains("/referrers/")), "{writes:?}");
    assert_eq!(server.names("team/app"), names);
}

/// ECR used to respond with 405 to manifests with a subject.
#[test]
fn the_command_fails_after_pushing_the_image_if_a_registry_refuses_referrers() {
    let workshop = Workshop::new();
    let server = MemoryRegistry::start(Profile::NoSubjects);
    let image = format!("{}/team/app:1", server.host());
    let output = workshop.command(&["--push", "--tag", &image, "--sbom=spdx"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let digest = client().find(&reference(&image)).unwrap().expect("the image is pushed").digest;
    let expected = format!("error: {image}@{digest} was pushed, but not all of its referrers could be attached\n");
    assert!(said.starts_with(&expected), "{said}");
    assert!(said.contains("returned 405 Method Not Allowed: UNSUPPORTED: Invalid parameter"), "{said}");
    assert!(said.contains("hint: ") && said.contains("omit --sbom and --provenance"), "{said}");
    // Without documents, the push succeeds.
    let report = workshop.report(&["--push", "--tag", &image]);
    assert_eq!(report["digest"], digest.to_string());
}

#[test]
fn each_platform_has_referrers_and_the_index_has_none() {
    let workshop = Workshop::new();
    let server = MemoryRegistry::start(Profile::Plain);
    let image = format!("{}/team/app:1", server.host());
    let platforms = "--platform=linux/amd64,linux/arm64";
    let plain = workshop.report(&["--push", "--tag", &image, platforms]);
    let report = push(&workshop, &image, &[platforms]);
    assert_eq!(report["digest"], plain["digest"]);
    let documents = report["documents"].as_array().unwrap();
    let of: Vec<_> = documents.iter().map(|document| document["platform"].as_str().unwrap()).collect();
    assert_eq!(of, ["linux/amd64", "linux/amd64", "linux/arm64", "linux/arm64"]);
    assert_eq!(attached(&report).into_iter().collect::<BTreeSet<_>>().len(), 4);
    for (position, platform) in report["platforms"].as_array().unwrap().iter().enumerate() {
        let digest = platform["digest"].as_str().unwrap();
        let list = listed(&server.document("team/app", &tag(digest)).unwrap());
        let digests: Vec<String> = list.into_iter().map(|(digest, _)| digest).collect();
        assert_eq!(digests, attached(&report)[2 * position..][..2]);
    }
    assert!(server.document("team/app", &tag(report["digest"].as_str().unwrap())).is_none());
    // The index contains only the images and no attestation.
    let index = server.document("team/app", "1").unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    assert!(index.to_string().matches("artifactType").count() == 0, "{index}");
}

/// Lambda refuses an index, such as one with attestations: its image stays a single manifest.
#[test]
fn an_image_for_lambda_is_the_same_with_and_without_documents() {
    let workshop = Workshop::new();
    let registry = DockerRegistry::anonymous();
    let base = bases::lambda();
    let image = |name: &str, arguments: &[&str]| -> Value {
        let to = format!("{}/fn/{name}:1", registry.host());
        let argument = format!("--base={}", base.argument());
        let python = format!("--python={}", base.python);
        let mut command = workshop.without_base(&["--profile=lambda-image", "--cmd=app.handler", "--json", "--push"]);
        command.args([&argument, &python, "--tag", &to]).args(arguments);
        serde_json::from_str(&succeed(&mut command)).unwrap()
    };
    let (plain, documented) = (image("plain", &[]), image("documented", &DOCUMENTS));
    assert_eq!(plain["digest"], documented["digest"]);
    assert_eq!(plain["media_type"], "application/vnd.oci.image.manifest.v1+json");
    let pushed = manifest(&format!("{}/fn/documented:1", registry.host()));
    assert_eq!(pushed["mediaType"], plain["media_type"]);
    assert!(pushed.get("subject").is_none() && pushed.get("artifactType").is_none());
    let mut skopeo = Command::new("skopeo");
    let name = format!("docker://{}/fn/documented:1", registry.host());
    assert!(succeed(skopeo.args(["inspect", "--tls-verify=false", &name])).contains(plain["digest"].as_str().unwrap()));
    assert_eq!(attached(&documented).len(), 2);
}

/// An image that is pushed to two repositories has the documents in both.
#[test]
fn every_repository_has_the_documents() {
    let workshop = Workshop::new();
    let [one, two] = [MemoryRegistry::start(Profile::Plain), MemoryRegistry::start(Profile::Referrers)];
    let tags = [format!("--tag={}/a/app:1", one.host()), format!("--tag={}/b/app:1", two.host())];
    let report = workshop.report(&["--push", &tags[0], &tags[1], "--provenance"]);
    let digest = report["digest"].as_str().unwrap();
    let [document] = &attached(&report)[..] else { panic!("{report}") };
    assert_eq!(listed(&one.document("a/app", &tag(digest)).unwrap())[0].0, *document);
    assert!(two.document("b/app", document).is_some() && two.document("b/app", &tag(digest)).is_none());
}

/// Documents in a layout are attached when it is pushed.
#[test]
fn the_documents_in_a_layout_are_pushed_with_it() {
    let workshop = Workshop::new();
    let server = MemoryRegistry::start(Profile::Referrers);
    let (layout, archive) = (workshop.path("layout"), workshop.path("image.tar"));
    let outputs = [format!("--output=oci:{}", layout.display()), format!("--output=oci-archive:{}", archive.display())];
    let report = workshop.report(&[&[outputs[0].as_str(), &outputs[1]], &DOCUMENTS[..]].concat());
    for (path, to) in [(&layout, "from/layout:1"), (&archive, "from/archive:1")] {
        let to = format!("{}/{to}", server.host());
        let mut command = pybundle(&["push", "--json", path.to_str().unwrap(), &to]);
        let pushed: Value = serde_json::from_str(&succeed(command.env("DOCKER_CONFIG", "/none"))).unwrap();
        assert_eq!(pushed["digest"], report["digest"]);
        assert_eq!(pushed["tags"][0]["attached"], json!(attached(&report)));
        let page = succeed(pybundle(&["push", path.to_str().unwrap(), &to]).env("DOCKER_CONFIG", "/none"));
        assert!(page.contains("  attached  2 documents\n"), "{page}");
    }
    assert_eq!(server.names("from/layout"), server.names("from/archive"));

    // A damaged referrer is detected before anything is sent.
    let index: Value = serde_json::from_slice(&fs::read(layout.join("referrers.json")).unwrap()).unwrap();
    let blob = index["manifests"][0]["digest"].as_str().unwrap().replace(':', "/");
    fs::write(layout.join("blobs").join(blob), "{}").unwrap();
    let said = fail(&mut pybundle(&["push", layout.to_str().unwrap(), &format!("{}/x/y:1", server.host())]));
    assert!(server.names("x/y").is_empty(), "{said}");
}
