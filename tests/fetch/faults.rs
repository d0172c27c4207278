//! Downloads that fail: what is told, what is left, and what is not tried again.

use std::net::TcpListener;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pybundle::digest::Sha256;
use pybundle::fetch::{DownloadOptions, FetchError, Fetcher, RetryPolicy};
use pybundle::lock::LockedWheel;
use pybundle::report::{Phase, Reporter};
use pybundle::silence::SilenceLimits;

use super::http::{Answer, Ranges};
use super::{Place, Tally, assert_arrived, at_path, forge::FILENAME, locked, options, told, wheel_bytes};

const SIZE: usize = 50_000;

/// Asserts that the cache has nothing, not even in parts.
#[track_caller]
fn assert_empty(place: &Place) {
    let left = [place.files(".whl"), place.files(".part"), place.files(".record")].concat();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn another_file_than_the_locked_one_is_refused() {
    let (bytes, mut other) = (wheel_bytes(1, SIZE), wheel_bytes(1, SIZE));
    other[SIZE / 2] ^= 1;
    let place = Place::new();
    let wheel = place.serve("/a.whl", &bytes, [Answer::file(&other)]);
    let (message, hints) = place.refusal(&wheel);
    let expected = format!(
        "cannot fetch {FILENAME} from {}: the file does not match the lock: expected {}, got {}",
        place.server.url("/a.whl"),
        Sha256::of(&bytes),
        Sha256::of(&other)
    );
    assert_eq!(message, expected);
    assert!(hints.contains("uv lock"), "{hints}");
    assert_eq!(place.server.requests("/a.whl").len(), 1);
    assert_empty(&place);
}

/// A part that is wrong is not found out before the end: then all is downloaded once more, and only once.
#[test]
fn a_wrong_part_is_replaced_once() {
    let (bytes, mut other) = (wheel_bytes(1, SIZE), wheel_bytes(1, SIZE));
    other[10] ^= 1;
    let place = Place::new();
    let wheel = place.serve("/a", &bytes, [Answer::file(&other).close_after(20_000), Answer::file(&bytes)]);
    place.fetch_one(&wheel, &bytes);
    assert_eq!(place.server.ranges("/a"), [None, Some("bytes=20000-".to_owned()), None]);

    let place = Place::new();
    let wheel = place.serve("/a", &bytes, [Answer::file(&other).close_after(20_000), Answer::file(&other)]);
    assert!(place.refusal(&wheel).0.contains("does not match the lock"));
    assert_eq!(place.server.requests("/a").len(), 3);
    assert_empty(&place);
}

#[test]
fn a_file_of_another_size_is_refused() {
    let bytes = wheel_bytes(1, SIZE);
    let longer = [&bytes[..], b"more"].concat();
    let (size, more) = (bytes.len(), longer.len());
    for (is_hashed, answer, message) in [
        (false, Answer::file(&longer), format!("the file has {more} bytes, expected {size}")),
        (false, Answer::file(&bytes[1..]), format!("the file has {} bytes, expected {size}", size - 1)),
        (true, Answer::file(&longer), "the file does not match the lock".to_owned()),
        (true, Answer::file(&longer).without_length(), format!("the file has more bytes, expected {size}")),
    ] {
        let place = Place::new();
        let wheel = place.serve("/a", &bytes, [answer]);
        let wheel = if is_hashed { wheel } else { LockedWheel { digests: Vec::new(), ..wheel } };
        let (told, _) = place.refusal(&wheel);
        assert!(told.contains(&message), "{told}");
        assert_eq!(place.server.requests("/a").len(), 1);
        assert_empty(&place);
    }
}

/// Keeps warnings.
#[derive(Default)]
struct Warned(Mutex<Vec<String>>);

impl Reporter for Warned {
    fn start(&self, _: Phase, _: u64) {}
    fn advance(&self, _: Phase, _: u64) {}
    fn finish(&self, _: Phase) {}
    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

/// pip and uv do not compare the size at all.
#[test]
fn a_wrong_size_with_the_right_digest_is_a_warning() {
    let bytes = wheel_bytes(1, SIZE);
    for (listed, is_local) in [(1, false), (SIZE as u64 * 2, false), (1, true)] {
        let place = Place::new();
        let path = place.folder.path().join("demo.whl");
        std::fs::write(&path, &bytes).unwrap();
        let wheel = if is_local { at_path(&path, &bytes) } else { place.serve("/a", &bytes, [Answer::file(&bytes)]) };
        let warned = Warned::default();
        let wheel = LockedWheel { size: Some(listed), ..wheel };
        let fetched = Fetcher::new(options()).fetch(&[wheel], &place.cache(), &warned).unwrap();
        assert_arrived(&fetched[0], &bytes);
        let warning = warned.0.into_inner().unwrap().concat();
        assert!(warning.ends_with(&format!("{} bytes instead of the {listed} listed", bytes.len())), "{warning}");
    }
}

#[test]
fn an_endless_body_is_not_read_to_its_end() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let endless = [&bytes[..], &[0; SIZE]].concat();
    let wheel = place.serve("/a", &bytes, [Answer::file(&endless).without_length().hang_after(endless.len())]);
    assert!(place.refusal(&wheel).0.contains("the file has more bytes"));
}

#[test]
fn a_file_that_always_ends_early_is_given_up() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let short = Answer::file(&bytes[..20_000]).without_length().ranges(Ranges::Ignored);
    let (message, _) = place.refusal(&place.serve("/a", &bytes, [short]));
    let expected = format!(" after 4 attempts: the file ended after 20000 of {} bytes", bytes.len());
    assert!(message.ends_with(&expected), "{message}");
    assert_eq!(place.files(".part").len(), 1, "what came is kept for the next run");
}

#[test]
fn refusals_are_final() {
    for status in [400, 401, 403, 404, 410, 451] {
        let place = Place::new();
        let wheel = place.serve("/a", b"?", [Answer::status(status)]);
        let (message, hints) = place.refusal(&wheel);
        assert!(message.contains(&format!("the server returned {status}")), "{message}");
        assert_eq!(place.server.requests("/a").len(), 1, "{status}");
        assert_eq!(hints.contains(".netrc"), [401, 403, 404, 410].contains(&status), "{hints}");
        assert_eq!(hints.contains("uv lock"), [404, 410].contains(&status), "{hints}");
    }
}

#[test]
fn lasting_failures_are_given_up() {
    let place = Place::new();
    let wheel = place.serve("/a", b"?", [Answer::status(503)]);
    let (message, _) = place.refusal(&wheel);
    assert!(message.ends_with("after 4 attempts: the server returned 503 Service Unavailable"), "{message}");
    assert_eq!(place.server.requests("/a").len(), 4);
}

#[test]
fn the_pause_that_a_server_asks_for_is_made_within_bounds() {
    let bytes = wheel_bytes(1, 10);
    for (asked, longest, shortest) in [("1", 5000, 1000), ("3600", 300, 300)] {
        let place = Place::new();
        let busy = Answer::status(429).header("Retry-After", asked);
        let wheel = place.serve("/a", &bytes, [busy, Answer::file(&bytes)]);
        let retry = RetryPolicy { longest_pause: Duration::from_millis(longest), ..options().retry };
        let start = Instant::now();
        place.fetch_with(DownloadOptions { retry, ..options() }, &[wheel]).unwrap();
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_millis(shortest) && elapsed < Duration::from_secs(5), "{elapsed:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_of_without_secrets() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://user:hunter2@127.0.0.1:{port}/a.whl?token=hunter2#hunter2");
    let place = Place::new();
    let wheel = locked(&url, b"?");
    let error = place.fetch(&[LockedWheel { size: None, ..wheel }]).unwrap_err();
    let (message, hints) = told(&error);
    let start = format!("cannot fetch {FILENAME} from http://127.0.0.1:{port}/a.whl after 4 attempts");
    assert!(message.starts_with(&format!("{start}: the connection failed: ")), "{message}");
    assert!(!format!("{message}{hints}{error:?}").contains("hunter2"), "{message} {error:?}");
    assert!(hints.contains("HTTPS_PROXY"), "{hints}");
}

#[test]
fn redirects_without_end_are_given_up() {
    let place = Place::new();
    let wheel = place.serve("/a", b"?", [Answer::redirect("/a")]);
    let (message, _) = place.refusal(&wheel);
    assert!(message.contains("redirects too often"), "{message}");
    assert_eq!(place.server.requests("/a").len(), 11);
}

/// Whichever fails first in time, the first one of the lock is reported; what comes after it is not waited for.
#[test]
fn of_several_failures_the_first_in_order_is_reported() {
    for delays in [[200, 0], [0, 200]] {
        let place = Place::new();
        let bytes = wheel_bytes(1, SIZE);
        let slow = |delay| Answer::status(404).delayed(Duration::from_millis(delay));
        let mut wheels = vec![
            place.serve("/good", &bytes, [Answer::file(&bytes).delayed(Duration::from_millis(100))]),
            place.serve("/first", b"1", [slow(delays[0])]),
            place.serve("/second", b"2", [slow(delays[1])]),
        ];
        for n in 0..40 {
            let other = wheel_bytes(100 + n, 10);
            wheels.push(place.serve(&format!("/hangs/{n}"), &other, [Answer::file(&other).hang_after(5)]));
        }
        let start = Instant::now();
        let (message, _) =
            told(&place.fetch_with(DownloadOptions { concurrency: 50, ..options() }, &wheels).unwrap_err());
        assert!(message.contains("/first: the server returned 404"), "{message}");
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(place.files(".whl").len(), 1, "what came in whole is kept");
    }
}

#[test]
fn offline_names_all_that_is_missing() {
    let place = Place::new();
    let files = [wheel_bytes(1, 10), wheel_bytes(2, 10), wheel_bytes(3, 10)];
    let mut wheels: Vec<LockedWheel> = files
        .iter()
        .enumerate()
        .map(|(n, bytes)| {
            let wheel = place.serve(&format!("/{n}"), bytes, [Answer::file(bytes)]);
            LockedWheel { filename: format!("demo-1.0-{n}-py3-none-any.whl").parse().unwrap(), ..wheel }
        })
        .collect();
    place.fetch(&wheels[1..2]).unwrap();
    let offline = DownloadOptions { offline: true, ..options() };
    let error = place.fetch_with(offline.clone(), &wheels).unwrap_err();
    assert!(matches!(&error, FetchError::Offline(missing) if missing.len() == 2));
    let (message, hints) = told(&error);
    assert_eq!(
        message,
        "2 files are not in the cache, and the network is disabled: \
         demo-1.0-0-py3-none-any.whl, demo-1.0-2-py3-none-any.whl"
    );
    assert!(hints.contains("--offline"), "{hints}");
    wheels.truncate(2);
    assert!(told(&place.fetch_with(offline, &wheels).unwrap_err()).0.starts_with("1 file is not"));
    assert!(place.server.requests("/0").is_empty());
}

/// The digest alone makes no wheel.
#[test]
fn a_locked_file_that_is_no_wheel_is_refused() {
    let place = Place::new();
    let wheel = place.serve("/a", b"<html>", [Answer::file(b"<html>")]);
    let (message, _) = place.refusal(&wheel);
    assert!(message.contains(FILENAME) && message.contains("not a zip archive"), "{message}");
    assert_empty(&place);

    let bytes = wheel_bytes(1, 10);
    let wheel = place.serve("/b", &bytes, [Answer::file(&bytes)]);
    let (message, _) = place.refusal(&LockedWheel { filename: "other-1.0-py3-none-any.whl".parse().unwrap(), ..wheel });
    assert!(message.starts_with("other-1.0-py3-none-any.whl: "), "{message}");
    assert_empty(&place);
}

#[test]
fn other_schemes_are_refused() {
    for url in ["ftp://host/a.whl", "git+https://u:p@host/a", "data:text/plain,a"] {
        let (message, _) = Place::new().refusal(&locked(url, b"?"));
        assert!(message.contains("expected https, http or file"), "{message}");
        assert!(!message.contains("u:p"), "{message}");
    }
}

/// Connections are accepted by the system, and nothing answers.
#[test]
fn a_server_that_does_not_answer_is_named_and_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (place, tally, milliseconds) = (Place::new(), Tally::default(), Duration::from_millis);
    let silence = SilenceLimits { notice: milliseconds(300), request: milliseconds(500), total: milliseconds(2000) };
    let wheels = [locked(&format!("http://{host}/a"), b"?"), locked(&format!("http://{host}/b"), b"!")];
    let start = Instant::now();
    let fetcher = Fetcher::new(DownloadOptions { silence, ..options() });
    let (message, hints) = told(&fetcher.fetch(&wheels, &place.cache(), &tally).unwrap_err());
    assert!(start.elapsed() < 4 * silence.total, "{:?}", start.elapsed());
    // The attempts share the limit, and both files the note.
    assert!(message.ends_with(&format!("attempts: {host} did not answer for 2 s")), "{message}");
    assert!(hints.contains("--network-timeout 10") && hints.contains("PYBUNDLE_NETWORK_TIMEOUT=10"), "{hints}");
    assert_eq!(tally.notes(), [format!("waiting for {host}: no answer for 0 s")]);
}

/// Returns options with a limit for files without a size.
fn limited_to(largest_unsized: u64) -> DownloadOptions {
    DownloadOptions { largest_unsized, ..options() }
}

#[test]
fn a_file_of_unknown_size_does_not_fill_the_disk() {
    let bytes = wheel_bytes(1, 200_000);
    for answer in [Answer::file(&bytes), Answer::file(&bytes).without_length()] {
        let place = Place::new();
        let known = place.serve("/a", &bytes, [answer.clone(), answer]);
        let wheel = LockedWheel { size: None, ..known };
        let (message, hint) = told(&place.fetch_with(limited_to(100_000), std::slice::from_ref(&wheel)).unwrap_err());
        let expected = "the file has more than 100000 bytes, and neither the lock nor the index states its size";
        assert!(message.ends_with(expected), "{message}");
        assert!(hint.starts_with("use a lock that contains sizes"), "{hint}");
        assert_empty(&place);
        assert_eq!(place.server.requests("/a").len(), 1);
        assert_arrived(&place.fetch_with(limited_to(bytes.len() as u64), &[wheel]).unwrap()[0], &bytes);
    }
    let place = Place::new();
    let wheel = place.serve("/a", &bytes, [Answer::file(&bytes)]);
    assert_arrived(&place.fetch_with(limited_to(1), &[wheel]).unwrap()[0], &bytes);
}
