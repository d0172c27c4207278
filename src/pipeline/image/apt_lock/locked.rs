//! What a lock has: its packages, and what needs them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::apt::lock::{AptLock, ArchitectureClosure};
use crate::debian::PackageName;
use crate::hints::nearest;
use crate::pipeline::apt::PackagesError;
use crate::pipeline::image::packages::lock_path;
use crate::pipeline::plan::LockedProject;
use crate::pipeline::{BuildError, ProjectCache};
use crate::report::{AptListReport, AptPackageReport, AptWhyReport, FORMAT_VERSION, Reporter};
use crate::settings::ImageSettings;

/// The lock of a project.
pub(crate) struct LockedPackages {
    path: PathBuf,
    lock: AptLock,
}

impl LockedPackages {
    /// Reads the lock of the project that images are built from.
    ///
    /// # Errors
    /// The project has no lock of packages, or it is invalid.
    pub(crate) fn read(
        targets: &[ImageSettings],
        projects: &ProjectCache,
        reporter: &dyn Reporter,
    ) -> Result<Self, BuildError> {
        let settings = targets.first().ok_or(PackagesError::NothingToLock)?;
        let project = LockedProject::open(&settings.common, projects, reporter)?;
        let path = lock_path(&project);
        let lock = AptLock::read(&path)?.ok_or_else(|| {
            // A lock may exist although no target requests packages: for those that flags request.
            match targets.iter().find(|target| !target.apt.requested.is_empty()) {
                Some(target) => PackagesError::NoLock { path: path.clone(), flags: target.apt_flags.clone() },
                None => PackagesError::NothingToLock,
            }
        })?;
        Ok(Self { path, lock })
    }

    /// Returns all closures.
    fn closures(&self) -> impl Iterator<Item = &ArchitectureClosure> {
        self.lock.closures.iter().flat_map(|closure| closure.architectures.values())
    }

    /// Lists the packages.
    pub(crate) fn list(&self) -> AptListReport {
        let packages = self.lock.packages.iter().map(|package| {
            let members = self.closures().flat_map(|closure| &closure.members);
            let same: Vec<_> =
                members.filter(|member| member.name == package.name && member.version == package.version).collect();
            let replaces: BTreeSet<String> =
                same.iter().filter_map(|member| Some(member.replaces.as_ref()?.to_string())).collect();
            AptPackageReport {
                name: package.name.to_string(),
                version: package.version.to_string(),
                architecture: package.architecture.to_string(),
                source: package.source.to_string(),
                release: package.release.clone(),
                size: package.size,
                sha256: package.sha256.hex(),
                requested: same.iter().any(|member| member.requested),
                required_by: self.dependents(&package.name),
                replaces: replaces.into_iter().collect(),
            }
        });
        AptListReport { format: FORMAT_VERSION, file: self.path.clone(), packages: packages.collect() }
    }

    /// Returns the packages that need a package directly.
    fn dependents(&self, name: &PackageName) -> Vec<String> {
        let members = self.closures().flat_map(|closure| &closure.members);
        let dependents = members.filter(|member| member.depends.contains(name));
        let names: BTreeSet<String> = dependents.map(|member| member.name.to_string()).collect();
        names.into_iter().collect()
    }

    /// Returns why a package is locked.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn why(&self, name: &PackageName) -> Result<AptWhyReport, BuildError> {
        check_locked(name, &[&self.lock], &self.path)?;
        let paths: BTreeSet<Vec<String>> = self.closures().flat_map(|closure| paths(closure, name)).collect();
        Ok(AptWhyReport { format: FORMAT_VERSION, name: name.to_string(), paths: paths.into_iter().collect() })
    }
}

/// Checks that one of the locks has a package.
///
/// # Errors
/// None has it.
pub(crate) fn check_locked(name: &PackageName, locks: &[&AptLock], path: &Path) -> Result<(), PackagesError> {
    let mut packages = locks.iter().flat_map(|lock| &lock.packages);
    if packages.any(|package| package.name == *name) {
        return Ok(());
    }
    let names = locks.iter().flat_map(|lock| &lock.packages).map(|package| package.name.as_str());
    let nearest = nearest(name.as_str(), names).map(str::to_owned);
    Err(PackagesError::NotInLock { path: path.to_owned(), name: name.clone(), nearest })
}

/// Returns the shortest path to a package from each requested package of a closure.
fn paths(closure: &ArchitectureClosure, name: &PackageName) -> Vec<Vec<String>> {
    let depends: BTreeMap<&PackageName, &[PackageName]> =
        closure.members.iter().map(|member| (&member.name, member.depends.as_slice())).collect();
    let requested = closure.members.iter().filter(|member| member.requested);
    requested.filter_map(|member| path(&depends, &member.name, name)).collect()
}

fn path(depends: &BTreeMap<&PackageName, &[PackageName]>, from: &PackageName, to: &PackageName) -> Option<Vec<String>> {
    let mut before: BTreeMap<&PackageName, &PackageName> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(name) = queue.pop_front() {
        if name == to {
            let mut path = vec![name.to_string()];
            let mut name = name;
            while name != from {
                name = before[name];
                path.push(name.to_string());
            }
            path.reverse();
            return Some(path);
        }
        for next in depends.get(name).copied().unwrap_or_default() {
            if next != from && !before.contains_key(next) {
                before.insert(next, name);
                queue.push_back(next);
            }
        }
    }
    None
}
