//! Uncommitted changes in local projects.

use std::collections::BTreeMap;
use std::path::Path;

use crate::git::revision;
use crate::lock::SelectedDistribution;
use crate::pipeline::plan::Plan;
use crate::report::Reporter;

/// Warns about local projects with uncommitted changes: nobody else can reproduce their build. The root project is
/// exempt, since users build it while they work on it.
pub(super) fn warn_of_changes(plans: &[Plan], reporter: &dyn Reporter) {
    let projects = plans.iter().flat_map(Plan::projects).filter(|(selected, _)| !selected.is_root());
    let directories: BTreeMap<&Path, &SelectedDistribution> =
        projects.map(|(selected, directory)| (directory, selected)).collect();
    let changes = revision::has_changes(&directories.keys().copied().collect::<Vec<_>>());
    for ((directory, selected), has_changes) in directories.into_iter().zip(changes) {
        if has_changes == Some(true) {
            let directory = directory.display();
            reporter.warn(&format!("{} is built from {directory}, which has uncommitted changes", selected.name));
        }
    }
}
