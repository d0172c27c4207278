//! What lies inside a finished artifact: a Lambda zip, or an image.
//!
//! Everything is read by the strict readers that pybundle trusts elsewhere, and on the way compared with what the
//! artifact says of itself. What comes out, [`ArtifactContents`], is a list of files: how large each is, compressed and not, and
//! what it belongs to. It is what `pybundle inspect` shows, `pybundle diff` compares and `pybundle verify` checks.

pub mod difference;
mod error;
pub mod image;
pub mod layer;
mod measure;
mod owners;
pub mod treemap;
pub mod verify;
mod zip;

pub use error::ContentsError;
pub use layer::{ArtifactProblem, ScannedLayer};
pub use zip::read as read_zip;

use std::collections::BTreeMap;

use crate::digest::Sha256;

/// The largest RECORD that is read, in bytes.
const LARGEST_RECORD: u64 = 16 << 20;

/// What an artifact holds.
#[derive(Debug, Clone)]
pub struct ArtifactContents {
    /// What it is.
    pub kind: DetectedKind,
    /// The digest of the zip, or of the image manifest.
    pub digest: Sha256,
    /// The size of the zip; of an image that of its manifest, its configuration and its layers, as they are stored.
    pub size: u64,
    /// The layers of an image, the lowest first.
    pub layers: Vec<LayerContents>,
    /// The files, in the order of the artifact's bytes: of an image also those that a higher layer hides.
    pub files: Vec<FileEntry>,
    /// The installed distributions, ordered by name.
    pub distributions: Vec<DistributionEntry>,
    /// The RECORD of each distribution, in the same order, by the path that it lies at.
    pub records: Vec<(String, Vec<u8>)>,
    /// What an image says of itself.
    pub image: Option<ImageDescription>,
}

/// What an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectedKind {
    /// The zip of a function.
    Function,
    /// The zip of a Lambda layer.
    Layer,
    /// An image for one platform.
    Image,
}

/// A layer of an image.
#[derive(Debug, Clone)]
pub struct LayerContents {
    /// The digest of the layer as it is stored.
    pub digest: Sha256,
    /// Its size as it is stored, in bytes.
    pub size: u64,
    /// What is in it, as its history says.
    pub holds: String,
    /// Whose it is, as far as the history tells.
    pub part: LayerOrigin,
}

/// Whose a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerOrigin {
    /// It is below the first that pybundle made.
    Base,
    /// pybundle made it.
    Own,
    /// pybundle made none of the image's layers.
    Unknown,
}

/// What an image says of itself.
#[derive(Debug, Clone)]
pub struct ImageDescription {
    /// The platform, for instance `linux/amd64`.
    pub platform: String,
    /// The platforms of the index that it was taken from; empty if it was in none.
    pub platforms: Vec<String>,
    /// The image configuration.
    pub configuration: serde_json::Value,
    /// The annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// An installed distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DistributionEntry {
    /// The normalized name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The path of its `.dist-info` directory.
    pub dist_info: String,
}

/// A file, or a link, of an artifact.
#[derive(Debug, Clone)]
pub struct FileEntry {
    /// The path from the root. Bytes that are not UTF-8 are escaped.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// The number of its bytes.
    pub size: u64,
    /// What it takes of the artifact's bytes. In a zip that is its compressed size. In a layer it is what the
    /// decompressor takes in from the end of the file before to the end of this one: exact for gzip; zstd's blocks are
    /// divided among the files in them by their sizes.
    pub compressed_size: u64,
    /// The permissions.
    pub mode: u32,
    /// The numbers of the user and the group that it is; in a zip 0.
    pub ids: (u64, u64),
    /// The time: of a zip as MS-DOS has it, of a layer in seconds since 1970.
    pub time: u64,
    /// How a zip has it compressed: 0 stored, 8 deflated. In a layer 0.
    pub method: u16,
    /// The digest of its bytes; of a link that of what it points at.
    pub sha256: Sha256,
    /// Which layer of an image it is in.
    pub layer: usize,
    /// Whether a higher layer replaces or removes it.
    pub is_hidden: bool,
    /// What it belongs to.
    pub owner: EntryOrigin,
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A symbolic link, with what it points at.
    Symlink(String),
    /// Another name of a file of the same layer.
    HardLink(String),
    /// A device or a pipe.
    Special,
}

/// What a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryOrigin {
    /// A distribution, by its index in [`ArtifactContents::distributions`].
    Distribution(usize),
    /// The application: no distribution lists it, and it is not the base's.
    Application,
    /// The base image.
    Base,
}

impl ArtifactContents {
    /// Returns what an artifact takes besides its files: headers, directories and documents.
    pub fn overhead(&self) -> u64 {
        self.size.saturating_sub(self.files.iter().map(|file| file.compressed_size).sum())
    }

    /// Returns the files that are there when the artifact runs, by path.
    pub fn visible(&self) -> BTreeMap<&str, &FileEntry> {
        let visible = self.files.iter().filter(|file| !file.is_hidden);
        visible.map(|file| (file.path.as_str(), file)).collect()
    }

    /// Returns the whole of each owner, the largest first: by compressed size, then size, then name.
    pub fn totals(&self) -> Vec<OriginTotal> {
        let mut totals: BTreeMap<(EntryOrigin, bool), OriginTotal> = BTreeMap::new();
        for file in &self.files {
            let key = if file.is_hidden { (EntryOrigin::Base, true) } else { (file.owner, false) };
            let total = totals.entry(key).or_insert(OriginTotal {
                owner: (!file.is_hidden).then_some(file.owner),
                files: 0,
                size: 0,
                compressed_size: 0,
            });
            total.files += 1;
            total.size += file.size;
            total.compressed_size += file.compressed_size;
        }
        let mut totals: Vec<OriginTotal> = totals.into_values().collect();
        totals.sort_by(|a, b| (b.compressed_size, b.size, a.owner).cmp(&(a.compressed_size, a.size, b.owner)));
        totals
    }
}

/// The files of one owner together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginTotal {
    /// Whose they are; none for those that a higher layer hides.
    pub owner: Option<EntryOrigin>,
    /// How many they are.
    pub files: usize,
    /// Their size in bytes.
    pub size: u64,
    /// What they take of the artifact, in bytes.
    pub compressed_size: u64,
}
