//! Reads finished artifacts: Lambda zips and images.
//!
//! Everything is read by the strict readers that also read pybundle's inputs, and compared with the artifact's metadata.
//! The result, [`ArtifactContents`], lists the files with their sizes and origins: `pybundle inspect` shows it, `pybundle
//! diff` compares two, and `pybundle verify` checks one.

pub(crate) mod difference;
mod error;
pub(crate) mod image;
pub(crate) mod layer;
mod measure;
mod origins;
mod packages;
pub(crate) mod treemap;
pub(crate) mod verify;
mod zip;

pub(crate) use error::ContentsError;
pub(crate) use layer::{ArtifactProblem, ScannedLayer};
pub(crate) use zip::read as read_zip;

use std::collections::BTreeMap;

use crate::digest::Sha256;

/// The largest RECORD that is read, in bytes.
const LARGEST_RECORD: u64 = 16 << 20;

#[derive(Debug, Clone)]
pub(crate) struct ArtifactContents {
    pub(crate) kind: DetectedKind,
    /// The digest of the zip, or of the image manifest.
    pub(crate) digest: Sha256,
    /// The size in bytes of the zip, or of the manifest, the image config and the layers of an image.
    pub(crate) size: u64,
    /// The layers of an image, lowest first.
    pub(crate) layers: Vec<LayerContents>,
    /// The files in the order of the artifact. Those of an image include files that a higher layer hides.
    pub(crate) files: Vec<FileEntry>,
    /// The installed distributions, sorted by name.
    pub(crate) distributions: Vec<DistributionEntry>,
    /// The path and the content of each distribution's RECORD, in the same order.
    pub(crate) records: Vec<(String, Vec<u8>)>,
    /// The versions of the operating system's packages by name, which a zip has not.
    pub(crate) packages: BTreeMap<String, String>,
    /// `None` for a zip.
    pub(crate) image: Option<ImageDescription>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DetectedKind {
    /// The zip of a function.
    Function,
    /// The zip of a Lambda layer.
    Layer,
    /// An image for one platform.
    Image,
}

/// A layer of an image. Its digest and its size in bytes are those of its stored form.
#[derive(Debug, Clone)]
pub(crate) struct LayerContents {
    pub(crate) digest: Sha256,
    pub(crate) size: u64,
    /// The description in the history.
    pub(crate) description: String,
    pub(crate) origin: LayerOrigin,
}

/// Who built a layer, according to the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerOrigin {
    /// It is below the first layer that pybundle built.
    Base,
    Pybundle,
    /// pybundle built none of the image's layers.
    Unknown,
}

#[derive(Debug, Clone)]
pub(crate) struct ImageDescription {
    /// The platform, for instance `linux/amd64`.
    pub(crate) platform: String,
    /// The platforms of the image index; empty without one.
    pub(crate) platforms: Vec<String>,
    pub(crate) configuration: serde_json::Value,
    /// The annotations of the manifest.
    pub(crate) annotations: BTreeMap<String, String>,
}

/// An installed distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DistributionEntry {
    /// The normalized name.
    pub(crate) name: String,
    pub(crate) version: String,
    /// The path of the `.dist-info` directory.
    pub(crate) dist_info: String,
}

/// A file or a link in an artifact.
#[derive(Debug, Clone)]
pub(crate) struct FileEntry {
    /// The path relative to the root. Bytes that are not UTF-8 are escaped.
    pub(crate) path: String,
    pub(crate) kind: FileKind,
    pub(crate) size: u64,
    /// The share of the artifact's bytes. In a zip it is the compressed size. In a layer it is what the decompressor reads
    /// between the end of the previous file and the end of this one: exact for gzip; a zstd block is divided among its
    /// files by their sizes.
    pub(crate) compressed_size: u64,
    pub(crate) mode: u32,
    /// The user ID and the group ID; 0 in a zip.
    pub(crate) ids: (u64, u64),
    /// The modification time: in MS-DOS format in a zip, in seconds since 1970 in a layer.
    pub(crate) time: u64,
    /// The compression method in a zip (APPNOTE 4.4.5): 0 stored, 8 deflated; 0 in a layer.
    pub(crate) method: u16,
    /// The digest of the content, or of a link's target.
    pub(crate) sha256: Sha256,
    /// The index of the layer.
    pub(crate) layer: usize,
    /// Whether a higher layer replaces or removes the file.
    pub(crate) is_hidden: bool,
    pub(crate) origin: EntryOrigin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileKind {
    Regular,
    /// A symbolic link, with its target.
    Symlink(String),
    /// Another name of a file in the same layer.
    HardLink(String),
    /// A device or a named pipe.
    Special,
}

/// What a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EntryOrigin {
    /// A distribution, by its index in [`ArtifactContents::distributions`].
    Distribution(usize),
    /// The application: no RECORD lists the file, and it is not in the base.
    Application,
    /// The system packages that were put on the base.
    SystemPackages,
    Base,
}

impl ArtifactContents {
    /// Returns the number of bytes in headers, directories and documents.
    pub(crate) fn overhead(&self) -> u64 {
        self.size.saturating_sub(self.files.iter().map(|file| file.compressed_size).sum())
    }

    /// Returns the files that no higher layer hides, by path.
    pub(crate) fn visible(&self) -> BTreeMap<&str, &FileEntry> {
        let visible = self.files.iter().filter(|file| !file.is_hidden);
        visible.map(|file| (file.path.as_str(), file)).collect()
    }

    /// Returns the totals by origin, largest first: by compressed size, then size, then name.
    pub(crate) fn totals(&self) -> Vec<OriginTotal> {
        let mut totals: BTreeMap<(EntryOrigin, bool), OriginTotal> = BTreeMap::new();
        for file in &self.files {
            let key = if file.is_hidden { (EntryOrigin::Base, true) } else { (file.origin, false) };
            let total = totals.entry(key).or_insert(OriginTotal {
                origin: (!file.is_hidden).then_some(file.origin),
                files: 0,
                size: 0,
                compressed_size: 0,
            });
            total.files += 1;
            total.size += file.size;
            total.compressed_size += file.compressed_size;
        }
        let mut totals: Vec<OriginTotal> = totals.into_values().collect();
        totals.sort_by(|a, b| (b.compressed_size, b.size, a.origin).cmp(&(a.compressed_size, a.size, b.origin)));
        totals
    }
}

/// The number and the sizes of all files of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OriginTotal {
    /// `None` for files that a higher layer hides.
    pub(crate) origin: Option<EntryOrigin>,
    pub(crate) files: usize,
    pub(crate) size: u64,
    pub(crate) compressed_size: u64,
}
