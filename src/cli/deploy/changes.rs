//! What a deployment would change: the zip that is live beside the one that was built.

use std::path::Path;
use std::thread;

use crate::artifact;
use crate::cli::printer::Printer;
use crate::deploy::{DeployedArtifact, DeployedCode, LiveZip, LiveZipError};
use crate::report::{DiffReport, ErrorReport};
use crate::temporary::TemporaryDirectory;

/// How many zips are downloaded at a time.
const CONCURRENCY: usize = 8;

/// The zip that is live, and the code that would be deployed in its place.
pub(super) struct Comparison<'a> {
    pub(super) live: &'a LiveZip,
    pub(super) code: &'a DeployedCode,
    /// The name of the target.
    pub(super) name: &'a str,
}

/// Compares zips that are live with those that were built, several at a time. The results have the order of the comparisons;
/// `None` for images, and for what cannot be read, which is a warning.
pub(super) fn all(comparisons: &[Option<Comparison>], printer: &Printer) -> Vec<Option<DiffReport>> {
    let compared = comparisons.chunks(CONCURRENCY).flat_map(|chunk| {
        thread::scope(|scope| {
            let running: Vec<_> =
                chunk.iter().map(|comparison| scope.spawn(|| comparison.as_ref()?.compare())).collect();
            running.into_iter().map(|comparison| comparison.join().ok().flatten()).collect::<Vec<_>>()
        })
    });
    let reports = compared.zip(comparisons).map(|(compared, comparison)| match compared? {
        Ok(report) => Some(report),
        Err(ErrorReport { message, causes, .. }) => {
            let name = comparison.as_ref().map_or("", |comparison| comparison.name);
            let reason = [vec![message], causes].concat().join(": ");
            printer.warning("", &format!("{name}: cannot compare what is built with what is live: {reason}"));
            None
        }
    });
    reports.collect()
}

impl Comparison<'_> {
    /// Compares the zips; `None` for an image.
    fn compare(&self) -> Option<Result<DiffReport, ErrorReport>> {
        match &self.code.artifact {
            DeployedArtifact::Zip { path, .. } => Some(compare(self.live, path, self.name)),
            DeployedArtifact::Image { .. } => None,
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
