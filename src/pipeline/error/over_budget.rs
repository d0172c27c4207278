//! An artifact that is larger than the user allows.

use std::fmt;

use crate::hints::Hints;
use crate::settings::{SizeLimit, binary_size};

/// An artifact is larger than `max-size`.
#[derive(Debug)]
pub(crate) struct OverBudget {
    /// As it is stored, in bytes.
    pub size: u64,
    pub limit: SizeLimit,
    /// The distributions that take most of it, with their sizes as they are stored in bytes, largest first.
    pub largest: Vec<(String, u64)>,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, limit, .. } = self;
        write!(formatter, "the artifact has {}, and max-size is {limit}", binary_size(*size))
    }
}

impl std::error::Error for OverBudget {}

impl Hints for OverBudget {
    fn hints(&self) -> Vec<String> {
        let largest: Vec<String> =
            self.largest.iter().map(|(name, size)| format!("{name} ({})", binary_size(*size))).collect();
        let reduce = (!largest.is_empty()).then(|| format!("reduce the largest distributions: {}", largest.join(", ")));
        reduce
            .into_iter()
            .chain(["omit what is not needed with --slim, or pass a larger --max-size".to_owned()])
            .collect()
    }
}
