//! Which layer lies over which: what changes seldom below what changes often, and what a target extends below all that it
//! adds.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;

use crate::image::manifest;
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::image::layers::{self, Installed, LayerPlan, Own};
use crate::pipeline::install::{Adapted, Contents};
use crate::pipeline::plan::Plan;
use crate::platform::ImageTarget;
use crate::tree::{FileAccess, TreeEntry, TreePath};

/// What the layers of an image are made of, at its places.
pub struct Stack<'a> {
    /// The profile.
    pub target: &'a ImageTarget,
    /// The adapted wheels.
    pub contents: &'a Contents,
    /// The files of the dependencies, in the order of the wheels.
    pub fetched: &'a [Installed],
    /// The files of local projects, in the order of the wheels.
    pub built: &'a [Installed],
    /// How many layers there may be besides the base's.
    pub budget: NonZeroUsize,
    /// How many the base has.
    pub base_layers: usize,
}

impl Stack<'_> {
    /// Divides the files among layers. The layers of what the plan extends are those that it would have alone: an image of
    /// it has the very same.
    ///
    /// `lowest` are the layers below all of that; `application` is what the application of a plan lays over them.
    ///
    /// # Errors
    /// Two files of one layer want one path.
    pub fn recipes(
        &self,
        plan: &Plan,
        lowest: Vec<LayerPlan>,
        application: &dyn Fn(&Plan) -> Result<Own, BuildError>,
    ) -> Result<Vec<LayerPlan>, BuildError> {
        let mut recipes: Vec<LayerPlan> = Vec::new();
        let mut lowest = lowest;
        let mut known: HashSet<DistributionName> = HashSet::new();
        let mut taken: HashSet<TreePath> = HashSet::new();
        let mut folders: BTreeMap<TreePath, FileAccess> = BTreeMap::new();
        for stage in plan.stages() {
            let mut own = application(stage)?;
            own.files.retain(|(path, _)| !taken.contains(path));
            own.folders.retain(|(path, access)| folders.get(path) != Some(access));
            let mut layers = self.stage(stage, std::mem::take(&mut lowest), &known, &own, recipes.len())?;
            layers.iter_mut().try_for_each(|layer| layer.settle(&mut folders))?;
            recipes.extend(layers);
            known.extend(stage.selected.iter().map(|selected| selected.name.clone()));
            taken.extend(own.files.into_iter().map(|(path, _)| path));
        }
        Ok(recipes)
    }

    /// Returns the layers of what a plan has and those below it have not.
    fn stage(
        &self,
        plan: &Plan,
        lowest: Vec<LayerPlan>,
        known: &HashSet<DistributionName>,
        application: &Own,
        below: usize,
    ) -> Result<Vec<LayerPlan>, BuildError> {
        let selected = |name: &DistributionName| plan.selected.iter().find(|selected| selected.name == *name);
        let is_new = |(adapted, _): &(&Adapted, &Installed)| {
            let name = &adapted.wheel.inventory.name;
            !known.contains(name) && selected(name).is_some()
        };
        let is_root = |(adapted, _): &(&Adapted, &Installed)| {
            selected(&adapted.wheel.inventory.name).is_some_and(|selected| selected.is_root())
        };
        let names = |wheels: &[(&Adapted, &Installed)]| -> Vec<String> {
            wheels.iter().map(|(adapted, _)| adapted.wheel.inventory.name.to_string()).collect()
        };
        let projects = self.contents.projects.iter().zip(self.built).filter(is_new);
        let (roots, members): (Vec<_>, Vec<_>) = projects.partition(is_root);
        let members = match members.is_empty() {
            true => None,
            false => Some(layers::own(names(&members).join(", "), members.iter().flat_map(|(_, files)| *files), &[])?),
        };
        let mut held = names(&roots);
        held.extend((!application.is_empty()).then(|| "the application".to_owned()));
        let own = match held.is_empty() {
            true => None,
            false => {
                let files: Vec<&(TreePath, TreeEntry)> =
                    roots.iter().flat_map(|(_, files)| *files).chain(&application.files).collect();
                Some(layers::own(held.join(", "), files.into_iter(), &application.folders)?)
            }
        };
        // What the base leaves room for; with none at all, the image is refused later on.
        let room = NonZeroUsize::new(manifest::MAX_LAYERS.saturating_sub(self.base_layers + below));
        let budget = self.budget.min(room.unwrap_or(NonZeroUsize::MIN));
        let others = lowest.len() + [&members, &own].into_iter().flatten().count();
        let of_distributions = NonZeroUsize::new(budget.get().saturating_sub(others)).unwrap_or(NonZeroUsize::MIN);
        let dependencies: Vec<_> = self.contents.dependencies.iter().zip(self.fetched).filter(is_new).collect();
        let distributions = layers::distributions(&dependencies, self.target, of_distributions)?;
        let recipes = lowest.into_iter().chain(distributions).chain(members).chain(own);
        layers::within(budget, recipes.collect())
    }
}
