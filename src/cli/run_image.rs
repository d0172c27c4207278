//! `pybundle run` for an image: runs it by Docker or podman.

use std::process::ExitCode;

use super::arguments::{GlobalArguments, ProjectArguments};
use super::error::CliError;
use super::printer::Printer;
use super::progress::ProgressReporter;
use super::run::{self, RecordedLog, RunArguments, RunSubject};
use super::signals;
use crate::invoke::{InvokeError, LocalImage, find_engine};
use crate::options::ImageOptions;
use crate::pipeline::{self, ProjectCache};
use crate::report::Reporter;
use crate::settings::{DocumentSettings, EngineChoice, ImageSettings};

/// The profile of images that contain Lambda's runtime client.
const LAMBDA: &str = "lambda-image";

/// Builds an image, loads it into the engine of this machine, and runs it: a function with an event, anything else in the
/// foreground.
///
/// # Errors
/// It cannot be built or started, or its command fails. If the function fails, the exit status is a failure.
pub(super) fn run_image(
    arguments: &RunArguments,
    project: ProjectArguments,
    global: &GlobalArguments,
    projects: &ProjectCache,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    let event = run::event(arguments.event.as_deref())?;
    let target = project.target.clone().unwrap_or_default();
    if let Some(flag) = arguments.flag_of_zips() {
        return Err(InvokeError::Flag { flag, target, kind: "an image" }.into());
    }
    let options = ImageOptions { common: arguments.common.clone(), ..ImageOptions::default() };
    let (settings, _) = project.settings(&options, global, projects)?;
    let engine = find_engine(settings.common.environment.search_path())?;
    let region = settings.deploy.region.clone();
    let name = settings.deploy.function.as_ref().map_or_else(|| target.clone(), |function| function.short().to_owned());
    let settings = ImageSettings {
        tags: Vec::new(),
        push: false,
        outputs: Vec::new(),
        load: Some(EngineChoice::Engine(engine.kind)),
        documents: DocumentSettings::default(),
        ..settings
    };
    let progress = ProgressReporter::new(printer);
    let report = pipeline::image(&settings, projects, &progress)?.report;
    report.warnings.iter().for_each(|warning| progress.warn(warning));
    let loaded = report.loaded.iter().flat_map(|loaded| &loaded.images).next();
    let image = LocalImage {
        image: loaded.map(|image| image.trim_start_matches("sha256:").to_owned()).unwrap_or_default(),
        name,
        region,
        limits: arguments.limits.clone().settings(),
        variables: arguments.variables(),
        engine,
    };
    let command = report.start.command.unwrap_or_default();
    if report.profile != LAMBDA && arguments.event.is_none() {
        if printer.is_json() {
            return Err(InvokeError::Flag { flag: "--json", target, kind: "not a function" }.into());
        }
        signals::run_until_a_signal();
        image.serve(arguments.network.as_deref(), |text| printer.remark(text))?;
        return Ok(ExitCode::SUCCESS);
    }
    let subject = RunSubject {
        handler: command.first().cloned().unwrap_or_default(),
        runtime: format!("python{}", report.python),
        differences: vec![format!("a container of {} on this machine's kernel", image.engine.kind.command())],
        warnings: progress.into_warnings(),
        memory: image.limits.memory,
        name: image.name.clone(),
    };
    if !printer.is_quiet() {
        printer.remark(&format!("differs from Lambda: {}", subject.differences.join(", ")));
    }
    let mut log = RecordedLog::new(*printer);
    let ended = image.invoke(&event, &mut log)?;
    run::finish(subject, ended, log, None, printer)
}
