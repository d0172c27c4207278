//! `pybundle plan`: shows which distributions would be bundled, and why.

use std::process::ExitCode;

use clap::Args;

use super::arguments::{GlobalArguments, ProjectArguments};
use super::dependency_tree::{DependencyTree, DistributionOrder};
use super::error::CliError;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::text_page::{TextPage, count};
use super::{build, contents, image, lambda};
use crate::name::DistributionName;
use crate::options::{ImageOptions, LambdaOptions, ProjectConfiguration, TargetKind};
use crate::pipeline::{self, PlanPurpose, ProjectCache};
use crate::report::{ErrorReport, PlanReport};
use crate::settings::{LambdaSettings, binary_size};

/// Arguments of `pybundle plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Show what requires what, as a tree
    #[arg(long)]
    tree: bool,
    /// List the distributions in this order
    #[arg(long, value_enum, value_name = "ORDER", default_value = "name")]
    sort: DistributionOrder,
    #[command(flatten)]
    options: LambdaOptions,
}

/// How the distributions of a plan are shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PlanView {
    is_tree: bool,
    order: DistributionOrder,
}

/// Prints the plan of the named target, or of all targets, or of a function if the project has no targets or a flag says
/// what function is meant. No file is downloaded or written.
///
/// # Errors
/// See [`pipeline::plan_lambda`] and [`pipeline::plan_image`].
pub(crate) fn run(arguments: PlanArguments, global: &GlobalArguments, printer: &Printer) -> Result<ExitCode, CliError> {
    let PlanArguments { project, tree, sort, options } = arguments;
    let view = PlanView { is_tree: tree, order: sort };
    let projects = ProjectCache::default();
    let package = options.common.selection.package.clone();
    let project = project.locate(package.as_ref(), &projects)?;
    let configuration = ProjectConfiguration::read(&project.project, package.as_ref(), projects.workspaces())?;
    let kind = match &project.target {
        Some(name) => configuration.kind(name)?,
        None if configuration.targets().next().is_some() && !options.describes_function() => {
            return build::plan(project.project, options.common, view, global, printer);
        }
        None => TargetKind::Lambda,
    };
    match kind {
        TargetKind::Lambda | TargetKind::Layer => {
            let is_built = project.target.is_some() || options.describes_function();
            let purpose = if is_built { PlanPurpose::Build } else { PlanPurpose::Selection };
            let settings = lambda::settings(project, kind, &options, global, &projects)?;
            show(&settings.0, purpose, &projects, view, printer)?;
        }
        TargetKind::Image => {
            let options = ImageOptions { common: options.common, ..ImageOptions::default() };
            image::show_plan(&project.settings(&options, global, &projects)?.0, &projects, view, printer)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the plan of a build.
///
/// # Errors
/// See [`pipeline::plan_lambda`].
pub(crate) fn show(
    settings: &LambdaSettings,
    purpose: PlanPurpose<'_>,
    projects: &ProjectCache,
    view: PlanView,
    printer: &Printer,
) -> Result<(), CliError> {
    let report = pipeline::plan_lambda(settings, purpose, projects, &ProgressReporter::new(printer))?;
    printer.result(&report, |page| planned(&report, view, page))
}

/// Targets as [`run`] plans them.
#[derive(Default)]
pub(crate) struct PlannedTargets {
    /// A plan for each platform, with the name of its target or else of the project.
    pub(crate) plans: Vec<(String, PlanReport)>,
    /// The targets that cannot be planned, and why.
    pub(crate) failed: Vec<(String, ErrorReport)>,
}

/// Returns the plans of the named target, or of all targets, or of a function, which explain the absence of a distribution.
///
/// # Errors
/// As [`run`], if nothing can be planned.
pub(crate) fn plans(
    project: ProjectArguments,
    options: LambdaOptions,
    sought: &DistributionName,
    global: &GlobalArguments,
    printer: &Printer,
) -> Result<PlannedTargets, CliError> {
    let projects = ProjectCache::default();
    let package = options.common.selection.package.clone();
    let project = project.locate(package.as_ref(), &projects)?;
    let configuration = ProjectConfiguration::read(&project.project, package.as_ref(), projects.workspaces())?;
    let mut targets: Vec<(String, TargetKind)> = match &project.target {
        Some(name) => vec![(name.clone(), configuration.kind(name)?)],
        None => configuration.targets().map(|(name, kind)| (name.to_owned(), kind)).collect(),
    };
    if project.target.is_none() && options.describes_function() {
        targets.clear();
    }
    let reporter = ProgressReporter::new(printer);
    if targets.is_empty() {
        let settings = project.settings(&options, global, &projects)?.0;
        let report = pipeline::plan_lambda(&settings, PlanPurpose::Explanation(sought), &projects, &reporter)?;
        return Ok(PlannedTargets { plans: vec![(report.project.clone(), report)], failed: Vec::new() });
    }
    let mut planned = PlannedTargets::default();
    let mut first_error = None;
    for (name, kind) in targets {
        let project = ProjectArguments { target: Some(name.clone()), project: project.project.clone() };
        let plans = || -> Result<Vec<PlanReport>, CliError> {
            match kind {
                TargetKind::Lambda | TargetKind::Layer => {
                    let settings = lambda::settings(project, kind, &options, global, &projects)?.0;
                    let purpose = PlanPurpose::Explanation(sought);
                    Ok(vec![pipeline::plan_lambda(&settings, purpose, &projects, &reporter)?])
                }
                TargetKind::Image => {
                    let options = ImageOptions { common: options.common.clone(), ..ImageOptions::default() };
                    let settings = project.settings(&options, global, &projects)?.0;
                    Ok(pipeline::plan_image(&settings, Some(sought), &projects, &reporter)?.platforms)
                }
            }
        };
        match plans() {
            Ok(plans) => planned.plans.extend(plans.into_iter().map(|plan| (name.clone(), plan))),
            Err(error) => {
                planned.failed.push((name, error.report()));
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if planned.plans.is_empty() => Err(error),
        _ => Ok(planned),
    }
}

/// Adds the plan of a function.
pub(crate) fn planned(report: &PlanReport, view: PlanView, page: &mut TextPage) {
    table(report, &report.target.runtime, view, page);
    report.outputs.iter().for_each(|output| page.line(&format!("would write {}", output.display())));
}

/// Adds the rows or the tree of a plan for a runtime.
pub(crate) fn table(report: &PlanReport, runtime: &str, view: PlanView, page: &mut TextPage) {
    let target = &report.target;
    page.headline(
        &format!("{} for {runtime} on {}", report.project, target.architecture),
        &format!("{}, {}", target.libc(), target.reason),
    );
    if view.is_tree {
        DependencyTree::new(report, view.order).show(page);
    } else {
        distributions(report, view.order, page);
    }
    for excluded in &report.excluded {
        page.line(&format!("excluded: {} {}, {}", excluded.name, or_dash(&excluded.version), excluded.reason));
    }
    if !report.application.is_empty() {
        page.line(&format!("application: {}", report.application.join(", ")));
    }
    if !report.omitted.is_empty() {
        let omitted: Vec<String> = report.omitted.iter().map(contents::omitted).collect();
        page.line(&format!("omitted: {}", omitted.join(", ")));
    }
    let known: u64 = report.distributions.iter().filter_map(|distribution| distribution.size).sum();
    let unknown = report.distributions.iter().filter(|distribution| distribution.size.is_none()).count() as u64;
    let mut total =
        format!("{}, {} of wheels", count(report.distributions.len() as u64, "distribution"), binary_size(known));
    if unknown > 0 {
        total.push_str(&format!(" and {} of unknown size", unknown));
    }
    page.line(&total);
}

/// Adds a row for each distribution of a plan.
fn distributions(report: &PlanReport, order: DistributionOrder, page: &mut TextPage) {
    let mut rows = vec![["distribution", "version", "size", "tag", "required by"].map(str::to_owned)];
    rows.extend(order.sorted(&report.distributions).into_iter().map(|distribution| {
        [
            distribution.name.clone(),
            or_dash(&distribution.version),
            distribution.size.map_or_else(|| "-".to_owned(), binary_size),
            distribution.tag.clone().unwrap_or_else(|| "built".to_owned()),
            distribution.required_by.join(", "),
        ]
    }));
    page.table(&rows, &[2]);
}

fn or_dash(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "-".to_owned())
}
