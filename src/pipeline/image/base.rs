//! Finds base images, and reads what is needed of them.

use std::collections::HashMap;
use std::sync::Arc;

use oci_spec::image::{Descriptor, MediaType};

use crate::cache::{Cache, RecordKey, RecordKind};
use crate::digest::Sha256;
use crate::image::base::{self, ManifestKind};
use crate::image::file::{self, ImageFile};
use crate::image::{Base, BaseError, Blob, BlobContent, Layer, OciArtifact, docker_archive};
use crate::pipeline::BuildError;
use crate::platform::Architecture;
use crate::registry::{ImageReference, Registry};
use crate::report::{Phase, Reporter, RunningPhase};
use crate::settings::BaseChoice;
use crate::tree::DamagedFile;

/// Finds base images and downloads what is needed of them.
pub(crate) struct Bases<'a> {
    pub registry: &'a Registry<'a>,
    pub offline: bool,
    pub cache: &'a Cache,
    pub reporter: &'a dyn Reporter,
}

/// A base image before a platform is chosen: an image index or an image manifest.
pub(crate) struct FoundBase {
    /// The reference, for annotations and reports; `None` for files, whose paths mean nothing on other machines.
    pub name: Option<String>,
    /// The digest of the image index or image manifest.
    pub digest: Option<Sha256>,
    /// Whether the reference has a digest, or the image is a file.
    pub is_pinned: bool,
    source: BaseSource,
}

enum BaseSource {
    Scratch,
    File(OciArtifact),
    Registry(ImageReference, Vec<u8>),
}

impl Bases<'_> {
    /// Finds the image that the user or the profile names.
    ///
    /// # Errors
    /// There is no such image, or it cannot be read.
    pub(crate) fn find(&self, choice: &BaseChoice) -> Result<FoundBase, BuildError> {
        match choice {
            BaseChoice::Scratch => {
                Ok(FoundBase { name: None, digest: None, is_pinned: true, source: BaseSource::Scratch })
            }
            BaseChoice::File(file) => self.open(file),
            BaseChoice::Registry(reference) => {
                let (digest, document) = self.look_up(reference)?;
                Ok(FoundBase {
                    name: Some(reference.to_string()),
                    digest: Some(digest),
                    is_pinned: reference.digest().is_some(),
                    source: BaseSource::Registry(reference.clone(), document),
                })
            }
        }
    }

    fn open(&self, file: &ImageFile) -> Result<FoundBase, BuildError> {
        let artifact = file::open(file)?;
        let digest = Some(artifact.manifest.digest);
        Ok(FoundBase { name: None, digest, is_pinned: true, source: BaseSource::File(artifact) })
    }

    /// Returns the image for a platform.
    ///
    /// # Errors
    /// There is no image for the platform, or its documents are malformed.
    pub(crate) fn base(&self, found: &FoundBase, architecture: Architecture) -> Result<Base, BuildError> {
        match &found.source {
            BaseSource::Scratch => Ok(Base::scratch(architecture)),
            BaseSource::File(artifact) => self.base_in_file(artifact, architecture),
            BaseSource::Registry(reference, document) => {
                let mut base = self.base_in_registry(reference, document, architecture)?;
                base.name.clone_from(&found.name);
                Ok(base)
            }
        }
    }

    fn base_in_file(&self, artifact: &OciArtifact, architecture: Architecture) -> Result<Base, BuildError> {
        let top = document(&artifact.manifest)?;
        let image = match base::kind(&top)? {
            ManifestKind::Manifest => artifact,
            ManifestKind::Index => {
                let chosen = digest_of(&base::choose(&top, architecture)?)?;
                let chosen = artifact.children.iter().rfind(|child| child.manifest.digest == chosen);
                chosen.ok_or(BaseError::NoPlatform { wanted: architecture, available: Vec::new() })?
            }
        };
        let manifest = document(&image.manifest)?;
        let config = digest_of(&base::configuration(&manifest)?)?;
        let blobs: HashMap<Sha256, &Blob> = image.blobs.iter().map(|blob| (blob.digest, blob)).collect();
        let config = blobs.get(&config).map(|blob| document(blob)).transpose()?.unwrap_or_default();
        // Reading the file has ensured that it contains every blob that the manifest refers to.
        let mut base = Base::from_manifest(&manifest, &config, architecture, |descriptor| {
            let blob = digest_of(descriptor).ok().and_then(|digest| blobs.get(&digest));
            blob.map_or(BlobContent::Bytes(Arc::default()), |blob| blob.content.clone())
        })?;
        base.digest = Some(image.manifest.digest);
        for layer in &mut base.layers {
            if layer.blob.media_type == MediaType::ImageLayer {
                *layer = self.compressed(layer)?;
            }
        }
        Ok(base)
    }

    /// Compresses an uncompressed layer, which Docker archives contain but registries should not; once per cache.
    fn compressed(&self, layer: &Layer) -> Result<Layer, BuildError> {
        let ((digest, size), path) = self.cache.remember_with(
            RecordKind::Compressed,
            layer.diff_id,
            |(digest, size)| Ok(self.cache.blob(digest).map(|path| ((digest, size), path))),
            || {
                let mut file = self.cache.begin_blob()?;
                let compressed = docker_archive::compress(layer, &mut file)?;
                let path = self.cache.keep_blob(file, compressed.digest)?;
                let record = (compressed.digest, compressed.size);
                Ok::<_, BuildError>((record, (record, path)))
            },
        )?;
        let content = BlobContent::File { path: path.into(), offset: 0 };
        Ok(Layer {
            blob: Blob { media_type: MediaType::ImageLayerGzip, digest, size, content },
            diff_id: layer.diff_id,
        })
    }

    fn base_in_registry(
        &self,
        reference: &ImageReference,
        top: &[u8],
        architecture: Architecture,
    ) -> Result<Base, BuildError> {
        let manifest = match base::kind(top)? {
            ManifestKind::Manifest => top.to_vec(),
            ManifestKind::Index => {
                let chosen = digest_of(&base::choose(top, architecture)?)?;
                self.document(&reference.with_digest(chosen), chosen)?
            }
        };
        let config = base::configuration(&manifest)?;
        let size = config.size();
        let digest = digest_of(&config)?;
        let path = self.blob_file(reference, digest, size)?;
        let config = std::fs::read(&path).map_err(BuildError::reading(&path))?;
        if Sha256::of(&config) != digest {
            return Err(BuildError::reading(&path)(DamagedFile { path: path.clone() }.into()));
        }
        let repository: Arc<str> = reference.repository_name().into();
        let mut base = Base::from_manifest(&manifest, &config, architecture, |_| BlobContent::Registry {
            repository: repository.clone(),
        })?;
        base.digest = Some(Sha256::of(&manifest));
        Ok(base)
    }

    /// Returns the manifest or index that a reference stands for now; with `--offline`, the one that it stood for
    /// last.
    fn look_up(&self, reference: &ImageReference) -> Result<(Sha256, Vec<u8>), BuildError> {
        if let Some(digest) = reference.digest() {
            return Ok((digest, self.document(reference, digest)?));
        }
        let key = RecordKey::new(reference, &[]);
        if self.offline {
            let digest = self.cache.record(RecordKind::Reference, key);
            let digest = digest.ok_or_else(|| BuildError::OfflineBase(reference.to_string()))?;
            return Ok((digest, self.document(reference, digest)?));
        }
        let named = self.registry.find(reference)?.ok_or_else(|| BuildError::NoBase(reference.to_string()))?;
        let document = self.document(&reference.with_digest(named.digest), named.digest)?;
        if self.cache.record(RecordKind::Reference, key) != Some(named.digest) {
            self.cache.store_record(RecordKind::Reference, key, &named.digest)?;
        }
        Ok((named.digest, document))
    }

    /// Returns a manifest or an index by its digest.
    fn document(&self, reference: &ImageReference, digest: Sha256) -> Result<Vec<u8>, BuildError> {
        if let Some(path) = self.cache.blob(digest) {
            let bytes = std::fs::read(&path).map_err(BuildError::reading(&path))?;
            if Sha256::of(&bytes) == digest {
                return Ok(bytes);
            }
        }
        if self.offline {
            return Err(BuildError::OfflineBase(reference.to_string()));
        }
        let manifest = self.registry.manifest(reference)?;
        let mut file = self.cache.begin_blob()?;
        let path = file.path().to_owned();
        std::io::Write::write_all(&mut file, &manifest.bytes).map_err(BuildError::writing(&path))?;
        self.cache.keep_blob(file, digest)?;
        Ok(manifest.bytes)
    }

    /// Returns the file of a blob, which is downloaded unless it is cached.
    fn blob_file(
        &self,
        reference: &ImageReference,
        digest: Sha256,
        size: u64,
    ) -> Result<std::path::PathBuf, BuildError> {
        if let Some(path) = self.cache.blob(digest) {
            return Ok(path);
        }
        if self.offline {
            return Err(BuildError::OfflineBase(reference.to_string()));
        }
        let mut file = self.cache.begin_blob()?;
        let pulling = RunningPhase::start(self.reporter, Phase::Pull, size);
        self.registry.blob(reference, digest, size, &mut file, self.reporter)?;
        pulling.finish();
        Ok(self.cache.keep_blob(file, digest)?)
    }

    /// Downloads a blob that is only in a registry: output files need its bytes.
    ///
    /// # Errors
    /// The blob cannot be downloaded.
    pub(crate) fn download(&self, blob: &mut Blob) -> Result<(), BuildError> {
        let BlobContent::Registry { repository } = &blob.content else { return Ok(()) };
        let path = self.blob_file(&repository.parse()?, blob.digest, blob.size)?;
        blob.content = BlobContent::File { path: path.into(), offset: 0 };
        Ok(())
    }
}

/// Returns the bytes of a manifest or configuration, whose size was limited when it was read.
fn document(blob: &Blob) -> Result<Vec<u8>, BuildError> {
    let mut bytes = Vec::new();
    blob.copy_to(&mut bytes)?;
    Ok(bytes)
}

fn digest_of(descriptor: &Descriptor) -> Result<Sha256, BaseError> {
    let digest = descriptor.digest().as_ref();
    digest.parse().map_err(|_| BaseError::UnsupportedDigest { digest: digest.to_owned() })
}
