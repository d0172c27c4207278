//! Reads the SBOMs in wheels.

use crate::pipeline::BuildError;
use crate::report::Reporter;
use crate::sbom::{BundledComponent, BundledSoftware, UnreadableSbom};
use crate::wheel::{SchemePart, Wheel};

/// The largest SBOM of a wheel that is read, in bytes. Those with the whole build environment have half a megabyte.
const LARGEST_SBOM: u64 = 16 << 20;

/// Returns the software that a wheel contains besides its distribution. An SBOM that cannot be read is a warning: the wheel
/// works without it.
///
/// # Errors
/// The wheel cannot be read.
pub(super) fn bundled(wheel: &Wheel, reporter: &dyn Reporter) -> Result<Vec<BundledComponent>, BuildError> {
    let inventory = &wheel.inventory;
    let directory = format!("{}/sboms/", inventory.dist_info);
    let library = inventory.files.iter().filter(|file| file.part == SchemePart::Library);
    let mut software = BundledSoftware::new(&inventory.name, library.map(|file| &*file.path));
    for (position, file) in inventory.files.iter().enumerate() {
        if file.part != SchemePart::Library || !file.path.starts_with(&directory) {
            continue;
        }
        let added = if file.size > LARGEST_SBOM {
            Err(UnreadableSbom::TooLarge(LARGEST_SBOM))
        } else {
            let bytes = wheel.content(position).read(LARGEST_SBOM).map_err(BuildError::reading(wheel.location()))?;
            software.add(&bytes)
        };
        if let Err(error) = added {
            reporter.warn(&format!(
                "what {} of {} {} lists is not in the SBOM: {error}",
                file.path, inventory.name, inventory.version
            ));
        }
    }
    Ok(software.into_components())
}
