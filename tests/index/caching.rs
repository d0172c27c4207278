//! What is asked of an index, and what is known already.

use pybundle::cache::Cache;
use pybundle::digest::Sha256;
use pybundle::fetch::Fetcher;
use pybundle::index::IndexError;
use pybundle::lock::{AcceptedFiles, DistributionSource, IndexQuery, LockedWheel, Selection};
use pybundle::report::Silent;
use serde_json::{Value, json};

use super::http::Answer;
use super::support::wheel;
use super::{Place, digest, find, html_page, json_page, listed, named, pinned, query, sha256, target, told};

const WHEEL: &str = "demo-1.0-py3-none-any.whl";
const PAGE: &str = "/simple/demo/";

fn serve(place: &Place, files: &[&str], cache_control: &str) {
    let files: Vec<Value> = files.iter().map(|name| listed(name, &json!({}))).collect();
    let etag = format!("\"{}\"", files.len());
    place.server.answer(PAGE, [json_page(&files).header("ETag", &etag).header("Cache-Control", cache_control)]);
}

#[test]
fn a_page_is_asked_for_once_for_every_target() {
    let place = Place::new();
    serve(&place, &[WHEEL], "max-age=0");
    let finder = place.finder();
    for wanted in [AcceptedFiles::Any, named(&[WHEEL]), AcceptedFiles::Digests([digest("gone")].into())] {
        let _ = find(&finder, &query("1.0", wanted));
    }
    assert!(matches!(find(&finder, &query("2.0", AcceptedFiles::Any)), Err(IndexError::NoVersion { .. })));
    assert_eq!(place.server.requests(PAGE).len(), 1);
}

#[test]
fn a_kept_page_that_has_everything_is_enough() {
    let place = Place::new();
    serve(&place, &[WHEEL, "demo-1.0.tar.gz"], "max-age=0");
    place.find("1.0", named(&[WHEEL])).unwrap();
    place.find("1.0", named(&[WHEEL, "demo-1.0.tar.gz"])).unwrap();
    place.find("1.0", AcceptedFiles::Digests([digest(WHEEL)].into())).unwrap();
    assert_eq!(place.server.requests(PAGE).len(), 1);

    // It is old, and there may be more of the version, or another one, by now.
    for (version, wanted) in
        [("1.0", AcceptedFiles::Any), ("1.0", named(&[WHEEL, "demo-1.0.zip"])), ("2.0", AcceptedFiles::Any)]
    {
        let before = place.server.requests(PAGE).len();
        let _ = place.find(version, wanted);
        let requests = place.server.requests(PAGE);
        assert_eq!(requests.len(), before + 1);
        assert_eq!(requests[before].header("if-none-match"), Some("\"2\""));
    }
    serve(&place, &[WHEEL, "demo-1.0.tar.gz", "demo-2.0.tar.gz"], "max-age=0");
    assert_eq!(place.names("2.0"), ["demo-2.0.tar.gz"]);
}

#[test]
fn a_fresh_page_is_asked_for_again_only_for_what_it_does_not_have() {
    for cache_control in ["max-age=600", "public, Max-Age=\"60\"", "private"] {
        let place = Place::new();
        serve(&place, &[WHEEL], cache_control);
        assert_eq!(place.names("1.0"), [WHEEL]);
        assert_eq!(place.names("1.0"), [WHEEL]);
        assert_eq!(place.server.requests(PAGE).len(), 1, "{cache_control}");
        serve(&place, &[WHEEL, "demo-2.0.tar.gz"], cache_control);
        assert_eq!(place.names("2.0"), ["demo-2.0.tar.gz"]);
    }
    for cache_control in ["no-cache", "no-store", "max-age=0"] {
        let place = Place::new();
        serve(&place, &[WHEEL], cache_control);
        assert_eq!(place.names("1.0"), place.names("1.0"));
        assert_eq!(place.server.requests(PAGE).len(), 2, "{cache_control}");
        let is_kept = place.server.requests(PAGE)[1].header("if-none-match").is_some();
        assert_eq!(is_kept, cache_control != "no-store");
    }
}

#[test]
fn offline_what_is_kept_is_used() {
    let mut place = Place::new();
    serve(&place, &[WHEEL], "max-age=0");
    assert_eq!(place.names("1.0"), [WHEEL]);
    place.fetch.offline = true;
    assert_eq!(place.names("1.0"), [WHEEL]);
    assert!(matches!(place.find("2.0", AcceptedFiles::Any), Err(IndexError::NoVersion { .. })));
    assert_eq!(place.server.requests(PAGE).len(), 1);
    place.cache = Cache::open(&place.folder.path().join("another")).unwrap();
    let error = told(&place.find("1.0", AcceptedFiles::Any).unwrap_err());
    assert!(
        error.contains("the page of demo in ")
            && error.contains(" is not in the cache")
            && error.contains("without --offline"),
        "{error}"
    );
    assert_eq!(place.server.requests(PAGE).len(), 1);
}

#[test]
fn many_distributions_are_asked_for_side_by_side_and_come_in_order() {
    let mut place = Place::new();
    let names: Vec<String> = (0..20).map(|number| format!("demo{number}")).collect();
    for name in &names {
        let file = listed(&format!("{name}-1.0-py3-none-any.whl"), &json!({}));
        let answer = json_page(&[file]).delayed(std::time::Duration::from_millis(200));
        place.server.answer(&format!("/simple/{name}/"), [answer]);
    }
    place.server.answer("/links", [html_page("")]);
    place.options.find_links = vec![place.server.url("/links").parse().unwrap()];
    let query = query("1.0", AcceptedFiles::Any);
    let mut selection = Selection { distributions: names.iter().map(|name| pinned(name, &query)).collect() };
    let start = std::time::Instant::now();
    place.finder().complete(&mut selection, &target()).unwrap();
    assert!(start.elapsed().as_millis() < 3000, "{:?}", start.elapsed());
    for (pinned, name) in selection.distributions.iter().zip(&names) {
        let DistributionSource::Files(files) = &pinned.source else { panic!("{pinned:?}") };
        assert!(files.wheels[0].filename.as_str().starts_with(&format!("{name}-")));
    }
    assert_eq!(place.server.requests("/links").len(), 1);

    // The first of those that are missing is told of.
    let missing: IndexQuery = super::query("2.0", AcceptedFiles::Any);
    let mut selection = Selection { distributions: names.iter().map(|name| pinned(name, &missing)).collect() };
    let error = place.finder().complete(&mut selection, &target()).unwrap_err().to_string();
    assert!(error.contains("demo0 2.0"), "{error}");
}

#[test]
fn nothing_is_asked_for_what_a_lock_locates() {
    let place = Place::new();
    let mut pinned = pinned("demo", &query("1.0", AcceptedFiles::Any));
    pinned.source = DistributionSource::Virtual("x".into());
    let mut selection = Selection { distributions: vec![pinned] };
    place.finder().complete(&mut selection, &target()).unwrap();
    assert_eq!(place.finder().metadata(&[]).unwrap(), Vec::<Option<Vec<u8>>>::new());
    assert!(place.server.requests(PAGE).is_empty());
}

/// Returns the wheel that the index has, with what it says of the metadata.
fn wheel_with(place: &Place, metadata: &Value) -> LockedWheel {
    place.serve(PAGE, &[listed(WHEEL, &json!({"core-metadata": metadata}))]);
    place.server.answer(&format!("/files/{WHEEL}.metadata"), [Answer::file(b"Name: demo\n")]);
    place.find("1.0", AcceptedFiles::Any).unwrap().files.wheels.remove(0)
}

#[test]
fn metadata_is_read_beside_the_wheel_and_verified() {
    let right = json!({"sha256": sha256("Name: demo\n").hex()});
    for metadata in [&right, &json!(true)] {
        let place = Place::new();
        let wheel = wheel_with(&place, metadata);
        let read = place.finder().metadata(&[wheel.clone(), wheel]).unwrap();
        assert_eq!(read, vec![Some(b"Name: demo\n".to_vec()); 2]);
        assert_eq!(place.server.requests(&format!("/files/{WHEEL}")).len(), 0);
    }
    let place = Place::new();
    let wheel = wheel_with(&place, &json!({"sha256": sha256("other").hex()}));
    let error = told(&place.finder().metadata(&[wheel]).unwrap_err());
    assert!(error.contains("the metadata of demo-1.0-py3-none-any.whl does not match its index"), "{error}");

    let place = Place::new();
    let wheel = wheel_with(&place, &json!(true));
    let huge = Answer::file(&vec![b'x'; (16 << 20) + 1]);
    place.server.answer(&format!("/files/{WHEEL}.metadata"), [huge]);
    let error = told(&place.finder().metadata(&[wheel]).unwrap_err());
    assert!(error.contains("larger than 16777216 bytes"), "{error}");

    let place = Place::new();
    let wheel = wheel_with(&place, &json!(false));
    assert_eq!(place.finder().metadata(&[wheel]).unwrap(), [None]);
    let mut place = Place::new();
    let wheel = wheel_with(&place, &right);
    place.fetch.offline = true;
    assert_eq!(place.finder().metadata(&[wheel]).unwrap(), [None]);
}

/// Finds a wheel, looks for one that is not there, downloads the first, and returns how many connections this took.
fn connections_for_a_wheel() -> usize {
    let place = Place::new();
    let wheel = wheel("demo", "1.0");
    let hash = Sha256::of(&wheel).hex();
    place.server.answer(PAGE, [json_page(&[listed(WHEEL, &json!({"hashes": {"sha256": hash}}))])]);
    place.server.answer(&format!("/files/{WHEEL}"), [Answer::file(&wheel)]);
    for version in ["1.0", "2.0"] {
        let _ = place.find(version, AcceptedFiles::Any);
    }
    let files = place.find("1.0", AcceptedFiles::Any).unwrap().files;
    let fetched = Fetcher::new(place.fetch.clone()).fetch(&files.wheels, &place.cache, &Silent).unwrap();
    assert_eq!(fetched[0].sha256, Sha256::of(&wheel));
    place.server.connections()
}

/// hyper-util (0.1.21) puts a connection back into its pool in a task of its own after the last byte was read. A request
/// that comes before opens another connection, so one connection is what happens often, not always.
#[test]
fn the_index_and_the_downloads_share_connections() {
    let attempts: Vec<usize> = (0..10).map(|_| connections_for_a_wheel()).collect();
    assert!(attempts.contains(&1), "{attempts:?}");
}
