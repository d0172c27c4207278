//! The remote cache: records of closures in the image's own repository, in another one, or in a directory.
//!
//! Nothing of it fails a build that would succeed without it: what cannot be read or written is a warning.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use oci_spec::image::MediaType;
use serde_json::{Value, json};

use crate::closure::{ClosureKey, ClosureRecord, InvalidRecord, LARGEST_RECORD};
use crate::digest::Sha256;
use crate::image::{Blob, Layer, OciArtifact, OciImage};
use crate::pipeline::BuildError;
use crate::registry::{ImageReference, Registry, RegistryError, RemoteManifest};
use crate::report::{RecordUse, Reporter, Silent};
use crate::settings::{ImageSettings, RemoteCacheChoice};
use crate::temporary::TemporaryFile;

/// The annotation of an image with its closure, which leads to its record.
pub(super) const CLOSURE: &str = "dev.pybundle.cache";

/// The media type of records.
const RECORD: &str = "application/vnd.pybundle.closure.v1+zstd";

/// The configuration of the manifest of a record: that of an image without a platform. Registries refuse what they do not
/// know (GitLab, Quay).
const CONFIGURATION: &[u8] = br#"{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}"#;

/// Where records are.
enum RecordPlace {
    Repository(ImageReference),
    Directory(PathBuf),
}

/// Reads and writes the records of closures.
pub(super) struct RemoteCache<'a> {
    place: Option<RecordPlace>,
    settings: &'a ImageSettings,
    registry: &'a Registry<'a>,
    reporter: &'a dyn Reporter,
}

/// A record that was read.
pub(super) struct FoundRecord {
    pub record: ClosureRecord,
    pub used: RecordUse,
    /// What the repository has, as the record's manifest says.
    pub blobs: BTreeSet<Sha256>,
}

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Invalid(#[from] InvalidRecord),
    #[error("cannot access {}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    #[error("it has more than {LARGEST_RECORD} bytes")]
    Size,
}

impl<'a> RemoteCache<'a> {
    pub(super) fn new(settings: &'a ImageSettings, registry: &'a Registry<'a>, reporter: &'a dyn Reporter) -> Self {
        let own = settings.tags.first().filter(|_| settings.push && !settings.common.fetch.offline);
        let place = match &settings.remote_cache {
            RemoteCacheChoice::Off => None,
            RemoteCacheChoice::Own { .. } | RemoteCacheChoice::Verify => own.cloned().map(RecordPlace::Repository),
            RemoteCacheChoice::Repository(_) if settings.common.fetch.offline => None,
            RemoteCacheChoice::Repository(repository) => Some(RecordPlace::Repository(repository.clone())),
            RemoteCacheChoice::Directory(directory) => Some(RecordPlace::Directory(directory.clone())),
        };
        Self { place, settings, registry, reporter }
    }

    /// Returns the repository or the directory, if there is one.
    pub(super) fn place(&self) -> Option<String> {
        Some(match self.place.as_ref()? {
            RecordPlace::Repository(repository) => repository.repository_name(),
            RecordPlace::Directory(directory) => directory.display().to_string(),
        })
    }

    /// Tells whether records are believed.
    pub(super) fn is_read(&self) -> bool {
        self.place.is_some() && self.settings.remote_cache != RemoteCacheChoice::Verify
    }

    /// Tells whether records are compared with what is found out here.
    pub(super) fn is_verified(&self) -> bool {
        self.place.is_some() && self.settings.remote_cache == RemoteCacheChoice::Verify
    }

    /// Tells whether records are written.
    pub(super) fn is_written(&self) -> bool {
        let is_wanted = match self.settings.remote_cache {
            RemoteCacheChoice::Off | RemoteCacheChoice::Verify => false,
            RemoteCacheChoice::Own { write } => write,
            RemoteCacheChoice::Repository(_) | RemoteCacheChoice::Directory(_) => true,
        };
        is_wanted && self.place.is_some()
    }

    /// Returns the record of a closure, or else that of the image that one of the tags names now, or an empty one.
    pub(super) fn read(&self, key: ClosureKey, architecture: &str) -> FoundRecord {
        let exact = self.read_named(&key.record());
        match self.tolerated("read", exact).flatten() {
            Some(found) => found,
            None => {
                let earlier = self.tolerated("read", self.read_earlier(key, architecture)).flatten();
                let used = if earlier.is_some() { RecordUse::Earlier } else { RecordUse::Missing };
                let (record, blobs) = earlier.map(|found| (found.record, found.blobs)).unwrap_or_default();
                FoundRecord { record, used, blobs }
            }
        }
    }

    /// Returns the record of a closure itself.
    pub(super) fn read_exact(&self, key: ClosureKey) -> Option<ClosureRecord> {
        let read = self.read_named(&key.record());
        self.tolerated("read", read).flatten().map(|found| found.record)
    }

    /// Writes the record of a closure, unless there is one. Returns whether it was written.
    ///
    /// The manifest lists the layers of the image, so that the registry keeps them as long as the record.
    ///
    /// # Errors
    /// `record` fails.
    pub(super) fn write(
        &self,
        key: ClosureKey,
        image: &OciImage,
        record: impl FnOnce() -> Result<ClosureRecord, BuildError>,
    ) -> Result<bool, BuildError> {
        let name = key.record();
        if self.tolerated("written", self.has(&name)) != Some(false) {
            return Ok(false);
        }
        let record = record()?;
        Ok(self.tolerated("written", self.store(&name, image, &record)).is_some())
    }

    /// Returns where the record of a closure is, for messages.
    pub(super) fn location(&self, key: ClosureKey) -> String {
        match &self.place {
            Some(RecordPlace::Repository(repository)) => repository.with_tag(&key.record()).to_string(),
            Some(RecordPlace::Directory(directory)) => directory.join(key.record()).display().to_string(),
            None => key.record(),
        }
    }

    /// Turns an error into a warning.
    fn tolerated<T>(&self, done: &str, result: Result<T, RecordError>) -> Option<T> {
        result
            .inspect_err(|error| {
                let mut reason = error.to_string();
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    reason.push_str(&format!(": {error}"));
                    cause = error.source();
                }
                self.reporter.warn(&format!("the remote cache cannot be {done}, so nothing of it is used: {reason}"));
            })
            .ok()
    }

    fn read_named(&self, name: &str) -> Result<Option<FoundRecord>, RecordError> {
        match &self.place {
            None => Ok(None),
            Some(RecordPlace::Directory(directory)) => {
                let path = directory.join(name);
                let bytes = match crate::limited_reader::read_regular_file(&path, LARGEST_RECORD) {
                    Ok(bytes) => bytes,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(RecordError::File(path, error)),
                };
                let record = ClosureRecord::decode(&bytes)?;
                Ok(Some(FoundRecord { record, used: RecordUse::Exact, blobs: BTreeSet::new() }))
            }
            Some(RecordPlace::Repository(repository)) => {
                let reference = repository.with_tag(name);
                let Some(manifest) = self.registry.survey(&reference)? else { return Ok(None) };
                let layers = descriptors(&manifest);
                let Some((_, digest, size)) = layers.iter().find(|(media_type, _, _)| media_type == RECORD) else {
                    return Err(InvalidRecord::Header.into());
                };
                if *size > LARGEST_RECORD {
                    return Err(RecordError::Size);
                }
                let mut bytes = Vec::new();
                self.registry.blob(&reference, *digest, *size, &mut bytes, &Silent)?;
                let record = ClosureRecord::decode(&bytes)?;
                let is_own = matches!(self.settings.remote_cache, RemoteCacheChoice::Own { .. });
                let blobs = layers.iter().filter(|_| is_own).map(|(_, digest, _)| *digest).collect();
                Ok(Some(FoundRecord { record, used: RecordUse::Exact, blobs }))
            }
        }
    }

    /// Returns the record of the image that a tag names, which was built before the lock changed.
    fn read_earlier(&self, key: ClosureKey, architecture: &str) -> Result<Option<FoundRecord>, RecordError> {
        if !self.settings.push || self.settings.common.fetch.offline {
            return Ok(None);
        }
        for tag in &self.settings.tags {
            let Some(mut manifest) = self.registry.survey(tag)? else { continue };
            if let Some(child) = child(&manifest, architecture) {
                let Some(found) = self.registry.survey(&tag.sibling(child))? else { continue };
                manifest = found;
            }
            let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
            let closure = document.pointer(&format!("/annotations/{CLOSURE}")).and_then(Value::as_str);
            if let Some(closure) = closure.filter(|closure| ClosureKey::is_closure(closure)) {
                return self.read_named(&key.record_of(closure));
            }
        }
        Ok(None)
    }

    /// Tells whether there is a record of a name.
    fn has(&self, name: &str) -> Result<bool, RecordError> {
        match &self.place {
            None => Ok(true),
            Some(RecordPlace::Directory(directory)) => Ok(directory.join(name).exists()),
            Some(RecordPlace::Repository(repository)) => {
                Ok(self.registry.survey(&repository.with_tag(name))?.is_some())
            }
        }
    }

    fn store(&self, name: &str, image: &OciImage, record: &ClosureRecord) -> Result<(), RecordError> {
        let bytes = record.encode().map_err(|error| RecordError::File(PathBuf::from(name), error))?;
        match &self.place {
            None => {}
            Some(RecordPlace::Directory(directory)) => {
                let path = directory.join(name);
                store(directory, &path, &bytes).map_err(|error| RecordError::File(path, error))?;
            }
            Some(RecordPlace::Repository(repository)) => {
                let is_own = matches!(self.settings.remote_cache, RemoteCacheChoice::Own { .. });
                // Another repository need not have the layers.
                let layers = if is_own { &image.layers[..] } else { &[] };
                let artifact = artifact(bytes, layers);
                self.registry.push(&artifact, &[repository.with_tag(name)], &Silent)?;
            }
        }
        Ok(())
    }
}

/// Creates the artifact of a record, which also lists the layers of the image.
fn artifact(record: Vec<u8>, layers: &[Layer]) -> OciArtifact {
    let record = Blob::of_bytes(MediaType::Other(RECORD.to_owned()), record);
    let configuration = Blob::of_bytes(MediaType::ImageConfig, CONFIGURATION.to_vec());
    let layers = std::iter::once(&record).chain(layers.iter().map(|layer| &layer.blob));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageManifest,
        "config": descriptor(&configuration),
        "layers": layers.map(descriptor).collect::<Vec<_>>(),
    });
    let manifest = Blob::of_bytes(MediaType::ImageManifest, manifest.to_string().into_bytes());
    OciArtifact { manifest, blobs: vec![configuration, record], children: Vec::new(), referrers: Vec::new() }
}

fn descriptor(blob: &Blob) -> Value {
    json!({ "mediaType": blob.media_type, "digest": blob.digest.to_string(), "size": blob.size })
}

/// Returns the media type, digest and size of each layer of a manifest.
fn descriptors(manifest: &RemoteManifest) -> Vec<(String, Sha256, u64)> {
    let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let layers = document.get("layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let described = layers.iter().filter_map(|layer| {
        let digest = layer.get("digest")?.as_str()?.parse().ok()?;
        Some((layer.get("mediaType")?.as_str()?.to_owned(), digest, layer.get("size")?.as_u64()?))
    });
    described.collect()
}

/// Returns the manifest of an index for a platform.
fn child(manifest: &RemoteManifest, architecture: &str) -> Option<Sha256> {
    let document: Value = serde_json::from_slice(&manifest.bytes).ok()?;
    let mut children = document.get("manifests")?.as_array()?.iter();
    let of_platform = |child: &&Value| child.pointer("/platform/architecture").is_some_and(|name| name == architecture);
    children.find(of_platform)?.get("digest")?.as_str()?.parse().ok()
}

/// Writes a record into a directory, whole or not at all.
fn store(directory: &Path, path: &Path, record: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut file = TemporaryFile::new_in(directory)?;
    file.write_all(record)?;
    file.persist(path)?;
    Ok(())
}
