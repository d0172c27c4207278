use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;
use crate::archive::output::OutputFile;
use crate::archive::tar::{self, TarFormat, TarMember};
use crate::archive::zip::headers;
use crate::tree::FileAccess;

/// Writes an output, and returns its error message.
fn written(path: &Path, format: FileFormat) -> Result<(), String> {
    let mut output = OutputFile::create(path, format).map_err(|error| error.to_string())?;
    output.write(b"output").map_err(|error| error.to_string())?;
    output.finish().and_then(|finished| finished.persist()).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_file_is_replaced_only_by_an_output_of_its_format() {
    let directory = tempfile::tempdir().unwrap();
    let mut tar = Vec::new();
    tar::append_header(TarFormat::ImageArchive, "a", TarMember::Directory(FileAccess::DIRECTORY), &mut tar);
    let contents: [(&[u8], &[FileFormat]); 7] = [
        (b"PK\x03\x04...", &[FileFormat::Zip]),
        (b"PK\x05\x06...", &[FileFormat::Zip]),
        // A table whose first column is a primary key.
        (b"PK,name\n1,a\n", &[]),
        (&tar, &[FileFormat::Tar]),
        (b"\x1f\x8b\x08...", &[FileFormat::Tar]),
        (b"\n{}", &[FileFormat::Json]),
        (b"<!doctype html>", &[FileFormat::Html]),
    ];
    let formats = [FileFormat::Zip, FileFormat::Tar, FileFormat::Json, FileFormat::Html, FileFormat::ManPage];
    let path = directory.path().join("file");
    for format in formats {
        fs::write(&path, "").unwrap();
        assert_eq!(written(&path, format), Ok(()));
        for (content, replaced_by) in &contents {
            fs::write(&path, content).unwrap();
            let expected = if replaced_by.contains(&format) {
                Ok(())
            } else {
                Err(format!("{} already exists and is not {}", path.display(), format.with_article()))
            };
            assert_eq!(written(&path, format), expected, "{format:?} {content:?}");
            assert_eq!(fs::read(&path).unwrap() == *content, expected.is_err());
        }
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_created_meanwhile_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let finished = OutputFile::create(&path, FileFormat::Zip).unwrap().finish().unwrap();
    fs::write(&path, "precious").unwrap();
    finished.persist().unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// A link in a project that somebody else made must not lead to a file outside of it.
#[test]
fn a_link_to_a_file_is_replaced_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (link, target) = (directory.path().join("link"), directory.path().join("target"));
    fs::write(&target, "precious").unwrap();
    symlink(&target, &link).unwrap();
    written(&link, FileFormat::Zip).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert!(!link.is_symlink());
    assert_eq!(fs::read(&link).unwrap(), b"output");
}

#[test]
fn a_pipe_receives_the_output_also_through_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let (pipe, link) = (directory.path().join("pipe"), directory.path().join("link"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    symlink("pipe", &link).unwrap();
    for path in [&pipe, &link] {
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        written(path, FileFormat::Zip).unwrap();
        assert_eq!(reader.join().unwrap(), b"output");
        assert!(pipe.metadata().unwrap().file_type().is_fifo());
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn a_descriptor_is_written_to_after_what_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut file = File::options().append(true).create(true).open(&path).unwrap();
    file.write_all(b"earlier ").unwrap();
    for number in ["/dev/fd", "/proc/self/fd"].map(|directory| format!("{directory}/{}", file.as_raw_fd())) {
        written(Path::new(&number), FileFormat::Zip).unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), b"earlier outputoutput");
}

#[test]
fn devices_and_sockets_are_not_replaced() {
    written(Path::new("/dev/null"), FileFormat::Zip).unwrap();
    assert!(Path::new("/dev/null").metadata().unwrap().file_type().is_char_device());

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    assert_eq!(written(&path, FileFormat::Zip), Err(format!("cannot write {}", path.display())));
    assert!(path.metadata().unwrap().file_type().is_socket());
}

#[test]
fn standard_output_has_several_names() {
    for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert_eq!(Destination::of(Path::new(name)), Destination::StandardOutput);
    }
    assert_eq!(Destination::of(Path::new("./-")), Destination::File);
}

#[test]
fn an_archive_of_pybundle_is_told_by_its_times() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut own = Vec::new();
    tar::append_header(TarFormat::ImageArchive, "a", TarMember::Directory(FileAccess::DIRECTORY), &mut own);
    let mut other = own.clone();
    other[136..147].copy_from_slice(b"14752635203");
    let zip = headers::archive_of_an_empty_file("a");
    // Without a file type.
    let mut another_zip = zip.clone();
    let directory = another_zip.len() - 22 - 46 - "a".len();
    another_zip[directory + 41] &= 0x0f;
    for (content, format, expected) in [
        (&own[..], FileFormat::Tar, true),
        (&other, FileFormat::Tar, false),
        (&zip, FileFormat::Zip, true),
        (&another_zip, FileFormat::Zip, false),
        (&zip[..zip.len() - 1], FileFormat::Zip, false),
    ] {
        fs::write(&path, content).unwrap();
        assert_eq!(is_own(&path, format), expected, "{content:?}");
    }
}
