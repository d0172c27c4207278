//! What differs between two selections for a target.

use std::collections::BTreeMap;

use crate::lock::{
    DistributionSource, FileChooser, FormatControl, PinnedDistribution, SelectedDistribution, SelectedSource, Selection,
};
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
    fn by_name(selection: &Selection) -> BTreeMap<&DistributionName, &PinnedDistribution> {
        selection.distributions.iter().map(|pinned| (&pinned.name, pinned)).collect()
    }
    let chooser = FileChooser::new(target, formats);
    let (before, now) = (by_name(before), by_name(now));
    let version =
        |pinned: &PinnedDistribution| pinned.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let difference = |name: &&DistributionName| match (before.get(*name), now.get(*name)) {
        (Some(old), Some(new)) if old.version != new.version => Some(format!("{old} →{}", version(new))),
        (Some(old), Some(new)) => (!is_same(old, new, &chooser)).then(|| format!("the source of {new} changed")),
        (None, Some(new)) => Some(format!("{new} is new")),
        (Some(old), None) => Some(format!("{old} is gone")),
        (None, None) => None,
    };
    let mut names: Vec<&DistributionName> = before.keys().chain(now.keys()).copied().collect();
    names.sort();
    names.dedup();
    let all: Vec<String> = names.iter().filter_map(difference).collect();
    let more = all.len().saturating_sub(NAMED);
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (all.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named),
        (false, more) => Some(format!("{named} and {more} more")),
    }
}

/// Tells whether two pins of one version install the same file, directory or commit on the target.
fn is_same(old: &PinnedDistribution, new: &PinnedDistribution, chooser: &FileChooser) -> bool {
    match (&old.source, &new.source) {
        (DistributionSource::Files(_), DistributionSource::Files(_)) => {
            let chosen = |pinned: &PinnedDistribution| -> Option<SelectedDistribution> {
                chooser.choose(Selection { distributions: vec![pinned.clone()] }).ok()?.pop()
            };
            match (chosen(old).map(|old| old.source), chosen(new).map(|new| new.source)) {
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
