//! Records in a directory: a file for each, and for each file that is stored with one.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::store::{LocalFile, NewRecord, RecordError, RecordStore, SharedFile, StoredRecord};
use crate::cache;
use crate::closure::{ClosureRecord, InvalidRecord, LARGEST_RECORD};
use crate::digest::HashingWriter;
use crate::limited_reader;
use crate::temporary::TemporaryFile;

/// A directory with records.
pub(super) struct RecordDirectory(pub PathBuf);

impl RecordDirectory {
    /// Writes a file, whole or not at all.
    fn store(&self, path: &Path, content: &mut dyn Read) -> io::Result<()> {
        if !self.0.exists() {
            std::fs::create_dir_all(&self.0)?;
            // It may be in the project, whose application would contain it, and grow with each build.
            cache::mark_as_cache(&self.0).map_err(io::Error::other)?;
        }
        let mut file = TemporaryFile::new_in(&self.0)?;
        io::copy(content, &mut file)?;
        file.persist(path)?;
        Ok(())
    }
}

impl RecordStore for RecordDirectory {
    fn location(&self) -> String {
        self.0.display().to_string()
    }

    fn has(&self, name: &str) -> Result<bool, RecordError> {
        Ok(self.0.join(name).exists())
    }

    fn read(&self, name: &str) -> Result<Option<StoredRecord>, RecordError> {
        let path = self.0.join(name);
        match limited_reader::read_regular_file(&path, LARGEST_RECORD) {
            Ok(bytes) => Ok(Some(StoredRecord { record: ClosureRecord::decode(&bytes)?, blobs: BTreeSet::new() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RecordError::File(path, error)),
        }
    }

    fn read_file(&self, _: &str, file: &SharedFile, output: &mut dyn Write) -> Result<(), RecordError> {
        let path = self.0.join(file.name());
        let mut copy = HashingWriter::new(output);
        let copied = File::open(&path).and_then(|stored| io::copy(&mut stored.take(file.size), &mut copy));
        copied.map_err(|error| RecordError::File(path, error))?;
        if copy.finish().1 == file.sha256 { Ok(()) } else { Err(InvalidRecord::Damaged.into()) }
    }

    fn write(&self, new: &NewRecord) -> Result<bool, RecordError> {
        for LocalFile { file, path: local } in &new.files {
            let path = self.0.join(file.name());
            let stored = File::open(local).and_then(|content| self.store(&path, &mut content.take(file.size)));
            stored.map_err(|error| RecordError::File(path, error))?;
        }
        let path = self.0.join(new.name);
        self.store(&path, &mut &*new.encoded).map_err(|error| RecordError::File(path, error))?;
        Ok(true)
    }
}
