//! Zips that begin with the same dependencies: after an edit of the application, their start is copied from an earlier one, of
//! this machine or of another.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::archive::ArchiveError;
use crate::archive::earlier::EarlierOutput;
use crate::archive::output::{FinishedFile, PersistedFile};
use crate::archive::zip::{ZipEntries, ZipStart};
use crate::cache::{Cache, RecordKind};
use crate::closure::ClosureKey;
use crate::digest::Sha256;
use crate::pipeline::BuildError;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::remote_cache::RemoteCache;
use crate::report::Reporter;

/// What is known of zips with these dependencies.
pub(super) struct EarlierZips<'a> {
    cache: &'a Cache,
    /// What the dependencies' files follow from.
    sources: String,
    /// Where the starts are whose wheels are not here.
    remote: Option<(&'a RemoteCache<'a>, ClosureKey)>,
    /// The starts of what was written, and where.
    starts: RefCell<Vec<(ZipStart, PathBuf)>>,
}

impl<'a> EarlierZips<'a> {
    pub(super) fn new(
        (distributions, interpreter): (&[InstalledDistribution], &str),
        remote: Option<(&'a RemoteCache<'a>, ClosureKey)>,
        cache: &'a Cache,
    ) -> Self {
        let dependencies = distributions.iter().filter(|distribution| !distribution.is_local_project());
        let keys = dependencies.map(|distribution| distribution.key.hex());
        // Scripts begin with the path of the interpreter.
        let sources: Vec<String> = [interpreter.to_owned()].into_iter().chain(keys).collect();
        Self { cache, sources: sources.join("\n"), remote, starts: RefCell::default() }
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
        let Some(key) = entries.start_key(&self.sources) else { return Ok(entries.write(path, reporter)?.0) };
        let known: Option<ZipStart> = self.cache.record(RecordKind::ZipStart, key);
        if let Some(start) = &known
            && let Some((mut finished, earlier)) = self.write_known(entries, (start, key), path, reporter)?
        {
            finished.begin_with(key, earlier);
            self.remember(start, path);
            return Ok(finished);
        }
        let (mut finished, start) = entries.write(path, reporter)?;
        if let Some(start) = start {
            if known.as_ref() != Some(&start) {
                self.cache.store_record(RecordKind::ZipStart, key, &start)?;
            }
            self.remember(&start, path);
            finished.begin_with(key, None);
        }
        Ok(finished)
    }

    /// Writes a zip whose start is known, and returns the earlier zip that it was copied from; `None` if the start is not to be
    /// had.
    fn write_known(
        &self,
        entries: &ZipEntries,
        (start, key): (&ZipStart, Sha256),
        path: &Path,
        reporter: &dyn Reporter,
    ) -> Result<Option<(FinishedFile, Option<EarlierOutput>)>, BuildError> {
        if let Some(earlier) = self.cache.record(RecordKind::Zip, key)
            && let Some(finished) = entries.write_after(start, &earlier, path, reporter)?
        {
            return Ok(Some((finished, Some(earlier))));
        }
        let (Some((remote, closure)), Some(sha256)) = (self.remote, start.sha256()) else { return Ok(None) };
        let fetch = |output: &mut dyn Write| remote.zip_start(closure, (sha256, start.length()), output);
        Ok(entries.write_onto(start, fetch, path, reporter)?.map(|finished| (finished, None)))
    }

    fn remember(&self, start: &ZipStart, path: &Path) {
        self.starts.borrow_mut().push((start.clone(), path.to_owned()));
    }

    /// Returns the starts of the zips that were written, each with the path of its zip.
    pub(super) fn into_starts(self) -> Vec<(ZipStart, PathBuf)> {
        self.starts.into_inner()
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
