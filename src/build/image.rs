//! From a plan for each platform to an image, its files, and a registry.

use std::time::Instant;

use super::base::{Bases, Found};
use super::image_report::Outcome;
use super::indexes::Origins;
use super::plan::{self, LockedProject, Plan};
use super::platform::{Parts, PlatformImage};
use super::workplace::{Workplace, registry};
use super::{BuildError, Opened, attach, documents, outputs, report, requirements, start, wheels};
use crate::image::file::ArtifactFile;
use crate::image::{Artifact, Base, Image, Python, index, manifest, python};
use crate::index::Finder;
use crate::platform::{
    Architecture, ImageProfile, ImageTarget, Profile, PythonVersion, TargetPlatform, default_python,
};
use crate::report::{BaseReport, FORMAT_VERSION, ImagePlanReport, ImageReport, Reporter};
use crate::settings::{BaseChoice, ImageSettings, ProfileChoice, Settings};

/// The profile of an image if none is named.
const DEFAULT_PROFILE: &str = "service";

/// What an image is built for, and on.
pub struct Chosen {
    /// The profile for the chosen version of Python.
    pub target: ImageTarget,
    /// Why it is this version.
    pub reason: String,
    /// The base image as it is named.
    pub choice: BaseChoice,
    /// The base image.
    pub base: Found,
    /// The base and its interpreter, for each platform in the order of the settings. An empty base has no interpreter.
    pub platforms: Vec<(Architecture, Base, Option<Python>)>,
}

impl Chosen {
    /// Reports the base.
    pub fn base_report(&self) -> BaseReport {
        BaseReport {
            name: self.choice.to_string(),
            digest: self.base.digest.map(|digest| digest.to_string()),
            pinned: self.base.is_pinned,
        }
    }
}

/// Builds an image, or one for each platform and their index, writes it to files and pushes it.
///
/// The files appear at their places when all of them are complete; then the image is pushed.
///
/// # Errors
/// Any stage fails. Before the push, nothing is written then; after a failed push, no tag is set.
pub fn image(settings: &ImageSettings, opened: &Opened, reporter: &dyn Reporter) -> Result<ImageReport, BuildError> {
    let started = Instant::now();
    let common = &settings.common;
    let workplace = Workplace::open(&common.cache)?;
    let (temporary, cache) = (&workplace.temporary, &workplace.cache);
    let registry = registry(&settings.registry, &common.environment)?;
    let bases = Bases { registry: &registry, offline: common.fetch.offline, cache, reporter };

    let project = LockedProject::open(common, opened, reporter)?;
    let chosen = choose(settings, &project, &bases)?;
    start::check(settings, &chosen.target)?;
    let files = outputs::places(settings, &project)?;
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(cache, reporter);
    let plans = plans(settings, &project, &chosen.target, &files, &finder, reporter)?;

    let wheels = wheels::obtain(common, &project, &origins.fetch, &plans, cache, temporary.path(), reporter)?;
    let complete = |(plan, wheels)| requirements::check(plan, wheels, common, reporter);
    plans.iter().zip(&wheels).try_for_each(complete)?;
    let mut images = Vec::new();
    for (position, (_, base, python)) in chosen.platforms.iter().enumerate() {
        let folder = temporary.path().join(format!("layers-{position}"));
        std::fs::create_dir_all(&folder).map_err(BuildError::Temporary)?;
        let (plan, wheels, python) = (&plans[position], &wheels[position], python.as_ref());
        let (target, bases) = (&chosen.target, &bases);
        let parts = Parts { settings, target, base, bases, python, plan, wheels, folder: &folder };
        images.push(parts.image(cache, reporter)?);
    }
    let mut artifact = artifact(settings, &chosen.base, &images);
    let documents = attach::attach(settings, &chosen, &plans, &wheels, &mut artifact)?;
    let written = outputs::write(&files, settings, &artifact, (&images, documents), &bases)?;
    let pushed = if settings.push { Some(registry.push(&artifact, &settings.tags, reporter)?) } else { None };
    let outcome = Outcome { chosen: &chosen, plans: &plans, wheels: &wheels, images: &images, artifact: &artifact };
    Ok(outcome.report(written, pushed.as_ref(), started.elapsed()))
}

/// Returns the image, or the index of several, which names what it is based on as each image does.
fn artifact(settings: &ImageSettings, base: &Found, images: &[PlatformImage]) -> Artifact {
    match images {
        [only] => Artifact::from(&only.image),
        several => {
            let images: Vec<Image> = several.iter().map(|built| built.image.clone()).collect();
            let mut annotations = manifest::base_annotations(base.name.as_deref(), base.digest);
            annotations.extend(settings.annotations.clone());
            index::index(&images, &annotations)
        }
    }
}

/// Says what would be built and why. Fetches no wheel and writes nothing, but what it finds out of the base.
///
/// # Errors
/// The project, the lock or the base cannot be read, or they do not fit each other.
pub fn plan_image(
    settings: &ImageSettings,
    opened: &Opened,
    reporter: &dyn Reporter,
) -> Result<ImagePlanReport, BuildError> {
    let common = &settings.common;
    let workplace = Workplace::open_for_plan(&common.cache)?;
    let registry = registry(&settings.registry, &common.environment)?;
    let bases = Bases { registry: &registry, offline: common.fetch.offline, cache: &workplace.cache, reporter };
    let project = LockedProject::open(common, opened, reporter)?;
    let chosen = choose(settings, &project, &bases)?;
    start::check(settings, &chosen.target)?;
    let files = outputs::places(settings, &project)?;
    let origins = Origins::new(common, &project)?;
    let finder = origins.finder(&workplace.cache, reporter);
    let plans = plans(settings, &project, &chosen.target, &files, &finder, reporter)?;
    plans.iter().try_for_each(|plan| requirements::check_planned(plan, common, &finder, &workplace.cache, reporter))?;
    let platform = |plan| report::plan(plan, &chosen.reason, &workplace.cache, None, Vec::new());
    Ok(ImagePlanReport {
        format: FORMAT_VERSION,
        profile: chosen.target.name.clone(),
        python: chosen.target.python.to_string(),
        reason: chosen.reason.clone(),
        base: chosen.base_report(),
        platforms: plans.iter().map(platform).collect(),
        outputs: files.iter().map(ToString::to_string).collect(),
    })
}

/// Returns the profile of the image.
///
/// # Errors
/// There is no such profile, it cannot be read, or it is not an image's.
pub fn profile(settings: &Settings) -> Result<ImageProfile, BuildError> {
    Ok(match &settings.profile {
        ProfileChoice::Default => Profile::built_in(DEFAULT_PROFILE)?.image()?,
        ProfileChoice::BuiltIn(name) => Profile::built_in(name)?.image()?,
        ProfileChoice::File(path) => Profile::from_toml(&plan::read(path)?, path)?.image()?,
    })
}

/// Chooses the version of Python and the base, which must have it.
///
/// A base that the user names decides the version where the project leaves it open; a base of the profile follows it.
fn choose(settings: &ImageSettings, project: &LockedProject, bases: &Bases) -> Result<Chosen, BuildError> {
    let profile = profile(&settings.common)?;
    if let Some(architecture) = settings.platforms.iter().find(|wanted| !profile.architectures.contains(wanted)) {
        return Err(BuildError::NoArchitecture { profile: profile.name, architecture: *architecture });
    }
    let member = project.member(&settings.common);
    let version = |candidates: &[_]| -> Result<_, BuildError> {
        if let Some(python) = settings.python {
            return Ok((python, "as asked".to_owned()));
        }
        let file = project.python_version_file(member)?;
        let requires_python = project.declared.requires_python.as_ref();
        let (python, reason) = default_python(candidates, file.as_deref(), requires_python)?;
        Ok((python, reason.to_string()))
    };
    let of_platforms = |found: &Found| -> Result<Vec<_>, BuildError> {
        let base = |architecture: &Architecture| {
            let base = bases.base(found, *architecture)?;
            let pythons = bases.pythons(&base)?;
            Ok((*architecture, base, pythons))
        };
        settings.platforms.iter().map(base).collect()
    };
    let (target, reason, choice, base, platforms) = match settings.base.clone() {
        Some(choice) => {
            let base = bases.find(&choice)?;
            let platforms = of_platforms(&base)?;
            let mut versions: Vec<_> =
                platforms.iter().flat_map(|(_, _, pythons)| pythons).map(|python| python.version).collect();
            versions.sort_unstable();
            versions.dedup();
            let (python, reason) = version(if versions.is_empty() { &profile.pythons } else { &versions })?;
            (profile.target(python), reason, choice, base, platforms)
        }
        None => {
            let (python, reason) = version(&profile.pythons)?;
            let target = profile.target(python);
            let choice = base_of_profile(&settings.common, &target)?;
            let base = bases.find(&choice)?;
            let platforms = of_platforms(&base)?;
            (target, reason, choice, base, platforms)
        }
    };
    let with_python = |(architecture, base, pythons): (Architecture, Base, Vec<Python>)| {
        let is_empty = base.layers.is_empty();
        let chosen = match is_empty {
            true => None,
            false => Some(python::choose(&pythons, base.env("PATH"), target.python)?),
        };
        Ok((architecture, base, chosen))
    };
    let platforms = platforms.into_iter().map(with_python).collect::<Result<_, BuildError>>()?;
    Ok(Chosen { target, reason, choice, base, platforms })
}

/// Returns the base that a profile names. One that lies in a folder lies beside the profile.
fn base_of_profile(settings: &Settings, target: &ImageTarget) -> Result<BaseChoice, BuildError> {
    let choice: BaseChoice = target.base.parse()?;
    Ok(match &settings.profile {
        ProfileChoice::File(file) => choice.in_folder(file.parent().unwrap_or(file)),
        ProfileChoice::Default | ProfileChoice::BuiltIn(_) => choice,
    })
}

/// Returns what an image may be for and on, as far as that is known without a look at the base: for each platform and
/// version of Python the target, and the bases.
///
/// # Errors
/// There is no such profile, or the project allows no version of Python.
pub fn candidates(
    settings: &ImageSettings,
    project: &LockedProject,
) -> Result<(Vec<TargetPlatform>, Vec<BaseChoice>), BuildError> {
    let profile = profile(&settings.common)?;
    let file = project.python_version_file(project.member(&settings.common))?;
    let requires_python = project.declared.requires_python.as_ref();
    let is_open = settings.base.is_some() && file.is_none();
    let pythons: Vec<PythonVersion> = match settings.python {
        Some(python) => vec![python],
        // The base decides.
        None if is_open => {
            let is_allowed = |python: &&PythonVersion| default_python(&[**python], None, requires_python).is_ok();
            profile.pythons.iter().filter(is_allowed).copied().collect()
        }
        None => vec![default_python(&profile.pythons, file.as_deref(), requires_python)?.0],
    };
    let (mut targets, mut bases) = (Vec::new(), Vec::new());
    for python in pythons.into_iter().rev() {
        let target = profile.target(python);
        targets.extend(settings.platforms.iter().map(|architecture| target.target(*architecture)));
        bases.push(settings.base.clone().map_or_else(|| base_of_profile(&settings.common, &target), Ok)?);
    }
    Ok((targets, bases))
}

/// Makes the plan of each platform. No image holds what an earlier build wrote.
fn plans<'a>(
    settings: &ImageSettings,
    project: &'a LockedProject,
    target: &ImageTarget,
    files: &[ArtifactFile],
    finder: &Finder,
    reporter: &dyn Reporter,
) -> Result<Vec<Plan<'a>>, BuildError> {
    let plan = |architecture: &Architecture| {
        let mut plan = Plan::new(project, &settings.common, target.target(*architecture), &[], finder, reporter)?;
        plan.leave_out(files.iter().flat_map(|file| documents::places(&file.path)));
        Ok(plan)
    };
    settings.platforms.iter().map(plan).collect()
}
