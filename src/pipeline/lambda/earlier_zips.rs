//! Zips that begin with the same dependencies: after an edit of the application, their start is copied from an earlier one.

use std::path::Path;

use crate::archive::ArchiveError;
use crate::archive::output::{FinishedFile, PersistedFile};
use crate::archive::zip::{ZipEntries, ZipStart};
use crate::cache::{Cache, RecordKind};
use crate::digest::Sha256;
use crate::pipeline::BuildError;
use crate::pipeline::install::InstalledDistribution;
use crate::report::Reporter;

/// What is known of zips with these dependencies.
pub(super) struct EarlierZips<'a> {
    cache: &'a Cache,
    /// The keys of the dependencies' files.
    dependencies: String,
}

impl<'a> EarlierZips<'a> {
    pub(super) fn new(distributions: &[InstalledDistribution], cache: &'a Cache) -> Self {
        let dependencies = distributions.iter().filter(|distribution| !distribution.is_local_project());
        let keys: Vec<String> = dependencies.map(|distribution| distribution.key.hex()).collect();
        Self { cache, dependencies: keys.join("\n") }
    }

    /// Writes a zip as a complete file: only what follows the dependencies if an earlier one can be copied from.
    ///
    /// # Errors
    /// The zip cannot be written, or a file cannot be read.
    pub(super) fn write(
        &self,
        entries: &ZipEntries,
        path: &Path,
        reporter: &dyn Reporter,
    ) -> Result<FinishedFile, BuildError> {
        let Some(key) = entries.start_key() else { return Ok(entries.write(path, reporter)?.0) };
        let key = Sha256::of(format!("{}\n{}", key.hex(), self.dependencies).as_bytes());
        let known: Option<ZipStart> = self.cache.record(RecordKind::ZipStart, key);
        if let Some(start) = &known
            && let Some(earlier) = self.cache.record(RecordKind::Zip, key)
            && let Some(mut finished) = entries.write_after(start, &earlier, path, reporter)?
        {
            finished.begin_with(key, Some(earlier));
            return Ok(finished);
        }
        let (mut finished, start) = entries.write(path, reporter)?;
        if let Some(start) = start.filter(|start| known.as_ref() != Some(start)) {
            self.cache.store_record(RecordKind::ZipStart, key, &start)?;
        }
        finished.begin_with(key, None);
        Ok(finished)
    }
}

/// Moves a zip to its path, and remembers it for later ones.
///
/// # Errors
/// It cannot be moved.
pub(super) fn persist(finished: FinishedFile, cache: &Cache) -> Result<PersistedFile, ArchiveError> {
    let persisted = finished.persist_remembered()?;
    if let Some((key, output)) = persisted.output {
        // The zip is complete. If it cannot be remembered, the next one is written as a whole.
        let _ = cache.store_record(RecordKind::Zip, key, &output);
    }
    Ok(persisted.file)
}
