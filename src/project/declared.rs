//! What a folder declares as a distribution, whichever file says it.

use std::io;
use std::path::Path;

use pep440_rs::VersionSpecifiers;

use super::pyproject::{FILENAME, PyprojectToml};
use super::setuptools;
use crate::name::DistributionName;

/// What a folder declares as a distribution: in pyproject.toml, or else to setuptools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeclaredDistribution {
    /// The distribution's name, unless it is computed.
    pub name: Option<DistributionName>,
    /// The versions of Python, unless they are computed.
    pub requires_python: Option<VersionSpecifiers>,
    /// Whether it is built and installed as a distribution, as pip would do it.
    pub is_package: bool,
}

impl DeclaredDistribution {
    /// Reads the files of a folder.
    ///
    /// # Errors
    /// A file cannot be read, or pyproject.toml is wrong.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let pyproject = match folder.join(FILENAME).is_file() {
            true => PyprojectToml::read(folder).map_err(io::Error::other)?,
            false => PyprojectToml::absent(folder),
        };
        Self::of(&pyproject)
    }

    /// Returns what the folder of a pyproject.toml declares.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn of(pyproject: &PyprojectToml) -> io::Result<Self> {
        let setup = setuptools::read(pyproject.folder())?;
        let is_package = pyproject.is_package() || setup.is_some() && pyproject.may_be_package();
        let setup = setup.unwrap_or_default();
        Ok(Self {
            name: pyproject.name.clone().or(setup.name),
            requires_python: pyproject.requires_python.clone().or(setup.requires_python),
            is_package,
        })
    }
}
