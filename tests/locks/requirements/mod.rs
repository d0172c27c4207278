//! Files of requirements: what is selected from them, compared with uv and pip; what they leave out; hostile ones.

use std::collections::BTreeMap;
use std::path::Path;

use pybundle::lock::requirements::{Requirements, Surroundings};
use pybundle::lock::{LockError, Pinned, Request};
use pybundle::platform::TargetPlatform;

mod complete;
mod hostile;
mod pip;
mod uv;

/// Reads a file of requirements of the file system. No environment variable is set.
fn read(path: &Path, project: &Path) -> Result<Requirements, LockError> {
    let surroundings = Surroundings {
        project,
        read: &|path| std::fs::read_to_string(path),
        variable: &|_| None,
        name: &|folder| folder.file_name()?.to_str()?.parse().ok(),
    };
    Requirements::read(path, &surroundings)
}

/// Returns what a file selects for a target.
fn select(path: &Path, target: &TargetPlatform) -> Result<Vec<Pinned>, LockError> {
    let folder = path.parent().unwrap();
    let selection = read(path, folder)?.select(&Request::default(), target)?;
    Ok(selection.distributions)
}

/// Returns the names and versions that a file selects for a target.
fn versions(path: &Path, target: &TargetPlatform) -> BTreeMap<String, String> {
    let pinned = select(path, target).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let version = |pinned: Pinned| (pinned.name.to_string(), pinned.version.unwrap().to_string());
    pinned.into_iter().map(version).collect()
}
