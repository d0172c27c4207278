//! Caches files that are derived from a wheel, such as bytecode, in one pack per wheel.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::archive::pack::Packer;
use crate::cache::{Cache, CacheError, RecordKey, RecordKind};
use crate::digest::Sha256;
use crate::pipeline::BuildError;
use crate::tree::Extent;
use crate::wheel::DerivedFile;

/// The version of [`PackRecord`], to be raised whenever it or [`Extent`] changes.
const FORMAT: u32 = 2;

/// The cached record of a pack.
#[derive(Serialize, Deserialize)]
struct PackRecord {
    digest: Sha256,
    size: u64,
    files: Vec<(String, Extent)>,
}

/// Returns derived files with the names that `make` gives them. They are read from the cache if it contains the key:
/// the digest of everything that decides their bytes. `make` yields the files one at a time, in a deterministic order.
///
/// # Errors
/// `make` fails, or the cache cannot be written to.
pub(crate) fn packed<E>(
    cache: &Cache,
    key: impl Into<RecordKey>,
    make: impl FnOnce(&mut dyn FnMut(String, &[u8]) -> Result<(), CacheError>) -> Result<(), E>,
) -> Result<Vec<(String, DerivedFile)>, BuildError>
where
    BuildError: From<E>,
{
    let (path, files) = cache.remember_with(
        RecordKind::Pack,
        RecordKey::new(format!("pack {FORMAT}"), &[&key.into()]),
        |pack| Ok(restored(cache, pack)),
        || {
            let blob = cache.begin_blob()?;
            let staged = blob.path().to_owned();
            let mut packer = Packer::new(io::BufWriter::new(blob));
            let mut files = Vec::new();
            make(&mut |name, bytes| {
                files.push((name, packer.add(bytes).map_err(CacheError::io("write", &staged))?));
                Ok(())
            })?;
            let (file, digest, size) = packer.finish();
            let file = file.into_inner().map_err(|error| CacheError::io("write", &staged)(error.into_error()))?;
            let path = cache.keep_blob(file, digest)?;
            Ok::<_, BuildError>((PackRecord { digest, size, files: files.clone() }, (path, files)))
        },
    )?;
    let archive = Arc::new(path);
    Ok(files.into_iter().map(|(name, extent)| (name, DerivedFile { archive: archive.clone(), extent })).collect())
}

/// Returns the path and the files of a cached pack. One that was truncated by a full disk or a power failure counts as
/// absent.
fn restored(cache: &Cache, pack: PackRecord) -> Option<(PathBuf, Vec<(String, Extent)>)> {
    let PackRecord { digest, size, files } = pack;
    let path = cache.blob(digest)?;
    (path.metadata().ok()?.len() == size).then_some((path, files))
}
