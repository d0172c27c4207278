//! Locks system packages: for each target and platform, what its request installs over its base.

mod bases;
mod changes;
mod closures;
mod freshness;
mod locked;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use self::bases::LockableBase;
pub(super) use self::bases::sources;
use self::closures::ClosureLocker;
pub(super) use self::freshness::LockQuery;
pub(crate) use self::locked::{LockedPackages, check_locked};
use crate::apt::archive::Archives;
use crate::apt::lock::AptLock;
use crate::apt::machine_logins;
use crate::debian::PackageName;
use crate::fetch::DownloadOptions;
use crate::pipeline::apt::PackagesError;
use crate::pipeline::image::base::Bases;
use crate::pipeline::image::packages::lock_path;
use crate::pipeline::plan::LockedProject;
use crate::pipeline::plan::indexes::Origins;
use crate::pipeline::session::{Session, registry};
use crate::pipeline::{BuildError, ProjectCache};
use crate::report::{AptLockReport, FORMAT_VERSION, Phase, Reporter, RunningPhase};
use crate::settings::ImageSettings;
use crate::temporary::TemporaryFile;

/// Where apt's configuration is, on machines that have it.
const APT_CONFIGURATION: &str = "/etc/apt";

/// Which locked versions are replaced by later ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AptUpgrade {
    /// None, and what is locked for an unchanged base and request is kept as it is.
    Nothing,
    /// Those of these packages.
    Packages(BTreeSet<PackageName>),
    /// All.
    Everything,
}

/// Locks the packages of images of one project.
///
/// # Errors
/// A base cannot be read or has no packages of Debian, an archive cannot be used, a request cannot be resolved, or a package
/// that is to be upgraded is not locked; nothing is written then.
pub(crate) fn lock(
    targets: &[ImageSettings],
    upgrade: &AptUpgrade,
    is_written: bool,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<AptLockReport, BuildError> {
    let mut path = None;
    let mut lock = AptLock::default();
    let mut old = AptLock::default();
    let mut closures = Vec::new();
    let locking = RunningPhase::start(reporter, Phase::Lock, 0);
    for settings in targets.iter().filter(|settings| !settings.apt.requested.is_empty()) {
        let common = &settings.common;
        let session = Session::open(&common.cache)?;
        let registry = registry(&settings.registry, &common.environment.registry_credentials, reporter)?;
        let bases = Bases { registry: &registry, offline: common.fetch.offline, cache: &session.cache, reporter };
        let project = LockedProject::open(common, projects, reporter)?;
        let origins = Origins::new(common, &project)?;
        if path.is_none() {
            let own = lock_path(&project);
            old = AptLock::read(&own)?.unwrap_or_default();
            path = Some(own);
        }
        let finder = origins.finder(&session.cache, reporter);
        let options = with_machine_logins(&origins.fetch);
        let archives = Archives { options: &options, cache: &session.cache, reporter, now: Timestamp::now() };
        let mut locker = ClosureLocker::new(&old, upgrade, archives, settings);
        for base in LockableBase::all(settings, &project, &bases, &finder)? {
            closures.push(locker.lock(&base, &mut lock)?);
        }
    }
    locking.finish();
    let path = path.ok_or(PackagesError::NothingToLock)?;
    // A misspelled name must not look like a package that is up to date. A new lock has the latest versions anyway.
    if let AptUpgrade::Packages(names) = upgrade
        && path.is_file()
    {
        names.iter().try_for_each(|name| locked::check_locked(name, &[&old, &lock], &path))?;
    }
    let text = lock.to_toml();
    let is_changed = old.to_toml() != text || !path.is_file();
    if is_written && is_changed {
        write(&path, &text)?;
    }
    closures.dedup();
    Ok(AptLockReport {
        format: FORMAT_VERSION,
        written: is_written && is_changed,
        closures,
        changes: changes::between(&old, &lock),
        file: path,
    })
}

/// Returns the options of requests with the logins that this machine's apt has.
pub(super) fn with_machine_logins(options: &DownloadOptions) -> DownloadOptions {
    let credentials = options.credentials.clone().with_urls(machine_logins(Path::new(APT_CONFIGURATION)));
    DownloadOptions { credentials, ..options.clone() }
}

/// Writes the lock completely or not at all.
fn write(path: &Path, text: &str) -> Result<(), BuildError> {
    let failed = BuildError::writing(path);
    let directory = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    let mut temporary = TemporaryFile::new_in(&directory).map_err(&failed)?;
    temporary.write_all(text.as_bytes()).map_err(&failed)?;
    temporary.persist(path).map_err(failed)?;
    Ok(())
}
