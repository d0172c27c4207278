//! The cache: what it gives back, what it finds out about damage, and what it removes.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pybundle::cache::{Cache, CacheSize};
use pybundle::digest::{Algorithm, Sha256};
use pybundle::fetch::DownloadOptions;
use pybundle::hints::Hints;
use pybundle::lock::{FileLocation, LockedWheel};

use super::http::Answer;
use super::{Place, assert_arrived, at_path, digest, options, told, wheel_bytes};

const SIZE: usize = 20_000;

/// Fetches a wheel, and returns its entry and where the cache keeps it.
fn filled(place: &Place, bytes: &[u8]) -> (LockedWheel, PathBuf) {
    let wheel = place.serve("/a", bytes, [Answer::file(bytes)]);
    place.fetch_one(&wheel, bytes);
    let [path] = &place.files(".whl")[..] else { panic!("one wheel is in the cache") };
    (wheel, path.clone())
}

/// Fetches a wheel without the network.
#[track_caller]
fn fetch_offline(place: &Place, wheel: &LockedWheel, bytes: &[u8]) {
    let offline = DownloadOptions { offline: true, ..options() };
    assert_arrived(&place.fetch_with(offline, std::slice::from_ref(wheel)).unwrap()[0], bytes);
}

#[test]
fn a_damaged_record_is_made_again_from_the_wheel() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let (wheel, _) = filled(&place, &bytes);
    let path = &place.files(".record")[0];
    let whole = fs::read(path).unwrap();
    let mut damages: Vec<Vec<u8>> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x40;
        damages.push(damaged);
    }
    damages.push([&whole[..], b"more"].concat());
    for damaged in damages {
        fs::write(path, damaged).unwrap();
        fetch_offline(&place, &wheel, &bytes);
        assert!(fs::read(path).unwrap() == whole);
    }
    fs::remove_file(path).unwrap();
    fetch_offline(&place, &wheel, &bytes);
}

/// If this fails, other versions would misread what this one writes: raise `FORMAT`, of the record or of `Inventory`.
#[test]
fn the_form_of_records_is_pinned() {
    let place = Place::new();
    filled(&place, &wheel_bytes(1, 100));
    let record = fs::read(&place.files(".record")[0]).unwrap();
    assert!(record.starts_with(b"pybundle record 1.9\n"));
    assert_eq!(Sha256::of(&record).hex(), "3f81e4c5968487ffcb52c42987ec9a7e06da8dd911fae814fcd613377d4e32dc");
}

#[test]
fn a_damaged_wheel_is_fetched_again() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let (wheel, path) = filled(&place, &bytes);
    for length in [0, SIZE / 2] {
        fs::write(&path, &bytes[..length]).unwrap();
        let offline = DownloadOptions { offline: true, ..options() };
        let error = place.fetch_with(offline, std::slice::from_ref(&wheel)).unwrap_err();
        assert!(told(&error).0.contains("not in the cache"), "{error}");
        place.fetch_one(&wheel, &bytes);
    }
    fs::write(&path, &bytes[1..]).unwrap();
    fs::remove_file(&place.files(".record")[0]).unwrap();
    place.fetch_one(&wheel, &bytes);
    assert_eq!(place.server.requests("/a").len(), 4);
}

#[test]
fn a_damaged_pointer_counts_as_absent() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let wheel = place.serve("/a", &bytes, [Answer::file(&bytes)]);
    let wheel = LockedWheel { digests: vec![digest(Algorithm::Md5, &bytes)], ..wheel };
    place.fetch_one(&wheel, &bytes);
    let pointer = place.files(&digest(Algorithm::Md5, &bytes).hex()).remove(0);
    for (damaged, requests) in [("", 2), ("zz", 3), (&*"ab".repeat(32), 4)] {
        fs::write(&pointer, damaged).unwrap();
        place.fetch_one(&wheel, &bytes);
        assert_eq!(place.server.requests("/a").len(), requests);
    }
    fetch_offline(&place, &wheel, &bytes);
}

/// What an earlier run left may be anything.
#[test]
fn a_wrong_rest_of_an_earlier_run_does_no_harm() {
    let bytes = wheel_bytes(1, SIZE);
    for rest in [vec![], vec![0; 100], vec![0; bytes.len()], vec![0; bytes.len() + 1], bytes.clone()] {
        let place = Place::new();
        let answers = [Answer::file(&bytes).close_after(5000), Answer::status(404), Answer::file(&bytes)];
        let wheel = place.serve("/a", &bytes, answers);
        assert!(place.refusal(&wheel).0.contains("404"));
        let part = &place.files(".part")[0];
        assert_eq!(fs::metadata(part).unwrap().len(), 5000);
        fs::write(part, &rest).unwrap();
        place.fetch_one(&wheel, &bytes);
        assert_eq!(place.server.requests("/a").len() == 2, rest == bytes, "a whole file is not asked for again");
        assert!(place.files(".part").is_empty());
    }
}

/// The name and the version of a wheel are checked against its file name.
#[test]
fn the_same_bytes_may_have_several_names() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let (wheel, _) = filled(&place, &bytes);
    let renamed = |name: &str| LockedWheel { filename: name.parse().unwrap(), ..wheel.clone() };
    for name in ["demo-1.0-7-py3-none-any.whl", "Demo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl"] {
        let wheels = place.fetch(&[renamed(name)]).unwrap();
        assert_arrived(&wheels[0], &bytes);
        assert_eq!(wheels[0].filename.as_str(), name);
    }
    let (message, _) = place.refusal(&renamed("other-1.0-py3-none-any.whl"));
    assert!(message.starts_with("other-1.0-py3-none-any.whl: "), "{message}");
    fetch_offline(&place, &wheel, &bytes);
    assert_eq!(place.server.requests("/a").len(), 1);
}

#[test]
fn local_files_are_copied_so_that_later_changes_do_no_harm() {
    let place = Place::new();
    let (bytes, other) = (wheel_bytes(1, SIZE), wheel_bytes(2, SIZE));
    let path = place.folder.path().join("any name.whl");
    let by_url = FileLocation::Url { url: url::Url::from_file_path(&path).unwrap(), index: None };
    for location in [FileLocation::Path(path.clone()), by_url] {
        fs::write(&path, &bytes).unwrap();
        let wheel = LockedWheel { location, digests: vec![], size: None, ..at_path(&path, &bytes) };
        let offline = DownloadOptions { offline: true, ..options() };
        let first = place.fetch_with(offline, &[wheel.clone(), wheel.clone()]).unwrap();
        fs::write(&path, &other).unwrap();
        assert_arrived(&first[0], &bytes);
        // Without a digest the lock means whatever is there.
        place.fetch_one(&wheel, &other);
    }
    assert_eq!(place.files(".whl").len(), 2);
}

#[test]
fn local_files_are_verified() {
    let place = Place::new();
    let (bytes, mut other) = (wheel_bytes(1, SIZE), wheel_bytes(1, SIZE));
    other[SIZE / 2] ^= 1;
    let path = place.folder.path().join("a.whl");
    let wheel = at_path(&path, &bytes);

    let (message, hints) = place.refusal(&wheel);
    assert!(message.contains(&format!("from {}: cannot read the file: No such file", path.display())), "{message}");
    assert!(hints.contains("restore the file"), "{hints}");

    fs::write(&path, &other).unwrap();
    assert!(place.refusal(&wheel).0.contains("does not match the lock"));
    fs::write(&path, &other[1..]).unwrap();
    let unhashed = LockedWheel { digests: vec![], ..wheel.clone() };
    assert!(place.refusal(&unhashed).0.contains(&format!("bytes, expected {}", bytes.len())));
    fs::write(&path, &bytes[1..]).unwrap();
    assert!(place.refusal(&LockedWheel { digests: vec![], size: None, ..wheel.clone() }).0.starts_with("demo-1.0"));
    assert!(place.files(".whl").iter().all(|found| *found == path), "nothing of it is in the cache");

    // A file that is rebuilt is not the locked one, although the cache still has that.
    fs::write(&path, &bytes).unwrap();
    place.fetch_one(&wheel, &bytes);
    fs::write(&path, &other).unwrap();
    let (message, hints) = place.refusal(&wheel);
    assert!(message.contains("does not match the lock"), "{message}");
    assert!(hints.contains("`uv lock --upgrade-package demo`"), "{hints}");

    let md5 = LockedWheel { digests: vec![digest(Algorithm::Md5, &bytes)], ..wheel.clone() };
    fs::write(&path, &bytes).unwrap();
    place.fetch_one(&md5, &bytes);
    fs::remove_file(&path).unwrap();
    place.fetch_one(&md5, &bytes);
    place.fetch_one(&wheel, &bytes);
}

#[test]
fn what_was_not_used_for_a_while_is_pruned() {
    let place = Place::new();
    let files = [wheel_bytes(1, SIZE), wheel_bytes(2, SIZE), wheel_bytes(3, SIZE)];
    let serve = |n: usize| {
        let wheel = place.serve(&format!("/{n}"), &files[n], [Answer::file(&files[n])]);
        LockedWheel { digests: vec![digest(Algorithm::Sha512, &files[n])], ..wheel }
    };
    let wheels = [serve(0), serve(1), serve(2)];
    place.fetch(&wheels).unwrap();
    let before = place.cache().size().unwrap();
    assert_eq!(before.files, 9);
    assert!(before.bytes > 3 * SIZE as u64);

    let long_ago = SystemTime::now() - Duration::from_secs(40 * 24 * 60 * 60);
    for path in [place.files(".whl"), place.files(".record"), place.files(&digest(Algorithm::Sha512, &files[2]).hex())]
        .concat()
        .into_iter()
        .chain(wheels.iter().flat_map(|wheel| place.files(&wheel.digest().unwrap().hex())))
    {
        File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    // Its use is noted.
    place.fetch_one(&wheels[1], &files[1]);
    let removed = place.cache().prune(Duration::from_secs(30 * 24 * 60 * 60)).unwrap();
    assert_eq!(removed.files, 6);
    place.fetch(&wheels).unwrap();
    assert_eq!([0, 1, 2].map(|n| place.server.requests(&format!("/{n}")).len()), [2, 1, 2]);

    assert_eq!(place.cache().clean().unwrap().files, 9);
    assert_eq!(place.cache().size().unwrap(), CacheSize::default());
    place.fetch(&wheels).unwrap();
}

/// A build reads its wheels after they were fetched: nothing may remove them meanwhile.
#[test]
fn nothing_is_removed_while_a_cache_is_open() {
    let place = Place::new();
    let bytes = wheel_bytes(1, SIZE);
    let (_, path) = filled(&place, &bytes);
    let build = place.cache();
    let cleaner = place.cache();
    let cleaning = std::thread::spawn(move || cleaner.clean().unwrap());
    std::thread::sleep(Duration::from_millis(200));
    assert!(!cleaning.is_finished() && path.exists());
    drop(build);
    assert_eq!(cleaning.join().unwrap().files, 2);
    assert!(!path.exists());
}

#[test]
fn a_folder_that_cannot_be_a_cache_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Cache::open(&file.join("cache")).unwrap_err();
    assert!(error.to_string().starts_with("cannot create ") && error.to_string().contains("file/cache"), "{error}");
    assert!(error.hints()[0].contains("--cache-dir"));
}
