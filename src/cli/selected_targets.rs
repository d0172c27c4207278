//! The targets of `[tool.pybundle]` that a command is about, and how they are built.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::located_project;
use super::printer::Printer;
use super::progress::ProgressDisplay;
use super::target_flags::TargetFlags;
use crate::git::GitChanges;
use crate::options::{
    ConfigurationError, Invocation, ProjectConfiguration, PublishOptions, TargetKind, TargetOptions, positive_number,
};
use crate::pipeline::{self, BuildError, ProjectCache, Target, TargetBuildOptions, TargetResult};
use crate::project::script;
use crate::report::{BuiltArtifact, BuiltReport, ListedReport, TargetOutcome, TargetPlan};

/// Where targets are configured, and how they are built.
#[derive(Debug, Args)]
pub(crate) struct TargetArguments {
    /// Use the project in this directory
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    project: PathBuf,
    /// Build the targets of every workspace member
    #[arg(long)]
    workspace: bool,
    /// Build at most this many targets at a time [default: one for each processor]
    #[arg(short, long, value_name = "COUNT", hide_short_help = true, value_parser = positive_number)]
    jobs: Option<NonZeroUsize>,
    /// Build targets even if nothing changed
    ///
    /// By default, a target is not built if neither what it was made from nor its outputs have changed since its last build.
    #[arg(long)]
    rebuild: bool,
    #[command(flatten)]
    pub(crate) flags: TargetFlags,
}

/// The targets that a command is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetSelection<'a> {
    /// Their names, as NAME or MEMBER/NAME; all of them if it is empty.
    pub(crate) names: &'a [String],
    /// Whether the images that have tags are pushed.
    pub(crate) push: bool,
    /// A revision of Git, if only targets are built that have changed since.
    pub(crate) changed_since: Option<&'a str>,
}

/// A target of one of the projects.
pub(crate) struct ListedTarget {
    pub(crate) listed: ListedReport,
    pub(crate) target: Target,
    /// The file that configures it, for messages.
    pub(crate) configuration: PathBuf,
}

impl ListedTarget {
    pub(crate) fn kind(&self) -> TargetKind {
        match &self.target {
            Target::Lambda(settings) if settings.is_layer => TargetKind::Layer,
            Target::Lambda(_) => TargetKind::Lambda,
            Target::Image(_) => TargetKind::Image,
        }
    }

    /// Returns whether the target is an image that is pushed.
    pub(crate) fn is_pushed(&self) -> bool {
        matches!(&self.target, Target::Image(settings) if settings.push)
    }

    /// Returns whether this is its name, with or without that of its project.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.listed.target == name || self.listed.name == name
    }
}

impl TargetArguments {
    pub(crate) fn new(project: PathBuf, workspace: bool, flags: TargetFlags) -> Self {
        Self { project, workspace, jobs: None, rebuild: false, flags }
    }

    /// Returns the selected targets with their settings, and whether they changed.
    ///
    /// # Errors
    /// A configuration is invalid, there is no such target, or none at all.
    pub(crate) fn select(
        &mut self,
        selection: TargetSelection,
        global: &GlobalArguments,
        projects: &ProjectCache,
    ) -> Result<Vec<ListedTarget>, CliError> {
        self.project = located_project::locate(&self.project, projects)?;
        let directory = script::directory_of(&self.project);
        let changes = selection.changed_since.map(|revision| GitChanges::since(directory, revision)).transpose()?;
        let configurations = self.configurations(projects)?;
        let mut targets = Vec::new();
        for (directory, configuration) in &configurations {
            let invocation = global.invocation(directory)?;
            let before =
                changes.as_ref().map(|changes| configuration.before(&|path| changes.text_before(path).ok().flatten()));
            let is_named = |name: &str| {
                selection.names.is_empty()
                    || selection
                        .names
                        .iter()
                        .any(|asked| asked == name || *asked == self.full_name(configuration, name))
            };
            // A function is built together with its layers.
            let named = configuration.targets().map(|(name, _)| name).filter(|name| is_named(name));
            let layers = named.map(|name| configuration.layers(name, &invocation.environment));
            let layers = layers.collect::<Result<Vec<_>, _>>()?.concat();
            for (name, kind) in configuration.targets() {
                if !is_named(name) && !layers.iter().any(|layer| layer == name) {
                    continue;
                }
                let full = self.full_name(configuration, name);
                let configured = (configuration, before.as_ref());
                let (target, difference) = self.target(configured, (name, kind), selection.push, &invocation)?;
                let reason = changes.as_ref().map(|changes| match difference {
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
                    reason: reason.flatten().or_else(|| Some(format!("unchanged since {}", selection.changed_since?))),
                };
                targets.push(ListedTarget { listed, target, configuration: configuration.path.clone() });
            }
        }
        self.check(selection, &configurations, &targets, projects)?;
        Ok(targets)
    }

    /// Returns the configurations of the projects, each with the project's directory.
    fn configurations(&self, projects: &ProjectCache) -> Result<Vec<(PathBuf, ProjectConfiguration)>, CliError> {
        if self.workspace {
            return Ok(ProjectConfiguration::of_workspace(&self.project, projects.workspaces())?);
        }
        let package = self.flags.common.selection.package.as_ref();
        let configuration = ProjectConfiguration::read(&self.project, package, projects.workspaces())?;
        Ok(vec![(self.project.clone(), configuration)])
    }

    /// Returns where the layers of the projects are published, each with the project's directory, also those that are not
    /// selected. The project must be located before.
    ///
    /// # Errors
    /// A configuration is invalid.
    pub(crate) fn published_layers(
        &self,
        global: &GlobalArguments,
        projects: &ProjectCache,
    ) -> Result<Vec<(PathBuf, PublishOptions)>, CliError> {
        let mut layers = Vec::new();
        for (directory, configuration) in self.configurations(projects)? {
            let environment = global.invocation(&directory)?.environment;
            let published = configuration.published_layers(&self.flags.layer(), &environment)?;
            layers.extend(published.into_iter().map(|layer| (directory.clone(), layer)));
        }
        Ok(layers)
    }

    /// Returns the name of a target in the results and on the command line: with its member in a workspace, whose members may
    /// have targets of the same name.
    fn full_name(&self, configuration: &ProjectConfiguration, name: &str) -> String {
        if self.workspace { format!("{}/{name}", configuration.member()) } else { name.to_owned() }
    }

    /// Checks that every name is that of a target, and that there is a target.
    fn check(
        &self,
        selection: TargetSelection,
        configurations: &[(PathBuf, ProjectConfiguration)],
        targets: &[ListedTarget],
        projects: &ProjectCache,
    ) -> Result<(), CliError> {
        let path = configurations.first().map_or_else(|| self.project.clone(), |(_, first)| first.path.clone());
        let mut unknown = selection.names.iter().filter(|name| !targets.iter().any(|target| target.is_named(name)));
        if let Some(name) = unknown.next() {
            let members = if self.workspace { Vec::new() } else { self.of_workspace(projects) };
            if members.iter().any(|(_, member)| has_target(member, name)) {
                return Err(ConfigurationError::TargetOfMember { path, name: name.clone() }.into());
            }
            let known = configurations.iter().flat_map(|(_, configuration)| {
                configuration.targets().map(|(name, _)| self.full_name(configuration, name))
            });
            let known = known.collect();
            return Err(ConfigurationError::UnknownTarget { path, name: name.clone(), known }.into());
        }
        if targets.is_empty() {
            if !path.exists() {
                return Err(ConfigurationError::NoConfiguration(path).into());
            }
            let mut members = self.of_workspace(projects).into_iter();
            let has_members = !self.workspace && members.any(|(_, member)| member.targets().next().is_some());
            let misspelled = ProjectConfiguration::misspelled_table(&path);
            return Err(ConfigurationError::NoTargets { path, has_members, misspelled }.into());
        }
        Ok(())
    }

    /// Returns the configurations of all members of the project's workspace, or none of them if one is invalid.
    fn of_workspace(&self, projects: &ProjectCache) -> Vec<(PathBuf, ProjectConfiguration)> {
        ProjectConfiguration::of_workspace(&self.project, projects.workspaces()).unwrap_or_default()
    }

    /// Returns a target with its settings, and how they differ from the previous configuration, if there is one.
    fn target(
        &self,
        configurations: (&ProjectConfiguration, Option<&PreviousConfiguration>),
        (name, kind): (&str, TargetKind),
        push: bool,
        invocation: &Invocation,
    ) -> Result<(Target, Option<String>), CliError> {
        Ok(match kind {
            TargetKind::Lambda => {
                let (settings, difference) = resolve(configurations, name, &self.flags.lambda(), invocation)?;
                (Target::Lambda(Box::new(settings)), difference)
            }
            TargetKind::Layer => {
                let (settings, difference) = resolve(configurations, name, &self.flags.layer(), invocation)?;
                (Target::Lambda(Box::new(settings)), difference)
            }
            TargetKind::Image => {
                let mut flags = self.flags.image();
                let resolved = configurations.0.resolve(Some(name), &flags, &invocation.environment)?;
                flags.image.push = push && resolved.values().0.contains_key("tag");
                let (settings, difference) = resolve(configurations, name, &flags, invocation)?;
                (Target::Image(Box::new(settings)), difference)
            }
        })
    }
}

/// Returns whether a workspace's member has a target of a name, which may be MEMBER/NAME.
fn has_target(member: &ProjectConfiguration, name: &str) -> bool {
    member.targets().any(|(target, _)| name == target || name == format!("{}/{target}", member.member()))
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

/// Targets that were built or planned.
pub(crate) struct BuiltTargets {
    pub(crate) reports: Vec<BuiltReport>,
    /// The names of the targets, with the time of each phase.
    pub(crate) times: Vec<(String, String)>,
}

impl TargetArguments {
    /// Builds the selected targets that changed, or only plans them.
    ///
    /// # Errors
    /// Flags do not suit the targets, or two targets have an output in common. Those of a target are part of its report.
    pub(crate) fn build(
        &self,
        targets: Vec<ListedTarget>,
        dry_run: bool,
        printer: &Printer,
        projects: &ProjectCache,
    ) -> Result<BuiltTargets, CliError> {
        let changed: Vec<&ListedTarget> = targets.iter().filter(|target| target.listed.changed).collect();
        self.flags.check(changed.iter().map(|target| (target.listed.name.as_str(), target.kind())))?;
        pipeline::check_outputs(targets.iter().map(|named| &named.target))?;
        let names: Vec<String> = changed.iter().map(|target| target.listed.name.clone()).collect();
        let progress = ProgressDisplay::new(printer, names.clone());
        let changed: Vec<&Target> = changed.into_iter().map(|target| &target.target).collect();
        let outcomes: Vec<(TargetOutcome, String)> = if dry_run {
            let plans = (0..).zip(&changed).map(|(at, target)| {
                let reporter = progress.reporter(at);
                (planned(target.plan(projects, &reporter)), reporter.times())
            });
            plans.collect()
        } else {
            pipeline::build_all(
                &changed,
                projects,
                TargetBuildOptions { jobs: self.jobs, rebuild: self.rebuild },
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
        Ok(BuiltTargets { reports: reports(targets, outcomes), times: names.into_iter().zip(times).collect() })
    }
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
