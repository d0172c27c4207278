//! The `.dist-info` folder and the headers of its files METADATA and WHEEL.
//!
//! Specification: [PyPA, binary distribution format](https://packaging.python.org/en/latest/specifications/binary-distribution-format/)
//! and [core metadata](https://packaging.python.org/en/latest/specifications/core-metadata/).

use std::collections::BTreeSet;

use mailparse::MailHeaderMap;
use pep440_rs::Version;

use super::archive::ArchiveEntry;
use super::error::WheelErrorKind;
use crate::name::DistributionName;
use crate::wheel::filename::WheelFilename;

/// The header of a requirement.
const REQUIRES: &str = "Requires-Dist";

/// Finds the one top-level `.dist-info` folder.
pub(super) fn dist_info(entries: &[ArchiveEntry]) -> Result<String, WheelErrorKind> {
    let folders: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.is_folder || entry.path.contains('/'))
        .filter_map(|entry| entry.path.split('/').next())
        .filter(|folder| folder.ends_with(".dist-info"))
        .collect();
    let mut folders = folders.into_iter();
    match (folders.next(), folders.next()) {
        (None, _) => Err(WheelErrorKind::NoDistInfo),
        (Some(folder), None) => Ok(folder.to_owned()),
        (Some(first), Some(second)) => Err(WheelErrorKind::SeveralDistInfo(
            [first, second].into_iter().chain(folders).map(str::to_owned).collect(),
        )),
    }
}

/// Checks that a `.dist-info` folder is named for the distribution in the file name.
pub(super) fn check_dist_info(folder: &str, filename: &WheelFilename) -> Result<(), WheelErrorKind> {
    let stem = folder.trim_end_matches(".dist-info");
    let (name, version) = stem.rsplit_once('-').ok_or_else(|| WheelErrorKind::DistributionName(stem.to_owned()))?;
    check_identity(name, version, filename)
}

/// Checks that METADATA is of the distribution in the file name; returns what it requires.
pub(super) fn check_metadata(text: &[u8], filename: &WheelFilename) -> Result<Vec<String>, WheelErrorKind> {
    let headers = MetadataHeaders::parse(text)?;
    check_identity(&headers.get("Name")?, &headers.get("Version")?, filename)?;
    Ok(headers.all(REQUIRES))
}

/// Returns what a distribution requires by its METADATA, which an index may serve beside the wheel (core metadata,
/// Requires-Dist).
///
/// # Errors
/// The text is no METADATA.
pub fn requires(text: &[u8]) -> Result<Vec<String>, WheelErrorKind> {
    Ok(MetadataHeaders::parse(text)?.all(REQUIRES))
}

fn check_identity(name: &str, version: &str, filename: &WheelFilename) -> Result<(), WheelErrorKind> {
    if !name.parse::<DistributionName>().is_ok_and(|name| name == filename.name) {
        return Err(WheelErrorKind::DistributionName(name.to_owned()));
    }
    // A local version is often added to the file name alone, when a wheel is built again.
    let agrees = |version: Version| version == filename.version || version == filename.version.clone().without_local();
    if !version.parse().is_ok_and(agrees) {
        return Err(WheelErrorKind::Version(version.to_owned()));
    }
    Ok(())
}

/// Checks the headers of WHEEL; returns Root-Is-Purelib.
pub(super) fn check_wheel(text: &[u8]) -> Result<bool, WheelErrorKind> {
    let headers = MetadataHeaders::parse(text)?;
    let version = headers.get("Wheel-Version")?;
    // A greater minor version is compatible.
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

/// The headers of a file in the format of electronic mail (RFC 5322).
struct MetadataHeaders<'a>(Vec<mailparse::MailHeader<'a>>);

impl<'a> MetadataHeaders<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, WheelErrorKind> {
        let (headers, _) =
            mailparse::parse_headers(text).map_err(|error| WheelErrorKind::Headers(error.to_string()))?;
        Ok(Self(headers))
    }

    /// Returns the first value of a header: some wheels have a header twice, and every installer takes the first.
    fn get(&self, name: &'static str) -> Result<String, WheelErrorKind> {
        let value = self.0.get_first_value(name).ok_or(WheelErrorKind::HeaderMissing(name))?;
        Ok(value.trim().to_owned())
    }

    /// Returns every value of a header that may be there more than once.
    fn all(&self, name: &str) -> Vec<String> {
        self.0.get_all_values(name).iter().map(|value| value.trim().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_compared_normalized() {
        let filename = "Zope.Interface-7.0+cu1-py3-none-any.whl".parse().unwrap();
        for folder in
            ["zope_interface-7.0+cu1.dist-info", "Zope.Interface-7.0.0.dist-info", "zope-interface-7.dist-info"]
        {
            check_dist_info(folder, &filename).unwrap();
        }
        assert!(matches!(check_dist_info("zope-7.0.dist-info", &filename), Err(WheelErrorKind::DistributionName(_))));
        assert!(matches!(check_dist_info("zope_interface-8.dist-info", &filename), Err(WheelErrorKind::Version(_))));
        assert!(matches!(check_dist_info("zope.dist-info", &filename), Err(WheelErrorKind::DistributionName(_))));
    }

    #[test]
    fn wheel_versions_are_compared_by_major_version() {
        let check =
            |version: &str| check_wheel(format!("Wheel-Version: {version}\nRoot-Is-Purelib: True\n").as_bytes());
        assert!(check("1.0").unwrap() && check("1.9").unwrap());
        for unknown in ["2.0", "1", "1.", "0.1", "10.0"] {
            assert!(matches!(check(unknown), Err(WheelErrorKind::WheelVersion(_))), "{unknown}");
        }
    }
}
