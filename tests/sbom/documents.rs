//! SBOMs and provenance statements beside a zip: valid, correct, equal for equal inputs, and without secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::http::{Answer, Server};
use crate::projects::BUILT;
use crate::support::artifact::sha256;
use crate::support::command::{fail, pybundle, repository, succeed};
use crate::{json, judge};

/// Checked with schemas, the libraries of each format, and `packaging` for the graph.
#[test]
fn sboms_of_real_projects_are_valid() {
    let built = &*BUILT;
    let extras = json!({ "shop-service": ["web"] });
    let listed = json(built.path("listed.zip.cdx.json"))["metadata"]["component"]["name"].clone();
    let mut good = vec![
        built.case("service", "shop-service", &extras, json!(["jmespath"])),
        built.case("pylock", "shop-service", &json!({}), json!([])),
        // Requirements without a graph: the project depends on everything that nothing else requires.
        built.case("listed", text(&listed), &json!({}), json!("the rest")),
    ];
    let folder = tempfile::tempdir().unwrap();
    let wrong = wrong_documents(&good[0], folder.path());
    good.extend(wrong.clone());
    // The checker itself is checked: it must report each wrong document and no other.
    let said = judge(&good).unwrap_err();
    for (position, case) in wrong.iter().enumerate() {
        assert!(said.contains(&format!("/{position}.")), "{case} was not found: {said}");
    }
    let outside = said.lines().find(|line| !line.contains("/wrong/") && line.contains(".zip."));
    assert_eq!(outside, None, "{said}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn components(document: &Value) -> impl Iterator<Item = (&str, &Value)> {
    document["components"].as_array().unwrap().iter().map(|component| (text(&component["name"]), component))
}

/// Writes documents with one error each, and returns them as cases.
fn wrong_documents(good: &Value, folder: &Path) -> Vec<Value> {
    let folder = folder.join("wrong");
    fs::create_dir(&folder).unwrap();
    let mut cases = Vec::new();
    for (position, (form, pointer, value)) in [
        ("cyclonedx", "/components/0/type", json!("thing")),
        ("cyclonedx", "/components/0/purl", json!("pkg:pypi/other@1")),
        ("cyclonedx", "/dependencies/0/dependsOn", json!([])),
        ("spdx", "/packages/1/downloadLocation", json!(7)),
        ("spdx", "/packages/1/licenseDeclared", json!("LicenseRef-nowhere")),
        ("spdx", "/relationships/1/relationshipType", json!("CONTAINS")),
        ("provenance", "/predicate/runDetails/builder", json!({ "name": "x" })),
        ("provenance", "/subject", json!([])),
    ]
    .into_iter()
    .enumerate()
    {
        let mut document = json(text(&good[form]));
        *document.pointer_mut(pointer).unwrap() = value;
        let extension = text(&good[form]).split_once(".zip.").unwrap().1;
        let path = folder.join(format!("{position}.{extension}"));
        fs::write(&path, document.to_string()).unwrap();
        let mut case = good.clone();
        ["cyclonedx", "spdx", "provenance"].iter().for_each(|form| drop(case.as_object_mut().unwrap().remove(*form)));
        case[form] = json!(path);
        cases.push(case);
    }
    cases
}

#[test]
fn licences_names_and_urls_are_those_of_the_metadata() {
    let built = &*BUILT;
    let document = json(built.path("service.zip.cdx.json"));
    let all: BTreeMap<&str, &Value> = components(&document).collect();
    let license = |name: &str| all[name]["licenses"][0].clone();
    let id = |id: &str| json!({ "license": { "id": id, "acknowledgement": "declared" } });
    let named = |name: &str| json!({ "license": { "name": name, "acknowledgement": "declared" } });
    for (name, expected) in [
        ("typing-extensions", id("PSF-2.0")),
        ("certifi", id("MPL-2.0")),
        ("pyyaml", id("MIT")),
        ("packaging", json!({ "expression": "Apache-2.0 OR BSD-2-Clause", "acknowledgement": "declared" })),
        ("shop-rules", json!({ "expression": "MIT OR Apache-2.0", "acknowledgement": "declared" })),
        // Ambiguous: one of several BSD licences, one of two, and from classifiers.
        ("pysocks", named("BSD")),
        ("python-dateutil", named("Dual License")),
        ("idna", named("BSD License")),
    ] {
        assert_eq!(license(name), expected, "{name}");
    }
    let own = &license("shop-lib")["license"];
    assert_eq!(own["text"]["content"], "Nobody may sell\nwhat this sells.");
    let spdx = json(built.path("service.zip.spdx.json"));
    let package = |name: &str| {
        spdx["packages"].as_array().unwrap().iter().find(|package| package["name"] == name).unwrap().clone()
    };
    assert_eq!(package("certifi")["licenseDeclared"], "MPL-2.0");
    assert_eq!(package("idna")["licenseDeclared"], "LicenseRef-idna");
    assert_eq!(package("shop-service")["licenseDeclared"], "LicenseRef-Shop");
    let texts = spdx["hasExtractedLicensingInfos"].as_array().unwrap();
    let of = |id: &str| texts.iter().find(|text| text["licenseId"] == id).unwrap();
    assert_eq!(of("LicenseRef-shop-lib")["extractedText"], "Nobody may sell\nwhat this sells.");
    assert_eq!(of("LicenseRef-idna")["name"], "BSD License");
    assert_eq!(
        of("LicenseRef-Shop")["extractedText"],
        "The licence that the metadata of shop-service calls LicenseRef-Shop."
    );

    let purl = |name: &str| text(&all[name]["purl"]);
    assert_eq!(purl("idna"), "pkg:pypi/idna@3.10?file_name=idna-3.10-py3-none-any.whl");
    assert_eq!(purl("docopt"), "pkg:pypi/docopt@0.6.2?file_name=docopt-0.6.2.tar.gz");
    assert_eq!(purl("shop-lib"), "pkg:generic/shop-lib@0.1.0");
    // A repository on this machine has no URL.
    assert_eq!(purl("shop-rules"), "pkg:pypi/shop-rules@0.3.0");
    let references = |name: &str| all[name]["externalReferences"].as_array().unwrap();
    let docopt = references("docopt").iter().find(|link| link["type"] == "source-distribution").unwrap();
    assert_eq!(docopt["hashes"], all["docopt"]["hashes"]);
    let requests = references("requests");
    assert!(
        requests.iter().any(|link| link["type"] == "vcs" && text(&link["url"]).contains("github.com/psf/requests"))
    );
    let file = requests.iter().find(|link| link["type"] == "distribution").unwrap();
    assert!(text(&file["url"]).ends_with("-py3-none-any.whl"), "{file}");

    let root = &document["metadata"]["component"];
    assert_eq!((&root["name"], &root["version"]), (&json!("shop-service"), &json!("1.4.0")));
    assert_eq!(root["authors"], json!([{ "name": "Ann Ode", "email": "ann@example.org" }]));
    assert_eq!(root["hashes"][0]["content"], sha256(&fs::read(built.path("service.zip")).unwrap()));
    assert_eq!(package("shop-service")["supplier"], "Person: Ann Ode (ann@example.org)");
    assert_eq!(package("shop-service")["homepage"], "https://example.org/shop");
    assert!(all.contains_key("httpx") && all.contains_key("jmespath") && !all.contains_key("flask"));
}

#[test]
fn the_provenance_statement_contains_every_input() {
    let built = &*BUILT;
    let statement = json(built.path("service.zip.provenance.json"));
    let digest = sha256(&fs::read(built.path("service.zip")).unwrap());
    assert_eq!(statement["subject"], json!([{ "name": "service.zip", "digest": { "sha256": digest } }]));
    let definition = &statement["predicate"]["buildDefinition"];
    let lock = json!({ "name": "uv.lock", "digest": { "sha256": sha256(built.service.read("uv.lock").as_bytes()) } });
    let runtime = format!("python{}", built.python);
    assert_eq!(
        definition["externalParameters"],
        json!({
            "command": "lambda", "project": "shop-service", "lock": lock, "extras": ["web"], "groups": ["ops"],
            "target": { "profile": runtime, "python": built.python, "platform": "linux/amd64" },
        })
    );
    let inputs = definition["resolvedDependencies"].as_array().unwrap();
    assert!(inputs.contains(&lock));
    let rules = inputs.iter().find(|input| input["name"] == "shop-rules").unwrap();
    assert_eq!(rules["digest"], json!({ "gitCommit": built.commit }));
    // Every wheel and source distribution, with the digest in the lock.
    let locked = built.service.read("uv.lock");
    let files: Vec<&Value> = inputs.iter().filter(|input| text(&input["name"]).contains(".whl")).collect();
    assert!(files.len() > 15, "{inputs:#?}");
    for input in files.iter().chain(&[inputs.iter().find(|input| input["name"] == "docopt-0.6.2.tar.gz").unwrap()]) {
        let digest = format!("sha256:{}", text(&input["digest"]["sha256"]));
        let line =
            locked.lines().find(|line| line.contains(&digest)).unwrap_or_else(|| panic!("{input} is not locked"));
        assert!(line.contains(text(&input["uri"])), "{input}: {line}");
    }
    assert!(statement["predicate"]["runDetails"].get("metadata").is_none(), "{statement}");
}

#[test]
fn equal_inputs_give_equal_documents_from_anywhere() {
    let built = &*BUILT;
    let place = tempfile::tempdir().unwrap();
    let copied = place.path().join("another/folder");
    fs::create_dir_all(copied.parent().unwrap()).unwrap();
    succeed(Command::new("cp").arg("-r").arg(built.service.path()).arg(&copied));
    for form in ["--sbom=spdx", "--sbom=cyclonedx"] {
        let mut command = built.command(&copied, &place.path().join("service.zip"));
        command.args(["--extra=web", "--group=ops", "--provenance", form]).env_remove("SOURCE_DATE_EPOCH");
        command.env("PYBUNDLE_CACHE_DIR", place.path().join("cache")).env("LC_ALL", "C").env("TZ", "Asia/Tokyo");
        succeed(&mut command);
    }
    for end in ["", ".cdx.json", ".spdx.json", ".provenance.json"] {
        let name = format!("service.zip{end}");
        assert!(fs::read(place.path().join(&name)).unwrap() == fs::read(built.path(&name)).unwrap(), "{name} differs");
    }
}

/// `SOURCE_DATE_EPOCH` sets the time and changes nothing else.
#[test]
fn the_time_is_source_date_epoch() {
    let place = tempfile::tempdir().unwrap();
    let example = repository().join("testdata/example");
    let command = |form: &str, time: &str| {
        let mut command =
            pybundle(&["lambda", example.to_str().unwrap(), "--runtime=python3.12", "--provenance", form]);
        command.arg("-o").arg(place.path().join("fn.zip")).env("SOURCE_DATE_EPOCH", time);
        command
    };
    for form in ["--sbom=cyclonedx", "--sbom=spdx"] {
        succeed(&mut command(form, "1709210096"));
    }
    let read = |end: &str| json(place.path().join(format!("fn.zip{end}")));
    let time = "2024-02-29T12:34:56Z";
    assert_eq!(read(".cdx.json")["metadata"]["timestamp"], time);
    assert_eq!(read(".spdx.json")["creationInfo"]["created"], time);
    assert_eq!(read(".provenance.json")["predicate"]["runDetails"]["metadata"]["finishedOn"], time);
    let dated = fs::read(place.path().join("fn.zip")).unwrap();
    succeed(command("--sbom=spdx", "").env_remove("SOURCE_DATE_EPOCH"));
    assert!(dated == fs::read(place.path().join("fn.zip")).unwrap());
    assert_eq!(read(".spdx.json")["creationInfo"]["created"], "1980-01-01T00:00:00Z");
    assert!(read(".provenance.json")["predicate"]["runDetails"].get("metadata").is_none());
    assert_eq!(command("--sbom=spdx", "now").output().unwrap().status.code(), Some(2));
}

/// An index whose URL contains a password, and a token in its query.
#[test]
fn documents_contain_no_secret() {
    let server = Server::start();
    let wheel = crate::support::wheel("demo", "1.0");
    let login = "ann:s3cretpass";
    let link = format!(
        "<a href=\"/files/demo-1.0-py3-none-any.whl?key=s3cretkey#sha256={}\">demo-1.0-py3-none-any.whl</a>",
        sha256(&wheel)
    );
    let page = Answer::file(link.as_bytes()).header("Content-Type", "text/html").for_login(login);
    server.answer("/simple/demo/", [page]);
    server.answer("/files/demo-1.0-py3-none-any.whl", [Answer::file(&wheel).for_login(login)]);
    let place = tempfile::tempdir().unwrap();
    let index = server.url("/simple").replace("http://", "http://ann:s3cretpass@");
    fs::write(place.path().join("requirements.txt"), format!("--index-url {index}\ndemo==1.0\n")).unwrap();
    fs::write(place.path().join("app.py"), "").unwrap();
    let zip = place.path().join("out.zip");
    for form in ["cyclonedx", "spdx"] {
        let mut command = pybundle(&["lambda", "--runtime=python3.13", "--provenance", "--sbom", form, "--no-cache"]);
        succeed(command.arg("-o").arg(&zip).arg(place.path()));
    }
    for end in [".cdx.json", ".spdx.json", ".provenance.json"] {
        let document = fs::read_to_string(format!("{}{end}", zip.display())).unwrap();
        assert!(!document.contains("s3cret") && !document.contains("ann:") && !document.contains("ann@"), "{document}");
        assert!(document.contains("demo-1.0-py3-none-any.whl"), "{document}");
    }
    let document = json(format!("{}.cdx.json", zip.display()));
    let (_, demo) = components(&document).next().unwrap();
    let index = server.url("/simple").replace('/', "%2F");
    assert_eq!(demo["purl"], format!("pkg:pypi/demo@1.0?file_name=demo-1.0-py3-none-any.whl&repository_url={index}"));
}

#[test]
fn the_report_lists_the_files_and_no_build_includes_them() {
    let place = tempfile::tempdir().unwrap();
    let project = place.path().join("example");
    succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example")).arg(&project));
    let build = |arguments: &[&str]| -> Value {
        let mut command = pybundle(&["lambda", ".", "--runtime=python3.12", "--include=.", "-o", "fn.zip", "--json"]);
        serde_json::from_str(&succeed(command.args(arguments).current_dir(&project))).unwrap()
    };
    let plain = build(&[]);
    assert_eq!(plain["documents"], json!([]));
    let planned = build(&["--sbom=cyclonedx", "--provenance", "--dry-run"]);
    assert_eq!(planned["outputs"], json!(["fn.zip", "fn.zip.cdx.json", "fn.zip.provenance.json"]));
    let first = build(&["--sbom=cyclonedx", "--provenance"]);
    let documents = first["documents"].as_array().unwrap();
    let of = |kind: &str| documents.iter().find(|document| document["kind"] == kind).unwrap();
    for (kind, name) in [("cyclonedx", "fn.zip.cdx.json"), ("provenance", "fn.zip.provenance.json")] {
        assert_eq!(of(kind)["paths"], json!([name]));
        assert_eq!(of(kind)["digest"], format!("sha256:{}", sha256(&fs::read(project.join(name)).unwrap())));
    }
    let again = build(&["--sbom=spdx"]);
    let digests: BTreeSet<&str> = [&plain, &first, &again].map(|report| text(&report["artifacts"][0]["sha256"])).into();
    assert_eq!(digests.len(), 1);
    let mut command = pybundle(&["lambda", ".", "--runtime=python3.12", "-o", "fn.zip", "--sbom=cyclonedx"]);
    let page = succeed(command.current_dir(&project));
    assert!(page.contains("  sbom      CycloneDX, fn.zip.cdx.json\n"), "{page}");

    // A layer has no documents: it is a part of the function.
    let with_layer = build(&["--layer=layer.zip", "--sbom=cyclonedx", "--provenance"]);
    assert_eq!(with_layer["documents"].as_array().unwrap().len(), 2);
    let subjects = &json(project.join("fn.zip.provenance.json"))["subject"];
    let names: Vec<&str> = subjects.as_array().unwrap().iter().map(|subject| text(&subject["name"])).collect();
    assert_eq!(names, ["fn.zip", "layer.zip"]);

    // If the documents cannot be written, neither is the zip.
    fs::create_dir(project.join("other.zip.cdx.json")).unwrap();
    fs::write(project.join("other.zip.cdx.json/x"), "").unwrap();
    let mut command = pybundle(&["lambda", ".", "--runtime=python3.12", "-o", "other.zip", "--sbom=cyclonedx"]);
    let said = fail(command.current_dir(&project));
    assert!(said.contains("other.zip.cdx.json"), "{said}");
    assert!(!project.join("other.zip").exists());
}
