//! Progress on standard error: bars on a terminal, elsewhere lines about steps that take long.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::{Printer, ProgressMode};
use super::step::StepReporter;
use crate::redact;
use crate::report::{Phase, Reporter};

/// Shows one phase at a time, and collects the warnings for the report.
pub(crate) struct ProgressReporter<'a> {
    printer: &'a Printer,
    current: Mutex<Option<(Phase, ProgressBar)>>,
    steps: StepReporter,
    warnings: Mutex<Vec<String>>,
}

impl<'a> ProgressReporter<'a> {
    pub(crate) fn new(printer: &'a Printer) -> Self {
        let steps = StepReporter::new(*printer, "");
        Self { printer, current: Mutex::new(None), steps, warnings: Mutex::new(Vec::new()) }
    }

    pub(crate) fn warnings(self) -> Vec<String> {
        self.warnings.into_inner().unwrap_or_default()
    }

    fn with_bar(&self, phase: Phase, act: impl FnOnce(&ProgressBar)) {
        if let Ok(current) = self.current.lock()
            && let Some((shown, bar)) = current.as_ref()
            && *shown == phase
        {
            act(bar);
        }
    }
}

impl Reporter for ProgressReporter<'_> {
    fn start(&self, phase: Phase, total: u64) {
        self.steps.start(phase, total);
        if self.printer.progress() != ProgressMode::Bars || total == 0 {
            return;
        }
        let (verb, template) = match phase {
            Phase::Fetch => ("fetching", "{msg:>10} [{bar:30}] {bytes} of {total_bytes} ({bytes_per_sec}, {eta})"),
            Phase::Build => ("building", "{msg:>10} [{bar:30}] {pos} of {len}"),
            Phase::Layers => ("layers", "{msg:>10} [{bar:30}] {pos} of {len}"),
            Phase::Write => ("writing", "{msg:>10} [{bar:30}] {bytes} of {total_bytes}"),
            Phase::Push => ("pushing", "{msg:>10} [{bar:30}] {bytes} of {total_bytes}"),
            Phase::Pull => ("pulling", "{msg:>10} [{bar:30}] {bytes} of {total_bytes}"),
        };
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(verb);
        if let Ok(mut current) = self.current.lock() {
            *current = Some((phase, bar));
        }
    }

    fn advance(&self, phase: Phase, amount: u64) {
        self.steps.advance(phase, amount);
        self.with_bar(phase, |bar| bar.inc(amount));
    }

    fn finish(&self, phase: Phase) {
        self.steps.finish(phase);
        self.with_bar(phase, ProgressBar::finish_and_clear);
    }

    fn warn(&self, message: &str) {
        let message = redact::text(message);
        if let Ok(mut warnings) = self.warnings.lock() {
            // The platforms of an image have most of their distributions in common.
            if warnings.contains(&message) {
                return;
            }
            warnings.push(message.clone());
        }
        let bar = self.current.lock().ok().and_then(|current| current.as_ref().map(|(_, bar)| bar.clone()));
        match bar {
            Some(bar) => bar.suspend(|| self.printer.warning(&message)),
            None => self.printer.warning(&message),
        }
    }

    fn note(&self, message: &str) {
        let bar = self.current.lock().ok().and_then(|current| current.as_ref().map(|(_, bar)| bar.clone()));
        match bar {
            Some(bar) => bar.suspend(|| self.printer.note("", message)),
            None => self.printer.note("", message),
        }
    }
}
