//! Docker archives: the input of `docker load` and the output of `docker save`.
//!
//! An archive that is written here is also an OCI layout, as from Docker 25: its `manifest.json` refers to the layout's
//! blobs. This preserves the manifest and its digest.
//!
//! Specification: [Docker image specification 1.2](https://github.com/moby/moby/blob/v20.10.24/image/spec/v1.2.md),
//! combined image JSON and filesystem changeset format.

mod compress;
mod read;

use std::path::Path;

use serde_json::json;

pub use compress::{CompressedLayer, compress};
pub use read::{DockerImage, read};
pub(super) use read::{describes, read_source};

use super::file::{ImageFileError, blob_name};
use super::{OciArtifact, OciImage, oci_archive};
use crate::archive::output::FinishedFile;
use crate::report::Reporter;

/// Writes an archive to a temporary file; [`FinishedFile::persist`] moves it to `file`. `docker load` tags the image with
/// `names`, full references such as `ghcr.io/org/app:1.0`. Advances [`Phase::Write`](crate::report::Phase::Write) by the
/// bytes of the archive.
///
/// # Errors
/// The archive cannot be written, a blob cannot be read, or a layer is compressed with zstd.
pub fn prepare(
    image: &OciImage,
    names: &[String],
    file: &Path,
    reporter: &dyn Reporter,
) -> Result<FinishedFile, ImageFileError> {
    for layer in &image.layers {
        let media_type = layer.blob.media_type.to_string();
        if media_type.ends_with("zstd") {
            return Err(ImageFileError::UnsupportedByDocker { digest: layer.blob.digest, media_type });
        }
    }
    oci_archive::prepare(&OciArtifact::from(image), names, file, reporter)
}

/// Returns the `manifest.json` of an archive, which refers to the blobs of the layout beside it; `None` for an index: Docker
/// before version 29 loads the image of one platform only, and which one would depend on the machine.
pub(super) fn manifest(artifact: &OciArtifact, names: &[String]) -> Option<Vec<u8>> {
    let [config, layers @ ..] = artifact.blobs.as_slice() else { return None };
    let layers: Vec<String> = layers.iter().map(|layer| blob_name(layer.digest)).collect();
    let manifest = json!([{ "Config": blob_name(config.digest), "RepoTags": names, "Layers": layers }]);
    Some(manifest.to_string().into_bytes())
}
