//! The Python of an image: a version, or the package of Debian that contains it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::python_version;
use crate::apt::PackageRequest;
use crate::debian::PackageName;
use crate::platform::PythonVersion;
use crate::settings::BaseChoice;

/// What a flag begins with that names a package.
const PREFIX: &str = "apt:";

/// What Debian's Python needs besides what it depends on, where there is no base: `base-files` has the link `/lib64`, by which
/// the dynamic linker is found, and os-release; `base-passwd` the users; wheels are linked to libstdc++; `ssl` finds
/// certificates by the links of `openssl`, and names of ports are those of `netbase`. None of this is a dependency, because Debian's systems always have it.
const WITHOUT_BASE: [&str; 6] = ["base-files", "base-passwd", "ca-certificates", "libstdc++6", "netbase", "openssl"];

/// The Python of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ImagePython {
    /// A version, which the base has.
    Version(PythonVersion),
    /// A package, such as `python3.13`, which is put on the base, or on nothing.
    Package(PackageName, PythonVersion),
}

impl ImagePython {
    pub(super) fn version(&self) -> PythonVersion {
        match self {
            Self::Version(version) | Self::Package(_, version) => *version,
        }
    }

    /// Returns the base that the image has by default.
    pub(super) fn default_base(&self) -> Option<BaseChoice> {
        matches!(self, Self::Package(..)).then_some(BaseChoice::Scratch)
    }

    /// Returns the packages that the image needs for it on a base. Without one, it is on an empty base.
    pub(super) fn packages(&self, base: Option<&BaseChoice>) -> Vec<PackageRequest> {
        let Self::Package(name, _) = self else { return Vec::new() };
        let is_alone = matches!(base, None | Some(BaseChoice::Scratch));
        let others = WITHOUT_BASE.iter().filter(|_| is_alone).filter_map(|name| name.parse().ok());
        others.chain([PackageRequest { name: name.clone(), version: None }]).collect()
    }
}

impl FromStr for ImagePython {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(package) = text.strip_prefix(PREFIX) else { return python_version(text).map(Self::Version) };
        let version = package.strip_prefix("python").and_then(|version| version.parse().ok());
        match (package.parse(), version) {
            (Ok(name), Some(version)) => Ok(Self::Package(name, version)),
            _ => Err("expected a package such as python3.13"),
        }
    }
}

impl fmt::Display for ImagePython {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => version.fmt(formatter),
            Self::Package(name, _) => write!(formatter, "{PREFIX}{name}"),
        }
    }
}

impl Serialize for ImagePython {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The forms in a file.
#[derive(Deserialize)]
#[serde(untagged)]
enum PythonForm {
    Text(String),
    Table(PythonTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PythonTable {
    apt: String,
}

impl<'de> Deserialize<'de> for ImagePython {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "expected a version in quotation marks, or a table such as { apt = \"python3.13\" }";
        let text = match PythonForm::deserialize(deserializer).map_err(|_| D::Error::custom(expected))? {
            PythonForm::Text(text) => text,
            PythonForm::Table(PythonTable { apt }) => format!("{PREFIX}{apt}"),
        };
        text.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for ImagePython {
    fn schema_name() -> Cow<'static, str> {
        "ImagePython".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "object"],
            "properties": { "apt": { "type": "string" } },
            "required": ["apt"],
            "additionalProperties": false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(toml: &str) -> Result<ImagePython, toml::de::Error> {
        toml::from_str::<toml::Table>(&format!("python = {toml}"))?["python"].clone().try_into()
    }

    #[test]
    fn a_package_is_named_by_a_table_or_a_prefix() {
        let package = ImagePython::Package("python3.13".parse().unwrap(), "3.13".parse().unwrap());
        for (toml, expected) in [
            ("\"3.13\"", ImagePython::Version("3.13".parse().unwrap())),
            ("\"python3.13\"", ImagePython::Version("3.13".parse().unwrap())),
            ("{ apt = \"python3.13\" }", package.clone()),
            ("\"apt:python3.13\"", package.clone()),
        ] {
            assert_eq!(parsed(toml).unwrap(), expected, "{toml}");
        }
        for toml in
            ["{ apt = \"nginx\" }", "{ apt = \"python3\" }", "{ apt = \"python3.13\", pip = true }", "3", "\"x\""]
        {
            assert!(parsed(toml).is_err(), "{toml}");
        }
    }

    #[test]
    fn without_a_base_more_is_needed() {
        let python: ImagePython = "apt:python3.13".parse().unwrap();
        let names = |base: Option<&str>| {
            let base = base.map(|base| base.parse().unwrap());
            python.packages(base.as_ref()).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(Some("debian:13-slim")), "python3.13");
        assert_eq!(names(None), "base-files base-passwd ca-certificates libstdc++6 netbase openssl python3.13");
        assert_eq!(names(Some("scratch")), names(None));
    }
}
