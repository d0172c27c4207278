//! Notes: what each target was made from and what was written, so that a target of which nothing changed is not built.
//!
//! A note is kept in the cache. It holds as long as everything in it is as it was: the settings, the lock, every file that
//! the build would read, the wheels of local projects, the interpreter, the base, and the outputs. Files are compared by
//! their stamps, and where these differ by their content: in a fresh clone all of them do.
//!
//! The inputs are read before the build and again at the end of the run. A note is kept only if they are the same, so that
//! what is edited meanwhile is built the next time. In doubt there is no note: an unnecessary build takes a moment, an
//! outdated artifact an afternoon to find.

mod files;
mod inputs;
mod outputs;
mod sources;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub(crate) use self::inputs::NotedTarget;
pub(crate) use self::sources::{BuildSources, BuiltTarget, WrittenOutput, plan_digest, with_layer};

use self::files::{FileIndex, FileReader, TICK};
use self::inputs::{CommonInputs, TargetInputs};
use self::outputs::OutputFiles;
use crate::cache::{Cache, RecordKey, RecordKind};
use crate::digest::Sha256;
use crate::pipeline::ProjectCache;
use crate::pipeline::wheels::project_wheels::ProjectWheels;
use crate::report::BuiltArtifact;
use crate::settings::CacheChoice;

/// The version of notes: raised when what they contain changes, or when a build of the same version of pybundle would make
/// something else of the same inputs.
const FORMAT: u32 = 4;

/// The version of pybundle.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a target was made from, and what was written.
#[derive(Debug, Serialize, Deserialize)]
struct TargetNote {
    /// The digest of what the target alone is made from.
    own: Sha256,
    /// The digest of the lock and of what declares the members of the workspace.
    declared: Sha256,
    /// The digest of what [`BuildSources::read`] finds.
    found: Sha256,
    sources: BuildSources,
    outputs: OutputFiles,
    index: FileIndex,
    /// The report in JSON.
    report: String,
    warnings: Vec<String>,
}

/// The notes of a run.
pub(crate) struct Notes<'a> {
    /// `None` if there is none, or it cannot be written to.
    cache: Option<Cache>,
    projects: &'a ProjectCache,
    started: SystemTime,
    common: CommonInputs,
    wheels: ProjectWheels,
    /// Notes to be kept at the end.
    pending: Mutex<Vec<PendingNote<'a>>>,
}

/// A target whose inputs were read.
pub(crate) struct BegunTarget<'a> {
    target: NotedTarget<'a>,
    inputs: TargetInputs,
    index: FileIndex,
    note: Option<TargetNote>,
}

/// What was built before, and is still there.
pub(crate) struct UnchangedTarget {
    pub(crate) artifact: BuiltArtifact,
    pub(crate) warnings: Vec<String>,
}

struct PendingNote<'a> {
    begun: BegunTarget<'a>,
    sources: BuildSources,
    outputs: OutputFiles,
    report: String,
    warnings: Vec<String>,
}

impl NotedTarget<'_> {
    fn key(&self) -> RecordKey {
        note_key(&self.settings.project, self.settings.target.as_deref(), &self.outputs, VERSION)
    }
}

/// Returns the key of the note about a target. Reports name the project as the user did.
fn note_key(project: &Path, target: Option<&str>, outputs: &[PathBuf], version: &str) -> RecordKey {
    let outputs: Vec<PathBuf> = outputs.iter().map(|output| absolute(output)).collect();
    let (place, names) = (absolute(project), format!("{target:?} {outputs:?}"));
    RecordKey::new(format!("note {FORMAT} {version}"), &[&place.display(), &project.display(), &names])
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl<'a> Notes<'a> {
    /// Opens the notes in a cache. A temporary one has none, and a read-only one keeps none.
    pub(crate) fn open(choice: Option<&CacheChoice>, projects: &'a ProjectCache) -> Self {
        let cache = match choice {
            Some(CacheChoice::Directory(directory)) => Cache::open(directory).ok(),
            Some(CacheChoice::Temporary) | None => None,
        };
        Self {
            cache,
            projects,
            started: SystemTime::now(),
            common: CommonInputs::default(),
            wheels: ProjectWheels::default(),
            pending: Mutex::default(),
        }
    }

    /// Reads the inputs of a target; `None` if there are no notes, or the build would fail.
    pub(crate) fn begin(&self, target: NotedTarget<'a>) -> Option<BegunTarget<'a>> {
        let note: Option<TargetNote> = self.cache.as_ref()?.record(RecordKind::Note, target.key());
        let known = note.as_ref().map(|note| &note.index);
        if target.states_revision {
            self.common.state_revision(self.projects, &target.settings.project);
        }
        let (inputs, index) = TargetInputs::read(&target, self.projects, &self.common, known).ok()?;
        Some(BegunTarget { target, inputs, index, note })
    }

    /// Returns what was built before if everything is as it was. `base` returns the digest that the reference of a base stands
    /// for now, and `plan` the digest of the plan as it would be made now, for a lock of which other parts may have changed.
    pub(crate) fn unchanged(
        &self,
        begun: &BegunTarget,
        base: impl FnOnce(&str) -> Option<Sha256>,
        plan: impl FnOnce() -> Option<Sha256>,
    ) -> Option<UnchangedTarget> {
        let (note, cache) = (begun.note.as_ref()?, self.cache.as_ref()?);
        let declared = begun.inputs.declared();
        if note.own != begun.inputs.own.digest {
            return None;
        }
        // Warnings may give advice that depends on the whole lock.
        let may_be_planned = note.warnings.is_empty() && note.sources.plan.is_some();
        if note.declared != declared && !(may_be_planned && note.sources.plan == plan()) {
            return None;
        }
        let mut reader = FileReader::new(Some(&note.index));
        let target = &begun.target;
        note.sources.read(target.settings, &mut reader, (cache, self.projects, &self.wheels))?;
        let (found, found_index) = reader.finish();
        let (outputs, are_same) = note.outputs.again()?;
        if found.digest != note.found
            || note.sources.moving_base.as_ref().is_some_and(|(name, digest)| base(name) != Some(*digest))
        {
            return None;
        }
        let artifact = serde_json::from_str(&note.report).ok()?;
        let index = begun.index.clone().and(found_index);
        if !are_same || index != note.index || declared != note.declared {
            let note = TargetNote {
                declared,
                outputs,
                index,
                sources: note.sources.clone(),
                report: note.report.clone(),
                warnings: note.warnings.clone(),
                ..*note
            };
            // It holds without it, too.
            let _ = cache.store_record(RecordKind::Note, target.key(), &note);
        }
        Some(UnchangedTarget { artifact, warnings: note.warnings.clone() })
    }

    /// Remembers what was built, to be kept by [`finish`](Self::finish).
    pub(crate) fn built(
        &self,
        begun: BegunTarget<'a>,
        sources: BuildSources,
        artifact: &BuiltArtifact,
        warnings: Vec<String>,
    ) {
        let Ok(report) = serde_json::to_string(artifact) else { return };
        let Some(outputs) = OutputFiles::of(&sources.outputs) else { return };
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push(PendingNote { begun, sources, outputs, report, warnings });
    }

    /// Keeps the notes of the targets that were built from what was there when the run began, and still is.
    pub(crate) fn finish(self) {
        let pending = self.pending.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some(cache) = self.cache.filter(|_| !pending.is_empty()) else { return };
        // The last output is stamped with a time that is over then.
        std::thread::sleep(TICK);
        // The projects are read again, too.
        let (projects, common, wheels) = (ProjectCache::default(), CommonInputs::default(), ProjectWheels::default());
        for PendingNote { begun, sources, outputs, report, warnings } in pending {
            let BegunTarget { target, inputs, index, .. } = begun;
            let again = TargetInputs::read(&target, &projects, &common, Some(&index));
            let Ok((again, index)) = again else { continue };
            let mut reader = FileReader::new(None);
            if again != inputs
                || sources.read(target.settings, &mut reader, (&cache, &projects, &wheels)).is_none()
                || !inputs.is_untouched(&reader, self.started)
            {
                continue;
            }
            let (found, found_index) = reader.finish();
            let Some(outputs) = outputs.settled() else { continue };
            let note = TargetNote {
                own: inputs.own.digest,
                declared: inputs.declared(),
                found: found.digest,
                sources,
                outputs,
                index: index.and(found_index),
                report,
                warnings,
            };
            // Without a note, the target is built the next time.
            let _ = cache.store_record(RecordKind::Note, target.key(), &note);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn notes_of_other_versions_and_other_targets_are_others() {
        let key = |project: &str, target: &str, output: &str, version: &str| {
            note_key(Path::new(project), Some(target), &[output.into()], version)
        };
        let own = key("a", "api", "dist/api.zip", VERSION);
        assert_eq!(own, key("a", "api", "dist/api.zip", VERSION));
        for other in [
            key("a", "api", "dist/api.zip", "0.0.0"),
            key("a", "web", "dist/api.zip", VERSION),
            key("a", "api", "other.zip", VERSION),
            key("b", "api", "dist/api.zip", VERSION),
        ] {
            assert_ne!(own, other);
        }
    }
}
