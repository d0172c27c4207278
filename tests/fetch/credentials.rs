//! Credentials: they reach the server that they are for, and no other.

use std::fs;
use std::sync::Arc;

use pybundle::fetch::{DownloadOptions, IndexCredentials, IndexUrl};
use pybundle::lock::{FileLocation, LockedWheel};

use super::http::{Answer, Server};
use super::{Place, assert_arrived, options, told, wheel_bytes};

const LOGIN: &str = "ann:p@ss:word";

/// Returns a wheel that only [`LOGIN`] gets, locked from the index at `/simple`.
fn serve(place: &Place, bytes: &[u8]) -> LockedWheel {
    let wheel = place.serve("/files/a", bytes, [Answer::file(bytes).for_login(LOGIN)]);
    let FileLocation::Url { url, .. } = wheel.location else { unreachable!("it is served") };
    let index = Some(Arc::new(place.server.url("/simple").parse().unwrap()));
    LockedWheel { location: FileLocation::Url { url, index }, ..wheel }
}

fn index(place: &Place, name: &str) -> IndexUrl {
    IndexUrl { name: Some(name.to_owned()), url: place.server.url("/simple/").parse().unwrap() }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with(credentials: IndexCredentials) -> DownloadOptions {
    DownloadOptions { credentials, ..options() }
}

#[test]
fn every_source_of_credentials_opens_an_index() {
    let bytes = wheel_bytes(1, 100);
    let folder = tempfile::tempdir().unwrap();
    let netrc = |host: &str| {
        let path = folder.path().join("netrc");
        fs::write(&path, format!("{host} login ann password p@ss:word\n")).unwrap();
        path
    };
    let named = [("UV_INDEX_MY_INDEX_USERNAME", "ann"), ("UV_INDEX_MY_INDEX_PASSWORD", "p@ss:word")];
    type Source<'a> = (&'a str, usize, Box<dyn Fn(&Place) -> IndexCredentials + 'a>);
    let sources: [Source; 4] = [
        ("variables", 1, Box::new(|place| IndexCredentials::new(variables(&named), None, [index(place, "my-index")]))),
        (
            "an URL",
            1,
            Box::new(|place| {
                let url = place.server.url("/simple").replace("//", "//ann:p%40ss%3Aword@");
                IndexCredentials::new([], None, [IndexUrl { name: None, url: url.parse().unwrap() }])
            }),
        ),
        ("a netrc", 1, Box::new(|_| IndexCredentials::new([], Some(&netrc("machine 127.0.0.1")), []))),
        ("a netrc's default", 2, Box::new(|_| IndexCredentials::new([], Some(&netrc("default")), []))),
    ];
    for (name, requests, credentials) in sources {
        let place = Place::new();
        let wheel = serve(&place, &bytes);
        let wheels = place.fetch_with(with(credentials(&place)), &[wheel]).unwrap();
        assert_arrived(&wheels[0], &bytes);
        assert_eq!(place.server.requests("/files/a").len(), requests, "{name}");
    }
}

#[test]
fn a_refusal_says_what_to_set() {
    let place = Place::new();
    let wheel = serve(&place, b"?");
    let refusal = |credentials| told(&place.fetch_with(with(credentials), std::slice::from_ref(&wheel)).unwrap_err());

    let (message, hints) = refusal(IndexCredentials::new([], None, [index(&place, "my-index")]));
    assert!(message.ends_with("/files/a: the server returned 401 Unauthorized"), "{message}");
    assert!(hints.contains("UV_INDEX_MY_INDEX_USERNAME and UV_INDEX_MY_INDEX_PASSWORD"), "{hints}");

    let (_, hints) = refusal(IndexCredentials::default());
    assert!(hints.contains("[[tool.uv.index]]") && hints.contains(".netrc"), "{hints}");

    let wrong = variables(&[("UV_INDEX_MY_INDEX_USERNAME", "ann"), ("UV_INDEX_MY_INDEX_PASSWORD", "hunter2")]);
    let (message, hints) = refusal(IndexCredentials::new(wrong, None, [index(&place, "my-index")]));
    assert!(message.contains("401 Unauthorized for the credentials that were sent"), "{message}");
    assert!(hints.contains("check the username and the password"), "{hints}");
    assert!(!format!("{message}{hints}").contains("hunter2"));

    let folder = tempfile::tempdir().unwrap();
    let netrc = folder.path().join("netrc");
    fs::write(&netrc, "machine host login ann hunter2").unwrap();
    let (_, hints) = refusal(IndexCredentials::new([], Some(&netrc), []));
    assert!(hints.contains("netrc: it has a syntax error") && !hints.contains("hunter2"), "{hints}");
}

#[test]
fn a_redirect_takes_no_credentials_to_another_host() {
    let place = Place::new();
    let elsewhere = Server::start();
    let bytes = wheel_bytes(1, 100);
    elsewhere.answer("/file", [Answer::file(&bytes)]);
    let wheel = serve(&place, &bytes);
    let redirect = Answer::redirect(&elsewhere.url("/file")).for_login(LOGIN);
    place.server.answer("/files/a", [Answer::redirect("/files/b").for_login(LOGIN)]);
    place.server.answer("/files/b", [redirect]);

    let named = variables(&[("UV_INDEX_I_USERNAME", "ann"), ("UV_INDEX_I_PASSWORD", "p@ss:word")]);
    let credentials = IndexCredentials::new(named, None, [index(&place, "i")]);
    assert_arrived(&place.fetch_with(with(credentials), &[wheel]).unwrap()[0], &bytes);
    let sent = |server: &Server, path: &str| server.requests(path)[0].header("authorization").is_some();
    assert!(sent(&place.server, "/files/a") && sent(&place.server, "/files/b"));
    assert!(!sent(&elsewhere, "/file"));
}

#[test]
fn an_index_gets_no_credentials_of_another_realm() {
    let place = Place::new();
    let elsewhere = Server::start();
    let bytes = wheel_bytes(1, 100);
    let wheel = place.serve("/a", &bytes, [Answer::file(&bytes)]);
    let url = elsewhere.url("/simple").replace("//", "//ann:secret@");
    let credentials = IndexCredentials::new([], None, [IndexUrl { name: None, url: url.parse().unwrap() }]);
    place.fetch_with(with(credentials), &[wheel]).unwrap();
    assert_eq!(place.server.requests("/a")[0].header("authorization"), None);
}
