//! Which distributions may be built, and which may be installed from wheels.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::error::list;
use crate::name::{DistributionName, InvalidName};

/// A set of distributions, as in the flags of pip and uv.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DistributionSet {
    /// No distribution.
    #[default]
    None,
    /// The distributions with these names.
    Named(BTreeSet<DistributionName>),
    /// Every distribution.
    All,
}

impl DistributionSet {
    /// Returns the set of a flag for every distribution, such as `--no-build`, and one for each of some distributions, such as
    /// `--no-build-package`.
    pub(crate) fn from_flags(all: bool, names: impl IntoIterator<Item = DistributionName>) -> Self {
        let names: BTreeSet<DistributionName> = names.into_iter().collect();
        if all {
            Self::All
        } else if names.is_empty() {
            Self::None
        } else {
            Self::Named(names)
        }
    }

    pub(crate) fn contains(&self, name: &DistributionName) -> bool {
        match self {
            Self::None => false,
            Self::Named(names) => names.contains(name),
            Self::All => true,
        }
    }

    /// Returns whether the set contains a distribution by its name.
    fn names(&self, name: &DistributionName) -> bool {
        matches!(self, Self::Named(names) if names.contains(name))
    }

    pub(crate) fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => Self::All,
            (Self::None, packages) | (packages, Self::None) => packages,
            (Self::Named(mut names), Self::Named(others)) => {
                names.extend(others);
                Self::Named(names)
            }
        }
    }
}

/// Which distributions may be built, and which may be installed from wheels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatControl {
    /// Distributions that are never built (`--no-build`, pip's `--only-binary`).
    pub no_build: DistributionSet,
    /// Distributions whose wheels are never used (`--no-binary`).
    pub no_binary: DistributionSet,
    /// Where these come from, for messages.
    pub origins: Vec<ExclusionOrigin>,
}

/// Exclusions of wheels or builds, and what states them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExclusionOrigin {
    statement: ExclusionStatement,
    no_build: DistributionSet,
    no_binary: DistributionSet,
}

/// What states that wheels or builds are excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExclusionStatement {
    /// Flags, or keys of `[tool.pybundle]` with their names.
    Options,
    /// Options of pip in a requirements file.
    RequirementsFile(PathBuf),
    /// `[tool.uv]` in a pyproject.toml, or in the metadata of a script.
    UvTable(PathBuf),
}

impl ExclusionStatement {
    /// Names the setting, for instance `no-binary-package`, for messages.
    fn named(&self, setting: &str, set: &DistributionSet) -> String {
        let suffix = if *set == DistributionSet::All { "" } else { "-package" };
        match self {
            Self::Options => format!("--{setting}{suffix} (or its key in [tool.pybundle])"),
            // pip's options have one name for all distributions and for some.
            Self::RequirementsFile(path) => {
                let option = if setting == "no-build" { "only-binary" } else { setting };
                format!("--{option} in {}", path.display())
            }
            Self::UvTable(path) => format!("`{setting}{suffix}` in [tool.uv] of {}", path.display()),
        }
    }
}

impl FormatControl {
    /// Every distribution, in pip's options.
    const ALL: &str = ":all:";
    /// Resets the option, in pip's options.
    const NONE: &str = ":none:";

    /// Applies a value of pip's `--only-binary`: names that are separated by commas. They are removed from `--no-binary`.
    pub(crate) fn apply_only_binary(&mut self, names: &str) -> Result<(), InvalidName> {
        Self::apply(names, &mut self.no_build, &mut self.no_binary)
    }

    /// Applies a value of pip's `--no-binary`, whose names are removed from `--only-binary`.
    pub(crate) fn apply_no_binary(&mut self, names: &str) -> Result<(), InvalidName> {
        Self::apply(names, &mut self.no_binary, &mut self.no_build)
    }

    /// Notes what states all of these exclusions.
    pub(crate) fn stated_by(mut self, statement: ExclusionStatement) -> Self {
        let (no_build, no_binary) = (self.no_build.clone(), self.no_binary.clone());
        self.origins = vec![ExclusionOrigin { statement, no_build, no_binary }];
        self
    }

    /// Names the settings that exclude the builds of a distribution.
    pub(super) fn excluding_builds(&self, name: &DistributionName) -> String {
        let excluding = self.origins.iter().filter(|origin| origin.no_build.contains(name));
        list(&excluding.map(|origin| origin.statement.named("no-build", &origin.no_build)).collect::<Vec<_>>())
    }

    /// Names the settings that exclude the wheels of a distribution.
    pub(super) fn excluding_wheels(&self, name: &DistributionName) -> String {
        let excluding = self.origins.iter().filter(|origin| origin.no_binary.contains(name));
        list(&excluding.map(|origin| origin.statement.named("no-binary", &origin.no_binary)).collect::<Vec<_>>())
    }

    /// Returns the combination with other exclusions.
    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            no_build: self.no_build.union(other.no_build),
            no_binary: self.no_binary.union(other.no_binary),
            origins: self.origins.into_iter().chain(other.origins).collect(),
        }
    }

    /// Allows a distribution to be built.
    pub(crate) fn allow_build(&mut self, name: DistributionName) {
        match &mut self.no_build {
            DistributionSet::None => {}
            DistributionSet::Named(names) => {
                names.remove(&name);
            }
            DistributionSet::All => {
                let no_binary = std::mem::take(&mut self.no_binary);
                self.no_binary = no_binary.union(DistributionSet::Named([name].into()));
            }
        }
    }

    /// Returns whether a distribution may be built. A name takes precedence over `:all:`.
    pub fn may_build(&self, name: &DistributionName) -> bool {
        !self.no_build.contains(name) || self.no_build == DistributionSet::All && self.no_binary.names(name)
    }

    /// Returns whether the wheels of a distribution may be used. A name takes precedence over `:all:`.
    pub fn may_install(&self, name: &DistributionName) -> bool {
        !self.no_binary.contains(name) || self.no_binary == DistributionSet::All && self.no_build.names(name)
    }

    fn apply(names: &str, target: &mut DistributionSet, other: &mut DistributionSet) -> Result<(), InvalidName> {
        for name in names.split(',').map(str::trim) {
            match name {
                Self::ALL => {
                    *target = DistributionSet::All;
                    *other = DistributionSet::None;
                }
                Self::NONE => *target = DistributionSet::None,
                _ => {
                    let name: DistributionName = name.parse()?;
                    if let DistributionSet::Named(names) = other {
                        names.remove(&name);
                    }
                    *target = std::mem::take(target).union(DistributionSet::Named([name].into()));
                }
            }
        }
        Ok(())
    }
}
