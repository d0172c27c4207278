//! The parts that the summaries of zips and of images share.

use super::text_page::{TextPage, count};
use crate::report::{ApplicationReport, AuditReport, BytecodeReport, ImplicitCodeReport, OmittedReport, TrimReport};
use crate::settings::binary_size;

/// How many files with implicit code are named.
const SHOWN: usize = 4;

/// How many paths of the application are named.
const SHOWN_PATHS: usize = 6;

/// Adds the application's files, and those that are excluded. Unless `verbose`, what belongs to development in almost every
/// project is not mentioned.
pub(crate) fn application(application: &ApplicationReport, verbose: bool, page: &mut TextPage) {
    let shown = if verbose { usize::MAX } else { SHOWN_PATHS };
    if !application.taken.is_empty() {
        let mut taken = application.taken.clone();
        if let Some(source) = taken.iter_mut().find(|path| application.source_at_root && *path == "src/") {
            *source = "src/ at the root".to_owned();
        }
        let paths = abridged(taken, shown);
        page.field("code", &format!("{paths} ({})", count(application.files as u64, "file")));
    }
    let omitted = application.omitted.iter().filter(|omitted| verbose || !omitted.routine);
    // Nobody may overlook a secret.
    let (secrets, others): (Vec<_>, Vec<_>) = omitted.partition(|omitted| omitted.secret);
    let omitted: Vec<String> = secrets.into_iter().chain(others).map(self::omitted).collect();
    if !omitted.is_empty() {
        page.field("omitted", &abridged(omitted, shown));
    }
}

/// Describes a path that is excluded, with the rule.
pub(crate) fn omitted(omitted: &OmittedReport) -> String {
    format!("{} ({})", omitted.path, omitted.rule)
}

/// Joins the first texts of a list.
fn abridged(mut texts: Vec<String>, shown: usize) -> String {
    let others = texts.len().saturating_sub(shown);
    if others > 0 {
        texts.truncate(shown);
        texts.push(format!("{others} more, see -v"));
    }
    texts.join(", ")
}

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

/// How many names of a library's data are shown.
const SHOWN_DATA: usize = 8;

/// Adds what --slim and --strip saved, and which data --slim kept.
pub(crate) fn trim(trim: &TrimReport, page: &mut TextPage) {
    let rules: Vec<String> =
        trim.slimmed.iter().map(|slimmed| format!("{} {}", slimmed.rule, binary_size(slimmed.saved.bytes))).collect();
    if !rules.is_empty() {
        let total = trim.slimmed.iter().map(|slimmed| slimmed.saved.bytes).sum();
        page.field("slimmed", &format!("{}: {}", binary_size(total), rules.join(", ")));
    }
    for of_rule in trim.kept.chunk_by(|one, other| one.rule == other.rule) {
        let (shown, rest) = of_rule.split_at(of_rule.len().min(SHOWN_DATA));
        let mut names: Vec<String> = shown.iter().map(|kept| format!("{} ({})", kept.name, kept.reason)).collect();
        if !rest.is_empty() {
            names.push(format!("{} more, see `trim.kept` with --json", rest.len()));
        }
        page.field(&of_rule[0].rule, &names.join(", "));
    }
    if trim.stripped.files > 0 {
        let files = count(trim.stripped.files as u64, "compiled file");
        page.field("stripped", &format!("{} of {files}", binary_size(trim.stripped.bytes)));
    }
}

/// Adds the bytecode, and the interpreter that compiled it.
pub(crate) fn bytecode(report: &BytecodeReport, page: &mut TextPage) {
    let text = match &report.python {
        Some(python) => {
            format!("by CPython {python}, {}, {}", count(report.files as u64, "file"), binary_size(report.size))
        }
        None => format!("none: CPython {} is not installed", report.version),
    };
    page.field("bytecode", &text);
}
