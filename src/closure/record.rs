//! The record of a closure.
//!
//! A line with the format, then a zstd frame with the values in the [postcard](https://postcard.jamesmunns.com/wire-format)
//! format. The name of a record contains the versions of everything in it, so the values have none.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::audit::LARGEST_MODULE;
use crate::audit::imports::is_standard;
use crate::audit::imports::library_needs::needed_modules;
use crate::cache::SharedRecords;
use crate::digest::Sha256;
use crate::platform::PythonVersion;
use crate::tree::{Extent, ExtentFormat, FileContent, KnownContent, SourceFacts, SourceMarkers};
use crate::wheel::filename::WheelFilename;
use crate::wheel::{
    DeferredWheel, KnownFiles, SchemePart, SplicedLayer, Wheel, WheelBytes, WheelInventory, WheelReading,
};

/// The first line.
const HEADER: &[u8] = b"pybundle closure\n";

/// The largest record in bytes, compressed: that of 300 distributions has about 260 kB.
pub(crate) const LARGEST_RECORD: u64 = 16 << 20;

/// The largest record in bytes, uncompressed.
const LARGEST_INFLATED: u64 = 256 << 20;

/// The level of compression: what is written once is read by every machine.
const LEVEL: i32 = 19;

/// The largest file whose text is recorded, in bytes. Nearly all files that are read to plan an image are smaller.
const LARGEST_KNOWN: u64 = 64 << 10;

/// What is known of the distributions of a closure.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ClosureRecord {
    /// The wheels, ordered by file name.
    pub(crate) wheels: Vec<KnownWheel>,
    /// What else was found out about them and their layers.
    pub(crate) records: SharedRecords,
    /// The layers that several of them share.
    pub(crate) layers: Vec<SharedLayer>,
}

/// A layer that several distributions share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SharedLayer {
    pub(crate) digest: Sha256,
    /// In bytes.
    pub(crate) size: u64,
    /// The digests of their wheels.
    pub(crate) wheels: Vec<Sha256>,
}

/// What is known of a wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownWheel {
    filename: String,
    sha256: Sha256,
    size: u64,
    inventory: WheelInventory,
    /// The headers of METADATA.
    metadata: Vec<u8>,
    /// The small files that are read, by position.
    texts: BTreeMap<usize, Vec<u8>>,
    /// The positions of files that are not compressed in the wheel.
    stored: BTreeSet<usize>,
    /// What audits ask of every Python source that is small enough, in their order.
    sources: Vec<SourceFacts>,
}

/// The record of a closure is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidRecord {
    #[error("the record is not one of pybundle")]
    Header,
    #[error("the record has more than {LARGEST_INFLATED} bytes uncompressed")]
    TooLarge,
    #[error("the record is damaged")]
    Damaged,
}

impl ClosureRecord {
    /// Tells whether two records say the same of whatever both are about.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        let others: BTreeMap<Sha256, &KnownWheel> = other.wheels.iter().map(|wheel| (wheel.sha256, wheel)).collect();
        self.wheels.iter().all(|wheel| others.get(&wheel.sha256).is_none_or(|other| *other == wheel))
            && self.records.agrees_with(&other.records)
    }

    /// Serializes the record.
    ///
    /// # Errors
    /// Memory cannot be had.
    pub(crate) fn encode(&self) -> io::Result<Vec<u8>> {
        let values = postcard::to_stdvec(self).map_err(io::Error::other)?;
        let mut bytes = HEADER.to_vec();
        zstd::stream::copy_encode(&*values, &mut bytes, LEVEL)?;
        Ok(bytes)
    }

    /// Reads a record, of which nothing is trusted.
    ///
    /// # Errors
    /// It is not one, too large or damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let frame = bytes.strip_prefix(HEADER).ok_or(InvalidRecord::Header)?;
        let decoder = zstd::stream::Decoder::new(frame).map_err(|_| InvalidRecord::Damaged)?;
        let mut values = Vec::new();
        decoder.take(LARGEST_INFLATED + 1).read_to_end(&mut values).map_err(|_| InvalidRecord::Damaged)?;
        if values.len() as u64 > LARGEST_INFLATED {
            return Err(InvalidRecord::TooLarge);
        }
        let record: Self = postcard::from_bytes(&values).map_err(|_| InvalidRecord::Damaged)?;
        if record.wheels.iter().all(KnownWheel::is_coherent) { Ok(record) } else { Err(InvalidRecord::Damaged) }
    }
}

impl KnownWheel {
    /// Returns what is known of a wheel in the cache, for a version of Python.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn of(wheel: &Wheel, python: PythonVersion) -> io::Result<Self> {
        let inventory = wheel.inventory.clone();
        let searched: Vec<usize> =
            (0..inventory.files.len()).filter(|position| is_searched(&inventory, *position)).collect();
        let sources = searched.into_par_iter().map(|position| {
            let source = wheel.content(position).read(LARGEST_MODULE)?;
            Ok(facts(&inventory.files[position].path, &source, python))
        });
        let sources = sources.collect::<io::Result<_>>()?;
        let (mut texts, mut stored) = (BTreeMap::new(), BTreeSet::new());
        for (position, file) in inventory.files.iter().enumerate() {
            if let FileContent::Archived { extent: Extent { format: ExtentFormat::Stored, .. }, .. } =
                wheel.content(position)
            {
                stored.insert(position);
            }
            if file.size <= LARGEST_KNOWN && is_read(&inventory, position) {
                texts.insert(position, wheel.content(position).read(LARGEST_KNOWN)?);
            }
        }
        Ok(Self {
            filename: wheel.filename.to_string(),
            sha256: wheel.sha256,
            size: wheel.size,
            metadata: wheel.metadata()?,
            inventory,
            texts,
            stored,
            sources,
        })
    }

    /// Returns the digest of the wheel's file.
    pub(crate) fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// Writes the contents of the wheel's files to `output`, which has `offset` bytes, and returns where they are; `None` if a
    /// layer does not have all of them unchanged.
    ///
    /// # Errors
    /// `output` fails.
    pub(crate) fn take_from(
        &self,
        layer: &SplicedLayer,
        offset: u64,
        output: &mut dyn io::Write,
    ) -> io::Result<Option<Vec<Extent>>> {
        layer.take(&self.inventory, &self.stored, offset, output)
    }

    /// Returns the wheel, of whose file a file on this machine has all contents.
    pub(crate) fn here(&self, filename: &WheelFilename, path: PathBuf, extents: Vec<Extent>) -> Wheel {
        let reading = WheelReading { inventory: self.inventory.clone(), extents };
        Wheel::here(path, filename, (self.sha256, self.size), reading)
    }

    /// Returns the size of the wheel's file in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Returns the wheel, whose bytes `obtain` returns once they are needed; `None` if it is not the file of this name.
    pub(crate) fn wheel(
        &self,
        filename: &WheelFilename,
        obtain: impl Fn() -> io::Result<Wheel> + Send + Sync + 'static,
    ) -> Option<Wheel> {
        let Self { sha256, size, inventory, .. } = self;
        if self.filename != filename.as_str()
            || inventory.name != filename.name
            || inventory.version != filename.version
        {
            return None;
        }
        let deferred = DeferredWheel::new(inventory.clone(), self.files(), obtain);
        let bytes = WheelBytes::Deferred(deferred.into());
        let (filename, inventory) = (filename.clone(), inventory.clone());
        Some(Wheel { filename, sha256: *sha256, size: *size, inventory, bytes })
    }

    fn files(&self) -> KnownFiles {
        let sources = (0..self.inventory.files.len()).filter(|position| is_searched(&self.inventory, *position));
        let facts = sources.zip(&self.sources).map(|(position, facts)| (position, KnownContent::Source(facts.clone())));
        let mut contents: BTreeMap<usize, KnownContent> = facts.collect();
        contents.extend(
            self.texts.iter().map(|(position, text)| (*position, KnownContent::Bytes(text.clone().into_boxed_slice()))),
        );
        KnownFiles { metadata: self.metadata.clone().into(), contents }
    }

    /// Returns whether the parts agree with one another.
    fn is_coherent(&self) -> bool {
        let Self { inventory, texts, sources: facts, .. } = self;
        let sources = (0..inventory.files.len()).filter(|position| is_searched(inventory, *position)).count();
        facts.len() == sources
            && texts.iter().all(|(position, text)| {
                inventory.files.get(*position).is_some_and(|file| file.size == text.len() as u64)
            })
    }
}

/// Returns what audits ask of a source.
fn facts(path: &str, source: &[u8], python: PythonVersion) -> SourceFacts {
    let needs = needed_modules(source, python);
    let own = path.split('/').next().unwrap_or(path);
    let own = own.strip_suffix(".py").unwrap_or(own);
    // The package of a module exists if the module does, and the standard library of this version does, too: nothing asks
    // whether they are missing.
    let needs = needs.into_iter().filter(|need| *need.name != *own && !is_standard(&need.name, python));
    SourceFacts { markers: SourceMarkers::of(source), needs: needs.collect() }
}

/// Tells whether facts are recorded for a file.
fn is_searched(inventory: &WheelInventory, position: usize) -> bool {
    let file = &inventory.files[position];
    file.part == SchemePart::Library && file.path.ends_with(".py") && file.size <= LARGEST_MODULE
}

/// Tells whether planning and auditing read a file of any distribution: what `site` reads at every start, entry points, and
/// the modules of console scripts, which commands of images start.
fn is_read(inventory: &WheelInventory, position: usize) -> bool {
    let file = &inventory.files[position];
    if file.part != SchemePart::Library {
        return false;
    }
    let is_started = file.path.strip_suffix(".py").is_some_and(|path| {
        let module = path.strip_suffix("/__init__").unwrap_or(path).replace('/', ".");
        inventory.entry_points.iter().any(|script| *script.module == *module)
    });
    is_started
        || match file.path.rsplit_once('/') {
            None => file.path.ends_with(".pth"),
            Some((directory, name)) => directory == inventory.dist_info && name == "entry_points.txt",
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_refused() {
        let record = ClosureRecord::default().encode().unwrap();
        assert!(ClosureRecord::decode(&record).unwrap().wheels.is_empty());
        let frame = |values: &[u8]| [HEADER, &zstd::encode_all(values, 1).unwrap()].concat();
        for (bytes, reason) in [
            (b"pybundle closure".to_vec(), "the record is not one of pybundle"),
            (HEADER.to_vec(), "the record is damaged"),
            (record[..record.len() - 1].to_vec(), "the record is damaged"),
            // A number of wheels that no memory holds, and none of them.
            (frame(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), "the record is damaged"),
        ] {
            assert_eq!(ClosureRecord::decode(&bytes).unwrap_err().to_string(), reason, "{bytes:?}");
        }
        // A small frame of more than is read.
        let mut encoder = zstd::stream::Encoder::new(HEADER.to_vec(), 1).unwrap();
        io::copy(&mut io::repeat(0).take(LARGEST_INFLATED + 1), &mut encoder).unwrap();
        let error = ClosureRecord::decode(&encoder.finish().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), format!("the record has more than {LARGEST_INFLATED} bytes uncompressed"));
    }
}
