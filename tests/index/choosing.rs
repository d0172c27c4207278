//! Which files of a version count: by digest, name, Python and age.

use std::fs;
use std::time::SystemTime;

use pybundle::digest::Sha256;
use pybundle::index::{Cutoff, IndexError};
use pybundle::lock::{AcceptedFiles, FileLocation};
use serde_json::{Value, json};
use url::Url;

use super::http::Answer;
use super::{Place, digest, find, listed, named, query, told};

const WHEEL: &str = "demo-1.0-py3-none-any.whl";
const OTHER: &str = "demo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl";
const SDIST: &str = "demo-1.0.tar.gz";
const PAGE: &str = "/simple/demo/";

fn place() -> Place {
    let place = Place::new();
    place.serve(PAGE, &[WHEEL, OTHER, SDIST, "demo-1.0.zip"].map(|name| listed(name, &json!({}))));
    place
}

#[test]
fn files_are_those_with_a_digest_of_the_lock() {
    let place = place();
    let wanted = AcceptedFiles::Digests([digest(WHEEL), digest(SDIST), digest("gone")].into());
    let found = place.find("1.0", wanted).unwrap();
    assert_eq!(found.names(), [WHEEL, SDIST]);
    assert_eq!(found.files.wheels[0].digests, [digest(WHEEL)]);

    let error = place.find("1.0", AcceptedFiles::Digests([digest("gone")].into())).unwrap_err();
    assert!(matches!(error, IndexError::NoFile { is_other: true, .. }));
    let error = told(&error);
    for part in ["demo 1.0", "/simple", "digests of these are not in the lock", WHEEL, "lock again"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn files_are_those_that_the_lock_names() {
    let place = place();
    assert_eq!(place.find("1.0", named(&[WHEEL, "demo-1.0.zip"])).unwrap().names(), [WHEEL, "demo-1.0.zip"]);
    let contradicting =
        AcceptedFiles::Named([(WHEEL.to_owned(), [digest("x")].into()), (OTHER.to_owned(), [].into())].into());
    assert_eq!(place.find("1.0", contradicting).unwrap().names(), [OTHER]);
    let error = told(&place.find("1.0", named(&["demo-1.0-py2-none-any.whl"])).unwrap_err());
    assert!(error.contains("the lock does not list these"), "{error}");
}

#[test]
fn a_file_without_a_digest_is_verified_when_it_was_fetched() {
    let place = Place::new();
    let wanted = AcceptedFiles::Digests([digest(WHEEL), digest(SDIST)].into());
    place.serve(
        PAGE,
        &[listed(WHEEL, &json!({"hashes": {}})), listed(OTHER, &json!({"hashes": {"md5": "0".repeat(32)}}))],
    );
    let found = place.find("1.0", wanted.clone()).unwrap();
    assert_eq!(found.names(), [OTHER, WHEEL]);
    assert!(found.files.wheels.iter().all(|wheel| wheel.digests.len() == 2));

    // What is known to be right is preferred to what may be.
    let place = Place::new();
    place.serve(PAGE, &[listed(WHEEL, &json!({})), listed(OTHER, &json!({"hashes": {}}))]);
    assert_eq!(place.find("1.0", wanted).unwrap().names(), [WHEEL]);
}

#[test]
fn the_strongest_digest_of_a_page_identifies_a_file() {
    let place = Place::new();
    let hashes = json!({"hashes": {"md5": "0".repeat(32), "sha512": "1".repeat(128), "sha256": "2".repeat(64)}});
    place.serve(PAGE, &[listed(WHEEL, &hashes), listed(SDIST, &json!({"hashes": {"whirlpool": "00"}, "size": 7}))]);
    let found = place.find("1.0", AcceptedFiles::Any).unwrap();
    assert_eq!(found.files.wheels[0].digests, [format!("sha256:{}", "2".repeat(64)).parse().unwrap()]);
    let sdist = found.files.sdist.unwrap().file;
    assert_eq!((sdist.digests.len(), sdist.size), (0, Some(7)));
}

#[test]
fn a_pin_without_a_local_version_means_the_highest_that_fits() {
    let place = Place::new();
    let cpu = "demo-1.0+cpu-py3-none-any.whl";
    let mac = "demo-1.0+metal-cp312-cp312-macosx_11_0_arm64.whl";
    place.serve(PAGE, &[WHEEL, cpu, mac, "demo-1.0.1-py3-none-any.whl"].map(|name| listed(name, &json!({}))));
    let found = place.find("1.0", AcceptedFiles::Any).unwrap();
    assert_eq!((found.names(), found.version.as_str()), (vec![cpu.to_owned()], "1.0+cpu"));
    assert_eq!(place.names("1.0+cpu"), [cpu]);
    assert_eq!(place.find("1.0.1.0", AcceptedFiles::Any).unwrap().version, "1.0.1.0");
    assert_eq!(place.names("1.0+metal"), [mac]);
    assert_eq!(place.find("1.0", AcceptedFiles::Digests([digest(WHEEL)].into())).unwrap().version, "1.0");
}

#[test]
fn versions_that_are_not_there_are_named_with_their_neighbours() {
    let place = Place::new();
    let files =
        ["0.9", "1.0", "1.1", "1.1.1", "2.0"].map(|version| listed(&format!("demo-{version}.tar.gz"), &json!({})));
    place.serve(PAGE, &files);
    let error = place.find("1.1.2", AcceptedFiles::Any).unwrap_err();
    let IndexError::NoVersion { available, .. } = &error else { panic!("{error:?}") };
    assert_eq!(available, &["1.1.1", "1.1", "1.0", "2.0", "0.9"]);
    let error = told(&place.find("3", AcceptedFiles::Any).unwrap_err());
    assert!(error.contains("demo 3 is not in http://127.0.0.1"), "{error}");
}

#[test]
fn files_for_other_pythons_are_dropped() {
    let place = Place::new();
    let python = |specifiers: &str| json!({"requires-python": specifiers});
    place.serve(
        PAGE,
        &[listed(WHEEL, &python(">=3.13")), listed(OTHER, &python(">=3.6.*,")), listed(SDIST, &python("<3"))],
    );
    assert_eq!(place.names("1.0"), [OTHER]);
    let error = told(&place.find("1.0", named(&[WHEEL])).unwrap_err());
    assert!(error.contains("require Python >=3.13, not 3.12") && error.contains(WHEEL), "{error}");
}

/// PEP 792, in both formats of the API.
#[test]
fn the_state_of_a_project_is_told_of_once() {
    let html = |meta: &str| {
        let page = format!("<html><head>{meta}</head><body><a href=\"/files/{WHEEL}\">{WHEEL}</a></body></html>");
        super::html_page(&page)
    };
    let json = |status: &Value, files: &[Value]| {
        let page = json!({"meta": {"api-version": "1.4"}, "name": "demo", "files": files, "project-status": status});
        Answer::file(page.to_string().as_bytes()).header("Content-Type", super::JSON)
    };
    let files = [listed(WHEEL, &json!({}))];
    for (page, warning) in [
        (
            json(&json!({"status": "archived", "reason": "use other\nthings"}), &files),
            Some("as archived: use other things"),
        ),
        (json(&json!({"status": "quarantined"}), &[]), Some("as quarantined")),
        (json(&json!({"status": "active", "reason": "x"}), &files), None),
        (json(&json!({}), &files), None),
        (html("<meta name=\"pypi:project-status\" content=\"deprecated\">"), Some("as deprecated")),
        (
            html(
                "<meta name=\"pypi:project-status\" content=\"archived\"><meta name=\"pypi:project-status-reason\" content=\"old\">",
            ),
            Some("as archived: old"),
        ),
    ] {
        let place = Place::new();
        place.server.answer(PAGE, [page]);
        let finder = place.finder();
        for _ in 0..2 {
            let found = find(&finder, &query("1.0", AcceptedFiles::Any));
            assert_eq!(found.is_err(), warning == Some("as quarantined"), "{found:?}");
        }
        let warnings = place.warnings.take();
        assert_eq!(warnings.len(), usize::from(warning.is_some()), "{warnings:?}");
        let is_told = |warning: &str| warnings[0].starts_with("demo is marked in ") && warnings[0].ends_with(warning);
        assert!(warning.is_none_or(is_told), "{warnings:?}");
    }
}

#[test]
fn what_was_yanked_is_used_and_told_of_once() {
    let place = Place::new();
    place.serve(PAGE, &[listed(WHEEL, &json!({"yanked": "broken\nbadly"})), listed(SDIST, &json!({"yanked": true}))]);
    let finder = place.finder();
    for _ in 0..2 {
        find(&finder, &query("1.0", AcceptedFiles::Any)).unwrap();
    }
    let warnings = place.warnings.take();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("demo 1.0 was yanked") && warnings[0].ends_with("/simple: broken badly"),
        "{warnings:?}"
    );
}

#[test]
fn newer_files_are_excluded() {
    let mut place = Place::new();
    let uploaded = |time: &str| json!({"upload-time": time});
    let files = [listed(WHEEL, &uploaded("2026-01-31T23:59:59Z")), listed(OTHER, &uploaded("2026-02-01T00:00:00Z"))];
    place.serve(PAGE, &[&files[..], &[listed(SDIST, &json!({}))]].concat());
    place.options.exclude_newer = Some(Cutoff::parse("2026-01-31", SystemTime::now()).unwrap());
    assert_eq!(place.names("1.0"), [WHEEL]);
    let error = told(&place.find("1.0", named(&[OTHER, SDIST])).unwrap_err());
    assert!(error.contains("2026-02-01T00:00:00Z (exclude-newer)") && error.contains(OTHER), "{error}");
    place.options.exclude_newer_package.insert("demo".parse().unwrap(), None);
    assert_eq!(place.names("1.0").len(), 3);
}

#[test]
fn files_in_a_folder_are_compared_with_the_lock() {
    let mut place = Place::without_index();
    let folder = place.folder.path().join("wheels");
    fs::create_dir_all(folder.join("demo-1.0.zip")).unwrap();
    for name in [WHEEL, OTHER, SDIST] {
        fs::write(folder.join(name), name).unwrap();
    }
    place.options.no_index = true;
    place.options.find_links = vec![Url::from_file_path(&folder).unwrap()];
    let found = place.find("1.0", AcceptedFiles::Any).unwrap();
    assert_eq!(found.names(), [OTHER, WHEEL, SDIST]);
    assert_eq!(found.files.wheels[0].location, FileLocation::Path(folder.join(OTHER)));
    assert_eq!(found.files.wheels[0].digests, []);
    let found =
        place.find("1.0", AcceptedFiles::Digests([Sha256::of(WHEEL.as_bytes()).into(), digest("x")].into())).unwrap();
    assert_eq!((found.names(), &found.files.wheels[0].digests[..]), (vec![WHEEL.to_owned()], &[digest(WHEEL)][..]));
    let error = told(&place.find("1.0", AcceptedFiles::Digests([digest("x")].into())).unwrap_err());
    assert!(error.contains("digests of these are not in the lock") && error.contains("wheels"), "{error}");

    place.options.find_links = vec![Url::from_file_path(folder.join("none")).unwrap()];
    let error = told(&place.find("1.0", AcceptedFiles::Any).unwrap_err());
    assert!(error.contains("cannot read") && error.contains("--find-links"), "{error}");
}
