//! What registries say of an image that was built before: whether its base has moved, and whether it is still there.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::digest::Sha256;
use crate::pipeline::BuildError;
use crate::pipeline::image::base::Bases;
use crate::pipeline::session::{Session, registry};
use crate::report::{ImageReport, Reporter};
use crate::settings::{BaseChoice, ImageSettings};

/// The digests that the references of bases stand for. Each is asked for once in a run.
#[derive(Debug, Default)]
pub(crate) struct BaseDigests(Mutex<BTreeMap<String, Option<Sha256>>>);

impl BaseDigests {
    /// Returns the digest that a reference stands for as a build would use it now; `None` if it cannot be told.
    pub(crate) fn find(&self, reference: &str, settings: &ImageSettings, reporter: &dyn Reporter) -> Option<Sha256> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(reference.to_owned()).or_insert_with(|| look_up(reference, settings, reporter).ok().flatten())
    }
}

fn look_up(reference: &str, settings: &ImageSettings, reporter: &dyn Reporter) -> Result<Option<Sha256>, BuildError> {
    let common = &settings.common;
    let session = Session::open(&common.cache)?;
    let registry = registry(&settings.registry, &common.environment.registry_credentials, reporter)?;
    let bases = Bases { registry: &registry, offline: common.fetch.offline, cache: &session.cache, reporter };
    Ok(bases.find(&BaseChoice::Registry(reference.parse()?))?.digest)
}

/// Returns whether every tag of an image that was pushed still names it.
pub(crate) fn is_pushed(settings: &ImageSettings, report: &ImageReport, reporter: &dyn Reporter) -> bool {
    let credentials = &settings.common.environment.registry_credentials;
    let Ok(registry) = registry(&settings.registry, credentials, reporter) else { return false };
    let mut tags = settings.tags.iter();
    report.pushed.is_some()
        && tags.all(|tag| {
            let named = registry.find(tag).ok().flatten();
            named.is_some_and(|named| named.digest.to_string() == report.digest)
        })
}
