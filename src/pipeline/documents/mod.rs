//! The SBOM and the provenance statement of an artifact, written beside a zip or attached to an image.

mod bundled;
mod locks;
mod origin;
mod sbom;
mod write;

pub(super) use sbom::{DocumentSources, parameters};
pub(super) use write::{ArtifactDocument, beside, beside_zip, paths, persist, planned, remove_stale};
