//! Whether a file of the pinned version is accepted, by its digest, its Requires-Python and its upload time.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use super::IndexError;
use super::cutoff::Cutoff;
use super::page::IndexFile;
use super::requires_python;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::limited_reader;
use crate::lock::AcceptedFiles;
use crate::platform::PythonVersion;

/// The order in which one of several digests is chosen: first SHA-256, which the cache stores files by.
const PREFERENCE: [Algorithm; 5] =
    [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha384, Algorithm::Blake2b, Algorithm::Md5];

#[derive(Debug)]
pub(super) struct AcceptedFile {
    /// The digests of which the file must have one; empty if none is known.
    pub(crate) digests: Vec<Digest>,
    /// Whether the page states one of the lock's digests.
    pub(crate) is_stated: bool,
}

#[derive(Debug)]
pub(super) enum RejectedFile {
    /// Its digest is not in the lock.
    Other(String, Digest),
    /// Its name is not in the lock.
    Unnamed(String),
    /// It does not support the target's Python.
    Python(String, String, PythonVersion),
    /// Its Requires-Python is invalid.
    UnknownPython(String, String),
    /// It was uploaded after the cutoff, or has no upload time.
    Newer(String, Cutoff, bool),
}

impl RejectedFile {
    /// Returns the file name, with the digest if that is the reason.
    pub(crate) fn file(&self) -> String {
        match self {
            Self::Other(file, digest) => format!("{file} ({digest})"),
            Self::Unnamed(file) | Self::Python(file, ..) | Self::UnknownPython(file, _) | Self::Newer(file, ..) => {
                file.clone()
            }
        }
    }

    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Other(..) => "the digests of these are not in the lock".to_owned(),
            Self::Unnamed(_) => "the lock does not list these".to_owned(),
            Self::Python(_, wanted, python) => format!("these require Python {wanted}, not {python}"),
            Self::UnknownPython(_, wanted) => {
                format!("these have the invalid Requires-Python `{}`", wanted.escape_debug())
            }
            Self::Newer(_, cutoff, true) => format!("these were uploaded at or after {cutoff} (exclude-newer)"),
            Self::Newer(_, cutoff, false) => {
                format!("the index does not state whether these were uploaded before {cutoff} (exclude-newer)")
            }
        }
    }
}

/// Returns whether a file of the pinned version is accepted.
///
/// The digests of the page are compared with the lock's. If they have no algorithm in common, the file is compared with
/// the lock's digests after the download. A local file is hashed now, so that one with the right digest is chosen.
///
/// # Errors
/// A local file cannot be read.
pub(super) fn accept(
    file: &IndexFile,
    wanted: &AcceptedFiles,
    python: PythonVersion,
    cutoff: Option<Cutoff>,
) -> Result<Result<AcceptedFile, RejectedFile>, IndexError> {
    if let Some(reason) = too_new(file, cutoff).or_else(|| wrong_python(file, python)) {
        return Ok(Err(reason));
    }
    let wanted = match wanted {
        AcceptedFiles::Any => None,
        AcceptedFiles::Digests(digests) => Some(digests),
        AcceptedFiles::Named(names) => match names.get(&file.name) {
            Some(digests) => Some(digests).filter(|digests| !digests.is_empty()),
            None => return Ok(Err(RejectedFile::Unnamed(file.name.clone()))),
        },
    };
    let Some(wanted) = wanted else {
        let digests: Vec<Digest> = strongest(&file.digests).into_iter().collect();
        return Ok(Ok(AcceptedFile { digests, is_stated: true }));
    };
    let is_hashed = file.url.scheme() == "file" && !file.digests.iter().any(|digest| is_comparable(digest, wanted));
    let stated = if is_hashed { hash(file, wanted)? } else { file.digests.clone() };
    let matching: Vec<Digest> = stated.iter().filter(|digest| wanted.contains(digest)).cloned().collect();
    if let Some(digest) = strongest(&matching) {
        return Ok(Ok(AcceptedFile { digests: vec![digest], is_stated: true }));
    }
    Ok(match stated.iter().find(|digest| is_comparable(digest, wanted)) {
        Some(other) => Err(RejectedFile::Other(file.name.clone(), other.clone())),
        None => Ok(AcceptedFile { digests: wanted.iter().cloned().collect(), is_stated: false }),
    })
}

fn too_new(file: &IndexFile, cutoff: Option<Cutoff>) -> Option<RejectedFile> {
    let cutoff = cutoff.filter(|cutoff| cutoff.excludes(file.uploaded))?;
    Some(RejectedFile::Newer(file.name.clone(), cutoff, file.uploaded.is_some()))
}

fn wrong_python(file: &IndexFile, python: PythonVersion) -> Option<RejectedFile> {
    let text = file.requires_python.as_ref()?;
    match requires_python::parse(text) {
        Some(specifiers) if python.is_allowed_by(&specifiers) => None,
        Some(specifiers) => Some(RejectedFile::Python(file.name.clone(), specifiers.to_string(), python)),
        None => Some(RejectedFile::UnknownPython(file.name.clone(), text.clone())),
    }
}

fn strongest(digests: &[Digest]) -> Option<Digest> {
    let strongest = PREFERENCE.iter().find_map(|algorithm| digests.iter().find(|it| it.algorithm() == *algorithm));
    strongest.cloned()
}

/// Returns whether one of the lock's digests has the same algorithm.
fn is_comparable(digest: &Digest, wanted: &BTreeSet<Digest>) -> bool {
    wanted.iter().any(|other| other.algorithm() == digest.algorithm())
}

/// Computes the digests of a local file with the lock's algorithms.
fn hash(file: &IndexFile, wanted: &BTreeSet<Digest>) -> Result<Vec<Digest>, IndexError> {
    let path = file.url.to_file_path().map_err(|()| IndexError::NotLocal(file.name.clone()))?;
    let algorithms: BTreeSet<Algorithm> = wanted.iter().map(Digest::algorithm).collect();
    digests(&path, algorithms).map_err(IndexError::read(&path))
}

fn digests(path: &Path, algorithms: BTreeSet<Algorithm>) -> io::Result<Vec<Digest>> {
    let mut hashers: Vec<Hasher> = algorithms.into_iter().map(Hasher::new).collect();
    let mut content = limited_reader::open_regular_file(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = content.read(&mut buffer)?;
        if count == 0 {
            return Ok(hashers.into_iter().map(Hasher::finish).collect());
        }
        for hasher in &mut hashers {
            hasher.update(&buffer[..count]);
        }
    }
}
