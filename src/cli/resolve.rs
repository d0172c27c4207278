//! `pybundle resolve`: replaces the names of targets in files of other deployment tools with their images.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};

use super::arguments::GlobalArguments;
use super::build::failure;
use super::error::CliError;
use super::image::deployed_image;
use super::printer::Printer;
use super::selected_targets::{ListedTarget, TargetArguments, TargetSelection};
use crate::deployment_file::{DeploymentFile, InvalidDeploymentFile};
use crate::hints::Hints;
use crate::options::TargetKind;
use crate::pipeline::ProjectCache;
use crate::report::{BuiltArtifact, BuiltReport, ErrorReport, FORMAT_VERSION, ResolvedReport};

/// The name of standard input.
const STANDARD_INPUT: &str = "-";

/// Arguments of `pybundle resolve`.
#[derive(Debug, Args)]
pub(crate) struct ResolveArguments {
    /// Manifests in YAML or JSON, or - for standard input
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    targets: TargetArguments,
}

/// A reference that stands for no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnresolvableTarget {
    #[error("cannot resolve `{name}` in {position}: it is a function, which has no image")]
    Function { name: String, position: String },
    #[error("cannot resolve `{target}` in {position}: it has no tag, and cannot be pushed")]
    NoTag { target: String, position: String },
    #[error("cannot resolve `{name}` in {position}: several members have a target of this name")]
    Ambiguous { name: String, position: String, targets: Vec<String> },
}

impl Hints for UnresolvableTarget {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Function { .. } => vec!["name a target of kind `image`".to_owned()],
            Self::NoTag { target, .. } => {
                vec![format!("add `tag = [\"HOST/REPOSITORY:TAG\"]` to [tool.pybundle.target.{target}]")]
            }
            Self::Ambiguous { targets, .. } => vec![format!("name one of {}", targets.join(", "))],
        }
    }
}

/// Builds and pushes the images that the files name, and prints the files with their digests. Nothing is printed if a target
/// fails.
///
/// # Errors
/// A file cannot be read, the configuration is invalid, or a reference names no target that can be pushed.
pub(crate) fn run(
    mut arguments: ResolveArguments,
    global: &GlobalArguments,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    let files: Vec<DeploymentFile> = arguments.files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    files.iter().flat_map(DeploymentFile::warnings).for_each(|warning| printer.warning("", &warning));
    let names: BTreeSet<&str> = files.iter().flat_map(DeploymentFile::targets).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let mut images = BTreeMap::new();
    if names.is_empty() {
        printer.warning("", "no value begins with `pybundle://`: the output equals the input");
    } else {
        let projects = ProjectCache::default();
        let selection = TargetSelection { names: &names, push: true, changed_since: None };
        let targets = arguments.targets.select(selection, global, &projects)?;
        let named = names.into_iter().map(|name| Ok((target_of(&name, &targets, &files)?, name)));
        let named: Vec<(String, String)> = named.collect::<Result<_, UnresolvableTarget>>()?;
        let built = arguments.targets.build(targets, false, printer, &projects)?;
        let errors: Vec<(&str, &ErrorReport)> = built.reports.iter().filter_map(failure).collect();
        if !errors.is_empty() {
            printer.failures(&errors);
            return Ok(ExitCode::FAILURE);
        }
        let pushed: BTreeMap<&str, String> = built.reports.iter().filter_map(pushed).collect();
        let resolved = named.into_iter().filter_map(|(target, name)| Some((name, pushed.get(&*target)?.clone())));
        images = resolved.collect();
    }
    let text = joined(files.iter().map(|file| file.resolved(&images)));
    let report = ResolvedReport { format: FORMAT_VERSION, images, text };
    printer.text(&report, &report.text)?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<DeploymentFile, InvalidDeploymentFile> {
    if path == Path::new(STANDARD_INPUT) {
        DeploymentFile::read_stream(Path::new("standard input"), io::stdin().lock())
    } else {
        DeploymentFile::read(path)
    }
}

/// Returns the full name of the target that a reference names.
///
/// # Errors
/// Members of the workspace have several targets of this name, or it has no image that is pushed.
fn target_of(name: &str, targets: &[ListedTarget], files: &[DeploymentFile]) -> Result<String, UnresolvableTarget> {
    let (name, position) = (name.to_owned(), files.iter().find_map(|file| file.position(name)).unwrap_or_default());
    let named: Vec<&ListedTarget> = targets.iter().filter(|target| target.is_named(&name)).collect();
    if named.len() > 1 {
        let targets = named.iter().map(|target| target.listed.name.clone()).collect();
        return Err(UnresolvableTarget::Ambiguous { name, position, targets });
    }
    if let Some(target) = named.first().filter(|target| !target.is_pushed()) {
        return Err(match target.kind() {
            TargetKind::Lambda | TargetKind::Layer => UnresolvableTarget::Function { name, position },
            TargetKind::Image => UnresolvableTarget::NoTag { target: target.listed.target.clone(), position },
        });
    }
    Ok(named.first().map(|target| target.listed.name.clone()).unwrap_or_default())
}

/// Returns the full name of a target, and its image.
fn pushed(report: &BuiltReport) -> Option<(&str, String)> {
    let BuiltArtifact::Image(image) = report.outcome.artifact()? else { return None };
    Some((&report.name, deployed_image(image)?))
}

/// Joins files to one stream of YAML documents (YAML 1.2.2, section 9.2). A single file is left as it is.
fn joined(texts: impl Iterator<Item = String>) -> String {
    let mut joined = String::new();
    for text in texts {
        if joined.is_empty() {
            joined = text;
            continue;
        }
        let text = text.trim_start_matches('\u{feff}');
        if !joined.ends_with('\n') {
            joined.push('\n');
        }
        // A directive is allowed only after the explicit end of the document before.
        joined.push_str(if text.starts_with('%') {
            "...\n"
        } else if text.starts_with("---") {
            ""
        } else {
            "---\n"
        });
        joined.push_str(text);
    }
    joined
}
