//! Deflate streams of every kind, in wheels that are read strictly like real ones.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use pybundle::archive::layer::LayerTree;
use pybundle::platform::Scheme;
use pybundle::tree::{ExtentFormat, FileContent};
use pybundle::wheel::{InstallChanges, install};

use super::forge::{FILENAME, Forge};
use super::{run, wheels, written};

/// How many streams zlib makes. miniz_oxide makes as many, and a tenth of that number is stored.
const COUNT: usize = 9_000;

/// A content and its stream.
type Sample = (Vec<u8>, Vec<u8>);

/// Returns streams made by zlib, which Python has.
fn zlib_streams(directory: &Path) -> Vec<Sample> {
    let path = directory.join("streams");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/deflate_streams.py");
    run(Command::new("python3").arg(script).arg(COUNT.to_string()).arg(&path));
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut part = || {
        let (length, after) = rest.split_first_chunk()?;
        let (part, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        rest = after;
        Some(part.to_vec())
    };
    std::iter::from_fn(|| Some((part()?, part()?))).collect()
}

/// Makes a wheel of these contents and streams, which are distributed among its entries.
fn forged(samples: &[Sample]) -> Forge {
    let names: Vec<_> = (0..samples.len()).map(|index| format!("demo/{index:05}")).collect();
    let files: Vec<_> = names.iter().zip(samples).map(|(name, (content, _))| (&**name, &content[..])).collect();
    let mut forge = Forge::wheel(&files);
    for (entry, (_, stream)) in forge.entries.iter_mut().zip(samples) {
        entry.data.clone_from(stream);
        entry.both(|header| header.compressed_size = stream.len() as u32);
    }
    forge
}

#[test]
fn streams_of_every_kind_are_spliced() {
    let directory = tempfile::tempdir().unwrap();
    let mut samples = zlib_streams(directory.path());
    assert_eq!(samples.len(), COUNT);
    // Each stream of zlib's is followed by one of another compressor.
    samples = samples
        .into_iter()
        .enumerate()
        .flat_map(|(index, (content, stream))| {
            let other = miniz_oxide::deflate::compress_to_vec(&content, (index % 11) as u8);
            [(content.clone(), stream), (content, other)]
        })
        .collect();
    let mut forge = forged(&samples);
    for (entry, (content, _)) in forge.entries.iter_mut().zip(&samples).step_by(20) {
        entry.data.clone_from(content);
        entry.both(|header| (header.method, header.compressed_size) = (0, header.size));
    }
    let path = directory.path().join(FILENAME);
    fs::write(&path, forge.bytes()).unwrap();

    let scheme = Scheme {
        site_packages: "lib".to_owned(),
        scripts: "bin".to_owned(),
        headers: "include".to_owned(),
        data: "data".to_owned(),
    };
    let mut tree = LayerTree::default();
    for (path, entry) in
        install(&wheels::read_wheel(&path), &InstallChanges::default(), &scheme, "/usr/bin/python3").unwrap()
    {
        tree.files.insert(path, entry).unwrap();
    }
    assert_kinds(&tree);

    let (member, tar) = written(&tree);
    assert_contents(&tar, &samples);

    // zlib and gzip's own inflate read it as one member, too.
    let (layer, plain) = (directory.path().join("layer.tar.gz"), directory.path().join("layer.tar"));
    fs::write(&layer, member).unwrap();
    fs::write(&plain, tar).unwrap();
    run(Command::new("gzip").arg("-t").arg(&layer));
    let script = "import sys, zlib
one = zlib.decompressobj(31)
assert one.decompress(open(sys.argv[1], 'rb').read()) == open(sys.argv[2], 'rb').read()
assert one.eof and not one.unused_data";
    run(Command::new("python3").args(["-c", script]).arg(&layer).arg(&plain));
}

/// Asserts that a tar has these contents, in their order.
fn assert_contents(tar: &[u8], samples: &[Sample]) {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    let is_sample = |path: &[u8]| path.starts_with(b"lib/demo/") && !path.ends_with(b"/");
    let mut rest = samples.iter();
    for mut entry in entries.filter(|entry| is_sample(&entry.path_bytes())) {
        let mut unpacked = Vec::new();
        entry.read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == rest.next().unwrap().0, "{}", entry.path().unwrap().display());
    }
    assert!(rest.next().is_none());
}

/// Asserts that the streams are of all kinds: their last blocks begin and end on each bit of a byte.
fn assert_kinds(tree: &LayerTree) {
    let forms: Vec<_> = tree
        .files
        .iter()
        .filter_map(|(_, entry)| match &entry.content {
            FileContent::Archived { extent, .. } => Some(extent.format),
            _ => None,
        })
        .collect();
    let bits = |bit: fn(u64, u64) -> u64| {
        let bits = forms.iter().filter_map(|form| match form {
            ExtentFormat::Deflated { final_block, end } => Some(bit(*final_block, *end) % 8),
            ExtentFormat::Stored => None,
        });
        bits.collect::<BTreeSet<_>>().len()
    };
    assert_eq!((bits(|final_block, _| final_block), bits(|_, end| end)), (8, 8));
    assert!(forms.iter().filter(|form| **form == ExtentFormat::Stored).count() >= COUNT / 10);
}
