//! Local projects: whether the lock still matches them, and whether git has what they are built from.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::BuildError;
use super::plan::Plan;
use crate::builder;
use crate::lock::{Freshness, LocalProject, Lock, Selected};
use crate::project::revision;
use crate::project::workspace::Workspace;
use crate::report::Reporter;
use crate::settings::Environment;

/// Compares the lock with every pyproject.toml of the workspace, and asks uv about what that does not decide.
///
/// # Errors
/// The lock does not match.
pub fn check_lock(
    lock: &Lock,
    path: &Path,
    workspace: &Workspace,
    environment: &Environment,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    let project = |member: &crate::project::workspace::Member| LocalProject {
        path: member.path.clone(),
        table: member.pyproject.table.clone(),
    };
    let projects: Vec<LocalProject> = workspace.members.iter().map(project).collect();
    let Freshness::Undecided(reasons) = lock.check_locked(&projects)? else {
        return Ok(());
    };
    let undecided = |why: &str| {
        reporter.warn(&format!("whether {} matches pyproject.toml is not known: {why}", path.display()));
    };
    match builder::find_uv(environment.get("PATH").map(AsRef::as_ref)) {
        Some((uv, _)) => {
            let mut check = Command::new(uv);
            check.args(["lock", "--check", "--no-python-downloads", "--project"]).arg(&workspace.root);
            match check.output() {
                Ok(output) if output.status.success() => {}
                // uv ends with 1 when the lock is out of date, and with 2 when it could not find out.
                Ok(output) if output.status.code() == Some(1) => {
                    return Err(BuildError::LockOutdated(path.to_owned()));
                }
                Ok(_) | Err(_) => undecided("`uv lock --check` could not tell"),
            }
        }
        None => undecided(&format!("{}, and uv is not there to ask", reasons.join("; "))),
    }
    Ok(())
}

/// Warns of local projects that are built from what git does not have: nobody else can build the same. The root is
/// what the user works on.
pub fn warn_of_changes(plans: &[Plan], reporter: &dyn Reporter) {
    let projects = plans.iter().flat_map(Plan::projects).filter(|(selected, _)| !selected.is_root());
    let folders: BTreeMap<&Path, &Selected> = projects.map(|(selected, folder)| (folder, selected)).collect();
    for (folder, selected) in folders {
        if revision::has_changes(folder) == Some(true) {
            let folder = folder.display();
            reporter.warn(&format!("{} is built from {folder}, which has uncommitted changes", selected.name));
        }
    }
}
