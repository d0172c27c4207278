//! The parts that the summaries of zips and of images share.

use super::printer::{TextPage, count, size};
use crate::report::{AuditReport, BytecodeReport, ImplicitCodeReport, TrimReport};

/// How many files with implicit code are named.
const SHOWN: usize = 4;

/// Adds the findings of audits.
pub(crate) fn audit(audit: &AuditReport, page: &mut TextPage) {
    if !audit.unused.is_empty() {
        let unused = count(audit.unused.len() as u64, "distribution");
        page.field("unused", &format!("{unused} that nothing imports: {}", audit.unused.join(", ")));
    }
    if !audit.implicit_code.is_empty() {
        let files = count(audit.implicit_code.len() as u64, "file");
        let mut named: Vec<String> = audit.implicit_code.iter().take(SHOWN).map(implicit_code).collect();
        let others = audit.implicit_code.len() - named.len();
        if others > 0 {
            named.push(format!("{others} more, see `audit.implicit_code` with --json"));
        }
        page.field("implicit", &format!("{files} may run without being imported by name: {}", named.join(", ")));
    }
}

fn implicit_code(code: &ImplicitCodeReport) -> String {
    let of = code.distribution.as_ref().map(|distribution| format!(" of {distribution}"));
    format!("{}{}", code.path, of.unwrap_or_default())
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
