//! Whether an artifact is as it should be: everything that is wrong with it, not only the first thing.

mod image;
mod records;
mod zip;

pub use image::{LayerReader, image};
pub use zip::zip;

use super::{ArtifactContents, ArtifactProblem};

/// What is checked, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckedAspect {
    /// A zip is one that all readers read alike.
    Structure,
    /// Every entry of a zip inflates to the size and the CRC-32 that it states.
    Content,
    /// A zip's headers and their order are those that pybundle writes.
    Headers,
    /// Every index, manifest and configuration is what its descriptor says.
    Documents,
    /// Every layer has the size and the digest that its descriptor says, and there are no other blobs.
    Blobs,
    /// Every layer unpacks to what the configuration says.
    DiffIds,
    /// History, layers and platform agree.
    Configuration,
    /// The layers that pybundle made are archives as it writes them.
    Layers,
    /// Every file is what the RECORD of its distribution says.
    Record,
    /// The artifact keeps to the limits of its target.
    Limits,
    /// What was found of modules and shared libraries while the project was built again.
    Audits,
    /// The project gives the same bytes again.
    Rebuild,
}

impl CheckedAspect {
    /// Returns the name that reports have.
    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Content => "content",
            Self::Headers => "headers",
            Self::Documents => "documents",
            Self::Blobs => "blobs",
            Self::DiffIds => "diff IDs",
            Self::Configuration => "configuration",
            Self::Layers => "layers",
            Self::Record => "RECORD",
            Self::Limits => "limits",
            Self::Audits => "audits",
            Self::Rebuild => "rebuild",
        }
    }
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// What was checked.
    pub aspect: CheckedAspect,
    /// What the check covers, for people.
    pub covers: String,
    /// What is wrong.
    pub findings: Vec<ArtifactProblem>,
}

/// What verifying an artifact has found.
#[derive(Debug)]
pub struct Verification {
    /// The checks.
    pub checks: Vec<CheckResult>,
    /// What is in the artifact, if all of it could be read.
    pub contents: Option<ArtifactContents>,
}

impl CheckResult {
    /// Makes a check.
    pub fn new(aspect: CheckedAspect, covers: impl Into<String>, findings: Vec<ArtifactProblem>) -> Self {
        Self { aspect, covers: covers.into(), findings }
    }
}
