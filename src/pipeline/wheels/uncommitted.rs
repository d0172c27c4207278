//! Local projects: whether git has what they are built from.

use std::collections::BTreeMap;
use std::path::Path;

use crate::lock::SelectedDistribution;
use crate::pipeline::plan::Plan;
use crate::project::revision;
use crate::report::Reporter;

/// Warns of local projects that are built from what git does not have: nobody else can build the same. The root is
/// what the user works on.
pub fn warn_of_changes(plans: &[Plan], reporter: &dyn Reporter) {
    let projects = plans.iter().flat_map(Plan::projects).filter(|(selected, _)| !selected.is_root());
    let folders: BTreeMap<&Path, &SelectedDistribution> =
        projects.map(|(selected, folder)| (folder, selected)).collect();
    for (folder, selected) in folders {
        if revision::has_changes(folder) == Some(true) {
            let folder = folder.display();
            reporter.warn(&format!("{} is built from {folder}, which has uncommitted changes", selected.name));
        }
    }
}
