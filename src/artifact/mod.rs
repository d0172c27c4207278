//! Finished artifacts: inspected, compared, verified and pushed.

mod diff;
mod fetched;
mod inspect;
mod push;
mod verify;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

pub(crate) use diff::{diff, diff_zips};
pub(crate) use inspect::inspect;
pub(crate) use push::push;
pub(crate) use verify::{Project, verify};

use crate::contents::{self, ArtifactContents, ContentsError};
use crate::image::OciArtifact;
use crate::image::file::{self, ImageFile, ImageFileError};
use crate::pipeline::BuildError;
use crate::pipeline::image::base::Bases;
use crate::pipeline::session::{Session, registry};
use crate::registry::ImageReference;
use crate::registry::credentials::KeychainOptions;
use crate::report::Reporter;
use crate::settings::{CacheChoice, RegistrySettings};

/// The signatures that a zip may begin with: a local file header, or the end of an empty archive (APPNOTE 4.3.6).
const ZIPS: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// An artifact that the user names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArtifactName {
    /// The zip of a function or a Lambda layer.
    Zip(PathBuf),
    /// An OCI layout or an archive.
    File(ImageFile),
    /// An image in a registry.
    Registry(ImageReference),
}

impl ArtifactName {
    /// Parses the name of an artifact. A file is recognized by its content; any other text is an image reference if it
    /// has a tag, a digest or a registry.
    ///
    /// # Errors
    /// There is no such file, it is not an artifact, or the text is not an image reference.
    pub(crate) fn find(text: &str) -> Result<Self, BuildError> {
        let path = Path::new(text);
        let is_named = path.extension().is_some_and(|extension| extension == "zip");
        // A zip whose signature is damaged is recognized by its name.
        if path.is_file() && (is_named || is_zip(path)?) {
            return Ok(Self::Zip(path.to_owned()));
        }
        // The files of a function that `--output dir:PATH` has written.
        let directory = text.strip_prefix("dir:").map_or(path, Path::new);
        if directory.is_dir() && !["oci-layout", "index.json"].iter().any(|name| directory.join(name).exists()) {
            return Err(ContentsError::Directory(directory.to_owned()).into());
        }
        if path.exists() || text.parse::<ImageFile>().is_ok() {
            return Ok(Self::File(ImageFile::find(text).map_err(not_an_artifact)?));
        }
        let is_reference = text.contains([':', '@']) && !text.starts_with(['.', '/']);
        if is_reference { Ok(Self::Registry(text.parse()?)) } else { Err(BuildError::NoArtifact(text.to_owned())) }
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zip(path) => path.display().fmt(formatter),
            Self::File(file) => file.fmt(formatter),
            Self::Registry(reference) => reference.fmt(formatter),
        }
    }
}

/// Names zips, too, where the format of an image was sought.
fn not_an_artifact(error: ImageFileError) -> BuildError {
    match error {
        ImageFileError::UnknownFormat(path) => ContentsError::NotAnArtifact(path).into(),
        error => error.into(),
    }
}

/// Finds the image that a text names, to be pushed.
///
/// # Errors
/// It is not an image in a file.
pub(crate) fn pushable(text: &str) -> Result<ImageFile, BuildError> {
    ImageFile::find(text).map_err(|error| match error {
        ImageFileError::UnknownFormat(path) if is_zip(&path).unwrap_or_default() => {
            ContentsError::Unpushable(path).into()
        }
        error => error.into(),
    })
}

fn is_zip(path: &Path) -> Result<bool, BuildError> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut start));
    read.map_err(BuildError::reading(path))?;
    Ok(ZIPS.contains(&start.as_slice()))
}

/// The settings for reading artifacts.
#[derive(Debug, Clone)]
pub(crate) struct ArtifactSettings {
    /// The platform to select; `None` for the first one of an index.
    pub platform: Option<String>,
    pub registry: RegistrySettings,
    pub cache: CacheChoice,
    /// Where the credentials of registries are looked for.
    pub keychain: KeychainOptions,
}

impl ArtifactSettings {
    /// Reads the contents of an artifact. Layers that are only in a registry are downloaded into the cache.
    ///
    /// # Errors
    /// It cannot be read, or does not match its own documents.
    fn contents(&self, name: &ArtifactName, reporter: &dyn Reporter) -> Result<ArtifactContents, BuildError> {
        match name {
            ArtifactName::Zip(path) if self.platform.is_some() => Err(BuildError::NoPlatforms(path.clone())),
            ArtifactName::Zip(path) => Ok(contents::read_zip(path)?),
            ArtifactName::File(file) => self.image(&file::open(file)?),
            ArtifactName::Registry(reference) => {
                let registry = registry(&self.registry, &self.keychain, reporter)?;
                let Session { cache, temporary: _temporary } = Session::open(&self.cache)?;
                let artifact = fetched::documents(&registry, reference, &mut Err, reporter)?;
                let mut image = contents::image::choose(&artifact, self.platform.as_deref())?.artifact.clone();
                let bases = Bases { registry: &registry, offline: false, cache: &cache, reporter };
                image.blobs.iter_mut().try_for_each(|blob| bases.download(blob))?;
                let platforms = platforms(&artifact)?;
                Ok(contents::image::read(&image, platforms)?)
            }
        }
    }

    fn image(&self, artifact: &OciArtifact) -> Result<ArtifactContents, BuildError> {
        let image = contents::image::choose(artifact, self.platform.as_deref())?;
        Ok(contents::image::read(image.artifact, platforms(artifact)?)?)
    }
}

/// Returns the platforms of an index.
fn platforms(artifact: &OciArtifact) -> Result<Vec<String>, BuildError> {
    Ok(contents::image::images(artifact)?.into_iter().filter_map(|image| image.platform).collect())
}
