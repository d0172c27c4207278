//! Artifacts that lie in files: OCI layouts, and the archives of OCI and of Docker.
//!
//! Specifications: [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md),
//! [Docker image 1.2](https://github.com/moby/moby/blob/v20.10.24/image/spec/v1.2.md).

mod directory;
mod error;
mod oci;
mod source;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use error::{ImageFileError, InvalidEntry};
pub(super) use oci::{FULL_NAME, INDEX, LARGEST_CONFIG, LARGEST_MANIFEST, REF_NAME, parse};
pub(super) use source::{DOCKER_MANIFEST, FileRange, ImageSource, MARKER, blob_name};

use super::{OciArtifact, docker_archive};
use crate::digest::Sha256;

/// What a file, or a folder, with an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// A folder: `oci:DIR`.
    Layout,
    /// An OCI layout as a tar archive: `oci-archive:FILE`.
    OciArchive,
    /// What `docker load` takes and `docker save` gives: `docker-archive:FILE`.
    DockerArchive,
}

impl ImageFormat {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Layout, Self::OciArchive, Self::DockerArchive];

    /// Returns what precedes the path and a colon.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Layout => "oci",
            Self::OciArchive => "oci-archive",
            Self::DockerArchive => "docker-archive",
        }
    }
}

/// Which of the artifacts in one file is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestSelector {
    /// The one of this name: a tag, or whatever else the file names it by.
    Name(String),
    /// The one whose manifest has this digest.
    Digest(Sha256),
}

impl fmt::Display for ManifestSelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(formatter, ":{name}"),
            Self::Digest(digest) => write!(formatter, "@{digest}"),
        }
    }
}

/// An artifact in a file. Its text form is `oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`, and which of several
/// artifacts it is: `:NAME` or `@sha256:…`. A path that a name may follow has no colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// What it is.
    pub form: ImageFormat,
    /// Where it is.
    pub path: PathBuf,
    /// Which of its artifacts; none where there is only one.
    pub choice: Option<ManifestSelector>,
}

/// A text that names no artifact in a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` names no artifact in a file: {reason}", .text.escape_debug())]
pub struct InvalidImageFile {
    /// The text as it was given.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for ImageFile {
    type Err = InvalidImageFile;

    fn from_str(text: &str) -> Result<Self, InvalidImageFile> {
        let invalid = |reason| InvalidImageFile { text: text.to_owned(), reason };
        let (prefix, rest) = text.split_once(':').unwrap_or_default();
        let form = ImageFormat::ALL.into_iter().find(|form| form.prefix() == prefix);
        let form = form.ok_or_else(|| invalid("it begins with none of oci:, oci-archive: and docker-archive:"))?;
        let (path, choice) = match (rest.rsplit_once("@sha256:"), rest.split_once(':')) {
            (Some((path, hexadecimal)), _) => {
                let digest =
                    sha256(hexadecimal).ok_or_else(|| invalid("a digest has 64 hexadecimal digits in lower case"))?;
                (path, Some(ManifestSelector::Digest(digest)))
            }
            (None, Some((_, ""))) => return Err(invalid("the name after the path is empty")),
            (None, Some((path, name))) => (path, Some(ManifestSelector::Name(name.to_owned()))),
            (None, None) => (rest, None),
        };
        if path.is_empty() {
            return Err(invalid("the path is empty"));
        }
        Ok(Self { form, path: path.into(), choice })
    }
}

impl fmt::Display for ImageFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.form.prefix(), self.path.display())?;
        self.choice.iter().try_for_each(|choice| choice.fmt(formatter))
    }
}

impl ImageFile {
    /// Returns what a text means: a path alone is recognised by what is there, anything else is parsed. What has no colon
    /// can only be a path.
    ///
    /// # Errors
    /// The text has no known prefix, and is no path to a layout or an archive either.
    pub fn find(text: &str) -> Result<Self, ImageFileError> {
        let path = Path::new(text);
        let is_path = !text.is_empty() && !text.contains(':');
        match text.parse() {
            Err(_) if is_path || fs::metadata(path).is_ok() => {
                Ok(Self { form: ImageSource::recognise(path)?, path: path.to_owned(), choice: None })
            }
            Err(_) if !text.contains(':') => {
                Err(ImageFileError::Read { path: path.to_owned(), source: io::ErrorKind::NotFound.into() })
            }
            parsed => Ok(parsed?),
        }
    }
}

/// Reads the artifact in a file. Manifests and image configurations are read and verified; every other blob stays where
/// it lies, and is there with its size.
///
/// An archive of `docker save` before Docker 25 has no manifest: one is made of its configuration and its layers,
/// which may be uncompressed.
///
/// # Errors
/// The file cannot be read, is not what its form says, holds several artifacts where none is chosen, or a document in
/// it is not what its descriptor says.
pub fn open(file: &ImageFile) -> Result<OciArtifact, ImageFileError> {
    let source = ImageSource::open(file.form, &file.path)?;
    if file.form == ImageFormat::DockerArchive && !source.is_oci()? {
        return docker_archive::read_source(&source, file.choice.as_ref()).map(|image| image.to_artifact());
    }
    oci::read(&source, file.choice.as_ref())
}

/// Reads the artifact in a file as far as it can be read, as [`open`] does; returns with it everything in it that is
/// missing or is not what its descriptor says, and the names of blobs that nothing refers to.
///
/// # Errors
/// The file cannot be read, is not what its form says, or the document that it begins with is wrong.
pub fn survey(file: &ImageFile) -> Result<ImageFileCheck, ImageFileError> {
    let source = ImageSource::open(file.form, &file.path)?;
    if !source.is_oci()? {
        let artifact = docker_archive::read_source(&source, file.choice.as_ref())?.to_artifact();
        return Ok(ImageFileCheck { artifact, faults: Vec::new(), strays: Vec::new() });
    }
    let (artifact, mut faults) = oci::survey(&source, file.choice.as_ref())?;
    // What Docker reads of the archive is the same image.
    if file.form == ImageFormat::DockerArchive && faults.is_empty() {
        let image = docker_archive::read_source(&source, file.choice.as_ref());
        let stated = artifact.blobs.iter().map(|blob| blob.digest);
        match image {
            Ok(image) => {
                let layers = image.layers.iter().map(|layer| layer.blob.digest);
                if !std::iter::once(image.config.digest).chain(layers).eq(stated) {
                    let fault = InvalidEntry::Malformed("names another image than the layout");
                    faults.push(source.invalid(DOCKER_MANIFEST, fault));
                }
            }
            Err(error) => faults.push(error),
        }
    }
    let strays = if faults.is_empty() { oci::strays(&source)? } else { Vec::new() };
    Ok(ImageFileCheck { artifact, faults, strays })
}

/// What surveying a file has found.
#[derive(Debug)]
pub struct ImageFileCheck {
    /// The artifact, without what could not be read.
    pub artifact: OciArtifact,
    /// What is missing, or is not what its descriptor says.
    pub faults: Vec<ImageFileError>,
    /// The blobs that nothing refers to.
    pub strays: Vec<String>,
}

/// Parses the hexadecimal part of a digest, in lower case.
pub(super) fn sha256(hexadecimal: &str) -> Option<Sha256> {
    format!("sha256:{hexadecimal}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_a_form_a_path_and_a_choice() {
        let digest = Sha256::of(b"");
        let at = format!("@{digest}");
        let name = |name: &str| Some(ManifestSelector::Name(name.to_owned()));
        for (text, form, path, choice) in [
            ("oci:dist/image", ImageFormat::Layout, "dist/image", None),
            ("oci:.:1.0", ImageFormat::Layout, ".", name("1.0")),
            ("oci-archive:/a.tar:host:5000/app:1.0", ImageFormat::OciArchive, "/a.tar", name("host:5000/app:1.0")),
            ("docker-archive:a@b.tar", ImageFormat::DockerArchive, "a@b.tar", None),
            (&format!("oci:a:b{at}"), ImageFormat::Layout, "a:b", Some(ManifestSelector::Digest(digest))),
        ] {
            let file = ImageFile { form, path: path.into(), choice };
            assert_eq!(text.parse(), Ok(file.clone()));
            assert_eq!(file.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "it begins with none of oci:, oci-archive: and docker-archive:"),
            ("dist/image", "it begins with none of oci:, oci-archive: and docker-archive:"),
            ("docker:image", "it begins with none of oci:, oci-archive: and docker-archive:"),
            ("oci:", "the path is empty"),
            ("oci::1.0", "the path is empty"),
            ("oci:dist:", "the name after the path is empty"),
            ("oci:dist@sha256:12", "a digest has 64 hexadecimal digits in lower case"),
        ] {
            let error = text.parse::<ImageFile>().unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` names no artifact in a file: {reason}"));
        }
    }
}
