//! Prints: the only module that may.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

use super::annotation::{self, AnnotationLevel, WorkflowAnnotation};
use super::arguments::{ColorWhen, GlobalArguments};
use super::code_quality;
use super::environment;
use super::error::{CliError, value_hints};
use super::explanation;
use super::format::OutputFormat;
use super::plain::{self, plain, without_commands};
use crate::archive::destination;
use crate::redact;
use crate::report::{ErrorReport, FORMAT_VERSION, FailureReport};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Prints results on standard output, and everything else on standard error. Output is colored on a terminal only, unless
/// arguments or the environment decide otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    format: OutputFormat,
    quiet: bool,
    verbose: bool,
    progress: ProgressMode,
    /// Whether summaries go to standard error, because standard output receives an artifact.
    has_artifact: bool,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressMode {
    /// On a terminal.
    Bars,
    /// Where there is no terminal.
    Lines,
    Nothing,
}

/// The lines of a result, which are printed together.
#[derive(Debug, Default)]
pub(crate) struct TextPage {
    text: String,
    /// The width that tables must fit in, in characters; `None` where there is no terminal, and nothing is cut off.
    width: Option<usize>,
}

/// The narrowest column that a table is cut to, in characters.
const NARROWEST: usize = 5;

impl TextPage {
    /// Creates a page for a terminal of some width in characters, or for a file or a pipe.
    pub(crate) fn new(width: Option<usize>) -> Self {
        Self { text: String::new(), width }
    }

    /// Adds a line in bold, with a dim remark after it.
    pub(crate) fn headline(&mut self, text: &str, remark: &str) {
        let (text, remark) = (plain(text), plain(remark));
        self.text.push_str(&format!("{STRONG}{text}{STRONG:#}  {DIM}{remark}{DIM:#}\n"));
    }

    /// Adds a line in bold.
    pub(crate) fn heading(&mut self, text: &str) {
        self.text.push_str(&format!("  {STRONG}{}{STRONG:#}\n", plain(text)));
    }

    /// Adds a line with a label before it.
    pub(crate) fn field(&mut self, label: &str, value: &str) {
        self.text.push_str(&format!("  {DIM}{label:<9}{DIM:#} {}\n", plain(value)));
    }

    /// Adds how long everything took, in seconds, and what each phase took.
    pub(crate) fn time(&mut self, seconds: f64, phases: Option<String>) {
        let phases = phases.filter(|phases| !phases.is_empty()).map(|phases| format!(": {phases}"));
        self.field("time", &format!("{seconds:.2} s{}", phases.unwrap_or_default()));
    }

    /// Adds an indented line with its source, dimmed, as a comment.
    pub(crate) fn sourced(&mut self, text: &str, source: &str) {
        self.text.push_str(&format!("  {}  {DIM}# {}{DIM:#}\n", plain(text), plain(source)));
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.text.push_str(&plain(text));
        self.text.push('\n');
    }

    /// Adds rows as [`table`](Self::table) does, indented, the first of which is a dimmed head.
    pub(crate) fn table_with_head<const N: usize>(&mut self, rows: &[[String; N]], right: &[usize]) {
        let mut table = Self::new(self.width.map(|width| width.saturating_sub(2)));
        table.table(rows, right);
        for (index, line) in table.text.lines().enumerate() {
            if index == 0 {
                self.text.push_str(&format!("  {DIM}{line}{DIM:#}\n"));
            } else {
                self.text.push_str(&format!("  {line}\n"));
            }
        }
    }

    /// Adds rows with aligned columns: those in `right` to the right, the others to the left. Where the page is too narrow,
    /// the widest of the others are cut, and at last the first, which names what the row is about. Numbers are not cut.
    pub(crate) fn table<const N: usize>(&mut self, rows: &[[String; N]], right: &[usize]) {
        let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| one_line(cell))).collect();
        let rows = &rows[..];
        let mut widths: [usize; N] = std::array::from_fn(|column| column_width(rows, column));
        let room = self.width.unwrap_or(usize::MAX);
        while widths.iter().sum::<usize>() + 2 * (N - 1) > room
            && let Some(cut) = (1..N)
                .filter(|column| !right.contains(column) && widths[*column] > NARROWEST)
                .max_by_key(|column| widths[*column])
                .or_else(|| (widths[0] > NARROWEST && !right.contains(&0)).then_some(0))
        {
            widths[cut] -= 1;
        }
        for row in rows {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths[column];
                let cell = shortened(cell, width);
                if right.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            self.line(line.trim_end());
        }
    }
}

impl Printer {
    /// Returns a printer as arguments and the environment request.
    ///
    /// # Errors
    /// The requested format is unknown or ambiguous.
    pub(crate) fn new(arguments: &GlobalArguments) -> Result<Self, clap::Error> {
        color(arguments.color);
        Ok(Self {
            format: OutputFormat::of(arguments)?,
            quiet: arguments.quiet,
            verbose: arguments.verbose,
            progress: match (arguments.no_progress || arguments.quiet, io::stderr().is_terminal()) {
                (true, _) => ProgressMode::Nothing,
                (false, true) => ProgressMode::Bars,
                (false, false) => ProgressMode::Lines,
            },
            has_artifact: false,
        })
    }

    /// Returns a printer for an error of the command line, which was not parsed.
    pub(crate) fn unparsed() -> Self {
        let flag = environment::option("color").and_then(|text| ColorWhen::from_str(&text, true).ok());
        color(flag.unwrap_or(ColorWhen::Auto));
        let format = OutputFormat::of_unparsed();
        Self { format, quiet: false, verbose: false, progress: ProgressMode::Nothing, has_artifact: false }
    }

    /// Returns a printer for a command that writes these files. If one of them is standard output, the summary goes to
    /// standard error.
    ///
    /// # Errors
    /// A file is standard output, which is a terminal, or also requested for a JSON document.
    pub(crate) fn beside<'a>(self, mut files: impl Iterator<Item = &'a Path>) -> Result<Self, CliError> {
        let has_artifact = files.any(destination::is_standard_output);
        let document = match self.format {
            OutputFormat::Json => Some("--json"),
            OutputFormat::Gitlab => Some("--output-format gitlab"),
            OutputFormat::Text | OutputFormat::Github => None,
        };
        if let Some(flag) = document.filter(|_| has_artifact) {
            return Err(CliError::ArtifactAndDocument(flag));
        }
        // As `docker save` does.
        if has_artifact && io::stdout().is_terminal() {
            return Err(CliError::Terminal);
        }
        Ok(Self { has_artifact, ..self })
    }

    pub(crate) fn progress(&self) -> ProgressMode {
        self.progress
    }

    /// Returns the width of a line in characters: that of the terminal, else `COLUMNS`, else 80.
    pub(crate) fn width(&self) -> usize {
        terminal_width(io::stdout()).or_else(environment::columns).unwrap_or(80)
    }

    /// Returns the width of the terminal that is standard error, in characters.
    pub(crate) fn error_width() -> usize {
        terminal_width(io::stderr()).unwrap_or(80)
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Prints a result: the document with `--json`, else the page that `page` writes, unless `--quiet` is given.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn result(&self, document: &impl Serialize, page: impl FnOnce(&mut TextPage)) -> Result<(), CliError> {
        if self.format == OutputFormat::Json {
            return self.document(document);
        }
        if self.quiet {
            return Ok(());
        }
        let terminal = if self.has_artifact || self.format == OutputFormat::Gitlab {
            terminal_width(io::stderr())
        } else {
            terminal_width(io::stdout())
        };
        let mut written = TextPage::new(terminal);
        page(&mut written);
        if self.has_artifact || self.format == OutputFormat::Gitlab {
            anstream::eprint!("{}", written.text);
            return Ok(());
        }
        let mut output = anstream::stdout().lock();
        ignore_closed_pipe(output.write_all(written.text.as_bytes()).and_then(|()| output.flush()))
    }

    /// Prints a text, also with `--quiet`: the document with `--json`, else the text itself.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn text(&self, document: &impl Serialize, text: &str) -> Result<(), CliError> {
        if self.format == OutputFormat::Json { self.document(document) } else { self.raw(text.as_bytes()) }
    }

    /// Prints a document as JSON, whatever the output format.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn document(&self, document: &impl Serialize) -> Result<(), CliError> {
        let json = serde_json::to_string_pretty(document).map_err(io::Error::from)?;
        self.raw(format!("{}\n", plain::escaped_json(&json)).as_bytes())
    }

    /// Prints GitLab's report, if that is the format.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn finish(&self) -> Result<(), CliError> {
        if self.format == OutputFormat::Gitlab { self.document(&code_quality::report()) } else { Ok(()) }
    }

    /// Prints bytes as they are.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut output = io::stdout().lock();
        ignore_closed_pipe(output.write_all(bytes).and_then(|()| output.flush()))
    }

    /// Prints a warning; `prefix` is the name of the target and a colon, or nothing.
    pub(crate) fn warning(&self, prefix: &str, message: &str) {
        match self.format {
            _ if self.quiet => {}
            OutputFormat::Github => annotate(AnnotationLevel::Warning, prefix, message),
            OutputFormat::Text | OutputFormat::Json | OutputFormat::Gitlab => {
                if self.format == OutputFormat::Gitlab {
                    add_issue(AnnotationLevel::Warning, prefix, message);
                }
                anstream::eprintln!("{WARNING}warning{WARNING:#}: {}", plain(&format!("{prefix}{message}")));
            }
        }
    }

    /// Prints a line that explains why the work takes long, unless progress is hidden.
    pub(crate) fn note(&self, prefix: &str, message: &str) {
        if self.progress != ProgressMode::Nothing {
            self.remark(&format!("{prefix}{message}"));
        }
    }

    /// Prints a line about progress.
    pub(crate) fn remark(&self, text: &str) {
        anstream::eprintln!("{DIM}{}{DIM:#}", plain(text));
    }

    /// Prints an error with its causes and hints; with `--json`, also as a document on standard output.
    pub(crate) fn error(&self, error: &CliError) {
        let report = error.report();
        self.explain("", &report);
        if self.format == OutputFormat::Json && error.is_without_document() {
            // The error has been printed already.
            let _ = self.document(&FailureReport { format: FORMAT_VERSION, error: report });
        }
    }

    /// Prints the errors of several targets, each once, and a hint only with the first error that has it.
    pub(crate) fn failures(&self, errors: &[(&str, &ErrorReport)]) {
        let mut given: Vec<&String> = Vec::new();
        for (at, (_, error)) in errors.iter().enumerate() {
            if errors[..at].iter().any(|(_, earlier)| earlier == error) {
                continue;
            }
            let targets = errors.iter().filter(|(_, other)| other == error).map(|(target, _)| *target);
            let new: Vec<&String> = error.hints.iter().filter(|hint| !given.contains(hint)).collect();
            let report = ErrorReport { hints: new.iter().copied().cloned().collect(), ..(*error).clone() };
            given.extend(new);
            self.explain(&format!("{}: ", targets.collect::<Vec<_>>().join(", ")), &report);
        }
    }

    /// Prints that a signal stopped the command. The message begins a line of its own: a progress bar or the `^C` of a
    /// terminal may precede it.
    pub(crate) fn stopped(&self, message: &str) {
        if self.progress() == ProgressMode::Bars {
            anstream::eprintln!();
        }
        self.explain("", &ErrorReport { message: message.to_owned(), causes: Vec::new(), hints: Vec::new() });
    }

    fn explain(&self, prefix: &str, ErrorReport { message, causes, hints }: &ErrorReport) {
        let (message, hints) = if self.verbose {
            (message.clone(), hints.clone())
        } else {
            (explanation::message(message), explanation::hints(hints))
        };
        if self.format == OutputFormat::Github {
            let causes = causes.iter().map(|cause| format!("because: {cause}"));
            let hints = hints.iter().map(|hint| format!("hint: {hint}"));
            let lines: Vec<String> = std::iter::once(message.clone()).chain(causes).chain(hints).collect();
            return annotate(AnnotationLevel::Error, prefix, &lines.join("\n"));
        }
        if self.format == OutputFormat::Gitlab {
            let causes: String = causes.iter().map(|cause| format!("\nbecause: {cause}")).collect();
            add_issue(AnnotationLevel::Error, prefix, &format!("{message}{causes}"));
        }
        anstream::eprintln!("{ERROR}error{ERROR:#}: {}", plain(&format!("{prefix}{message}")));
        causes.iter().for_each(|cause| anstream::eprintln!("  {DIM}because{DIM:#}: {}", plain(cause)));
        hints.iter().for_each(|hint| anstream::eprintln!("{HINT}hint{HINT:#}: {}", plain(hint)));
    }
}

/// Returns the width of a terminal in characters, if a stream is one.
fn terminal_width(stream: impl AsFd) -> Option<usize> {
    let columns = rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    columns.filter(|columns| *columns > 0)
}

/// Adds an issue to GitLab's report.
fn add_issue(level: AnnotationLevel, prefix: &str, message: &str) {
    let workspace = environment::workspace();
    code_quality::add(level, prefix, &plain(message), |path| annotation::file(path, workspace.as_deref()));
}

/// Prints an annotation, in one write, so that lines of several threads do not mix.
fn annotate(level: AnnotationLevel, prefix: &str, message: &str) {
    let (workspace, message) = (environment::workspace(), &plain(message));
    let annotation =
        WorkflowAnnotation::new(level, prefix, message, |path| annotation::file(path, workspace.as_deref()));
    anstream::eprintln!("{annotation}");
}

fn color(when: ColorWhen) {
    match when {
        ColorWhen::Auto => anstream::ColorChoice::Auto,
        ColorWhen::Always => anstream::ColorChoice::Always,
        ColorWhen::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

/// Ignores that the reader has closed the pipe, as `head` does.
fn ignore_closed_pipe(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Prints a message of clap: help, the version, or an error of the command line.
pub(crate) fn usage(message: &clap::Error) -> ExitCode {
    let printer = Printer::unparsed();
    if !message.use_stderr() {
        // If this cannot be printed, an error message cannot either.
        let _ = message.print();
        return ExitCode::SUCCESS;
    }
    // It quotes the command line, which may contain URLs with passwords.
    let (text, hints) = (message.render(), value_hints(message));
    if printer.format == OutputFormat::Github {
        let text = text.to_string();
        let hints: String = hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
        annotate(
            AnnotationLevel::Error,
            "",
            &redact::text(&format!("{}{hints}", text.trim().trim_start_matches("error: "))),
        );
    } else {
        if printer.format == OutputFormat::Gitlab {
            add_issue(AnnotationLevel::Error, "", &redact::text(text.to_string().trim().trim_start_matches("error: ")));
        }
        anstream::eprint!("{}", without_commands(&redact::text(&text.ansi().to_string())));
        hints.iter().for_each(|hint| anstream::eprintln!("{HINT}hint{HINT:#}: {}", plain(&redact::text(hint))));
    }
    // It can only fail like the message itself.
    let _ = printer.finish();
    ExitCode::from(2)
}

/// Returns the width of a column, in characters.
pub(crate) fn column_width<const N: usize>(rows: &[[String; N]], column: usize) -> usize {
    rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
}

/// Escapes control characters: names and values in artifacts are not trusted.
pub(crate) fn visible(text: &str) -> String {
    let characters = text.chars().map(|character| match character {
        '"' | '\'' | '\\' => character.to_string(),
        other => other.escape_debug().to_string(),
    });
    characters.collect()
}

/// Escapes what a cell of a table may not contain.
fn one_line(text: &str) -> String {
    plain(&text.replace('\n', "\\n"))
}

/// Shortens a text to a width in characters: the middle is replaced by an ellipsis.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= width {
        return text.to_owned();
    }
    let before = width.saturating_sub(1) / 2;
    let after = width.saturating_sub(1) - before;
    let (before, after) = (&characters[..before], &characters[characters.len() - after..]);
    before.iter().chain([&'…']).chain(after).collect()
}

/// Returns a count and its noun: `1 file`, `2 files`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_loses_its_middle() {
        for (text, width, expected) in [
            ("numpy", 5, "numpy"),
            ("numpy.libs/libopenblas.so", 12, "numpy…las.so"),
            ("ab", 1, "…"),
            ("größer als das", 8, "grö… das"),
        ] {
            let short = shortened(text, width);
            assert!(short.chars().count() <= width, "{short}");
            assert_eq!(short, expected);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["numpy", "9 B"], ["six", "12 KiB"]].map(|row| row.map(str::to_owned));
        let mut page = TextPage::new(None);
        page.table(&rows, &[1]);
        assert_eq!(page.text, "numpy     9 B\nsix    12 KiB\n");
    }

    #[test]
    fn a_table_fits_into_the_width_of_a_page() {
        let rows = [["api", "dist/background-worker.zip"]].map(|row| row.map(str::to_owned));
        // Names are cut after what describes them, and numbers never.
        let sized = [["background", "155.7 KiB", "dist/background-worker.zip"]].map(|row| row.map(str::to_owned));
        let page = |width: Option<usize>, fill: &dyn Fn(&mut TextPage)| {
            let mut page = TextPage::new(width);
            fill(&mut page);
            page.text
        };
        for (width, expected, expected_sized) in [
            (Some(31), "api  dist/background-worker.zip\n", "background  155.7 KiB  dis….zip\n"),
            (Some(20), "api  dist/ba…ker.zip\n", "ba…nd  155.7 KiB  di…ip\n"),
            (Some(5), "api  di…ip\n", "ba…nd  155.7 KiB  di…ip\n"),
        ] {
            assert_eq!(page(width, &|page| page.table(&rows, &[])), expected, "{width:?}");
            assert_eq!(page(width, &|page| page.table(&sized, &[1])), expected_sized, "{width:?}");
        }
    }
}
