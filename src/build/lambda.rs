//! From a plan to the zips of a function and its layer.

use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

use super::plan::Plan;
use super::{BuildError, projects, report};
use crate::archive::output::Finished;
use crate::archive::zip;
use crate::audit::handler::{self, Root};
use crate::cache::Cache;
use crate::fetch::{Credentials, FetchOptions, Fetcher, Index};
use crate::lambda::{DeploymentPackage, limits};
use crate::lock::LockedWheel;
use crate::report::{ArtifactKind, BuildReport, Phase, Reporter};
use crate::settings::{CacheChoice, LambdaSettings, Settings};
use crate::target::Scheme;
use crate::tree::{Entry, Origin, TreePath};
use crate::wheel::{self, Wheel};

/// Builds a function's zip, and its layer's where the dependencies are to be apart. The files appear at their places
/// when all of them are complete.
///
/// # Errors
/// Any stage fails; then nothing is written.
pub fn lambda(settings: &LambdaSettings, reporter: &dyn Reporter) -> Result<BuildReport, BuildError> {
    let started = Instant::now();
    let common = &settings.common;
    let mut plan = Plan::new(common, settings.exclude_runtime, reporter)?;
    let outputs = outputs(settings, &plan)?;
    plan.leave_out(outputs.iter().map(|(_, path)| path.as_path()));

    // Both folders hold what the artifact is copied from, so they stay until it is written.
    let temporary = temporary()?;
    let cache = open_cache(&common.cache, temporary.path())?;
    let fetched = fetch(common, &plan, &cache, reporter)?;
    let built = projects::build(&plan, &common.environment, common.fetch.offline, temporary.path(), reporter)?;

    let package = install(&plan, &fetched, &built, settings.layer.is_some())?;
    check_handler(settings, &plan, &package, reporter)?;
    if !settings.allow_oversize {
        let profile = &plan.target.profile;
        limits::check(&package, profile.limits, &profile.runtime_distributions)?;
    }
    let finished = write(&package, &outputs, reporter)?;
    warn_of_direct_upload(&finished, &plan, reporter);
    let artifacts = persist(finished, &package)?;
    let wheels = report::Wheels { fetched: &fetched, built: &built };
    Ok(report::build(&plan, settings, &wheels, &package, artifacts, started.elapsed()))
}

/// Returns where each artifact goes.
pub fn outputs(settings: &LambdaSettings, plan: &Plan) -> Result<Vec<(ArtifactKind, PathBuf)>, BuildError> {
    let default = || {
        let project = &settings.common.project;
        let dist = if *project == Path::new(".") { PathBuf::from("dist") } else { project.join("dist") };
        dist.join(format!("{}.zip", plan.name()))
    };
    let function = settings.output.clone().unwrap_or_else(default);
    let mut outputs = vec![(ArtifactKind::Function, function.clone())];
    if let Some(layer) = &settings.layer {
        if *layer == function {
            return Err(BuildError::SameOutput(function));
        }
        outputs.push((ArtifactKind::Layer, layer.clone()));
    }
    Ok(outputs)
}

fn temporary() -> Result<tempfile::TempDir, BuildError> {
    let failed = |source| BuildError::Read { path: PathBuf::from("the temporary folder"), source };
    tempfile::Builder::new().prefix("pybundle-").tempdir().map_err(failed)
}

fn open_cache(choice: &CacheChoice, temporary: &Path) -> Result<Cache, BuildError> {
    Ok(match choice {
        CacheChoice::Folder(folder) => Cache::open(folder)?,
        CacheChoice::Temporary => Cache::open(&temporary.join("cache"))?,
    })
}

fn fetch(settings: &Settings, plan: &Plan, cache: &Cache, reporter: &dyn Reporter) -> Result<Vec<Wheel>, BuildError> {
    let wheels: Vec<LockedWheel> = plan.wheels().map(|(_, wheel)| wheel.clone()).collect();
    let declared = plan.indexes().map(|index| Index { name: index.name, url: index.url });
    let given = settings.fetch.indexes.iter().map(|url| Index { name: None, url: url.clone() });
    let environment = &settings.environment;
    let indexes = declared.chain(given).collect::<Vec<_>>();
    let credentials = Credentials::new(environment.variables.clone(), environment.netrc.as_deref(), indexes);
    let options = FetchOptions { offline: settings.fetch.offline, credentials, ..FetchOptions::default() };
    Ok(Fetcher::new(options).fetch(&wheels, cache, reporter)?)
}

/// Installs everything: dependencies where they belong, local projects and the application's files in the function.
fn install(plan: &Plan, fetched: &[Wheel], built: &[Wheel], with_layer: bool) -> Result<DeploymentPackage, BuildError> {
    let profile = &plan.target.profile;
    let mut package = DeploymentPackage::new(with_layer);
    let dependencies = package.dependencies();
    let scheme = scheme(plan, dependencies);
    for files in install_all(fetched, scheme, &profile.interpreter)? {
        package.extend(dependencies, files)?;
    }
    for files in install_all(built, &profile.function, &profile.interpreter)? {
        package.extend(ArtifactKind::Function, files)?;
    }
    for (path, entry) in &plan.application.files {
        let path = TreePath::below(&profile.function.site_packages, path.as_str())?;
        package.extend(ArtifactKind::Function, [(path, entry.clone())])?;
    }
    Ok(package)
}

fn install_all(
    wheels: &[Wheel],
    scheme: &Scheme,
    interpreter: &str,
) -> Result<Vec<Vec<(TreePath, Entry)>>, BuildError> {
    Ok(wheels.par_iter().map(|wheel| wheel::install(wheel, scheme, interpreter)).collect::<Result<_, _>>()?)
}

fn scheme(plan: &Plan, kind: ArtifactKind) -> &Scheme {
    match kind {
        ArtifactKind::Function => &plan.target.profile.function,
        ArtifactKind::Layer => &plan.target.profile.layer,
    }
}

fn check_handler(
    settings: &LambdaSettings,
    plan: &Plan,
    package: &DeploymentPackage,
    reporter: &dyn Reporter,
) -> Result<(), BuildError> {
    let Some(handler) = &settings.handler else {
        return Ok(());
    };
    let root = |(kind, tree)| Root { tree, site_packages: &scheme(plan, kind).site_packages };
    let roots: Vec<Root> = package.trees().map(root).collect();
    let own: Vec<_> = plan.projects().map(|(selected, _)| &selected.name).collect();
    let is_own = |origin: &Origin| match origin {
        Origin::Application => true,
        Origin::Distribution(distribution) => own.contains(&&distribution.name),
    };
    let found = handler::check(handler, &roots, plan.target.profile.python, is_own)?;
    if let Some(doubt) = found.doubt {
        reporter.warn(&format!("whether {handler} exists cannot be told: {doubt}"));
    }
    Ok(())
}

fn write(
    package: &DeploymentPackage,
    outputs: &[(ArtifactKind, PathBuf)],
    reporter: &dyn Reporter,
) -> Result<Vec<(ArtifactKind, Finished)>, BuildError> {
    let total = package.trees().flat_map(|(_, tree)| tree.iter()).map(|(_, entry)| entry.content.stored_size()).sum();
    reporter.start(Phase::Write, total);
    let finished = package.trees().zip(outputs).map(|((kind, tree), (_, path))| {
        let finished = zip::write(tree, path, reporter)?;
        Ok((kind, finished))
    });
    let finished = finished.collect::<Result<_, BuildError>>();
    reporter.finish(Phase::Write);
    finished
}

fn warn_of_direct_upload(finished: &[(ArtifactKind, Finished)], plan: &Plan, reporter: &dyn Reporter) {
    let limit = plan.target.profile.limits.direct_upload;
    for (kind, finished) in finished.iter().filter(|(_, finished)| finished.size > limit) {
        let what = match kind {
            ArtifactKind::Function => "the function's zip",
            ArtifactKind::Layer => "the layer's zip",
        };
        reporter.warn(&format!(
            "{what} has {} bytes, more than the {limit} that Lambda takes directly: upload it to S3 and deploy it from there",
            finished.size
        ));
    }
}

/// Puts the artifacts at their places, now that all of them are complete.
fn persist(
    finished: Vec<(ArtifactKind, Finished)>,
    package: &DeploymentPackage,
) -> Result<Vec<crate::report::ArtifactReport>, BuildError> {
    let artifacts = finished.into_iter().zip(package.trees());
    artifacts.map(|((kind, finished), (_, tree))| Ok(report::artifact(kind, finished, tree)?)).collect()
}
