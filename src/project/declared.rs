//! The distribution that a directory declares, in whichever file.

use std::io;
use std::path::Path;

use pep440_rs::VersionSpecifiers;

use super::pyproject::{FILENAME, PyprojectToml};
use super::setuptools;
use crate::name::DistributionName;

/// The distribution that a directory declares in pyproject.toml, or else in setup.cfg or setup.py.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DeclaredDistribution {
    /// `None` if it is computed.
    pub(crate) name: Option<DistributionName>,
    /// `None` if it is computed.
    pub(crate) requires_python: Option<VersionSpecifiers>,
    /// Whether pip would build and install it.
    pub(crate) is_package: bool,
}

/// Returns the Requires-Dist of the wheel that a directory is built into; `None` if pyproject.toml does not declare it.
pub(crate) fn declared_requirements(directory: &Path) -> Option<Vec<String>> {
    let pyproject = PyprojectToml::read(directory).ok()?;
    let project = pyproject.table().get("project")?;
    let dynamic = project.get("dynamic").and_then(toml::Value::as_array);
    let mut dynamic = dynamic.into_iter().flatten().filter_map(toml::Value::as_str);
    if dynamic.any(|key| matches!(key, "dependencies" | "optional-dependencies")) {
        return None;
    }
    let mut requirements: Vec<String> = texts(project.get("dependencies")).map(str::to_owned).collect();
    let extras = project.get("optional-dependencies").and_then(toml::Value::as_table);
    for (extra, of_extra) in extras.into_iter().flatten() {
        requirements.extend(texts(Some(of_extra)).map(|requirement| match requirement.split_once(';') {
            Some((requirement, marker)) => format!("{requirement}; ({marker}) and extra == '{extra}'"),
            None => format!("{requirement} ; extra == '{extra}'"),
        }));
    }
    Some(requirements)
}

fn texts(list: Option<&toml::Value>) -> impl Iterator<Item = &str> {
    list.and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_str)
}

impl DeclaredDistribution {
    /// Reads the files of a directory.
    ///
    /// # Errors
    /// A file cannot be read, or pyproject.toml is invalid.
    pub(crate) fn read(directory: &Path) -> io::Result<Self> {
        let pyproject = if directory.join(FILENAME).is_file() {
            PyprojectToml::read(directory).map_err(io::Error::other)?
        } else {
            PyprojectToml::absent(directory)
        };
        Self::of(&pyproject)
    }

    /// Returns what the directory of a pyproject.toml declares.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn of(pyproject: &PyprojectToml) -> io::Result<Self> {
        // A setup.py beside a script is that of a project.
        let setup = if pyproject.script().is_some() { None } else { setuptools::read(pyproject.directory())? };
        let is_package = pyproject.is_package() || setup.is_some() && pyproject.may_be_package();
        let setup = setup.unwrap_or_default();
        Ok(Self {
            name: pyproject.name.clone().or(setup.name),
            requires_python: pyproject.requires_python.clone().or(setup.requires_python),
            is_package,
        })
    }
}
