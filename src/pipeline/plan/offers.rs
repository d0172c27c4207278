//! What other flags would select from the lock. Each is tried, so that what a message suggests is true.

use std::collections::BTreeSet;

use super::LockedProject;
use crate::lock::SelectionRequest;
use crate::name::{DistributionName, GroupName};
use crate::platform::TargetPlatform;
use crate::settings::Settings;

/// Flags, and what they would select in addition.
pub(crate) struct Offer {
    /// For instance `--extra x`.
    pub flags: String,
    /// What the flags select, for messages: ``extra `x` `` or ``group `x` ``.
    pub what: String,
    pub distributions: BTreeSet<DistributionName>,
}

/// Selects from the lock of a project as flags would that differ from the settings.
#[derive(Clone, Copy)]
pub(crate) struct OtherSelections<'a> {
    pub project: &'a LockedProject,
    pub settings: &'a Settings,
    pub target: &'a TargetPlatform,
}

impl OtherSelections<'_> {
    /// Returns what each extra and each group of the requested projects would select besides those that are selected.
    pub(crate) fn of_extras_and_groups(self, selected: &BTreeSet<&DistributionName>) -> Vec<Offer> {
        self.add_extras_and_groups(&self.settings.request, selected)
    }

    /// Returns what each other member of the workspace would select, alone or with one of its extras and groups.
    pub(crate) fn of_members(self, selected: &BTreeSet<&DistributionName>) -> Vec<Offer> {
        let request = &self.settings.request;
        let workspace = &self.project.workspace;
        let current = request.package.as_ref().or(workspace.current().pyproject.name.as_ref());
        let others = workspace.members.iter().filter_map(|member| member.pyproject.name.as_ref());
        let mut offers = Vec::new();
        for name in others.filter(|name| Some(*name) != current) {
            let request = SelectionRequest { package: Some(name.clone()), ..request.clone() };
            let (flags, what) = (format!("--package {name}"), format!("workspace member `{name}`"));
            let alone = self.offer(flags.clone(), what.clone(), request.clone(), selected);
            let of_alone = alone.iter().flat_map(|offer| &offer.distributions);
            let known: BTreeSet<&DistributionName> = selected.iter().copied().chain(of_alone).collect();
            let inner = self.add_extras_and_groups(&request, &known).into_iter();
            offers.extend(inner.map(|inner| Offer {
                flags: format!("{flags} {}", inner.flags),
                what: format!("{} of the {what}", inner.what),
                ..inner
            }));
            offers.extend(alone);
        }
        offers
    }

    /// Returns the flag that keeps a distribution from being selected.
    pub(crate) fn excluding_flag(self, name: &DistributionName) -> Option<&'static str> {
        let request = &self.settings.request;
        let mut without_name = request.no_install_packages.clone();
        without_name.remove(name);
        // Its flag removes the group from those that are named.
        let with_dev = SelectionRequest {
            groups: request.groups.union(&request.excluded_groups).cloned().collect(),
            excluded_groups: BTreeSet::new(),
            ..request.clone()
        };
        let others = [
            ("--no-dev", with_dev),
            ("--no-install-package", SelectionRequest { no_install_packages: without_name, ..request.clone() }),
            ("--only-group", SelectionRequest { only_groups: BTreeSet::new(), ..request.clone() }),
            ("--no-default-groups", SelectionRequest { no_default_groups: false, ..request.clone() }),
            ("--no-install-project", SelectionRequest { no_install_project: false, ..request.clone() }),
            ("--no-install-workspace", SelectionRequest { no_install_workspace: false, ..request.clone() }),
        ];
        let mut others = others.into_iter().filter(|(_, other)| other != request);
        others
            .find(|(_, other)| self.select(other.clone()).is_some_and(|names| names.contains(name)))
            .map(|(flag, _)| flag)
    }

    fn add_extras_and_groups(self, request: &SelectionRequest, selected: &BTreeSet<&DistributionName>) -> Vec<Offer> {
        let directory = &self.project.workspace.current().path;
        let choices = self.project.lock.extras_and_groups(request, directory);
        // The command line does not combine them with --only-group.
        let extras = choices.extras.iter().filter(|_| request.only_groups.is_empty()).map(|extra| {
            let extras = request.extras.iter().chain([extra]).cloned().collect();
            (format!("--extra {extra}"), format!("extra `{extra}`"), SelectionRequest { extras, ..request.clone() })
        });
        let groups = choices.groups.iter().filter(|group| !request.excluded_groups.contains(*group)).map(|group| {
            let with_group = |groups: &BTreeSet<GroupName>| groups.iter().chain([group]).cloned().collect();
            let (flag, request) = if request.only_groups.is_empty() {
                ("--group", SelectionRequest { groups: with_group(&request.groups), ..request.clone() })
            } else {
                ("--only-group", SelectionRequest { only_groups: with_group(&request.only_groups), ..request.clone() })
            };
            (format!("{flag} {group}"), format!("group `{group}`"), request)
        });
        let offers = extras.chain(groups).filter_map(|(flag, what, request)| self.offer(flag, what, request, selected));
        offers.collect()
    }

    /// Returns what a request would select in addition; `None` if its selection fails, so that it would not help.
    fn offer(
        self,
        flags: String,
        what: String,
        request: SelectionRequest,
        selected: &BTreeSet<&DistributionName>,
    ) -> Option<Offer> {
        let mut distributions = self.select(request)?;
        distributions.retain(|name| !selected.contains(name));
        Some(Offer { flags, what, distributions })
    }

    /// Returns what a request selects; `None` if that fails.
    pub(super) fn select(self, request: SelectionRequest) -> Option<BTreeSet<DistributionName>> {
        let Self { project, settings, target } = self;
        let settings = Settings { request, ..settings.clone() };
        let selection = project.selection_of(&project.lock, &settings, target).ok()?;
        Some(selection.distributions.into_iter().map(|pinned| pinned.name).collect())
    }
}
