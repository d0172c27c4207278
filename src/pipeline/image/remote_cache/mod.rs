//! The remote cache: records of closures in the image's own repository, in another one, in a bucket, or in a
//! directory.
//!
//! Nothing of it fails a build that would succeed without it: what cannot be read or written is a warning.

mod bucket;
mod directory;
mod repository;
mod store;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::error::Error;

use self::bucket::RecordBucket;
use self::directory::RecordDirectory;
use self::repository::RecordRepository;
use self::store::{RecordError, RecordStore};
use crate::cache::Cache;
use crate::closure::{ClosureKey, ClosureRecord, KnownWheel};
use crate::digest::Sha256;
use crate::image::OciImage;
use crate::image::manifest::CLOSURE;
use crate::pipeline::BuildError;
use crate::registry::{ImageReference, Registry};
use crate::report::{RecordUse, Reporter};
use crate::settings::{ImageSettings, RecordPlace, RecordPolicy, RemoteCacheChoice};
use crate::temporary::TemporaryFile;
use crate::wheel::Wheel;

/// Reads and writes the records of closures.
pub(super) struct RemoteCache<'a> {
    store: Box<dyn RecordStore + 'a>,
    policy: RecordPolicy,
    /// Whether they are in the image's own repository, and believed.
    is_own: bool,
    /// The tags that an image is pushed to, one of which may name an earlier one.
    tags: &'a [ImageReference],
    registry: &'a Registry<'a>,
    reporter: &'a dyn Reporter,
    /// Whether it is not asked any more after an error.
    is_given_up: Cell<bool>,
}

/// A record that was read, or that there is none.
pub(super) struct FoundRecord {
    /// Its name.
    name: String,
    pub record: ClosureRecord,
    pub used: RecordUse,
    /// What the image's repository has.
    pub blobs: BTreeSet<Sha256>,
}

impl<'a> RemoteCache<'a> {
    /// Returns the remote cache of an image, if it has one.
    pub(super) fn of(
        settings: &'a ImageSettings,
        registry: &'a Registry<'a>,
        reporter: &'a dyn Reporter,
    ) -> Option<Self> {
        let is_pushed = settings.push && !settings.common.fetch.offline;
        let tags: &[ImageReference] = if is_pushed { &settings.tags } else { &[] };
        let RemoteCacheChoice::On(place, policy) = &settings.remote_cache else { return None };
        let store: Box<dyn RecordStore> = match place {
            RecordPlace::Own => Box::new(RecordRepository { registry, any: tags.first()?.clone(), is_own: true }),
            RecordPlace::Directory(directory) => Box::new(RecordDirectory(directory.clone())),
            RecordPlace::Repository(_) | RecordPlace::Bucket(_) if settings.common.fetch.offline => return None,
            RecordPlace::Repository(any) => Box::new(RecordRepository { registry, any: any.clone(), is_own: false }),
            RecordPlace::Bucket(place) => Box::new(RecordBucket::new(&settings.common.environment.aws, place)),
        };
        let (policy, is_own) = (*policy, *place == RecordPlace::Own && *policy != RecordPolicy::Verify);
        Some(Self { store, policy, is_own, tags, registry, reporter, is_given_up: Cell::new(false) })
    }

    /// Returns the place as the user named it.
    pub(super) fn location(&self) -> String {
        self.store.location()
    }

    /// Returns the manifest of the record of a closure if it is in the image's own repository, whose layers it lists.
    pub(super) fn own_manifest(&self, key: ClosureKey) -> Option<ImageReference> {
        self.is_own.then(|| Some(self.tags.first()?.with_tag(&key.record())))?
    }

    /// Tells whether records are believed.
    pub(super) fn is_read(&self) -> bool {
        self.policy != RecordPolicy::Verify
    }

    /// Tells whether records are written.
    pub(super) fn is_written(&self) -> bool {
        self.policy == RecordPolicy::ReadAndWrite
    }

    /// Returns the record of a closure, or else that of the image that one of the tags names now, or an empty one.
    pub(super) fn read(&self, key: ClosureKey, architecture: &str) -> FoundRecord {
        if let Some(found) = self.read_with(|| self.named(key.record(), RecordUse::Exact)).flatten() {
            return found;
        }
        let earlier = self.read_with(|| self.earlier(key, architecture)).flatten();
        earlier.unwrap_or_else(|| FoundRecord {
            name: key.record(),
            record: ClosureRecord::default(),
            used: RecordUse::Missing,
            blobs: BTreeSet::new(),
        })
    }

    /// Returns the record of a closure itself.
    pub(super) fn read_exact(&self, key: ClosureKey) -> Option<ClosureRecord> {
        let found = self.read_with(|| self.named(key.record(), RecordUse::Exact));
        found.flatten().map(|found| found.record)
    }

    /// Returns a wheel that was built elsewhere.
    pub(super) fn wheel(&self, found: &FoundRecord, wheel: &KnownWheel, cache: &Cache) -> Option<TemporaryFile> {
        self.read_with(|| {
            let mut file = cache.begin_blob()?;
            self.store.read_wheel(&found.name, wheel, &mut file)?;
            Ok(file)
        })
    }

    /// Writes the record of a closure with the wheels that were built, unless there is one. Returns whether it was written.
    ///
    /// # Errors
    /// `record` fails.
    pub(super) fn write(
        &self,
        key: ClosureKey,
        image: &OciImage,
        built: &[&Wheel],
        record: impl FnOnce() -> Result<ClosureRecord, BuildError>,
    ) -> Result<bool, BuildError> {
        let name = key.record();
        if self.write_with(|| self.store.has(&name)) != Some(false) {
            return Ok(false);
        }
        let record = record()?;
        let written = self.write_with(|| {
            let encoded = record.encode().map_err(|error| RecordError::File((&*name).into(), error))?;
            self.store.write(&name, encoded, built, &image.layers)
        });
        Ok(written == Some(true))
    }

    fn named(&self, name: String, used: RecordUse) -> Result<Option<FoundRecord>, RecordError> {
        let stored = self.store.read(&name)?;
        Ok(stored.map(|stored| FoundRecord { name, record: stored.record, used, blobs: stored.blobs }))
    }

    /// Returns the record of the image that a tag names, which was built before the lock changed.
    fn earlier(&self, key: ClosureKey, architecture: &str) -> Result<Option<FoundRecord>, RecordError> {
        for tag in self.tags {
            let closure = repository::annotation(self.registry, tag, architecture, CLOSURE)?;
            if let Some(closure) = closure.filter(|closure| ClosureKey::is_closure(closure)) {
                return self.named(key.record_of(&closure), RecordUse::Earlier);
            }
        }
        Ok(None)
    }

    fn read_with<T>(&self, read: impl FnOnce() -> Result<T, RecordError>) -> Option<T> {
        self.tolerated("the remote cache cannot be read, so nothing of it is used", read)
    }

    fn write_with<T>(&self, write: impl FnOnce() -> Result<T, RecordError>) -> Option<T> {
        self.tolerated("the remote cache cannot be written to, so other machines do not benefit from this build", write)
    }

    /// Turns an error into a warning, once if it lasts.
    fn tolerated<T>(&self, warning: &str, access: impl FnOnce() -> Result<T, RecordError>) -> Option<T> {
        if self.is_given_up.get() {
            return None;
        }
        let error = match access() {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.is_given_up.set(error.is_lasting());
        let causes = std::iter::successors(Some(&error as &(dyn Error + 'static)), |error| (*error).source());
        let reason = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        self.reporter.warn(&format!("{warning}: {reason}"));
        None
    }
}
