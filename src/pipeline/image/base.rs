//! The base image: its documents for each platform, and its Python.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use oci_spec::image::{Descriptor, MediaType};
use serde::{Deserialize, Serialize};

use crate::audit::elf;
use crate::cache::{Cache, Note};
use crate::digest::Sha256;
use crate::image::base::{self, ManifestKind};
use crate::image::file::{self, ImageFile};
use crate::image::python;
use crate::image::search::LayerSearch;
use crate::image::{Base, BaseError, BasePython, Blob, BlobContent, FileSystem, Layer, OciArtifact, docker_archive};
use crate::pipeline::BuildError;
use crate::platform::{Architecture, Glibc, Libstdcxx};
use crate::registry::{ImageReference, Registry};
use crate::report::{Phase, Reporter};
use crate::settings::BaseChoice;

/// Finds base images, and what of them has to be here.
pub struct Bases<'a> {
    /// Where they are fetched from.
    pub registry: &'a Registry,
    /// Whether the network must not be used.
    pub offline: bool,
    /// Where they are kept.
    pub cache: &'a Cache,
    /// Who sees the progress.
    pub reporter: &'a dyn Reporter,
}

/// A base image before a platform is chosen: the document that its name stands for.
pub struct FoundBase {
    /// The name, for annotations and reports; none for files, whose paths mean nothing elsewhere.
    pub name: Option<String>,
    /// The digest of the document: of an image index, or of an image manifest.
    pub digest: Option<Sha256>,
    /// Whether the name says by a digest which image it is.
    pub is_pinned: bool,
    source: BaseSource,
}

/// What Docker's official images of Python are known to have without a look at their layers: Python's own module `zlib` is
/// linked to it, and so is numpy.
const OF_PYTHON: [&str; 1] = ["libz.so.1"];

/// What there is in a base.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BaseContents {
    /// The interpreters.
    pub pythons: Vec<BasePython>,
    /// The names of the shared libraries.
    pub libraries: BTreeSet<String>,
    /// The C++ library.
    pub libstdcxx: Option<Libstdcxx>,
    /// The C library.
    pub glibc: Option<Glibc>,
}

enum BaseSource {
    Scratch,
    File(OciArtifact),
    Registry(ImageReference, Vec<u8>),
}

impl Bases<'_> {
    /// Finds the image that a choice names.
    ///
    /// # Errors
    /// There is no such image, or it cannot be read.
    pub fn find(&self, choice: &BaseChoice) -> Result<FoundBase, BuildError> {
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
    /// There is none, or its documents are not what they should be.
    pub fn base(&self, found: &FoundBase, architecture: Architecture) -> Result<Base, BuildError> {
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
        // What a manifest refers to is in the file: reading it has made sure of that.
        let content = |descriptor: &Descriptor| {
            let blob = digest_of(descriptor).ok().and_then(|digest| blobs.get(&digest));
            blob.map_or(BlobContent::Bytes(Arc::default()), |blob| blob.content.clone())
        };
        let mut base = Base::from_manifest(&manifest, &config, architecture, content)?;
        base.digest = Some(image.manifest.digest);
        for layer in &mut base.layers {
            if layer.blob.media_type == MediaType::ImageLayer {
                *layer = self.compressed(layer)?;
            }
        }
        Ok(base)
    }

    /// Compresses an uncompressed layer, as Docker's archives have them and registries should not; once, for the cache.
    fn compressed(&self, layer: &Layer) -> Result<Layer, BuildError> {
        let known: Option<(Sha256, u64)> = self.cache.note(Note::Compressed, layer.diff_id);
        let here = known.and_then(|(digest, size)| Some((digest, size, self.cache.blob(digest)?)));
        let (digest, size, path) = match here {
            Some(here) => here,
            None => {
                let mut file = self.cache.begin_blob()?;
                let compressed = docker_archive::compress(layer, &mut file)?;
                let path = self.cache.keep_blob(file, compressed.digest)?;
                self.cache.keep_note(Note::Compressed, layer.diff_id, &(compressed.digest, compressed.size))?;
                (compressed.digest, compressed.size, path)
            }
        };
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
        let config = self.blob_file(reference, digest_of(&config)?, size)?;
        let config = std::fs::read(&config).map_err(|source| BuildError::Read { path: config, source })?;
        let repository: Arc<str> = reference.repository_name().into();
        let content = |_: &Descriptor| BlobContent::Registry { repository: repository.clone() };
        let mut base = Base::from_manifest(&manifest, &config, architecture, content)?;
        base.digest = Some(Sha256::of(&manifest));
        Ok(base)
    }

    /// Returns the document that a reference stands for now; without the network, the one that it stood for last.
    fn look_up(&self, reference: &ImageReference) -> Result<(Sha256, Vec<u8>), BuildError> {
        if let Some(digest) = reference.digest() {
            return Ok((digest, self.document(reference, digest)?));
        }
        let key = Sha256::of(reference.to_string().as_bytes());
        if self.offline {
            let digest = self.cache.note(Note::Reference, key);
            let digest = digest.ok_or_else(|| BuildError::OfflineBase(reference.to_string()))?;
            return Ok((digest, self.document(reference, digest)?));
        }
        let named = self.registry.find(reference)?.ok_or_else(|| BuildError::NoBase(reference.to_string()))?;
        let document = self.document(&reference.with_digest(named.digest), named.digest)?;
        if self.cache.note(Note::Reference, key) != Some(named.digest) {
            self.cache.keep_note(Note::Reference, key, &named.digest)?;
        }
        Ok((named.digest, document))
    }

    /// Returns a manifest or an index by its digest.
    fn document(&self, reference: &ImageReference, digest: Sha256) -> Result<Vec<u8>, BuildError> {
        if let Some(path) = self.cache.blob(digest) {
            let bytes = std::fs::read(&path).map_err(|source| BuildError::Read { path, source })?;
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
        std::io::Write::write_all(&mut file, &manifest.bytes).map_err(|source| BuildError::Read { path, source })?;
        self.cache.keep_blob(file, digest)?;
        Ok(manifest.bytes)
    }

    /// Returns the file of a blob, which is downloaded unless it is there.
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
        self.reporter.start(Phase::Pull, size);
        let pulled = self.registry.blob(reference, digest, size, &mut file, self.reporter);
        self.reporter.finish(Phase::Pull);
        pulled?;
        Ok(self.cache.keep_blob(file, digest)?)
    }

    /// Brings the blobs of an artifact here that are in a registry only: files need them.
    ///
    /// # Errors
    /// One cannot be downloaded.
    pub fn download(&self, blob: &mut Blob) -> Result<(), BuildError> {
        let BlobContent::Registry { repository } = &blob.content else { return Ok(()) };
        let path = self.blob_file(&repository.parse()?, blob.digest, blob.size)?;
        blob.content = BlobContent::File { path: path.into(), offset: 0 };
        Ok(())
    }

    /// Returns the interpreters of a base: by its configuration, else by looking through its layers, the top one first.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read.
    pub fn pythons(&self, base: &Base) -> Result<Vec<BasePython>, BuildError> {
        match python::from_config(base) {
            Some(python) => Ok(vec![python]),
            None => Ok(self.contents(base)?.pythons),
        }
    }

    /// Returns what there is in a base, as far as it is known; layers are downloaded and read if that tells more of the
    /// libraries that are wanted.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read.
    pub fn known_contents(&self, base: &Base, wanted: &BTreeSet<&str>) -> Result<Option<BaseContents>, BuildError> {
        let noted = base.digest.and_then(|manifest| self.cache.note(Note::Base, manifest));
        if noted.is_some() || wanted.is_empty() || base.layers.is_empty() {
            return Ok(noted);
        }
        if wanted.iter().all(|library| OF_PYTHON.contains(library)) && python::from_config(base).is_some() {
            let libraries = OF_PYTHON.map(str::to_owned).into();
            return Ok(Some(BaseContents { libraries, ..BaseContents::default() }));
        }
        match self.contents(base) {
            Err(BuildError::OfflineBase(_)) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Returns what there is in a base, by looking through its layers, the top one first.
    fn contents(&self, base: &Base) -> Result<BaseContents, BuildError> {
        let Some(manifest) = base.digest else { return Ok(BaseContents::default()) };
        match self.cache.note(Note::Base, manifest) {
            Some(noted) => Ok(noted),
            None => Ok(self.search(base, manifest)?.0),
        }
    }

    /// Returns the file system of a base, by looking through its layers.
    ///
    /// # Errors
    /// A layer cannot be downloaded or read, or there are more files than in any image.
    pub fn file_system(&self, base: &Base) -> Result<FileSystem, BuildError> {
        let Some(manifest) = base.digest else { return Ok(FileSystem::default()) };
        let known = self.cache.note(Note::FileSystem, file_system_key(manifest));
        let found = match known {
            Some(noted) => Some(noted),
            None => self.search(base, manifest)?.1,
        };
        found.ok_or_else(|| BuildError::LargeBase(manifest))
    }

    /// Returns the file system of a base if nothing has to be downloaded for it.
    pub fn known_file_system(&self, base: &Base) -> Option<FileSystem> {
        let is_here = |layer: &Layer| match &layer.blob.content {
            BlobContent::Registry { .. } => self.cache.blob(layer.blob.digest).is_some(),
            _ => true,
        };
        let noted = || self.cache.note(Note::FileSystem, file_system_key(base.digest?));
        noted().or_else(|| base.layers.iter().all(is_here).then(|| self.file_system(base).ok())?)
    }

    /// Looks through the layers of a base, the top one first, and notes what is found.
    fn search(&self, base: &Base, manifest: Sha256) -> Result<(BaseContents, Option<FileSystem>), BuildError> {
        let mut search = LayerSearch::default();
        for layer in base.layers.iter().rev() {
            let mut blob = layer.blob.clone();
            self.download(&mut blob)?;
            let BlobContent::File { path, offset } = &blob.content else { continue };
            let failed = |source| BuildError::Read { path: path.to_path_buf(), source };
            let file = open_at(path, *offset).map_err(failed)?;
            search.in_layer(&blob.media_type, std::io::Read::take(file, blob.size)).map_err(failed)?;
        }
        let contents = BaseContents {
            pythons: search.pythons(),
            libraries: search.libraries().clone(),
            libstdcxx: search.libstdcxx(),
            // One that cannot be read is as good as the profile says.
            glibc: search.libc().and_then(|libc| elf::defined_glibc(libc).ok().flatten()),
        };
        self.cache.keep_note(Note::Base, manifest, &contents)?;
        let files = search.file_system().cloned();
        if let Some(files) = &files {
            self.cache.keep_note(Note::FileSystem, file_system_key(manifest), files)?;
        }
        Ok((contents, files))
    }
}

fn file_system_key(manifest: Sha256) -> Sha256 {
    Sha256::of(format!("{} {}", FileSystem::FORMAT, manifest.hex()).as_bytes())
}

fn open_at(path: &Path, offset: u64) -> std::io::Result<File> {
    use std::io::{Seek, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

/// Returns the bytes of a document that has been read already, so that it is small.
fn document(blob: &Blob) -> Result<Vec<u8>, BuildError> {
    let mut bytes = Vec::new();
    blob.copy_to(&mut bytes)?;
    Ok(bytes)
}

fn digest_of(descriptor: &Descriptor) -> Result<Sha256, BaseError> {
    let digest = descriptor.digest().as_ref();
    digest.parse().map_err(|_| BaseError::UnsupportedDigest { digest: digest.to_owned() })
}
