//! `pybundle init`: writes the configuration and a CI workflow for a project.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::environment;
use super::error::CliError;
use super::located_project::InvalidProject;
use super::printer::Printer;
use super::text_page::{TextPage, visible};
use crate::audit::handler::Handler;
use crate::options;
use crate::project::script;
use crate::report::{FORMAT_VERSION, InitFileReport, InitFoundReport, InitProjectReport, InitReport, InitTargetReport};
use crate::scaffold::{self, DetectedProject, Proposal, RequestedTargets, Scaffold, TargetKinds, TestSuite};

/// How many findings of one kind are shown without --verbose.
const SHOWN: usize = 3;

/// Arguments of `pybundle init`.
#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Directory of the project
    ///
    /// If it is the root of a workspace and not a project itself, each member that can be deployed is configured.
    #[arg(default_value = ".", value_name = "PROJECT", value_hint = ValueHint::DirPath)]
    project: PathBuf,
    /// Choose what to build [default: what suits the project]
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<KindChoice>,
    /// Name the production target [default: function, web or app]
    #[arg(long, value_name = "NAME", value_parser = target_name)]
    name: Option<String>,
    /// Use this Lambda handler: MODULE.FUNCTION [default: the likeliest]
    #[arg(long, value_name = "HANDLER")]
    handler: Option<Handler>,
    /// Do not write a CI workflow
    #[arg(long)]
    no_workflow: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindChoice {
    /// A Lambda zip
    Lambda,
    /// An image, and one that runs the tests
    Image,
    /// Both
    Both,
}

/// Parses the name of a target.
fn target_name(text: &str) -> Result<String, &'static str> {
    if options::is_target_name(text) { Ok(text.to_owned()) } else { Err(options::TARGET_NAME) }
}

/// Writes the configuration and the workflow, and prints what was found.
///
/// There are no prompts, not even on a terminal: the most likely configuration is written, with the alternatives in
/// comments, so that the same project gets the same files everywhere.
///
/// # Errors
/// See [`scaffold::scaffold`]; or a file cannot be written.
pub(crate) fn run(arguments: InitArguments, printer: &Printer) -> Result<(), CliError> {
    if script::is_script(&arguments.project) {
        return Err(InvalidProject::NotConfigured(arguments.project).into());
    }
    let kinds = arguments.kind.map(|kind| match kind {
        KindChoice::Lambda => TargetKinds::Lambda,
        KindChoice::Image => TargetKinds::Image,
        KindChoice::Both => TargetKinds::Both,
    });
    let requested = RequestedTargets { kinds, name: arguments.name, handler: arguments.handler };
    let scaffold =
        scaffold::scaffold(&arguments.project, &environment::read().references, &requested, !arguments.no_workflow)?;
    if !arguments.dry_run {
        for file in &scaffold.files {
            file.write()?;
        }
    }
    printer.result(&report(&scaffold, arguments.dry_run), |page| show(&scaffold, arguments.dry_run, printer, page))
}

fn report(scaffold: &Scaffold, dry_run: bool) -> InitReport {
    let files = scaffold.files.iter().map(|file| InitFileReport {
        path: file.path.clone(),
        new: file.is_new(),
        text: file.addition.clone(),
    });
    InitReport {
        format: FORMAT_VERSION,
        dry_run,
        projects: scaffold.proposals.iter().map(project_report).collect(),
        files: files.collect(),
        kept: scaffold.kept.clone(),
        gitlab: scaffold.gitlab.clone(),
        next: scaffold.next.clone(),
    }
}

fn project_report(proposal: &Proposal) -> InitProjectReport {
    let Proposal { project, targets } = proposal;
    let targets = targets.iter().map(|target| InitTargetReport {
        name: target.name.clone(),
        kind: target.kind.name().to_owned(),
        what: target.description.clone(),
    });
    InitProjectReport {
        folder: project.directory.clone(),
        name: project.name.clone(),
        package: project.is_package,
        python: project.python.to_string(),
        python_reason: python_reason(project),
        lock: project.lock.path.clone(),
        found: found(project),
        targets: targets.collect(),
        notes: project.notes(),
    }
}

/// Returns everything that was found in a project.
fn found(project: &DetectedProject) -> Vec<InitFoundReport> {
    let entry_points = &project.sources.entry_points;
    let handlers = entry_points.handlers.iter().map(|found| InitFoundReport {
        kind: "handler",
        name: found.handler.clone(),
        reason: found.kind.to_string(),
        path: Some(found.place.path.clone()),
        line: Some(found.place.line),
    });
    let applications = entry_points.applications.iter().map(|found| InitFoundReport {
        kind: "application",
        name: found.reference(),
        reason: format!(
            "{}{}",
            found.framework.name,
            if found.is_factory { ", created by a factory function" } else { "" }
        ),
        path: Some(found.place.path.clone()),
        line: Some(found.place.line),
    });
    let programs = entry_points.commands.iter().map(|found| InitFoundReport {
        kind: "program",
        name: found.command.join(" "),
        reason: found.description.clone(),
        path: found.place.as_ref().map(|place| place.path.clone()),
        line: found.place.as_ref().map(|place| place.line),
    });
    let suite = project.tests.iter().flatten().map(|TestSuite { directory, command, .. }| InitFoundReport {
        kind: "tests",
        name: format!("{directory}/"),
        reason: command.join(" "),
        path: None,
        line: None,
    });
    handlers.chain(applications).chain(programs).chain(suite).collect()
}

fn show(scaffold: &Scaffold, dry_run: bool, printer: &Printer, page: &mut TextPage) {
    for proposal in &scaffold.proposals {
        show_project(proposal, printer, page);
    }
    let would = if dry_run { "would " } else { "" };
    for file in &scaffold.files {
        let verb = match (dry_run, file.is_new()) {
            (true, true) => "write",
            (true, false) => "add to",
            (false, true) => "wrote",
            (false, false) => "added to",
        };
        page.line(&format!("{would}{verb} {}", file.path.display()));
        if dry_run {
            page.line("");
            file.addition.trim().lines().for_each(|line| page.line(format!("    {line}").trim_end()));
            page.line("");
        }
    }
    for path in &scaffold.kept {
        page.line(&format!("kept {} unchanged", path.display()));
    }
    if let Some(snippet) = &scaffold.gitlab {
        page.line("add to .gitlab-ci.yml:");
        page.line("");
        snippet.lines().for_each(|line| page.line(&format!("    {line}")));
    }
    page.line("");
    page.line("next:");
    scaffold.next.iter().for_each(|command| page.line(&format!("    {command}")));
}

fn show_project(proposal: &Proposal, printer: &Printer, page: &mut TextPage) {
    let Proposal { project, targets } = proposal;
    page.headline(&project.name, &project.directory.display().to_string());
    page.field("python", &format!("{}, {}", project.python, python_reason(project)));
    let lock = match (&project.lock.path, &project.lock.command) {
        (Some(path), _) => path.strip_prefix(&project.directory).unwrap_or(path).display().to_string(),
        (None, Some(command)) => format!("none yet: run {command}"),
        (None, None) => "not needed".to_owned(),
    };
    page.field("lock", &lock);
    let found = found(project);
    let only_programs = found.iter().all(|found| matches!(found.kind, "program" | "tests"));
    for (kind, label) in [("handler", "handler"), ("application", "app"), ("program", "program"), ("tests", "tests")] {
        if kind == "program" && !only_programs {
            continue;
        }
        let of_kind: Vec<&InitFoundReport> = found.iter().filter(|found| found.kind == kind).collect();
        let shown = if printer.is_verbose() || of_kind.len() <= SHOWN + 1 { of_kind.len() } else { SHOWN };
        for found in &of_kind[..shown] {
            let location = match (&found.path, found.line) {
                (Some(path), Some(line)) => format!(", {path}:{line}"),
                _ => String::new(),
            };
            page.field(label, &visible(&format!("{}  ({}{location})", found.name, found.reason)));
        }
        if shown < of_kind.len() {
            page.field("", &format!("{} more; -v shows them", of_kind.len() - shown));
        }
    }
    for target in targets {
        page.field("target", &format!("{}  ({}: {})", target.name, target.kind.name(), target.description));
    }
    for note in project.notes() {
        page.field("note", &note);
    }
    page.line("");
}

/// Returns why a project gets its version of Python.
fn python_reason(project: &DetectedProject) -> String {
    let reason = project.python_reason.to_string();
    project.passed_over.as_ref().map_or(reason.clone(), |passed_over| format!("{reason}; {passed_over}"))
}
