//! Verifies artifacts, and collects all problems instead of stopping at the first.

mod image;
mod records;
mod zip;

pub(crate) use image::{LayerReader, image};
pub(crate) use zip::zip;

use super::{ArtifactContents, ArtifactProblem};

/// What is checked, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CheckedAspect {
    /// All readers read a zip in the same way.
    Structure,
    /// Every entry of a zip inflates to its declared size and CRC-32.
    Content,
    /// A zip's headers and their order are those that pybundle writes.
    Headers,
    /// Every index, manifest and image config matches its descriptor.
    Documents,
    /// Every layer matches its descriptor, and there are no other blobs.
    Blobs,
    /// Every layer matches its diff ID.
    DiffIds,
    /// History, layers and platform agree.
    Configuration,
    /// pybundle's layers have the format that it writes.
    Layers,
    /// Every file matches the RECORD of its distribution.
    Record,
    /// The artifact is within the limits of its target.
    Limits,
    /// The audits of modules, shared libraries and data files pass when the project is built again.
    Audits,
    /// The project builds to the same bytes again.
    Rebuild,
}

impl CheckedAspect {
    /// Returns the name in reports.
    pub(crate) fn name(self) -> &'static str {
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckResult {
    pub(crate) aspect: CheckedAspect,
    /// What the check covers, for humans.
    pub(crate) covers: String,
    pub(crate) problems: Vec<ArtifactProblem>,
}

#[derive(Debug)]
pub(crate) struct Verification {
    pub(crate) checks: Vec<CheckResult>,
    /// The contents of the artifact, if all of it could be read.
    pub(crate) contents: Option<ArtifactContents>,
}

impl CheckResult {
    pub(crate) fn new(aspect: CheckedAspect, covers: impl Into<String>, problems: Vec<ArtifactProblem>) -> Self {
        Self { aspect, covers: covers.into(), problems }
    }
}
