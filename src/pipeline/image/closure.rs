//! The closure of an image for one platform: its key, and what its record says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cache::{Cache, CacheError, RecordKind, SharedRecords};
use crate::closure::{ClosureKey, ClosureParts, ClosureRecord, KnownWheel};
use crate::digest::Sha256;
use crate::lock::SelectedSource;
use crate::pipeline::BuildError;
use crate::pipeline::image::chosen::ChosenPlatform;
use crate::pipeline::image::layers;
use crate::pipeline::image::platform::PlatformBuild;
use crate::pipeline::image::remote_cache::{FoundRecord, RemoteCache};
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::install::{InstalledDistribution, NEEDED_FORMAT, derived, named_data};
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::elf_cache;
use crate::pipeline::wheels::known::KnownWheels;
use crate::platform::{ImageTarget, Scheme};
use crate::registry::RepositoryEvidence;
use crate::report::{RecordUse, RemoteCacheReport};
use crate::settings::{ContentSettings, ImageSettings};
use crate::trim::data::DataLibrary;
use crate::trim::strip;
use crate::wheel::Wheel;
use crate::wheel::filename::WheelFilename;

/// The versions of what records contain besides wheels.
const FORMATS: [u32; 6] =
    [layers::FORMAT, derived::FORMAT, elf_cache::FORMAT, strip::FORMAT, NEEDED_FORMAT, crate::trim::data::FORMAT];

/// Returns the key of the closure of a plan.
pub(super) fn key(
    settings: &ImageSettings,
    target: &ImageTarget,
    platform: &ChosenPlatform,
    plan: &Plan,
    bytecode: &Bytecode,
) -> ClosureKey {
    let ContentSettings { slim, listed, strip, prefer, excluded_files, .. } = &settings.common.contents;
    let Scheme { site_packages, scripts, headers, data } = &target.scheme;
    let stages = plan.stages();
    let mut lines = vec![
        format!("platform {} {} {}", platform.architecture, target.python, plan.target.libc),
        format!("paths {site_packages} {scripts} {headers} {data} {}", target.interpreter),
        format!("bytecode {:?}", bytecode.key()),
        format!("omitted {slim:?} {strip} {prefer:?} {excluded_files:?}"),
        format!("layers {:?} {} {}", settings.compression, settings.layers, stages.len()),
        format!("audited {}", !settings.common.audit.skip),
    ];
    if slim.iter().any(|rule| DataLibrary::of(*rule).is_some()) {
        // The names in local projects are not known before these are built: a layer with other data has another key.
        lines.push(format!("data {listed:?} {:?}", named_data::application_names(plan)));
    }
    let distributions = plan.dependencies().map(|selected| format!("{} {}", selected.name, source(&selected.source)));
    let distributions = distributions.collect();
    ClosureKey::new(&ClosureParts { formats: &FORMATS, settings: lines, distributions })
}

/// Returns what identifies the file of a distribution.
fn source(source: &SelectedSource) -> String {
    match source {
        SelectedSource::Wheel(wheel, _) => format!("{} {:?}", wheel.filename, wheel.digests),
        SelectedSource::Sdist(sdist) => {
            format!("{} {:?} {:?}", sdist.file.filename, sdist.file.digests, sdist.subdirectory)
        }
        SelectedSource::Git(git) => format!("commit {} {:?}", git.commit, git.subdirectory),
        SelectedSource::Directory(_) | SelectedSource::Virtual(_) => "here".to_owned(),
    }
}

/// What the records of the closures of an image say.
pub(super) struct KnownClosures {
    /// What was read: the least of several platforms.
    pub used: RecordUse,
    pub wheels: KnownWheels,
    pub records: Arc<SharedRecords>,
    /// What the image's repository has.
    pub repository: RepositoryEvidence,
}

/// Reads the records of closures, if a wheel is needed that is not in the cache.
///
/// # Errors
/// The cache cannot be read.
pub(super) fn known(
    remote: Option<&RemoteCache>,
    builders: &[(ClosureKey, &Plan)],
    cache: &Cache,
) -> Result<KnownClosures, BuildError> {
    let (mut wheels, mut records) = (KnownWheels::default(), SharedRecords::default());
    let manifests = remote.map(|remote| builders.iter().filter_map(|(key, _)| remote.own_manifest(*key)).collect());
    let mut repository = RepositoryEvidence { blobs: BTreeSet::new(), manifests: manifests.unwrap_or_default() };
    let mut used = RecordUse::Nothing;
    if let Some(remote) = remote.filter(|remote| remote.is_read())
        && lacks_wheel(builders, cache)?
    {
        used = RecordUse::Exact;
        for (key, plan) in builders {
            let found = remote.read(*key, plan.target.architecture.oci_name());
            take_in(remote, &found, cache)?;
            used = used.min(found.used);
            wheels.extend(found.record.wheels);
            records.extend(found.record.records);
            repository.blobs.extend(found.blobs);
        }
    }
    Ok(KnownClosures { used, wheels, records: Arc::new(records), repository })
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
fn lacks_wheel(builders: &[(ClosureKey, &Plan)], cache: &Cache) -> Result<bool, BuildError> {
    for selected in builders.iter().flat_map(|(_, plan)| plan.dependencies()) {
        let digests = match &selected.source {
            SelectedSource::Wheel(wheel, _) => &wheel.digests,
            // Without its archive, its wheel is not here either.
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

/// Writes the records of the closures of images that were built, or compares them with those that are there. Returns what the
/// remote cache was good for; `None` if there is none.
///
/// # Errors
/// A wheel cannot be read, or what is there differs.
pub(super) fn share(
    remote: Option<&RemoteCache>,
    builds: &[PlatformBuild],
    known: &KnownClosures,
    built: SharedRecords,
) -> Result<Option<RemoteCacheReport>, BuildError> {
    let Some(remote) = remote else { return Ok(None) };
    let wheels = builds.iter().flat_map(|build| &build.distributions);
    let deferrals: Vec<bool> = wheels.filter_map(|distribution| distribution.wheel.deferral()).collect();
    let fetched = deferrals.iter().filter(|is_obtained| **is_obtained).count();
    let (mut read, mut written) = (known.used, false);
    for build in builds {
        if !remote.is_read() {
            read = RecordUse::Missing;
            if let Some(there) = remote.read_exact(build.closure) {
                // Not every build gives the same wheel twice.
                let there = ClosureRecord { records: there.records.without(RecordKind::Built), ..there };
                if !there.agrees_with(&record(build, &known.wheels, &built)?) {
                    let (place, name) = (remote.location(), build.closure.record());
                    return Err(BuildError::MisstatingRecord { place, name });
                }
                read = RecordUse::Verified;
            }
        }
        // Of an application alone there is nothing to know. A record that was read need not be asked for again.
        if remote.is_written()
            && known.used != RecordUse::Exact
            && build.distributions.iter().any(|distribution| !distribution.is_local_project())
        {
            let wheels = build.distributions.iter().filter(|distribution| is_built(distribution));
            let wheels: Vec<&Wheel> = wheels.map(|distribution| &distribution.wheel).collect();
            written |= remote.write(build.closure, &build.image, &wheels, || record(build, &known.wheels, &built))?;
        }
    }
    Ok(Some(RemoteCacheReport { place: remote.location(), read, known: deferrals.len(), fetched, written }))
}

/// Returns the record of the closure of an image that was built.
///
/// # Errors
/// A wheel cannot be read.
fn record(build: &PlatformBuild, known: &KnownWheels, built: &SharedRecords) -> Result<ClosureRecord, BuildError> {
    let wheels = build.distributions.iter().filter(|distribution| !distribution.is_local_project());
    let mut by_name: BTreeMap<&str, &Wheel> = BTreeMap::new();
    by_name.extend(wheels.map(|distribution| (distribution.wheel.filename.as_str(), &distribution.wheel)));
    let wheels = by_name.into_values().map(|wheel| match known.get(wheel.sha256) {
        Some(known) => Ok(known.clone()),
        None => KnownWheel::of(wheel).map_err(BuildError::reading(wheel.location())),
    });
    let mut records = build.records.clone();
    records.extend(built.clone());
    Ok(ClosureRecord { wheels: wheels.collect::<Result<_, _>>()?, records })
}

/// Tells whether a wheel was built from an archive or a commit.
fn is_built(distribution: &InstalledDistribution) -> bool {
    matches!(distribution.selected.source, SelectedSource::Sdist(_) | SelectedSource::Git(_))
}
