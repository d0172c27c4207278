//! The SBOM and the provenance statement of an artifact, written beside a zip or attached to an image.

mod origin;
mod sbom;
mod write;

pub use sbom::{Sources, parameters};
pub use write::{Document, beside, beside_zip, persist, places, planned};
