//! Archives from a local HTTP server.
use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use pybundle::digest::Sha256;

use crate::Place;
use crate::command::{fail, succeed};
use crate::folders::{OWN_BACK_END, counting};
use crate::http::{Answer, Server};

/// A project with the back end that is part of uv.
const PYPROJECT: &str = "[project]\nname = \"demo\"\nversion = \"1.0\"\n[build-system]\nrequires = [\"uv_build\"]\n\
     build-backend = \"uv_build\"\n";

/// The files of a repository with a project in a subdirectory.
const FILES: [(&str, &str); 3] = [
    ("tools/demo/pyproject.toml", PYPROJECT),
    ("tools/demo/src/demo/__init__.py", ""),
    ("README.md", "Two projects.\n"),
];

fn tar_gz() -> Vec<u8> {
    tar_gz_of(&FILES)
}

fn tar_gz_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("repository-main/{path}"), text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn zip() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, text) in FILES {
        writer.start_file(format!("repository-main/{path}"), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Writes a project that depends on a subdirectory of an archive, with the lock that uv would write.
fn write(place: &Place, url: &str, subdirectory: &str, sha256: Sha256) {
    let app = "[project]\nname = \"app\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = [\"demo\"]\n";
    place.write("app/pyproject.toml", app);
    place.write("app/app.py", "");
    let source = format!("source = {{ url = \"{url}\", subdirectory = \"{subdirectory}\" }}");
    let lock = format!(
        "version = 1\nrevision = 3\nrequires-python = \">=3.9\"\n\
         [[package]]\nname = \"app\"\nversion = \"1.0\"\nsource = {{ virtual = \".\" }}\ndependencies = [{{ name = \"demo\" }}]\n\
         [[package]]\nname = \"demo\"\nversion = \"1.0\"\n{source}\nsdist = {{ hash = \"{sha256}\" }}\n"
    );
    place.write("app/uv.lock", lock);
}

#[test]
fn a_subdirectory_of_an_archive_is_built() {
    let server = Server::start();
    let place = Place::new();
    let (tar_gz, zip) = (tar_gz(), zip());
    // The connection breaks once, and the download is resumed.
    server.answer("/a/main.tar.gz", [Answer::file(&tar_gz).close_after(100), Answer::file(&tar_gz)]);
    server.answer("/a/main.zip", [Answer::file(&zip)]);
    for (path, bytes) in [("/a/main.tar.gz", &tar_gz), ("/a/main.zip", &zip)] {
        write(&place, &server.url(path), "tools/demo", Sha256::of(bytes));
        succeed(&mut place.bundle("2.17", &["--frozen"]));
        assert!(place.bundled().contains(&"demo/__init__.py".to_owned()), "{:?}", place.bundled());
    }
    assert_eq!(server.ranges("/a/main.tar.gz"), [None, Some("bytes=100-".to_owned())]);
}

#[test]
fn archives_that_differ_from_the_lock_are_refused() {
    let server = Server::start();
    let place = Place::new();
    let bytes = tar_gz();
    server.answer("/main.tar.gz", [Answer::file(&bytes)]);
    server.answer("/cut.tar.gz", [Answer::file(&bytes[..bytes.len() - 50])]);
    let cut = Sha256::of(&bytes[..bytes.len() - 50]);
    for (path, subdirectory, sha256, expected) in [
        ("/main.tar.gz", "tools/demo", Sha256::of(b"other"), "the file does not match the lock"),
        ("/cut.tar.gz", "tools/demo", cut, "cannot unpack"),
        ("/main.tar.gz", "tools/other", Sha256::of(&bytes), "the source has no directory `tools/other`"),
        ("/main.tar.gz", "../..", Sha256::of(&bytes), "the source has no directory `../..`"),
        ("/main.tar.gz", "README.md", Sha256::of(&bytes), "the source has no directory `README.md`"),
    ] {
        write(&place, &server.url(path), subdirectory, sha256);
        let message = fail(&mut place.bundle("2.17", &["--frozen"]));
        assert!(message.contains(expected), "`{expected}` is not in: {message}");
        assert!(!place.path("out.zip").exists());
    }
}

#[test]
fn an_archive_of_another_distribution_is_refused() {
    let server = Server::start();
    let place = Place::new();
    let bytes = tar_gz();
    server.answer("/main.tar.gz", [Answer::file(&bytes)]);
    write(&place, &server.url("/main.tar.gz"), "tools/demo", Sha256::of(&bytes));
    let lock = fs::read_to_string(place.path("app/uv.lock")).unwrap();
    place
        .write("app/uv.lock", lock.replace("name = \"demo\"\nversion = \"1.0\"", "name = \"demo\"\nversion = \"2.0\""));
    let message = fail(&mut place.bundle("2.17", &["--frozen"]));
    assert!(message.contains("main.tar.gz is demo 2.0 in the lock, but builds demo-1.0-py3-none-any.whl"), "{message}");
}

#[test]
fn targets_share_the_build_of_an_archive() {
    let (server, place) = (Server::start(), Place::new());
    let pyproject = format!("[project]\nname = \"demo\"\nversion = \"1.0\"\n{OWN_BACK_END}\n");
    let back_end = counting(&place, "demo");
    let archive = tar_gz_of(&[("tools/demo/pyproject.toml", &pyproject), ("tools/demo/backend.py", &back_end)]);
    server.answer("/main.tar.gz", [Answer::file(&archive)]);
    write(&place, &server.url("/main.tar.gz"), "tools/demo", Sha256::of(&archive));
    let app = fs::read_to_string(place.path("app/pyproject.toml")).unwrap();
    place.write("app/pyproject.toml", format!("{app}{}", crate::targets(&place)));
    succeed(place.build_targets().arg("--frozen"));
    assert_eq!(fs::read_to_string(place.path("builds")).unwrap(), "built\n");
}
