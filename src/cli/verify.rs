//! `pybundle verify`: whether an artifact is as it should be, and comes out of its project again.

use std::process::ExitCode;

use clap::{Args, Parser, ValueHint};

use super::arguments::GlobalArguments;
use super::diff;
use super::environment;
use super::error::CliError;
use super::image::ImageArguments;
use super::lambda::LambdaArguments;
use super::printer::{self, Printer, TextPage, visible};
use super::progress::ProgressReporter;
use crate::artifact::{self, ArtifactName, ArtifactSettings, Project};
use crate::report::{CheckReport, FindingReport, VerifyReport};
use crate::settings::RegistrySettings;

/// How many findings of one check are shown, unless all are asked for.
const SHOWN: usize = 10;

/// Arguments of `pybundle verify`.
#[derive(Debug, Args)]
#[command(override_usage = "pybundle verify <ARTIFACT|REF> [PROJECT [OPTIONS THAT IT WAS BUILT WITH]]")]
pub(crate) struct VerifyArguments {
    /// Zip, OCI layout, OCI or Docker archive, or image in a registry (HOST/REPOSITORY:TAG)
    #[arg(value_name = "ARTIFACT|REF", value_hint = ValueHint::AnyPath)]
    artifact: String,
    /// Directory of the project, and the options of `pybundle lambda` or `pybundle image` that the artifact was built with
    #[arg(value_name = "PROJECT", trailing_var_arg = true, allow_hyphen_values = true)]
    project: Vec<String>,
}

/// What may follow the artifact without a project.
#[derive(Debug, Parser)]
#[command(name = "pybundle verify", disable_help_flag = true)]
struct TrailingArguments {
    /// Use plain HTTP for this registry host
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    #[command(flatten)]
    global: GlobalArguments,
}

/// What may follow the artifact with a project: everything that built it.
#[derive(Debug, Parser)]
#[command(name = "pybundle verify ARTIFACT", max_term_width = 100)]
struct RebuildArguments<A: Args> {
    #[command(flatten)]
    arguments: A,
    #[command(flatten)]
    global: GlobalArguments,
}

/// Verifies the artifact, and prints what was checked.
///
/// # Errors
/// See [`artifact::verify`]; or something is wrong with the artifact.
pub(crate) fn run(arguments: VerifyArguments, global: &GlobalArguments) -> Result<ExitCode, CliError> {
    let VerifyArguments { artifact, project } = arguments;
    let words: Vec<&str> = std::iter::once("pybundle").chain(project.iter().map(String::as_str)).collect();
    let name = ArtifactName::find(&artifact)?;
    let parsed = match (TrailingArguments::try_parse_from(&words), &name) {
        (Ok(plain), _) => Ok((None, plain.insecure_registry, plain.global.or(global.clone()))),
        (Err(_), ArtifactName::Zip(_)) => match RebuildArguments::<LambdaArguments>::try_parse_from(&words) {
            Ok(RebuildArguments { arguments, global: own }) => {
                let global = own.or(global.clone());
                let settings = arguments.settings(&global)?;
                Ok((Some(Project::Lambda(Box::new(settings))), Vec::new(), global))
            }
            Err(error) => Err(error),
        },
        (Err(_), _) => match RebuildArguments::<ImageArguments>::try_parse_from(&words) {
            Ok(RebuildArguments { arguments, global: own }) => {
                let global = own.or(global.clone());
                let settings = arguments.settings(&global)?;
                let insecure = settings.registry.insecure.clone();
                Ok((Some(Project::Image(Box::new(settings))), insecure, global))
            }
            Err(error) => Err(error),
        },
    };
    let (project, insecure, global) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Ok(printer::usage(&error)),
    };
    let printer = match Printer::new(&global) {
        Ok(printer) => printer,
        Err(error) => return Ok(printer::usage(&error)),
    };
    let settings = ArtifactSettings {
        platform: None,
        registry: RegistrySettings { insecure, create_repositories: false },
        cache: global.cache()?,
        environment: environment::read(),
    };
    let report = artifact::verify(&name, project, &settings, &ProgressReporter::new(&printer))?;
    printer.result(&report, |page| show(&report, &printer, page))?;
    if report.passed {
        return Ok(ExitCode::SUCCESS);
    }
    let findings = report.checks.iter().map(|check| check.findings.len()).sum();
    Err(CliError::NotVerified { name: report.name, findings })
}

fn show(report: &VerifyReport, printer: &Printer, page: &mut TextPage) {
    page.headline(&report.name, if report.passed { "as it should be" } else { "not as it should be" });
    if let Some(digest) = &report.digest {
        page.field("digest", digest);
    }
    page.line("");
    for check in &report.checks {
        let verdict = if check.findings.is_empty() { "ok   " } else { "WRONG" };
        page.line(&format!("  {verdict}  {:<13}  {}", check.name, check.covers));
        findings(check, printer, page);
    }
    if let Some(difference) = &report.difference {
        page.line("");
        diff::show(difference, printer, page);
    }
}

fn findings(check: &CheckReport, printer: &Printer, page: &mut TextPage) {
    let all = check.findings.len();
    let shown = if printer.is_verbose() || all <= SHOWN + 1 { all } else { SHOWN };
    for FindingReport { place, message } in &check.findings[..shown] {
        let place = place.as_ref().map(|place| format!("{}: ", visible(place))).unwrap_or_default();
        // A message may quote what the artifact says.
        page.line(&format!("         {place}{}", visible(message)));
    }
    if shown < all {
        page.line(&format!("         {} more; -v shows them", all - shown));
    }
}
