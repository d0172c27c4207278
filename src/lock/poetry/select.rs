//! Which of the locked distributions a target needs.
//!
//! Since version 2.1 of the format each says by itself which groups need it, and where. Before, that follows from a walk
//! from the project's requirements, as Poetry resolves them again with nothing but the locked distributions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::declared::MAIN;
use super::files::Locator;
use super::walk::{Start, Walk};
use super::{PackageIndex, PoetryLock};
use crate::lock::error::LockError;
use crate::lock::path::join;
use crate::lock::{Choices, Dependent, Pinned, Request, Selection, Source};
use crate::marker::ActiveExtras;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::platform::{LambdaProfile, MarkerEnvironment, TargetPlatform};

/// The highest patch version of Python that is looked for in a lock's range.
const MAX_PATCH: u64 = 99;

/// What Poetry calls a project that has no name.
const NAMELESS: &str = "non-package-mode";

/// The groups and extras that are asked for.
pub struct Asked {
    /// Whether the project and its requirements are.
    pub main: bool,
    /// The groups, without the main one.
    pub groups: BTreeSet<GroupName>,
    /// The extras.
    pub extras: BTreeSet<ExtraName>,
}

impl PoetryLock {
    /// Selects the distributions for a target.
    ///
    /// # Errors
    ///
    /// [`LockError`], if the lock is not for the target, or does not have what is asked for.
    pub fn select(&self, request: &Request, target: &TargetPlatform) -> Result<Selection, LockError> {
        let environment = self.environment(target)?;
        let name = self.name();
        self.check_member(request, &name)?;
        let asked = self.asked(request, &name)?;
        let starts = self.starts(&asked, &name);
        let reached = if self.has_groups() {
            let selected = self.recorded(&asked, &environment);
            let mut dependents = Walk::new(self, &environment).among(&starts, &selected);
            // They are selected whether or not the project's file still says why.
            selected.into_iter().map(|index| (index, dependents.remove(&index).unwrap_or_default())).collect()
        } else {
            Walk::new(self, &environment).resolve(&starts)?
        };
        self.check_one_version_each(&reached)?;
        let mut distributions = self.root(request, &asked, &name);
        let locator = Locator { path: &self.path, folder: &self.folder, metadata: &self.metadata };
        for (index, dependents) in reached {
            let Some(package) = self.packages.get(index) else { continue };
            if request.no_install_packages.contains(&package.name) {
                continue;
            }
            distributions.push(Pinned {
                name: package.name.clone(),
                version: Some(package.version.clone()),
                required_by: dependents.into_iter().collect(),
                source: locator.source(package)?,
            });
        }
        distributions.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Selection { distributions })
    }

    /// Returns the values that markers are evaluated against, after refusing a target that the lock is not for.
    fn environment(&self, target: &TargetPlatform) -> Result<MarkerEnvironment, LockError> {
        let environment = target.marker_environment();
        let constraint = &self.metadata.python_versions;
        if constraint.allows(&environment.python_full_version) {
            return Ok(environment);
        }
        // A range may begin or end within a minor version; the runtime's own patch version is not known.
        let mut patches = (0..=MAX_PATCH).map(|patch| target.python.patch_release(patch));
        match patches.find(|version| constraint.allows(version)) {
            Some(version) => Ok(MarkerEnvironment::new(&version, target.architecture)),
            None => {
                let specifiers = constraint.to_python_specifiers();
                let runtimes = LambdaProfile::all().filter(|profile| profile.python.is_allowed_by(&specifiers));
                Err(LockError::PythonOutOfRange {
                    path: self.path.clone(),
                    target: target.name.clone(),
                    python: target.python,
                    requires_python: specifiers.to_string(),
                    runtimes: runtimes.map(|profile| profile.name.as_str()).collect(),
                })
            }
        }
    }

    /// Returns the project's name. One that has none is called by its folder's, or else as Poetry calls it.
    pub fn name(&self) -> DistributionName {
        let folder = std::path::absolute(&self.folder).ok();
        let of_folder = || folder.as_deref().and_then(Path::file_name)?.to_str()?.parse().ok();
        let name = self.project.name.clone().or_else(of_folder);
        name.unwrap_or_else(|| NAMELESS.parse().expect("a valid name"))
    }

    fn check_member(&self, request: &Request, own: &DistributionName) -> Result<(), LockError> {
        match &request.package {
            Some(name) if name != own => Err(LockError::UnknownMember {
                path: self.path.clone(),
                name: name.clone(),
                members: vec![own.to_string()],
            }),
            _ => Ok(()),
        }
    }

    fn asked(&self, request: &Request, own: &DistributionName) -> Result<Asked, LockError> {
        if let Some(extra) = request.extras.iter().find(|extra| !self.extras.contains(extra)) {
            return Err(LockError::UnknownExtra {
                path: self.path.clone(),
                projects: vec![own.to_string()],
                extra: extra.to_string(),
                known: self.extras.iter().map(ToString::to_string).collect(),
            });
        }
        let is_main = |group: &GroupName| group.as_str() == MAIN;
        let known = self.groups();
        let groups: BTreeSet<GroupName> = request.groups.union(&request.only_groups).cloned().collect();
        if let Some(group) = groups.iter().find(|group| !is_main(group) && !known.contains(group)) {
            return Err(LockError::UnknownGroup {
                path: self.path.clone(),
                projects: vec![own.to_string()],
                group: group.to_string(),
                known: known.iter().map(ToString::to_string).collect(),
            });
        }
        Ok(Asked {
            main: request.only_groups.is_empty() || groups.iter().any(is_main),
            groups: groups.into_iter().filter(|group| !is_main(group)).collect(),
            extras: if request.all_extras { self.extras.clone() } else { request.extras.clone() },
        })
    }

    /// Returns the groups that the project and the lock name.
    fn groups(&self) -> BTreeSet<&GroupName> {
        let in_lock = self.packages.iter().filter_map(|package| package.groups.as_ref()).flatten();
        self.project.groups.keys().chain(in_lock).collect()
    }

    /// Returns what may be asked for besides the project.
    pub fn choices(&self) -> Choices {
        let groups = self.groups().into_iter().filter(|group| group.as_str() != MAIN);
        Choices { extras: self.extras.clone(), groups: groups.cloned().collect() }
    }

    /// Returns the project itself, unless it is left out.
    fn root(&self, request: &Request, asked: &Asked, name: &DistributionName) -> Vec<Pinned> {
        let is_left_out = request.no_install_project
            || request.no_install_workspace
            || request.no_install_packages.contains(name)
            || !request.only_groups.is_empty();
        if is_left_out || !asked.main {
            return Vec::new();
        }
        let folder = join(&self.folder, "");
        vec![Pinned {
            name: name.clone(),
            version: self.project.version.clone(),
            required_by: vec![Dependent::Root],
            source: if self.project.is_package { Source::Directory(folder) } else { Source::Virtual(folder) },
        }]
    }

    /// Returns the requirements that a walk starts from.
    fn starts(&self, asked: &Asked, name: &DistributionName) -> Vec<Start<'_>> {
        let mut starts = Vec::new();
        for main in self.project.main.iter().filter(|_| asked.main) {
            let mut extras = main.extras.intersection(&asked.extras).peekable();
            let is_optional = main.requirement.terms.optional;
            if is_optional && extras.peek().is_none() {
                continue;
            }
            let extra = extras.next().filter(|_| is_optional);
            let by = Dependent::Distribution(name.clone(), extra.cloned());
            starts.push(Start { requirement: &main.requirement, by, extras: active(&asked.extras) });
        }
        for group in &asked.groups {
            let by = Dependent::Group(name.clone(), group.clone());
            // An optional one belongs to an extra, and groups have none.
            let requirements = self.project.group(group).into_iter().filter(|requirement| !requirement.terms.optional);
            starts.extend(requirements.map(|requirement| Start {
                requirement,
                by: by.clone(),
                extras: active(&asked.extras),
            }));
        }
        starts
    }

    /// Returns the distributions that the lock itself says are needed.
    fn recorded(&self, asked: &Asked, environment: &MarkerEnvironment) -> BTreeSet<PackageIndex> {
        let extras = active(&asked.extras);
        let is_asked = |group: &&GroupName| (asked.main && group.as_str() == MAIN) || asked.groups.contains(*group);
        let packages = self.packages.iter().enumerate().filter(|(_, package)| {
            let groups = package.groups.iter().flatten().filter(is_asked);
            groups.into_iter().any(|group| package.markers.hold(group, environment, &extras))
        });
        packages.map(|(index, _)| index).collect()
    }

    fn check_one_version_each(&self, reached: &BTreeMap<PackageIndex, BTreeSet<Dependent>>) -> Result<(), LockError> {
        let mut by_name = BTreeMap::new();
        for (&index, dependents) in reached {
            let Some(package) = self.packages.get(index) else { continue };
            let Some((other, others)) = by_name.insert(&package.name, (package, dependents)) else { continue };
            let names = |dependents: &BTreeSet<Dependent>| dependents.iter().map(ToString::to_string).collect();
            return Err(LockError::TwoVersions {
                path: self.path.clone(),
                first: other.to_string(),
                first_for: names(others),
                second: package.to_string(),
                second_for: names(dependents),
            });
        }
        Ok(())
    }
}

/// Returns extras in the form that markers are evaluated with.
pub fn active<'a>(extras: impl IntoIterator<Item = &'a ExtraName>) -> ActiveExtras {
    ActiveExtras { extras: extras.into_iter().map(ToString::to_string).collect(), groups: BTreeSet::new() }
}
