//! Images in files: OCI layouts, OCI archives and Docker archives.
//!
//! Specifications: [OCI image layout](https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md),
//! [Docker image 1.2](https://github.com/moby/moby/blob/v20.10.24/image/spec/v1.2.md).

mod error;
mod oci;
mod source;
mod tar_index;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use error::{ImageFileError, InvalidEntry};
pub(super) use oci::{FULL_NAME, REF_NAME, REFERRERS, parse};
pub(crate) use oci::{INDEX, LARGEST_CONFIG, LARGEST_MANIFEST};
pub(super) use source::{DOCKER_MANIFEST, FileRange, ImageSource, MARKER, blob_name};

use super::{Blob, OciArtifact, docker_archive};
use crate::digest::Sha256;

/// The format of an image in a file or a directory. The prefixes are those of skopeo's transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageFormat {
    /// An OCI layout in a directory: `oci:DIR`.
    Layout,
    /// An OCI layout in a tar archive: `oci-archive:FILE`.
    OciArchive,
    /// The input of `docker load` and the output of `docker save`: `docker-archive:FILE`.
    DockerArchive,
}

impl ImageFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Layout, Self::OciArchive, Self::DockerArchive];

    /// Returns the prefix of a path, without the colon.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Layout => "oci",
            Self::OciArchive => "oci-archive",
            Self::DockerArchive => "docker-archive",
        }
    }

    /// Tells whether it is a directory, and not a file.
    pub(crate) fn is_directory(self) -> bool {
        match self {
            Self::Layout => true,
            Self::OciArchive | Self::DockerArchive => false,
        }
    }

    /// Tells whether it contains one image for one platform, with layers that are not compressed with zstd.
    pub(crate) fn is_for_one_platform(self) -> bool {
        match self {
            Self::DockerArchive => true,
            Self::Layout | Self::OciArchive => false,
        }
    }

    /// Tells whether it contains the SBOM and the provenance of an image, which are files beside it otherwise.
    pub(crate) fn contains_documents(self) -> bool {
        match self {
            Self::Layout | Self::OciArchive => true,
            Self::DockerArchive => false,
        }
    }

    /// Returns the name of the format for messages.
    fn with_article(self) -> &'static str {
        match self {
            Self::Layout => "an OCI layout",
            Self::OciArchive => "an OCI archive",
            Self::DockerArchive => "a Docker archive",
        }
    }
}

/// Selects one of several artifacts in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestSelector {
    /// By its name in the file: a tag, or a full reference.
    Name(String),
    /// By the digest of its manifest or index.
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

/// An artifact in a file: `oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`, optionally followed by `:NAME` or
/// `@sha256:…`. A path that is followed by a name has no colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// The format, stated or detected.
    pub format: ImageFormat,
    /// The file, or the directory of a layout.
    pub path: PathBuf,
    /// The selected artifact; `None` for the only one.
    pub selector: Option<ManifestSelector>,
}

/// A string that does not name an image file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid image file: {reason}", .text.escape_debug())]
pub struct InvalidImageFile {
    pub(crate) text: String,
    pub(crate) reason: &'static str,
}

impl FromStr for ImageFile {
    type Err = InvalidImageFile;

    fn from_str(text: &str) -> Result<Self, InvalidImageFile> {
        Self::parse(text).map_err(|reason| InvalidImageFile { text: text.to_owned(), reason })
    }
}

impl fmt::Display for ImageFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.format.prefix(), self.path.display())?;
        self.selector.iter().try_for_each(|selector| selector.fmt(formatter))
    }
}

impl ImageFile {
    /// Parses a string with a prefix, or returns the reason why it is invalid.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (prefix, rest) = text.split_once(':').unwrap_or_default();
        let format = ImageFormat::ALL.into_iter().find(|format| format.prefix() == prefix);
        let format = format.ok_or("expected oci:DIR, oci-archive:FILE or docker-archive:FILE")?;
        let (path, selector) = match (rest.rsplit_once("@sha256:"), rest.split_once(':')) {
            (Some((path, hexadecimal)), _) => {
                let digest = sha256(hexadecimal).ok_or("the digest must have 64 lowercase hexadecimal digits")?;
                (path, Some(ManifestSelector::Digest(digest)))
            }
            (None, Some((_, ""))) => return Err("the name after the path is empty"),
            (None, Some((path, name))) => (path, Some(ManifestSelector::Name(name.to_owned()))),
            (None, None) => (rest, None),
        };
        if path.is_empty() {
            return Err("the path is empty");
        }
        // Otherwise, the file would be in a directory `~` of the current one.
        if path == "~" || path.starts_with("~/") {
            return Err(
                "`~` is not expanded after a prefix, use $HOME in a shell, or ./~ for a directory with this name",
            );
        }
        Ok(Self { format, path: path.into(), selector })
    }

    /// Parses a string with a prefix. Without one it is a path, and the format is detected.
    ///
    /// # Errors
    /// The string has no known prefix, and is not the path of a layout or an archive.
    pub fn find(text: &str) -> Result<Self, ImageFileError> {
        let path = Path::new(text);
        let is_path = !text.is_empty() && !text.contains(':');
        match text.parse() {
            Err(_) if is_path || fs::metadata(path).is_ok() => {
                Ok(Self { format: ImageSource::detect_format(path)?, path: path.to_owned(), selector: None })
            }
            Err(_) if !text.contains(':') => {
                Err(ImageFileError::Read { path: path.to_owned(), source: io::ErrorKind::NotFound.into() })
            }
            parsed => Ok(parsed?),
        }
    }
}

/// Reads the artifact in a file. Manifests and image configs are read and verified. Every other blob is located, and its
/// size is checked; its bytes stay in the file.
///
/// An archive of `docker save` before Docker 25 has no manifest: one is generated from its image config and its layers,
/// which may be uncompressed.
///
/// # Errors
/// The file cannot be read or does not have its format, it contains several artifacts and none is selected, or a document
/// does not match its descriptor.
pub fn open(file: &ImageFile) -> Result<OciArtifact, ImageFileError> {
    let source = ImageSource::open(file.format, &file.path)?;
    if file.format == ImageFormat::DockerArchive && !source.is_oci()? {
        return docker_archive::read_source(&source, file.selector.as_ref()).map(|image| image.to_artifact());
    }
    oci::read(&source, file.selector.as_ref())
}

/// Reads the artifact in a file as [`open`] does, but collects problems instead of stopping at the first.
///
/// # Errors
/// The file cannot be read or does not have its format, or its first document is invalid.
pub(crate) fn check(file: &ImageFile) -> Result<ImageFileCheck, ImageFileError> {
    let source = ImageSource::open(file.format, &file.path)?;
    let padding = source.changed_padding()?;
    if !source.is_oci()? {
        let artifact = docker_archive::read_source(&source, file.selector.as_ref())?.to_artifact();
        return Ok(ImageFileCheck { artifact, problems: padding.into_iter().collect(), unreferenced: Vec::new() });
    }
    let (artifact, mut problems) = oci::check(&source, file.selector.as_ref())?;
    // Docker before version 29 reads manifest.json instead of the layout: both must describe the same image.
    if problems.is_empty() && source.has_docker_manifest()? {
        let images: Vec<&[Blob]> =
            artifact.children.iter().chain([&artifact]).map(|image| image.blobs.as_slice()).collect();
        match docker_archive::describes(&source, &images) {
            Ok(true) => {}
            Ok(false) => {
                let problem = InvalidEntry::Malformed("describes a different image than the layout");
                problems.push(source.invalid(DOCKER_MANIFEST, problem));
            }
            Err(error) => problems.push(error),
        }
    }
    let unreferenced = if problems.is_empty() { oci::unreferenced_blobs(&source)? } else { Vec::new() };
    problems.extend(padding);
    Ok(ImageFileCheck { artifact, problems, unreferenced })
}

/// The result of [`check`].
#[derive(Debug)]
pub(crate) struct ImageFileCheck {
    /// The artifact, as far as it could be read.
    pub(crate) artifact: OciArtifact,
    pub(crate) problems: Vec<ImageFileError>,
    /// The names of blobs that no manifest refers to.
    pub(crate) unreferenced: Vec<String>,
}

/// Tells whether a name in a file is the wanted one, in which Docker Hub's registry may be omitted.
pub(super) fn is_called(name: &str, wanted: &str) -> bool {
    let of_hub = name.strip_prefix("docker.io/");
    let short = of_hub.and_then(|name| name.strip_prefix("library/"));
    name == wanted || of_hub == Some(wanted) || short == Some(wanted)
}

/// Parses the hexadecimal part of a digest, which must be in lower case.
pub(super) fn sha256(hexadecimal: &str) -> Option<Sha256> {
    format!("sha256:{hexadecimal}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_a_path_and_a_selector_are_parsed() {
        fn named(name: &str) -> Option<ManifestSelector> {
            Some(ManifestSelector::Name(name.to_owned()))
        }

        let digest = Sha256::of(b"");
        let at = format!("@{digest}");
        for (text, format, path, selector) in [
            ("oci:dist/image", ImageFormat::Layout, "dist/image", None),
            ("oci:.:1.0", ImageFormat::Layout, ".", named("1.0")),
            ("oci-archive:/a.tar:host:5000/app:1.0", ImageFormat::OciArchive, "/a.tar", named("host:5000/app:1.0")),
            ("docker-archive:a@b.tar", ImageFormat::DockerArchive, "a@b.tar", None),
            (&format!("oci:a:b{at}"), ImageFormat::Layout, "a:b", Some(ManifestSelector::Digest(digest))),
        ] {
            let file = ImageFile { format, path: path.into(), selector };
            assert_eq!(text.parse(), Ok(file.clone()));
            assert_eq!(file.to_string(), text);
        }
    }

    #[test]
    fn images_of_docker_hub_are_found_by_short_names() {
        for (name, wanted, expected) in [
            ("docker.io/library/app:1", "app:1", true),
            ("docker.io/library/app:1", "library/app:1", true),
            ("docker.io/me/app:1", "me/app:1", true),
            ("docker.io/me/app:1", "app:1", false),
            ("ghcr.io/app:1", "app:1", false),
        ] {
            assert_eq!(is_called(name, wanted), expected, "{name} {wanted}");
        }
    }

    #[test]
    fn invalid_references_are_errors_with_a_reason() {
        for (text, reason) in [
            ("", "expected oci:DIR, oci-archive:FILE or docker-archive:FILE"),
            ("dist/image", "expected oci:DIR, oci-archive:FILE or docker-archive:FILE"),
            ("docker:image", "expected oci:DIR, oci-archive:FILE or docker-archive:FILE"),
            ("oci:", "the path is empty"),
            ("oci::1.0", "the path is empty"),
            ("oci:dist:", "the name after the path is empty"),
            ("oci:dist@sha256:12", "the digest must have 64 lowercase hexadecimal digits"),
        ] {
            let error = text.parse::<ImageFile>().unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is not a valid image file: {reason}"));
        }
    }
}
