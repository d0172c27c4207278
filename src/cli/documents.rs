//! The part of a summary about SBOMs and provenance.

use super::text_page::TextPage;
use crate::report::{DocumentKind, DocumentReport};

/// Adds a line for each document: its paths, or the digest of its referrer.
pub(crate) fn fields(documents: &[DocumentReport], page: &mut TextPage) {
    for document in documents {
        let (label, name) = match document.kind {
            DocumentKind::Cyclonedx => ("sbom", "CycloneDX"),
            DocumentKind::Spdx => ("sbom", "SPDX"),
            DocumentKind::Provenance => ("slsa", "provenance"),
        };
        let platform = document.platform.iter().map(|platform| platform.replace("linux/", ""));
        let referrer = document.referrer.clone();
        let paths = document.paths.iter().map(|path| path.display().to_string());
        let parts: Vec<String> = platform.chain(referrer).chain(paths).collect();
        page.field(label, &format!("{name}, {}", parts.join(", ")));
    }
}
