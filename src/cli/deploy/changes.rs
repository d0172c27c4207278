//! What a deployment would change: the zip that is live beside the one that was built.

use std::path::Path;

use crate::artifact;
use crate::cli::printer::Printer;
use crate::deploy::{DeployedArtifact, DeployedCode, LiveZip, LiveZipError};
use crate::report::{DiffReport, ErrorReport};
use crate::temporary::TemporaryDirectory;

/// Compares the zip that is live with the one that was built; `None` for images, and if the live one cannot be read, which is a
/// warning.
pub(super) fn changes(live: &LiveZip, code: &DeployedCode, name: &str, printer: &Printer) -> Option<DiffReport> {
    let DeployedArtifact::Zip { path, .. } = &code.artifact else { return None };
    match compare(live, path, name) {
        Ok(report) => Some(report),
        Err(ErrorReport { message, causes, .. }) => {
            let reason = [vec![message], causes].concat().join(": ");
            printer.warning("", &format!("{name}: cannot compare what is built with what is live: {reason}"));
            None
        }
    }
}

fn compare(live: &LiveZip, built: &Path, name: &str) -> Result<DiffReport, ErrorReport> {
    let unreadable = |error: LiveZipError| ErrorReport::new(&error);
    let directory = TemporaryDirectory::new().map_err(|error| unreadable(LiveZipError::Write(error)))?;
    let downloaded = directory.path().join("live.zip");
    live.download(&downloaded).map_err(unreadable)?;
    let compared = artifact::diff_zips((format!("{name}, live"), &downloaded), (format!("{name}, built"), built));
    compared.map_err(|error| ErrorReport::new(&error))
}
