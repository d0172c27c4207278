//! Layers of every kind of content, read again by flate2, zstd and the tar crate.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use flate2::read::GzDecoder;

use super::*;
use crate::tree::{Form, Mode, Origin};

/// What a reader sees of a member: its type, mode, time, owner, link and content.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    entry_type: ::tar::EntryType,
    mode: u32,
    link: Option<String>,
    content: Vec<u8>,
}

fn path(path: &str) -> TreePath {
    TreePath::new(path).unwrap()
}

fn tree<'a>(files: impl IntoIterator<Item = (&'a str, Content)>, links: &[(&str, &str)]) -> LayerTree {
    let mut tree = LayerTree::default();
    for (name, content) in files {
        let mode = if name.ends_with(".sh") { Mode::Executable } else { Mode::Regular };
        tree.files.insert(path(name), Entry { mode, content, origin: Origin::Application }).unwrap();
    }
    tree.links = links.iter().map(|(link, target)| (path(link), (*target).to_owned())).collect();
    tree
}

fn bytes(content: &[u8]) -> Content {
    Content::Bytes(content.into())
}

/// A file that stands for a wheel: its contents, and where each lies.
struct Archive {
    _folder: tempfile::TempDir,
    path: Arc<PathBuf>,
}

impl Archive {
    fn new(content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.whl");
        fs::write(&path, content).unwrap();
        Self { _folder: folder, path: path.into() }
    }

    fn content(&self, offset: u64, compressed_size: u64, original: &[u8], form: Form) -> Content {
        let (size, crc32, sha256) = (original.len() as u64, crc32fast::hash(original), Sha256::of(original));
        let extent = Extent { offset, compressed_size, size, crc32, sha256, form };
        Content::Archived { archive: self.path.clone(), extent }
    }
}

/// Writes a layer in each way, asserts that all agree, and returns the gzip member, the tar and the zstd frame.
fn written(tree: &LayerTree) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mut alone, mut member, mut tar, mut frame) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    gzip(tree, &mut alone).unwrap();
    gzip_and_tar(tree, &mut member, &mut tar).unwrap();
    assert!(alone == member);
    assert_eq!(zstd(tree, &mut frame).unwrap(), Sha256::of(&tar));
    assert!(::zstd::stream::decode_all(&frame[..]).unwrap() == tar);

    let mut decoder = GzDecoder::new(&member[..]);
    let mut inflated = Vec::new();
    decoder.read_to_end(&mut inflated).unwrap();
    assert!(inflated == tar, "the member inflates to the tar");
    assert!(decoder.into_inner().is_empty(), "nothing follows the one member");
    (member, tar, frame)
}

/// Returns the members of a tar in their order, by name; asserts what all have in common.
fn read(tar: &[u8]) -> Vec<(String, Seen)> {
    let mut archive = ::tar::Archive::new(tar);
    let mut members = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 315_532_800));
        assert_eq!((header.username_bytes(), header.groupname_bytes()), (Some(&b""[..]), Some(&b""[..])));
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let link = entry.link_name_bytes().map(|link| String::from_utf8(link.into_owned()).unwrap());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let (entry_type, mode) = (header.entry_type(), header.mode().unwrap());
        members.push((name, Seen { entry_type, mode, link, content }));
    }
    members
}

fn names(tar: &[u8]) -> Vec<String> {
    read(tar).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn folders_files_and_links_are_in_the_order_of_their_paths() {
    let tree = tree(
        [
            ("a/b/c.py", bytes(b"c = 1\n")),
            ("a-b.sh", bytes(b"#!/bin/sh\n")),
            ("a/b.py", bytes(b"")),
            ("z/y.py", bytes(&b"y = 1\n".repeat(30_000))),
        ],
        &[("a/bin/python", "/usr/bin/python3.12"), ("a/b/link", "c.py")],
    );
    let (_, tar, _) = written(&tree);
    let members = read(&tar);
    let shown: Vec<_> = members.iter().map(|(name, seen)| (&**name, seen.mode, seen.link.as_deref())).collect();
    assert_eq!(
        shown,
        [
            ("a-b.sh", 0o755, None),
            ("a/", 0o755, None),
            ("a/b.py", 0o644, None),
            ("a/b/", 0o755, None),
            ("a/b/c.py", 0o644, None),
            ("a/b/link", 0o777, Some("c.py")),
            ("a/bin/", 0o755, None),
            ("a/bin/python", 0o777, Some("/usr/bin/python3.12")),
            ("z/", 0o755, None),
            ("z/y.py", 0o644, None),
        ]
    );
    assert_eq!(members[4].1.content, b"c = 1\n");
    assert_eq!(members[9].1.content.len(), 180_000);
    for (name, seen) in &members {
        assert_eq!(seen.entry_type.is_dir(), name.ends_with('/'));
        assert_eq!(seen.entry_type.is_symlink(), seen.link.is_some());
    }
}

#[test]
fn an_empty_tree_is_an_empty_archive() {
    let (member, tar, _) = written(&LayerTree::default());
    assert_eq!(tar, [0; 1024]);
    assert!(names(&tar).is_empty());
    assert!(member.len() < 40);
}

#[test]
fn every_form_of_content_in_a_wheel() {
    let text = b"from typing import Any\n".repeat(9_000);
    let deflated = miniz_oxide::deflate::compress_to_vec(&text, 6);
    let empty = [3, 0];
    let archive = Archive::new(&[&b"before"[..], &deflated, &text, &empty].concat());
    let (stored_at, empty_at) = (6 + deflated.len() as u64, 6 + (deflated.len() + text.len()) as u64);
    // A fixed block of 65,535 bytes, and others behind it.
    assert!(text.len() > 3 * 65_535);
    let form = crate::wheel_form(&deflated);
    let tree = tree(
        [
            ("deflated.py", archive.content(6, deflated.len() as u64, &text, form)),
            ("empty.py", archive.content(empty_at, 2, b"", Form::Deflated { final_block: 0, end: 10 })),
            ("nothing.py", archive.content(empty_at, 0, b"", Form::Stored)),
            ("stored.py", archive.content(stored_at, text.len() as u64, &text, Form::Stored)),
        ],
        &[],
    );
    let (_, tar, _) = written(&tree);
    let members = read(&tar);
    let sizes: Vec<_> = members.iter().map(|(_, seen)| seen.content.len()).collect();
    assert_eq!(sizes, [text.len(), 0, 0, text.len()]);
    assert!(members[0].1.content == text && members[3].1.content == text);
}
