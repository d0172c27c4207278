//! Records: what was costly to find out, kept by everything that decides it.

use std::fmt::{self, Display};
use std::fs;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Cache, CacheError, by_digest, record, sweep};
use crate::digest::Sha256;

/// The version of the records' common form. A record's own form has a version in its key.
const FORMAT: u32 = 1;

/// What a record tells, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum RecordKind {
    /// The digests of a layer, by what it was made of.
    Layer,
    /// The layer that an uncompressed one was compressed into, by its diff ID.
    Compressed,
    /// The interpreters and the shared libraries of a base image, by the digest of its manifest.
    Base,
    /// The file system of a base image, by the digest of its manifest.
    FileSystem,
    /// What packages of the operating system depend on in a base image, by the digest of its manifest.
    System,
    /// The digest that a reference named when it was last resolved, by its text.
    Reference,
    /// The files of a distribution that an index lists, by the page's URL.
    Page,
    /// The files that were derived from a wheel's, by what decides their bytes.
    Pack,
    /// The files of a wheel that must not be omitted, by the wheel.
    Needed,
    /// The properties of an interpreter, by the executable's path, size and times.
    Interpreter,
    /// The wheel that a source was built into, by the source and what built it.
    Built,
    /// The compiled files of a wheel and what they need, by its digest.
    Binaries,
    /// The names and sizes of the files of a [pack](Self::Pack). Only machines that lack the pack have it.
    PackOutline,
    /// What a target was made from and written to, by its project, its name and its outputs.
    Note,
    /// The digest of a large file outside of the cache, by its path, its number, its size and its times.
    LargeFile,
    /// The start of zips, by the files in it.
    ZipStart,
    /// The files of a .deb, which are deflated in a blob, by its digest.
    Deb,
    /// The newest release of a suite of a Debian archive, by its URI and suite.
    Release,
    /// The last zip on this machine that begins with these files, by the same.
    Zip,
    /// What the sources of a wheel say of other modules and of data, by its digest.
    DataUses,
}

impl RecordKind {
    /// Returns the name of the directory, which is part of the cache's layout.
    fn directory(self) -> &'static str {
        match self {
            Self::Layer => "layers",
            Self::Compressed => "compressed",
            Self::Base => "bases",
            Self::FileSystem => "filesystems",
            Self::System => "systems",
            Self::Reference => "references",
            Self::Page => "pages",
            Self::Pack => "packs",
            Self::Needed => "needed",
            Self::Interpreter => "interpreters",
            Self::Built => "built",
            Self::Binaries => "binaries",
            Self::PackOutline => "outlines",
            Self::Note => "notes",
            Self::LargeFile => "files",
            Self::ZipStart => "zip-starts",
            Self::Deb => "debs",
            Self::Release => "releases",
            Self::Zip => "zips",
            Self::DataUses => "data-uses",
        }
    }

    /// Tells whether a record is of use to other machines: it follows from published files, and is enough without a file of
    /// this machine.
    pub(super) fn is_shared(self) -> bool {
        match self {
            Self::Layer
            | Self::Needed
            | Self::Binaries
            | Self::PackOutline
            | Self::Built
            | Self::ZipStart
            | Self::DataUses => true,
            Self::Compressed
            | Self::Base
            | Self::FileSystem
            | Self::System
            | Self::Reference
            | Self::Page
            | Self::Pack
            | Self::Interpreter
            | Self::Note
            | Self::LargeFile
            | Self::Release
            | Self::Deb
            | Self::Zip => false,
        }
    }
}

/// Everything that decides a record, as a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordKey(pub(super) Sha256);

impl RecordKey {
    /// Creates the key of a record that follows from `parts`, in the form that `version` names: a new form, or another way to
    /// compute it, gets another version.
    pub(crate) fn new(version: impl Display, parts: &[&dyn Display]) -> Self {
        let mut text = version.to_string();
        for part in parts {
            text.push('\n');
            text.push_str(&part.to_string());
        }
        Self(Sha256::of(text.as_bytes()))
    }
}

impl Display for RecordKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.hex())
    }
}

impl From<Sha256> for RecordKey {
    fn from(digest: Sha256) -> Self {
        Self(digest)
    }
}

impl Cache {
    /// Returns what a record tells, or computes and records it.
    ///
    /// # Errors
    /// `compute` fails, or the cache cannot be written to.
    pub(crate) fn remember<T, E>(
        &self,
        kind: RecordKind,
        key: impl Into<RecordKey>,
        compute: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<CacheError>,
    {
        let key = key.into();
        if let Some(recorded) = self.record(kind, key) {
            return Ok(recorded);
        }
        let computed = compute()?;
        self.store_record(kind, key, &computed)?;
        Ok(computed)
    }

    /// As [`remember`](Self::remember), for what is more than its record, a blob for instance: `restore` returns it, or `None`
    /// if the cache has it no longer, and `compute` returns it together with its record.
    ///
    /// # Errors
    /// `restore` or `compute` fails, or the cache cannot be written to.
    pub(crate) fn remember_with<R, T, E>(
        &self,
        kind: RecordKind,
        key: impl Into<RecordKey>,
        restore: impl FnOnce(R) -> Result<Option<T>, E>,
        compute: impl FnOnce() -> Result<(R, T), E>,
    ) -> Result<T, E>
    where
        R: Serialize + DeserializeOwned,
        E: From<CacheError>,
    {
        let key = key.into();
        if let Some(recorded) = self.record(kind, key)
            && let Some(restored) = restore(recorded)?
        {
            return Ok(restored);
        }
        let (record, computed) = compute()?;
        self.store_record(kind, key, &record)?;
        Ok(computed)
    }

    /// Returns a record, or `None` if it is missing, damaged or from another version, and no other machine has shared it.
    pub(crate) fn record<T: DeserializeOwned>(&self, kind: RecordKind, key: impl Into<RecordKey>) -> Option<T> {
        let key = key.into();
        let path = self.readable(self.record_path(kind, key));
        let sealed = fs::read(&path).ok();
        let Some(body) = sealed.as_ref().and_then(|bytes| record::body(&header(), bytes)) else {
            return self.borrowed(kind, key);
        };
        let value = postcard::from_bytes(body).ok()?;
        sweep::mark_as_used(&path);
        self.note_bytes(kind, key, body);
        Some(value)
    }

    /// Stores a record.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(crate) fn store_record<T: Serialize>(
        &self,
        kind: RecordKind,
        key: impl Into<RecordKey>,
        value: &T,
    ) -> Result<(), CacheError> {
        let key = key.into();
        self.note(kind, key, || value);
        let path = self.record_path(kind, key);
        let bytes = record::seal(header(), value).map_err(CacheError::io("write", &path))?;
        self.write(&path, &bytes)
    }

    fn record_path(&self, kind: RecordKind, RecordKey(digest): RecordKey) -> PathBuf {
        by_digest(&self.root.join(kind.directory()), digest)
    }
}

fn header() -> String {
    format!("pybundle note {FORMAT}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Record = (Sha256, u64, String);

    fn record(cache: &Cache, kind: RecordKind, key: Sha256) -> Option<Record> {
        cache.record(kind, key)
    }

    #[test]
    fn records_come_back_unless_they_are_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        let key = Sha256::of(b"key");
        let value = (Sha256::of(b"layer"), 12_u64, "numpy 2.1".to_owned());
        assert_eq!(record(&cache, RecordKind::Layer, key), None);
        cache.store_record(RecordKind::Layer, key, &value).unwrap();
        assert_eq!(record(&cache, RecordKind::Layer, key), Some(value));
        assert_eq!(record(&cache, RecordKind::Base, key), None);

        let path = cache.record_path(RecordKind::Layer, key.into());
        let intact = fs::read(&path).unwrap();
        for at in 0..intact.len() {
            let mut damaged = intact.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(record(&cache, RecordKind::Layer, key), None, "byte {at}");
        }
        fs::write(&path, &intact[..intact.len() - 1]).unwrap();
        assert_eq!(record(&cache, RecordKind::Layer, key), None);
    }

    #[test]
    fn what_is_remembered_is_computed_once_for_each_version_and_each_part() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        let keys = [
            RecordKey::new("needed 1", &[&"a", &"b"]),
            RecordKey::new("needed 2", &[&"a", &"b"]),
            RecordKey::new("needed 2", &[&"ab"]),
        ];
        let mut count = 0;
        for (at, key) in keys.into_iter().enumerate() {
            for _ in 0..2 {
                let remembered = cache.remember(RecordKind::Needed, key, || {
                    count += 1;
                    Ok::<_, CacheError>(count)
                });
                assert_eq!(remembered.unwrap(), at + 1);
            }
        }
        let failing = cache.remember(RecordKind::Pack, keys[0], || {
            Err::<u8, _>(CacheError::io("read", directory.path())(std::io::ErrorKind::Other.into()))
        });
        assert!(failing.is_err());
        assert_eq!(cache.record::<u8>(RecordKind::Pack, keys[0]), None);
    }

    #[test]
    fn what_cannot_be_restored_is_computed_again() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        for (is_restorable, value, expected) in
            [(true, 1, "computed 1"), (true, 2, "restored 1"), (false, 3, "computed 3"), (true, 4, "restored 3")]
        {
            let remembered = cache.remember_with(
                RecordKind::Built,
                Sha256::of(b"key"),
                |recorded: u8| Ok::<_, CacheError>(is_restorable.then(|| format!("restored {recorded}"))),
                || Ok((value, format!("computed {value}"))),
            );
            assert_eq!(remembered.unwrap(), expected);
        }
    }
}
