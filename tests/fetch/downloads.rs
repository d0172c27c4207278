//! Downloads that succeed, at once or in the end.

use std::time::{Duration, Instant};

use pybundle::digest::Algorithm;
use pybundle::fetch::{DownloadOptions, Fetcher};
use pybundle::lock::LockedWheel;

use super::http::{Answer, Ranges};
use super::{Place, Tally, assert_arrived, digest, impatient, locked, options, wheel_bytes};

const SIZE: usize = 200_000;

#[test]
fn wheels_come_in_the_order_that_was_asked_for() {
    let place = Place::new();
    let files: Vec<Vec<u8>> = (0..40).map(|seed| wheel_bytes(seed, 100 + 100 * (seed as usize % 7))).collect();
    let wheels: Vec<LockedWheel> = files
        .iter()
        .enumerate()
        .map(|(n, bytes)| {
            let delay = Duration::from_millis((n as u64 * 37) % 50);
            place.serve(&format!("/{n}.whl"), bytes, [Answer::file(bytes).delayed(delay)])
        })
        .collect();
    for _ in 0..2 {
        let fetched = place.fetch(&wheels).unwrap();
        fetched.iter().zip(&files).for_each(|(wheel, bytes)| assert_arrived(wheel, bytes));
    }
    assert!((0..40).all(|n| place.server.requests(&format!("/{n}.whl")).len() == 1), "the cache was not used");
}

#[test]
fn no_more_than_so_many_at_once() {
    let place = Place::new();
    let wheels: Vec<LockedWheel> = (0..6)
        .map(|n| {
            let bytes = wheel_bytes(n, 10);
            place.serve(&format!("/{n}"), &bytes, [Answer::file(&bytes).delayed(Duration::from_millis(100))])
        })
        .collect();
    let start = Instant::now();
    place.fetch_with(DownloadOptions { concurrency: 2, ..options() }, &wheels).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300), "{:?}", start.elapsed());
}

#[test]
fn a_wheel_that_is_asked_for_twice_is_downloaded_once() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let wheel = place.serve("/a", &bytes, [Answer::file(&bytes).delayed(Duration::from_millis(50))]);
    let fetched = place.fetch(&[wheel.clone(), wheel.clone(), wheel]).unwrap();
    fetched.iter().for_each(|wheel| assert_arrived(wheel, &bytes));
    assert_eq!(place.server.requests("/a").len(), 1);
}

#[test]
fn passing_failures_are_tried_again() {
    let bytes = wheel_bytes(1, SIZE);
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let place = Place::new();
        let wheel = place.serve("/a", &bytes, [Answer::status(status), Answer::status(status), Answer::file(&bytes)]);
        place.fetch_one(&wheel, &bytes);
        assert_eq!(place.server.requests("/a").len(), 3, "{status}");
    }
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let bytes = wheel_bytes(1, SIZE);
    let file = || Answer::file(&bytes);
    for broken in [file().close_after(70_000), file().reset_after(70_000)] {
        let place = Place::new();
        let wheel = place.serve("/a", &bytes, [broken, file()]);
        place.fetch_one(&wheel, &bytes);
        assert_eq!(place.server.ranges("/a"), [None, Some("bytes=70000-".to_owned())]);
    }
}

#[test]
fn a_server_that_falls_silent_is_asked_again() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let wheel = place.serve("/a", &bytes, [Answer::file(&bytes).hang_after(70_000), Answer::file(&bytes)]);
    let impatient = DownloadOptions { silence: impatient(300), ..options() };
    assert_arrived(&place.fetch_with(impatient, &[wheel]).unwrap()[0], &bytes);
    assert_eq!(place.server.ranges("/a")[1].as_deref(), Some("bytes=70000-"));
}

#[test]
fn a_slow_server_is_waited_for_as_long_as_it_sends() {
    let place = Place::new();
    let bytes = wheel_bytes(1, 10_000);
    let slow = Answer::file(&bytes).paced(1000, Duration::from_millis(100));
    let wheel = place.serve("/a", &bytes, [slow]);
    let impatient = DownloadOptions { silence: impatient(500), ..options() };
    let start = Instant::now();
    assert_arrived(&place.fetch_with(impatient, &[wheel]).unwrap()[0], &bytes);
    assert!(start.elapsed() > Duration::from_secs(1));
    assert_eq!(place.server.requests("/a").len(), 1);
}

/// Failures between which much comes in do not count as being in a row.
#[test]
fn a_large_file_comes_over_a_bad_line() {
    let place = Place::new();
    let bytes = wheel_bytes(1, 12 << 20);
    let mut answers = vec![Answer::file(&bytes).close_after((3 << 20) / 2); 7];
    answers.push(Answer::file(&bytes));
    let wheel = place.serve("/a", &bytes, answers);
    place.fetch_one(&wheel, &bytes);
    assert_eq!(place.server.requests("/a").len(), 8);
}

#[test]
fn servers_that_cannot_resume_send_all_again() {
    let bytes = wheel_bytes(1, SIZE);
    for (ranges, requests) in
        [(Ranges::Ignored, 2), (Ranges::Refused, 3), (Ranges::Shifted, 3), (Ranges::Faked, 3), (Ranges::Supported, 2)]
    {
        let place = Place::new();
        let file = Answer::file(&bytes).ranges(ranges);
        let wheel = place.serve("/a", &bytes, [file.clone().close_after(70_000), file]);
        place.fetch_one(&wheel, &bytes);
        let asked = place.server.ranges("/a");
        assert_eq!(asked.len(), requests);
        assert_eq!(asked.last().unwrap().is_none(), requests == 3);
    }
}

#[test]
fn progress_is_told_once_for_each_byte() {
    let bytes = wheel_bytes(1, SIZE);
    let other = wheel_bytes(2, SIZE);
    for ranges in [Ranges::Supported, Ranges::Ignored, Ranges::Faked] {
        let place = Place::new();
        let file = Answer::file(&bytes).ranges(ranges);
        let wheels = [
            place.serve("/a", &bytes, [file.clone().close_after(70_000), file.clone().close_after(20_000), file]),
            place.serve("/b", &other, [Answer::file(&other)]),
        ];
        let (tally, total) = (Tally::default(), (bytes.len() + other.len()) as u64);
        Fetcher::new(options()).fetch(&wheels, &place.cache(), &tally).unwrap();
        assert_eq!(tally.told(), (total, total, 2));
        // A phase that has nothing to do does not begin.
        let tally = Tally::default();
        Fetcher::new(options()).fetch(&wheels, &place.cache(), &tally).unwrap();
        assert_eq!(tally.told(), (0, 0, 0));
    }
}

#[test]
fn the_length_need_not_be_known() {
    let bytes = wheel_bytes(1, SIZE);
    for size in [None, Some(bytes.len() as u64)] {
        let place = Place::new();
        let wheel = place.serve("/a", &bytes, [Answer::file(&bytes).without_length()]);
        place.fetch_one(&LockedWheel { size, ..wheel }, &bytes);
    }
}

#[test]
fn every_algorithm_of_a_lock_is_verified_and_found_again() {
    let bytes = wheel_bytes(1, SIZE);
    for algorithm in Algorithm::ALL {
        let place = Place::new();
        let wheel = place.serve("/a", &bytes, [Answer::file(&bytes).close_after(70_000), Answer::file(&bytes)]);
        let wheel = LockedWheel { digests: vec![digest(algorithm, &bytes)], ..wheel };
        place.fetch_one(&wheel, &bytes);
        place.fetch_one(&wheel, &bytes);
        assert_eq!(place.server.requests("/a").len(), 2, "{algorithm:?}");
        let wrong = LockedWheel { digests: vec![digest(algorithm, b"other")], ..wheel };
        let (message, _) = place.refusal(&wrong);
        assert!(message.contains(&digest(algorithm, b"other").to_string()), "{message}");
        assert!(message.contains(&digest(algorithm, &bytes).to_string()), "{message}");
    }
}

/// What the lock vouches for by nothing is asked for anew each time.
#[test]
fn without_a_digest_a_file_is_downloaded_whole_each_time() {
    let place = Place::new();
    let (old, new) = (wheel_bytes(1, SIZE), wheel_bytes(2, SIZE));
    let answers = [Answer::file(&old), Answer::file(&new).close_after(70_000), Answer::file(&new)];
    let wheel = LockedWheel { digests: vec![], size: None, ..place.serve("/a", &old, answers) };
    place.fetch_one(&wheel, &old);
    place.fetch_one(&wheel, &new);
    assert_eq!(place.server.ranges("/a"), [None, None, None]);
    assert!(place.files(".part").is_empty());
}

#[test]
fn redirects_are_followed() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    place.server.answer("/b", [Answer::redirect("/c?signature=1")]);
    place.server.answer("/c", [Answer::file(&bytes).close_after(70_000), Answer::file(&bytes)]);
    place.server.answer("/a", [Answer::redirect(&place.server.url("/b"))]);
    place.fetch_one(&locked(&place.server.url("/a"), &bytes), &bytes);
    let requests = place.server.requests("/c?signature=1");
    assert_eq!(requests[1].header("range"), Some("bytes=70000-"));
    assert!(requests.iter().all(|request| request.header("referer").is_none()));
}

#[test]
fn no_compression_is_asked_for() {
    let place = Place::new();
    let bytes = wheel_bytes(1, 10);
    let wheel = place.serve("/a", &bytes, [Answer::file(&bytes)]);
    place.fetch_one(&wheel, &bytes);
    let request = &place.server.requests("/a")[0];
    assert_eq!(request.header("accept-encoding"), None);
    assert!(request.header("user-agent").unwrap().starts_with("pybundle/"));
}
