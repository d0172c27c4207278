//! A repository in which several services share records and layers.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::remote_cache::Fleet;
use crate::support::artifact::sha256;
use crate::support::command::succeed;
use crate::support::wheel_with;

/// Builds the image of a service on a machine whose cache has a name, pushes it, and returns the report.
fn push(fleet: &Fleet, machine: &str, service: &str, place: &str) -> Value {
    let mut command = fleet.workshop.command(&["--push", "--json", "--remote-cache", place]);
    command.args(["--tag", &format!("{}/team/{service}:1", fleet.registry.host())]);
    serde_json::from_str(&succeed(command.env("PYBUNDLE_CACHE_DIR", fleet.workshop.path(machine)))).unwrap()
}

/// Asserts that skopeo, which verifies every digest, pulls an image.
fn assert_pulled(fleet: &Fleet, service: &str) {
    let from = format!("docker://{}/team/{service}:1", fleet.registry.host());
    let to = format!("oci:{}", fleet.workshop.path(&format!("pulled-{service}")).display());
    let mut skopeo = Command::new("skopeo");
    succeed(skopeo.args(["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &from, &to]));
}

/// Returns the layers that contain distributions.
fn dependencies(report: &Value) -> Vec<&Value> {
    let layers = report["platforms"][0]["layers"].as_array().unwrap().iter();
    layers.filter(|layer| !layer["holds"].as_str().unwrap().starts_with("the ")).collect()
}

#[test]
fn a_service_that_never_built_mounts_what_another_has() {
    let fleet = Fleet::new();
    // A layer of more than 1 MiB, which does not compress well.
    let noise = (0..40_000).map(|at: u32| sha256(&at.to_le_bytes())).collect::<String>();
    let wheel = wheel_with("large", "1.0", &[("large/__init__.py", b""), ("large/noise.txt", noise.as_bytes())]);
    let path = "/large-1.0-py3-none-any.whl";
    fleet.server.answer(path, [Answer::file(&wheel)]);
    let large = format!("large @ {} --hash=sha256:{}\n", fleet.server.url(path), sha256(&wheel));
    let small = fs::read_to_string(fleet.workshop.path("project/requirements.txt")).unwrap();
    fleet.workshop.write("requirements.txt", [small.as_str(), &large].concat());
    let sent = || fleet.sent() + fleet.server.requests(path).len();

    let shared = format!("{}/team/shared", fleet.registry.host());
    let first = push(&fleet, "warm", "first", &shared);
    assert_eq!((&first["remote_cache"]["written"], dependencies(&first).len()), (&json!(true), 3), "{first}");

    // The same distributions: everything but the application is there.
    let (read, before) = (format!("read={shared}"), sent());
    fleet.edit(1);
    let second = push(&fleet, "cold", "second", &read);
    let placed = &second["pushed"]["tags"][0];
    assert_eq!((&second["remote_cache"]["fetched"], sent()), (&json!(0), before), "{second}");
    assert_eq!((&second["remote_cache"]["read"], &placed["mounted"]), (&json!("exact"), &json!(3)), "{second}");
    assert_pulled(&fleet, "second");

    // The registry has lost a layer, and says nothing of it: it is made from its wheels, and sent.
    let lost = dependencies(&first).into_iter().find(|layer| layer["holds"] == "large 1.0").unwrap();
    fleet.lose_bytes(lost["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap());
    let third = push(&fleet, "colder", "third", &read);
    let placed = &third["pushed"]["tags"][0];
    assert_eq!((&third["remote_cache"]["fetched"], sent()), (&json!(1), before + 1), "{third}");
    assert_eq!((&placed["mounted"], &third["digest"]), (&json!(2), &second["digest"]), "{third}");
    assert_pulled(&fleet, "third");

    // Other distributions, of which nothing is known: what is large is asked for before it is sent.
    fleet.workshop.write("requirements.txt", [&large, small.lines().next().unwrap()].concat());
    fleet.workshop.write("app.py", "import large\n");
    let other = push(&fleet, "other", "other", &read);
    let placed = &other["pushed"]["tags"][0];
    assert_eq!((&other["remote_cache"]["read"], &placed["mounted"]), (&json!("missing"), &json!(1)), "{other}");
    assert_pulled(&fleet, "other");
}
