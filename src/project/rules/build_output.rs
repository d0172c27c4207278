//! What builds wrote into the project, under whichever name.

use super::CandidatePath;
use crate::archive::destination::{self, FileFormat};
use crate::archive::unpacked;

/// The ends of the names of documents beside an artifact.
const DOCUMENTS: [&str; 3] = [".cdx.json", ".spdx.json", ".provenance.json"];

/// Returns whether a path is an artifact of an earlier build, as a file or a directory, an image layout, a document about an artifact, or a wheel.
pub(super) fn is_artifact(candidate: &CandidatePath) -> bool {
    let CandidatePath { path, name, is_directory } = candidate;
    if *is_directory {
        return path.join("oci-layout").is_file() || unpacked::is_output(path);
    }
    match name.rsplit_once('.') {
        Some((_, "whl")) => true,
        Some((_, "zip")) => destination::is_own(path, FileFormat::Zip),
        Some((_, "tar")) => destination::is_own(path, FileFormat::Tar),
        // A treemap of `inspect --html`.
        Some((_, "html")) => destination::is_own(path, FileFormat::Html),
        // `--output` takes any name.
        None => [FileFormat::Zip, FileFormat::Tar].iter().any(|format| destination::is_own(path, *format)),
        _ => {
            let artifact = DOCUMENTS.iter().find_map(|extension| name.strip_suffix(extension));
            artifact.is_some_and(|artifact| artifact.ends_with(".zip") || artifact.ends_with(".tar"))
        }
    }
}
