//! What extras and groups of the lock would add to an artifact.

use std::collections::BTreeSet;

use super::Audited;
use crate::lock::SelectionRequest;
use crate::name::DistributionName;

/// A flag, and what it would select in addition.
pub(super) struct Offer {
    pub flag: String,
    /// What the flag selects, for messages: `extra x` or `group x`.
    pub what: String,
    pub distributions: BTreeSet<DistributionName>,
}

/// Computes what each extra and each group of the lock would select in addition.
pub(super) fn offers(audited: &Audited) -> Vec<Offer> {
    let plan = audited.plan;
    let (request, directory) = (&audited.settings.request, &plan.project.workspace.current().path);
    let choices = plan.project.lock.extras_and_groups(request, directory);
    let extras = choices.extras.iter().map(|extra| {
        let extras = request.extras.iter().chain([extra]).cloned().collect();
        (format!("--extra {extra}"), format!("extra `{extra}`"), SelectionRequest { extras, ..request.clone() })
    });
    let groups = choices.groups.iter().map(|group| {
        let groups = request.groups.iter().chain([group]).cloned().collect();
        (format!("--group {group}"), format!("group `{group}`"), SelectionRequest { groups, ..request.clone() })
    });
    let selected: BTreeSet<_> = plan.selected.iter().map(|selected| &selected.name).collect();
    let offers = extras.chain(groups).filter_map(|(flag, what, request)| {
        // A flag whose selection fails would not help.
        let selection = plan.project.lock.select(&request, directory, &plan.target).ok()?;
        let names = selection.distributions.into_iter().map(|pinned| pinned.name);
        Some(Offer { flag, what, distributions: names.filter(|name| !selected.contains(name)).collect() })
    });
    offers.collect()
}
