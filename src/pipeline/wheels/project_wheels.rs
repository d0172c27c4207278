//! The wheels that local projects would be built into now, as far as the cache knows them. Nothing is built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::cache::{Cache, RecordKind};
use crate::digest::Sha256;
use crate::git::revision;
use crate::name::DistributionName;
use crate::pipeline::wheels::from_source::find_builder;
use crate::pipeline::wheels::wheel_build::directory_key;
use crate::platform::PythonVersion;
use crate::project::workspace::Workspace;
use crate::settings::Settings;

/// A directory, the version of Python that it is built with, and the outputs in it, which are no sources.
type DirectoryBuild = (PathBuf, PythonVersion, Vec<PathBuf>);

/// What was found out so far: targets share local projects, and what builds them.
#[derive(Debug, Default)]
pub(crate) struct ProjectWheels {
    environments: Mutex<BTreeMap<PythonVersion, Option<String>>>,
    wheels: Mutex<BTreeMap<DirectoryBuild, Option<Sha256>>>,
    /// Which directories have uncommitted changes.
    changes: Mutex<BTreeMap<PathBuf, Option<bool>>>,
}

impl ProjectWheels {
    /// Returns what wheels depend on besides their sources; `None` if nothing that builds them is installed.
    pub(crate) fn environment(&self, settings: &Settings, python: PythonVersion, cache: &Cache) -> Option<String> {
        let mut known = self.environments.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(python).or_insert_with(|| Some(find_builder(settings, python, cache).ok()?.environment())).clone()
    }

    /// Returns for each directory whether it has uncommitted changes, as [`revision::has_changes`] does. git is asked once for
    /// all members of a workspace.
    pub(crate) fn have_changes(&self, directories: &[&Path], workspace: &Workspace) -> Vec<Option<bool>> {
        let mut known = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if directories.iter().any(|directory| !known.contains_key(*directory)) {
            let mut asked: Vec<PathBuf> = workspace.members.iter().map(|member| workspace.directory(member)).collect();
            asked.extend(directories.iter().map(|directory| (*directory).to_owned()));
            let changes = revision::has_changes(&asked.iter().map(PathBuf::as_path).collect::<Vec<_>>());
            known.extend(asked.into_iter().zip(changes));
        }
        directories.iter().map(|directory| known.get(*directory).copied().flatten()).collect()
    }

    /// Returns the digest of the wheel that a directory would be built into; `None` if it is not known. `outputs` are
    /// canonical.
    pub(crate) fn of_directory(
        &self,
        (name, directory): (&DistributionName, &Path),
        python: PythonVersion,
        outputs: &[PathBuf],
        settings: &Settings,
        cache: &Cache,
    ) -> Option<Sha256> {
        let canonical = directory.canonicalize().ok()?;
        let outputs: Vec<PathBuf> = outputs.iter().filter(|output| output.starts_with(&canonical)).cloned().collect();
        let environment = self.environment(settings, python, cache)?;
        let mut known = self.wheels.lock().unwrap_or_else(PoisonError::into_inner);
        let build = (canonical, python, outputs);
        if let Some(wheel) = known.get(&build) {
            return *wheel;
        }
        let variables = &settings.environment.references;
        let key = directory_key(name, directory, &build.2, variables, &environment, cache);
        let wheel = key.and_then(|key| cache.record::<(String, Sha256)>(RecordKind::Built, key));
        let wheel = wheel.map(|(_, wheel)| wheel);
        known.insert(build, wheel);
        wheel
    }
}
