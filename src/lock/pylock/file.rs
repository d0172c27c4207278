//! The files of pylock.toml: their names, locations and digests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pep440_rs::Version;
use url::Url;

use super::document::PylockFileTable;
use super::error::InvalidPylockPackage;
use crate::digest::{Algorithm, Digest};
use crate::lock::path::{file_name_of_url, join};
use crate::lock::{FileLocation, LockedFile, LockedWheel};
use crate::name::DistributionName;
use crate::redact;
use crate::sdist::filename::SdistFilename;
use crate::wheel::filename::WheelFilename;

/// The supported algorithms, from the most preferred to the least.
const PREFERENCE: [Algorithm; 5] =
    [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha384, Algorithm::Blake2b, Algorithm::Md5];

/// A file whose name is not parsed yet.
pub(super) type PylockFile = LockedFile<String>;

/// Reads the file of a key. `lock_directory` is the lock's directory, `index` the entry's index.
pub(super) fn read(
    table: PylockFileTable,
    key: &'static str,
    lock_directory: &Path,
    index: Option<&Arc<Url>>,
) -> Result<PylockFile, InvalidPylockPackage> {
    let (path, url) = (table.path.filter(|path| !path.is_empty()), table.url.filter(|url| !url.is_empty()));
    let (end, location) = match (path, url) {
        (Some(path), _) => {
            let end = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            (end, FileLocation::Path(join(lock_directory, checked_path(&path)?)))
        }
        (None, Some(text)) => {
            let url = parse_url(key, &text)?;
            let end = file_name_of_url(url.path()).map_err(|reason| invalid_url(key, &text, reason))?;
            (end, fetched_from(key, url, index)?)
        }
        (None, None) => return Err(InvalidPylockPackage::MissingLocation(key)),
    };
    let name = table.name.unwrap_or(end);
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        return Err(InvalidPylockPackage::InvalidFileName { key, name });
    }
    let digests = best_digest(&table.hashes, &name)?.into_iter().collect();
    Ok(PylockFile { filename: name, location, digests, size: table.size })
}

/// Returns a file as a wheel of a distribution. Sets the distribution's version if it is not known.
pub(super) fn wheel(
    filename: WheelFilename,
    file: PylockFile,
    name: &DistributionName,
    version: &mut Option<Version>,
) -> Result<LockedWheel, InvalidPylockPackage> {
    let wheel: LockedWheel = with_name(filename, file);
    if wheel.filename.name != *name {
        return Err(InvalidPylockPackage::FileNameMismatch(wheel.filename.to_string()));
    }
    let found = wheel.filename.version.clone();
    check_version(version, found, wheel.filename.as_str())?;
    Ok(wheel)
}

/// Checks that an archive is a source distribution of a distribution. Sets the distribution's version if it is not known.
pub(super) fn check_sdist(
    filename: &SdistFilename,
    name: &DistributionName,
    version: &mut Option<Version>,
) -> Result<(), InvalidPylockPackage> {
    let found =
        filename.version_of(name).ok_or_else(|| InvalidPylockPackage::FileNameMismatch(filename.to_string()))?;
    check_version(version, found, filename.as_str())
}

/// Returns a file as an archive from which a project can be built, or its name if the archive's format is not supported.
pub(super) fn archive(file: PylockFile) -> Result<LockedFile<SdistFilename>, String> {
    match file.filename.parse() {
        Ok(filename) => Ok(with_name(filename, file)),
        Err(_) => Err(file.filename),
    }
}

fn with_name<Name>(filename: Name, file: PylockFile) -> LockedFile<Name> {
    LockedFile { filename, location: file.location, digests: file.digests, size: file.size }
}

/// Checks that a file has a distribution's version, or sets the version if it is not known.
fn check_version(version: &mut Option<Version>, found: Version, file: &str) -> Result<(), InvalidPylockPackage> {
    if version.get_or_insert_with(|| found.clone()) == &found {
        Ok(())
    } else {
        Err(InvalidPylockPackage::FileVersionMismatch(file.to_owned()))
    }
}

/// Returns the most preferred of a file's digests. Returns `None` if the file has no hashes at all: uv writes such locks for
/// indexes without hashes, although the specification requires at least one.
fn best_digest(hashes: &BTreeMap<String, String>, file: &str) -> Result<Option<Digest>, InvalidPylockPackage> {
    let known = PREFERENCE.iter().filter_map(|algorithm| hashes.get_key_value(algorithm.name()));
    let digests = known.map(|(algorithm, hexadecimal)| format!("{algorithm}:{hexadecimal}").parse());
    let digests: Vec<Digest> = digests.collect::<Result<_, _>>()?;
    if digests.is_empty() && !hashes.is_empty() {
        return Err(InvalidPylockPackage::UnsupportedHashes {
            file: file.to_owned(),
            algorithms: hashes.keys().cloned().collect(),
        });
    }
    Ok(digests.into_iter().next())
}

/// Refuses a path that the operating system would refuse.
pub(super) fn checked_path(path: &str) -> Result<&str, InvalidPylockPackage> {
    if path.contains('\0') { Err(InvalidPylockPackage::InvalidPath(path.to_owned())) } else { Ok(path) }
}

/// Parses the URL of a key, which must be absolute.
pub(super) fn parse_url(key: &'static str, text: &str) -> Result<Url, InvalidPylockPackage> {
    text.parse().map_err(|error: url::ParseError| invalid_url(key, text, error.to_string()))
}

pub(super) fn invalid_url(key: &'static str, url: &str, reason: String) -> InvalidPylockPackage {
    InvalidPylockPackage::InvalidUrl { key, url: redact::text(url), reason }
}

fn fetched_from(
    key: &'static str,
    mut url: Url,
    index: Option<&Arc<Url>>,
) -> Result<FileLocation, InvalidPylockPackage> {
    url.set_fragment(None);
    FileLocation::from_url(&url, index).map_err(|reason| invalid_url(key, url.as_str(), reason.to_owned()))
}
