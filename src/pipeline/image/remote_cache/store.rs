//! What the places have in common that records are kept in.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::aws::{AwsError, S3Error};
use crate::cache::CacheError;
use crate::closure::{ClosureRecord, InvalidRecord, KnownWheel, LARGEST_RECORD};
use crate::digest::Sha256;
use crate::image::Layer;
use crate::registry::RegistryError;
use crate::temporary::TemporaryFile;
use crate::wheel::Wheel;

/// A place for records. A name is written once: whoever writes it writes the same.
pub(super) trait RecordStore {
    /// Returns the place as the user named it.
    fn location(&self) -> String;

    /// Tells whether there is a record of a name.
    fn has(&self, name: &str) -> Result<bool, RecordError>;

    /// Returns the record of a name, if there is one.
    fn read(&self, name: &str) -> Result<Option<StoredRecord>, RecordError>;

    /// Writes a wheel into `output` that was built elsewhere and stored with the record of a name, and verifies it.
    fn read_wheel(&self, name: &str, wheel: &KnownWheel, output: &mut TemporaryFile) -> Result<(), RecordError>;

    /// Stores a record with the wheels that were built, and names the layers that should be kept as long as it. Returns whether
    /// there was none before, as far as the place tells.
    fn write(&self, name: &str, record: Vec<u8>, built: &[&Wheel], layers: &[Layer]) -> Result<bool, RecordError>;
}

/// A record, and what its place tells besides.
pub(super) struct StoredRecord {
    pub record: ClosureRecord,
    /// The blobs that the image's repository has.
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
    Start(#[source] std::io::Error),
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("cannot access {}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    #[error("it has more than {LARGEST_RECORD} bytes")]
    Size,
}

impl RecordError {
    /// Tells whether the next request would fail in the same way, and perhaps take as long.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(self, Self::Bucket(_) | Self::Credentials(_) | Self::NoCredentials | Self::Start(_))
    }
}
