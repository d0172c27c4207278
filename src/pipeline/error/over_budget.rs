//! An artifact that is larger than the user allows.

use std::fmt;

use crate::hints::Hints;
use crate::settings::SizeLimit;

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

/// Returns a size in the largest unit that it has one of.
fn binary_size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}
