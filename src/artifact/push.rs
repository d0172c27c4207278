//! Pushes artifacts that were built before.

use crate::image::file::{self, ImageFile};
use crate::pipeline::BuildError;
use crate::pipeline::image::report::report_push;
use crate::pipeline::session::registry;
use crate::registry::ImageReference;
use crate::registry::credentials::KeychainOptions;
use crate::report::{PushedReport, Reporter};
use crate::settings::RegistrySettings;

/// Pushes the artifact in a file to every reference.
///
/// # Errors
/// The file cannot be read, or a registry rejects a request; then no tag is set.
pub(crate) fn push(
    artifact: &ImageFile,
    tags: &[ImageReference],
    settings: &RegistrySettings,
    keychain: &KeychainOptions,
    reporter: &dyn Reporter,
) -> Result<PushedReport, BuildError> {
    let artifact = file::open(artifact)?;
    let registry = registry(settings, keychain, reporter)?;
    Ok(report_push(&registry.push(&artifact, tags, reporter)?))
}
