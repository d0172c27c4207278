//! A Django project with a folder of requirements: one image for development and a smaller one for production.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::example::Example;
use crate::support::answer::Request;
use crate::support::command::{pybundle, succeed};
use crate::support::docker::{Container, docker};

/// uWSGI as it is by default takes a minute to compile; this is what the example needs of it, not optimized.
const UWSGI: [(&str, &str); 3] =
    [("UWSGI_PROFILE", "pyonly"), ("UWSGI_EMBED_PLUGINS", "corerouter,http"), ("CFLAGS", "-O0")];

static TICKET: LazyLock<Example> = LazyLock::new(|| Example::build("ticket", &[], &UWSGI));

/// What prints who runs.
const WHO: &str = "import os, pwd; print(pwd.getpwuid(os.getuid()).pw_name, os.getuid(), os.getgid(), os.getcwd())";

fn assert_answers(container: &Container) {
    let hello = container.answer(&Request::get("http://127.0.0.1:8000/")).json();
    assert_eq!(hello, json!({"message": "hello world"}), "{}", container.log());
    let ticket = Request { body: Some(r#"{"subject": "Cache"}"#), ..Request::get("http://127.0.0.1:8000/tickets/") };
    assert_eq!(container.answer(&ticket).json(), json!({"tickets": [{"id": 1, "subject": "Cache"}]}));
}

#[test]
fn production_answers_by_uwsgi_and_stops() {
    LazyLock::force(&TICKET);
    let options = [
        "--read-only",
        "--tmpfs=/tmp",
        "--cap-drop=ALL",
        "--env=TICKET_SECRET_KEY=secret",
        "--env=TICKET_HOSTS=127.0.0.1",
        "--env=UWSGI_PROCESSES=1",
    ];
    let container = docker().container("ticket", &options, &[]);
    assert_answers(&container);
    assert!(container.log().contains("Starting uWSGI 2."), "{}", container.log());
    let first = container.execute(&["cat", "/proc/1/cmdline"]);
    assert!(first.starts_with("tini\0--\0entrypoint.sh\0uwsgi\0"), "{first:?}");
    assert_eq!(container.stop(), 0, "{}", container.log());
    // The script ends in `exec "$@"`: other commands can be given.
    let printed = succeed(&mut docker().run("ticket", &options, &["python", "-c", WHO]));
    assert!(printed.ends_with("app 1000 1000 /app\n"), "{printed}");
}

#[test]
fn development_answers_by_django_and_tests_itself() {
    LazyLock::force(&TICKET);
    let container = docker().container("ticket:dev", &[], &[]);
    assert_answers(&container);
    assert_eq!(container.stop(), 0, "{}", container.log());
    let run = |arguments: &[&str]| succeed(&mut docker().run("ticket:dev", &[], arguments));
    assert_eq!(run(&["python", "-c", WHO]), "app 1000 1000 /app\n");
    let pytest = run(&["python", "-m", "pytest", "-p", "no:cacheprovider"]);
    assert!(pytest.contains("2 passed"), "{pytest}");
}

/// tini is in production's image alone, over the same base.
#[test]
fn reports_name_the_package() {
    let [development, production] =
        ["dev", "prod"].map(|name| format!("docker-archive:{}", TICKET.path(&format!("dist/{name}.tar")).display()));
    let read = |arguments: &[&str]| -> Value { serde_json::from_str(&succeed(&mut pybundle(arguments))).unwrap() };
    let difference = read(&["diff", "--json", &development, &production]);
    let [tini] = difference["packages"].as_array().unwrap().as_slice() else { panic!("{}", difference["packages"]) };
    assert_eq!((&tini["name"], &tini["before"]), (&json!("tini"), &json!(null)));
    let inspected = read(&["inspect", "--json", &production]);
    let packages = inspected["packages"].as_array().unwrap();
    assert!(packages.contains(&json!({"name": "tini", "version": tini["after"]})), "{packages:?}");
    assert!(packages.iter().any(|package| package["name"] == "libc6"), "{packages:?}");

    let layout = format!("oci:{}", TICKET.path("layout").display());
    let project = TICKET.path("");
    let arguments = ["image", "prod", "--sbom=cyclonedx", "--quiet", "-o", &layout];
    succeed(pybundle(&arguments).current_dir(&project).envs(UWSGI));
    let blobs = std::fs::read_dir(TICKET.path("layout/blobs/sha256")).unwrap();
    let documents = blobs.filter_map(|blob| serde_json::from_slice(&std::fs::read(blob.unwrap().path()).unwrap()).ok());
    let sbom: Value = documents.into_iter().find(|document: &Value| document["bomFormat"] == "CycloneDX").unwrap();
    let component =
        sbom["components"].as_array().unwrap().iter().find(|component| component["name"] == "tini").unwrap();
    assert!(component["purl"].as_str().unwrap().starts_with("pkg:deb/"), "{component}");
    assert_eq!(component["licenses"][0]["license"]["id"], "MIT", "{component}");
}

#[test]
fn images_are_configured_as_they_should_be() {
    LazyLock::force(&TICKET);
    let images = ["ticket:dev", "ticket"].map(|image| docker().inspect(image));
    for image in &images {
        let configuration = &image["Config"];
        assert_eq!((&configuration["User"], &configuration["WorkingDir"]), (&json!("1000"), &json!("/app")));
        assert_eq!(configuration["ExposedPorts"], json!({"8000/tcp": {}}));
        let environment = configuration["Env"].as_array().unwrap();
        for variable in ["PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "DJANGO_ALLOW_ASYNC_UNSAFE=true"] {
            assert!(environment.contains(&json!(variable)), "{variable} in {environment:?}");
        }
    }
    let [development, production] = images.map(|image| image["Size"].as_u64().unwrap());
    assert!(production < development, "{production} {development}");
}
