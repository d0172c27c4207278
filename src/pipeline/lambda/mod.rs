//! Builds Lambda functions: the zip of a function, and of its layer.

mod earlier_zips;
mod package;
mod project;
mod report;
mod write;

use std::time::Instant;

use self::earlier_zips::EarlierZips;
use self::package::{package, schemes};
use self::project::{LambdaProject, runtime};
use self::report::BuiltFunction;
use crate::archive::unpacked;
use crate::audit::handler::{Handler, ImportRoot};
use crate::audit::imports::CommandModules;
use crate::audit::libraries::{SystemKind, TargetSystem};
use crate::digest::Sha256;
use crate::lambda::{LAYER_ROOT, LIBRARY_PATH, PackageOutput, TASK_ROOT, limits};
use crate::pipeline::audits::{self, Audited, Deployment, budget};
use crate::pipeline::install::Installer;
use crate::pipeline::install::bytecode::{self, Bytecode};
use crate::pipeline::notes::{BuildSources, BuiltTarget, WrittenOutput, plan_digest};
use crate::pipeline::plan::indexes::Origins;
use crate::pipeline::plan::{LockedProject, Plan, missing_lock, prepare, script};
use crate::pipeline::planned_outputs::{self, PlannedOutput, resolved};
use crate::pipeline::session::{Session, repairing};
use crate::pipeline::wheels::{completeness, planned};
use crate::pipeline::{BuildError, ProjectCache, documents, wheels};
use crate::platform::{LambdaProfile, TargetPlatform};
use crate::report::{ArtifactKind, BuildReport, PackageFormat, Phase, PlanReport, Reporter, RunningPhase, Silent};
use crate::settings::LambdaSettings;
use crate::tree::FileTree;

/// Returns the target platform of a function.
///
/// # Errors
/// There is no such runtime.
pub(super) fn targets(settings: &LambdaSettings, project: &LockedProject) -> Result<Vec<TargetPlatform>, BuildError> {
    Ok(vec![runtime(settings, project, None)?.0.target(settings.architecture)])
}

/// Plans a function. Fetches no wheel and writes nothing.
///
/// # Errors
/// The project or the lock cannot be read, they do not match, or the lock has nothing compatible with the target.
pub(crate) fn plan(
    settings: &LambdaSettings,
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
    let plan = function.plan(settings, &finder, (&session.cache, None), reporter)?;
    planned::check(&plan, common, &origins.fetch, &finder, &session.cache, reporter)?;
    // Whoever plans what is to become an image names no handler.
    if let Some(handler) = handler(settings, &function.project).ok().flatten() {
        plan.check_planned_handler(&handler, reporter)?;
    }
    let written = outputs(settings, &plan)?;
    let mut outputs: Vec<_> = written.iter().map(|(_, output)| output.path().to_owned()).collect();
    outputs.extend(documents::planned(&settings.documents, &outputs[0]));
    let dependencies = if settings.layer.is_some() { ArtifactKind::Layer } else { ArtifactKind::Function };
    Ok(crate::pipeline::report::plan(&plan, &function.reason, &session.cache, Some(dependencies), outputs))
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
    let plan = function.plan(settings, &finder, (&session.cache, None), &Silent)?;
    Ok(is_decided.then(|| plan_digest(std::slice::from_ref(&plan), &function.reason)))
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
    repairing(&settings.common.cache, settings.zips(), reporter, || build(settings, projects, reporter))
}

fn build(
    settings: &LambdaSettings,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<BuiltTarget<BuildReport>, BuildError> {
    let started = Instant::now();
    let common = &settings.common;
    let selecting = RunningPhase::start(reporter, Phase::Select, 0);
    missing_lock::write(common, projects, reporter)?;
    let project = LockedProject::open(common, projects, reporter)?;
    let handler = handler(settings, &project)?;
    let prepared = prepare::run(common, projects, reporter)?;
    // The session owns the files that the artifact is copied from: it must live until the artifact is written.
    let session = Session::open(&common.cache)?;
    let (temporary, cache) = (session.temporary.path(), &session.cache);
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(cache, reporter);
    let function = LambdaProject::new(project, settings, &finder)?;
    let profile = &function.profile;
    let mut plan = function.plan(settings, &finder, (cache, Some(&origins.fetch)), reporter)?;
    plan.prepared = prepared;
    let outputs = outputs(settings, &plan)?;
    plan.exclude_outputs(outputs.iter().flat_map(|(_, output)| documents::paths(output.path())));
    selecting.finish();
    let plans = std::slice::from_ref(&plan);
    let mut obtained = wheels::obtain(common, &function.project, &origins.fetch, plans, cache, temporary, reporter)?;
    let wheels = obtained.pop().ok_or(BuildError::Empty)?;
    completeness::check(&plan, &wheels, common, reporter)?;

    let bytecode = Bytecode::find(common, plan.target.python, false, cache)?;
    let schemes = schemes(profile, settings.layer.is_some());
    let interpreter = &profile.interpreter;
    let installer = Installer { settings: &common.contents, schemes, interpreter, cache, bytecode: &bytecode };
    let installing = RunningPhase::start(reporter, bytecode.phase(), wheels.len() as u64);
    let distributions = installer.install(wheels, &plan, reporter)?;
    let compiled = bytecode.of_application(&plan.application.files)?;
    installing.finish();
    let application = bytecode::beside(&plan.application.files, &compiled);
    let package = package(profile, &distributions, application, settings.layer.is_some())?;
    let site_packages = [&profile.function, &profile.layer].map(|scheme| &scheme.site_packages);
    let trees: Vec<&FileTree> = package.trees().map(|(_, tree)| tree).collect();
    let roots: Vec<ImportRoot> =
        trees.iter().zip(site_packages).map(|(tree, site_packages)| ImportRoot { tree, site_packages }).collect();
    if let Some(handler) = &handler {
        plan.check_handler(handler, &roots, reporter)?;
    }
    let deployment = Deployment {
        trees: &trees.into_iter().zip([TASK_ROOT, LAYER_ROOT]).collect::<Vec<_>>(),
        dependencies: roots.len() - 1,
        schemes,
        system: &|_| Ok(system(profile, &plan)),
        base_has: &|_| Ok(Some(false)),
        has_executable: &|_| Ok(Some(false)),
    };
    let audited = Audited {
        plan: &plan,
        settings: common,
        distributions: &distributions,
        roots: &roots,
        started: &handler.iter().map(Handler::module).collect::<Vec<_>>(),
        command: &CommandModules::default(),
        application: &profile.function.site_packages,
        // The runtime starts in /var/task.
        working_directory: Some(""),
        provided: &profile.runtime_distributions,
        deployment: &deployment,
        cache,
    };
    let audit = audits::audit(&audited, Vec::new(), reporter)?;
    if !settings.allow_oversize {
        limits::check(&package, profile.limits, &profile.runtime_distributions)?;
    }
    let earlier = EarlierZips::new(&distributions, cache);
    let finished = write::write(&package, &plan.project_names(), &earlier, &outputs, reporter)?;
    let size = finished.iter().map(|(_, finished)| finished.zip().size).sum();
    budget::check(common.audit.max_size.as_ref(), size, &distributions)?;
    if settings.deploy.s3_bucket.is_none() {
        write::warn_of_direct_upload(&finished, profile.limits.direct_upload, reporter);
    }
    let zips = finished.iter().zip(&outputs);
    let zips: Vec<_> = zips.filter_map(|((_, finished), (_, output))| Some((output.zip()?, finished.zip()))).collect();
    let documents = documents::beside_zip(settings, &plan, &distributions, &zips, reporter)?;
    let artifacts = write::persist(finished, &package, &settings.documents, cache, reporter)?;
    let sources = BuildSources::of(
        common,
        &settings.documents,
        &function.project,
        (plans, &function.reason),
        distributions.iter(),
        false,
    );
    let written = artifacts.iter().map(|artifact| WrittenOutput {
        path: artifact.path.clone(),
        digest: format!("sha256:{}", artifact.sha256).parse().ok().filter(|_| artifact.format == PackageFormat::Zip),
    });
    let sources = sources.map(|sources| sources.with_outputs(written.collect()));
    let built = BuiltFunction {
        plan: &plan,
        profile,
        handler,
        reason: &function.reason,
        distributions: &distributions,
        package: &package,
        bytecode: bytecode.report(&distributions, &compiled),
        audit,
        artifacts,
        documents: documents::persist(documents)?,
        elapsed: started.elapsed(),
    };
    Ok(BuiltTarget { report: built.report(), sources })
}

/// Returns the handler that the settings name, or else that of a script.
///
/// # Errors
/// The script does not tell which of its functions is the handler.
fn handler(settings: &LambdaSettings, project: &LockedProject) -> Result<Option<Handler>, BuildError> {
    let of_script = || project.workspace.script().map(script::handler).transpose();
    settings.handler.clone().map_or_else(of_script, |handler| Ok(Some(handler)))
}

/// Returns the system libraries that a runtime provides.
fn system(profile: &LambdaProfile, plan: &Plan) -> TargetSystem {
    let libraries = profile.runtime_libraries.as_ref().map(|libraries| libraries.iter().cloned().collect());
    TargetSystem {
        name: plan.target.to_string(),
        kind: SystemKind::Lambda,
        architecture: plan.target.architecture,
        libc: plan.target.libc,
        libstdcxx: profile.libstdcxx,
        libraries,
        library_path: LIBRARY_PATH.map(str::to_owned).to_vec(),
    }
}

/// Returns where each artifact is written.
///
/// # Errors
/// Both are the same, the layer would be empty, or one would replace something that is not an earlier output.
fn outputs(settings: &LambdaSettings, plan: &Plan) -> Result<Vec<(ArtifactKind, PackageOutput)>, BuildError> {
    let function = match &settings.output {
        Some(output) => output.clone(),
        None => PackageOutput::Zip(settings.common.default_output(|| plan.name(), "zip")),
    };
    let mut outputs = vec![(ArtifactKind::Function, function.clone())];
    if let Some(layer) = &settings.layer {
        if resolved(layer.path()) == resolved(function.path()) {
            return Err(BuildError::SameOutput(function.path().to_owned()));
        }
        if plan.dependencies().next().is_none() {
            return Err(BuildError::EmptyLayer { path: layer.path().to_owned(), provided: !plan.excluded.is_empty() });
        }
        outputs.push((ArtifactKind::Layer, layer.clone()));
    }
    let planned: Vec<_> = outputs
        .iter()
        .map(|(kind, output)| {
            PlannedOutput::package(output, (*kind == ArtifactKind::Function).then_some(&settings.documents))
        })
        .collect();
    planned_outputs::check(&planned, std::slice::from_ref(plan), &settings.common, None)?;
    for (_, output) in &outputs {
        if let PackageOutput::Directory(path) = output {
            unpacked::check_replaceable(path)?;
        }
    }
    Ok(outputs)
}
