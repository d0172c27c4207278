//! The files of pylock.toml: their names, places and digests.

use std::collections::BTreeMap;
use std::path::Path;

use pep440_rs::Version;
use url::Url;

use super::document::FileTable;
use super::fault::Fault;
use crate::digest::{Algorithm, Digest};
use crate::lock::path::{file_name_of_url, join};
use crate::lock::{Location, LockedFile, LockedWheel};
use crate::name::DistributionName;
use crate::redact;
use crate::sdist::filename::SdistFilename;

/// The algorithms, the one that identifies a file best first.
const PREFERENCE: [Algorithm; 5] =
    [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha384, Algorithm::Blake2b, Algorithm::Md5];

/// A file whose name may still be any.
pub type File = LockedFile<String>;

/// Reads the file of a key. `folder` is the lock's, `index` the entry's.
pub fn read(table: FileTable, key: &'static str, folder: &Path, index: Option<&Url>) -> Result<File, Fault> {
    let (path, url) = (table.path.filter(|path| !path.is_empty()), table.url.filter(|url| !url.is_empty()));
    let (end, location) = match (path, url) {
        (Some(path), _) => {
            let end = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            (end, Location::Path(join(folder, checked_path(&path)?)))
        }
        (None, Some(text)) => {
            let url = parse_url(key, &text)?;
            let end = file_name_of_url(url.path()).map_err(|reason| invalid_url(key, &text, reason))?;
            (end, fetched_from(key, url, index)?)
        }
        (None, None) => return Err(Fault::NoPlace(key)),
    };
    let name = table.name.unwrap_or(end);
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        return Err(Fault::InvalidFileName { key, name });
    }
    let digests = best_digest(&table.hashes, &name)?.into_iter().collect();
    Ok(File { filename: name, location, digests, size: table.size })
}

/// Takes a file for a wheel of a distribution, whose version it tells if that is not known.
pub fn wheel(file: File, name: &DistributionName, version: &mut Option<Version>) -> Result<LockedWheel, Fault> {
    let wheel: LockedWheel = named(file.filename.parse()?, file);
    if wheel.filename.name != *name {
        return Err(Fault::FileOfAnother(wheel.filename.to_string()));
    }
    let found = wheel.filename.version.clone();
    agree(version, found, wheel.filename.as_str())?;
    Ok(wheel)
}

/// Checks that an archive is a source distribution of a distribution, whose version it tells if that is not known.
pub fn check_sdist(
    filename: &SdistFilename,
    name: &DistributionName,
    version: &mut Option<Version>,
) -> Result<(), Fault> {
    let found = filename.version_of(name).ok_or_else(|| Fault::FileOfAnother(filename.to_string()))?;
    agree(version, found, filename.as_str())
}

/// Takes a file for an archive that a project can be built from, or returns its name if it cannot be unpacked.
pub fn archive(file: File) -> Result<LockedFile<SdistFilename>, String> {
    match file.filename.parse() {
        Ok(filename) => Ok(named(filename, file)),
        Err(_) => Err(file.filename),
    }
}

fn named<Name>(filename: Name, file: File) -> LockedFile<Name> {
    LockedFile { filename, location: file.location, digests: file.digests, size: file.size }
}

fn agree(version: &mut Option<Version>, found: Version, file: &str) -> Result<(), Fault> {
    if version.get_or_insert_with(|| found.clone()) == &found {
        Ok(())
    } else {
        Err(Fault::FileOfAnotherVersion(file.to_owned()))
    }
}

/// Returns the digest that a file must have: of those that are known the strongest. There is none only where there are no
/// hashes at all: uv writes that for indexes that publish none, although the specification asks for one.
fn best_digest(hashes: &BTreeMap<String, String>, file: &str) -> Result<Option<Digest>, Fault> {
    let known = PREFERENCE.iter().filter_map(|algorithm| hashes.get_key_value(algorithm.name()));
    let digests = known.map(|(algorithm, hexadecimal)| format!("{algorithm}:{hexadecimal}").parse());
    let digests: Vec<Digest> = digests.collect::<Result<_, _>>()?;
    if digests.is_empty() && !hashes.is_empty() {
        return Err(Fault::UnknownHashes { file: file.to_owned(), algorithms: hashes.keys().cloned().collect() });
    }
    Ok(digests.into_iter().next())
}

/// Returns a path that may be looked up.
pub fn checked_path(path: &str) -> Result<&str, Fault> {
    if path.contains('\0') { Err(Fault::InvalidPath(path.to_owned())) } else { Ok(path) }
}

/// Parses the URL of a key; it is never relative.
pub fn parse_url(key: &'static str, text: &str) -> Result<Url, Fault> {
    text.parse().map_err(|error: url::ParseError| invalid_url(key, text, error.to_string()))
}

/// Says that a URL cannot be fetched.
pub fn invalid_url(key: &'static str, url: &str, reason: String) -> Fault {
    Fault::InvalidUrl { key, url: redact::text(url), reason }
}

fn fetched_from(key: &'static str, mut url: Url, index: Option<&Url>) -> Result<Location, Fault> {
    url.set_fragment(None);
    Location::of_url(&url, index).map_err(|reason| invalid_url(key, url.as_str(), reason.to_owned()))
}
