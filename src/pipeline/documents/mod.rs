//! The SBOM and the provenance statement of an artifact, written beside a zip or attached to an image.

mod origin;
mod sbom;
mod write;

pub use sbom::{DocumentSources, parameters};
pub use write::{ArtifactDocument, beside, beside_zip, persist, places, planned};
