//! The names of closures and of their records.

use std::fmt::{self, Display, Write};

use crate::bytecode;
use crate::digest::Sha256;
use crate::tree::SourceMarkers;
use crate::wheel::WheelInventory;

/// The version of [`ClosureRecord`](super::ClosureRecord) itself.
const FORMAT: u32 = 5;

/// Everything that decides what an artifact makes of its distributions, and what its audits need to know of them.
#[derive(Debug)]
pub(crate) struct ClosureParts<'a> {
    /// The versions of what else is in records: layers, and what is derived from wheels.
    pub(crate) formats: &'a [u32],
    /// The settings, each as a line of text.
    pub(crate) settings: Vec<String>,
    /// What identifies each distribution: its name and the digest of its file.
    pub(crate) distributions: Vec<String>,
}

/// A closure, by the digest of everything that decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClosureKey {
    closure: Sha256,
    formats: Sha256,
}

impl ClosureKey {
    /// Returns the key of a closure.
    pub(crate) fn new(parts: &ClosureParts) -> Self {
        let mut distributions = parts.distributions.clone();
        distributions.sort_unstable();
        let closure = Sha256::of([&parts.settings[..], &distributions].concat().join("\n").as_bytes());
        let mut formats =
            format!("{FORMAT} {} {} {:?}", WheelInventory::FORMAT, bytecode::FORMAT, SourceMarkers::TEXTS);
        for format in parts.formats {
            // Writing to a string cannot fail.
            let _ = write!(formats, " {format}");
        }
        Self { closure, formats: Sha256::of(formats.as_bytes()) }
    }

    /// Returns the name of the record of the closure whose [text](Self::to_string) is `closure`, in the forms of this version
    /// of pybundle.
    pub(crate) fn record_of(self, closure: &str) -> String {
        format!("pybundle-cache-{}-{closure}", &self.formats.hex()[..8])
    }

    /// Returns the name of the record, which is a valid tag (OCI distribution 1.1, pulling manifests).
    pub(crate) fn record(self) -> String {
        self.record_of(&self.to_string())
    }

    /// Tells whether a text may be a closure.
    pub(crate) fn is_closure(text: &str) -> bool {
        text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }
}

impl Display for ClosureKey {
    /// Writes the closure. The text does not depend on the version of its record.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.closure.hex()[..32])
    }
}
