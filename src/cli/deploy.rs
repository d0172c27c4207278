//! `pybundle deploy`: builds targets, and makes them what their Lambda functions run.

mod changes;
mod page;

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::image::deployed_image;
use super::printer::Printer;
use super::selected_targets::{ListedTarget, TargetArguments, TargetSelection};
use super::{build, diff};
use crate::deploy::{
    self, DeployMode, DeployedArtifact, DeployedCode, DeployedVersion, DeploymentOutcome, DeploymentTarget,
    EndedDeployment, LayerChange, LayerChangeKind, LayerTarget, NamedLayer, RequiredLayer, VersionDescription,
};
use crate::hints::Hints;
use crate::options::{DeployOptions, PublishOptions, TargetKind};
use crate::pipeline::{self, ProjectCache, Target};
use crate::report::{
    BuildReport, BuiltArtifact, BuiltReport, DeployOutcome, DeployReport, DeployedLayerReport, DeployedReport,
    ErrorReport, FORMAT_VERSION, FunctionLayerChange, FunctionLayerReport, TargetOutcome,
};
use crate::settings::{DeploySettings, LambdaSettings};
use changes::Comparison;

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
    /// Describe the versions that are published [default: the commit of the project]
    ///
    /// Versions of functions and layers get this text of at most 256 characters. The default is `commit HASH`, if no file of the
    /// project or its workspace differs from the commit. A version that exists keeps its description.
    #[arg(long, value_name = "TEXT", conflicts_with = "rollback")]
    description: Option<VersionDescription>,
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
    #[error("target `{0}` is a layer without `layer-name`")]
    NoLayerName(String),
    #[error("targets `{0}` and `{1}` publish the same layer")]
    SameLayer(String, String),
    #[error("no target has a function to deploy to")]
    NoFunctions,
    #[error("--function names one function, but {} targets are deployed: {}", .0.len(), .0.join(", "))]
    FunctionOfSeveral(Vec<String>),
    #[error("the image of target `{0}` has no tag, so Lambda cannot pull it")]
    NoTag(String),
    #[error("target `{0}` is an image for several platforms: a function has one architecture")]
    SeveralPlatforms(String),
    #[error("target `{target}` is built for {service}, not for Lambda")]
    OtherService { target: String, service: String },
    #[error("target `{0}` is written to standard output, which cannot be deployed")]
    StandardOutput(String),
    #[error("target `{0}` is written to a directory, but only zips and images can be deployed")]
    Directory(String),
}

impl Hints for InvalidDeployment {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoFunction(_) | Self::NoFunctions => {
                vec!["set `function` of the target in [tool.pybundle], or --function".to_owned()]
            }
            Self::NoLayerName(target) => {
                vec![format!("set `layer-name` in [tool.pybundle.target.{target}]")]
            }
            Self::SameLayer(..) => vec!["give each layer its own `layer-name`".to_owned()],
            Self::FunctionOfSeveral(targets) => {
                vec![format!("name the target, for instance `pybundle deploy {} --function …`", targets[0])]
            }
            Self::NoTag(_) => {
                vec!["set `tag` of the target to a repository in Amazon ECR, in the function's region".to_owned()]
            }
            Self::SeveralPlatforms(_) => {
                vec!["choose the function's architecture with --platform linux/amd64 or linux/arm64".to_owned()]
            }
            Self::OtherService { .. } => vec!["choose one of Lambda's runtimes with --runtime".to_owned()],
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
    let Destinations { targets, functions, layers } = arguments.targets(global, &projects)?;
    let names: Vec<String> = targets.iter().map(|target| target.listed.name.clone()).collect();
    let environment = global.environment().aws;
    let (outcomes, layer_outcomes) = if arguments.rollback {
        (ended(deploy::roll_back(&functions, &environment)?, &[], &names, printer), Vec::new())
    } else {
        let built = arguments.build.build(targets, false, printer, &projects)?;
        match codes(built.reports) {
            Ok(mut codes) => {
                let mode = if arguments.dry_run { DeployMode::DryRun } else { DeployMode::Deploy };
                let layer_codes = codes.split_off(functions.len());
                let functions: Vec<_> = functions.iter().cloned().zip(codes.clone()).collect();
                let layers: Vec<_> = layers.iter().cloned().zip(layer_codes.clone()).collect();
                let (functions, layers) = deploy::deploy(&functions, &layers, &environment, mode)?;
                let (of_functions, of_layers) = names.split_at(functions.len());
                let functions = ended(functions, &codes, of_functions, printer);
                (functions, ended(layers, &layer_codes, of_layers, printer))
            }
            Err(outcomes) => {
                let mut outcomes: Vec<_> = outcomes.into_iter().map(|outcome| (None, outcome)).collect();
                let of_layers = outcomes.split_off(functions.len());
                (outcomes, of_layers)
            }
        }
    };
    let mut names = names.into_iter();
    let reports = names.by_ref().zip(functions).zip(outcomes).map(|((name, to), (region, outcome))| DeployedReport {
        name,
        function: to.function.to_string(),
        alias: to.alias.map(|alias| alias.to_string()),
        region: region.or(to.region),
        outcome,
    });
    let targets: Vec<DeployedReport> = reports.collect();
    let layers = names.zip(layers).zip(layer_outcomes).map(|((name, to), (region, outcome))| DeployedLayerReport {
        name,
        layer: to.layer.to_string(),
        region: region.or(to.region),
        outcome,
    });
    let report = DeployReport {
        format: FORMAT_VERSION,
        layers: layers.collect(),
        targets,
        elapsed_seconds: started.elapsed().as_secs_f64(),
    };
    let errors: Vec<(&str, &ErrorReport)> = outcomes_of(&report).filter_map(failure).collect();
    printer.failures(&errors);
    printer.result(&report, |page| {
        page::summary(&report, page);
        for (_, outcome) in outcomes_of(&report) {
            if let DeployOutcome::Planned { changes: Some(changes), .. } = outcome {
                page.line("");
                diff::show(changes, printer, page);
            }
        }
    })?;
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The targets that are deployed, and where.
struct Destinations {
    /// Those with a function, and then the layers.
    targets: Vec<ListedTarget>,
    functions: Vec<DeploymentTarget>,
    layers: Vec<LayerTarget>,
}

impl DeployArguments {
    /// Returns the requested targets that have a function, and the layers: those that the functions name, and the requested ones
    /// that are published.
    fn targets(&mut self, global: &GlobalArguments, projects: &ProjectCache) -> Result<Destinations, CliError> {
        self.build.flags.deploy = self.deploy.clone();
        let selection = TargetSelection { names: &self.names, push: !self.dry_run, changed_since: None };
        let listed = self.build.select(selection, global, projects)?;
        let (of_layers, listed): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|listed| listed.kind() == TargetKind::Layer);
        let has_function = |listed: &ListedTarget| destination(&listed.target).function.is_some();
        if let Some(named) = listed.iter().find(|listed| !self.names.is_empty() && !has_function(listed)) {
            return Err(InvalidDeployment::NoFunction(named.listed.name.clone()).into());
        }
        let functions = listed.iter().filter(|listed| has_function(listed) && !self.rollback);
        let (layer_targets, layers) = self.layers(of_layers, functions, projects)?;
        // A rollback needs to know none: a version of a function keeps its layers.
        let own_layers = if self.rollback { Vec::new() } else { self.build.published_layers(global, projects)? };
        let (mut targets, mut deployments) = (Vec::new(), Vec::new());
        for listed in listed {
            let deploy = destination(&listed.target).clone();
            let Some(function) = deploy.function else { continue };
            match &listed.target {
                Target::Lambda(settings) => check_zip(settings, &listed.listed.name)?,
                Target::Image(settings) if settings.tags.is_empty() => {
                    return Err(InvalidDeployment::NoTag(listed.listed.name).into());
                }
                Target::Image(settings) if settings.platforms.len() > 1 => {
                    return Err(InvalidDeployment::SeveralPlatforms(listed.listed.name).into());
                }
                Target::Image(_) => {}
            }
            deployments.push(DeploymentTarget {
                function,
                alias: deploy.alias,
                create_alias: self.create_alias,
                region: deploy.region,
                s3_bucket: deploy.s3_bucket,
                layers: required_layers(&listed, &layer_targets),
                own_layers: own_layers
                    .iter()
                    .filter(|(project, _)| *project == listed.listed.project)
                    .filter_map(|(_, publish)| layer_target(publish))
                    .collect(),
                description: self.described(&listed, projects),
            });
            targets.push(listed);
        }
        if targets.is_empty() && layers.is_empty() {
            return Err(InvalidDeployment::NoFunctions.into());
        }
        if self.deploy.function.is_some() && targets.len() > 1 {
            let names = targets.into_iter().map(|target| target.listed.name).collect();
            return Err(InvalidDeployment::FunctionOfSeveral(names).into());
        }
        targets.extend(layer_targets);
        Ok(Destinations { targets, functions: deployments, layers })
    }

    /// Returns the description of the versions of a target.
    fn described(&self, listed: &ListedTarget, projects: &ProjectCache) -> Option<VersionDescription> {
        if self.description.is_some() || self.rollback {
            return self.description.clone();
        }
        let (workspace, revision) = projects.workspace(&listed.listed.project).ok()?;
        format!("commit {}", revision.revision(&workspace.root)?.commit).parse().ok()
    }

    /// Returns the layers that are published, and where. A rollback publishes none: a version of a function keeps its layers.
    fn layers<'a>(
        &self,
        listed: Vec<ListedTarget>,
        functions: impl Iterator<Item = &'a ListedTarget>,
        projects: &ProjectCache,
    ) -> Result<(Vec<ListedTarget>, Vec<LayerTarget>), CliError> {
        if self.rollback {
            return Ok((Vec::new(), Vec::new()));
        }
        let functions: Vec<&ListedTarget> = functions.collect();
        let (mut targets, mut layers): (Vec<ListedTarget>, Vec<LayerTarget>) = (Vec::new(), Vec::new());
        for listed in listed {
            let is_named = self.names.iter().any(|name| listed.is_named(name));
            let is_of_function = functions.iter().any(|function| has_layer(function, &listed));
            let DeploySettings { layer_name, region, s3_bucket, .. } = destination(&listed.target).clone();
            let Some(layer) = layer_name else {
                if is_named || is_of_function {
                    return Err(InvalidDeployment::NoLayerName(listed.listed.target).into());
                }
                continue;
            };
            // What is there only because a function without a function's name has it.
            if !self.names.is_empty() && !is_named && !is_of_function {
                continue;
            }
            if let Target::Lambda(settings) = &listed.target {
                check_zip(settings, &listed.listed.name)?;
            }
            let target = LayerTarget { layer, region, s3_bucket, description: self.described(&listed, projects) };
            let same = layers.iter().position(|known| (&known.layer, &known.region) == (&target.layer, &target.region));
            if let Some(same) = same {
                return Err(InvalidDeployment::SameLayer(targets[same].listed.name.clone(), listed.listed.name).into());
            }
            targets.push(listed);
            layers.push(target);
        }
        Ok((targets, layers))
    }
}

/// Returns where a layer is published, if it is.
fn layer_target(publish: &PublishOptions) -> Option<LayerTarget> {
    let PublishOptions { layer_name, region, s3_bucket } = publish.clone();
    Some(LayerTarget { layer: layer_name?, region, s3_bucket, description: None })
}

/// Checks that a function or a layer is built for Lambda, and written to a file.
fn check_zip(settings: &LambdaSettings, target: &str) -> Result<(), CliError> {
    if let Some(service) = pipeline::other_service(settings)? {
        return Err(InvalidDeployment::OtherService { target: target.to_owned(), service }.into());
    }
    if settings.zips().any(|zip| zip == "-") {
        return Err(InvalidDeployment::StandardOutput(target.to_owned()).into());
    }
    if settings.writes_directory() {
        return Err(InvalidDeployment::Directory(target.to_owned()).into());
    }
    Ok(())
}

/// Returns the layers of a function, given the targets that are published.
fn required_layers(function: &ListedTarget, published: &[ListedTarget]) -> Vec<RequiredLayer> {
    let Target::Lambda(settings) = &function.target else { return Vec::new() };
    let required = settings.named_layers.iter().filter_map(|layer| match layer {
        NamedLayer::Target(name) => {
            let position = published.iter().position(|listed| is_layer_of(function, listed, name))?;
            Some(RequiredLayer::Published(position))
        }
        NamedLayer::Version(version) => Some(RequiredLayer::Existing(version.clone())),
    });
    required.collect()
}

/// Returns whether a function names a target as its layer.
fn has_layer(function: &ListedTarget, listed: &ListedTarget) -> bool {
    match &function.target {
        Target::Lambda(settings) => settings.layers.iter().any(|layer| is_layer_of(function, listed, layer.name())),
        Target::Image(_) => false,
    }
}

/// Returns whether a target is what a function calls by a name.
fn is_layer_of(function: &ListedTarget, listed: &ListedTarget, name: &str) -> bool {
    listed.listed.target == name && listed.listed.project == function.listed.project
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
            // The zip of a layer that is a target is the only one.
            let function = artifacts.first()?;
            let artifact = DeployedArtifact::Zip {
                path: function.path.clone(),
                size: function.size,
                size_limit: limits.direct_upload_limit.unwrap_or_default(),
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

/// Returns what came of the deployments of targets, with the regions of their functions.
fn ended(
    deployments: Vec<EndedDeployment>,
    codes: &[DeployedCode],
    names: &[String],
    printer: &Printer,
) -> Vec<(Option<String>, DeployOutcome)> {
    let compared = deployments.iter().zip(codes).zip(names).map(|((ended, code), name)| match &ended.outcome {
        DeploymentOutcome::Planned { live, .. } => Some(Comparison { live: live.as_ref()?, code, name }),
        _ => None,
    });
    let mut compared = changes::all(&compared.collect::<Vec<_>>(), printer).into_iter();
    let mut codes = codes.iter();
    let outcomes = deployments.into_iter().map(|EndedDeployment { region, outcome }| {
        let (code, changes) = (codes.next(), compared.next().flatten());
        let code_sha256 = code.map(|code| code.code_sha256.clone()).unwrap_or_default();
        let outcome = match outcome {
            DeploymentOutcome::Deployed(now) => {
                let DeployedVersion { version, previous: previous_version, sent: uploaded_bytes, layers } = now;
                let layers = layers.into_iter().map(layer_report).collect();
                DeployOutcome::Deployed { version, previous_version, code_sha256, uploaded_bytes, layers }
            }
            DeploymentOutcome::RolledBack(now) => {
                DeployOutcome::RolledBack { version: now.version, previous_version: now.previous }
            }
            DeploymentOutcome::Unchanged { version } => DeployOutcome::Unchanged { version, code_sha256 },
            DeploymentOutcome::Planned { version, live: _, layers } => {
                let layers = layers.into_iter().map(layer_report).collect();
                DeployOutcome::Planned { version, code_sha256, layers, changes: changes.map(Box::new) }
            }
            DeploymentOutcome::Skipped => DeployOutcome::Skipped,
            DeploymentOutcome::Failed(failed) => DeployOutcome::Failed { error: ErrorReport::new(&failed) },
        };
        (region, outcome)
    });
    outcomes.collect()
}

fn layer_report(change: LayerChange) -> FunctionLayerReport {
    let LayerChange { layer, kind, version, previous } = change;
    let change = match kind {
        LayerChangeKind::Added => FunctionLayerChange::Added,
        LayerChangeKind::Updated => FunctionLayerChange::Updated,
        LayerChangeKind::Removed => FunctionLayerChange::Removed,
        LayerChangeKind::Kept => FunctionLayerChange::Kept,
    };
    FunctionLayerReport { layer, change, version, previous_version: previous }
}

/// Returns what came of each target, by its name: functions, and then layers.
fn outcomes_of(report: &DeployReport) -> impl Iterator<Item = (&str, &DeployOutcome)> {
    let functions = report.targets.iter().map(|target| (target.name.as_str(), &target.outcome));
    functions.chain(report.layers.iter().map(|layer| (layer.name.as_str(), &layer.outcome)))
}

fn failure<'a>((name, outcome): (&'a str, &'a DeployOutcome)) -> Option<(&'a str, &'a ErrorReport)> {
    match outcome {
        DeployOutcome::Failed { error } => Some((name, error)),
        _ => None,
    }
}
