//! A repository with several applications: a function and a service, of code from several folders.

use std::sync::LazyLock;

use serde_json::json;

use crate::example::Example;
use crate::support::answer::Request;
use crate::support::artifact::leaves_of_zip;
use crate::support::bases;
use crate::support::docker::docker;
use crate::support::lambda::invoke;

static CATALOGUE: LazyLock<Example> = LazyLock::new(|| Example::build("catalogue", &["--workspace"], &[]));

#[test]
fn the_function_answers() {
    let zip = CATALOGUE.path("ingestor/dist/ingestor.zip");
    let leaves = leaves_of_zip(&zip);
    for path in ["ingestor.py", "common/settings.py", "config/index.json", "works/__init__.py"] {
        assert!(leaves.contains_key(path), "{path} in {leaves:?}");
    }
    assert!(leaves.keys().any(|path| path.starts_with("pydantic_core/_pydantic_core.")), "{leaves:?}");

    let event = json!({"records": [
        {"id": "a22au6yn", "title": "Anatomy of the human body", "format": "Books", "year": "1858"},
        {"id": "xq7r3w5d", "title": "Anatomy lectures, on tape", "format": "Audio"},
        {"id": "b6c2", "title": "The anatomy of a wound man", "format": "Pictures"},
    ]});
    let answer = invoke(&bases::slim().python, "ingestor.handler", &event, &[&zip]).answer();
    let work = json!({"id": "a22au6yn", "title": "Anatomy of the human body", "format": "Books", "year": 1858});
    assert_eq!((&answer["index"], &answer["works"]), (&json!("works-2024-11"), &json!([work])));
    assert!(answer["rejected"]["b6c2"][0].as_str().unwrap().starts_with("String should match"), "{answer}");
}

#[test]
fn the_service_answers_and_stops() {
    LazyLock::force(&CATALOGUE);
    let container = docker().container("catalogue/search", &["--read-only", "--cap-drop=ALL"], &[]);
    let found = container.answer(&Request::get("http://127.0.0.1:8000/works?query=wound+anatomy")).json();
    let work = json!({"id": "b6c2hk9m", "title": "The anatomy of a wound man", "format": "Pictures", "year": 1517});
    assert_eq!(found, json!([work]), "{}", container.log());
    assert_eq!(container.stop(), 0, "{}", container.log());
}
