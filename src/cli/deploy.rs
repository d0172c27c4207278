//! `pybundle deploy`: builds targets, and makes them what their Lambda functions run.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::arguments::GlobalArguments;
use super::build;
use super::error::CliError;
use super::image::deployed_image;
use super::printer::Printer;
use super::selected_targets::{ListedTarget, TargetArguments, TargetSelection};
use super::text_page::{TextPage, count};
use crate::deploy::{
    self, DeployMode, DeployedArtifact, DeployedCode, DeployedVersion, DeploymentOutcome, DeploymentTarget,
    EndedDeployment,
};
use crate::hints::Hints;
use crate::options::DeployOptions;
use crate::pipeline::{ProjectCache, Target};
use crate::report::{
    ArtifactKind, BuildReport, BuiltArtifact, BuiltReport, DeployOutcome, DeployReport, DeployedReport, ErrorReport,
    FORMAT_VERSION, TargetOutcome,
};
use crate::settings::DeploySettings;

/// Arguments of `pybundle deploy`.
#[derive(Debug, Args)]
pub(crate) struct DeployArguments {
    /// Targets to deploy, as NAME or MEMBER/NAME [default: all that have a function]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    deploy: DeployOptions,
    /// Create the alias if it is missing
    #[arg(long, conflicts_with = "rollback")]
    create_alias: bool,
    /// Point the alias to the version that it pointed to before
    ///
    /// `pybundle deploy` records that version in the alias. Nothing is built, and $LATEST keeps its code. A second rollback
    /// undoes the first one.
    #[arg(long)]
    rollback: bool,
    /// Build, and show what would be deployed; change no function
    #[arg(long, conflicts_with = "rollback")]
    dry_run: bool,
    #[command(flatten)]
    build: TargetArguments,
}

/// Why targets cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidDeployment {
    #[error("target `{0}` has no function to deploy to")]
    NoFunction(String),
    #[error("no target has a function to deploy to")]
    NoFunctions,
    #[error("--function names one function, but {} targets are deployed: {}", .0.len(), .0.join(", "))]
    FunctionOfSeveral(Vec<String>),
    #[error("the image of target `{0}` has no tag, under which Lambda would find it")]
    NoTag(String),
    #[error("target `{0}` is an image for several platforms: a function has one architecture")]
    SeveralPlatforms(String),
    #[error("target `{0}` is written to standard output, which cannot be deployed")]
    StandardOutput(String),
    #[error("target `{0}` is written to a directory, and a zip is deployed")]
    Directory(String),
}

impl Hints for InvalidDeployment {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoFunction(_) | Self::NoFunctions => {
                vec!["set `function` of the target in [tool.pybundle], or --function".to_owned()]
            }
            Self::FunctionOfSeveral(targets) => {
                vec![format!("name the target, for instance `pybundle deploy {} --function …`", targets[0])]
            }
            Self::NoTag(_) => {
                vec!["set `tag` of the target to a repository in Amazon ECR, in the function's region".to_owned()]
            }
            Self::SeveralPlatforms(_) => {
                vec!["choose the function's architecture with --platform linux/amd64 or linux/arm64".to_owned()]
            }
            Self::StandardOutput(_) => vec!["write the artifact to a file".to_owned()],
            Self::Directory(_) => vec!["set `output` of the target to a file, or omit it".to_owned()],
        }
    }
}

/// Builds and deploys the targets, or rolls them back, and prints the result of each.
///
/// # Errors
/// A configuration is invalid, or there is no such target. If only some targets fail, the exit status is a failure.
pub(crate) fn run(
    mut arguments: DeployArguments,
    global: &GlobalArguments,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    let started = Instant::now();
    let projects = ProjectCache::default();
    let (targets, deployments) = arguments.targets(global, &projects)?;
    let names: Vec<String> = targets.iter().map(|target| target.listed.name.clone()).collect();
    let environment = global.environment().aws;
    let outcomes = if arguments.rollback {
        ended(deploy::roll_back(&deployments, &environment)?, &[])
    } else {
        let built = arguments.build.build(targets, false, printer, &projects)?;
        match codes(built.reports) {
            Ok(codes) => {
                let mode = if arguments.dry_run { DeployMode::DryRun } else { DeployMode::Deploy };
                let deployments: Vec<_> = deployments.iter().cloned().zip(codes.clone()).collect();
                ended(deploy::deploy(&deployments, &environment, mode)?, &codes)
            }
            Err(outcomes) => outcomes.into_iter().map(|outcome| (None, outcome)).collect(),
        }
    };
    let reports =
        names.into_iter().zip(deployments).zip(outcomes).map(|((name, to), (region, outcome))| DeployedReport {
            name,
            function: to.function.to_string(),
            alias: to.alias.map(|alias| alias.to_string()),
            region: region.or(to.region),
            outcome,
        });
    let report = DeployReport {
        format: FORMAT_VERSION,
        targets: reports.collect(),
        elapsed_seconds: started.elapsed().as_secs_f64(),
    };
    let errors: Vec<(&str, &ErrorReport)> = report.targets.iter().filter_map(failure).collect();
    printer.failures(&errors);
    printer.result(&report, |page| summary(&report, page))?;
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl DeployArguments {
    /// Returns the requested targets that have a function, and where they are deployed.
    fn targets(
        &mut self,
        global: &GlobalArguments,
        projects: &ProjectCache,
    ) -> Result<(Vec<ListedTarget>, Vec<DeploymentTarget>), CliError> {
        self.build.flags.deploy = self.deploy.clone();
        let selection = TargetSelection { names: &self.names, push: !self.dry_run, changed_since: None };
        let listed = self.build.select(selection, global, projects)?;
        let has_function = |listed: &ListedTarget| destination(&listed.target).function.is_some();
        if let Some(named) = listed.iter().find(|listed| !self.names.is_empty() && !has_function(listed)) {
            return Err(InvalidDeployment::NoFunction(named.listed.name.clone()).into());
        }
        let (mut targets, mut deployments) = (Vec::new(), Vec::new());
        for listed in listed {
            let deploy = destination(&listed.target).clone();
            let Some(function) = deploy.function else { continue };
            match &listed.target {
                Target::Lambda(settings) if settings.zips().any(|zip| zip == "-") => {
                    return Err(InvalidDeployment::StandardOutput(listed.listed.name).into());
                }
                Target::Lambda(settings) if settings.writes_directory() => {
                    return Err(InvalidDeployment::Directory(listed.listed.name).into());
                }
                Target::Image(settings) if settings.tags.is_empty() => {
                    return Err(InvalidDeployment::NoTag(listed.listed.name).into());
                }
                Target::Image(settings) if settings.platforms.len() > 1 => {
                    return Err(InvalidDeployment::SeveralPlatforms(listed.listed.name).into());
                }
                Target::Lambda(_) | Target::Image(_) => {}
            }
            deployments.push(DeploymentTarget {
                function,
                alias: deploy.alias,
                create_alias: self.create_alias,
                region: deploy.region,
                s3_bucket: deploy.s3_bucket,
            });
            targets.push(listed);
        }
        if targets.is_empty() {
            return Err(InvalidDeployment::NoFunctions.into());
        }
        if self.deploy.function.is_some() && targets.len() > 1 {
            let names = targets.into_iter().map(|target| target.listed.name).collect();
            return Err(InvalidDeployment::FunctionOfSeveral(names).into());
        }
        Ok((targets, deployments))
    }
}

/// Returns the code of each target; if one could not be built, what came of each instead.
fn codes(built: Vec<BuiltReport>) -> Result<Vec<DeployedCode>, Vec<DeployOutcome>> {
    if built.iter().all(|report| build::failure(report).is_none()) {
        return Ok(built.iter().filter_map(|report| code(report.outcome.artifact()?)).collect());
    }
    let outcomes = built.into_iter().map(|report| match report.outcome {
        TargetOutcome::Failed { error } => DeployOutcome::Failed { error },
        _ => DeployOutcome::Skipped,
    });
    Err(outcomes.collect())
}

/// Returns where a target is deployed.
fn destination(target: &Target) -> &DeploySettings {
    match target {
        Target::Lambda(settings) => &settings.deploy,
        Target::Image(settings) => &settings.deploy,
    }
}

/// Returns the code of a function that was built, or of an image that was pushed.
fn code(artifact: &BuiltArtifact) -> Option<DeployedCode> {
    match artifact {
        BuiltArtifact::Lambda(BuildReport { artifacts, target, limits, .. }) => {
            let function = artifacts.iter().find(|artifact| artifact.kind == ArtifactKind::Function)?;
            let artifact = DeployedArtifact::Zip {
                path: function.path.clone(),
                size: function.size,
                size_limit: limits.direct_upload_limit,
                runtime: target.runtime.clone(),
            };
            let (code_sha256, architecture) = (function.code_sha256.clone(), target.architecture.clone());
            Some(DeployedCode { artifact, code_sha256, architecture })
        }
        BuiltArtifact::Image(report) => {
            // A dry run pushes and sends nothing.
            let reference = deployed_image(report).unwrap_or_else(|| report.digest.clone());
            let architecture = if report.platforms.first()?.platform == "linux/arm64" { "arm64" } else { "x86_64" };
            Some(DeployedCode {
                artifact: DeployedArtifact::Image { reference },
                code_sha256: report.digest.trim_start_matches("sha256:").to_owned(),
                architecture: architecture.to_owned(),
            })
        }
    }
}

/// Returns what came of deployments, with the regions of their functions.
fn ended(deployments: Vec<EndedDeployment>, codes: &[DeployedCode]) -> Vec<(Option<String>, DeployOutcome)> {
    let mut codes = codes.iter().map(|code| code.code_sha256.clone());
    let outcomes = deployments.into_iter().map(|EndedDeployment { region, outcome }| {
        let code_sha256 = codes.next().unwrap_or_default();
        let outcome = match outcome {
            DeploymentOutcome::Deployed(now) => {
                let DeployedVersion { version, previous, sent } = now;
                DeployOutcome::Deployed { version, previous_version: previous, code_sha256, uploaded_bytes: sent }
            }
            DeploymentOutcome::RolledBack(now) => {
                DeployOutcome::RolledBack { version: now.version, previous_version: now.previous }
            }
            DeploymentOutcome::Unchanged { version } => DeployOutcome::Unchanged { version, code_sha256 },
            DeploymentOutcome::Planned { version } => DeployOutcome::Planned { version, code_sha256 },
            DeploymentOutcome::Skipped => DeployOutcome::Skipped,
            DeploymentOutcome::Failed(failed) => DeployOutcome::Failed { error: ErrorReport::new(&failed) },
        };
        (region, outcome)
    });
    outcomes.collect()
}

fn failure(report: &DeployedReport) -> Option<(&str, &ErrorReport)> {
    match &report.outcome {
        DeployOutcome::Failed { error } => Some((&report.name, error)),
        _ => None,
    }
}

fn summary(report: &DeployReport, page: &mut TextPage) {
    let mut rows = vec![["target", "function", "region", "version", ""].map(str::to_owned)];
    rows.extend(report.targets.iter().map(row));
    page.table(&rows, &[]);
    let mut parts = Vec::new();
    for outcome in ["deployed", "rolled back", "unchanged", "would be deployed", "skipped", "failed"] {
        let number = report.targets.iter().filter(|target| name_of(&target.outcome) == outcome).count();
        if number > 0 {
            parts.push(format!("{number} {outcome}"));
        }
    }
    let total = count(report.targets.len() as u64, "target");
    page.line(&format!("{total}: {}, in {:.2} s", parts.join(", "), report.elapsed_seconds));
}

fn row(report: &DeployedReport) -> [String; 5] {
    let function = match &report.alias {
        Some(alias) => format!("{}:{alias}", report.function),
        None => report.function.clone(),
    };
    let version = match &report.outcome {
        DeployOutcome::Deployed { version, previous_version, .. }
        | DeployOutcome::RolledBack { version, previous_version } => match (previous_version, version) {
            (Some(previous), Some(version)) if previous != version => format!("{previous} -> {version}"),
            (_, version) => version.clone().unwrap_or_else(|| "$LATEST".to_owned()),
        },
        DeployOutcome::Unchanged { version, .. } | DeployOutcome::Planned { version, .. } => {
            version.clone().unwrap_or_else(|| if report.alias.is_some() { "-" } else { "$LATEST" }.to_owned())
        }
        DeployOutcome::Skipped | DeployOutcome::Failed { .. } => "-".to_owned(),
    };
    let region = report.region.clone().unwrap_or_else(|| "-".to_owned());
    [report.name.clone(), function, region, version, name_of(&report.outcome).to_owned()]
}

fn name_of(outcome: &DeployOutcome) -> &'static str {
    match outcome {
        DeployOutcome::Deployed { .. } => "deployed",
        DeployOutcome::RolledBack { .. } => "rolled back",
        DeployOutcome::Unchanged { .. } => "unchanged",
        DeployOutcome::Planned { .. } => "would be deployed",
        DeployOutcome::Skipped => "skipped",
        DeployOutcome::Failed { .. } => "failed",
    }
}
