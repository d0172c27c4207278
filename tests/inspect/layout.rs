//! A copy of an image layout whose documents and layers are changed, with the digests above them made right again.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::artifact::sha256;
use crate::support::command::succeed;

/// A layout in a directory of its own.
pub struct Layout {
    directory: TempDir,
}

impl Layout {
    /// Copies the layout of an artifact, which is `oci:DIRECTORY`.
    pub fn of(artifact: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let from = artifact.strip_prefix("oci:").unwrap();
        succeed(Command::new("cp").arg("-r").arg(from).arg(directory.path().join("image")));
        Self { directory }
    }

    /// Returns the layout as commands take it.
    pub fn name(&self) -> String {
        format!("oci:{}", self.root().display())
    }

    /// Returns the directory.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    /// Returns where a blob lies.
    pub fn blob(&self, digest: &str) -> PathBuf {
        self.root().join("blobs/sha256").join(digest.trim_start_matches("sha256:"))
    }

    /// Returns `index.json`.
    pub fn index(&self) -> Value {
        read(&self.root().join("index.json"))
    }

    /// Returns the digest of the manifest that the layout begins with.
    pub fn top(&self) -> String {
        self.index()["manifests"][0]["digest"].as_str().unwrap().to_owned()
    }

    /// Returns that manifest.
    pub fn manifest(&self) -> Value {
        read(&self.blob(&self.top()))
    }

    /// Returns the digests of the layers.
    pub fn layers(&self) -> Vec<String> {
        let layers = self.manifest()["layers"].clone();
        layers.as_array().unwrap().iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the digest of the configuration.
    pub fn config(&self) -> String {
        self.manifest()["config"]["digest"].as_str().unwrap().to_owned()
    }

    /// Changes the document that the layout begins with.
    pub fn edit_manifest(&self, edit: impl FnOnce(&mut Value)) {
        let top = self.top();
        let mut manifest = read(&self.blob(&top));
        edit(&mut manifest);
        let (digest, size) = self.put(&top, manifest.to_string().as_bytes());
        let mut index = self.index();
        index["manifests"][0]["digest"] = digest.into();
        index["manifests"][0]["size"] = size.into();
        fs::write(self.root().join("index.json"), index.to_string()).unwrap();
    }

    /// Changes the configuration.
    pub fn edit_config(&self, edit: impl FnOnce(&mut Value)) {
        let old = self.config();
        let mut config = read(&self.blob(&old));
        edit(&mut config);
        let (digest, size) = self.put(&old, config.to_string().as_bytes());
        self.edit_manifest(|manifest| {
            manifest["config"]["digest"] = digest.into();
            manifest["config"]["size"] = size.into();
        });
    }

    /// Replaces the bytes of a layer as they are stored, not its diff ID.
    pub fn replace_layer(&self, layer: usize, bytes: &[u8]) {
        let (digest, size) = self.put(&self.layers()[layer], bytes);
        self.edit_manifest(|manifest| {
            manifest["layers"][layer]["digest"] = digest.into();
            manifest["layers"][layer]["size"] = size.into();
        });
    }

    /// Changes the uncompressed bytes of a layer.
    pub fn edit_layer(&self, layer: usize, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let mut tar = Vec::new();
        let stored = fs::File::open(self.blob(&self.layers()[layer])).unwrap();
        flate2::read::GzDecoder::new(stored).read_to_end(&mut tar).unwrap();
        let tar = edit(tar);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).unwrap();
        self.replace_layer(layer, &gzip.finish().unwrap());
        self.edit_config(|config| config["rootfs"]["diff_ids"][layer] = format!("sha256:{}", sha256(&tar)).into());
    }

    /// Writes a blob in the place of another; returns its digest and size.
    fn put(&self, old: &str, bytes: &[u8]) -> (String, usize) {
        fs::remove_file(self.blob(old)).unwrap();
        let digest = format!("sha256:{}", sha256(bytes));
        fs::write(self.blob(&digest), bytes).unwrap();
        (digest, bytes.len())
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Flips a bit in the middle of a file.
pub fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Changes a header of a tar archive, and makes its checksum right.
pub fn edit_header(mut tar: Vec<u8>, path: &str, edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let start = header_of(&tar, path);
    let header = &mut tar[start..start + 512];
    edit(header);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    tar
}

/// Returns where the header of a member begins.
pub fn header_of(tar: &[u8], path: &str) -> usize {
    let mut archive = tar::Archive::new(tar);
    let mut entries = archive.entries().unwrap().map(Result::unwrap);
    let entry = entries.find(|entry| entry.path_bytes().as_ref() == path.as_bytes());
    entry.unwrap_or_else(|| panic!("{path} is not there")).raw_header_position() as usize
}
