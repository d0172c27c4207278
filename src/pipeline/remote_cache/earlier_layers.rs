//! Wheels that are taken from the layers of the previous image: a small wheel that changes is in a layer with others, whose
//! bytes that layer has.

use std::collections::BTreeSet;
use std::io::Write;

use super::RemoteCache;
use crate::cache::{Cache, CacheError};
use crate::closure::{ClosureRecord, KnownWheel, SharedLayer};
use crate::digest::Sha256;
use crate::lock::SelectedSource;
use crate::pipeline::BuildError;
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::known::KnownWheels;
use crate::temporary::TemporaryFile;
use crate::wheel::SplicedLayer;

/// The largest layer that is taken apart, in bytes: it is held in memory.
const LARGEST: u64 = 12 << 20;

/// The largest layer that is taken apart, in bytes, uncompressed.
const LARGEST_INFLATED: u64 = 128 << 20;

/// How many bytes take about as long to fetch as a request.
const REQUEST: u64 = 64 << 10;

/// Takes what a plan selects from the layers that the record of the previous image lists, as far as these layers change and
/// the cache lacks it. Returns the file that the contents are in.
///
/// Nothing fails because of a layer: what it does not have is fetched.
///
/// # Errors
/// The cache cannot be read or written to.
pub(super) fn take(
    remote: &RemoteCache,
    record: &ClosureRecord,
    plan: &Plan,
    cache: &Cache,
    known: &mut KnownWheels,
) -> Result<Option<TemporaryFile>, BuildError> {
    let selected: BTreeSet<Sha256> = plan
        .dependencies()
        .filter_map(|selected| match &selected.source {
            SelectedSource::Wheel(wheel, _) => wheel.digests.iter().find_map(crate::digest::Digest::sha256),
            _ => None,
        })
        .collect();
    let (mut file, mut length) = (None, 0);
    for SharedLayer { digest, size, wheels } in &record.layers {
        let (kept, gone): (Vec<&Sha256>, Vec<&Sha256>) = wheels.iter().partition(|wheel| selected.contains(wheel));
        if gone.is_empty() || *size > LARGEST {
            continue;
        }
        let mut needed: Vec<&KnownWheel> = Vec::new();
        for wheel in record.wheels.iter().filter(|wheel| kept.contains(&&wheel.sha256())) {
            if !cache.has_wheel(&wheel.sha256().into())? {
                needed.push(wheel);
            }
        }
        let bytes: u64 = needed.iter().map(|wheel| wheel.size() + REQUEST).sum();
        // With bytecode, a layer has about twice the bytes of its wheels.
        if needed.is_empty() || *size > 2 * bytes {
            continue;
        }
        let Some(layer) = remote.layer(*digest, *size) else { continue };
        let Some(layer) = SplicedLayer::read(layer, LARGEST_INFLATED) else { continue };
        let output = match &mut file {
            Some(output) => output,
            none => none.insert(cache.begin_blob()?),
        };
        for wheel in needed {
            let path = output.path().to_owned();
            let mut contents = Vec::new();
            let extents = wheel.take_from(&layer, length, &mut contents).ok().flatten();
            if let Some(extents) = extents {
                output.write_all(&contents).map_err(CacheError::io("write", &path))?;
                length += contents.len() as u64;
                known.take(wheel.sha256(), path, extents);
            }
        }
    }
    if let Some(output) = &mut file {
        let path = output.path().to_owned();
        output.flush().map_err(CacheError::io("write", &path))?;
    }
    Ok(file)
}
