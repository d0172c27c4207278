//! Which distribution goes into which layer.
//!
//! Large distributions have a layer each, which any image with the same wheel shares. Small ones share a few layers, and
//! nothing but its own name says which of them a distribution is in: changing, adding or removing a small distribution
//! changes one layer.

use std::num::NonZeroUsize;

use crate::digest::Sha256;
use crate::name::DistributionName;

/// The compressed size, in bytes, from which on a distribution has a layer of its own.
///
/// A smaller one is sent about as fast as the requests take that a layer costs, and each layer takes its share of the
/// time in which an image is unpacked.
pub const OWN_LAYER: u64 = 1 << 20;

/// How many layers the small distributions share at most.
const SHARED: usize = 4;

/// A distribution to be put into a layer.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The name, unlike that of any other.
    pub name: &'a DistributionName,
    /// The compressed size in bytes.
    pub size: u64,
}

/// Divides distributions into at most `budget` layers, and returns the indices of each layer's.
///
/// A distribution of [`OWN_LAYER`] bytes or more has a layer of its own, the largest ones if the budget does not
/// suffice. All others share a quarter of the budget, but at most four layers and at least one, each by the SHA-256 of
/// its name. Own layers come first, ordered by name, whatever their sizes; within a layer the names are ordered, too.
/// No layer is empty, and the order of `distributions` does not matter.
pub fn partition(distributions: &[Item], budget: NonZeroUsize) -> Vec<Vec<usize>> {
    let shared = (budget.get() / 4).clamp(1, SHARED);
    let mut largest: Vec<usize> = (0..distributions.len()).collect();
    largest.sort_by_key(|&index| (std::cmp::Reverse(distributions[index].size), distributions[index].name));
    let large = distributions.iter().filter(|item| item.size >= OWN_LAYER).count();
    let (own, rest) = largest.split_at(large.min(budget.get() - shared));

    let mut buckets = vec![Vec::new(); shared];
    for &index in rest {
        buckets[bucket(distributions[index].name, shared)].push(index);
    }
    let mut own: Vec<_> = own.iter().map(|&index| vec![index]).collect();
    own.sort_by_key(|layer| distributions[layer[0]].name);
    for bucket in &mut buckets {
        bucket.sort_by_key(|&index| distributions[index].name);
    }
    own.into_iter().chain(buckets).filter(|layer| !layer.is_empty()).collect()
}

/// Returns which of the shared layers a distribution is in: its name's SHA-256, taken as a number, modulo their count.
fn bucket(name: &DistributionName, shared: usize) -> usize {
    let digest = Sha256::of(name.as_str().as_bytes());
    digest.0.iter().fold(0, |remainder, byte| (remainder * 256 + usize::from(*byte)) % shared)
}
