//! One thing that a record says, chosen at random and found out again: over many builds, a record that is wrong is noticed,
//! although each of them believes it.

use std::hash::{BuildHasher, RandomState};
use std::io;

use super::misled::is_misstated;
use super::{BuiltClosure, LayerOfWheels, RemoteCache};
use crate::archive::layer;
use crate::closure::{ClosureKey, KnownWheel};
use crate::digest::HashingWriter;
use crate::image::{BlobContent, Layer};
use crate::pipeline::BuildError;
use crate::pipeline::wheels::known::KnownWheels;
use crate::wheel::Wheel;

/// The most bytes of wheels that are fetched.
const LARGEST: u64 = 32 << 20;

/// What can be found out again.
struct Sample<'a> {
    closure: &'a BuiltClosure<'a>,
    /// The distributions, for messages.
    holds: String,
    wheels: Vec<&'a Wheel>,
    /// The layer that the wheels became, if it is not in a zip.
    layer: Option<&'a Layer>,
}

/// Fetches the wheels of one layer, or one wheel of a zip, which the record alone has described until now, and compares what
/// they are with what the record says. Returns what was compared; `None` if there is nothing.
///
/// The machine's own randomness chooses, which nobody who writes records foresees. It decides no byte of an artifact: that
/// is complete.
///
/// # Errors
/// They differ.
pub(super) fn check(
    remote: &RemoteCache,
    closures: &[BuiltClosure],
    known: &KnownWheels,
) -> Result<Option<String>, BuildError> {
    let samples: Vec<Sample> = closures.iter().flat_map(samples).filter(|sample| sample.is_affordable(known)).collect();
    let Some(chosen) = (RandomState::new().hash_one(0) as usize).checked_rem(samples.len()) else { return Ok(None) };
    let sample = &samples[chosen];
    match sample.is_right(known) {
        Ok(true) => Ok(Some(sample.holds.clone())),
        Err(error) if !is_misstated(&error) => {
            remote.reporter.warn(&format!("cannot check what the remote cache says of {}: {error}", sample.holds));
            Ok(None)
        }
        Ok(false) | Err(_) => Err(remote.misstating(sample.closure.key, &sample.holds)),
    }
}

/// Returns the layers of an image, or the distributions of a zip.
fn samples<'a>(closure: &'a BuiltClosure<'a>) -> Vec<Sample<'a>> {
    let wheels = closure.distributions.iter().map(|distribution| &distribution.wheel);
    if closure.starts.is_some() {
        let samples = wheels.map(|wheel| {
            let holds = format!("{} {}", wheel.inventory.name, wheel.inventory.version);
            Sample { closure, holds, wheels: vec![wheel], layer: None }
        });
        return samples.collect();
    }
    let layers = closure.layers_of_wheels.iter().map(|LayerOfWheels { layer, holds, wheels: held }| {
        let wheels = wheels.clone().filter(|wheel| held.contains(&wheel.sha256)).collect();
        Sample { closure, holds: (*holds).to_owned(), wheels, layer: Some(*layer) }
    });
    layers.collect()
}

impl Sample<'_> {
    /// Tells whether none of its wheels was fetched, and all of them are small enough for that.
    fn is_affordable(&self, known: &KnownWheels) -> bool {
        let size: u64 = self.wheels.iter().map(|wheel| wheel.size).sum();
        let is_known = |wheel: &&Wheel| wheel.deferral() == Some(false) && known.get(wheel.sha256).is_some();
        !self.wheels.is_empty() && size <= LARGEST && self.wheels.iter().all(is_known)
    }

    /// Tells whether the record is right.
    fn is_right(&self, known: &KnownWheels) -> io::Result<bool> {
        for wheel in &self.wheels {
            let found = KnownWheel::of(&wheel.present()?, self.closure.python)?;
            if known.get(wheel.sha256).is_some_and(|known| *known != found) {
                return Ok(false);
            }
        }
        let Some(Layer { blob, .. }) = self.layer else { return Ok(true) };
        let BlobContent::Layer(tree) = &blob.content else { return Ok(true) };
        let mut gzip = HashingWriter::new(io::sink());
        layer::gzip(tree, &mut gzip).map_err(io::Error::other)?;
        Ok(gzip.finish().1 == blob.digest)
    }
}

impl RemoteCache<'_> {
    /// Returns the error that a record is wrong about something.
    pub(super) fn misstating(&self, key: ClosureKey, what: &str) -> BuildError {
        BuildError::MisstatingRecord { place: self.location(), name: key.record(), what: what.to_owned() }
    }
}
