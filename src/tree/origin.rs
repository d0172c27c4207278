//! What files belong to.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use pep440_rs::Version;

use crate::name::DistributionName;

/// An installed distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distribution {
    /// The normalized name.
    pub name: DistributionName,
    /// The version in the wheel's metadata.
    pub version: Version,
}

impl fmt::Display for Distribution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name, self.version)
    }
}

/// An installed package of the operating system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemPackage {
    /// The name, for instance `libpq5`.
    pub name: String,
    /// The version in its control file.
    pub version: String,
}

impl fmt::Display for SystemPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name, self.version)
    }
}

/// What a file belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileOrigin {
    /// An installed distribution.
    Distribution(Arc<Distribution>),
    /// A package of the operating system.
    System(Arc<SystemPackage>),
    /// The application's own files.
    Application,
}

impl FileOrigin {
    /// Tells whether the file is the application's or belongs to one of the project's own distributions.
    pub(crate) fn is_own(&self, projects: &BTreeSet<&DistributionName>) -> bool {
        match self {
            Self::Distribution(distribution) => projects.contains(&distribution.name),
            Self::System(_) => false,
            Self::Application => true,
        }
    }
}

impl fmt::Display for FileOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distribution(distribution) => distribution.fmt(formatter),
            Self::System(package) => package.fmt(formatter),
            Self::Application => formatter.write_str("the application"),
        }
    }
}
