//! Builds images: one for each platform, with their index.

pub(crate) mod apt_lock;
pub(crate) mod base;
mod base_contents;
mod base_files;
mod chosen;
mod closure;
mod command;
mod command_check;
mod container_files;
mod container_user;
mod image_audit;
mod layer_build;
mod layering;
mod layers;
mod load;
pub(crate) mod outputs;
pub(crate) mod packages;
pub(crate) mod pin;
mod platform;
mod referrers;
pub(crate) mod registry_state;
pub(crate) mod report;
mod script_command;
mod search_path;
mod started;

use std::path::Path;
use std::time::Instant;

pub(crate) use chosen::candidates;

use self::chosen::{ImageChoice, choose};
use crate::digest::Sha256;
use crate::image::file::ImageFile;
use crate::image::{OciArtifact, OciImage, index, manifest};
use crate::index::FileFinder;
use crate::name::DistributionName;
use crate::pipeline::image::base::{Bases, FoundBase};
use crate::pipeline::image::load::LoadDestination;
use crate::pipeline::image::packages::PackageStage;
use crate::pipeline::image::platform::{PlatformBuild, PlatformBuilder};
use crate::pipeline::image::report::BuiltImage;
use crate::pipeline::image::script_command::with_command;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::notes::{BuildSources, BuiltTarget, plan_digest};
use crate::pipeline::plan::indexes::Origins;
use crate::pipeline::plan::{LockedProject, Plan, missing_lock, prepare};
use crate::pipeline::planned_outputs::{self, PlannedOutput};
use crate::pipeline::remote_cache::{self, BuiltClosure, RemoteCache, WantedClosure};
use crate::pipeline::report::absence;
use crate::pipeline::session::{Session, is_streamed, registry, repairing};
use crate::pipeline::wheels::{completeness, planned};
use crate::pipeline::{BuildError, ProjectCache, documents, wheels};
use crate::report::{FORMAT_VERSION, ImagePlanReport, ImageReport, Phase, Reporter, RunningPhase, Silent};
use crate::settings::{ImageSettings, RemoteCacheChoice};
use crate::temporary::create_below;

/// Builds an image, or one for each platform and their index, writes it to files and pushes it.
///
/// The files appear at their paths when all of them are complete; then the image is pushed.
///
/// # Errors
/// Any stage fails. Before the push, nothing has been written then; after a failed push, no tag is set.
pub(crate) fn image(
    settings: &ImageSettings,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<BuiltTarget<ImageReport>, BuildError> {
    repairing(&settings.common.cache, settings.archives(), reporter, || {
        let built = build(settings, projects, reporter);
        if !built.as_ref().is_err_and(remote_cache::is_misled) {
            return built;
        }
        if is_streamed(settings.archives()) {
            reporter.warn("the remote cache is wrong about a wheel or a layer: build without it: --remote-cache off");
            return built;
        }
        reporter.warn("the remote cache is wrong about a wheel or a layer: building again without it");
        let settings = ImageSettings { remote_cache: RemoteCacheChoice::Off, ..settings.clone() };
        build(&settings, projects, reporter)
    })
}

fn build(
    settings: &ImageSettings,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<BuiltTarget<ImageReport>, BuildError> {
    let started = Instant::now();
    let common = &settings.common;
    let session = Session::open(&common.cache)?;
    let (temporary, cache) = (&session.temporary, &session.cache);
    let registry = registry(&settings.registry, &common.environment.registry_credentials, reporter)?;
    let bases = Bases { registry: &registry, offline: common.fetch.offline, cache, reporter };

    let selecting = RunningPhase::start(reporter, Phase::Select, 0);
    missing_lock::write(common, projects, reporter)?;
    let project = LockedProject::open(common, projects, reporter)?;
    let settings = &*with_command(settings, &project)?;
    let prepared = prepare::run(common, projects, reporter)?;
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(cache, reporter);
    let files = outputs::files(settings, &project)?;
    let engine = LoadDestination::find(settings)?;
    check_outputs(settings, &project, &files)?;
    let chosen = choose(settings, &project, &bases, &finder, PackageStage::Installed)?;
    let mut plans = plans(settings, &project, &chosen, &files, &finder, reporter)?;
    plans.iter_mut().for_each(|plan| plan.prepared = prepared.clone());
    selecting.finish();

    let tags = if settings.push { &settings.tags[..] } else { &[] };
    let remote = RemoteCache::new(&settings.remote_cache, common, (tags, Some(&registry)), reporter);
    let bytecode = Bytecode::find(common, chosen.target.python, true, cache)?;
    let closures = plans.iter().map(|plan| {
        let key = closure::key(settings, &chosen.target, plan, &bytecode);
        WantedClosure { key, plan, is_zipped: false }
    });
    let closures: Vec<WantedClosure> = closures.collect();
    let known = remote_cache::known(remote.as_ref(), &closures, cache)?;
    let shared = cache.sharing(&known.records);
    let found = (&shared, &known.wheels);
    let wheels = wheels::obtain(common, &project, &origins.fetch, &plans, found, temporary.path(), reporter)?;
    for (plan, wheels) in plans.iter().zip(&wheels) {
        completeness::check(plan, wheels, common, reporter)?;
    }
    let mut builds: Vec<PlatformBuild> = Vec::new();
    for ((platform, WantedClosure { key: closure, plan, .. }), wheels) in
        chosen.platforms.iter().zip(closures).zip(wheels)
    {
        let name = format!("layers-{}", platform.architecture);
        let directory = temporary.path().join(&name);
        create_below(temporary.path(), Path::new(&name)).map_err(BuildError::temporary(&directory))?;
        let (target, bases) = (&chosen.target, &bases);
        let bytecode = &bytecode;
        let builder = PlatformBuilder { settings, target, platform, bases, plan, closure, bytecode, directory };
        builds.push(builder.build(wheels, &cache.sharing(&known.records), reporter)?);
    }
    let mut artifact = artifact(settings, &chosen.base, &builds);
    let documents = referrers::attach(settings, &chosen, &builds, &mut artifact, reporter)?;
    let written = outputs::write(&files, settings, &artifact, (&builds, documents), &bases)?;
    let loaded = engine.map(|engine| engine.load(settings, &builds, &bases)).transpose()?;
    let pushed = if settings.push {
        Some(registry.push_known(&artifact, &settings.tags, &known.repository, reporter)?)
    } else {
        None
    };
    let closures: Vec<BuiltClosure> = builds.iter().map(PlatformBuild::built_closure).collect();
    let remote_cache = remote_cache::share(remote.as_ref(), &closures, &known, &shared.noted())?;
    let installed = builds.iter().flat_map(|build| &build.distributions);
    let sources = BuildSources::of(common, &settings.documents, &project, (&plans, &chosen.reason), installed, true);
    let sources = sources.filter(|_| loaded.is_none()).map(|sources| {
        let (files, moving) = chosen.noted_base();
        sources.with_base(files, moving).with_outputs(written.files.clone())
    });
    let built = BuiltImage { chosen: &chosen, builds: &builds, artifact: &artifact };
    let report = ImageReport { loaded, remote_cache, ..built.report(written, pushed.as_ref(), started.elapsed()) };
    Ok(BuiltTarget { report, sources })
}

/// Returns the image, or the index of several with the base's annotations.
fn artifact(settings: &ImageSettings, base: &FoundBase, builds: &[PlatformBuild]) -> OciArtifact {
    match builds {
        [only] => OciArtifact::from(&only.image),
        several => {
            let images: Vec<OciImage> = several.iter().map(|built| built.image.clone()).collect();
            let mut annotations = manifest::base_annotations(base.name.as_deref(), base.digest);
            annotations.extend(settings.annotations.clone());
            index::index(&images, &annotations)
        }
    }
}

/// Plans an image, and explains why a distribution is not selected if one is `sought`. Fetches no wheel and writes nothing but
/// what it learns about the base.
///
/// # Errors
/// The project, the lock or the base cannot be read, or they are incompatible.
pub(crate) fn plan_image(
    settings: &ImageSettings,
    sought: Option<&DistributionName>,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<ImagePlanReport, BuildError> {
    let common = &settings.common;
    let session = Session::open_for_plan(&common.cache)?;
    let registry = registry(&settings.registry, &common.environment.registry_credentials, reporter)?;
    let bases = Bases { registry: &registry, offline: common.fetch.offline, cache: &session.cache, reporter };
    let _selecting = RunningPhase::start(reporter, Phase::Select, 0);
    let project = LockedProject::open(common, projects, reporter)?;
    let settings = &*with_command(settings, &project)?;
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(&session.cache, reporter);
    let files = outputs::files(settings, &project)?;
    check_outputs(settings, &project, &files)?;
    let chosen = choose(settings, &project, &bases, &finder, PackageStage::Planned)?;
    let plans = plans(settings, &project, &chosen, &files, &finder, reporter)?;
    let fetch = &origins.fetch;
    plans.iter().try_for_each(|plan| planned::check(plan, common, fetch, &finder, &session.cache, reporter))?;
    if let (Some(handler), Some(plan)) = (command::handler(settings, &chosen.target)?, plans.first()) {
        plan.check_planned_handler(&handler, common, reporter)?;
    }
    Ok(ImagePlanReport {
        format: FORMAT_VERSION,
        profile: chosen.target.name.clone(),
        python: chosen.target.python.to_string(),
        reason: chosen.reason.clone(),
        base: chosen.base_report(),
        platforms: plans
            .iter()
            .map(|plan| {
                let absence = sought.map(|name| absence(plan, common, name));
                crate::pipeline::report::plan(plan, absence, &chosen.reason, &session.cache, None, Vec::new())
            })
            .collect(),
        outputs: files.iter().map(ToString::to_string).collect(),
    })
}

/// Returns the digest of the plan of an image, as [`BuildSources`] have it; `None` if the files of its project do not decide that
/// its lock matches.
///
/// # Errors
/// As [`plan_image`].
pub(crate) fn noted_plan(settings: &ImageSettings, projects: &ProjectCache) -> Result<Option<Sha256>, BuildError> {
    let (common, reporter) = (&settings.common, &Silent);
    let session = Session::open_for_plan(&common.cache)?;
    let registry = registry(&settings.registry, &common.environment.registry_credentials, reporter)?;
    let bases = Bases { registry: &registry, offline: common.fetch.offline, cache: &session.cache, reporter };
    let project = LockedProject::open(common, projects, reporter)?;
    let settings = &*with_command(settings, &project)?;
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(&session.cache, reporter);
    let files = outputs::files(settings, &project)?;
    let chosen = choose(settings, &project, &bases, &finder, PackageStage::Planned)?;
    let plans = plans(settings, &project, &chosen, &files, &finder, reporter)?;
    Ok(project.is_locked_by_files.then(|| plan_digest(&plans, &chosen.reason)))
}

fn files_to_write(settings: &ImageSettings, files: &[ImageFile]) -> Vec<PlannedOutput> {
    files.iter().map(|file| PlannedOutput::image(file, &settings.documents)).collect()
}

/// Checks what the outputs would replace, as far as it is known without a base.
fn check_outputs(settings: &ImageSettings, project: &LockedProject, files: &[ImageFile]) -> Result<(), BuildError> {
    planned_outputs::check_early(&files_to_write(settings, files), project, &settings.common, settings.base.as_ref())
}

/// Plans each platform, and checks what the outputs would replace. Those of earlier builds are excluded from the
/// application.
fn plans<'a>(
    settings: &ImageSettings,
    project: &'a LockedProject,
    chosen: &ImageChoice,
    files: &[ImageFile],
    finder: &FileFinder,
    reporter: &dyn Reporter,
) -> Result<Vec<Plan<'a>>, BuildError> {
    let mut plans = Vec::with_capacity(settings.platforms.len());
    for target in chosen.targets() {
        plans.push(Plan::new(project, &settings.common, target, None, finder, reporter)?);
    }
    planned_outputs::check(&files_to_write(settings, files), &plans, &settings.common, Some(&chosen.choice))?;
    for plan in &mut plans {
        plan.exclude_outputs(files.iter().flat_map(|file| documents::paths(&file.path)));
    }
    Ok(plans)
}
