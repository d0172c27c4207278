//! Reads built images with independent readers.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::support::artifact::{Leaf, Leaves, sha256};

/// An image in a layout, with all its digests verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// The digest of the manifest.
    pub digest: String,
    /// The manifest.
    pub manifest: Value,
    /// The image configuration.
    pub config: Value,
    /// The layers, the lowest first, the base's too.
    pub layers: Vec<Layer>,
}

/// A layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// The digest of the blob.
    pub digest: String,
    /// The digest of the tar archive.
    pub diff_id: String,
    /// The last part of the media type: `tar+gzip` or `tar+zstd`.
    pub form: String,
    /// The description in the history.
    pub holds: String,
    /// The members, in their order.
    pub members: Vec<Member>,
}

/// A member of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The path, without a slash at its end.
    pub path: String,
    /// The mode.
    pub mode: u32,
    /// What it is.
    pub kind: Kind,
    /// The owners and the time.
    pub stamp: (u64, u64, u64),
}

/// What a member is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file with its content.
    File(Vec<u8>),
    /// A symbolic link and where it points.
    Link(String),
}

impl Built {
    /// Returns the property `config` of the configuration.
    pub fn execution(&self) -> &Value {
        &self.config["config"]
    }

    /// Returns a label.
    pub fn label(&self, name: &str) -> &Value {
        &self.execution()["Labels"][name]
    }

    /// Returns the value of an environment variable, which is set once.
    pub fn env(&self, name: &str) -> Option<String> {
        let variables = self.execution()["Env"].as_array().unwrap().iter().map(|variable| variable.as_str().unwrap());
        let mut values = variables.filter_map(|variable| variable.strip_prefix(name)?.strip_prefix('='));
        let value = values.next().map(str::to_owned);
        assert_eq!(values.next(), None, "{name} is set twice");
        value
    }

    /// Returns the layers that pybundle added to a base of one layer.
    pub fn own(&self) -> &[Layer] {
        &self.layers[1..]
    }

    /// Returns the descriptions of pybundle's layers in the history.
    pub fn holds(&self) -> Vec<&str> {
        self.own().iter().map(|layer| layer.holds.as_str()).collect()
    }

    /// Returns the digests of pybundle's layers.
    pub fn digests(&self) -> Vec<&str> {
        self.own().iter().map(|layer| layer.digest.as_str()).collect()
    }

    /// Returns all members that pybundle added to the base, by path. No file is in two layers.
    pub fn tree(&self) -> BTreeMap<String, Member> {
        let mut tree = BTreeMap::new();
        for member in self.own().iter().flat_map(|layer| &layer.members) {
            let before = tree.insert(member.path.clone(), member.clone());
            assert!(before.is_none() || member.kind == Kind::Directory, "{} is in two layers", member.path);
        }
        tree
    }

    /// Returns the files below a directory.
    pub fn leaves(&self, directory: &str) -> Leaves {
        let leaf = |(path, member): (String, Member)| match member.kind {
            Kind::File(content) => {
                let leaf = Leaf { sha256: sha256(&content), executable: member.mode & 0o100 != 0 };
                Some((path.strip_prefix(directory)?.strip_prefix('/')?.to_owned(), leaf))
            }
            Kind::Directory | Kind::Link(_) => None,
        };
        self.tree().into_iter().filter_map(leaf).collect()
    }

    /// Returns the content of a file.
    pub fn file(&self, path: &str) -> String {
        match self.tree().get(path).map(|member| member.kind.clone()) {
            Some(Kind::File(content)) => String::from_utf8(content).unwrap(),
            other => panic!("{path} is no file but {other:?}"),
        }
    }

    /// Returns where a link points.
    pub fn link(&self, path: &str) -> String {
        match self.tree().get(path).map(|member| member.kind.clone()) {
            Some(Kind::Link(target)) => target,
            other => panic!("{path} is no link but {other:?}"),
        }
    }
}

/// Reads the only image of a layout.
pub fn image(layout: &Path) -> Built {
    let (top, document) = top(layout);
    assert_eq!(document["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    read(layout, &top)
}

/// Reads the images of a layout's index by their platforms, with the digest of the index.
pub fn images(layout: &Path) -> (String, Vec<(String, Built)>) {
    let (digest, index) = top(layout);
    assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
    let image = |descriptor: &Value| {
        let (platform, digest) = (&descriptor["platform"], descriptor["digest"].as_str().unwrap());
        (format!("{}/{}", text(&platform["os"]), text(&platform["architecture"])), read(layout, digest))
    };
    (digest, index["manifests"].as_array().unwrap().iter().map(image).collect())
}

/// Returns the only document that the index of a layout lists, and its digest.
fn top(layout: &Path) -> (String, Value) {
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let [only] = &index["manifests"].as_array().unwrap()[..] else { panic!("{index}") };
    let digest = text(&only["digest"]);
    let document = serde_json::from_slice(&blob(layout, &digest)).unwrap();
    (digest, document)
}

fn read(layout: &Path, digest: &str) -> Built {
    let json = |digest: &str| -> Value { serde_json::from_slice(&blob(layout, digest)).unwrap() };
    let manifest = json(digest);
    let config = json(manifest["config"]["digest"].as_str().unwrap());
    let layers = manifest["layers"].as_array().unwrap().iter();
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
    let history = config["history"].as_array().unwrap().iter();
    let history: Vec<_> = history.filter(|step| step.get("empty_layer") != Some(&Value::Bool(true))).collect();
    assert!(layers.len() == diff_ids.len() && layers.len() == history.len());
    let layer = |((descriptor, diff_id), step): ((&Value, &Value), &Value)| {
        let form = text(&descriptor["mediaType"]).rsplit_once('.').unwrap().1.to_owned();
        let digest = text(&descriptor["digest"]);
        let bytes = blob(layout, &digest);
        assert_eq!(descriptor["size"], bytes.len());
        let mut tar = Vec::new();
        match form.as_str() {
            "tar+gzip" => GzDecoder::new(&bytes[..]).read_to_end(&mut tar).map(|_| ()).unwrap(),
            "tar+zstd" => zstd::Decoder::new(&bytes[..]).unwrap().read_to_end(&mut tar).map(|_| ()).unwrap(),
            other => panic!("a layer is {other}"),
        }
        assert_eq!(text(diff_id), format!("sha256:{}", sha256(&tar)));
        Layer { digest, diff_id: text(diff_id), form, holds: text(&step["comment"]), members: members(&tar) }
    };
    let layers = layers.zip(diff_ids).zip(history).map(layer).collect();
    Built { digest: digest.to_owned(), manifest, config, layers }
}

fn members(tar: &[u8]) -> Vec<Member> {
    let mut archive = tar::Archive::new(tar);
    let member = |entry: std::io::Result<tar::Entry<&[u8]>>| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        let (mode, entry_type) = (header.mode().unwrap(), header.entry_type());
        let stamp = (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap());
        let path = entry.path().unwrap().to_str().unwrap().trim_end_matches('/').to_owned();
        let kind = match entry_type {
            tar::EntryType::Directory => Kind::Directory,
            tar::EntryType::Symlink => Kind::Link(entry.link_name().unwrap().unwrap().to_str().unwrap().to_owned()),
            tar::EntryType::Regular => {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                Kind::File(content)
            }
            other => panic!("{path} is {other:?}"),
        };
        Member { path, mode, kind, stamp }
    };
    archive.entries().unwrap().map(member).collect()
}

/// Returns the bytes of a blob, which has the digest that its name states.
fn blob(layout: &Path, digest: &str) -> Vec<u8> {
    let hexadecimal = digest.strip_prefix("sha256:").unwrap();
    let bytes = fs::read(layout.join("blobs/sha256").join(hexadecimal)).unwrap();
    assert_eq!(sha256(&bytes), hexadecimal);
    bytes
}

/// Returns a string of a document, empty if it is missing.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
