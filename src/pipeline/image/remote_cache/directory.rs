//! Records in a directory: a file for each, and for each wheel that was built.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::store::{RecordError, RecordStore, StoredRecord};
use crate::closure::{ClosureRecord, InvalidRecord, KnownWheel, LARGEST_RECORD};
use crate::digest::{HashingWriter, Sha256};
use crate::image::Layer;
use crate::limited_reader;
use crate::temporary::TemporaryFile;
use crate::wheel::Wheel;

/// A directory with records.
pub(super) struct RecordDirectory(pub PathBuf);

impl RecordDirectory {
    fn wheel(&self, digest: Sha256) -> PathBuf {
        self.0.join(format!("{}.whl", digest.hex()))
    }

    /// Writes a file, whole or not at all.
    fn store(&self, path: &Path, content: &mut dyn Read) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)?;
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

    fn read_wheel(&self, _: &str, wheel: &KnownWheel, output: &mut TemporaryFile) -> Result<(), RecordError> {
        let path = self.wheel(wheel.sha256());
        let mut copy = HashingWriter::new(output);
        let copied = File::open(&path).and_then(|wheel_file| io::copy(&mut wheel_file.take(wheel.size()), &mut copy));
        copied.map_err(|error| RecordError::File(path, error))?;
        if copy.finish().1 == wheel.sha256() { Ok(()) } else { Err(InvalidRecord::Damaged.into()) }
    }

    fn write(&self, name: &str, record: Vec<u8>, built: &[&Wheel], _: &[Layer]) -> Result<bool, RecordError> {
        for wheel in built {
            let path = self.wheel(wheel.sha256);
            let stored = wheel.archive().and_then(|archive| File::open(&*archive));
            let stored = stored.and_then(|mut wheel| self.store(&path, &mut wheel));
            stored.map_err(|error| RecordError::File(path, error))?;
        }
        let path = self.0.join(name);
        self.store(&path, &mut &*record).map_err(|error| RecordError::File(path, error))?;
        Ok(true)
    }
}
