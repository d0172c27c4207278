//! What an image is built for and on: its profile, its Python and its base.

use std::path::PathBuf;

use crate::digest::Sha256;
use crate::image::file::INDEX;
use crate::image::{Base, BasePython, python as base_python};
use crate::index::FileFinder;
use crate::pipeline::BuildError;
use crate::pipeline::image::base::{Bases, FoundBase};
use crate::pipeline::image::command;
use crate::pipeline::image::packages::{self, PackageStage, SystemPackages};
use crate::pipeline::plan::python::{self, newest_supported};
use crate::pipeline::plan::{self, LockedProject};
use crate::platform::{
    Architecture, CLibrary, ImageProfile, ImageTarget, Musl, Profile, ProfileKind, PythonVendor, PythonVersion,
    TargetPlatform, allowed_pythons, check_requested, listed_pythons,
};
use crate::report::BaseReport;
use crate::settings::{BaseChoice, ImageSettings, ProfileChoice, Settings};

/// The profile that images use by default.
const DEFAULT_PROFILE: &str = "service";

/// The version of musl that a base which is not read may have.
const NEWEST_MUSL: Musl = Musl { minor: 2, patch: 6 };

/// The profile, Python and base of an image.
pub(crate) struct ImageChoice {
    /// The profile, with the chosen version of Python.
    pub target: ImageTarget,
    pub reason: String,
    pub choice: BaseChoice,
    pub base: FoundBase,
    /// In the order of the settings.
    pub platforms: Vec<ChosenPlatform>,
}

/// A platform that an image is built for, with its base.
pub(crate) struct ChosenPlatform {
    pub architecture: Architecture,
    pub base: Base,
    /// The interpreter of the base; an empty base has none.
    pub python: Option<BasePython>,
    /// The version of the base's C library if that is musl.
    pub musl: Option<Musl>,
    /// What is put on the base.
    pub packages: Option<SystemPackages>,
    /// Who built the interpreter.
    pub vendor: PythonVendor,
}

impl ChosenPlatform {
    /// Returns the platform as OCI writes it, for instance `linux/arm64`.
    pub(crate) fn oci_name(&self) -> String {
        format!("linux/{}", self.architecture.oci_name())
    }
}

/// Returns the platform of an image on a base with or without musl.
fn platform_on(target: &ImageTarget, architecture: Architecture, musl: Option<Musl>) -> TargetPlatform {
    let platform = target.target(architecture);
    TargetPlatform { libc: musl.map_or(platform.libc, CLibrary::Musl), ..platform }
}

impl ImageChoice {
    /// Returns the files that tell which image the base is and what is put on it, and the reference that may stand for another
    /// base tomorrow with the digest that it stands for today.
    pub(super) fn noted_base(&self) -> (Vec<PathBuf>, Option<(String, Sha256)>) {
        let packages = self.platforms.iter().filter_map(|platform| platform.packages.as_ref());
        let mut files: Vec<PathBuf> = packages.map(|packages| packages.lock.clone()).collect();
        match &self.choice {
            BaseChoice::Scratch => (files, None),
            BaseChoice::File(file) => {
                files.push(if file.format.is_directory() { file.path.join(INDEX) } else { file.path.clone() });
                (files, None)
            }
            BaseChoice::Registry(reference) => {
                let moving = self.base.digest.filter(|_| !self.base.is_pinned);
                (files, moving.map(|digest| (reference.to_string(), digest)))
            }
        }
    }

    /// Returns the platforms that the image is built for.
    pub(super) fn targets(&self) -> impl Iterator<Item = TargetPlatform> {
        self.platforms.iter().map(|platform| TargetPlatform {
            vendor: platform.vendor,
            ..platform_on(&self.target, platform.architecture, platform.musl)
        })
    }

    /// Reports the base.
    pub(crate) fn base_report(&self) -> BaseReport {
        BaseReport {
            name: self.choice.to_string(),
            digest: self.base.digest.map(|digest| digest.to_string()),
            pinned: self.base.is_pinned,
        }
    }
}

/// Returns the profile of the image.
///
/// # Errors
/// There is no such profile, it cannot be read, or it is not for images.
pub(super) fn profile(settings: &Settings) -> Result<ImageProfile, BuildError> {
    Ok(match &settings.profile {
        ProfileChoice::Default => Profile::built_in(DEFAULT_PROFILE, None)?.image()?,
        ProfileChoice::BuiltIn(name) => Profile::built_in(name, Some(ProfileKind::Image))?.image()?,
        ProfileChoice::File(path) => Profile::from_toml(&plan::read(path)?, path)?.image()?,
    })
}

/// Chooses the version of Python and the base, which must contain that version.
///
/// A base that the user names decides the version if the project leaves it open; a base of the profile follows the
/// version.
pub(super) fn choose(
    settings: &ImageSettings,
    project: &LockedProject,
    bases: &Bases,
    finder: &FileFinder,
    stage: PackageStage,
) -> Result<ImageChoice, BuildError> {
    let profile = profile(&settings.common)?;
    if let Some(architecture) = settings.platforms.iter().find(|wanted| !profile.architectures.contains(wanted)) {
        return Err(BuildError::NoArchitecture { profile: profile.name, architecture: *architecture });
    }
    // What is wrong on this machine is known at once: only then is a registry asked.
    if let Some(python) = settings.python.or(profile.pythons.last().copied()) {
        command::check(settings, &profile.target(python))?;
    }
    plan::check_included(&settings.common, &project.workspace)?;
    if let Some(python) = settings.python {
        check_selection(settings, project, &profile.target(python))?;
    }
    let (target, reason, choice, base, candidates) = match settings.base.clone() {
        Some(choice) => {
            let base = bases.find(&choice)?;
            let candidates = platform_candidates(settings, project, bases, &base, stage)?;
            let mut versions: Vec<_> =
                candidates.iter().flat_map(|candidate| &candidate.pythons).map(|python| python.version).collect();
            versions.sort_unstable();
            versions.dedup();
            let versions = Some(&*versions).filter(|versions| !versions.is_empty());
            let libraries: Vec<_> = candidates.iter().map(|candidate| candidate.musl).collect();
            let (python, reason) = python_version(settings, project, &profile, versions, &libraries, Some(finder))?;
            (profile.target(python), reason, choice, base, candidates)
        }
        None => {
            let (python, reason) = python_version(settings, project, &profile, None, &[], Some(finder))?;
            let target = profile.target(python);
            check_selection(settings, project, &target)?;
            let choice = base_of_profile(&settings.common, &target)?;
            let base = bases.find(&choice)?;
            let candidates = platform_candidates(settings, project, bases, &base, stage)?;
            (target, reason, choice, base, candidates)
        }
    };
    let mut platforms = Vec::with_capacity(candidates.len());
    for PlatformCandidate { architecture, base, pythons, musl, packages } in candidates {
        let is_empty = base.all_layers().next().is_none();
        let chosen = || base_python::choose(&pythons, base.env("PATH"), target.python);
        let python = (!is_empty).then(chosen).transpose()?;
        let vendor = bases.vendor(&base, python.as_ref())?;
        platforms.push(ChosenPlatform { architecture, base, python, musl, packages, vendor });
    }
    Ok(ImageChoice { target, reason, choice, base, platforms })
}

/// Returns the base of an image without reading it.
///
/// # Errors
/// As [`choose`].
pub(super) fn base_choice(
    settings: &ImageSettings,
    project: &LockedProject,
    finder: &FileFinder,
) -> Result<BaseChoice, BuildError> {
    if let Some(choice) = settings.base.clone() {
        return Ok(choice);
    }
    let profile = profile(&settings.common)?;
    let (python, _) = python_version(settings, project, &profile, None, &[], Some(finder))?;
    base_of_profile(&settings.common, &profile.target(python))
}

/// Checks that the lock selects something for every platform.
fn check_selection(settings: &ImageSettings, project: &LockedProject, target: &ImageTarget) -> Result<(), BuildError> {
    // uv would resolve twice.
    if settings.common.requirements.resolve {
        return Ok(());
    }
    let select = |musl: Option<Musl>| {
        let mut platforms = settings.platforms.iter().map(|architecture| platform_on(target, *architecture, musl));
        platforms.try_for_each(|platform| project.selection(&settings.common, &platform).map(|_| ()))
    };
    // A lock may be for either C library.
    select(None).or_else(|error| select(Some(NEWEST_MUSL)).map_err(|_| error))
}

/// Returns the requested version of Python or the default one, and the reason for it. `of_base` are the versions of a base that
/// was read; `libraries` are the C libraries of the bases if they are known, in the order of the platforms.
fn python_version(
    settings: &ImageSettings,
    project: &LockedProject,
    profile: &ImageProfile,
    of_base: Option<&[PythonVersion]>,
    libraries: &[Option<Musl>],
    finder: Option<&FileFinder>,
) -> Result<(PythonVersion, String), BuildError> {
    if let Some(python) = settings.python {
        check_requested(python, profile, of_base.is_some())?;
        return Ok((python, "as requested".to_owned()));
    }
    let pin = project.python_pin(project.member(&settings.common))?;
    let requires_python = project.declared.requires_python.as_ref();
    let (pythons, reason) = match of_base {
        Some(versions) => allowed_pythons(versions, pin.as_ref(), requires_python)?,
        None => listed_pythons(&profile.pythons, pin.as_ref(), requires_python)?,
    };
    let targets = |python: &PythonVersion| {
        let target = profile.target(*python);
        let libraries = libraries.iter().copied().chain(std::iter::repeat(None));
        settings.platforms.iter().zip(libraries).map(|(at, musl)| platform_on(&target, *at, musl)).collect()
    };
    let name = |python: &PythonVersion| python.to_string();
    let (at, passed_over) = newest_supported(&pythons, name, targets, project, &settings.common, finder)?;
    Ok((pythons[at], python::reason(&reason, passed_over)))
}

/// A platform before the version of Python is chosen, with the interpreters of its base.
struct PlatformCandidate {
    architecture: Architecture,
    base: Base,
    pythons: Vec<BasePython>,
    musl: Option<Musl>,
    packages: Option<SystemPackages>,
}

/// Returns the platforms of the settings, in their order.
fn platform_candidates(
    settings: &ImageSettings,
    project: &LockedProject,
    bases: &Bases,
    found: &FoundBase,
    stage: PackageStage,
) -> Result<Vec<PlatformCandidate>, BuildError> {
    let mut candidates = Vec::with_capacity(settings.platforms.len());
    for &architecture in &settings.platforms {
        let mut base = bases.base(found, architecture)?;
        let packages = packages::install(settings, project, bases, &mut base, stage)?;
        let pythons = bases.pythons(&base, settings.python)?;
        let musl = bases.musl(&base)?;
        candidates.push(PlatformCandidate { architecture, base, pythons, musl, packages });
    }
    Ok(candidates)
}

/// Returns the base that a profile names. A local base is relative to the profile's file.
fn base_of_profile(settings: &Settings, target: &ImageTarget) -> Result<BaseChoice, BuildError> {
    let choice: BaseChoice = target.base.parse()?;
    Ok(match &settings.profile {
        ProfileChoice::File(file) => choice.in_directory(file.parent().unwrap_or(file)),
        ProfileChoice::Default | ProfileChoice::BuiltIn(_) => choice,
    })
}

/// Returns the target platforms and bases that an image may have, as far as they are known without reading the base.
///
/// # Errors
/// There is no such profile, or the project allows no version of Python.
pub(crate) fn candidates(
    settings: &ImageSettings,
    project: &LockedProject,
) -> Result<(Vec<TargetPlatform>, Vec<BaseChoice>), BuildError> {
    let profile = profile(&settings.common)?;
    let pin = project.python_pin(project.member(&settings.common))?;
    let requires_python = project.declared.requires_python.as_ref();
    let pythons: Vec<PythonVersion> = if settings.base.is_some() && pin.is_none() && settings.python.is_none() {
        // The base decides the version.
        let allowed = |python: &&PythonVersion| allowed_pythons(&[**python], None, requires_python).is_ok();
        profile.pythons.iter().filter(allowed).copied().collect()
    } else {
        vec![python_version(settings, project, &profile, None, &[], None)?.0]
    };
    let (mut targets, mut bases) = (Vec::new(), Vec::new());
    for python in pythons.into_iter().rev() {
        let target = profile.target(python);
        targets.extend(settings.platforms.iter().map(|architecture| target.target(*architecture)));
        if settings.base.is_some() {
            let musl = Some(NEWEST_MUSL);
            targets.extend(settings.platforms.iter().map(|architecture| platform_on(&target, *architecture, musl)));
        }
        bases.push(settings.base.clone().map_or_else(|| base_of_profile(&settings.common, &target), Ok)?);
    }
    Ok((targets, bases))
}
