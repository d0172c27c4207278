//! Layers that are spliced from deflate streams of every kind and from real wheels, and unpacked by Python, GNU tar and gzip.

#[path = "../support/forge.rs"]
#[allow(dead_code, reason = "most of it is for wheels that are refused")]
mod forge;
#[path = "../support/wheels.rs"]
mod wheels;

mod streams;
mod unpacked;

use std::io::Read;
use std::process::Command;

use flate2::read::GzDecoder;
use pybundle::archive::layer::{LayerTree, gzip, gzip_and_tar, zstd};
use pybundle::digest::Sha256;

/// Runs a command that must succeed, and returns its standard output.
fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Writes a layer in each way, asserts that all agree, and returns the gzip member and the tar.
fn written(tree: &LayerTree) -> (Vec<u8>, Vec<u8>) {
    let (mut alone, mut member, mut tar) = (Vec::new(), Vec::new(), Vec::new());
    gzip(tree, &mut alone).unwrap();
    gzip_and_tar(tree, &mut member, &mut tar).unwrap();
    assert!(alone == member, "the member does not depend on whether the tar is written");
    assert_eq!(zstd(tree, &mut std::io::sink()).unwrap(), Sha256::of(&tar));

    let mut decoder = GzDecoder::new(&member[..]);
    let mut inflated = Vec::with_capacity(tar.len());
    decoder.read_to_end(&mut inflated).unwrap();
    assert!(inflated == tar, "the member inflates to the tar");
    assert!(decoder.into_inner().is_empty(), "nothing follows the one member");
    (member, tar)
}
