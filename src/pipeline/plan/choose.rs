//! Chooses the wheel or source of each pinned distribution.

use std::path::PathBuf;

use url::Url;

use crate::index::FileFinder;
use crate::lock::{
    DistributionFiles, DistributionSource, FileChooser, FileLocation, FormatControl, Lock, LockError,
    SelectedDistribution, SelectedSource, Selection,
};
use crate::pipeline::BuildError;
use crate::platform::TargetPlatform;
use crate::report::Reporter;

/// Chooses what is installed of each distribution of a selection.
///
/// # Errors
/// A file cannot be found, or no file is compatible with the target.
pub(super) fn choose(
    mut selection: Selection,
    formats: &FormatControl,
    find_links: &[Url],
    target: &TargetPlatform,
    finder: &FileFinder,
    reporter: &dyn Reporter,
) -> Result<Vec<SelectedDistribution>, BuildError> {
    finder.complete(&mut selection, target)?;
    let directories: Vec<PathBuf> = find_links.iter().filter_map(|url| url.to_file_path().ok()).collect();
    prefer(&mut selection, &directories);
    warn_of_unusable(&selection, reporter);
    let selected = FileChooser::new(target, formats).choose(selection);
    let selected = selected.map_err(|error| with_versions(error, finder, target))?;
    for (misfit, sdist) in selected.iter().filter_map(|selected| match &selected.source {
        SelectedSource::Sdist(sdist) => Some((selected.incompatibility.as_ref()?, &sdist.file.filename)),
        _ => None,
    }) {
        reporter.warn(&format!("{misfit}: it is built from {sdist} (--no-build makes this an error)"));
    }
    Ok(selected)
}

/// Adds how to lock for other targets to the error about a distribution without a file for this one.
pub(super) fn with_hint(mut error: BuildError, lock: &Lock) -> BuildError {
    if let BuildError::Lock(LockError::NoCompatibleFile { hints, .. }) = &mut error {
        hints.splice(0..0, lock.hint_for_other_targets().map(str::to_owned));
    }
    error
}

/// Adds the versions that have a wheel for the target to the error about one that has none.
fn with_versions(mut error: LockError, finder: &FileFinder, target: &TargetPlatform) -> LockError {
    if let LockError::NoCompatibleFile { wanted: Some(wanted), .. } = &mut error {
        wanted.known = finder.versions_with_wheels(&wanted.name, &wanted.version, wanted.index.as_ref(), target);
    }
    error
}

/// Warns of wheels whose names cannot be parsed, where there are other files: without any, the error names them.
fn warn_of_unusable(selection: &Selection, reporter: &dyn Reporter) {
    for pinned in &selection.distributions {
        let DistributionSource::Files(DistributionFiles { wheels, sdist, unusable }) = &pinned.source else { continue };
        let mut names = unusable.iter().filter(|name| name.ends_with(".whl"));
        let Some(first) = names.next().filter(|_| sdist.is_some() || !wheels.is_empty()) else { continue };
        let more = match names.count() {
            0 => String::new(),
            count => format!(" (and {count} more)"),
        };
        reporter.warn(&format!(
            "{pinned}: `{first}`{more} is ignored: its name is not a valid wheel file name (variants, PEP 825, are not supported)"
        ));
    }
}

/// Prefers files in `--find-links` directories. Their digests must still match the lock's.
fn prefer(selection: &mut Selection, directories: &[PathBuf]) {
    for pinned in &mut selection.distributions {
        let DistributionSource::Files(files) = &mut pinned.source else { continue };
        for wheel in &mut files.wheels {
            prefer_local(&mut wheel.location, wheel.filename.as_str(), directories);
        }
        if let Some(sdist) = &mut files.sdist {
            prefer_local(&mut sdist.file.location, sdist.file.filename.as_str(), directories);
        }
    }
}

fn prefer_local(location: &mut FileLocation, name: &str, directories: &[PathBuf]) {
    if let Some(path) = directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file()) {
        *location = FileLocation::Path(path);
    }
}
