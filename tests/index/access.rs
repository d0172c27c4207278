//! Indexes that want to know who asks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use pybundle::fetch::{self, IndexCredentials};
use pybundle::lock::AcceptedFiles;
use serde_json::json;

use super::http::Answer;
use super::{Place, json_page, listed, named, told};

const WHEEL: &str = "demo-1.0-py3-none-any.whl";
const PAGE: &str = "/simple/demo/";
const LOGIN: &str = "ann:hunter2";

/// An index that only [`LOGIN`] may ask.
fn guarded() -> Place {
    let place = Place::new();
    place.server.answer(PAGE, [json_page(&[listed(WHEEL, &json!({}))]).for_login(LOGIN)]);
    place
}

fn index(place: &Place, user: &str) -> fetch::IndexUrl {
    let url = place.server.url("/simple").replace("http://", &format!("http://{user}"));
    fetch::IndexUrl { name: Some("own".to_owned()), url: url.parse().unwrap() }
}

fn with(mut place: Place, credentials: IndexCredentials) -> Place {
    place.fetch.credentials = credentials;
    place
}

#[test]
fn credentials_come_from_everywhere() {
    let variables = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let place = guarded();
    let in_url = IndexCredentials::new([], None, [index(&place, "ann:hunter2@")]);
    assert_eq!(with(place, in_url).names("1.0"), [WHEEL]);

    let place = guarded();
    let environment = variables(&[("UV_INDEX_OWN_USERNAME", "ann"), ("UV_INDEX_OWN_PASSWORD", "hunter2")]);
    let named = IndexCredentials::new(environment, None, [index(&place, "eve:wrong@")]);
    assert_eq!(with(place, named).names("1.0"), [WHEEL]);

    let place = guarded();
    let netrc = place.folder.path().join("netrc");
    fs::write(&netrc, "machine 127.0.0.1 login ann password hunter2\n").unwrap();
    let from_file = IndexCredentials::new([], Some(&netrc), []);
    assert_eq!(with(place, from_file).names("1.0"), [WHEEL]);
}

#[test]
fn a_refusal_names_the_index_and_no_secret() {
    let place = guarded();
    let credentials = IndexCredentials::new([], None, [index(&place, "eve:geheim@")]);
    let mut place = with(place, credentials);
    place.options.indexes[0].url = index(&place, "eve:geheim@").url;
    let error = place.find("1.0", AcceptedFiles::Any).unwrap_err();
    let text = format!("{} {error:?} {:?}", told(&error), place.options);
    assert!(text.contains("401") && text.contains("check the username and the password"), "{text}");
    assert!(!text.contains("geheim"), "{text}");

    let place = guarded();
    let credentials = IndexCredentials::new([], None, [index(&place, "")]);
    let error = told(&with(place, credentials).find("1.0", AcceptedFiles::Any).unwrap_err());
    assert!(error.contains("UV_INDEX_OWN_USERNAME"), "{error}");
}

#[test]
fn nothing_secret_is_kept() {
    let place = guarded();
    let signed = json!({"url": format!("http://files/{WHEEL}?signature=geheim")});
    let page = json_page(&[listed(WHEEL, &signed)]).header("ETag", "\"1\"");
    place.server.answer(PAGE, [page]);
    for _ in 0..2 {
        place.find("1.0", named(&[WHEEL])).unwrap();
    }
    assert_eq!(place.server.requests(PAGE).len(), 2, "the page was not kept");
}

/// Puts a `keyring` command into a folder, which knows one password, and logs how it is called.
fn keyring(place: &Place, service: &str) -> PathBuf {
    let folder = place.folder.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("keyring");
    let log = folder.join("log");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\n[ \"$1 $2 $3\" = 'get {service} ann' ] && echo hunter2\n",
        log.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[test]
fn a_keyring_is_asked_once_and_as_uv_asks_it() {
    for by_host in [true, false] {
        let place = guarded();
        for name in ["other", "third"] {
            let page = json_page(&[listed(&format!("{name}-1.0-py3-none-any.whl"), &json!({}))]).for_login(LOGIN);
            place.server.answer(&format!("/simple/{name}/"), [page]);
        }
        let url = place.server.url("/simple");
        let host = place.server.url("").replace("http://", "");
        let folder = keyring(&place, if by_host { &host } else { &url });
        let credentials = IndexCredentials::new([], None, [index(&place, "ann@")]).with_keyring(folder.clone().into());
        let place = with(place, credentials);
        let query = super::query("1.0", AcceptedFiles::Any);
        let pins = ["demo", "other", "third"].map(|name| super::pinned(name, &query));
        let mut selection = pybundle::lock::Selection { distributions: pins.into() };
        place.finder().complete(&mut selection, &super::target()).unwrap();
        let calls = fs::read_to_string(folder.join("log")).unwrap();
        let expected = if by_host { format!("get {url} ann\nget {host} ann\n") } else { format!("get {url} ann\n") };
        assert_eq!(calls, expected);

        // uv, with the same command, asks for the same and gets the page.
        fs::remove_file(folder.join("log")).unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let mut uv = Command::new("uv");
        uv.args(["pip", "compile", "--no-config", "--no-cache", "--no-deps", "--keyring-provider", "subprocess", "-"]);
        uv.args(["--default-index", index(&place, "ann@").url.as_str()]).env("PATH", path);
        uv.stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let metadata = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n";
        let page = json_page(&[listed(WHEEL, &json!({"core-metadata": true}))]).for_login(LOGIN);
        place.server.answer(PAGE, [page]);
        place.server.answer(&format!("/files/{WHEEL}.metadata"), [Answer::file(metadata)]);
        let mut child = uv.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"demo==1.0\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read_to_string(folder.join("log")).unwrap(), expected, "uv");
    }
}

#[test]
fn a_keyring_that_does_not_know_or_does_not_run_changes_nothing() {
    let place = guarded();
    let folder = keyring(&place, "elsewhere");
    for folder in [folder, place.folder.path().join("none")] {
        let place = guarded();
        let credentials = IndexCredentials::new([], None, [index(&place, "ann@")]).with_keyring(folder.into());
        let error = told(&with(place, credentials).find("1.0", AcceptedFiles::Any).unwrap_err());
        assert!(error.contains("401"), "{error}");
    }
}
