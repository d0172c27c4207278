//! `pybundle verify`: verifies an artifact against the digests in it, and against a rebuild.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, ValueHint};

use super::arguments::GlobalArguments;
use super::diff;
use super::error::CliError;
use super::help;
use super::image::ImageArguments;
use super::lambda::LambdaArguments;
use super::located_project::InvalidProject;
use super::printer::{self, Printer};
use super::progress::ProgressReporter;
use super::suspects;
use super::text_page::{TextPage, visible};
use crate::artifact::{self, ArtifactName, ArtifactSettings, Project};
use crate::options::RegistryAccessOptions;
use crate::pipeline::ProjectCache;
use crate::report::{CheckReport, FindingReport, VerifyReport};

/// How many findings of one check are shown without --verbose.
const SHOWN: usize = 10;

/// Arguments of `pybundle verify`.
#[derive(Debug, Args)]
#[command(override_usage = "pybundle verify <ARTIFACT|REF> [PROJECT [OPTIONS THAT IT WAS BUILT WITH]]")]
pub(crate) struct VerifyArguments {
    /// Zip, OCI layout, OCI or Docker archive, or image in a registry (HOST/REPOSITORY:TAG)
    #[arg(value_name = "ARTIFACT|REF", value_hint = ValueHint::AnyPath)]
    artifact: String,
    /// Directory of the project or script, and the options of `pybundle lambda` or `pybundle image` that the artifact was built with, or
    /// the target that it was built from: --target NAME
    #[arg(value_name = "PROJECT", trailing_var_arg = true, allow_hyphen_values = true)]
    project: Vec<String>,
}

/// The arguments that may follow the artifact if there is no project.
#[derive(Debug, Parser)]
#[command(name = "verify", disable_help_flag = true)]
struct TrailingArguments {
    /// Use plain HTTP for this registry host
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    #[command(flatten)]
    global: GlobalArguments,
}

/// The arguments that may follow the artifact if there is a project: everything that built it.
#[derive(Debug, Parser)]
#[command(
    name = "verify",
    bin_name = "pybundle verify <ARTIFACT|REF>",
    about = "Rebuild an artifact, and compare every byte",
    max_term_width = 100
)]
struct RebuildArguments<A: Args> {
    #[command(flatten)]
    arguments: A,
    #[command(flatten)]
    global: GlobalArguments,
}

/// Verifies the artifact, and prints the checks.
///
/// # Errors
/// See [`artifact::verify`]; or the artifact has problems.
pub(crate) fn run(arguments: VerifyArguments, global: &GlobalArguments) -> Result<ExitCode, CliError> {
    let VerifyArguments { artifact, project } = arguments;
    let words: Vec<&str> = std::iter::once("pybundle").chain(project.iter().map(String::as_str)).collect();
    let name = ArtifactName::find(&artifact)?;
    if let Some(other) = project.first().filter(|word| Path::new(word).is_file() && ArtifactName::find(word).is_ok()) {
        return Err(InvalidProject::Artifact { artifact, other: other.clone() }.into());
    }
    let parsed = match (TrailingArguments::try_parse_from(&words), &name) {
        (Ok(plain), _) => Ok((None, plain.insecure_registry, plain.global.or(global.clone()))),
        (Err(_), ArtifactName::Zip(_)) => match RebuildArguments::<LambdaArguments>::try_parse_from(&words) {
            Ok(RebuildArguments { arguments, global: own }) => {
                let global = own.or(global.clone());
                let (settings, _) = arguments.settings(&global, &ProjectCache::default())?;
                Ok((Some(Project::Lambda(Box::new(settings))), Vec::new(), global))
            }
            Err(error) => Err((error, RebuildArguments::<LambdaArguments>::command())),
        },
        (Err(_), _) => match RebuildArguments::<ImageArguments>::try_parse_from(&words) {
            Ok(RebuildArguments { arguments, global: own }) => {
                let global = own.or(global.clone());
                let (settings, _) = arguments.settings(&global, &ProjectCache::default())?;
                let insecure = settings.registry.insecure.clone();
                Ok((Some(Project::Image(Box::new(settings))), insecure, global))
            }
            Err(error) => Err((error, RebuildArguments::<ImageArguments>::command())),
        },
    };
    let (project, insecure, global) = match parsed {
        Ok(parsed) => parsed,
        Err((error, command)) => return Ok(printer::usage(&help::with_plain_usage(error, command, &words))),
    };
    let printer = match Printer::new(&global) {
        Ok(printer) => printer,
        Err(error) => return Ok(printer::usage(&error.format(&mut help::subcommand(&["verify".to_owned()])))),
    };
    let environment = global.environment();
    let access = RegistryAccessOptions { insecure_registry: insecure, ..RegistryAccessOptions::default() };
    let settings = ArtifactSettings {
        platform: None,
        registry: access.settings(&environment),
        cache: global.cache()?,
        keychain: environment.registry_credentials,
    };
    let report = artifact::verify(&name, project, &settings, &ProgressReporter::new(&printer))?;
    printer.result(&report, |page| show(&report, &printer, page))?;
    if report.passed {
        return Ok(ExitCode::SUCCESS);
    }
    let findings = report.checks.iter().map(|check| check.findings.len()).sum();
    let flags = report.difference.as_ref().map(suspects::flags).unwrap_or_default();
    Err(CliError::NotVerified { name: report.name, findings, flags })
}

fn show(report: &VerifyReport, printer: &Printer, page: &mut TextPage) {
    page.headline(&report.name, if report.passed { "OK" } else { "FAILED" });
    if let Some(digest) = &report.digest {
        page.field("digest", digest);
    }
    page.line("");
    for check in &report.checks {
        let verdict = if check.findings.is_empty() { "ok    " } else { "FAILED" };
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
        let location = place.as_ref().map(|location| format!("{}: ", visible(location))).unwrap_or_default();
        // A message may quote the artifact, which is not trusted.
        page.line(&format!("         {location}{}", visible(message)));
    }
    if shown < all {
        page.line(&format!("         {} more; -v shows them", all - shown));
    }
}
