//! The description of a binary package, as Packages of an archive and dpkg's status have it.
//!
//! Specification: [Debian Policy 5.3](https://www.debian.org/doc/debian-policy/ch-controlfields.html#binary-package-control-files-debian-control).

use super::relation::parse_relations;
use super::{
    ControlParagraph, DebianArchitecture, DebianDependency, DebianVersion, InvalidDebianArchitecture,
    InvalidDebianVersion, InvalidPackageName, InvalidRelation, PackageName, PackageRelation,
};

/// A description that is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStanza {
    /// A field is missing.
    #[error("the field {0} is missing")]
    Missing(&'static str),
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] InvalidPackageName),
    /// The version is invalid.
    #[error(transparent)]
    Version(#[from] InvalidDebianVersion),
    /// The architecture is invalid.
    #[error(transparent)]
    Architecture(#[from] InvalidDebianArchitecture),
    /// A relation is invalid.
    #[error("the field {field} is invalid: {reason}")]
    Relation {
        /// The field.
        field: &'static str,
        /// What is wrong.
        reason: InvalidRelation,
    },
    /// The value of a field is invalid.
    #[error("the field {field} has the invalid value `{}`", .value.escape_debug())]
    Value {
        /// The field.
        field: &'static str,
        /// The value.
        value: String,
    },
}

/// Whether packages of other architectures satisfy a dependency, or can be installed side by side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MultiArch {
    /// Neither.
    #[default]
    No,
    /// Side by side.
    Same,
    /// Satisfies dependencies of other architectures.
    Foreign,
    /// Satisfies dependencies with `:any`.
    Allowed,
}

impl MultiArch {
    /// Returns the value of the field; `None` for the default.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Same => Some("same"),
            Self::Foreign => Some("foreign"),
            Self::Allowed => Some("allowed"),
        }
    }

    fn parse(text: Option<&str>) -> Result<Self, InvalidStanza> {
        match text {
            None | Some("no") => Ok(Self::No),
            Some("same") => Ok(Self::Same),
            Some("foreign") => Ok(Self::Foreign),
            Some("allowed") => Ok(Self::Allowed),
            Some(other) => Err(InvalidStanza::Value { field: "Multi-Arch", value: other.to_owned() }),
        }
    }
}

/// How important a package is, the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackagePriority {
    /// The field Essential is `yes`.
    Essential,
    /// `required`
    Required,
    /// `important`
    Important,
    /// `standard`
    Standard,
    /// `optional`
    Optional,
    /// `extra`, or anything else.
    Extra,
}

/// A binary package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageStanza {
    /// The name.
    pub name: PackageName,
    /// The version.
    pub version: DebianVersion,
    /// The architecture, or `all`.
    pub architecture: DebianArchitecture,
    /// Multi-Arch.
    pub multi_arch: MultiArch,
    /// Priority and Essential.
    pub priority: PackagePriority,
    /// The name and the version of the source package.
    pub source: (PackageName, DebianVersion),
    /// Pre-Depends.
    pub pre_depends: Vec<DebianDependency>,
    /// Depends.
    pub depends: Vec<DebianDependency>,
    /// Conflicts.
    pub conflicts: Vec<PackageRelation>,
    /// Breaks.
    pub breaks: Vec<PackageRelation>,
    /// Provides.
    pub provides: Vec<PackageRelation>,
}

impl PackageStanza {
    /// Reads a description.
    ///
    /// # Errors
    /// A field is missing or invalid.
    pub fn of(paragraph: &ControlParagraph<'_>) -> Result<Self, InvalidStanza> {
        let required = |field| paragraph.field(field).ok_or(InvalidStanza::Missing(field));
        let name: PackageName = required("Package")?.parse()?;
        let version: DebianVersion = required("Version")?.parse()?;
        let dependencies = |field| {
            DebianDependency::parse_list(paragraph.field(field).unwrap_or_default())
                .map_err(|reason| InvalidStanza::Relation { field, reason })
        };
        let relations = |field| {
            parse_relations(paragraph.field(field).unwrap_or_default())
                .map_err(|reason| InvalidStanza::Relation { field, reason })
        };
        Ok(Self {
            source: source(paragraph.field("Source"), &name, &version)?,
            architecture: required("Architecture")?.parse()?,
            multi_arch: MultiArch::parse(paragraph.field("Multi-Arch"))?,
            priority: priority(paragraph),
            pre_depends: dependencies("Pre-Depends")?,
            depends: dependencies("Depends")?,
            conflicts: relations("Conflicts")?,
            breaks: relations("Breaks")?,
            provides: relations("Provides")?,
            name,
            version,
        })
    }

    /// Returns all that must be there before the package is configured.
    pub fn dependencies(&self) -> impl Iterator<Item = &DebianDependency> {
        self.pre_depends.iter().chain(&self.depends)
    }
}

/// Reads the field Source: `NAME`, or `NAME (VERSION)` if the versions differ.
fn source(
    field: Option<&str>,
    name: &PackageName,
    version: &DebianVersion,
) -> Result<(PackageName, DebianVersion), InvalidStanza> {
    match field {
        None | Some("") => Ok((name.clone(), version.clone())),
        Some(text) => match text.split_once('(') {
            Some((source, rest)) => Ok((source.trim().parse()?, rest.trim_end_matches(')').trim().parse()?)),
            None => Ok((text.parse()?, version.clone())),
        },
    }
}

fn priority(paragraph: &ControlParagraph<'_>) -> PackagePriority {
    match (paragraph.field("Essential"), paragraph.field("Priority")) {
        (Some("yes"), _) => PackagePriority::Essential,
        (_, Some("required")) => PackagePriority::Required,
        (_, Some("important")) => PackagePriority::Important,
        (_, Some("standard")) => PackagePriority::Standard,
        (_, Some("optional")) => PackagePriority::Optional,
        _ => PackagePriority::Extra,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stanza(text: &str) -> Result<PackageStanza, InvalidStanza> {
        PackageStanza::of(&ControlParagraph::parse(text).unwrap())
    }

    #[test]
    fn descriptions_are_read() {
        let tini = stanza(
            "Package: tini\nSource: tini (0.19.0-1)\nVersion: 0.19.0-1+b3\nArchitecture: amd64\nPriority: optional\nDepends: libc6 (>= 2.36)\nProvides: init-for-containers (= 1)",
        )
        .unwrap();
        assert_eq!(tini.source.1.as_str(), "0.19.0-1");
        assert_eq!(tini.dependencies().map(ToString::to_string).collect::<Vec<_>>(), ["libc6 (>= 2.36)"]);
        assert_eq!((tini.priority, tini.multi_arch), (PackagePriority::Optional, MultiArch::No));
        let essential = stanza("Package: a\nVersion: 1\nArchitecture: all\nEssential: yes\nPriority: extra").unwrap();
        assert_eq!((essential.priority, essential.source.0.as_str()), (PackagePriority::Essential, "a"));
    }

    #[test]
    fn invalid_descriptions_are_errors() {
        for (text, expected) in [
            ("Version: 1", "the field Package is missing"),
            ("Package: a", "the field Version is missing"),
            ("Package: a\nVersion: 1", "the field Architecture is missing"),
            ("Package: a\nVersion: 1-", "`1-` is not a valid package version: a part of it is empty"),
            (
                "Package: a\nVersion: 1\nArchitecture: all\nDepends: b c",
                "the field Depends is invalid: `b c` is not a valid package name: names consist of ASCII letters, digits, `+`, `-`, `.` and `_`, and start with a letter or digit",
            ),
            (
                "Package: a\nVersion: 1\nArchitecture: all\nMulti-Arch: maybe",
                "the field Multi-Arch has the invalid value `maybe`",
            ),
        ] {
            assert_eq!(stanza(text).unwrap_err().to_string(), expected);
        }
    }
}
