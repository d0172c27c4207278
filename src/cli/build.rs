//! `pybundle build`: the targets of `[tool.pybundle]`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum, ValueHint};

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::plan::PlanView;
use super::printer::{Printer, TextPage, count};
use super::progress::ProgressDisplay;
use super::target_flags::TargetFlags;
use super::{image, located_project, plan};
use crate::git::GitChanges;
use crate::options::{
    CommonOptions, ConfigurationError, Invocation, ProjectConfiguration, TargetKind, TargetOptions, positive_number,
};
use crate::pipeline::{self, BuildError, ProjectCache, Target, TargetBuildOptions, TargetResult};
use crate::project::script;
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
    #[arg(long, conflicts_with = "list")]
    dry_run: bool,
    /// Use the project in this directory
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    project: PathBuf,
    /// Build the targets of every workspace member
    #[arg(long)]
    workspace: bool,
    /// Build only targets that changed since this Git revision
    ///
    /// A target changes with its files, its locked distributions, its base, and its configuration in pyproject.toml.
    #[arg(long, value_name = "REV")]
    changed_since: Option<String>,
    /// List the targets without building them
    #[arg(long)]
    list: bool,
    /// Print the list in this format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text", requires = "list", hide_short_help = true)]
    format: ListFormat,
    /// Build at most this many targets at a time [default: one for each processor]
    #[arg(short, long, value_name = "COUNT", hide_short_help = true, value_parser = positive_number)]
    jobs: Option<NonZeroUsize>,
    /// Build also targets of which nothing changed
    ///
    /// By default, a target is unchanged if everything that it was made from and its outputs are as they were after it was
    /// built the last time.
    #[arg(long, conflicts_with_all = ["list", "dry_run"])]
    rebuild: bool,
    #[command(flatten)]
    flags: TargetFlags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// A table
    Text,
    /// One line of JSON for `strategy.matrix` of a GitHub workflow
    GithubMatrix,
}

/// A target of one of the projects.
pub(super) struct ListedTarget {
    pub(super) listed: ListedReport,
    pub(super) target: Target,
}

impl ListedTarget {
    /// Returns whether this is its name, with or without that of its project.
    fn is_named(&self, name: &str) -> bool {
        self.listed.target == name || self.listed.name == name
    }
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
    arguments.project = located_project::locate(&arguments.project, &projects)?;
    let changes = arguments
        .changed_since
        .as_deref()
        .map(|revision| GitChanges::since(script::directory_of(&arguments.project), revision));
    let targets = arguments.targets(global, changes.transpose()?.as_ref(), &projects)?;
    if arguments.list {
        list(&targets, arguments.format, printer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let kinds = targets.iter().filter(|target| target.listed.changed).map(|target| {
        let kind = if matches!(target.target, Target::Image(_)) { TargetKind::Image } else { TargetKind::Lambda };
        (target.listed.name.as_str(), kind)
    });
    arguments.flags.check(kinds)?;
    pipeline::check_outputs(targets.iter().map(|named| &named.target))?;
    let changed: Vec<&ListedTarget> = targets.iter().filter(|target| target.listed.changed).collect();
    let written = changed.iter().filter(|_| !arguments.dry_run).flat_map(|target| target.target.files());
    let printer = &printer.beside(written)?;
    let progress = ProgressDisplay::new(printer, changed.iter().map(|target| target.listed.name.clone()).collect());
    let changed: Vec<&Target> = changed.into_iter().map(|target| &target.target).collect();
    let outcomes: Vec<(TargetOutcome, String)> = if arguments.dry_run {
        let plans = (0..).zip(&changed).map(|(at, target)| {
            let reporter = progress.reporter(at);
            (planned(target.plan(&projects, &reporter)), reporter.times())
        });
        plans.collect()
    } else {
        pipeline::build_all(
            &changed,
            &projects,
            TargetBuildOptions { jobs: arguments.jobs, rebuild: arguments.rebuild },
            |at| progress.reporter(at),
            |reporter, result| {
                progress.finished();
                let times = reporter.times();
                (built(result, reporter.into_warnings()), times)
            },
        )
    };
    progress.end();
    let (outcomes, times): (Vec<TargetOutcome>, Vec<String>) = outcomes.into_iter().unzip();
    let names = targets.iter().filter(|target| target.listed.changed).map(|target| target.listed.name.clone());
    let times: Vec<(String, String)> = names.zip(times).collect();
    let report = TargetsReport {
        format: FORMAT_VERSION,
        targets: reports(targets, outcomes),
        elapsed_seconds: started.elapsed().as_secs_f64(),
    };
    let errors: Vec<(&str, &ErrorReport)> = report.targets.iter().filter_map(failure).collect();
    printer.failures(&errors);
    printer.result(&report, |page| {
        summary(&report, view, page);
        times.iter().filter(|_| printer.is_verbose()).for_each(|(name, times)| page.line(&format!("{name}: {times}")));
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
    let flags = TargetFlags::of_common(common);
    let arguments = BuildArguments { dry_run: true, ..BuildArguments::of_targets(Vec::new(), project, false, flags) };
    run_viewed(arguments, view, global, printer)
}

impl BuildArguments {
    /// Returns arguments without options.
    pub(super) fn of_targets(names: Vec<String>, project: PathBuf, workspace: bool, flags: TargetFlags) -> Self {
        Self {
            names,
            push: false,
            dry_run: false,
            project,
            workspace,
            changed_since: None,
            list: false,
            format: ListFormat::Text,
            jobs: None,
            rebuild: false,
            flags,
        }
    }

    /// Returns the requested targets with their settings, and whether they changed.
    pub(super) fn targets(
        &self,
        global: &GlobalArguments,
        changes: Option<&GitChanges>,
        projects: &ProjectCache,
    ) -> Result<Vec<ListedTarget>, CliError> {
        let configurations = if self.workspace {
            ProjectConfiguration::of_workspace(&self.project, projects.workspaces())?
        } else {
            let package = self.flags.common.selection.package.as_ref();
            vec![(self.project.clone(), ProjectConfiguration::read(&self.project, package, projects.workspaces())?)]
        };
        let mut targets = Vec::new();
        for (directory, configuration) in &configurations {
            let invocation = global.invocation(directory)?;
            let before = changes.map(|changes| configuration.before(&|path| changes.text_before(path).ok().flatten()));
            for (name, kind) in configuration.targets() {
                let full = if self.workspace { format!("{}/{name}", configuration.member()) } else { name.to_owned() };
                if !self.names.is_empty() && !self.names.iter().any(|asked| asked == name || *asked == full) {
                    continue;
                }
                let (target, difference) = self.target((configuration, before.as_ref()), name, kind, &invocation)?;
                let reason = changes.map(|changes| match difference {
                    Some(difference) => Some(difference),
                    // The build reports the error.
                    None => pipeline::reason(&target, changes, projects)
                        .unwrap_or_else(|error| Some(format!("cannot determine its inputs: {error}"))),
                });
                let listed = ListedReport {
                    name: full,
                    target: name.to_owned(),
                    project: directory.clone(),
                    kind: kind.name().to_owned(),
                    changed: reason.as_ref().is_none_or(Option::is_some),
                    reason: reason
                        .flatten()
                        .or_else(|| Some(format!("unchanged since {}", self.changed_since.as_deref()?))),
                };
                targets.push(ListedTarget { listed, target });
            }
        }
        self.check_names(&configurations, &targets, projects)?;
        Ok(targets)
    }

    /// Checks that every name is that of a target, and that there is a target.
    fn check_names(
        &self,
        configurations: &[(PathBuf, ProjectConfiguration)],
        targets: &[ListedTarget],
        projects: &ProjectCache,
    ) -> Result<(), CliError> {
        let path = configurations.first().map_or_else(|| self.project.clone(), |(_, first)| first.path.clone());
        let mut unknown = self.names.iter().filter(|name| !targets.iter().any(|target| target.is_named(name)));
        if let Some(name) = unknown.next() {
            let names = configurations.iter().flat_map(|(_, configuration)| configuration.targets());
            let known = names.map(|(name, _)| name.to_owned()).collect();
            return Err(ConfigurationError::UnknownTarget { path, name: name.clone(), known }.into());
        }
        if targets.is_empty() {
            let all = ProjectConfiguration::of_workspace(&self.project, projects.workspaces());
            let has_members =
                !self.workspace && all.is_ok_and(|all| all.iter().any(|(_, member)| member.targets().next().is_some()));
            return Err(ConfigurationError::NoTargets { path, has_members }.into());
        }
        let is_pushed = |named: &ListedTarget| matches!(&named.target, Target::Image(settings) if settings.push);
        if self.push && !targets.iter().any(is_pushed) {
            return Err(ConfigurationError::NoTags(path).into());
        }
        Ok(())
    }

    /// Returns a target with its settings, and how they differ from the previous configuration, if there is one.
    fn target(
        &self,
        configurations: (&ProjectConfiguration, Option<&PreviousConfiguration>),
        name: &str,
        kind: TargetKind,
        invocation: &Invocation,
    ) -> Result<(Target, Option<String>), CliError> {
        Ok(match kind {
            TargetKind::Lambda => {
                let (settings, difference) = resolve(configurations, name, &self.flags.lambda(), invocation)?;
                (Target::Lambda(Box::new(settings)), difference)
            }
            TargetKind::Image => {
                let mut flags = self.flags.image();
                let resolved = configurations.0.resolve(Some(name), &flags, &invocation.environment)?;
                flags.image.push = self.push && resolved.values().0.contains_key("tag");
                let (settings, difference) = resolve(configurations, name, &flags, invocation)?;
                (Target::Image(Box::new(settings)), difference)
            }
        })
    }
}

/// The configuration at the revision that targets are compared with.
type PreviousConfiguration = Result<ProjectConfiguration, ConfigurationError>;

/// Returns the settings of a target, and how its values differ from the previous configuration, if there is one.
fn resolve<O: TargetOptions>(
    (configuration, before): (&ProjectConfiguration, Option<&PreviousConfiguration>),
    name: &str,
    flags: &O,
    invocation: &Invocation,
) -> Result<(O::Settings, Option<String>), CliError> {
    let resolved = configuration.resolve(Some(name), flags, &invocation.environment)?;
    let difference = before.and_then(|before| {
        let Ok(before) = before else { return Some("cannot read the previous configuration".to_owned()) };
        match before.resolve(Some(name), flags, &invocation.environment) {
            Ok(before) => Some(format!("`{}` in [tool.pybundle] changed", resolved.differs_from(&before)?)),
            Err(_) => Some("new target".to_owned()),
        }
    });
    Ok((resolved.settings::<O>(invocation)?, difference))
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

fn built(result: Result<TargetResult, BuildError>, warnings: Vec<String>) -> TargetOutcome {
    match result {
        Ok(TargetResult { mut artifact, is_unchanged }) => {
            match &mut artifact {
                BuiltArtifact::Lambda(report) => report.warnings = warnings,
                BuiltArtifact::Image(report) => report.warnings = warnings,
            }
            let artifact = Box::new(artifact);
            if is_unchanged {
                let reason = "nothing changed since it was built".to_owned();
                TargetOutcome::Unchanged { reason, artifact: Some(artifact) }
            } else {
                TargetOutcome::Built(artifact)
            }
        }
        Err(error) => TargetOutcome::Failed { error: CliError::from(error).report() },
    }
}

fn planned(result: Result<TargetPlan, BuildError>) -> TargetOutcome {
    match result {
        Ok(plan) => TargetOutcome::Planned { plan: Box::new(plan) },
        Err(error) => TargetOutcome::Failed { error: CliError::from(error).report() },
    }
}

/// Reports the targets: of those that changed, what came of building them.
fn reports(targets: Vec<ListedTarget>, outcomes: Vec<TargetOutcome>) -> Vec<BuiltReport> {
    let mut outcomes = outcomes.into_iter();
    let reports = targets.into_iter().filter_map(|ListedTarget { listed, .. }| {
        let outcome = if listed.changed {
            outcomes.next()?
        } else {
            TargetOutcome::Unchanged { reason: listed.reason.unwrap_or_default(), artifact: None }
        };
        Some(BuiltReport { name: listed.name, project: listed.project, kind: listed.kind, outcome })
    });
    reports.collect()
}

fn failure(report: &BuiltReport) -> Option<(&str, &ErrorReport)> {
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
