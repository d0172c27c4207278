//! `pybundle build`: the targets of `[tool.pybundle]`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::plan::PlanView;
use super::printer::Printer;
use super::selected_targets::{ListedTarget, TargetArguments, TargetSelection};
use super::target_flags::TargetFlags;
use super::text_page::{TextPage, count};
use super::{image, plan, terraform};
use crate::options::{CommonOptions, ConfigurationError};
use crate::pipeline::ProjectCache;
use crate::report::{
    BuiltArtifact, BuiltReport, ErrorReport, FORMAT_VERSION, ListedReport, TargetListReport, TargetOutcome, TargetPlan,
    TargetsReport,
};
use crate::settings::binary_size;

/// Arguments of `pybundle build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// Targets to build, as NAME or MEMBER/NAME [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Push the images that have tags
    #[arg(long)]
    push: bool,
    /// Show what would be built and why; download and write no files
    #[arg(long, conflicts_with_all = ["list", "rebuild"])]
    dry_run: bool,
    /// Build only targets that changed since this Git revision
    ///
    /// A target changes with its files, its locked distributions, its base, and its configuration in pyproject.toml.
    #[arg(long, value_name = "REV", display_order = 8)]
    changed_since: Option<String>,
    /// List the targets without building them
    #[arg(long, conflicts_with = "rebuild", display_order = 8)]
    list: bool,
    /// Print the list in this format
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        requires = "list",
        display_order = 8,
        hide_short_help = true
    )]
    format: ListFormat,
    // Its flags have headings, under which clap would list all that follows.
    #[command(flatten)]
    targets: TargetArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// A table
    Text,
    /// One line of JSON for `strategy.matrix` of a GitHub workflow
    GithubMatrix,
}

/// Builds the targets, and prints the result of each.
///
/// # Errors
/// A configuration is invalid, or there is no such target. If only some targets fail, the exit status is a failure.
pub(crate) fn run(
    arguments: BuildArguments,
    global: &GlobalArguments,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    run_viewed(arguments, PlanView::default(), global, printer)
}

/// As [`run`], with plans shown in a certain way.
fn run_viewed(
    mut arguments: BuildArguments,
    view: PlanView,
    global: &GlobalArguments,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    let started = Instant::now();
    let projects = ProjectCache::default();
    let selection = TargetSelection {
        names: &arguments.names,
        push: arguments.push,
        changed_since: arguments.changed_since.as_deref(),
    };
    let targets = arguments.targets.select(selection, global, &projects)?;
    if let Some(first) = targets.first().filter(|_| arguments.push && !targets.iter().any(ListedTarget::is_pushed)) {
        let path = first.configuration.clone();
        return Err(ConfigurationError::NoTags { path, targets: arguments.names }.into());
    }
    if arguments.list {
        list(&targets, arguments.format, printer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let changed = targets.iter().filter(|target| target.listed.changed && !arguments.dry_run);
    let printer = &printer.beside(changed.flat_map(|target| target.target.files()))?;
    let built = arguments.targets.build(targets, arguments.dry_run, printer, &projects)?;
    let report = TargetsReport {
        format: FORMAT_VERSION,
        targets: built.reports,
        elapsed_seconds: started.elapsed().as_secs_f64(),
    };
    let errors: Vec<(&str, &ErrorReport)> = report.targets.iter().filter_map(failure).collect();
    printer.failures(&errors);
    // A program that fails has no values.
    if printer.is_for_terraform() && !errors.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let values = || terraform::targets(&report.targets);
    printer.built(&report, values, |page| {
        summary(&report, view, page);
        built
            .times
            .iter()
            .filter(|_| printer.is_verbose())
            .for_each(|(name, times)| page.line(&format!("{name}: {times}")));
    })?;
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the plans of all targets of a project.
///
/// # Errors
/// As [`run`].
pub(crate) fn plan(
    project: PathBuf,
    common: CommonOptions,
    view: PlanView,
    global: &GlobalArguments,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    let arguments = BuildArguments {
        names: Vec::new(),
        push: false,
        dry_run: true,
        changed_since: None,
        list: false,
        format: ListFormat::Text,
        targets: TargetArguments::new(project, false, TargetFlags::of_common(common)),
    };
    run_viewed(arguments, view, global, printer)
}

fn list(targets: &[ListedTarget], format: ListFormat, printer: &Printer) -> Result<(), CliError> {
    let listed: Vec<ListedReport> = targets.iter().map(|named| named.listed.clone()).collect();
    match format {
        ListFormat::GithubMatrix => {
            let include: Vec<_> = listed.iter().filter(|listed| listed.changed).map(matrix_entry).collect();
            printer.raw(format!("{}\n", serde_json::json!({ "include": include })).as_bytes())
        }
        ListFormat::Text => {
            let report = TargetListReport { format: FORMAT_VERSION, targets: listed };
            printer.result(&report, |page| page.table(&rows_of(&report), &[]))
        }
    }
}

fn rows_of(report: &TargetListReport) -> Vec<[String; 4]> {
    let mut rows = vec![["target", "kind", "project", ""].map(str::to_owned)];
    rows.extend(report.targets.iter().map(|listed| {
        let reason = listed.reason.clone().unwrap_or_default();
        [listed.name.clone(), listed.kind.clone(), listed.project.display().to_string(), reason]
    }));
    rows
}

/// Returns the entry of a target in `strategy.matrix.include`.
fn matrix_entry(listed: &ListedReport) -> serde_json::Value {
    let project = listed.project.display().to_string();
    serde_json::json!({ "name": listed.name, "target": listed.target, "project": project, "kind": listed.kind })
}

/// Returns the name of a target that failed, and its error.
pub(super) fn failure(report: &BuiltReport) -> Option<(&str, &ErrorReport)> {
    match &report.outcome {
        TargetOutcome::Failed { error } => Some((&report.name, error)),
        _ => None,
    }
}

fn summary(report: &TargetsReport, view: PlanView, page: &mut TextPage) {
    let plans = report.targets.iter().filter_map(|target| match &target.outcome {
        TargetOutcome::Planned { plan } => Some(plan),
        _ => None,
    });
    for plan in plans {
        match plan.as_ref() {
            TargetPlan::Lambda(report) => plan::planned(report, view, page),
            TargetPlan::Image(report) => image::planned(report, view, page),
        }
        page.line("");
    }
    let mut rows = vec![["target", "kind", "size", "digest", "written to"].map(str::to_owned)];
    rows.extend(report.targets.iter().filter_map(row));
    if rows.len() > 1 {
        page.table(&rows, &[2]);
    }
    let mut parts = Vec::new();
    for outcome in ["built", "planned", "unchanged", "failed"] {
        let number = report.targets.iter().filter(|target| name_of(&target.outcome) == outcome).count();
        if number > 0 {
            parts.push(format!("{number} {outcome}"));
        }
    }
    let total = count(report.targets.len() as u64, "target");
    page.line(&format!("{total}: {}, in {:.2} s", parts.join(", "), report.elapsed_seconds));
}

fn name_of(outcome: &TargetOutcome) -> &'static str {
    match outcome {
        TargetOutcome::Built(_) => "built",
        TargetOutcome::Planned { .. } => "planned",
        TargetOutcome::Unchanged { .. } => "unchanged",
        TargetOutcome::Failed { .. } => "failed",
    }
}

/// Returns the row of a target that was built or is unchanged.
fn row(target: &BuiltReport) -> Option<[String; 5]> {
    let (bytes, digest, locations) = match &target.outcome {
        TargetOutcome::Built(artifact) | TargetOutcome::Unchanged { artifact: Some(artifact), .. } => match artifact
            .as_ref()
        {
            BuiltArtifact::Lambda(report) => {
                let paths = report.artifacts.iter().map(|artifact| {
                    let unchanged = if artifact.unchanged { " (unchanged)" } else { "" };
                    format!("{}{unchanged}", artifact.path.display())
                });
                let first = report.artifacts.first().map(|artifact| short_digest(&artifact.sha256)).unwrap_or_default();
                (report.artifacts.iter().map(|artifact| artifact.size).sum(), first, paths.collect::<Vec<_>>())
            }
            BuiltArtifact::Image(report) => {
                let pushed = report.pushed.iter().flat_map(|pushed| &pushed.tags).map(|tag| tag.tag.clone());
                let outputs = report.outputs.iter().map(|output| {
                    let unchanged = if report.unchanged.contains(output) { " (unchanged)" } else { "" };
                    format!("{output}{unchanged}")
                });
                let locations = outputs.chain(pushed).collect();
                (
                    report.platforms.iter().map(|platform| platform.size).sum::<u64>(),
                    short_digest(&report.digest),
                    locations,
                )
            }
        },
        TargetOutcome::Unchanged { reason, artifact: None } => {
            return Some([target.name.clone(), target.kind.clone(), "-".to_owned(), "-".to_owned(), reason.clone()]);
        }
        TargetOutcome::Planned { .. } | TargetOutcome::Failed { .. } => return None,
    };
    Some([target.name.clone(), target.kind.clone(), binary_size(bytes), digest, locations.join(", ")])
}

/// Returns the first characters of a digest, as container tools abbreviate it.
fn short_digest(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}
