//! Caches files that are derived from a wheel, such as bytecode, in one pack per wheel.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::archive::deflate::DeflateEffort;
use crate::archive::pack::Packer;
use crate::cache::{Cache, CacheError, RecordKey, RecordKind};
use crate::digest::Sha256;
use crate::pipeline::BuildError;
use crate::tree::{DeferredContent, Extent, FileContent, KnownContent, MisstatedFile};

/// The version of [`PackRecord`], to be raised whenever it or [`Extent`] changes.
pub(crate) const FORMAT: u32 = 2;

/// The cached record of a pack.
#[derive(Serialize, Deserialize)]
struct PackRecord {
    digest: Sha256,
    size: u64,
    files: Vec<(String, Extent)>,
}

/// What is known of a pack that is not on this machine: the names of its files, and their sizes in bytes.
type PackOutline = Vec<(String, u64)>;

/// Files with the names that they were derived with.
pub(crate) type DerivedFiles = Vec<(String, FileContent)>;

/// Returns derived files with the names that `make` gives them. They are read from the cache if it contains the key:
/// the digest of everything that decides their bytes. `make` yields the files one at a time, in a deterministic order.
///
/// Where a record from elsewhere tells their sizes, they are made when their bytes are first needed.
///
/// # Errors
/// `make` fails, or the cache cannot be written to.
pub(crate) fn packed(
    cache: &Cache,
    key: impl Into<RecordKey>,
    make: impl Fn(&mut dyn FnMut(String, &[u8]) -> Result<(), CacheError>) -> Result<(), BuildError> + Send + Sync + 'static,
) -> Result<DerivedFiles, BuildError> {
    let key = RecordKey::new(format!("pack {FORMAT}"), &[&key.into()]);
    if let Some(pack) = cache.record(RecordKind::Pack, key).and_then(|pack| restored(cache, pack)) {
        return Ok(noted(cache, key, pack));
    }
    let Some(outline) = cache.borrowed::<PackOutline>(RecordKind::PackOutline, key) else {
        return Ok(noted(cache, key, made(cache, key, &make)?));
    };
    let pack = Arc::new(DeferredPack { cache: cache.clone(), key, make, made: Mutex::new(None) });
    let deferred = outline.into_iter().enumerate().map(|(position, (name, size))| {
        let pack = Arc::clone(&pack);
        let content = DeferredContent::new(size, KnownContent::Size, move || pack.content(position));
        (name, FileContent::Deferred(Arc::new(content)))
    });
    Ok(deferred.collect())
}

/// Notes the outline of a pack for those who share the cache's records.
fn noted(cache: &Cache, key: RecordKey, files: DerivedFiles) -> DerivedFiles {
    cache.note(RecordKind::PackOutline, key, || {
        files.iter().map(|(name, content)| (name.clone(), content.size())).collect::<PackOutline>()
    });
    files
}

/// A pack that is made when the bytes of one of its files are first needed.
struct DeferredPack<M> {
    cache: Cache,
    key: RecordKey,
    make: M,
    made: Mutex<Option<DerivedFiles>>,
}

impl<M> DeferredPack<M>
where
    M: Fn(&mut dyn FnMut(String, &[u8]) -> Result<(), CacheError>) -> Result<(), BuildError>,
{
    fn content(&self, position: usize) -> io::Result<FileContent> {
        let mut known = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let files = match &*known {
            Some(files) => files,
            None => known.insert(made(&self.cache, self.key, &self.make).map_err(io::Error::other)?),
        };
        let file = files.get(position).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, MisstatedFile))?;
        Ok(file.1.clone())
    }
}

/// Makes a pack, and records it.
fn made(
    cache: &Cache,
    key: RecordKey,
    make: &impl Fn(&mut dyn FnMut(String, &[u8]) -> Result<(), CacheError>) -> Result<(), BuildError>,
) -> Result<DerivedFiles, BuildError> {
    let blob = cache.begin_blob()?;
    let staged = blob.path().to_owned();
    let mut packer = Packer::new(io::BufWriter::new(blob), DeflateEffort::Default);
    let mut files = Vec::new();
    make(&mut |name, bytes| {
        files.push((name, packer.add(bytes).map_err(CacheError::io("write", &staged))?));
        Ok(())
    })?;
    let (file, digest, size) = packer.finish();
    let file = file.into_inner().map_err(|error| CacheError::io("write", &staged)(error.into_error()))?;
    let path = cache.keep_blob(file, digest)?;
    cache.store_record(RecordKind::Pack, key, &PackRecord { digest, size, files: files.clone() })?;
    Ok(contents(path, files))
}

/// Returns the files of a cached pack. One that was truncated by a full disk or a power failure counts as absent.
fn restored(cache: &Cache, pack: PackRecord) -> Option<DerivedFiles> {
    let PackRecord { digest, size, files } = pack;
    let path = cache.blob(digest)?;
    (path.metadata().ok()?.len() == size).then(|| contents(path, files))
}

fn contents(path: PathBuf, files: Vec<(String, Extent)>) -> DerivedFiles {
    let archive = Arc::new(path);
    let contents = files.into_iter().map(|(name, extent)| {
        let archive = Arc::clone(&archive);
        (name, FileContent::Archived { archive, extent })
    });
    contents.collect()
}
