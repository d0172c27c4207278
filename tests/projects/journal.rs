//! A service whose tests run inside of its container, over the layers that production gets.

use std::sync::LazyLock;

use serde_json::json;

use crate::example::Example;
use crate::support::answer::Request;
use crate::support::command::succeed;
use crate::support::docker::docker;

static JOURNAL: LazyLock<Example> = LazyLock::new(|| Example::build("journal", &[], &[]));

#[test]
fn the_service_answers_and_stops() {
    LazyLock::force(&JOURNAL);
    let container = docker().container("journal", &["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL"], &[]);
    let contents = container.answer(&Request::get("http://127.0.0.1:8000/"));
    assert!(contents.body.contains("How cells keep time &amp; place</a>, R Mori et al."), "{contents:?}");
    let article = container.answer(&Request::get("http://127.0.0.1:8000/articles/00007")).json();
    assert_eq!(article["authors"], json!(["J Lind", "P Sato"]));
    assert_eq!(container.stop(), 0, "{}", container.log());
    assert!(!container.log().contains("ERROR"), "{}", container.log());
}

#[test]
fn its_tests_run_in_the_container() {
    LazyLock::force(&JOURNAL);
    let printed = succeed(&mut docker().run("journal:test", &["--read-only", "--tmpfs=/tmp"], &[]));
    assert!(printed.contains("tests/test_service.py") && printed.contains("8 passed"), "{printed}");
    // What production lacks.
    let pytest = docker().run("journal", &[], &["python", "-c", "import pytest"]).output().unwrap();
    assert!(String::from_utf8_lossy(&pytest.stderr).contains("No module named 'pytest'"), "{pytest:?}");
}

#[test]
fn what_is_tested_are_the_layers_that_production_gets() {
    let (production, test) = (JOURNAL.layers("web"), JOURNAL.layers("test"));
    assert_eq!(production, test[..production.len()]);
    assert!(test.len() > production.len());
    // As Docker sees it, the base's layers included.
    let layers = |image| docker().inspect(image)["RootFS"]["Layers"].as_array().unwrap().clone();
    let (production, test) = (layers("journal"), layers("journal:test"));
    assert_eq!(production, test[..production.len()]);
}
