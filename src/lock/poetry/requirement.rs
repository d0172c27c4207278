//! Requirements as Poetry writes them: in the lock's `[package.dependencies]`, and in pyproject.toml below `tool.poetry`.
//!
//! A requirement is a version constraint, a table, or an array of both, of which each holds where its conditions do.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::constraint::VersionConstraint;
use crate::marker::{self, ActiveExtras, Marker};
use crate::name::{DistributionName, ExtraName};
use crate::platform::MarkerEnvironment;

/// What one distribution, or a group of the project, needs of another.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// The distribution that is needed.
    pub name: DistributionName,
    /// What of it.
    pub terms: Terms,
}

/// What a requirement says beside the name.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What is accepted.
    pub accepted: Accepted,
    /// The extras that are asked for.
    pub extras: BTreeSet<ExtraName>,
    /// Whether it is needed only by an extra.
    pub optional: bool,
    marker: Option<Marker>,
    python: Option<VersionConstraint>,
    platform: Option<Platform>,
}

/// What a requirement accepts.
#[derive(Debug, Clone)]
pub enum Accepted {
    /// Versions, wherever they come from.
    Versions(VersionConstraint),
    /// What is in a repository, at a URL or at a path.
    Direct,
}

impl Terms {
    /// Returns whether the requirement applies. `extras` are those of the distribution that has it.
    pub fn hold(&self, environment: &MarkerEnvironment, extras: &ActiveExtras) -> bool {
        self.marker.as_ref().is_none_or(|marker| marker.evaluate(environment, extras))
            && self.python.as_ref().is_none_or(|python| python.allows(&environment.python_full_version))
            && self.platform.as_ref().is_none_or(|platform| platform.is(&environment.sys_platform))
    }

    /// Returns whether a locked version is accepted; `is_direct` says that it comes from no index.
    pub fn accept(&self, version: &Version, is_direct: bool) -> bool {
        match &self.accepted {
            Accepted::Versions(constraint) => constraint.allows(version),
            Accepted::Direct => is_direct,
        }
    }
}

impl From<marker::Requirement> for Requirement {
    fn from(requirement: marker::Requirement) -> Self {
        let accepted = match requirement.constraint {
            marker::Constraint::Any => Accepted::Versions(VersionConstraint::any()),
            marker::Constraint::Specifiers(specifiers) => Accepted::Versions(specifiers.into()),
            marker::Constraint::Url(_) => Accepted::Direct,
        };
        let terms = Terms {
            accepted,
            extras: requirement.extras,
            optional: false,
            marker: requirement.marker,
            python: None,
            platform: None,
        };
        Self { name: requirement.name, terms }
    }
}

/// The alternatives of one name. Those apply whose conditions hold.
#[derive(Debug, Clone)]
pub struct Alternatives(pub Vec<Terms>);

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
        Ok(Alternatives(vec![Table { version: Some(constraint), ..Table::default() }.into()]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Alternatives, A::Error> {
        Ok(Alternatives(vec![Table::deserialize(MapAccessDeserializer::new(map))?.into()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Alternatives, A::Error> {
        let nested = Vec::<Single>::deserialize(SeqAccessDeserializer::new(sequence))?;
        Ok(Alternatives(nested.into_iter().map(|single| single.0).collect()))
    }
}

/// An alternative in an array, which holds no further array.
struct Single(Terms);

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SingleVisitor)
    }
}

struct SingleVisitor;

impl<'de> Visitor<'de> for SingleVisitor {
    type Value = Single;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a version constraint or a table")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Single, E> {
        let constraint = text.parse().map_err(E::custom)?;
        Ok(Single(Table { version: Some(constraint), ..Table::default() }.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Single, A::Error> {
        Ok(Single(Table::deserialize(MapAccessDeserializer::new(map))?.into()))
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Table {
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
    platform: Option<Platform>,
}

impl From<Table> for Terms {
    fn from(table: Table) -> Self {
        let is_direct = [table.git, table.url, table.path, table.file].iter().any(Option::is_some);
        let constraint = table.version.unwrap_or_else(VersionConstraint::any);
        Self {
            accepted: if is_direct { Accepted::Direct } else { Accepted::Versions(constraint) },
            extras: table.extras,
            optional: table.optional,
            marker: table.markers,
            python: table.python.map(VersionConstraint::on_python),
            platform: table.platform,
        }
    }
}

/// Reads a string that has a syntax of its own.
pub fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// A condition on `sys.platform`: alternatives of names that must, or must not, be its own.
#[derive(Debug, Clone)]
struct Platform(Vec<Vec<(bool, String)>>);

impl FromStr for Platform {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let term = |term: &str| {
            let term = term.trim();
            match term.strip_prefix("!=") {
                Some(name) => (false, name.trim().to_owned()),
                None => (true, term.trim_start_matches('=').trim().to_owned()),
            }
        };
        let alternatives = text.replace("||", "|");
        Ok(Self(alternatives.split('|').map(|alternative| alternative.split(',').map(term).collect()).collect()))
    }
}

impl Platform {
    fn is(&self, sys_platform: &str) -> bool {
        let holds = |(is_equal, name): &(bool, String)| name == "*" || (name == sys_platform) == *is_equal;
        self.0.iter().any(|terms| terms.iter().all(holds))
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
        alternatives.0.iter().filter(|terms| terms.hold(&environment, &ActiveExtras::default())).count()
    }

    #[test]
    fn conditions_are_markers_versions_of_python_and_platforms() {
        for (text, holding) in [
            ("a = '^1'", 1),
            ("a = { version = '*', python = '<3.9' }", 0),
            ("a = { version = '*', python = '3.11' }", 1),
            ("a = { git = 'x', markers = \"platform_machine == 'aarch64'\", platform = 'linux' }", 1),
            ("a = { version = '*', platform = 'win32 || darwin' }", 0),
            ("a = { version = '*', platform = '!=win32,!=darwin' }", 1),
            ("a = ['1', { version = '2', python = '>=3.12' }, { path = 'x', python = '^3.8,<3.12' }]", 2),
        ] {
            assert_eq!(count(text, "3.11.4"), holding, "{text}");
        }
    }
}
