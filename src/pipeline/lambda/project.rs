//! The project of a function, and the runtime that it is built for.

use std::borrow::Cow;

use super::service;
use crate::cache::Cache;
use crate::fetch::DownloadOptions;
use crate::index::FileFinder;
use crate::pipeline::plan::provided::RuntimeSdk;
use crate::pipeline::plan::python::{self, newest_supported};
use crate::pipeline::plan::{self, LockedProject, Plan};
use crate::pipeline::{BuildError, wheels};
use crate::platform::{LambdaProfile, Profile, allowed_runtimes};
use crate::project::application;
use crate::report::Reporter;
use crate::settings::{LambdaSettings, ProfileChoice, Settings};

/// A project and its Lambda runtime.
pub(super) struct LambdaProject {
    pub(super) project: LockedProject,
    pub(super) profile: LambdaProfile,
    /// Why it was chosen.
    pub(super) reason: String,
}

impl LambdaProject {
    /// Chooses the runtime.
    ///
    /// # Errors
    /// There is no such runtime, or not for the architecture.
    pub(super) fn new(
        project: LockedProject,
        settings: &LambdaSettings,
        finder: &FileFinder,
    ) -> Result<Self, BuildError> {
        let (profile, reason) = runtime(settings, &project, Some(finder))?;
        let architecture = settings.architecture;
        if !profile.architectures.contains(&architecture) {
            return Err(BuildError::NoArchitecture { profile: profile.name, architecture });
        }
        service::check_layers(&profile, settings)?;
        Ok(Self { project, profile, reason })
    }

    /// Plans the function.
    ///
    /// # Errors
    /// See [`Plan::new`].
    pub(super) fn plan(
        &self,
        settings: &LambdaSettings,
        finder: &FileFinder,
        (cache, fetch): (&Cache, Option<&DownloadOptions>),
        reporter: &dyn Reporter,
    ) -> Result<Plan<'_>, BuildError> {
        application::check_for_zip(&settings.common.includes)?;
        let runtime = RuntimeSdk {
            distributions: &self.profile.runtime_distributions,
            versions: &self.profile.runtime_versions,
            requires: &|wheels| wheels::requirements::of(wheels, finder, cache, fetch),
        };
        let runtime = settings.exclude_runtime.then_some(&runtime);
        let target = self.profile.target(settings.architecture);
        let mut common = Cow::Borrowed(&settings.common);
        if !self.profile.excluded_files.is_empty() {
            common.to_mut().excludes.extend(self.profile.excluded_files.iter().cloned());
        }
        let plan = Plan::new(&self.project, &common, target, runtime, finder, reporter)?;
        service::check_files(&self.profile, &plan)?;
        Ok(plan)
    }
}

/// Returns the requested runtime or the project's default, and the reason for it.
///
/// # Errors
/// There is no such runtime.
pub(super) fn runtime(
    settings: &LambdaSettings,
    project: &LockedProject,
    finder: Option<&FileFinder>,
) -> Result<(LambdaProfile, String), BuildError> {
    let common = &settings.common;
    if let Some(named) = named_runtime(common)? {
        return Ok(named);
    }
    let pin = project.python_pin(project.member(common))?;
    let requires_python = project.declared.requires_python.as_ref();
    let (mut profiles, reason) = allowed_runtimes(pin.as_ref(), requires_python)?;
    let targets = |profile: &LambdaProfile| vec![profile.target(settings.architecture)];
    let name = |profile: &LambdaProfile| profile.name.clone();
    let (at, passed_over) = newest_supported(&profiles, name, targets, project, common, finder)?;
    Ok((profiles.swap_remove(at), python::reason(&reason, passed_over)))
}

/// Returns the profile that the user names, if any, and why it is that one.
fn named_runtime(common: &Settings) -> Result<Option<(LambdaProfile, String)>, BuildError> {
    Ok(match &common.profile {
        ProfileChoice::BuiltIn(name) => Some((LambdaProfile::built_in(name)?, "as requested".to_owned())),
        ProfileChoice::File(path) => {
            let profile = Profile::from_toml(&plan::read(path)?, path)?.lambda()?;
            Some((profile, format!("from {}", path.display())))
        }
        ProfileChoice::Default => None,
    })
}

/// Returns the service that the user builds for, if that is not Lambda.
///
/// # Errors
/// There is no such profile.
pub(crate) fn other_service(settings: &LambdaSettings) -> Result<Option<String>, BuildError> {
    // By default, it is a runtime of Lambda.
    let profile = named_runtime(&settings.common)?.map(|(profile, _)| profile);
    Ok(profile.filter(|profile| !profile.is_lambda()).map(|profile| profile.service))
}
