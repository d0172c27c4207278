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
use super::error::{CliError, usage_hints};
use super::explanation;
use super::format::OutputFormat;
use super::plain::{self, plain, without_commands};
use super::terraform::TerraformValues;
use super::text_page::{DIM, TextPage};
use crate::archive::destination;
use crate::redact;
use crate::report::{ErrorReport, FORMAT_VERSION, FailureReport};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

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
    /// Whether each document is one line.
    has_lines: bool,
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
            has_lines: false,
        })
    }

    /// Returns a printer for an error of the command line, which was not parsed.
    pub(crate) fn unparsed() -> Self {
        let flag = environment::option("color").and_then(|text| ColorWhen::from_str(&text, true).ok());
        color(flag.unwrap_or(ColorWhen::Auto));
        let format = OutputFormat::of_unparsed();
        Self {
            format,
            quiet: false,
            verbose: false,
            progress: ProgressMode::Nothing,
            has_artifact: false,
            has_lines: false,
        }
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
            OutputFormat::Terraform => Some("--output-format terraform"),
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

    /// Returns a printer for a command that prints any number of documents, each on a line of its own.
    pub(crate) fn by_line(self) -> Self {
        Self { has_lines: true, ..self }
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

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns whether results are printed as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == OutputFormat::Json
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
        let is_beside = self.has_artifact || matches!(self.format, OutputFormat::Gitlab | OutputFormat::Terraform);
        let terminal = if is_beside { terminal_width(io::stderr()) } else { terminal_width(io::stdout()) };
        let mut written = TextPage::new(terminal);
        page(&mut written);
        if is_beside {
            anstream::eprint!("{}", written.text);
            return Ok(());
        }
        let mut output = anstream::stdout().lock();
        ignore_closed_pipe(output.write_all(written.text.as_bytes()).and_then(|()| output.flush()))
    }

    /// Prints what was built: values for Terraform, if that is the format, else as [`result`](Self::result).
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn built(
        &self,
        document: &impl Serialize,
        values: impl FnOnce() -> TerraformValues,
        page: impl FnOnce(&mut TextPage),
    ) -> Result<(), CliError> {
        if self.is_for_terraform() { self.document(&values()) } else { self.result(document, page) }
    }

    /// Returns whether values for Terraform are requested.
    pub(crate) fn is_for_terraform(&self) -> bool {
        self.format == OutputFormat::Terraform
    }

    /// Prints a text, also with `--quiet`: the document with `--json`, else the text itself.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn text(&self, document: &impl Serialize, text: &str) -> Result<(), CliError> {
        self.bytes(document, text.as_bytes())
    }

    /// Prints bytes, also with `--quiet`: the document with `--json`, else the bytes themselves.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn bytes(&self, document: &impl Serialize, bytes: &[u8]) -> Result<(), CliError> {
        if self.format == OutputFormat::Json { self.document(document) } else { self.raw(bytes) }
    }

    /// Prints a document as JSON, whatever the output format.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn document(&self, document: &impl Serialize) -> Result<(), CliError> {
        let write = if self.has_lines { serde_json::to_string } else { serde_json::to_string_pretty };
        let mut json = write(document).map_err(io::Error::from)?;
        json.push('\n');
        self.raw(plain::escaped_json(&json).as_bytes())
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

    /// Prints what another program has printed, on standard error.
    ///
    /// # Errors
    /// Standard error cannot be written.
    pub(crate) fn foreign(&self, bytes: &[u8]) -> io::Result<()> {
        io::stderr().lock().write_all(bytes)
    }

    /// Prints a warning; `prefix` is the name of the target and a colon, or nothing.
    pub(crate) fn warning(&self, prefix: &str, message: &str) {
        match self.format {
            _ if self.quiet => {}
            OutputFormat::Github => annotate(AnnotationLevel::Warning, prefix, message),
            OutputFormat::Text | OutputFormat::Json | OutputFormat::Gitlab | OutputFormat::Terraform => {
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

    /// Prints that a signal stopped the command, if that is worth a message. It, or the prompt of the shell, begins a line of its
    /// own: a progress bar or the `^C` of a terminal may precede it.
    pub(crate) fn stopped(&self, message: Option<String>) {
        if self.progress() == ProgressMode::Bars {
            anstream::eprintln!();
        }
        if let Some(message) = message {
            self.explain("", &ErrorReport { message, causes: Vec::new(), hints: Vec::new() });
        }
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
    let (text, hints) = (message.render(), usage_hints(message));
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
