//! Poetry's dependency specifications: in the lock's `[package.dependencies]`, and below `tool.poetry` in pyproject.toml.
//!
//! Specification: [Poetry, dependency specification](https://python-poetry.org/docs/dependency-specification/). A dependency is a
//! version constraint, a table, or an array of both; each of its alternatives applies where its conditions hold.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::constraint::VersionConstraint;
use crate::lock::{Dependent, LockedRequirement};
use crate::marker::{self, ActiveExtras, Marker};
use crate::name::{DistributionName, ExtraName};
use crate::platform::MarkerEnvironment;

/// A dependency of a distribution, or of a group of the project.
#[derive(Debug, Clone)]
pub(super) struct PoetryRequirement {
    pub(super) name: DistributionName,
    pub(super) spec: DependencySpec,
}

/// A requirement without its name.
#[derive(Debug, Clone)]
pub(super) struct DependencySpec {
    pub(super) accepted: VersionOrDirect,
    pub(super) extras: BTreeSet<ExtraName>,
    /// Whether only an extra requires it.
    pub(super) optional: bool,
    marker: Option<Marker>,
    python: Option<VersionConstraint>,
    platform: Option<SysPlatformCondition>,
}

#[derive(Debug, Clone)]
pub(super) enum VersionOrDirect {
    /// Versions from any source.
    Versions(VersionConstraint),
    /// A repository, a URL or a path, at any version.
    Direct,
}

impl DependencySpec {
    /// Returns whether the requirement applies. `extras` are the active extras of the distribution that has it.
    pub(super) fn applies(&self, environment: &MarkerEnvironment, extras: &ActiveExtras) -> bool {
        self.marker.as_ref().is_none_or(|marker| marker.evaluate(environment, extras))
            && self.python.as_ref().is_none_or(|python| python.allows(&environment.python_full_version))
            && self.platform.as_ref().is_none_or(|platform| platform.contains(&environment.sys_platform))
    }

    /// Returns the requirement with all of its conditions.
    pub(super) fn locked(
        &self,
        name: &DistributionName,
        required_by: Dependent,
        environment: &MarkerEnvironment,
        extras: &ActiveExtras,
    ) -> LockedRequirement {
        let marker = self.marker.as_ref().map(ToString::to_string);
        let python = self.python.as_ref().map(|python| format!("python {}", python.to_python_specifiers()));
        let platform = self.platform.as_ref().map(ToString::to_string);
        let conditions: Vec<String> = [marker, python, platform].into_iter().flatten().collect();
        LockedRequirement {
            name: name.clone(),
            required_by,
            condition: (!conditions.is_empty()).then(|| conditions.join(" and ")),
            applies: self.applies(environment, extras),
        }
    }

    /// Returns whether a locked version is accepted. `is_direct` says that its source is not an index.
    pub(super) fn accepts(&self, version: &Version, is_direct: bool) -> bool {
        match &self.accepted {
            VersionOrDirect::Versions(constraint) => constraint.allows(version),
            VersionOrDirect::Direct => is_direct,
        }
    }
}

impl From<marker::Requirement> for PoetryRequirement {
    fn from(requirement: marker::Requirement) -> Self {
        let accepted = match requirement.constraint {
            marker::VersionOrUrl::Any => VersionOrDirect::Versions(VersionConstraint::any()),
            marker::VersionOrUrl::Specifiers(specifiers) => VersionOrDirect::Versions(specifiers.into()),
            marker::VersionOrUrl::Url(_) => VersionOrDirect::Direct,
        };
        let spec = DependencySpec {
            accepted,
            extras: requirement.extras,
            optional: false,
            marker: requirement.marker,
            python: None,
            platform: None,
        };
        Self { name: requirement.name, spec }
    }
}

/// The alternatives of a dependency; each whose conditions hold applies.
#[derive(Debug, Clone)]
pub(super) struct Alternatives(pub(super) Vec<DependencySpec>);

impl<'de> Deserialize<'de> for Alternatives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AlternativesVisitor)
    }
}

struct AlternativesVisitor;

impl<'de> Visitor<'de> for AlternativesVisitor {
    type Value = Alternatives;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a version constraint, a table, or an array of them")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Alternatives, E> {
        let constraint = text.parse().map_err(E::custom)?;
        Ok(Alternatives(vec![
            PoetryDependencyTable { version: Some(constraint), ..PoetryDependencyTable::default() }.into(),
        ]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Alternatives, A::Error> {
        Ok(Alternatives(vec![PoetryDependencyTable::deserialize(MapAccessDeserializer::new(map))?.into()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Alternatives, A::Error> {
        let nested = Vec::<SingleSpec>::deserialize(SeqAccessDeserializer::new(sequence))?;
        Ok(Alternatives(nested.into_iter().map(|single| single.0).collect()))
    }
}

/// An alternative in an array, which cannot be an array itself.
struct SingleSpec(DependencySpec);

impl<'de> Deserialize<'de> for SingleSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SingleSpecVisitor)
    }
}

struct SingleSpecVisitor;

impl<'de> Visitor<'de> for SingleSpecVisitor {
    type Value = SingleSpec;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a version constraint or a table")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SingleSpec, E> {
        let constraint = text.parse().map_err(E::custom)?;
        Ok(SingleSpec(PoetryDependencyTable { version: Some(constraint), ..PoetryDependencyTable::default() }.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SingleSpec, A::Error> {
        Ok(SingleSpec(PoetryDependencyTable::deserialize(MapAccessDeserializer::new(map))?.into()))
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct PoetryDependencyTable {
    #[serde(deserialize_with = "parsed")]
    version: Option<VersionConstraint>,
    git: Option<String>,
    url: Option<String>,
    path: Option<String>,
    file: Option<String>,
    extras: BTreeSet<ExtraName>,
    optional: bool,
    #[serde(deserialize_with = "parsed")]
    markers: Option<Marker>,
    #[serde(deserialize_with = "parsed")]
    python: Option<VersionConstraint>,
    #[serde(deserialize_with = "parsed")]
    platform: Option<SysPlatformCondition>,
}

impl From<PoetryDependencyTable> for DependencySpec {
    fn from(table: PoetryDependencyTable) -> Self {
        let is_direct = [table.git, table.url, table.path, table.file].iter().any(Option::is_some);
        let constraint = table.version.unwrap_or_else(VersionConstraint::any);
        Self {
            accepted: if is_direct { VersionOrDirect::Direct } else { VersionOrDirect::Versions(constraint) },
            extras: table.extras,
            optional: table.optional,
            marker: table.markers,
            python: table.python.map(VersionConstraint::on_python),
            platform: table.platform,
        }
    }
}

/// Deserializes an optional string with its own syntax.
pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// A condition on `sys.platform`: alternatives, each a conjunction of names that it must (`true`) or must not have.
#[derive(Debug, Clone)]
struct SysPlatformCondition(Vec<Vec<(bool, String)>>);

impl FromStr for SysPlatformCondition {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alternatives = text.replace("||", "|");
        Ok(Self(alternatives.split('|').map(|terms| terms.split(',').map(platform_term).collect()).collect()))
    }
}

impl fmt::Display for SysPlatformCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alternatives = self.0.iter().map(|terms| {
            let terms: Vec<String> =
                terms.iter().map(|(is_equal, name)| format!("{}{name}", if *is_equal { "" } else { "!=" })).collect();
            terms.join(", ")
        });
        write!(formatter, "platform {}", alternatives.collect::<Vec<_>>().join(" | "))
    }
}

impl SysPlatformCondition {
    fn contains(&self, sys_platform: &str) -> bool {
        self.0
            .iter()
            .any(|terms| terms.iter().all(|(is_equal, name)| name == "*" || (name == sys_platform) == *is_equal))
    }
}

fn platform_term(term: &str) -> (bool, String) {
    let term = term.trim();
    match term.strip_prefix("!=") {
        Some(name) => (false, name.trim().to_owned()),
        None => (true, term.trim_start_matches('=').trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Architecture;

    fn count(text: &str, python: &str) -> usize {
        let table: toml::Table = text.parse().unwrap();
        let alternatives: Alternatives = table["a"].clone().try_into().unwrap();
        let environment = MarkerEnvironment::new(&python.parse().unwrap(), Architecture::Arm64);
        alternatives.0.iter().filter(|spec| spec.applies(&environment, &ActiveExtras::default())).count()
    }

    #[test]
    fn conditions_are_markers_versions_of_python_and_platforms() {
        for (text, expected) in [
            ("a = '^1'", 1),
            ("a = { version = '*', python = '<3.9' }", 0),
            ("a = { version = '*', python = '3.11' }", 1),
            ("a = { git = 'x', markers = \"platform_machine == 'aarch64'\", platform = 'linux' }", 1),
            ("a = { version = '*', platform = 'win32 || darwin' }", 0),
            ("a = { version = '*', platform = '!=win32,!=darwin' }", 1),
            ("a = ['1', { version = '2', python = '>=3.12' }, { path = 'x', python = '^3.8,<3.12' }]", 2),
        ] {
            assert_eq!(count(text, "3.11.4"), expected, "{text}");
        }
    }
}
