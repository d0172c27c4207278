//! The remote cache: records of closures in the image's own repository, in another one, or in a directory.
//!
//! Nothing of it fails a build that would succeed without it: what cannot be read or written is a warning.

mod directory;
mod repository;
mod store;

use std::collections::BTreeSet;
use std::error::Error;

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
use crate::settings::{ImageSettings, RemoteCacheChoice};
use crate::temporary::TemporaryFile;
use crate::wheel::Wheel;

/// What is done with records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RecordPolicy {
    Read,
    ReadAndWrite,
    /// They are compared with what is found out here.
    Verify,
}

/// Reads and writes the records of closures.
pub(super) struct RemoteCache<'a> {
    store: Box<dyn RecordStore + 'a>,
    policy: RecordPolicy,
    /// Whether they are in the image's own repository.
    is_own: bool,
    /// The tags that an image is pushed to, one of which may name an earlier one.
    tags: &'a [ImageReference],
    registry: &'a Registry<'a>,
    reporter: &'a dyn Reporter,
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
        let own = || {
            let any = tags.first()?.clone();
            Some(Box::new(RecordRepository { registry, any, is_own: true }) as Box<dyn RecordStore>)
        };
        let (store, policy): (Box<dyn RecordStore>, RecordPolicy) = match &settings.remote_cache {
            RemoteCacheChoice::Off => return None,
            RemoteCacheChoice::Own { write: false } => (own()?, RecordPolicy::Read),
            RemoteCacheChoice::Own { write: true } => (own()?, RecordPolicy::ReadAndWrite),
            RemoteCacheChoice::Verify => (own()?, RecordPolicy::Verify),
            RemoteCacheChoice::Repository(_) if settings.common.fetch.offline => return None,
            RemoteCacheChoice::Repository(any) => {
                let repository = RecordRepository { registry, any: any.clone(), is_own: false };
                (Box::new(repository), RecordPolicy::ReadAndWrite)
            }
            RemoteCacheChoice::Directory(directory) => {
                (Box::new(RecordDirectory(directory.clone())), RecordPolicy::ReadAndWrite)
            }
        };
        let is_own = matches!(settings.remote_cache, RemoteCacheChoice::Own { .. });
        Some(Self { store, policy, is_own, tags, registry, reporter })
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
        if let Some(found) = self.tolerated("read", self.named(key.record(), RecordUse::Exact)).flatten() {
            return found;
        }
        let earlier = self.tolerated("read", self.earlier(key, architecture)).flatten();
        earlier.unwrap_or_else(|| FoundRecord {
            name: key.record(),
            record: ClosureRecord::default(),
            used: RecordUse::Missing,
            blobs: BTreeSet::new(),
        })
    }

    /// Returns the record of a closure itself.
    pub(super) fn read_exact(&self, key: ClosureKey) -> Option<ClosureRecord> {
        let found = self.tolerated("read", self.named(key.record(), RecordUse::Exact));
        found.flatten().map(|found| found.record)
    }

    /// Returns a wheel that was built elsewhere.
    pub(super) fn wheel(&self, found: &FoundRecord, wheel: &KnownWheel, cache: &Cache) -> Option<TemporaryFile> {
        let mut file = self.tolerated("read", cache.begin_blob().map_err(RecordError::from))?;
        self.tolerated("read", self.store.read_wheel(&found.name, wheel, &mut file))?;
        Some(file)
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
        if self.tolerated("written", self.store.has(&name)) != Some(false) {
            return Ok(false);
        }
        let encoded = record()?.encode().map_err(|error| RecordError::File((&*name).into(), error));
        let written = encoded.and_then(|record| self.store.write(&name, record, built, &image.layers));
        Ok(self.tolerated("written", written).is_some())
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

    /// Turns an error into a warning.
    fn tolerated<T>(&self, done: &str, result: Result<T, RecordError>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let causes = std::iter::successors(Some(&error as &(dyn Error + 'static)), |error| (*error).source());
        let reason = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        self.reporter.warn(&format!("the remote cache cannot be {done}, so nothing of it is used: {reason}"));
        None
    }
}
