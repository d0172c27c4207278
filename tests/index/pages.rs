//! The forms of pages, and servers that do not behave.

use std::sync::Arc;
use std::time::Duration;

use pybundle::lock::{AcceptedFiles, FileLocation};
use serde_json::json;

use super::http::Answer;
use super::{JSON, Place, digest, html_page, impatient, json_page, json_text, listed, told};

const WHEEL: &str = "demo-1.0-py3-none-any.whl";
const PAGE: &str = "/simple/demo/";

fn html() -> String {
    format!("<a href='../../html/{WHEEL}#{}'>x</a>", digest(WHEEL).to_string().replace(':', "="))
}

#[test]
fn json_is_preferred_to_html_and_either_is_read() {
    let files = [listed(WHEEL, &json!({}))];
    let both = html_page(&html()).or(JSON, &json_text(&files));
    for (answer, path) in [(both, "/files/"), (html_page(&html()), "/html/"), (json_page(&files), "/files/")] {
        let place = Place::new();
        place.server.answer(PAGE, [answer]);
        let found = place.find("1.0", AcceptedFiles::Any).unwrap();
        let [wheel] = &found.files.wheels[..] else { panic!("{found:?}") };
        assert_eq!(wheel.digests, [digest(WHEEL)]);
        let url = place.server.url(&format!("{path}{WHEEL}")).parse().unwrap();
        let index = Some(Arc::new(place.server.url("/simple").parse().unwrap()));
        assert_eq!(wheel.location, FileLocation::Url { url, index });
        let accept = place.server.requests(PAGE)[0].header("accept").unwrap().to_owned();
        assert!(accept.starts_with(JSON) && accept.ends_with("text/html;q=0.01"), "{accept}");
    }
}

#[test]
fn links_are_relative_to_where_a_redirect_ends() {
    let place = Place::new();
    place.server.answer(PAGE, [Answer::redirect("/elsewhere/deep/demo/")]);
    place.server.answer("/elsewhere/deep/demo/", [html_page(&html())]);
    let found = place.find("1.0", AcceptedFiles::Any).unwrap();
    let FileLocation::Url { url, .. } = &found.files.wheels[0].location else { panic!("{found:?}") };
    assert_eq!(url.path(), format!("/elsewhere/html/{WHEEL}"));
}

#[test]
fn what_may_pass_is_tried_again() {
    let files = [listed(WHEEL, &json!({}))];
    for bad in [
        Answer::status(503),
        Answer::status(429).header("Retry-After", "0"),
        json_page(&files).close_after(9),
        json_page(&files).reset_after(9),
    ] {
        let place = Place::new();
        place.server.answer(PAGE, [bad.clone(), bad, json_page(&files).delayed(Duration::from_millis(50))]);
        assert_eq!(place.names("1.0"), [WHEEL]);
        assert_eq!(place.server.requests(PAGE).len(), 3);
    }
}

#[test]
fn pages_that_are_none_are_told_of() {
    for (answer, reason) in [
        (Answer::status(500), "after 3 attempts"),
        (Answer::file(b"{}").header("Content-Type", "application/json"), "the content type `application/json`"),
        (Answer::file(b"{}"), "the response has no content type"),
        (Answer::file(b"{\"files\": [").header("Content-Type", JSON), "not a page of the simple API"),
        (Answer::file(b"\xff\x00").header("Content-Type", JSON), "not a page of the simple API"),
        (html_page("<meta name='pypi:repository-version' content='2.0'>"), "version 2.0 of the simple API"),
        (json_page(&[]).header("Content-Encoding", "br"), "content encoding `br`"),
        (json_page(&[]).header("Content-Encoding", "gzip"), "content encoding `gzip`"),
        (Answer::redirect("file:///etc/passwd"), "the server returned 302"),
        (json_page(&[]).hang_after(4), "stalled for"),
    ] {
        let mut place = Place::new();
        place.fetch.silence = impatient(300);
        place.server.answer(PAGE, [answer]);
        let error = told(&place.find("1.0", AcceptedFiles::Any).unwrap_err());
        assert!(error.contains(reason) && error.contains("/simple"), "{error}");
    }
}

#[test]
fn files_that_are_none_are_passed_over() {
    let place = Place::new();
    let files = [
        listed(WHEEL, &json!({})),
        listed("demo-1.0-py2.7.egg", &json!({})),
        listed("demo-1.0-x-py3-none-any.whl", &json!({})),
        listed("other-1.0-py3-none-any.whl", &json!({})),
        json!({"filename": "../demo-1.0.tar.gz", "url": "demo-1.0.tar.gz", "hashes": {}}),
        json!({"filename": "demo-1.0.tar.gz", "url": "file:///etc/passwd", "hashes": {}}),
    ];
    place.serve(PAGE, &files);
    let found = place.find("1.0", AcceptedFiles::Any).unwrap();
    assert_eq!(found.names(), [WHEEL]);
    assert_eq!(
        found.files.unusable,
        ["demo-1.0-py2.7.egg", "demo-1.0-x-py3-none-any.whl", "../demo-1.0.tar.gz", "demo-1.0.tar.gz"]
    );
}
