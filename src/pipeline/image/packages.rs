//! Adds the system packages that apt.lock names to a base.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::apt::AptSource;
use crate::apt::archive::Archives;
use crate::apt::lock::{APT_LOCK, AptLock, ClosureMember, LockedPackage};
use crate::debian::{DebianArchitecture, InvalidDebianArchitecture, os_release};
use crate::digest::Sha256;
use crate::image::system::BaseSystem;
use crate::image::{Base, python};
use crate::pipeline::BuildError;
use crate::pipeline::apt::{self, FetchedPackage, PackagesError};
use crate::pipeline::image::apt_lock::{LockQuery, check_locked, sources, with_machine_logins};
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::layer_build::{self, BuiltLayer};
use crate::pipeline::install::InstalledFiles;
use crate::pipeline::plan::LockedProject;
use crate::pipeline::plan::indexes::Origins;
use crate::sbom::SystemPackageComponent;
use crate::settings::{AptSettings, ImageSettings};
use crate::tree::{InvalidPath, TreePath};

/// The packages on the base of one platform.
pub(crate) struct SystemPackages {
    /// The path of apt.lock.
    pub lock: PathBuf,
    /// The operating system and its version, as os-release has them.
    system: (String, Option<String>),
    /// In the order of configuration.
    pub packages: Vec<InstalledPackage>,
    /// Lowest first.
    pub layers: Vec<BuiltLayer>,
    /// The modules of standard libraries, which have no bytecode.
    modules: InstalledFiles,
    /// The size of their files, uncompressed and in bytes.
    pub size: u64,
}

/// A package on a base.
#[derive(Debug, Clone)]
pub(crate) struct InstalledPackage {
    pub locked: LockedPackage,
    /// The URL of the archive.
    uri: String,
    /// The names of the packages that it depends on.
    requires: Vec<String>,
    /// Whether the project requests it.
    pub is_requested: bool,
    /// The short names of its licences.
    licenses: Vec<String>,
}

impl SystemPackages {
    /// Returns the modules of a standard library, with paths relative to its directory.
    pub(super) fn standard_library(&self, directory: &str) -> Result<InstalledFiles, InvalidPath> {
        let modules = self.modules.iter().filter_map(|(path, entry)| {
            let path = path.as_str().strip_prefix(directory)?.strip_prefix('/')?;
            Some((path, entry))
        });
        modules.map(|(path, entry)| Ok((TreePath::new(path)?, entry.clone()))).collect()
    }

    /// Returns the packages as SBOMs have them.
    pub(super) fn components(&self) -> Vec<SystemPackageComponent> {
        let components = self.packages.iter().map(|package| {
            let locked = &package.locked;
            SystemPackageComponent {
                name: locked.name.to_string(),
                version: locked.version.to_string(),
                architecture: locked.architecture.to_string(),
                system: self.system.clone(),
                source: (locked.source.to_string(), locked.source_version.to_string()),
                url: format!("{}/{}", package.uri.trim_end_matches('/'), locked.filename),
                sha256: locked.sha256,
                is_requested: package.is_requested,
                requires: package.requires.clone(),
                licenses: package.licenses.clone(),
            }
        });
        components.collect()
    }
}

/// How far packages are put on a base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackageStage {
    /// They are locked; they are put on the base only if it has no Python, because they may have it.
    Planned,
    Installed,
}

/// Puts the requested packages on a base.
///
/// # Errors
/// The lock does not have what is requested over this base, a package cannot be fetched, or it cannot be installed.
pub(super) fn install(
    settings: &ImageSettings,
    project: &LockedProject,
    bases: &Bases,
    base: &mut Base,
    stage: PackageStage,
) -> Result<Option<SystemPackages>, BuildError> {
    let AptSettings { requested, unconfigured, .. } = &settings.apt;
    if requested.is_empty() {
        return Ok(None);
    }
    let path = lock_path(project);
    let lock = AptLock::read(&path)?
        .ok_or_else(|| PackagesError::NoLock { path: path.clone(), flags: settings.apt_flags.clone() })?;
    // A misspelled name would allow nothing.
    unconfigured.iter().try_for_each(|name| check_locked(name, &[&lock], &path))?;
    let architecture = debian_architecture(base)?;
    let query =
        LockQuery { lock: &lock, path: &path, requested, architecture: &architecture, flags: &settings.apt_flags };
    if stage == PackageStage::Planned && python::from_config(base).is_some() {
        query.check_requested()?;
        return Ok(None);
    }
    let system = bases.system(base)?;
    // Says of what system the base is if it is none of Debian.
    let sources = sources(&system, base.layers.is_empty(), &architecture, settings)?;
    let database = database_digest(base, &system)?;
    let closure = query.closure(base, database, &sources)?;
    let packages = closure.members.iter().filter_map(|member| InstalledPackage::of(&lock, member, &architecture));
    let mut packages: Vec<InstalledPackage> = packages.collect();
    let fetched = fetch(&packages, &lock, &sources, (settings, project), bases)?;
    let unconfigured = unconfigured.iter().map(ToString::to_string).collect();
    let mut laid = apt::layers(&fetched, &system, &unconfigured, bases.cache)?;
    for package in &mut packages {
        package.licenses = laid.licenses.remove(package.locked.name.as_str()).unwrap_or_default();
    }
    for apt::UpgradedPackage { name, from, to } in &laid.upgraded {
        bases.reporter.warn(&format!("{name} {from} of the base is replaced by {to}"));
    }
    let size = laid.layers.iter().map(|layer| layer.tree.files.size()).sum();
    let files = laid.layers.iter().flat_map(|layer| layer.tree.files.iter());
    let modules = files.filter(|(path, _)| is_standard_module(path.as_str()));
    let modules = modules.map(|(path, entry)| (path.clone(), entry.clone())).collect();
    let layers = layer_build::of_packages(laid.layers, settings.compression, bases.cache)?;
    base.packages = layers.iter().map(|built| (built.layer.clone(), built.holds.clone())).collect();
    Ok(Some(SystemPackages { lock: path, system: operating_system(&system), packages, layers, modules, size }))
}

impl InstalledPackage {
    /// Returns a member of a closure with its package; `None` if it is from another lock.
    fn of(lock: &AptLock, member: &ClosureMember, architecture: &DebianArchitecture) -> Option<Self> {
        let locked = lock.package(member, architecture)?.clone();
        let uri = lock.release(&locked)?.uri.clone();
        let requires = member.depends.iter().map(ToString::to_string).collect();
        Some(Self { locked, uri, requires, is_requested: member.requested, licenses: Vec::new() })
    }
}

/// Tells whether a file is a module of a standard library: `python3` without a minor version has those of packages.
fn is_standard_module(path: &str) -> bool {
    let rest = path.strip_prefix("usr/lib/python").and_then(|rest| rest.split_once('/'));
    rest.is_some_and(|(version, module)| version.contains('.') && module.ends_with(".py"))
}

/// Returns the operating system of a base and its version; an empty base becomes Debian.
fn operating_system(system: &BaseSystem) -> (String, Option<String>) {
    let text = system.text("etc/os-release").map(|text| String::from_utf8_lossy(&text.bytes)).unwrap_or_default();
    let fields = os_release(&text);
    let id = fields.get("ID").copied().unwrap_or("debian");
    (id.to_owned(), fields.get("VERSION_ID").map(|version| (*version).to_owned()))
}

/// Returns the path of the lock: in the project's directory if it is there, or else in that of its workspace.
pub(crate) fn lock_path(project: &LockedProject) -> PathBuf {
    let workspace = &project.workspace;
    let own = workspace.directory(workspace.current()).join(APT_LOCK);
    if own.is_file() { own } else { workspace.root.join(APT_LOCK) }
}

/// Returns the digest of the package database of a base; `None` for an empty base.
///
/// # Errors
/// The base has none.
pub(crate) fn database_digest(base: &Base, system: &BaseSystem) -> Result<Option<Sha256>, PackagesError> {
    match system.package_database() {
        Some(database) => Ok(Some(Sha256::of(&database))),
        None if base.layers.is_empty() => Ok(None),
        None => Err(PackagesError::NoDatabase { base: base.name.clone().unwrap_or_else(|| "this base".to_owned()) }),
    }
}

/// Returns the architecture of a base, which Debian and OCI call the same.
pub(super) fn debian_architecture(base: &Base) -> Result<DebianArchitecture, InvalidDebianArchitecture> {
    base.architecture.oci_name().parse()
}

/// Returns the .deb files of packages: from the cache, or from their archives.
fn fetch(
    packages: &[InstalledPackage],
    lock: &AptLock,
    sources: &[AptSource],
    (settings, project): (&ImageSettings, &LockedProject),
    bases: &Bases,
) -> Result<Vec<FetchedPackage>, BuildError> {
    let origins = Origins::new(&settings.common, project)?;
    let options = with_machine_logins(&origins.fetch);
    let archives = Archives { options: &options, cache: bases.cache, reporter: bases.reporter, now: Timestamp::now() };
    let located = packages.iter().map(|InstalledPackage { locked, .. }| locked);
    let located: Vec<_> = located.filter_map(|locked| Some((locked, lock.release(locked)?))).collect();
    let files = archives.debs(&located, sources).map_err(PackagesError::from)?;
    let fetched = packages.iter().zip(files).map(|(InstalledPackage { locked, .. }, file)| FetchedPackage {
        name: locked.name.to_string(),
        version: locked.version.to_string(),
        architecture: locked.architecture.to_string(),
        sha256: locked.sha256,
        path: file.path,
    });
    Ok(fetched.collect())
}
