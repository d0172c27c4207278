//! Pushing what was built before.

use crate::image::file::{self, ImageFile};
use crate::pipeline::BuildError;
use crate::pipeline::image::report::report_push;
use crate::pipeline::session::registry;
use crate::registry::ImageReference;
use crate::registry::credentials::KeychainOptions;
use crate::report::{PushedReport, Reporter};
use crate::settings::RegistrySettings;

/// Pushes the artifact in a file under every name.
///
/// # Errors
/// The file cannot be read, or a registry refuses; then no tag is set that was not set before.
pub fn push(
    artifact: &ImageFile,
    tags: &[ImageReference],
    settings: &RegistrySettings,
    keychain: &KeychainOptions,
    reporter: &dyn Reporter,
) -> Result<PushedReport, BuildError> {
    let artifact = file::open(artifact)?;
    let registry = registry(settings, keychain)?;
    Ok(report_push(&registry.push(&artifact, tags, reporter)?))
}
