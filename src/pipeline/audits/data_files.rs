//! Runs the audit of data files over an artifact.

use std::path::PathBuf;

use super::{Audited, inclusion};
use crate::audit::data_files::{DataFileAudit, MissingDataFile, OUTSIDE, Whereabouts};
use crate::audit::imports::OwnModule;
use crate::tree::{FileContent, FileOrigin};

/// How many missing files have a hint of their own: a pattern may exclude all templates of an application.
const HINTS: usize = 4;

/// Returns the files that the application names by literal paths and that are not in the artifact, with what to do about it.
pub(super) fn audit(audited: &Audited, modules: &[OwnModule]) -> Vec<MissingDataFile> {
    let projects = audited.plan.project_names();
    let workspace = &audited.plan.project.workspace;
    let directories = [workspace.directory(workspace.current()), workspace.root.clone()];
    let [Ok(project), Ok(root)] = directories.map(|directory| directory.canonicalize()) else { return Vec::new() };
    let audit = DataFileAudit {
        tree: audited.deployment.trees[0].0,
        roots: audited.roots,
        python: audited.plan.target.python,
        modules,
        started: audited.started,
        is_own: &|origin| origin.is_own(&projects),
        application: audited.application,
        working_directory: audited.working_directory,
        project: &project,
        workspace: &root,
        generated: &inclusion::generated_directories(audited, &project),
        sources: &modules.iter().map(|module| source_of(audited, module)).collect::<Vec<_>>(),
        allowed: &audited.settings.audit.allow_missing,
    };
    let mut findings = audit.run();
    let others = findings.iter().filter(|finding| finding.is_error()).count().saturating_sub(HINTS);
    for (at, finding) in findings.iter_mut().filter(|finding| finding.is_error()).enumerate() {
        if at == HINTS {
            let files = if others == 1 { "the other file".to_owned() } else { format!("the other {others} files") };
            finding.remedies.push(format!("include {files} in the same way, or change the patterns of --exclude"));
        }
        if at >= HINTS {
            continue;
        }
        if let Whereabouts::Project { source, in_artifact } = &finding.whereabouts {
            let addition = inclusion::addition(audited, source, in_artifact);
            let (path, package) =
                (&finding.path, audited.plan.projects().find(|(_, directory)| source.starts_with(directory)));
            finding.remedies.push(match package {
                _ if in_artifact.starts_with(OUTSIDE) => outside(audited),
                _ if inclusion::is_secret(audited, source) => {
                    format!(
                        "{path} contains a secret: read it from elsewhere at run time, or include it with {addition}"
                    )
                }
                Some((package, _)) => {
                    format!("add {path} to the files of the package {}, or include it with {addition}", package.name)
                }
                None => format!("include {path} with {addition}"),
            });
        }
    }
    findings
}

/// Returns what to do about a path that leads out of the artifact.
fn outside(audited: &Audited) -> String {
    let is_moved = audited.plan.application.has_source_at_root();
    match audited.settings.started.first().filter(|_| is_moved && audited.runs_on_lambda()) {
        Some(handler) => format!(
            "the contents of src/ are at the root of the artifact: keep the directory with --handler src.{handler}"
        ),
        None => "the path leads out of the artifact: read the file from below the module's directory".to_owned(),
    }
}

/// Returns the file of the project that a module was built from, canonical.
fn source_of(audited: &Audited, module: &OwnModule) -> Option<PathBuf> {
    if let FileContent::File { path, .. } = &module.entry.content {
        return path.canonicalize().ok();
    }
    // A module of a wheel that was built from the project: its layout is flat, or below `src`.
    let FileOrigin::Distribution(distribution) = &module.entry.origin else { return None };
    let (_, directory) = audited.plan.projects().find(|(selected, _)| selected.name == distribution.name)?;
    let sites = audited.roots.iter().map(|root| root.site_packages);
    let below = sites
        .filter_map(|site| module.path.strip_prefix(site))
        .map(|path| path.trim_start_matches('/'))
        .min_by_key(|path| path.len())?;
    let candidates = [directory.join(below), directory.join("src").join(below)];
    candidates.into_iter().find_map(|path| path.canonicalize().ok())
}
