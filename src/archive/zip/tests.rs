//! The archives are read again by the zip crate, which shares no code with the writer.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::{Arc, Mutex};

use super::prepare::IN_MEMORY;
use super::*;
use crate::report::Silent;
use crate::tree::{Distribution, ExtentFormat, FileAccess, FileMode, FileOrigin};

fn tree(files: impl IntoIterator<Item = (String, FileContent)>) -> FileTree {
    let mut tree = FileTree::new();
    for (path, content) in files {
        let access = if path.ends_with(".sh") { FileAccess::EXECUTABLE } else { FileAccess::FILE };
        tree.insert(TreePath::new(&path).unwrap(), TreeEntry { access, content, origin: FileOrigin::Application })
            .unwrap();
    }
    tree
}

fn bytes(content: &[u8]) -> FileContent {
    FileContent::Bytes(content.into())
}

fn written(tree: &FileTree) -> zip::ZipArchive<File> {
    let directory = tempfile::tempdir().unwrap();
    let finished = write(tree, &directory.path().join("out.zip"), &Silent).unwrap();
    zip::ZipArchive::new(finished.as_file().try_clone().unwrap()).unwrap()
}

#[test]
fn entries_are_sorted_dated_and_have_their_modes() {
    let mut archive = written(&tree([
        ("b/run.sh".to_owned(), bytes(b"#!/bin/sh\n")),
        ("a.py".to_owned(), bytes(&b"x = 1\n".repeat(100))),
        ("gr\u{fc}n.txt".to_owned(), bytes(b"")),
    ]));
    let mut seen = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        let date = file.last_modified().unwrap();
        assert_eq!((date.year(), date.month(), date.day(), date.hour(), date.second()), (1980, 1, 1, 0, 0));
        assert!(file.extra_data().is_none_or(|extra| extra.is_empty()));
        seen.push((
            file.name().unwrap().into_owned(),
            file.unix_mode().unwrap(),
            content.len(),
            file.compressed_size(),
        ));
    }
    assert_eq!(
        seen,
        [
            ("a.py".to_owned(), 0o100_644, 600, seen[0].3),
            ("b/run.sh".to_owned(), 0o100_755, 10, 10),
            ("gr\u{fc}n.txt".to_owned(), 0o100_644, 0, 0),
        ]
    );
    assert!(seen[0].3 < 30, "it is deflated");
}

#[test]
fn dependencies_come_first() {
    let mut tree = FileTree::new();
    let distribution = |name: &str| {
        let distribution = Distribution { name: name.parse().unwrap(), version: "1".parse().unwrap() };
        FileOrigin::Distribution(Arc::new(distribution))
    };
    for (path, origin) in [
        ("app.py", FileOrigin::Application),
        ("core/a.py", distribution("core")),
        ("numpy/z.py", distribution("numpy")),
        ("boto3/b.py", distribution("boto3")),
        ("zoo.py", FileOrigin::Application),
    ] {
        let entry = TreeEntry { access: FileAccess::FILE, content: bytes(b"x"), origin };
        tree.insert(TreePath::new(path).unwrap(), entry).unwrap();
    }
    let core = "core".parse().unwrap();
    let projects = BTreeSet::from([&core]);
    let directory = tempfile::tempdir().unwrap();
    let finished = ZipEntries::new(&tree, |origin| origin.is_own(&projects));
    let (finished, _) = finished.write(&directory.path().join("out.zip"), &Silent).unwrap();
    let archive = zip::ZipArchive::new(finished.as_file().try_clone().unwrap()).unwrap();
    let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["boto3/b.py", "numpy/z.py", "app.py", "core/a.py", "zoo.py"]);
}

#[test]
fn entries_of_wheels_are_copied() {
    let original = b"a wheel's own bytes ".repeat(100_000);
    let mut wheel = tempfile::NamedTempFile::new().unwrap();
    wheel.write_all(b"before").unwrap();
    let deflated = deflate::deflate(&mut &original[..], &mut wheel).unwrap();
    wheel.write_all(b"after").unwrap();
    let archive = Arc::new(wheel.path().to_owned());
    let extent = Extent {
        offset: 6,
        compressed_size: deflated.compressed_size,
        size: deflated.size,
        crc32: deflated.crc32,
        sha256: Sha256::of(&original),
        checksum: crc32c::crc32c(&std::fs::read(wheel.path()).unwrap()[6..6 + deflated.compressed_size as usize]),
        format: ExtentFormat::Deflated { final_block: 0, end: deflated.compressed_size * 8 },
    };
    let tree = tree([("m.py".to_owned(), FileContent::Archived { archive: archive.clone(), extent })]);
    let mut zip = written(&tree);
    let mut content = Vec::new();
    zip.by_index(0).unwrap().read_to_end(&mut content).unwrap();
    assert!(content == original);

    // A single bit, which no header would tell.
    let mut damaged = std::fs::read(&*archive).unwrap();
    damaged[100] ^= 1;
    std::fs::write(&*archive, damaged).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let error = write(&tree, &directory.path().join("a.zip"), &Silent).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {} for `m.py`", archive.display()));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn large_and_small_files_are_deflated_alike() {
    let directory = tempfile::tempdir().unwrap();
    let content = b"0123456789abcdef".repeat(IN_MEMORY as usize / 8);
    let path = directory.path().join("large.bin");
    std::fs::write(&path, &content).unwrap();
    let size = content.len() as u64;
    assert!(size > IN_MEMORY);
    let streamed = tree([("large.bin".to_owned(), FileContent::File { path, size })]);
    let ready = tree([("large.bin".to_owned(), bytes(&content))]);
    let [streamed, ready] = [streamed, ready].map(|tree| write(&tree, &directory.path().join("out.zip"), &Silent));
    assert_eq!(streamed.unwrap().sha256, ready.unwrap().sha256);
}

#[test]
fn files_beyond_those_that_are_deflated_ahead_have_their_bytes() {
    let content = |number: u8| vec![number; IN_MEMORY as usize];
    let mut zip = written(&tree((0..40).map(|number| (format!("{number:02}"), bytes(&content(number))))));
    for number in 0..40 {
        let mut file = zip.by_index(usize::from(number)).unwrap();
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert_eq!(file.name().unwrap(), format!("{number:02}"));
        assert!(read == content(number), "{number}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gone.py");
    let tree = tree([("pkg/gone.py".to_owned(), FileContent::File { path: path.clone(), size: 1 })]);
    let output = directory.path().join("out.zip");
    let error = write(&tree, &output, &Silent).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {} for `pkg/gone.py`", path.display()));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn more_entries_than_the_short_count_holds_need_zip64() {
    let count = usize::from(u16::MAX) + 10;
    let mut archive = written(&tree((0..count).map(|index| (format!("{index:06}"), bytes(b"")))));
    assert_eq!(archive.len(), count);
    assert_eq!(archive.by_index(count - 1).unwrap().name().unwrap(), format!("{:06}", count - 1));
}

/// Sizes past 4 GiB are only tested with headers, whose fields are those of APPNOTE 4.5.3.
#[test]
fn sizes_and_offsets_past_the_short_fields_move_to_zip64() {
    let headers = EntryHeaders {
        name: "big",
        mode: FileMode::REGULAR,
        compression: ZipCompression::Stored,
        crc32: 7,
        size: 5 << 30,
        compressed_size: 5 << 30,
        offset: 6 << 30,
    };
    let local = headers.local_header();
    assert_eq!(local[4..6], 45_u16.to_le_bytes());
    assert_eq!(local[18..26], [0xff; 8]);
    assert_eq!(local[28..30], 20_u16.to_le_bytes());
    assert_eq!(local[33..37], [1, 0, 16, 0]);
    assert_eq!(local[37..45], (5_u64 << 30).to_le_bytes());
    let mut directory = Vec::new();
    headers.append_to_directory(&mut directory);
    assert_eq!(directory[42..46], [0xff; 4]);
    assert_eq!(directory[49..53], [1, 0, 24, 0]);
    assert_eq!(directory[69..77], (6_u64 << 30).to_le_bytes());
}

/// The most bytes that are reported at once, and all of them.
#[derive(Default)]
struct LargestAdvance(Mutex<(u64, u64)>);

impl Reporter for LargestAdvance {
    fn start(&self, _: Phase, _: u64) {}
    fn advance(&self, _: Phase, amount: u64) {
        let mut seen = self.0.lock().unwrap();
        *seen = (seen.0.max(amount), seen.1 + amount);
    }
    fn finish(&self, _: Phase) {}
    fn warn(&self, _: &str) {}
}

#[test]
fn progress_moves_within_a_large_file() {
    const SIZE: u64 = 3 << 20;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large");
    let noise: Vec<u8> = (0..SIZE / 32).flat_map(|number| Sha256::of(&number.to_le_bytes()).0).collect();
    std::fs::write(&path, &noise).unwrap();
    let format = ExtentFormat::Stored;
    let (crc32, sha256) = (crc32fast::hash(&noise), Sha256::of(&noise));
    let extent = Extent {
        offset: 0,
        compressed_size: SIZE,
        size: SIZE,
        crc32,
        sha256,
        checksum: crc32c::crc32c(&noise),
        format,
    };
    for content in [
        FileContent::File { path: path.clone(), size: SIZE },
        FileContent::Archived { archive: Arc::new(path.clone()), extent },
    ] {
        let reporter = LargestAdvance::default();
        write(&tree([("large".to_owned(), content)]), &directory.path().join("out.zip"), &reporter).unwrap();
        let (largest, total) = *reporter.0.lock().unwrap();
        assert!(largest <= 512 * 1024 && total >= SIZE, "{largest} of {total}");
    }
}

#[test]
fn every_thread_of_rayon_can_write_a_zip_at_once() {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let all = std::sync::Barrier::new(rayon::current_num_threads());
        let lengths = rayon::broadcast(|_| {
            all.wait();
            written(&tree((0..100).map(|number| (format!("{number}.py"), bytes(&b"x = 1\n".repeat(100)))))).len()
        });
        sender.send(lengths)
    });
    let lengths = receiver.recv_timeout(std::time::Duration::from_secs(60)).expect("the threads wait for each other");
    assert!(lengths.iter().all(|length| *length == 100), "{lengths:?}");
}
