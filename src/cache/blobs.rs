//! Blobs by their digest, the parts of images and source distributions, and notes on what was costly to find out.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use super::{Cache, CacheError, copy, create_parent, record, sweep};
use crate::digest::{Algorithm, Digest, Hasher, Sha256};

/// The version of the notes' common form. What a note itself says has a version in its key, if it may change.
const FORMAT: u32 = 1;

/// What a note says, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The digests of a layer, by what it was made of.
    Layer,
    /// The layer that an uncompressed one was compressed into, by its diff ID.
    Compressed,
    /// The interpreters and the shared libraries of a base image, by the digest of its manifest.
    Base,
    /// The file system of a base image, by the digest of its manifest and the version of what is kept.
    FileSystem,
    /// What a reference named when it was last looked up, by its text.
    Reference,
    /// The files that an index lists of a distribution, by the page's URL.
    Page,
    /// The files that were made of a wheel's, by what decides their bytes.
    Pack,
    /// What of a wheel may not be left out, by the wheel.
    Needed,
    /// What a program said of the interpreter that it is, by the program's path, size and times.
    Interpreter,
    /// The wheel that a source was built into, by the source and what built it.
    Built,
    /// What the compiled files of a wheel are and need, by its digest.
    Binaries,
}

impl Note {
    fn name(self) -> &'static str {
        match self {
            Self::Layer => "layers",
            Self::Compressed => "compressed",
            Self::Base => "bases",
            Self::FileSystem => "filesystems",
            Self::Reference => "references",
            Self::Page => "pages",
            Self::Pack => "packs",
            Self::Needed => "needed",
            Self::Interpreter => "interpreters",
            Self::Built => "built",
            Self::Binaries => "binaries",
        }
    }
}

/// A verified file that is not read further: a source distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The file, whose name in the cache is its digest.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Sha256,
}

impl Cache {
    /// Returns the archive that has a digest, if it is there. It is read whole, since nothing else tells that it is
    /// intact; a damaged one counts as absent.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub fn archive(&self, digest: &Digest) -> Result<Option<Archive>, CacheError> {
        let Some(sha256) = self.resolve(digest)? else { return Ok(None) };
        let Some(path) = self.blob(sha256) else { return Ok(None) };
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CacheError::io("read", &path)(error)),
        };
        copy(&mut file, |bytes| hasher.update(bytes)).map_err(CacheError::io("read", &path))?;
        Ok((hasher.finish() == sha256.into()).then_some(Archive { path, sha256 }))
    }

    /// Gives a file of this cache its name as a blob. The caller has computed its digests; `digest` is the one that it
    /// will be asked for by.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub(crate) fn keep_archive(
        &self,
        (file, staged): (&File, &Path),
        sha256: Sha256,
        digest: Option<&Digest>,
    ) -> Result<Archive, CacheError> {
        let path = self.blob_path(sha256);
        create_parent(&path)?;
        file.sync_data().map_err(CacheError::io("write", staged))?;
        fs::rename(staged, &path).map_err(CacheError::io("write", &path))?;
        self.point(digest, sha256)?;
        Ok(Archive { path, sha256 })
    }

    /// Returns the file of a blob, if it is there. Whoever reads it compares it with its digest.
    pub fn blob(&self, digest: Sha256) -> Option<PathBuf> {
        let path = self.blob_path(digest);
        let found = path.is_file();
        if found {
            sweep::mark_as_used(&path);
        }
        found.then_some(path)
    }

    /// Makes a file for a blob that is about to be written. It is removed if it is not kept.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub fn begin_blob(&self) -> Result<NamedTempFile, CacheError> {
        self.stage()
    }

    /// Keeps a blob, whose digest the caller has verified, and returns its place.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub fn keep_blob(&self, blob: NamedTempFile, digest: Sha256) -> Result<PathBuf, CacheError> {
        let path = self.blob_path(digest);
        create_parent(&path)?;
        blob.as_file().sync_data().map_err(CacheError::io("write", blob.path()))?;
        blob.persist(&path).map_err(|error| CacheError::io("write", &path)(error.error))?;
        Ok(path)
    }

    /// Returns a note; none if there is none, or if it is damaged.
    pub fn note<T: DeserializeOwned>(&self, note: Note, key: Sha256) -> Option<T> {
        let path = self.note_path(note, key);
        let bytes = fs::read(&path).ok()?;
        let value = record::unseal(&header(), &bytes)?;
        sweep::mark_as_used(&path);
        Some(value)
    }

    /// Keeps a note.
    ///
    /// # Errors
    /// The cache cannot be written to.
    pub fn keep_note<T: Serialize>(&self, note: Note, key: Sha256, value: &T) -> Result<(), CacheError> {
        let path = self.note_path(note, key);
        let bytes = record::seal(header(), value).map_err(CacheError::io("write", &path))?;
        self.write(&path, &bytes)
    }

    fn blob_path(&self, digest: Sha256) -> PathBuf {
        by_digest(&self.root.join("blobs"), digest)
    }

    fn note_path(&self, note: Note, key: Sha256) -> PathBuf {
        by_digest(&self.root.join(note.name()), key)
    }
}

fn by_digest(folder: &Path, digest: Sha256) -> PathBuf {
    let hex = digest.hex();
    folder.join(&hex[..2]).join(hex)
}

fn header() -> String {
    format!("pybundle note {FORMAT}\n")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn notes_come_back_unless_they_are_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let key = Sha256::of(b"key");
        let value = (Sha256::of(b"layer"), 12_u64, "numpy 2.1".to_owned());
        assert_eq!(cache.note::<(Sha256, u64, String)>(Note::Layer, key), None);
        cache.keep_note(Note::Layer, key, &value).unwrap();
        assert_eq!(cache.note(Note::Layer, key), Some(value));
        assert_eq!(cache.note::<(Sha256, u64, String)>(Note::Base, key), None);

        let path = cache.note_path(Note::Layer, key);
        let intact = fs::read(&path).unwrap();
        for at in 0..intact.len() {
            let mut damaged = intact.clone();
            damaged[at] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(cache.note::<(Sha256, u64, String)>(Note::Layer, key), None, "byte {at}");
        }
        fs::write(&path, &intact[..intact.len() - 1]).unwrap();
        assert_eq!(cache.note::<(Sha256, u64, String)>(Note::Layer, key), None);
    }

    #[test]
    fn blobs_are_kept_once_they_are_complete() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let digest = Sha256::of(b"blob");
        let mut dropped = cache.begin_blob().unwrap();
        dropped.write_all(b"bl").unwrap();
        drop(dropped);
        assert_eq!(cache.blob(digest), None);

        let mut file = cache.begin_blob().unwrap();
        file.write_all(b"blob").unwrap();
        let path = cache.keep_blob(file, digest).unwrap();
        assert_eq!(cache.blob(digest), Some(path.clone()));
        assert_eq!(fs::read(path).unwrap(), b"blob");
        assert_eq!(cache.clean().unwrap().files, 1);
    }
}
