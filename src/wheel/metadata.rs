//! The `.dist-info` directory and its files METADATA and WHEEL.
//!
//! Specification: [PyPA, binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/)
//! and [core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/).

use std::collections::BTreeSet;

use pep440_rs::Version;

use super::archive::ArchiveEntry;
use super::error::WheelErrorKind;
use crate::mail_headers;
use crate::name::DistributionName;
use crate::wheel::filename::WheelFilename;

const REQUIRES: &str = "Requires-Dist";

/// Finds the only top-level `.dist-info` directory.
pub(super) fn dist_info(entries: &[ArchiveEntry]) -> Result<String, WheelErrorKind> {
    let directories: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.is_directory || entry.path.contains('/'))
        .filter_map(|entry| entry.path.split('/').next())
        .filter(|directory| directory.ends_with(".dist-info"))
        .collect();
    let mut directories = directories.into_iter();
    match (directories.next(), directories.next()) {
        (None, _) => Err(WheelErrorKind::NoDistInfo),
        (Some(directory), None) => Ok(directory.to_owned()),
        (Some(first), Some(second)) => Err(WheelErrorKind::SeveralDistInfo(
            [first, second].into_iter().chain(directories).map(str::to_owned).collect(),
        )),
    }
}

/// Checks that a `.dist-info` directory has the name and the version in the wheel's file name.
pub(super) fn check_dist_info(directory: &str, filename: &WheelFilename) -> Result<(), WheelErrorKind> {
    let stem = directory.trim_end_matches(".dist-info");
    let (name, version) = stem.rsplit_once('-').ok_or_else(|| WheelErrorKind::DistributionName(stem.to_owned()))?;
    check_identity(name, version, filename)
}

/// What a distribution requires, as METADATA states it.
#[derive(Debug, Clone, Default)]
pub(crate) struct WheelRequirements {
    /// The values of Requires-Dist.
    pub(crate) requires: Vec<String>,
    /// The value of Requires-Python, unless it is missing or empty.
    pub(crate) requires_python: Option<String>,
}

/// Checks that METADATA has the name and the version in the wheel's file name; returns the requirements.
pub(crate) fn check_metadata(text: &[u8], filename: &WheelFilename) -> Result<WheelRequirements, WheelErrorKind> {
    let headers = MetadataHeaders::parse(text)?;
    check_identity(&headers.get("Name")?, &headers.get("Version")?, filename)?;
    Ok(WheelRequirements::of(&headers))
}

/// Returns the requirements in METADATA.
///
/// # Errors
/// The headers cannot be parsed.
pub(crate) fn requirements(text: &[u8]) -> Result<WheelRequirements, WheelErrorKind> {
    Ok(WheelRequirements::of(&MetadataHeaders::parse(text)?))
}

impl WheelRequirements {
    fn of(headers: &MetadataHeaders) -> Self {
        let requires_python = headers.get("Requires-Python").ok().filter(|versions| !versions.is_empty());
        Self { requires: headers.all(REQUIRES), requires_python }
    }
}

fn check_identity(name: &str, version: &str, filename: &WheelFilename) -> Result<(), WheelErrorKind> {
    if !name.parse::<DistributionName>().is_ok_and(|name| name == filename.name) {
        return Err(WheelErrorKind::DistributionName(name.to_owned()));
    }
    // Rebuilt wheels often have a local version in the file name only, for instance `1.0+cu121`.
    match version.parse::<Version>() {
        Ok(found) if found == filename.version || found == filename.version.clone().without_local() => Ok(()),
        _ => Err(WheelErrorKind::DistributionVersion(version.to_owned())),
    }
}

/// Checks the headers of WHEEL; returns Root-Is-Purelib.
pub(crate) fn check_wheel(text: &[u8]) -> Result<bool, WheelErrorKind> {
    let headers = MetadataHeaders::parse(text)?;
    let version = headers.get("Wheel-Version")?;
    // Only a greater major version is incompatible (binary distribution format, installing a wheel).
    let is_known = version.split_once('.').is_some_and(|(major, minor)| {
        major == "1" && !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit())
    });
    if !is_known {
        return Err(WheelErrorKind::WheelVersion(version));
    }
    let root_is_purelib = headers.get("Root-Is-Purelib")?;
    match root_is_purelib.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(WheelErrorKind::RootIsPurelib(root_is_purelib)),
    }
}

/// The headers of a file in email format (RFC 5322).
struct MetadataHeaders<'a>(Vec<mailparse::MailHeader<'a>>);

impl<'a> MetadataHeaders<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, WheelErrorKind> {
        let (headers, _) =
            mailparse::parse_headers(text).map_err(|error| WheelErrorKind::InvalidHeaders(error.to_string()))?;
        Ok(Self(headers))
    }

    /// Returns the first value of a header, as other installers do where a wheel has the header twice.
    fn get(&self, name: &'static str) -> Result<String, WheelErrorKind> {
        mail_headers::first_value(&self.0, name).ok_or(WheelErrorKind::MissingHeader(name))
    }

    /// Returns the values of a header that may occur several times.
    fn all(&self, name: &str) -> Vec<String> {
        mail_headers::all_values(&self.0, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_compared_normalized() {
        let filename = "Zope.Interface-7.0+cu1-py3-none-any.whl".parse().unwrap();
        for directory in
            ["zope_interface-7.0+cu1.dist-info", "Zope.Interface-7.0.0.dist-info", "zope-interface-7.dist-info"]
        {
            check_dist_info(directory, &filename).unwrap();
        }
        assert!(matches!(check_dist_info("zope-7.0.dist-info", &filename), Err(WheelErrorKind::DistributionName(_))));
        assert!(matches!(
            check_dist_info("zope_interface-8.dist-info", &filename),
            Err(WheelErrorKind::DistributionVersion(_))
        ));
        assert!(matches!(check_dist_info("zope.dist-info", &filename), Err(WheelErrorKind::DistributionName(_))));
    }

    #[test]
    fn wheel_versions_are_compared_by_major_version() {
        fn check(version: &str) -> Result<bool, WheelErrorKind> {
            check_wheel(format!("Wheel-Version: {version}\nRoot-Is-Purelib: True\n").as_bytes())
        }

        assert!(check("1.0").unwrap() && check("1.9").unwrap());
        for unknown in ["2.0", "1", "1.", "0.1", "10.0"] {
            assert!(matches!(check(unknown), Err(WheelErrorKind::WheelVersion(_))), "{unknown}");
        }
    }
}
