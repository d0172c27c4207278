//! Every invalid layout and archive in `testdata/invalid` is an error that says what is wrong and where.
//!
//! A case's first line is `# error: ` and a part of the message. Sections follow: `--- NAME`, and the text of a file or
//! of a blob. They replace, or add to, those of a good one; `(missing)` after the name leaves a file out, and
//! `(damaged)` changes a byte after its digest was taken. `@NAME.digest@`, `@NAME.hex@` and `@NAME.size@` stand for those
//! of a section before it.

use std::fs;
use std::path::{Path, PathBuf};

use pybundle::image::file::{ImageFormat, open};

use crate::images::{at, tar};
use crate::support::artifact::sha256;

/// A good layout: what cases depart from. The index comes last.
const LAYOUT: &[(&str, &str)] = &[
    ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
    ("layer", "the bytes of a layer"),
    ("config", r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#),
    (
        "manifest",
        r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"@config.digest@","size":@config.size@},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"@layer.digest@","size":@layer.size@}]}"#,
    ),
    (
        "index.json",
        r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"@manifest.digest@","size":@manifest.size@}]}"#,
    ),
];

/// A good Docker archive.
const DOCKER: &[(&str, &str)] = &[
    ("layer.tar", "the bytes of a layer"),
    ("config.json", r#"{"rootfs":{"diff_ids":["@layer.tar.digest@"]}}"#),
    ("manifest.json", r#"[{"Config":"config.json","RepoTags":null,"Layers":["layer.tar"]}]"#),
];

/// A file of a case, by its name in the layout or the archive.
type Files = Vec<(String, Vec<u8>)>;

/// Returns the files of a case, and the message that is expected.
fn files(template: &[(&str, &str)], case: &str) -> (Files, String) {
    let mut parts = case.split("--- ");
    let error = parts.next().unwrap().trim_end().strip_prefix("# error: ").unwrap_or_default().to_owned();
    let own: Vec<(&str, &str)> = parts.map(|part| part.split_once('\n').unwrap()).collect();
    let name = |title: &str| title.split(' ').next().unwrap().to_owned();
    let text = |wanted: &str| own.iter().find(|(title, _)| *title == wanted).map(|(_, text)| text.trim_end());
    let is_new = |title: &str| template.iter().all(|(known, _)| *known != name(title));
    let (last, before) = template.split_last().unwrap();
    let added = own.iter().filter(|(title, _)| is_new(title)).map(|(title, text)| (*title, text.trim_end()));
    let mut replacements = Vec::new();
    let mut files = Vec::new();
    for (section, default) in before.iter().copied().chain(added).chain([*last]) {
        let mut content = text(section).unwrap_or(default).to_owned();
        replace(&mut content, &replacements);
        let hex = sha256(content.as_bytes());
        let (size, mut bytes) = (content.len(), content.into_bytes());
        if text(&format!("{section} (damaged)")).is_some() {
            bytes[0] ^= 1;
        }
        let is_blob = section != "oci-layout" && !section.contains('.');
        if text(&format!("{section} (missing)")).is_none() {
            files.push((if is_blob { format!("blobs/sha256/{hex}") } else { section.to_owned() }, bytes));
        }
        for (key, value) in [("digest", format!("sha256:{hex}")), ("hex", hex), ("size", size.to_string())] {
            replacements.push((format!("@{section}.{key}@"), value));
        }
    }
    let mut error = error;
    replace(&mut error, &replacements);
    (files, error)
}

fn replace(text: &mut String, replacements: &[(String, String)]) {
    for (from, to) in replacements {
        *text = text.replace(from, to);
    }
}

fn cases(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/invalid").join(directory);
    let mut cases: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn write_directory(files: &Files, directory: &Path) {
    for (name, content) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn write_archive(files: &Files, path: &Path) {
    let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), 0o644, content.as_slice())).collect();
    fs::write(path, tar(&files)).unwrap();
}

fn assert_refused(case: &Path, format: ImageFormat, path: &Path, expected: &str) {
    let error = open(&at(format, path)).err().unwrap_or_else(|| panic!("{} is let pass", case.display()));
    let message = error.to_string();
    let names_the_file = message.starts_with(path.to_str().unwrap());
    assert!(names_the_file && message.contains(expected), "{}: {message}\nexpected: {expected}", case.display());
}

#[test]
fn each_invalid_layout_is_an_error() {
    let cases = cases("layout");
    assert!(cases.len() >= 35);
    for case in cases {
        let (files, expected) = files(LAYOUT, &fs::read_to_string(&case).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let (layout, archive) = (directory.path().join("layout"), directory.path().join("archive"));
        write_directory(&files, &layout);
        write_archive(&files, &archive);
        assert_refused(&case, ImageFormat::Layout, &layout, &expected);
        assert_refused(&case, ImageFormat::OciArchive, &archive, &expected);
    }
}

#[test]
fn each_invalid_docker_archive_is_an_error() {
    let cases = cases("docker-archive");
    assert!(cases.len() >= 15);
    for case in cases {
        let (files, expected) = files(DOCKER, &fs::read_to_string(&case).unwrap());
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("archive");
        write_archive(&files, &archive);
        assert_refused(&case, ImageFormat::DockerArchive, &archive, &expected);
    }
}

/// The templates of the cases are valid.
#[test]
fn the_templates_are_valid() {
    let directory = tempfile::tempdir().unwrap();
    let (layout, archive) = (directory.path().join("layout"), directory.path().join("archive"));
    write_directory(&files(LAYOUT, "").0, &layout);
    write_archive(&files(DOCKER, "").0, &archive);
    assert_eq!(open(&at(ImageFormat::Layout, &layout)).unwrap().blobs.len(), 2);
    assert_eq!(open(&at(ImageFormat::DockerArchive, &archive)).unwrap().blobs.len(), 2);
}

#[test]
fn documents_have_limits() {
    let directory = tempfile::tempdir().unwrap();
    let (mut files, _) = files(LAYOUT, "");
    files.last_mut().unwrap().1.resize(5 << 20, b' ');
    write_directory(&files, directory.path());
    let error = open(&at(ImageFormat::Layout, directory.path())).unwrap_err().to_string();
    let expected = "`index.json` has 5242880 bytes, more than the limit of 4194304";
    assert_eq!(error, format!("{}: {expected}", directory.path().display()));
}

/// Opening a named pipe would block, and a directory is not a document.
#[test]
fn only_regular_files_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    write_directory(&files(LAYOUT, "--- index.json (missing)\n").0, directory.path());
    let index = directory.path().join("index.json");
    crate::support::command::succeed(std::process::Command::new("mkfifo").arg(&index));
    for _ in 0..2 {
        let error = open(&at(ImageFormat::Layout, directory.path())).unwrap_err().to_string();
        assert_eq!(error, format!("{}: `index.json` is not a regular file", directory.path().display()));
        let _ = fs::remove_file(&index);
        let _ = fs::create_dir(&index);
    }
}

/// Truncating a file anywhere, or changing any byte, never panics.
#[test]
fn damaged_archives_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    for (format, template) in [(ImageFormat::OciArchive, LAYOUT), (ImageFormat::DockerArchive, DOCKER)] {
        let path = directory.path().join(format.prefix());
        write_archive(&files(template, "").0, &path);
        let original = fs::read(&path).unwrap();
        for position in 0..original.len() {
            // Most of an archive is padding.
            if original[position] == 0 && position % 512 != 0 {
                continue;
            }
            fs::write(&path, &original[..position]).unwrap();
            assert!(open(&at(format, &path)).is_err() || original[position..].iter().all(|byte| *byte == 0));
            for byte in [b'"', 0xff] {
                let mut changed = original.clone();
                changed[position] = byte;
                fs::write(&path, changed).unwrap();
                let _ = open(&at(format, &path));
            }
        }
    }
}
