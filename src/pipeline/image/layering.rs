//! The order of the layers: what seldom changes lies below what changes often, and what a target extends lies below what it
//! adds.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;

use crate::image::manifest;
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::image::layers::{self, ApplicationFiles, LayerPlan};
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::plan::Plan;
use crate::platform::ImageTarget;
use crate::tree::{FileAccess, TreeEntry, TreePath};

/// Divides the files of an image among layers.
pub(super) struct LayerOrder<'a> {
    pub target: &'a ImageTarget,
    pub distributions: &'a [InstalledDistribution<'a>],
    /// The greatest number of layers above the base's.
    pub budget: NonZeroUsize,
    /// The number of layers of the base.
    pub base_layers: usize,
}

impl LayerOrder<'_> {
    /// Returns the layers, lowest first. A target that extends another begins with exactly the layers that the other has
    /// alone, so that both images share them.
    ///
    /// `lowest` are the layers below all others; `application_of` returns the application's files of a plan.
    ///
    /// # Errors
    /// Two files of one layer have the same path.
    pub(super) fn layers(
        &self,
        plan: &Plan,
        mut lowest: Vec<LayerPlan>,
        application_of: &dyn Fn(&Plan) -> Result<ApplicationFiles, BuildError>,
    ) -> Result<Vec<LayerPlan>, BuildError> {
        let mut layers: Vec<LayerPlan> = Vec::new();
        let mut known: HashSet<DistributionName> = HashSet::new();
        let mut included: HashSet<TreePath> = HashSet::new();
        let mut directories: BTreeMap<TreePath, FileAccess> = BTreeMap::new();
        for stage in plan.stages() {
            let mut application = application_of(stage)?;
            application.files.retain(|(path, _)| !included.contains(path));
            application.directories.retain(|(path, access)| directories.get(path) != Some(access));
            let mut added = self.stage(stage, std::mem::take(&mut lowest), &known, &application, layers.len())?;
            for layer in &mut added {
                layer.keep_access(&mut directories)?;
            }
            layers.extend(added);
            known.extend(stage.selected.iter().map(|selected| selected.name.clone()));
            included.extend(application.files.into_iter().map(|(path, _)| path));
        }
        Ok(layers)
    }

    /// Returns the layers of what a plan adds to those that it extends.
    fn stage(
        &self,
        plan: &Plan,
        lowest: Vec<LayerPlan>,
        known: &HashSet<DistributionName>,
        application: &ApplicationFiles,
        below: usize,
    ) -> Result<Vec<LayerPlan>, BuildError> {
        let added = self.distributions.iter().filter(|distribution| {
            let name = &distribution.selected.name;
            !known.contains(name) && plan.selected.iter().any(|selected| selected.name == *name)
        });
        let (projects, dependencies): (Vec<_>, Vec<_>) =
            added.partition(|distribution| distribution.is_local_project());
        let (roots, members): (Vec<_>, Vec<_>) =
            projects.into_iter().partition(|distribution| distribution.selected.is_root());
        let members = if members.is_empty() {
            None
        } else {
            let files = members.iter().flat_map(|distribution| &distribution.files);
            Some(layers::changing(names(&members).join(", "), files, &[])?)
        };
        let mut holds = names(&roots);
        if !application.is_empty() {
            holds.push("the application".to_owned());
        }
        let own = if holds.is_empty() {
            None
        } else {
            let files: Vec<&(TreePath, TreeEntry)> =
                roots.iter().flat_map(|distribution| &distribution.files).chain(&application.files).collect();
            Some(layers::changing(holds.join(", "), files.into_iter(), &application.directories)?)
        };
        // If the base leaves no room at all, the manifest is refused later.
        let room = NonZeroUsize::new(manifest::MOST_LAYERS.saturating_sub(self.base_layers + below));
        let budget = self.budget.min(room.unwrap_or(NonZeroUsize::MIN));
        let others = lowest.len() + [&members, &own].into_iter().flatten().count();
        let of_distributions = NonZeroUsize::new(budget.get().saturating_sub(others)).unwrap_or(NonZeroUsize::MIN);
        let distributions = layers::distributions(&dependencies, self.target, of_distributions)?;
        let layers = lowest.into_iter().chain(distributions).chain(members).chain(own);
        layers::within(budget, layers.collect())
    }
}

fn names(distributions: &[&InstalledDistribution]) -> Vec<String> {
    distributions.iter().map(|distribution| distribution.wheel.inventory.name.to_string()).collect()
}
