//! What the places have in common that records are kept in.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::aws::{AwsError, S3Error};
use crate::cache::CacheError;
use crate::closure::{ClosureRecord, InvalidRecord, LARGEST_RECORD};
use crate::digest::Sha256;
use crate::image::Layer;
use crate::registry::RegistryError;

/// A place for records. A name is written once, since every machine writes the same record under it.
pub(super) trait RecordStore {
    /// Returns the place as the user named it.
    fn location(&self) -> String;

    /// Tells whether there is a record of a name.
    fn has(&self, name: &str) -> Result<bool, RecordError>;

    /// Returns the record of a name, if there is one.
    fn read(&self, name: &str) -> Result<Option<StoredRecord>, RecordError>;

    /// Writes a file into `output` that was stored with the record of a name, and verifies it.
    fn read_file(&self, name: &str, file: &SharedFile, output: &mut dyn Write) -> Result<(), RecordError>;

    /// Stores a record with its files, and names the layers that should be kept as long as it. Returns whether there was none before,
    /// as far as the place tells.
    ///
    /// A record that [is damaged](RecordError::is_damage), or one of whose files is, is replaced.
    fn write(&self, new: &NewRecord) -> Result<bool, RecordError>;
}

/// A record to store.
pub(super) struct NewRecord<'a> {
    pub name: &'a str,
    pub encoded: Vec<u8>,
    /// What is stored with it.
    pub files: Vec<LocalFile>,
    /// The layers of the image.
    pub layers: &'a [Layer],
    /// Which of them other images have that are made of the same distributions.
    pub shared: BTreeSet<Sha256>,
    /// Whether what has the name was read, and is damaged.
    pub is_replacing: bool,
}

/// A file that is stored with records, because it would be slow to make again.
#[derive(Debug, Clone, Copy)]
pub(super) struct SharedFile {
    pub kind: SharedFileKind,
    pub sha256: Sha256,
    /// In bytes.
    pub size: u64,
}

/// What a file is that is stored with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SharedFileKind {
    /// A wheel that was built from source.
    Wheel,
    /// What zips begin with that contain the distributions.
    ZipStart,
}

impl SharedFile {
    /// Returns the name in a directory or a bucket.
    pub(super) fn name(&self) -> String {
        let extension = match self.kind {
            SharedFileKind::Wheel => "whl",
            SharedFileKind::ZipStart => "zip-start",
        };
        format!("{}.{extension}", self.sha256.hex())
    }

    /// Returns the media type in a repository.
    pub(super) fn media_type(&self) -> &'static str {
        match self.kind {
            SharedFileKind::Wheel => "application/vnd.pybundle.wheel.v1+zip",
            SharedFileKind::ZipStart => "application/vnd.pybundle.zip-start.v1",
        }
    }
}

/// A file to store, which is the beginning of a file on this machine, or all of it.
pub(super) struct LocalFile {
    pub file: SharedFile,
    pub path: PathBuf,
}

/// A record, and what its place tells besides.
pub(super) struct StoredRecord {
    pub record: ClosureRecord,
    /// The blobs that the repository of the record has.
    pub blobs: BTreeSet<Sha256>,
}

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Bucket(#[from] S3Error),
    #[error("cannot load the AWS credentials")]
    Credentials(#[from] AwsError),
    #[error("no AWS credentials in the environment, the profiles, or the metadata of a container or EC2 instance")]
    NoCredentials,
    #[error("cannot start to send requests")]
    Start(#[source] io::Error),
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("cannot access {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("the record has more than {LARGEST_RECORD} bytes")]
    Size,
}

impl RecordError {
    /// Tells whether what was read is not what was once written, so that it helps nobody until it is written again.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Size => true,
            Self::Registry(error) => error.is_lost_blob(),
            Self::File(_, error) => error.kind() == io::ErrorKind::NotFound,
            Self::Bucket(_) | Self::Credentials(_) | Self::NoCredentials | Self::Start(_) | Self::Cache(_) => false,
        }
    }

    /// Tells whether the next request would fail in the same way, and perhaps take as long.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Bucket(_) | Self::Credentials(_) | Self::NoCredentials | Self::Start(_) => true,
            Self::Registry(_) | Self::Invalid(_) | Self::Cache(_) | Self::File(..) | Self::Size => false,
        }
    }
}
