//! `pybundle run --profile-imports`: shows what the imports of a function cost when it starts.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use super::arguments::GlobalArguments;
use super::error::CliError;
use super::printer::Printer;
use super::run::{self, RecordedLog, RunArguments};
use super::text_page::{TextPage, count, shortened};
use crate::invoke::{self, ImportProfile, LocalFunction, ModuleOrigin, StartRemedy};
use crate::pipeline::ProjectCache;
use crate::report::{
    FORMAT_VERSION, ImportProfileReport, ModuleOwner, ModuleTimeReport, StartOutcome, StartRemedyReport,
};
use crate::settings::binary_size;

/// How many modules and distributions are shown without --verbose.
const MODULES: usize = 20;
const DISTRIBUTIONS: usize = 8;

/// The widest column of modules without --verbose, in characters: beside it, importers have space on 80 columns.
const WIDEST_MODULE: usize = 34;

/// The longest import statement that is shown in full, in characters.
const LONGEST_STATEMENT: usize = 36;

/// The first minor version of Python 3 with lazy imports ([PEP 810](https://peps.python.org/pep-0810/)).
const LAZY_IMPORTS: u8 = 15;

/// Builds a function, starts it several times, and prints the times of its imports.
///
/// # Errors
/// It cannot be built or started. If its initialization fails, the exit status is a failure.
pub(super) fn profile(
    arguments: &RunArguments,
    global: &GlobalArguments,
    printer: &Printer,
) -> Result<ExitCode, CliError> {
    let projects = ProjectCache::default();
    let function = arguments.prepare(global, &projects, printer)?;
    printer.note("", "starts the function several times, with and without what may help");
    let mut log = RecordedLog::new(*printer);
    let measured = invoke::profile_imports(&function, &projects, &mut log)?;
    let log = log.end()?;
    let report = report(&function, measured, &log);
    printer.result(&report, |page| {
        show(&report, function.unpacked.profile.python.minor >= LAZY_IMPORTS, printer.is_verbose(), page);
    })?;
    let StartOutcome::Failed { error } = &report.outcome else { return Ok(ExitCode::SUCCESS) };
    run::show_failure(&report.function, error, printer);
    Ok(ExitCode::FAILURE)
}

fn report(function: &LocalFunction, profile: ImportProfile, log: &[u8]) -> ImportProfileReport {
    let import_seconds = profile.import_time().as_secs_f64();
    let ImportProfile { starts, initialization, modules, remedies, failure } = profile;
    let modules = modules.into_iter().map(|module| {
        let (owner, distribution) = match module.origin {
            ModuleOrigin::Application => (ModuleOwner::Application, None),
            ModuleOrigin::Distribution(found) => (ModuleOwner::Distribution, Some(found.to_string())),
            ModuleOrigin::StandardLibrary => (ModuleOwner::StandardLibrary, None),
            ModuleOrigin::Unknown => (ModuleOwner::Unknown, None),
        };
        ModuleTimeReport {
            name: module.name,
            self_seconds: module.own.as_secs_f64(),
            cumulative_seconds: module.total.as_secs_f64(),
            imported_by: module.importer,
            owner,
            distribution,
        }
    });
    ImportProfileReport {
        format: FORMAT_VERSION,
        function: function.name().to_owned(),
        handler: function.handler().to_owned(),
        runtime: function.unpacked.profile.name.clone(),
        differences: function.differences(),
        outcome: match failure {
            Some(error) => StartOutcome::Failed { error: run::error_report(error) },
            None => StartOutcome::Initialized,
        },
        starts,
        initialization_seconds: initialization.map(|time| time.as_secs_f64()),
        import_seconds,
        modules: modules.collect(),
        remedies: remedies.into_iter().map(remedy).collect(),
        log: String::from_utf8_lossy(log).into_owned(),
        warnings: function.warnings.clone(),
    }
}

fn remedy(remedy: StartRemedy) -> StartRemedyReport {
    let seconds = |time: Duration| time.as_secs_f64();
    match remedy {
        StartRemedy::Bytecode { initialization, size } => {
            StartRemedyReport::Bytecode { initialization_seconds: seconds(initialization), size }
        }
        StartRemedy::LazyImport { path, line, statement, initialization } => {
            let initialization_seconds = seconds(initialization);
            StartRemedyReport::LazyImport { path, line, statement, initialization_seconds }
        }
        StartRemedy::ExcludeRuntime { distributions, size } => {
            StartRemedyReport::ExcludeRuntime { distributions, size }
        }
    }
}

fn show(report: &ImportProfileReport, has_lazy_imports: bool, verbose: bool, page: &mut TextPage) {
    let starts = match report.starts {
        1 => "1 start".to_owned(),
        starts => format!("median of {starts} starts"),
    };
    page.headline(&report.function, &format!("{}, {}, {starts}", report.handler, report.runtime));
    let modules = count(report.modules.len() as u64, "module");
    page.field("imports", &format!("{} for {modules}", milliseconds(report.import_seconds)));
    if let Some(initialization) = report.initialization_seconds {
        let other = milliseconds((initialization - report.import_seconds).max(0.0));
        page.field("other", &format!("{other} for the interpreter and AWS's client"));
    }
    if !report.modules.is_empty() {
        page.line("");
        show_distributions(report, verbose, page);
        page.line("");
        show_modules(report, verbose, page);
    }
    if let (Some(initialization), false) = (report.initialization_seconds, report.remedies.is_empty()) {
        page.line("");
        let mut rows = vec![["start", "what would help"].map(str::to_owned)];
        rows.push([milliseconds(initialization), "(as it is)".to_owned()]);
        rows.extend(report.remedies.iter().map(|remedy| described(remedy, has_lazy_imports)));
        page.table_with_head(&rows, &[0]);
    }
}

fn show_distributions(report: &ImportProfileReport, verbose: bool, page: &mut TextPage) {
    let mut sums: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for module in &report.modules {
        let (modules, seconds) = sums.entry(owner(module)).or_default();
        *modules += 1;
        *seconds += module.self_seconds;
    }
    let mut sums: Vec<(&str, (usize, f64))> = sums.into_iter().collect();
    sums.sort_by(|(_, (_, one)), (_, (_, other))| other.total_cmp(one));
    let row = |name: String, modules: usize, seconds: f64| {
        let share = 100.0 * seconds / report.import_seconds.max(f64::MIN_POSITIVE);
        [name, modules.to_string(), milliseconds(seconds), format!("{share:.0} %")]
    };
    let mut rows = vec![["distribution", "modules", "self", "share"].map(str::to_owned)];
    let (shown, others) = sums.split_at(number_shown(sums.len(), DISTRIBUTIONS, verbose));
    rows.extend(shown.iter().map(|(name, (modules, seconds))| row((*name).to_owned(), *modules, *seconds)));
    if !others.is_empty() {
        let modules = others.iter().map(|(_, (modules, _))| modules).sum();
        let seconds = others.iter().map(|(_, (_, seconds))| seconds).sum();
        rows.push(row(format!("({} more; -v shows them)", others.len()), modules, seconds));
    }
    page.table_with_head(&rows, &[1, 2, 3]);
}

fn show_modules(report: &ImportProfileReport, verbose: bool, page: &mut TextPage) {
    let mut rows = vec![["module", "self", "cumulative", "imported by"].map(str::to_owned)];
    let (shown, others) = report.modules.split_at(number_shown(report.modules.len(), MODULES, verbose));
    rows.extend(shown.iter().map(|module| {
        [
            if verbose { name(module) } else { shortened(&name(module), WIDEST_MODULE) },
            milliseconds(module.self_seconds),
            milliseconds(module.cumulative_seconds),
            module.imported_by.clone().unwrap_or_default(),
        ]
    }));
    if !others.is_empty() {
        let seconds = others.iter().map(|module| module.self_seconds).sum();
        let more = format!("({} more; -v shows them)", others.len());
        rows.push([more, milliseconds(seconds), String::new(), String::new()]);
    }
    page.table_with_head(&rows, &[1, 2]);
}

/// Returns how many rows are shown: one more takes as much space as the one that would count it.
fn number_shown(rows: usize, most: usize, verbose: bool) -> usize {
    if verbose || rows <= most + 1 { rows } else { most }
}

/// Returns what a module belongs to.
fn owner(module: &ModuleTimeReport) -> &str {
    match (&module.distribution, module.owner) {
        (Some(distribution), _) => distribution,
        (None, ModuleOwner::Application) => "(the application)",
        (None, ModuleOwner::StandardLibrary) => "(Python)",
        (None, ModuleOwner::Distribution | ModuleOwner::Unknown) => "(unknown)",
    }
}

/// Returns the name of a module, with what it belongs to unless the name says so.
fn name(module: &ModuleTimeReport) -> String {
    let name = &module.name;
    let top = name.split('.').next().unwrap_or_default().replace('_', "-");
    match module.distribution.as_deref().and_then(|distribution| distribution.split(' ').next()) {
        Some(distribution) if top.eq_ignore_ascii_case(distribution) => name.clone(),
        Some(distribution) => format!("{name} ({distribution})"),
        None => format!("{name} {}", owner(module)),
    }
}

/// Returns how long the start takes, and with what.
fn described(remedy: &StartRemedyReport, has_lazy_imports: bool) -> [String; 2] {
    match remedy {
        StartRemedyReport::Bytecode { initialization_seconds, size } => {
            let text = format!("with --compile-bytecode, {} larger unpacked", binary_size(*size));
            [milliseconds(*initialization_seconds), text]
        }
        StartRemedyReport::LazyImport { path, line, statement, initialization_seconds } => {
            let statement = shortened(statement, LONGEST_STATEMENT);
            let text = if has_lazy_imports {
                format!("with `lazy {statement}`, {path}:{line}")
            } else {
                format!("with `{statement}` in functions, {path}:{line}")
            };
            [milliseconds(*initialization_seconds), text]
        }
        // The runtime's are not on this machine.
        StartRemedyReport::ExcludeRuntime { size, .. } => {
            ["?".to_owned(), format!("with --exclude-runtime, {} smaller unpacked", binary_size(*size))]
        }
    }
}

/// Returns a time in milliseconds, with a digit after the point if it is short.
fn milliseconds(seconds: f64) -> String {
    let time = seconds * 1000.0;
    if time < 99.95 { format!("{time:.1} ms") } else { format!("{time:.0} ms") }
}
