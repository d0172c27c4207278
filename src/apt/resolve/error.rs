//! Why a request cannot be resolved.

use crate::apt::packages::{InvalidPackageIndex, PackageIndex};
use crate::apt::request::PackageRequest;
use crate::debian::{DebianDependency, DebianVersion, PackageName, PackageRelation, PackageStanza};
use crate::hints::{Hints, did_you_mean, nearest};

/// Why a request cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No archive has the package.
    #[error("no archive of the base's release has the package `{name}`")]
    Unknown {
        /// The name.
        name: PackageName,
        /// The most similar name.
        nearest: Option<String>,
    },
    /// No archive has this version of the package.
    #[error("no archive has version {} of `{}`: available are {}", .request.version.as_ref().map_or("", DebianVersion::as_str), .request.name, list(.available))]
    UnknownVersion {
        /// The request.
        request: PackageRequest,
        /// The versions that archives have, the latest first.
        available: Vec<DebianVersion>,
    },
    /// The base has a later version.
    #[error("cannot install `{request}`: the base has the later version {installed}")]
    Downgrade {
        /// The request.
        request: PackageRequest,
        /// The version in the base.
        installed: DebianVersion,
    },
    /// The name is not of a package, but of what several packages provide.
    #[error("`{name}` is a virtual package that several packages provide: {}", list(.providers))]
    Virtual {
        /// The name.
        name: PackageName,
        /// The packages, the best first.
        providers: Vec<PackageName>,
    },
    /// No package satisfies a dependency.
    #[error("`{package}` depends on `{dependency}`, which no package satisfies{}", .available.as_ref().map(|version| format!(" (available is {version})")).unwrap_or_default())]
    Unsatisfied {
        /// The package.
        package: PackageName,
        /// The dependency.
        dependency: String,
        /// The version that archives have of the first alternative.
        available: Option<DebianVersion>,
    },
    /// Two packages cannot be installed together.
    #[error("`{package}` conflicts with `{other}` ({relation})")]
    Conflict {
        /// The package whose field it is, with its version.
        package: String,
        /// The other package, with its version.
        other: String,
        /// The relation.
        relation: String,
    },
    /// An upgrade breaks a package of the base.
    #[error("`{package}` of the base depends on `{dependency}`, which an upgrade removes")]
    Broken {
        /// The package, with its version.
        package: String,
        /// The dependency.
        dependency: String,
    },
    /// A package in an index is invalid.
    #[error(transparent)]
    Index(#[from] InvalidPackageIndex),
}

impl ResolveError {
    pub(super) fn unknown(name: &PackageName, index: &PackageIndex) -> Self {
        let names = index.names().map(PackageName::as_str);
        Self::Unknown { name: name.clone(), nearest: nearest(name.as_str(), names).map(str::to_owned) }
    }

    pub(super) fn unsatisfied(package: &PackageName, dependency: &DebianDependency, index: &PackageIndex) -> Self {
        let latest = dependency.0.first().and_then(|relation| index.latest(&relation.name));
        Self::Unsatisfied {
            package: package.clone(),
            dependency: dependency.to_string(),
            available: latest.map(|offer| index.version(offer).clone()),
        }
    }

    pub(super) fn conflict(package: &PackageStanza, other: &PackageStanza, relation: &PackageRelation) -> Self {
        Self::Conflict { package: label(package), other: label(other), relation: relation.to_string() }
    }

    pub(super) fn broken(package: &PackageStanza, dependency: &DebianDependency) -> Self {
        Self::Broken { package: label(package), dependency: dependency.to_string() }
    }
}

impl Hints for ResolveError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => vec![did_you_mean(nearest)],
            Self::Unknown { name, .. } => {
                vec![format!("to find the package with a library or a command, run `pybundle apt search-file {name}`")]
            }
            Self::UnknownVersion { request, available } => {
                let latest = available.first().map(|latest| format!("request `{}={latest}`", request.name));
                latest.into_iter().collect()
            }
            Self::Downgrade { request, .. } => vec![format!("request `{}` without a version", request.name)],
            Self::Virtual { providers, .. } => vec![format!("request one of them, for instance `{}`", providers[0])],
            Self::Conflict { .. } => vec!["request one without the other".to_owned()],
            Self::Unsatisfied { .. } | Self::Broken { .. } | Self::Index(_) => Vec::new(),
        }
    }
}

fn label(package: &PackageStanza) -> String {
    format!("{} {}", package.name, package.version)
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
