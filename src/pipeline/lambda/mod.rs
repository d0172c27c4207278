//! Builds Lambda functions and layers: the zip of a function, and of its layer, or of a layer alone.

mod assembled;
mod closure;
mod earlier_zips;
mod installed;
mod layers;
mod outputs;
mod package;
mod project;
mod report;
mod service;
mod unpacked;
mod write;

pub(crate) use project::other_service;
pub(crate) use unpacked::{FunctionDirectories, UnpackedFunction, unpack};

use std::time::Instant;

use self::assembled::AssembledFunction;
use self::earlier_zips::EarlierZips;
use self::layers::LayerProject;
use self::project::{LambdaProject, runtime};
use self::report::BuiltFunction;
use crate::audit::handler::Handler;
use crate::cache::SharedRecords;
use crate::digest::Sha256;
use crate::name::DistributionName;
use crate::pipeline::audits::budget;
use crate::pipeline::notes::{BuildSources, BuiltTarget, WrittenOutput, plan_digest, with_layer};
use crate::pipeline::plan::indexes::Origins;
use crate::pipeline::plan::{LockedProject, Plan, script};
use crate::pipeline::remote_cache::{self, BuiltClosure, RemoteCache};
use crate::pipeline::report::absence;
use crate::pipeline::session::{Session, is_streamed, registry, repairing};
use crate::pipeline::wheels::planned;
use crate::pipeline::{BuildError, ProjectCache, documents};
use crate::platform::TargetPlatform;
use crate::registry::Registry;
use crate::report::{
    ArtifactKind, BuildReport, PackageFormat, Phase, PlanReport, RecordUse, Reporter, RunningPhase, Silent,
};
use crate::settings::{LambdaSettings, RecordPlace, RegistrySettings, RemoteCacheChoice};

/// Returns the target platform of a function.
///
/// # Errors
/// There is no such runtime.
pub(super) fn targets(settings: &LambdaSettings, project: &LockedProject) -> Result<Vec<TargetPlatform>, BuildError> {
    Ok(vec![runtime(settings, project, None)?.0.target(settings.architecture)])
}

/// What a function is planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanPurpose<'a> {
    /// To be built with the same settings: what stops the build is an error.
    Build,
    /// To see what the lock has for a runtime, perhaps for a script that becomes an image, and has no handler.
    Selection,
    /// As [`Self::Selection`], and to explain why a distribution is not selected.
    Explanation(&'a DistributionName),
}

impl<'a> PlanPurpose<'a> {
    fn sought(self) -> Option<&'a DistributionName> {
        match self {
            Self::Build | Self::Selection => None,
            Self::Explanation(name) => Some(name),
        }
    }
}

/// Plans a function. Fetches no wheel and writes nothing.
///
/// # Errors
/// The project or the lock cannot be read, they do not match, or the lock has nothing compatible with the target. What is
/// built has no handler.
pub(crate) fn plan(
    settings: &LambdaSettings,
    purpose: PlanPurpose<'_>,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<PlanReport, BuildError> {
    let common = &settings.common;
    let _selecting = RunningPhase::start(reporter, Phase::Select, 0);
    let project = LockedProject::open(common, projects, reporter)?;
    let session = Session::open_for_plan(&common.cache)?;
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(&session.cache, reporter);
    let function = LambdaProject::new(project, settings, &finder)?;
    let mut plan = function.plan(settings, &finder, (&session.cache, None), reporter)?;
    let layers = LayerProject::open_all(settings, &function, projects, &session.cache)?;
    let layer_plans = layers.iter().map(|layer| layer.plan(&session.cache, false)).collect::<Result<Vec<_>, _>>()?;
    layers::exclude(&mut plan, settings, &layer_plans)?;
    planned::check(&plan, common, &origins.fetch, &finder, &session.cache, reporter)?;
    match handler(settings, &function.project) {
        Ok(Some(handler)) => plan.check_planned_handler(&handler, common, reporter)?,
        Ok(None) => {}
        Err(error) if purpose != PlanPurpose::Build => reporter.warn(&error.to_string()),
        Err(error) => return Err(error),
    }
    let written = outputs::outputs(settings, &plan)?;
    let mut outputs: Vec<_> = written.iter().map(|(_, output)| output.path().to_owned()).collect();
    outputs.extend(documents::planned(&settings.documents, &outputs[0]));
    let in_layer = settings.layer.is_some() || settings.is_layer;
    let dependencies = if in_layer { ArtifactKind::Layer } else { ArtifactKind::Function };
    let reason = &function.reason;
    let absence = purpose.sought().map(|name| absence(&plan, common, name));
    Ok(crate::pipeline::report::plan(&plan, absence, reason, &session.cache, Some(dependencies), outputs))
}

/// Returns the digest of the plan of a function, as [`BuildSources`] have it; `None` if the files of its project do not decide
/// that its lock matches.
///
/// # Errors
/// As [`plan`].
pub(crate) fn noted_plan(settings: &LambdaSettings, projects: &ProjectCache) -> Result<Option<Sha256>, BuildError> {
    let common = &settings.common;
    let project = LockedProject::open(common, projects, &Silent)?;
    let is_decided = project.is_locked_by_files;
    let session = Session::open_for_plan(&common.cache)?;
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(&session.cache, &Silent);
    let function = LambdaProject::new(project, settings, &finder)?;
    let mut plan = function.plan(settings, &finder, (&session.cache, None), &Silent)?;
    let layers = LayerProject::open_all(settings, &function, projects, &session.cache)?;
    let layer_plans = layers.iter().map(|layer| layer.plan(&session.cache, false)).collect::<Result<Vec<_>, _>>()?;
    layers::exclude(&mut plan, settings, &layer_plans)?;
    let digest = plan_digest(std::slice::from_ref(&plan), &function.reason);
    let of_layers = layers.iter().zip(&layer_plans).map(|(layer, plan)| {
        let reason = &layer.lambda.reason;
        layer.lambda.project.is_locked_by_files.then(|| plan_digest(std::slice::from_ref(plan), reason))
    });
    let is_decided = is_decided.then_some(digest);
    Ok(of_layers.fold(is_decided, |digest, layer| Some(with_layer(digest?, layer?))))
}

/// Builds the zip of a function, and of its layer if dependencies go there. The files appear at their paths when all
/// of them are complete.
///
/// # Errors
/// Any stage fails; then nothing is written.
pub(crate) fn lambda(
    settings: &LambdaSettings,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<BuiltTarget<BuildReport>, BuildError> {
    repairing(&settings.common.cache, settings.zips(), reporter, || {
        let built = build(settings, projects, reporter);
        if !built.as_ref().is_err_and(remote_cache::is_misled) {
            return built;
        }
        reporter.warn("the remote cache is wrong about a wheel: building again without it");
        build(&LambdaSettings { remote_cache: RemoteCacheChoice::Off, ..settings.clone() }, projects, reporter)
    })
}

fn build(
    settings: &LambdaSettings,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<BuiltTarget<BuildReport>, BuildError> {
    let started = Instant::now();
    let common = &settings.common;
    let registry = record_registry(settings, reporter)?;
    let remote = RemoteCache::new(&settings.remote_cache, common, (&[], registry.as_ref()), reporter);
    // A directory needs the bytes of all files, and what is streamed cannot begin again.
    let remote = remote.filter(|_| !settings.writes_directory() && !is_streamed(settings.zips()));
    let remote = remote.as_ref();
    assembled::assemble(settings, projects, outputs::outputs, remote, reporter, |assembled| {
        let AssembledFunction { plan, function, installed, distributions, package, outputs, cache, .. } = *assembled;
        if let Some(warning) = function.profile.unreleased() {
            reporter.warn(&warning);
        }
        let (closure, known) = (assembled.closure, assembled.known);
        let shared = remote.filter(|_| known.used == RecordUse::Exact).map(|remote| (remote, closure));
        let earlier = EarlierZips::new((installed, &function.profile.interpreter), shared, cache);
        let files = (&plan.project_names(), function.profile.is_imported_from_zip);
        let finished = write::write(package, files, &earlier, outputs, reporter)?;
        let size = finished.iter().map(|(_, finished)| finished.zip().size).sum();
        budget::check(common.audit.max_size.as_ref(), size, installed)?;
        if !settings.allow_oversize {
            service::check_zip(&function.profile, size)?;
        }
        let direct_upload = function.profile.limits.direct_upload.filter(|_| settings.deploy.s3_bucket.is_none());
        direct_upload.into_iter().for_each(|limit| write::warn_of_direct_upload(&finished, limit, reporter));
        let zips = finished.iter().zip(outputs);
        let zips: Vec<_> =
            zips.filter_map(|((_, finished), (_, output))| Some((output.zip()?, finished.zip()))).collect();
        let documents = documents::beside_zip(settings, plan, distributions, &zips, reporter)?;
        let artifacts = write::persist(finished, package, &settings.documents, cache, reporter)?;
        let built = BuiltClosure {
            python: plan.target.python,
            key: closure,
            distributions: installed,
            records: cache.noted(),
            layers: &[],
            layers_of_wheels: Vec::new(),
            starts: Some(earlier.into_starts()),
        };
        let remote_cache = remote_cache::share(remote, &[built], known, &SharedRecords::default())?;
        let sources = BuildSources::of(
            common,
            &settings.documents,
            &function.project,
            (std::slice::from_ref(plan), &function.reason),
            distributions.iter(),
            false,
        );
        let layers = assembled.layers.iter().zip(assembled.layer_plans);
        let sources = layers.fold(sources, |sources, (layer, plan)| {
            let of_layers = distributions[installed.len()..].iter();
            Some(sources?.with_layer(layer.sources(plan, &settings.documents, of_layers)?))
        });
        let written = artifacts.iter().map(|artifact| WrittenOutput {
            path: artifact.path.clone(),
            digest: format!("sha256:{}", artifact.sha256)
                .parse()
                .ok()
                .filter(|_| artifact.format == PackageFormat::Zip),
        });
        let sources = sources.map(|sources| sources.with_outputs(written.collect()));
        let built = BuiltFunction {
            plan,
            profile: &function.profile,
            handler: assembled.handler.clone(),
            reason: &function.reason,
            distributions: installed,
            package,
            layers: assembled.layer_sizes.to_vec(),
            bytecode: assembled.bytecode.report(installed, assembled.compiled),
            audit: assembled.audit.clone(),
            artifacts,
            remote_cache,
            documents: documents::persist(documents)?,
            elapsed: started.elapsed(),
        };
        Ok(BuiltTarget { report: built.report(), sources })
    })
}

/// Returns the client for the repository that records are in, if they are in one.
///
/// # Errors
/// TLS is not to be had.
fn record_registry<'a>(
    settings: &LambdaSettings,
    reporter: &'a dyn Reporter,
) -> Result<Option<Registry<'a>>, BuildError> {
    let RemoteCacheChoice::On(RecordPlace::Repository(_), _) = settings.remote_cache else { return Ok(None) };
    let environment = &settings.common.environment;
    registry(&RegistrySettings::of(environment), &environment.registry_credentials, reporter).map(Some)
}

/// Returns the handler that the settings name, or else that of a script; `None` for a layer, which contains no script.
///
/// # Errors
/// The script does not tell which of its functions is the handler.
fn handler(settings: &LambdaSettings, project: &LockedProject) -> Result<Option<Handler>, BuildError> {
    if settings.is_layer {
        return Ok(None);
    }
    let of_script = || project.workspace.script().map(script::handler).transpose();
    settings.handler.clone().map_or_else(of_script, |handler| Ok(Some(handler)))
}
