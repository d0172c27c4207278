//! The remote cache: records of closures in the repository of an image, in another one, in a bucket, or in a
//! directory.
//!
//! Nothing of it fails a build that would succeed without it: what cannot be read or written is a warning.

mod bucket;
mod closures;
mod directory;
mod earlier_layers;
mod key;
mod misled;
mod repository;
mod sampling;
mod store;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;

pub(crate) use closures::{BuiltClosure, KnownClosures, LayerOfWheels, WantedClosure, known, share};
pub(crate) use key::{ArtifactForm, key};
pub(crate) use misled::is_misled;

use self::bucket::RecordBucket;
use self::directory::RecordDirectory;
use self::repository::RecordRepository;
use self::store::{LocalFile, NewRecord, RecordError, RecordStore, SharedFile, SharedFileKind};
use crate::cache::Cache;
use crate::closure::{ClosureKey, ClosureRecord, KnownWheel};
use crate::digest::Sha256;
use crate::image::Layer;
use crate::image::manifest::CLOSURE;
use crate::pipeline::BuildError;
use crate::registry::{ImageReference, Registry};
use crate::report::{RecordUse, Reporter, Silent};
use crate::settings::{RecordPlace, RecordPolicy, RemoteCacheChoice, Settings};
use crate::temporary::TemporaryFile;

/// Reads and writes the records of closures.
pub(crate) struct RemoteCache<'a> {
    store: Box<dyn RecordStore + 'a>,
    policy: RecordPolicy,
    /// Whether they are in the image's own repository, and believed.
    is_own: bool,
    /// The repository that other images share layers in.
    mounts: Option<ImageReference>,
    /// The tags that an image is pushed to, one of which may name an earlier one.
    tags: &'a [ImageReference],
    registry: Option<&'a Registry<'a>>,
    reporter: &'a dyn Reporter,
    /// Whether it is not asked any more after an error.
    is_given_up: Cell<bool>,
    /// The names of records that are damaged.
    damaged: RefCell<BTreeSet<String>>,
}

/// A record that was read, or that there is none.
struct FoundRecord {
    /// Its name.
    name: String,
    record: ClosureRecord,
    used: RecordUse,
    /// What the repository of the record has.
    blobs: BTreeSet<Sha256>,
}

impl<'a> RemoteCache<'a> {
    /// Returns the remote cache that is chosen, if there is one. An image is pushed to `tags`, by `registry`.
    pub(crate) fn new(
        choice: &'a RemoteCacheChoice,
        settings: &'a Settings,
        (tags, registry): (&'a [ImageReference], Option<&'a Registry<'a>>),
        reporter: &'a dyn Reporter,
    ) -> Option<Self> {
        let is_offline = settings.fetch.offline;
        let tags = if is_offline { &[] } else { tags };
        let RemoteCacheChoice::On(place, policy) = choice else { return None };
        let policy = if is_offline && *policy == RecordPolicy::Sample { RecordPolicy::Read } else { *policy };
        let repository = |any: &ImageReference, is_own| {
            let image = tags.first().filter(|tag| tag.registry() == any.registry()).cloned();
            registry.map(|registry| Box::new(RecordRepository { registry, any: any.clone(), is_own, image }))
        };
        let store: Box<dyn RecordStore> = match place {
            RecordPlace::Own => repository(tags.first()?, true)?,
            RecordPlace::Directory(directory) => Box::new(RecordDirectory(directory.clone())),
            RecordPlace::Repository(_) | RecordPlace::Bucket(_) if is_offline => return None,
            RecordPlace::Repository(any) => repository(any, false)?,
            RecordPlace::Bucket(place) => Box::new(RecordBucket::new(&settings.environment.aws, place)),
        };
        let is_own = *place == RecordPlace::Own && policy != RecordPolicy::Verify;
        let mounts = match place {
            RecordPlace::Repository(any) if policy != RecordPolicy::Verify => Some(any.clone()),
            _ => None,
        };
        let (is_given_up, damaged) = (Cell::new(false), RefCell::default());
        Some(Self { store, policy, is_own, mounts, tags, registry, reporter, is_given_up, damaged })
    }

    /// Returns the place as the user named it.
    fn location(&self) -> String {
        self.store.location()
    }

    /// Returns the manifest of the record of a closure if it is in the image's own repository, whose layers it lists.
    fn own_manifest(&self, key: ClosureKey) -> Option<ImageReference> {
        self.is_own.then(|| Some(self.tags.first()?.with_tag(&key.record())))?
    }

    /// Tells whether records are believed.
    fn is_read(&self) -> bool {
        self.policy != RecordPolicy::Verify
    }

    /// Tells whether something that was read is found out again.
    fn is_sampled(&self) -> bool {
        self.policy == RecordPolicy::Sample
    }

    /// Tells whether records are written.
    fn is_written(&self) -> bool {
        self.policy == RecordPolicy::ReadAndWrite
    }

    /// Tells whether the record of a closure, or a file that was stored with it, was found to be damaged.
    fn is_damaged(&self, key: ClosureKey) -> bool {
        self.damaged.borrow().contains(&key.record())
    }

    /// Returns the record of a closure, or else that of the image that one of the tags names now, or an empty one.
    fn read(&self, key: ClosureKey, architecture: &str) -> FoundRecord {
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
    fn read_exact(&self, key: ClosureKey) -> Option<ClosureRecord> {
        let found = self.read_with(|| self.named(key.record(), RecordUse::Exact));
        found.flatten().map(|found| found.record)
    }

    /// Returns a wheel that was built elsewhere.
    fn wheel(&self, found: &FoundRecord, wheel: &KnownWheel, cache: &Cache) -> Option<TemporaryFile> {
        self.read_with(|| {
            let mut file = cache.begin_blob()?;
            let stored = SharedFile { kind: SharedFileKind::Wheel, sha256: wheel.sha256(), size: wheel.size() };
            self.noting(&found.name, self.store.read_file(&found.name, &stored, &mut file))?;
            Ok(file)
        })
    }

    /// Returns a layer of the image that a tag names, if it can be had.
    fn layer(&self, digest: Sha256, size: u64) -> Option<Vec<u8>> {
        let (registry, tag, mut bytes) = (self.registry?, self.tags.first()?, Vec::new());
        registry.blob(tag, digest, size, &mut bytes, &Silent).ok()?;
        Some(bytes)
    }

    /// Writes the start of zips with the digest and the size into `output`, which was stored with the record of a closure.
    /// Returns whether all of it was written.
    pub(crate) fn zip_start(&self, key: ClosureKey, (sha256, size): (Sha256, u64), output: &mut dyn Write) -> bool {
        let stored = SharedFile { kind: SharedFileKind::ZipStart, sha256, size };
        let name = key.record();
        self.read_with(|| self.noting(&name, self.store.read_file(&name, &stored, output))).is_some()
    }

    /// Writes the record of a closure with files, unless there is one that is not damaged. Returns whether it was written.
    ///
    /// # Errors
    /// `record` fails.
    fn write(
        &self,
        key: ClosureKey,
        (layers, shared): (&[Layer], BTreeSet<Sha256>),
        files: impl FnOnce() -> Result<Vec<LocalFile>, RecordError>,
        record: impl FnOnce() -> Result<ClosureRecord, BuildError>,
    ) -> Result<bool, BuildError> {
        let name = key.record();
        let is_replacing = self.is_damaged(key);
        if !is_replacing && self.write_with(|| self.store.has(&name)) != Some(false) {
            return Ok(false);
        }
        let record = record()?;
        let written = self.write_with(|| {
            let encoded = record.encode().map_err(|error| RecordError::File((&*name).into(), error))?;
            self.store.write(&NewRecord { name: &name, encoded, files: files()?, layers, shared, is_replacing })
        });
        Ok(written == Some(true))
    }

    fn named(&self, name: String, used: RecordUse) -> Result<Option<FoundRecord>, RecordError> {
        let stored = self.noting(&name, self.store.read(&name))?;
        Ok(stored.map(|stored| FoundRecord { name, record: stored.record, used, blobs: stored.blobs }))
    }

    /// Returns the record of the image that a tag names, which was built before the lock changed.
    fn earlier(&self, key: ClosureKey, architecture: &str) -> Result<Option<FoundRecord>, RecordError> {
        let Some(registry) = self.registry else { return Ok(None) };
        for tag in self.tags {
            let closure = repository::annotation(registry, tag, architecture, CLOSURE)?;
            if let Some(closure) = closure.filter(|closure| ClosureKey::is_closure(closure)) {
                return self.named(key.record_of(&closure), RecordUse::Earlier);
            }
        }
        Ok(None)
    }

    /// Remembers that the record of a name is damaged, if an error says so.
    fn noting<T>(&self, name: &str, result: Result<T, RecordError>) -> Result<T, RecordError> {
        if result.as_ref().is_err_and(RecordError::is_damage) {
            self.damaged.borrow_mut().insert(name.to_owned());
        }
        result
    }

    fn read_with<T>(&self, read: impl FnOnce() -> Result<T, RecordError>) -> Option<T> {
        self.tolerated("cannot read the remote cache, so this build does not use it", read)
    }

    fn write_with<T>(&self, write: impl FnOnce() -> Result<T, RecordError>) -> Option<T> {
        self.tolerated("cannot write to the remote cache, so other machines do not benefit from this build", write)
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
