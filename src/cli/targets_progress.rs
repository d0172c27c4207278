//! Progress of several targets that are built in parallel.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::{Printer, ProgressMode};
use super::step::StepReporter;
use crate::redact;
use crate::report::{Phase, Reporter};

/// A bar that counts the targets, and names those that are being built.
pub(crate) struct TargetsProgress<'a> {
    printer: &'a Printer,
    names: Vec<String>,
    bar: Option<ProgressBar>,
    active: Mutex<Vec<usize>>,
}

/// The reporter of one of several targets, whose name precedes its warnings.
pub(crate) struct TargetReporter<'a> {
    targets_progress: &'a TargetsProgress<'a>,
    position: usize,
    steps: StepReporter,
    warnings: Mutex<Vec<String>>,
}

impl<'a> TargetsProgress<'a> {
    pub(crate) fn new(printer: &'a Printer, names: Vec<String>) -> Self {
        let bar = (printer.progress() == ProgressMode::Bars).then(|| {
            let bar = ProgressBar::with_draw_target(Some(names.len() as u64), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("  building [{bar:30}] {pos} of {len}  {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { printer, names, bar, active: Mutex::new(Vec::new()) }
    }

    /// Returns the reporter of a target, and shows that it has started.
    pub(crate) fn reporter(&'a self, position: usize) -> TargetReporter<'a> {
        self.show(|active| active.push(position));
        let steps = StepReporter::new(*self.printer, &self.names[position]);
        TargetReporter { targets_progress: self, position, steps, warnings: Mutex::new(Vec::new()) }
    }

    pub(crate) fn finished(&self, position: usize) {
        self.show(|active| active.retain(|active| *active != position));
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Removes the bar.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&self, change: impl FnOnce(&mut Vec<usize>)) {
        if let (Some(bar), Ok(mut active)) = (&self.bar, self.active.lock()) {
            change(&mut active);
            let names: Vec<&str> = active.iter().map(|position| self.names[*position].as_str()).collect();
            bar.set_message(names.join(", "));
        }
    }
}

impl TargetReporter<'_> {
    pub(crate) fn warnings(self) -> Vec<String> {
        self.warnings.into_inner().unwrap_or_default()
    }
}

impl Reporter for TargetReporter<'_> {
    fn start(&self, phase: Phase, total: u64) {
        self.steps.start(phase, total);
    }

    fn advance(&self, phase: Phase, amount: u64) {
        self.steps.advance(phase, amount);
    }

    fn finish(&self, phase: Phase) {
        self.steps.finish(phase);
    }

    fn warn(&self, message: &str) {
        let message = redact::text(message);
        let TargetsProgress { printer, names, bar, .. } = self.targets_progress;
        let name = &names[self.position];
        match bar {
            Some(bar) => bar.suspend(|| printer.warning_of(name, &message)),
            None => printer.warning_of(name, &message),
        }
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(message);
        }
    }

    fn note(&self, message: &str) {
        let TargetsProgress { printer, names, bar, .. } = self.targets_progress;
        let prefix = format!("{}: ", names[self.position]);
        match bar {
            Some(bar) => bar.suspend(|| printer.note(&prefix, message)),
            None => printer.note(&prefix, message),
        }
    }
}
