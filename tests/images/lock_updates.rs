//! Locks in which one distribution changes: what a machine fetches that has nothing but the record of the previous image.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::http::Answer;
use crate::remote_cache::Fleet;
use crate::support::artifact::sha256;
use crate::support::wheel_with;

#[test]
fn only_the_wheel_that_changed_is_fetched() {
    let fleet = Fleet::new();
    let shown = |report: &Value| -> Vec<String> {
        let layers = report["platforms"][0]["layers"].as_array().unwrap().iter();
        layers.map(|layer| layer["holds"].as_str().unwrap().to_owned()).collect()
    };
    // Streams of stored blocks, each at another bit, beside entries of the example that are not compressed.
    let noise: Vec<(String, Vec<u8>)> = (0..40_usize)
        .map(|at| {
            let digests = (0..9_usize).flat_map(|more| Sha256::digest([at as u8, more as u8])).take(40 + 6 * at);
            (format!("noise/{}{at}.bin", "x".repeat(at)), digests.collect())
        })
        .collect();
    let noise: Vec<(&str, &[u8])> = noise.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let (noise, path) = (wheel_with("noise", "1.0", &noise), "/noise-1.0-py3-none-any.whl");
    fleet.server.answer(path, [Answer::file(&noise)]);
    let lock = fs::read_to_string(fleet.workshop.path("project/requirements.txt")).unwrap();
    let line = format!("noise @ {} --hash=sha256:{}\n", fleet.server.url(path), sha256(&noise));
    fleet.workshop.write("requirements.txt", lock + &line);
    let held = |version: &str| format!("example-greeting {version}, example-tally 2.0.0, noise 1.0");
    let first = fleet.report("warm", "1", &["--remote-cache", "auto"]);
    fleet.report("warm", "2", &["--remote-cache", "auto"]);
    assert!(shown(&first).contains(&held("1.2.0")), "{first}");

    // A new version of one of three that share a layer.
    let code = b"def greet(name, language):\n    return f'Hello, {name}!'\n";
    let wheel = wheel_with("example_greeting", "1.3.0", &[("example_greeting/__init__.py", code)]);
    let path = "/example_greeting-1.3.0-py3-none-any.whl";
    fleet.server.answer(path, [Answer::file(&wheel)]);
    let lock = fs::read_to_string(fleet.workshop.path("project/requirements.txt")).unwrap();
    let others = lock.lines().filter(|line| !line.starts_with("example-greeting")).map(|line| format!("{line}\n"));
    let line = format!("example-greeting @ {} --hash=sha256:{}\n", fleet.server.url(path), sha256(&wheel));
    fleet.workshop.write("requirements.txt", others.chain([line]).collect::<String>());
    let expected = fleet.expected(&[]);

    let sent = || (fleet.sent(), fleet.server.requests(path).len());
    let (wheels, new) = sent();
    let cold = fleet.report("cold", "1", &[]);
    assert!(shown(&cold).contains(&held("1.3.0")), "{cold}");
    assert_eq!((&cold["digest"], &cold["remote_cache"]["read"]), (&expected, &json!("earlier")));
    assert_eq!((sent(), &cold["remote_cache"]["fetched"]), ((wheels, new + 1), &json!(0)), "{cold}");
    // That layer and the configuration.
    assert_eq!(cold["pushed"]["tags"][0]["uploaded"], 2, "{cold}");

    // The registry has lost the layer that the others would be taken from.
    let layers = first["platforms"][0]["layers"].as_array().unwrap();
    let shared = layers.iter().find(|layer| layer["holds"] == held("1.2.0")).unwrap();
    fleet.lose_blob(shared["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap());
    let colder = fleet.report("colder", "2", &[]);
    assert_eq!((&colder["digest"], &colder["remote_cache"]["read"]), (&expected, &json!("earlier")));
    assert_eq!((sent(), &colder["remote_cache"]["fetched"]), ((wheels + 1, new + 2), &json!(2)), "{colder}");
}

/// What a module of a distribution imports is in the record, and missing on each machine alike.
#[test]
fn audits_of_distributions_need_no_wheel() {
    let (fleet, path) = (Fleet::new(), "/needy-1.0-py3-none-any.whl");
    let wheel = wheel_with("needy", "1.0", &[("needy.py", b"import json\nimport nothere\n")]);
    fleet.server.answer(path, [Answer::file(&wheel)]);
    let line = format!("needy @ {} --hash=sha256:{}\n", fleet.server.url(path), sha256(&wheel));
    fleet.workshop.write("requirements.txt", line);
    fleet.workshop.write("app.py", "VALUE = 1\n");
    fleet.report("warm", "1", &["--remote-cache", "auto"]);
    fleet.workshop.write("app.py", "import needy\n");
    let [warm, cold] = ["warm", "cold"].map(|machine| {
        let output = fleet.push(machine, "2", &[]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    });
    assert!(warm.1.contains("imports `nothere`"), "{}", warm.1);
    assert_eq!((warm, fleet.server.requests(path).len()), (cold, 1));
}
