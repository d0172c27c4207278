//! Names of distributions in flags and keys that have no effect, because they are misspelled.

use std::collections::BTreeSet;

use super::LockedProject;
use super::offers::OtherSelections;
use crate::hints;
use crate::lock::{Selection, SelectionRequest};
use crate::name::DistributionName;
use crate::platform::TargetPlatform;
use crate::report::Reporter;
use crate::settings::Settings;

/// Warns of names that no selected distribution has, if one has a similar name. Without one, they may be meant for other targets,
/// which share the key.
pub(super) fn warn(
    project: &LockedProject,
    settings: &Settings,
    target: &TargetPlatform,
    selection: &Selection,
    reporter: &dyn Reporter,
) {
    let (request, contents) = (&settings.request, &settings.contents);
    let excluded = &request.no_install_packages;
    if excluded.is_empty() && contents.prefer.is_empty() && contents.accept_invalid.is_empty() {
        return;
    }
    let mut known: BTreeSet<DistributionName> =
        selection.distributions.iter().map(|pinned| pinned.name.clone()).collect();
    if !excluded.is_empty() {
        let others = OtherSelections { project, settings, target };
        let all = SelectionRequest { no_install_packages: BTreeSet::new(), ..request.clone() };
        known.extend(others.select(all).unwrap_or_default());
    }
    let named = excluded.iter().map(|name| ("no-install-package", name));
    let named = named.chain(contents.prefer.iter().map(|name| ("prefer", name)));
    let named = named.chain(contents.accept_invalid.iter().map(|name| ("accept-invalid", name)));
    for (key, name) in named.filter(|(_, name)| !known.contains(*name)) {
        if let Some(nearest) = hints::nearest(name.as_str(), known.iter().map(DistributionName::as_str)) {
            reporter.warn(&format!("{key} names `{name}`, which is not selected: did you mean `{nearest}`?"));
        }
    }
}
