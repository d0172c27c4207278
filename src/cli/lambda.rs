//! `pybundle lambda`: builds AWS Lambda zips.

use clap::Args;

use super::arguments::{GlobalArguments, ProjectArguments};
use super::error::CliError;
use super::plan::PlanView;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::text_page::{TextPage, count};
use super::{contents, documents, plan, remote_cache, terraform};
use crate::options::{LambdaOptions, ProjectConfiguration, SettingsError, TargetKind};
use crate::pipeline::{self, PlanPurpose, ProjectCache};
use crate::report::{ArtifactKind, BuildReport, PackageFormat, Reporter};
use crate::settings::{LambdaSettings, binary_size};

/// Arguments of `pybundle lambda`.
#[derive(Debug, Args)]
pub(crate) struct LambdaArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Show what would be built and why; download and write no files
    #[arg(long, display_order = 61)]
    dry_run: bool,
    #[command(flatten)]
    options: LambdaOptions,
}

impl LambdaArguments {
    /// Turns the arguments into settings, and returns them with a warning.
    ///
    /// # Errors
    /// See [`ProjectArguments::settings`].
    pub(crate) fn settings(
        self,
        global: &GlobalArguments,
        projects: &ProjectCache,
    ) -> Result<(LambdaSettings, Option<String>), CliError> {
        let package = self.options.common.selection.package.as_ref();
        let project = self.project.locate(package, projects)?;
        let kind = match &project.target {
            Some(name) => ProjectConfiguration::read(&project.project, package, projects.workspaces())?.kind(name)?,
            None => TargetKind::Lambda,
        };
        settings(project, kind, &self.options, global, projects)
    }
}

/// Turns the options of a function into settings, or into those of a layer if that is the kind of the target.
///
/// # Errors
/// See [`ProjectArguments::settings`]; or an option is for functions, but the target is a layer.
pub(super) fn settings(
    project: ProjectArguments,
    kind: TargetKind,
    options: &LambdaOptions,
    global: &GlobalArguments,
    projects: &ProjectCache,
) -> Result<(LambdaSettings, Option<String>), CliError> {
    match (&project.target, kind) {
        (Some(name), TargetKind::Layer) => {
            let options = options.of_layer(name).map_err(SettingsError::from)?;
            project.settings(&options, global, projects)
        }
        _ => project.settings(options, global, projects),
    }
}

/// Builds the zip of a function, and that of its layer if there is one, or of a layer alone, and prints a summary.
///
/// # Errors
/// See [`pipeline::lambda`].
pub(crate) fn run(arguments: LambdaArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let dry_run = arguments.dry_run;
    let projects = ProjectCache::default();
    let (settings, warning) = arguments.settings(global, &projects)?;
    if dry_run {
        warning.iter().for_each(|warning| printer.warning("", warning));
        return plan::show(&settings, PlanPurpose::Build, &projects, PlanView::default(), printer);
    }
    let printer = &printer.beside(settings.zips())?;
    let progress = ProgressReporter::new(printer);
    warning.iter().for_each(|warning| progress.warn(warning));
    let mut report = pipeline::lambda(&settings, &projects, &progress)?.report;
    let times = progress.times();
    report.warnings = progress.into_warnings();
    let values = || terraform::function(&report);
    printer.built(&report, values, |page| {
        summary(&report, printer.is_verbose(), page);
        page.time(report.elapsed_seconds, Some(times).filter(|_| printer.is_verbose()));
    })
}

/// How many of the largest distributions the summary names.
const LARGEST: usize = 4;

fn summary(report: &BuildReport, verbose: bool, page: &mut TextPage) {
    for artifact in &report.artifacts {
        let kind = match artifact.kind {
            ArtifactKind::Function => "",
            ArtifactKind::Layer => "layer, ",
        };
        let size = match artifact.format {
            PackageFormat::Zip => {
                format!("{}, {} unzipped", binary_size(artifact.size), binary_size(artifact.unzipped_size))
            }
            PackageFormat::Directory => binary_size(artifact.unzipped_size),
        };
        let remark = format!(
            "{kind}{size}, {}{}",
            count(artifact.files as u64, "file"),
            if artifact.unchanged { ", unchanged" } else { "" }
        );
        page.headline(&artifact.path.display().to_string(), &remark);
        if artifact.format == PackageFormat::Zip {
            page.field("sha256", &artifact.sha256);
        }
    }
    documents::fields(&report.documents, page);
    let target = &report.target;
    page.field(
        "target",
        &format!("{} on {}, {} ({})", target.runtime, target.architecture, target.libc(), target.reason),
    );
    page.field("contains", &count(report.distributions.len() as u64, "distribution"));
    contents::application(&report.application, verbose, page);
    if let Some(handler) = &report.handler {
        page.field("handler", &format!("{handler}, found"));
    }
    if let Some(report) = &report.bytecode {
        contents::bytecode(report, page);
    }
    let mut largest: Vec<_> = report.distributions.iter().collect();
    largest.sort_by_key(|distribution| std::cmp::Reverse(distribution.unzipped_size));
    let shown = if verbose { largest.len() } else { LARGEST };
    let largest: Vec<String> = largest
        .iter()
        .take(shown)
        .map(|distribution| format!("{} {}", distribution.name, binary_size(distribution.unzipped_size.unwrap_or(0))))
        .collect();
    if !largest.is_empty() {
        page.field("largest", &largest.join(", "));
    }
    contents::trim(&report.trim, page);
    let provided = report.excluded.iter().filter(|excluded| excluded.layer.is_none());
    let names: Vec<&str> = provided.map(|excluded| excluded.name.as_str()).collect();
    if !names.is_empty() {
        page.field("excluded", &format!("{}, provided by {}", names.join(", "), target.runtime));
    }
    for layer in &report.layers {
        let shared = report.excluded.iter().filter(|excluded| excluded.layer.as_ref() == Some(&layer.name)).count();
        let size = binary_size(layer.unzipped_size);
        let contains = count(shared as u64, "distribution");
        page.field("layer", &format!("{}, {size} unzipped, contains {contains} of this function", layer.name));
    }
    contents::audit(&report.audit, page);
    remote_cache::field(report.remote_cache.as_ref(), page);
    let limits = &report.limits;
    if let Some(limit) = limits.unzipped_limit {
        let percent = 100.0 * limits.unzipped_size as f64 / limit as f64;
        page.field("limit", &format!("{percent:.0} % of {} unzipped", binary_size(limit)));
    }
}
