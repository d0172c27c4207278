//! One closure: kept as it was locked, or resolved over the base.

use std::collections::BTreeMap;

use super::AptUpgrade;
use super::bases::LockableBase;
use crate::apt::archive::{Archives, VerifiedRelease};
use crate::apt::lock::{AptLock, ArchitectureClosure, ClosureMember, LockedClosure, LockedPackage, LockedRelease};
use crate::apt::packages::PackageIndex;
use crate::apt::resolve::{AptResolver, ResolvedClosure};
use crate::debian::{DebianVersion, PackageName};
use crate::pipeline::BuildError;
use crate::pipeline::apt::PackagesError;
use crate::report::AptClosureReport;
use crate::settings::ImageSettings;

/// Locks the closures of an image.
pub(super) struct ClosureLocker<'a> {
    old: &'a AptLock,
    upgrade: &'a AptUpgrade,
    archives: Archives<'a>,
    settings: &'a ImageSettings,
}

impl<'a> ClosureLocker<'a> {
    pub(super) fn new(
        old: &'a AptLock,
        upgrade: &'a AptUpgrade,
        archives: Archives<'a>,
        settings: &'a ImageSettings,
    ) -> Self {
        Self { old, upgrade, archives, settings }
    }

    /// Adds the closure over a base to a lock.
    ///
    /// # Errors
    /// An archive cannot be used, or the request cannot be resolved.
    pub(super) fn lock(&mut self, base: &LockableBase, lock: &mut AptLock) -> Result<AptClosureReport, BuildError> {
        let sources: Vec<String> = base.sources.iter().map(ToString::to_string).collect();
        let kept = self.kept(base, &sources);
        let (closure, packages, releases) = match &kept {
            Some(kept) => kept.clone(),
            None => self.resolve(base)?,
        };
        let locked = closure.members.iter().filter_map(|member| {
            packages.iter().find(|package| package.name == member.name && package.version == member.version)
        });
        let upgraded = closure
            .members
            .iter()
            .filter_map(|member| Some(format!("{} {} to {}", member.name, member.replaces.as_ref()?, member.version)));
        let report = AptClosureReport {
            base: base.name.clone(),
            requested: self.settings.apt.requested.iter().map(ToString::to_string).collect(),
            architecture: base.architecture.to_string(),
            packages: closure.members.len(),
            size: locked.map(|package| package.size).sum(),
            upgraded: upgraded.collect(),
            kept: kept.is_some(),
        };
        self.add(base, sources, (closure, packages, releases), lock);
        Ok(report)
    }

    /// Returns what the old lock has for the same base, request and sources.
    fn kept(&self, base: &LockableBase, sources: &[String]) -> Option<ClosureParts> {
        let requested = &self.settings.apt.requested;
        let (locked, closure) = self.old.closure(requested, &base.architecture, base.status_sha256, sources)?;
        if *self.upgrade != AptUpgrade::Nothing || locked.sources != sources {
            return None;
        }
        let packages: Vec<LockedPackage> =
            closure.members.iter().filter_map(|member| self.old.package(member, &base.architecture).cloned()).collect();
        let releases = packages.iter().filter_map(|package| self.old.release(package).cloned()).collect();
        Some((closure.clone(), packages, releases))
    }

    fn resolve(&self, base: &LockableBase) -> Result<ClosureParts, BuildError> {
        if let Some(warning) = &base.warning {
            self.archives.reporter.warn(warning);
        }
        let releases = self.archives.releases(&base.sources).map_err(PackagesError::from)?;
        let index = self.archives.packages(&releases, &base.architecture).map_err(PackagesError::from)?;
        let resolver = AptResolver::new(&index, &base.status, self.locked_versions(base));
        let resolved = resolver.resolve(&self.settings.apt.requested).map_err(PackagesError::from)?;
        self.warn(&resolved);
        let mut closure = ArchitectureClosure { status_sha256: base.status_sha256, ..ArchitectureClosure::default() };
        let mut packages = Vec::new();
        for package in &resolved.packages {
            packages.push(locked(&index, &releases, package.offer).map_err(PackagesError::from)?);
            closure.members.push(ClosureMember {
                name: package.stanza.name.clone(),
                version: package.stanza.version.clone(),
                requested: package.requested,
                depends: package.depends.clone(),
                replaces: package.replaces.clone(),
            });
        }
        let used = releases.iter().map(|release| &release.locked);
        let used = used.filter(|release| packages.iter().any(|package| package.release == release.label()));
        let releases = used.cloned().collect();
        Ok((closure, packages, releases))
    }

    /// Returns the versions of the old lock that stay, if archives have them.
    fn locked_versions(&self, base: &LockableBase) -> BTreeMap<PackageName, DebianVersion> {
        let members = self.old.closures.iter().filter_map(|closure| closure.architectures.get(&base.architecture));
        let members = members.flat_map(|closure| &closure.members);
        let stays = |name: &PackageName| match self.upgrade {
            AptUpgrade::Nothing => true,
            AptUpgrade::Packages(names) => !names.contains(name),
            AptUpgrade::Everything => false,
        };
        let versions = members.filter(|member| stays(&member.name));
        versions.map(|member| (member.name.clone(), member.version.clone())).collect()
    }

    fn warn(&self, resolved: &ResolvedClosure) {
        for (name, version) in &resolved.installed {
            self.archives.reporter.warn(&format!("{name} is in the base already, in version {version}"));
        }
        for (name, provider) in &resolved.provided {
            self.archives.reporter.warn(&format!("{name} is a virtual package: {provider} provides it"));
        }
        let requested = resolved.packages.iter().filter(|package| package.requested);
        for package in requested.filter(|package| package.stanza.name.as_str().starts_with("python3-")) {
            let name = &package.stanza.name;
            self.archives.reporter.warn(&format!(
                "{name} is for Debian's Python, which it adds beside that of the base: take it from the project's lock instead"
            ));
        }
    }

    fn add(
        &self,
        base: &LockableBase,
        sources: Vec<String>,
        (closure, packages, releases): ClosureParts,
        lock: &mut AptLock,
    ) {
        for release in releases {
            match lock.releases.iter_mut().find(|known| known.label() == release.label()) {
                Some(known) if known.date < release.date => *known = release,
                Some(_) => {}
                None => lock.releases.push(release),
            }
        }
        for package in packages {
            if !lock.packages.iter().any(|known| is_same(known, &package)) {
                lock.packages.push(package);
            }
        }
        let requested = &self.settings.apt.requested;
        let known = lock
            .closures
            .iter_mut()
            .find(|known| known.base == base.name && known.requested == *requested && known.sources == sources);
        match known {
            Some(known) => {
                known.architectures.insert(base.architecture.clone(), closure);
            }
            None => lock.closures.push(LockedClosure {
                base: base.name.clone(),
                requested: requested.clone(),
                sources,
                architectures: [(base.architecture.clone(), closure)].into(),
            }),
        }
    }
}

/// A closure, its packages and their releases.
type ClosureParts = (ArchitectureClosure, Vec<LockedPackage>, Vec<LockedRelease>);

fn is_same(one: &LockedPackage, other: &LockedPackage) -> bool {
    one.name == other.name && one.version == other.version && one.architecture == other.architecture
}

/// Returns a package as the lock has it.
fn locked(
    index: &PackageIndex,
    releases: &[VerifiedRelease],
    offer: crate::apt::packages::OfferId,
) -> Result<LockedPackage, crate::apt::packages::InvalidPackageIndex> {
    let (stanza, file) = (index.stanza(offer)?, index.file(offer)?);
    Ok(LockedPackage {
        name: stanza.name,
        version: stanza.version,
        architecture: stanza.architecture,
        multi_arch: stanza.multi_arch.name().map(str::to_owned),
        source: stanza.source.0,
        source_version: stanza.source.1,
        release: releases[index.release(offer)].locked.label(),
        filename: file.filename,
        size: file.size,
        sha256: file.sha256,
    })
}
