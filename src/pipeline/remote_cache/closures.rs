//! The closure of an artifact for one platform: what its record says, and what a build adds to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::store::{LocalFile, RecordError, SharedFile, SharedFileKind};
use super::{FoundRecord, RemoteCache, earlier_layers, sampling};
use crate::archive::zip::ZipStart;
use crate::cache::{Cache, CacheError, RecordKind, SharedRecords};
use crate::closure::{ClosureKey, ClosureRecord, KnownWheel, SharedLayer};
use crate::digest::Sha256;
use crate::image::Layer;
use crate::lock::SelectedSource;
use crate::pipeline::BuildError;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::known::KnownWheels;
use crate::platform::PythonVersion;
use crate::registry::{MountSource, RepositoryEvidence};
use crate::report::{RecordUse, RemoteCacheReport};
use crate::temporary::TemporaryFile;
use crate::wheel::Wheel;
use crate::wheel::filename::WheelFilename;

/// A closure that an artifact is made of.
pub(crate) struct WantedClosure<'a> {
    pub key: ClosureKey,
    pub plan: &'a Plan<'a>,
    /// Whether all files go into a zip: a record helps only if it has the start of that.
    pub is_zipped: bool,
}

/// What the records of the closures of an artifact say.
#[derive(Default)]
pub(crate) struct KnownClosures {
    /// What was read: the least of several platforms.
    pub used: RecordUse,
    pub wheels: KnownWheels,
    pub records: Arc<SharedRecords>,
    /// What the image's repository has.
    pub repository: RepositoryEvidence,
    /// The files with what was taken from the layers of the previous image.
    _taken: Vec<TemporaryFile>,
}

/// Reads the records of closures, if a wheel is needed that is not in the cache.
///
/// # Errors
/// The cache cannot be read.
pub(crate) fn known(
    remote: Option<&RemoteCache>,
    wanted: &[WantedClosure],
    cache: &Cache,
) -> Result<KnownClosures, BuildError> {
    let (mut wheels, mut records, mut taken) = (KnownWheels::default(), SharedRecords::default(), Vec::new());
    let manifests = remote.map(|remote| wanted.iter().filter_map(|closure| remote.own_manifest(closure.key)).collect());
    let mounts = remote.and_then(|remote| remote.mounts.as_ref());
    let mut mounts = mounts.map(|any| MountSource { repository: any.repository_name(), blobs: BTreeSet::new() });
    let mut repository =
        RepositoryEvidence { manifests: manifests.unwrap_or_default(), ..RepositoryEvidence::default() };
    let mut used = RecordUse::Nothing;
    if let Some(remote) = remote.filter(|remote| remote.is_read())
        && lacks_wheel(wanted, cache)?
    {
        used = RecordUse::Exact;
        for WantedClosure { key, plan, is_zipped } in wanted {
            let found = remote.read(*key, plan.target.architecture.oci_name());
            take_in(remote, &found, cache)?;
            if *is_zipped && found.record.records.of_kind::<ZipStart>(RecordKind::ZipStart).is_empty() {
                used = RecordUse::Missing;
                records.extend(found.record.records.only(RecordKind::Built));
                continue;
            }
            used = used.min(found.used);
            if found.used == RecordUse::Earlier && !is_zipped {
                taken.extend(earlier_layers::take(remote, &found.record, plan, cache, &mut wheels)?);
            }
            wheels.extend(found.record.wheels);
            records.extend(found.record.records);
            match &mut mounts {
                Some(mounts) => mounts.blobs.extend(found.blobs),
                None if remote.is_own => repository.blobs.extend(found.blobs),
                None => {}
            }
        }
    }
    repository.mounts = mounts;
    Ok(KnownClosures { used, wheels, records: Arc::new(records), repository, _taken: taken })
}

/// Puts the wheels into the cache that others have built, so that they need not be built again.
///
/// # Errors
/// The cache cannot be written to.
fn take_in(remote: &RemoteCache, found: &FoundRecord, cache: &Cache) -> Result<(), BuildError> {
    for (filename, sha256) in found.record.records.of_kind::<(String, Sha256)>(RecordKind::Built) {
        let Ok(filename) = filename.parse::<WheelFilename>() else { continue };
        let wheel = found.record.wheels.iter().find(|wheel| wheel.sha256() == sha256);
        if let Some(wheel) = wheel
            && !cache.has_wheel(&sha256.into())?
            && let Some(file) = remote.wheel(found, wheel, cache)
        {
            cache.store((file.as_file(), file.path()), sha256, None, &filename)?;
        }
    }
    Ok(())
}

/// Tells whether a selected wheel is not in the cache.
fn lacks_wheel(wanted: &[WantedClosure], cache: &Cache) -> Result<bool, BuildError> {
    for selected in wanted.iter().flat_map(|closure| closure.plan.dependencies()) {
        let digests = match &selected.source {
            SelectedSource::Wheel(wheel, _) => &wheel.digests,
            // Without its archive, the cache does not have its wheel either.
            SelectedSource::Sdist(sdist) => &sdist.file.digests,
            _ => continue,
        };
        // A file without a digest is read each time, whatever is known.
        let is_here = digests.iter().map(|digest| Ok(cache.has_wheel(digest)? || cache.has_blob(digest)?));
        let is_here: Vec<bool> = is_here.collect::<Result<_, CacheError>>()?;
        if !is_here.is_empty() && !is_here.contains(&true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The closure of an artifact that was built.
pub(crate) struct BuiltClosure<'a> {
    pub key: ClosureKey,
    pub python: PythonVersion,
    pub distributions: &'a [InstalledDistribution<'a>],
    /// What was found out about the distributions.
    pub records: SharedRecords,
    /// The layers of an image.
    pub layers: &'a [Layer],
    /// Those that have the files of wheels and nothing else.
    pub layers_of_wheels: Vec<LayerOfWheels<'a>>,
    /// The starts of zips that are worth sharing, each with a file that begins with it; `None` if no zip was written.
    pub starts: Option<Vec<(ZipStart, PathBuf)>>,
}

/// A layer that has the files of wheels and nothing else.
pub(crate) struct LayerOfWheels<'a> {
    pub layer: &'a Layer,
    /// The distributions, for messages.
    pub holds: &'a str,
    /// The digests of the wheels.
    pub wheels: &'a [Sha256],
}

/// Writes the records of the closures of artifacts that were built, or compares them with those that are there. `built` are the
/// wheels that were built for them. Returns what the remote cache was good for; `None` if there is none.
///
/// # Errors
/// A wheel cannot be read, or what is there differs.
pub(crate) fn share(
    remote: Option<&RemoteCache>,
    closures: &[BuiltClosure],
    known: &KnownClosures,
    built: &SharedRecords,
) -> Result<Option<RemoteCacheReport>, BuildError> {
    let Some(remote) = remote else { return Ok(None) };
    let wheels = closures.iter().flat_map(|closure| closure.distributions);
    let deferrals = wheels.filter_map(|InstalledDistribution { wheel, .. }| {
        // What a layer had was not fetched.
        wheel.deferral().map(|is_obtained| is_obtained && !known.wheels.is_taken(wheel.sha256))
    });
    let deferrals: Vec<bool> = deferrals.collect();
    let fetched = deferrals.iter().filter(|is_obtained| **is_obtained).count();
    let (mut read, mut written) = (known.used, false);
    for closure in closures {
        let key = closure.key;
        if !remote.is_read() {
            read = RecordUse::Missing;
            if let Some(there) = remote.read_exact(key) {
                // Not every build gives the same wheel twice.
                let there = ClosureRecord { records: there.records.without(RecordKind::Built), ..there };
                if !there.agrees_with(&closure.record(&known.wheels, built)?) {
                    return Err(remote.misstating(key, "wheels or layers"));
                }
                read = RecordUse::Verified;
            }
        }
        // A record that was read need not be asked for again.
        let is_wanted = known.used != RecordUse::Exact || remote.is_damaged(key);
        if remote.is_written() && is_wanted && closure.is_worth_sharing() {
            let (layers, files) = ((closure.layers, closure.shared_layers()), || closure.files());
            written |= remote.write(key, layers, files, || closure.record(&known.wheels, built))?;
        }
    }
    let sampled = if remote.is_sampled() { sampling::check(remote, closures, &known.wheels)? } else { None };
    let (place, known) = (remote.location(), deferrals.len());
    Ok(Some(RemoteCacheReport { place, read, known, fetched, written, sampled }))
}

impl BuiltClosure<'_> {
    /// Tells whether a record helps: of an application alone there is nothing to know, and without its start, a zip needs the
    /// bytes of all wheels.
    fn is_worth_sharing(&self) -> bool {
        let has_start = self.starts.as_ref().is_none_or(|starts| !starts.is_empty());
        self.distributions
            .iter()
            .any(|distribution| is_built(distribution) || (has_start && !distribution.is_local_project()))
    }

    /// Returns the digests of the layers that contain nothing but distributions.
    fn shared_layers(&self) -> BTreeSet<Sha256> {
        let layers = self.records.of_kind::<(Sha256, Sha256, u64)>(RecordKind::Layer);
        layers.into_iter().map(|(digest, _, _)| digest).collect()
    }

    /// Returns the record of the closure.
    ///
    /// # Errors
    /// A wheel cannot be read.
    fn record(&self, known: &KnownWheels, built: &SharedRecords) -> Result<ClosureRecord, BuildError> {
        let wheels = self.distributions.iter().filter(|distribution| !distribution.is_local_project());
        let mut by_name: BTreeMap<&str, &Wheel> = BTreeMap::new();
        by_name.extend(wheels.map(|distribution| (distribution.wheel.filename.as_str(), &distribution.wheel)));
        let wheels = by_name.into_values().map(|wheel| match known.get(wheel.sha256) {
            Some(known) => Ok(known.clone()),
            None => KnownWheel::of(wheel, self.python).map_err(BuildError::reading(wheel.location())),
        });
        let mut records = self.records.clone();
        records.extend(built.clone());
        Ok(ClosureRecord { wheels: wheels.collect::<Result<_, _>>()?, records, layers: self.layers_of_several() })
    }

    /// Returns the layers that several distributions share.
    fn layers_of_several(&self) -> Vec<SharedLayer> {
        let shared = self.shared_layers();
        let layers = self.layers_of_wheels.iter().filter(|layer| layer.wheels.len() > 1);
        let layers = layers.map(|LayerOfWheels { layer: Layer { blob, .. }, wheels, .. }| SharedLayer {
            digest: blob.digest,
            size: blob.size,
            wheels: wheels.to_vec(),
        });
        layers.filter(|layer| shared.contains(&layer.digest)).collect()
    }

    /// Returns the files that are stored with the record: the wheels that were built from archives or commits, and the starts
    /// of zips.
    fn files(&self) -> Result<Vec<LocalFile>, RecordError> {
        let wheels = self.distributions.iter().filter(|distribution| is_built(distribution));
        let wheels = wheels.map(|InstalledDistribution { wheel, .. }| {
            let archive = wheel.archive().map_err(|error| RecordError::File(wheel.location().to_owned(), error))?;
            let file = SharedFile { kind: SharedFileKind::Wheel, sha256: wheel.sha256, size: wheel.size };
            Ok(LocalFile { file, path: archive.to_path_buf() })
        });
        let starts = self.starts.iter().flatten().filter_map(|(start, path)| {
            let file = SharedFile { kind: SharedFileKind::ZipStart, sha256: start.sha256()?, size: start.length() };
            Some(Ok(LocalFile { file, path: path.clone() }))
        });
        wheels.chain(starts).collect()
    }
}

/// Tells whether a wheel was built from an archive or a commit.
fn is_built(distribution: &InstalledDistribution) -> bool {
    matches!(distribution.selected.source, SelectedSource::Sdist(_) | SelectedSource::Git(_))
}
