//! What differs between two selections for a target.

use std::collections::{BTreeMap, BTreeSet};

use crate::lock::{DistributionSource, FileChooser, FormatControl, PinnedDistribution, SelectedSource, Selection};
use crate::name::DistributionName;
use crate::platform;

const NAMED: usize = 3;

/// Describes what differs between two selections for a target.
pub(super) fn differences(
    before: &Selection,
    now: &Selection,
    target: &platform::TargetPlatform,
    formats: &FormatControl,
) -> Option<String> {
    let chooser = FileChooser::new(target, formats);
    let (before, now) = (by_name(before), by_name(now));
    let mut all: Vec<String> = Vec::new();
    for name in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
        all.extend(match (before.get(name), now.get(name)) {
            (Some(old), Some(new)) if old.version != new.version => {
                let version = new.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
                Some(format!("{old} →{version}"))
            }
            (Some(old), Some(new)) if is_same(old, new, &chooser) => None,
            (Some(_), Some(new)) => Some(format!("the source of {new} changed")),
            (None, Some(new)) => Some(format!("{new} is new")),
            (Some(old), None) => Some(format!("{old} is gone")),
            (None, None) => None,
        });
    }
    let more = all.len().saturating_sub(NAMED);
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (all.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named),
        (false, more) => Some(format!("{named} and {more} more")),
    }
}

fn by_name(selection: &Selection) -> BTreeMap<&DistributionName, &PinnedDistribution> {
    selection.distributions.iter().map(|pinned| (&pinned.name, pinned)).collect()
}

/// Tells whether two pins of one version install the same file, directory or commit on the target.
fn is_same(old: &PinnedDistribution, new: &PinnedDistribution, chooser: &FileChooser) -> bool {
    match (&old.source, &new.source) {
        (DistributionSource::Files(_), DistributionSource::Files(_)) => {
            match (chosen(old, chooser), chosen(new, chooser)) {
                (Some(SelectedSource::Wheel(old, _)), Some(SelectedSource::Wheel(new, _))) => {
                    (old.filename, old.digests) == (new.filename, new.digests)
                }
                (Some(SelectedSource::Sdist(old)), Some(SelectedSource::Sdist(new))) => {
                    let same_file = old.file.filename == new.file.filename && old.file.digests == new.file.digests;
                    same_file && old.subdirectory == new.subdirectory
                }
                _ => false,
            }
        }
        (DistributionSource::Index(old), DistributionSource::Index(new)) => old == new,
        (DistributionSource::Git(old), DistributionSource::Git(new)) => old == new,
        (DistributionSource::Directory(old), DistributionSource::Directory(new))
        | (DistributionSource::Virtual(old), DistributionSource::Virtual(new)) => old == new,
        _ => false,
    }
}

/// Returns the file that is installed of a pinned distribution; `None` if none is compatible with the target.
fn chosen(pinned: &PinnedDistribution, chooser: &FileChooser) -> Option<SelectedSource> {
    let selected = chooser.choose(Selection { distributions: vec![pinned.clone()] }).ok()?.pop()?;
    Some(selected.source)
}
