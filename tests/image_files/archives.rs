//! Tar archives of every kind that image tools write are read; others are errors that say what is wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use pybundle::image::file::{ImageFormat, open};
use pybundle::image::{OciArtifact, docker_archive};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use crate::images::{assert_equal, at, bytes, sample, tar as plain_tar, write};
use crate::support::artifact::sha256;
use crate::support::command::succeed;

/// Returns an entry: a header, and content that may have a different size.
fn entry(name: &[u8], kind: EntryType, size: u64, content: &[u8], link: &str) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_cksum();
    let padding = content.len().next_multiple_of(512) - content.len();
    [header.as_bytes(), content, &vec![0; padding]].concat()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    entry(name.as_bytes(), EntryType::Regular, content.len() as u64, content, "")
}

fn link(name: &str, kind: EntryType, target: &str) -> Vec<u8> {
    entry(name.as_bytes(), kind, 0, b"", target)
}

/// Returns a Docker archive whose only layer is at a path, before other entries.
fn docker(layer: &str, entries: &[Vec<u8>]) -> Vec<u8> {
    let config = json!({ "rootfs": { "diff_ids": [format!("sha256:{}", sha256(b"a layer"))] } }).to_string();
    let manifest = json!([{ "Config": "config.json", "Layers": [layer] }]).to_string();
    let documents = [file("manifest.json", manifest.as_bytes()), file("config.json", config.as_bytes())];
    [documents.concat(), entries.concat(), vec![0; 1024]].concat()
}

fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive.tar");
    fs::write(&path, bytes).unwrap();
    let image = docker_archive::read(&at(ImageFormat::DockerArchive, &path)).map_err(|error| {
        let message = error.to_string();
        message.strip_prefix(path.to_str().unwrap()).unwrap_or_else(|| panic!("no path in: {message}")).to_owned()
    })?;
    Ok(crate::images::bytes(&image.layers[0].blob))
}

/// Returns a pax header of records.
fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    builder.append_pax_extensions(records.iter().map(|(key, value)| (*key, value.as_bytes()))).unwrap();
    let bytes = builder.into_inner().unwrap();
    bytes[..bytes.len() - 1024].to_vec()
}

#[test]
fn archives_of_tar_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let layout = directory.path().join("layout");
    write(&image, ImageFormat::Layout, &layout).unwrap();
    // A blob that is there twice becomes a link to itself.
    fs::hard_link(layout.join("index.json"), layout.join("index-again.json")).unwrap();
    for format in ["v7", "ustar", "gnu", "oldgnu", "pax"] {
        for content in [&["."][..], &["oci-layout", "index-again.json", "index.json", "blobs"]] {
            let path = directory.path().join("archive.tar");
            let mut command = Command::new("tar");
            command.arg(format!("--format={format}")).arg("-C").arg(&layout).arg("-cf").arg(&path).args(content);
            succeed(&mut command);
            assert_equal(&open(&at(ImageFormat::OciArchive, &path)).unwrap(), &OciArtifact::from(&image));
        }
    }
}

#[test]
fn archives_of_python_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let image = sample(directory.path());
    let layout = directory.path().join("layout");
    write(&image, ImageFormat::Layout, &layout).unwrap();
    let script = "import sys, tarfile
for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
    with tarfile.open(f'{sys.argv[2]}.{format}', 'w', format=format) as archive:
        archive.add(sys.argv[1], '.')";
    let path = directory.path().join("archive");
    succeed(Command::new("python3").args(["-I", "-c", script]).arg(&layout).arg(&path));
    for format in 0..3 {
        let path = path.with_extension(format.to_string());
        assert_equal(&open(&at(ImageFormat::OciArchive, &path)).unwrap(), &OciArtifact::from(&image));
    }
}

#[test]
fn long_names_and_links_lead_to_the_layer() {
    let long = format!("{}/layer.tar", "a".repeat(200));
    let short = file("x/layer.tar", b"a layer");
    let gnu = |kind, value: &str| {
        entry(b"././@LongLink", kind, value.len() as u64 + 1, &[value.as_bytes(), b"\0"].concat(), "")
    };
    for (name, entries) in [
        ("x/layer.tar", vec![short.clone()]),
        ("x/layer.tar", vec![file("./x/layer.tar", b"a layer")]),
        (&long, vec![gnu(EntryType::GNULongName, &long), file("a", b"a layer")]),
        (&long, vec![pax(&[("path", &long), ("mtime", "1.5")]), file("a", b"a layer")]),
        ("x/layer.tar", vec![pax(&[("size", "7")]), entry(b"x/layer.tar", EntryType::Regular, 0, b"a layer", "")]),
        ("x/layer.tar", vec![entry(b"pax", EntryType::XGlobalHeader, 512, &[b'#'; 512], ""), short.clone()]),
        ("y/layer.tar", vec![short.clone(), link("y/layer.tar", EntryType::Symlink, "../x/layer.tar")]),
        ("y/layer.tar", vec![link("y/layer.tar", EntryType::Symlink, ".././x//layer.tar"), short.clone()]),
        ("y/layer.tar", vec![short.clone(), link("y/layer.tar", EntryType::Link, "x/layer.tar")]),
        ("z", vec![short.clone(), link("y", EntryType::Symlink, "x/layer.tar"), link("z", EntryType::Link, "y")]),
        (
            "y",
            vec![
                file(&"b".repeat(90), b"a layer"),
                pax(&[("linkpath", &"b".repeat(90))]),
                link("y", EntryType::Symlink, ""),
            ],
        ),
        (
            "y",
            vec![
                file(&"b".repeat(90), b"a layer"),
                gnu(EntryType::GNULongLink, &"b".repeat(90)),
                link("y", EntryType::Symlink, ""),
            ],
        ),
    ] {
        assert_eq!(read(&docker(name, &entries)).unwrap(), b"a layer", "{name}");
    }
}

/// Each is one entry in an archive that is valid without it.
#[test]
fn unsupported_entries_are_errors() {
    let good = file("layer", b"a layer");
    let size = |size: u64| entry(b"entry", EntryType::Regular, size, b"", "");
    let named = |name: &[u8]| entry(name, EntryType::Regular, 0, b"", "");
    let of = |kind: u8| entry(b"entry", EntryType::new(kind), 0, b"", "");
    let mut no_number = file("entry", b"");
    no_number[124..136].copy_from_slice(b"not a number");
    let mut other_sum = file("entry", b"");
    other_sum[0] ^= 1;
    let mut sums_up = no_number.clone();
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(&no_number);
    header.set_cksum();
    sums_up.copy_from_slice(header.as_bytes());
    let long = vec![b'a'; 70_000];
    for (bad, expected) in [
        (named(b"../entry"), ": `../entry` is not a valid path in an archive"),
        (named(b"/etc/passwd"), ": `/etc/passwd` is not a valid path in an archive"),
        (named(b"a/../../b"), ": `a/../../b` is not a valid path in an archive"),
        (named(b"a//b"), ": `a//b` is not a valid path in an archive"),
        (named(b"a\\b"), ": `a\\\\b` is not a valid path in an archive"),
        (named(b"a\nb"), ": `a\\nb` is not a valid path in an archive"),
        (named(b""), ": `` is not a valid path in an archive"),
        (named(b"folder/"), ": `folder/` is not a valid path in an archive"),
        (named(b"\xff\xfe"), "` has a name that is not UTF-8"),
        (link("..", EntryType::Directory, ""), ": `..` is not a valid path in an archive"),
        (good.clone(), ": `layer` occurs twice in the archive"),
        (link("layer", EntryType::Symlink, "manifest.json"), ": `layer` occurs twice in the archive"),
        (of(b'3'), ": `entry` is not a regular file"),
        (of(b'4'), ": `entry` is not a regular file"),
        (of(b'6'), ": `entry` is not a regular file"),
        (of(b'S'), ": `entry` is not a regular file"),
        (of(b'V'), ": `entry` is not a regular file"),
        (entry(b"entry", EntryType::Directory, 1, b"x", ""), ": `entry` has content but is not a regular file"),
        (entry(b"entry", EntryType::Symlink, 1, b"x", "y"), ": `entry` has content but is not a regular file"),
        (size(1 << 20), "` is a header whose content ends early: the archive is truncated"),
        (size(u64::MAX), "` has content past the end of the file"),
        (sums_up, "` has an invalid size"),
        (other_sum, "` is not a tar header"),
        (vec![b'x'; 512], "` is not a tar header"),
        ([pax(&[("size", "-1")]), size(0)].concat(), "` has an invalid size"),
        ([pax(&[("size", "99999999999999999999")]), size(0)].concat(), "` has an invalid size"),
        ([pax(&[("size", "18446744073709551615")]), size(0)].concat(), "` has content past the end of the file"),
        ([pax(&[("path", "../entry")]), size(0)].concat(), ": `../entry` is not a valid path in an archive"),
        ([pax(&[("GNU.sparse.major", "1")]), size(0)].concat(), "` is a sparse file"),
        (entry(b"pax", EntryType::XHeader, 12, b"99 size=1\nxx", ""), "` is a malformed pax header"),
        (entry(b"x", EntryType::XHeader, 70_000, &long, ""), "` has 70000 bytes, more than the limit of 16384"),
        (entry(b"x", EntryType::GNULongName, 70_000, &long, ""), "` has 70000 bytes, more than the limit of 16384"),
    ] {
        let message = read(&docker("layer", &[good.clone(), bad, size(0)])).unwrap_err();
        assert!(message.ends_with(expected), "{message}\nexpected: {expected}");
    }
}

/// Wherever a download was cut off: it is not said to be anything else.
#[test]
fn a_truncated_archive_ends_early() {
    let whole = docker("layer", &[file("layer", b"a layer")]);
    assert!(read(&whole).is_ok());
    let content = "` is a header whose content ends early: the archive is truncated";
    let header = "` is less than a header: the archive is truncated";
    for (length, expected) in [(520, content), (1024 + 100, header), (1024 + 520, content), (2048 + 511, header)] {
        let message = read(&whole[..length]).unwrap_err();
        assert!(message.ends_with(expected), "{length}: {message}");
    }
}

#[test]
fn broken_links_are_errors() {
    let symlink = |name, target| link(name, EntryType::Symlink, target);
    let ring = [symlink("layer", "other"), symlink("other", "layer")];
    assert_eq!(read(&docker("layer", &ring)).unwrap_err(), ": `layer` has too many levels of links");
    assert_eq!(read(&docker("layer", &[symlink("layer", "gone")])).unwrap_err(), ": `layer` is missing");
    for target in ["../layer", "/etc/passwd", "a/../../b", ""] {
        let message = read(&docker("layer", &[symlink("layer", target)])).unwrap_err();
        assert_eq!(message, ": `layer` is not a valid path in an archive", "{target}");
    }
}

/// The compression of a layer is detected by its bytes, not by its name.
#[test]
fn compressed_layers_are_not_compressed_again() {
    let directory = tempfile::tempdir().unwrap();
    let tar = plain_tar(&[("file", 0o644, b"content")]);
    let config = json!({ "rootfs": { "diff_ids": [format!("sha256:{}", sha256(&tar))] } }).to_string();
    let manifest = json!([{ "Config": "config.json", "Layers": ["layer.tar"] }]).to_string();
    let packed = crate::images::gzip(&tar);
    let path = directory.path().join("archive.tar");
    let documents = [file("manifest.json", manifest.as_bytes()), file("config.json", config.as_bytes())].concat();
    fs::write(&path, [documents, file("layer.tar", &packed)].concat()).unwrap();
    let image = docker_archive::read(&at(ImageFormat::DockerArchive, Path::new(&path))).unwrap();
    assert_eq!(image.layers[0].blob.media_type.to_string(), "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(bytes(&image.layers[0].blob), packed);
    assert_eq!(image.layers[0].diff_id.hex(), sha256(&tar));
    // It is compressed already, and its digest is none of uncompressed bytes.
    let error = docker_archive::compress(&image.layers[0], &mut Vec::new()).unwrap_err().to_string();
    assert!(error.ends_with("in the image config: the two must be equal"), "{error}");
}
