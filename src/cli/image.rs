//! `pybundle image`: builds layered OCI images.

use clap::{Args, ValueEnum};

use super::arguments::{GlobalArguments, ProjectArguments};
use super::error::CliError;
use super::plan::PlanView;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::text_page::{TextPage, count};
use super::{contents, documents, plan, push, remote_cache, terraform};
use crate::engine::EngineKind;
use crate::options::ImageOptions;
use crate::pipeline::{self, ProjectCache};
use crate::registry::ImageReference;
use crate::report::{
    BaseReport, ImagePlanReport, ImageReport, PlatformReport, Reporter, StartReport, SystemPackageReport,
};
use crate::settings::{EngineChoice, ImageSettings, binary_size};

/// Arguments of `pybundle image`.
#[derive(Debug, Args)]
pub(crate) struct ImageArguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Show what would be built and why; download and write no files
    #[arg(long, display_order = 61)]
    dry_run: bool,
    #[command(flatten)]
    options: ImageOptions,
    /// Load the image into Docker or podman
    ///
    /// Without ENGINE, it is loaded into Docker if that is installed, and otherwise into podman. Of several platforms, that of
    /// the engine is loaded.
    #[arg(long, value_enum, value_name = "ENGINE", num_args = 0..=1, help_heading = "Output", require_equals = true, default_missing_value = "any")]
    load: Option<LoadEngine>,
    /// Pin the configured base to its current digest, and build nothing
    #[arg(
        long, help_heading = "Target", hide_short_help = true,
        conflicts_with_all = ["dry_run", "push", "output", "load", "base"]
    )]
    pin: bool,
}

/// The value of `--load`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum LoadEngine {
    /// The first that is installed.
    #[value(hide = true)]
    Any,
    Docker,
    Podman,
}

impl From<LoadEngine> for EngineChoice {
    fn from(engine: LoadEngine) -> Self {
        match engine {
            LoadEngine::Any => Self::Any,
            LoadEngine::Docker => Self::Engine(EngineKind::Docker),
            LoadEngine::Podman => Self::Engine(EngineKind::Podman),
        }
    }
}

impl ImageArguments {
    /// Turns the arguments into settings, and returns them with a warning.
    ///
    /// # Errors
    /// See [`ProjectArguments::settings`].
    pub(crate) fn settings(
        self,
        global: &GlobalArguments,
        projects: &ProjectCache,
    ) -> Result<(ImageSettings, Option<String>), CliError> {
        self.project.settings(&self.options, global, projects)
    }
}

/// Returns the image that was pushed: the repository with the digest alone, since Amazon ECS documents a tag or a digest, not
/// both.
pub(super) fn deployed_image(report: &ImageReport) -> Option<String> {
    let pushed = report.pushed.as_ref()?;
    // All tags have the same digest. The first one names the repository.
    let tag: ImageReference = pushed.tags.first()?.tag.parse().ok()?;
    Some(tag.sibling(pushed.digest.parse().ok()?).to_string())
}

/// Builds the image, writes and pushes it, and prints a summary.
///
/// # Errors
/// See [`pipeline::image`].
pub(crate) fn run(arguments: ImageArguments, global: &GlobalArguments, printer: &Printer) -> Result<(), CliError> {
    let ImageArguments { project, options, dry_run, load, pin } = arguments;
    let projects = ProjectCache::default();
    let project = project.locate(options.common.selection.package.as_ref(), &projects)?;
    let (project, warning) = project.with_only_target(&options, &projects, "image")?;
    let invocation = global.invocation(&project.project)?;
    let resolved = project.resolve(&options, &invocation, &projects)?;
    let mut settings = resolved.settings::<ImageOptions>(&invocation)?;
    settings.load = load.map(Into::into);
    let progress = ProgressReporter::new(printer);
    if pin {
        let report = pipeline::pin(&settings, resolved.base_at().as_ref(), &progress)?;
        return printer.result(&report, |page| {
            page.line(&format!("pinned {} to {} in {}", report.name, report.pinned, report.file.display()));
        });
    }
    if dry_run {
        return show_plan(&settings, &projects, PlanView::default(), printer);
    }
    let printer = &printer.beside(settings.archives())?;
    warning.iter().for_each(|warning| progress.warn(warning));
    let mut report = pipeline::image(&settings, &projects, &progress)?.report;
    let times = progress.times();
    report.warnings = progress.into_warnings();
    let values = || terraform::image(&report);
    printer.built(&report, values, |page| {
        summary(&report, printer.is_verbose(), page);
        page.time(report.elapsed_seconds, Some(times).filter(|_| printer.is_verbose()));
    })
}

/// Prints the plan of an image.
///
/// # Errors
/// See [`pipeline::plan_image`].
pub(crate) fn show_plan(
    settings: &ImageSettings,
    projects: &ProjectCache,
    view: PlanView,
    printer: &Printer,
) -> Result<(), CliError> {
    let report = pipeline::plan_image(settings, None, projects, &ProgressReporter::new(printer))?;
    printer.result(&report, |page| planned(&report, view, page))
}

/// Adds the plan of an image.
pub(crate) fn planned(report: &ImagePlanReport, view: PlanView, page: &mut TextPage) {
    let runtime = format!("{} with Python {}", report.profile, report.python);
    report.platforms.iter().for_each(|platform| plan::table(platform, &runtime, view, page));
    page.line(&format!("base: {}", base(&report.base)));
    report.outputs.iter().for_each(|output| page.line(&format!("would write {output}")));
}

fn summary(report: &ImageReport, verbose: bool, page: &mut TextPage) {
    let what = if report.platforms.len() > 1 { "index" } else { "image" };
    page.headline(&report.digest, &format!("{what} of {} for Python {}", report.project, report.python));
    page.field("base", &base(&report.base));
    page.field("target", &format!("{}, Python {} ({})", report.profile, report.python, report.reason));
    for platform in &report.platforms {
        of_platform(platform, verbose, page);
    }
    contents::application(&report.application, verbose, page);
    if let Some(report) = report.platforms.first().and_then(|platform| platform.bytecode.as_ref()) {
        contents::bytecode(report, page);
    }
    page.field("command", &command(&report.start));
    if let Some(words) = &report.start.health_check {
        page.field("health", &format!("{}; {}", words[1..].join(" "), health_check_loss(report)));
    }
    for output in &report.outputs {
        let unchanged = if report.unchanged.contains(output) { ", unchanged" } else { "" };
        page.field("wrote", &format!("{output}{unchanged}"));
    }
    documents::fields(&report.documents, page);
    if let Some(loaded) = &report.loaded {
        page.field("loaded", &format!("{} into {}", loaded.images.join(", "), loaded.engine));
    }
    remote_cache::field(report.remote_cache.as_ref(), page);
    if let Some(pushed) = &report.pushed {
        push::fields(pushed, page);
    }
}

/// Returns the name of the base; with its current digest if the name has none.
fn base(report: &BaseReport) -> String {
    match &report.digest {
        Some(digest) if !report.pinned => format!("{}, currently {digest}; pin it with --pin", report.name),
        _ => report.name.clone(),
    }
}

fn of_platform(platform: &PlatformReport, verbose: bool, page: &mut TextPage) {
    let own: u64 = platform.layers.iter().map(|layer| layer.size).sum();
    let layers = count(platform.layers.len() as u64, "layer");
    let known = match platform.layers.iter().filter(|layer| layer.known).count() {
        0 => String::new(),
        known => format!(" ({known} cached)"),
    };
    page.field(
        &platform.platform.replace("linux/", ""),
        &format!("{} in {layers}{known}; {} with the base", binary_size(own), binary_size(platform.size)),
    );
    if !platform.packages.is_empty() {
        page.field("packages", &packages(&platform.packages));
    }
    contents::audit(&platform.audit, page);
    contents::trim(&platform.trim, page);
    if verbose {
        for layer in &platform.layers {
            page.line(&format!(
                "            {}  {:>10}  {}",
                &layer.digest[..19],
                binary_size(layer.size),
                layer.holds
            ));
        }
    }
}

/// Returns the number of packages, and those that the project names.
fn packages(packages: &[SystemPackageReport]) -> String {
    let requested = packages.iter().filter(|package| package.requested);
    let requested: Vec<String> = requested.map(|package| format!("{} {}", package.name, package.version)).collect();
    format!("{}, for {}", count(packages.len() as u64, "package"), requested.join(", "))
}

fn command(start: &StartReport) -> String {
    let own = format!("{} {}", shell_line(&start.entrypoint), shell_line(&start.command));
    let text = match (&start.entrypoint, own.trim()) {
        (None, "") => "as in the base".to_owned(),
        (None, command) => format!("{command}, with the base's entrypoint"),
        (Some(_), "") => return "none: set --entrypoint or --cmd".to_owned(),
        (Some(_), own) => own.to_owned(),
    };
    let user = start.user.as_ref().map(|user| format!(", as user {user}")).unwrap_or_default();
    format!("{text}{user}")
}

/// Returns who loses a health check. podman 4.3 and 5.8 read it from Docker's manifests only, and prefer OCI's in an archive.
fn health_check_loss(report: &ImageReport) -> String {
    let archive = report.outputs.iter().find_map(|output| output.split_once("-archive:"));
    match archive.filter(|_| report.platforms.len() == 1) {
        Some((_, file)) => format!("`podman load` drops it, `podman pull docker-archive:{file}` does not"),
        None => "podman drops it: OCI images have none".to_owned(),
    }
}

/// Returns arguments as a line for a shell.
fn shell_line(arguments: &Option<Vec<String>>) -> String {
    let arguments = arguments.as_deref().unwrap_or_default();
    shlex::try_join(arguments.iter().map(String::as_str)).unwrap_or_else(|_| arguments.join(" "))
}
