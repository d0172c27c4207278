//! Assigns distributions to layers.
//!
//! Each large distribution gets its own layer, which images with the same wheel share. Small ones share a few layers, and
//! the name alone decides which one: changing, adding or removing a small distribution changes one layer.

use std::num::NonZeroUsize;

use crate::digest::Sha256;
use crate::name::DistributionName;

/// The compressed size, in bytes, from which a distribution gets its own layer.
///
/// Sending fewer bytes takes no longer than the requests that another layer costs, and each layer also costs time when an
/// image is unpacked.
pub(crate) const OWN_LAYER: u64 = 1 << 20;

/// The most layers that small distributions share.
const SHARED: usize = 4;

/// A distribution to assign to a layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SizedDistribution<'a> {
    /// The name, which is unique.
    pub(crate) name: &'a DistributionName,
    /// The compressed size in bytes.
    pub(crate) size: u64,
}

/// Divides distributions into at most `budget` layers, and returns the indices of the distributions of each layer.
///
/// A distribution of [`OWN_LAYER`] bytes or more gets its own layer; if the budget does not suffice, only the largest do.
/// All others share a quarter of the budget, at least one and at most four layers, and are assigned by the SHA-256 of
/// their names. Own layers come first, sorted by name; the names within a layer are sorted, too. No layer is empty, and
/// the order of `distributions` does not matter.
pub(crate) fn partition(distributions: &[SizedDistribution], budget: NonZeroUsize) -> Vec<Vec<usize>> {
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

/// Returns the index of a distribution's shared layer: the SHA-256 of its name, as a number, modulo their count.
fn bucket(name: &DistributionName, shared: usize) -> usize {
    let digest = Sha256::of(name.as_str().as_bytes());
    digest.0.iter().fold(0, |remainder, byte| (remainder * 256 + usize::from(*byte)) % shared)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    type Sizes = BTreeMap<DistributionName, u64>;

    /// Returns the layers by the names in them.
    fn layers(sizes: &Sizes, budget: usize) -> Vec<Vec<String>> {
        let items: Vec<_> = sizes.iter().map(|(name, size)| SizedDistribution { name, size: *size }).collect();
        let layers = partition(&items, budget.try_into().unwrap());
        layers.iter().map(|layer| names(layer, &items)).collect()
    }

    fn names(layer: &[usize], items: &[SizedDistribution]) -> Vec<String> {
        layer.iter().map(|&index| items[index].name.to_string()).collect()
    }

    /// Returns how many layers of `after` are not in `before`: what is sent again. A layer's bytes are its members', so a
    /// distribution of another size makes another layer.
    fn new_layers(before: &Sizes, after: &Sizes, budget: usize) -> usize {
        sized_layers(after, budget).difference(&sized_layers(before, budget)).count()
    }

    /// Returns the layers by the names in them and their sizes.
    fn sized_layers(sizes: &Sizes, budget: usize) -> BTreeSet<Vec<(String, u64)>> {
        let mut sized = BTreeSet::new();
        for layer in layers(sizes, budget) {
            sized.insert(layer.into_iter().map(|name| (name.clone(), sizes[&name.parse().unwrap()])).collect());
        }
        sized
    }

    /// Returns numbers that look random, the same in each run (xorshift).
    fn numbers(mut state: u64) -> impl Iterator<Item = u64> {
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
    }

    /// Returns distributions of which one in four is large.
    fn some(seed: u64, count: usize) -> Sizes {
        let sizes =
            numbers(seed + 1).map(|number| if number % 4 == 0 { number % (90 << 20) } else { number % OWN_LAYER });
        sizes.take(count).enumerate().map(|(at, size)| (format!("foo-{seed}-{at}").parse().unwrap(), size)).collect()
    }

    fn sizes(sizes: &[(&str, u64)]) -> Sizes {
        sizes.iter().map(|(name, size)| (name.parse().unwrap(), *size)).collect()
    }

    #[test]
    fn large_ones_come_first_by_name_and_small_ones_share() {
        let sizes = sizes(&[("zoo", OWN_LAYER), ("bar", 9 * OWN_LAYER), ("idna", 7), ("six", OWN_LAYER - 1)]);
        // The SHA-256 of `six` ends with …674, a multiple of 4, that of `idna` with …1e1, one more than a multiple.
        assert_eq!(layers(&sizes, 20), [vec!["bar"], vec!["zoo"], vec!["six"], vec!["idna"]]);
        assert_eq!(layers(&sizes, 2), [vec!["bar"], vec!["idna", "six", "zoo"]]);
        assert_eq!(layers(&sizes, 1), [vec!["bar", "idna", "six", "zoo"]]);
    }

    #[test]
    fn every_distribution_is_in_one_layer_and_the_budget_is_kept() {
        for seed in 0..40 {
            let sizes = some(seed, seed as usize * 2);
            for budget in [1, 2, 3, 4, 5, 8, 16, 22, 100, usize::MAX] {
                let layers = layers(&sizes, budget);
                assert!(layers.len() <= budget && layers.iter().all(|layer| !layer.is_empty()), "{budget}: {layers:?}");
                let mut names: Vec<_> = layers.concat();
                names.sort();
                assert!(names.iter().eq(sizes.keys().map(DistributionName::as_str)), "{budget}: {layers:?}");
            }
        }
        assert_eq!(layers(&Sizes::new(), 22), Vec::<Vec<String>>::new());
    }

    #[test]
    fn the_order_of_the_input_does_not_matter() {
        for seed in 0..20 {
            let sizes = some(seed, 50);
            let mut items: Vec<_> = sizes.iter().map(|(name, size)| SizedDistribution { name, size: *size }).collect();
            let expected = layers(&sizes, 9);
            for swap in numbers(seed + 7).take(200) {
                items.swap(swap as usize % 50, (swap >> 32) as usize % 50);
            }
            let layers = partition(&items, NonZeroUsize::new(9).unwrap());
            assert!(layers.iter().map(|layer| names(layer, &items)).eq(expected));
        }
    }

    #[test]
    fn changing_adding_or_removing_a_small_one_changes_one_layer() {
        for seed in 0..20 {
            let before = some(seed, 60);
            let small = before.iter().filter(|(_, size)| **size < OWN_LAYER);
            for (name, size) in small {
                let mut changed = before.clone();
                changed.insert(name.clone(), (size + 1) % OWN_LAYER);
                assert_eq!(new_layers(&before, &changed, 24), 1, "{name} changed");
                let mut removed = before.clone();
                removed.remove(name);
                assert!(new_layers(&before, &removed, 24) <= 1, "{name} removed");
                assert_eq!(new_layers(&removed, &before, 24), 1, "{name} added");
            }
        }
    }

    #[test]
    fn a_large_one_that_changes_changes_its_own_layer() {
        let before = some(3, 40);
        let large = before.iter().filter(|(_, size)| **size >= OWN_LAYER);
        assert!(large.clone().count() > 5);
        for (name, size) in large {
            let mut changed = before.clone();
            changed.insert(name.clone(), size + 1);
            assert_eq!(new_layers(&before, &changed, 24), 1, "{name} changed");
            changed.insert(name.clone(), 5);
            // Its own layer goes; the one that it now shares is new. And the other way round, both are.
            assert_eq!(new_layers(&before, &changed, 24), 1, "{name} is small now");
            assert!(new_layers(&changed, &before, 24) <= 2, "{name} was small");
        }
    }

    #[test]
    fn small_ones_are_spread() {
        let sizes: Sizes = (0..400).map(|at| (format!("foo{at}").parse().unwrap(), 1)).collect();
        let layers = layers(&sizes, 24);
        assert_eq!(layers.len(), SHARED);
        assert!(layers.iter().all(|layer| (70..130).contains(&layer.len())), "{layers:?}");
    }
}
