//! Several processes at one cache, and processes that are killed.

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pybundle::cache::Cache;
use pybundle::fetch::Fetcher;
use pybundle::report::Silent;

use super::http::Answer;
use super::{Place, locked, options, wheel_bytes};

const SIZE: usize = 400_000;

/// Another process's part of the tests below: it fetches the wheel of [`SIZE`] from the URL that it is given, if any.
#[test]
fn fetch_in_a_child() {
    let (Ok(url), Ok(dir)) = (env::var("TEST_FETCH_URL"), env::var("TEST_FETCH_CACHE")) else { return };
    let wheel = locked(&url, &wheel_bytes(1, SIZE));
    let cache = Cache::open(dir.as_ref()).unwrap();
    Fetcher::new(options()).fetch(&[wheel], &cache, &Silent).unwrap();
}

/// Starts a process that fetches.
fn start(place: &Place, path: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "processes::fetch_in_a_child"])
        .env("TEST_FETCH_URL", place.server.url(path))
        .env("TEST_FETCH_CACHE", place.folder.path().join("cache"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until a condition holds.
#[track_caller]
fn wait_for(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "it does not come to pass");
        thread::sleep(Duration::from_millis(5));
    }
}

fn part_length(place: &Place) -> u64 {
    place.files(".part").first().and_then(|part| part.metadata().ok()).map_or(0, |metadata| metadata.len())
}

#[test]
fn a_killed_download_is_gone_on_with() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let slow = Answer::file(&bytes).paced(50_000, Duration::from_millis(20)).hang_after(300_000);
    let wheel = place.serve("/a", &bytes, [slow.clone(), slow, Answer::file(&bytes)]);
    for length in [100_000, 300_000] {
        let mut child = start(&place, "/a");
        wait_for(|| part_length(&place) >= length);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(place.files(".whl").is_empty());
    }
    let left = part_length(&place);
    place.fetch_one(&wheel, &bytes);
    let ranges = place.server.ranges("/a");
    assert_eq!(ranges.len(), 3);
    assert!(ranges[1].is_some(), "the second process begins where the first was killed");
    assert_eq!(ranges[2], Some(format!("bytes={left}-")));
}

/// Killed at any moment, a process leaves a cache that the next one can use.
#[test]
fn a_kill_at_any_moment_does_no_harm() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let wheel = place.serve("/a", &bytes, [Answer::file(&bytes).paced(100_000, Duration::from_millis(2))]);
    for moment in 0..25 {
        let mut child = start(&place, "/a");
        thread::sleep(Duration::from_millis(2 * moment));
        child.kill().unwrap();
        child.wait().unwrap();
        if moment % 5 == 4 {
            place.fetch_one(&wheel, &bytes);
            place.cache().clean().unwrap();
        }
    }
}

#[test]
fn two_processes_download_a_file_once() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let wheel = place.serve("/a", &bytes, [Answer::file(&bytes).paced(50_000, Duration::from_millis(50))]);
    let mut children: Vec<Child> = (0..3).map(|_| start(&place, "/a")).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    place.fetch_one(&wheel, &bytes);
    assert_eq!(place.server.requests("/a").len(), 1);
}

/// Who waits for a process that is killed takes its place, and goes on from there.
#[test]
fn a_waiting_process_takes_over_from_one_that_is_killed() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let answers = [Answer::file(&bytes).hang_after(150_000), Answer::file(&bytes)];
    place.server.answer("/a", answers);
    let mut first = start(&place, "/a");
    wait_for(|| part_length(&place) == 150_000);
    let mut second = start(&place, "/a");
    thread::sleep(Duration::from_millis(300));
    assert!(second.try_wait().unwrap().is_none(), "it waits");
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(second.wait().unwrap().success());
    assert_eq!(place.server.ranges("/a"), [None, Some("bytes=150000-".to_owned())]);
}
