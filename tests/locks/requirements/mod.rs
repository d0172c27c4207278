//! Requirements files: selection, compared with uv and pip; completeness; invalid files.

use std::collections::BTreeMap;
use std::path::Path;

use pybundle::lock::requirements::{RequirementsEnvironment, RequirementsTxt};
use pybundle::lock::{LockError, PinnedDistribution, SelectionRequest};
use pybundle::platform::TargetPlatform;

mod bundled;
mod completeness;
mod invalid;
mod pip;
mod uv;

/// Reads a requirements file, without environment variables.
fn read(path: &Path, project: &Path) -> Result<RequirementsTxt, LockError> {
    let surroundings = RequirementsEnvironment {
        project,
        read: &|path| std::fs::read_to_string(path),
        variable: &|_| None,
        name: &|folder| folder.file_name()?.to_str()?.parse().ok(),
    };
    RequirementsTxt::read(&[path], &surroundings)
}

/// Returns the distributions that a file selects for a target.
fn select(path: &Path, target: &TargetPlatform) -> Result<Vec<PinnedDistribution>, LockError> {
    let folder = path.parent().unwrap();
    let selection = read(path, folder)?.select(&SelectionRequest::default(), target)?;
    Ok(selection.distributions)
}

/// Returns the names and versions that a file selects for a target.
fn versions(path: &Path, target: &TargetPlatform) -> BTreeMap<String, String> {
    let pinned = select(path, target).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let version = |pinned: PinnedDistribution| (pinned.name.to_string(), pinned.version.unwrap().to_string());
    pinned.into_iter().map(version).collect()
}
