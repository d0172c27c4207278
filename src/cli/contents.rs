//! The parts that the summaries of zips and of images share.

use super::printer::{TextPage, count, size};
use crate::report::{AuditReport, BytecodeReport, TrimReport};

/// Adds the findings of audits.
pub(crate) fn audit(audit: &AuditReport, page: &mut TextPage) {
    if !audit.unused.is_empty() {
        let unused = count(audit.unused.len() as u64, "distribution");
        page.field("unused", &format!("{unused} that nothing imports: {}", audit.unused.join(", ")));
    }
}

/// Adds what --slim and --strip saved.
pub(crate) fn trim(trim: &TrimReport, page: &mut TextPage) {
    let rules: Vec<String> =
        trim.slimmed.iter().map(|slimmed| format!("{} {}", slimmed.rule, size(slimmed.saved.bytes))).collect();
    if !rules.is_empty() {
        let total = trim.slimmed.iter().map(|slimmed| slimmed.saved.bytes).sum();
        page.field("slimmed", &format!("{}: {}", size(total), rules.join(", ")));
    }
    if trim.stripped.files > 0 {
        let files = count(trim.stripped.files as u64, "compiled file");
        page.field("stripped", &format!("{} of {files}", size(trim.stripped.bytes)));
    }
}

/// Adds the bytecode, and the interpreter that compiled it.
pub(crate) fn bytecode(report: &BytecodeReport, page: &mut TextPage) {
    let text = match &report.python {
        Some(python) => {
            format!("by CPython {python}, {}, {}", count(report.files as u64, "file"), size(report.size))
        }
        None => format!("none: CPython {} is not installed", report.version),
    };
    page.field("bytecode", &text);
}
