//! Progress on standard error: bars on a terminal, elsewhere a line for each step that takes long.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::{Printer, ShownProgress};
use super::step::Step;
use crate::redact;
use crate::report::{Phase, Reporter};

/// Shows one phase at a time, and keeps the warnings for the report.
pub struct Progress<'a> {
    printer: &'a Printer,
    current: Mutex<Option<(Phase, Shown)>>,
    warnings: Mutex<Vec<String>>,
}

/// How a phase is shown.
enum Shown {
    Bar(ProgressBar),
    Lines(Step),
}

impl<'a> Progress<'a> {
    /// Makes a reporter that shows what `printer` allows.
    pub fn new(printer: &'a Printer) -> Self {
        Self { printer, current: Mutex::new(None), warnings: Mutex::new(Vec::new()) }
    }

    /// Returns what was warned of.
    pub fn warnings(self) -> Vec<String> {
        self.warnings.into_inner().unwrap_or_default()
    }
}

fn bar(phase: Phase, total: u64) -> ProgressBar {
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
    bar
}

impl Reporter for Progress<'_> {
    fn start(&self, phase: Phase, total: u64) {
        let shown = match self.printer.progress() {
            // A bar needs an end.
            ShownProgress::Bars if total > 0 => Shown::Bar(bar(phase, total)),
            ShownProgress::Lines => Shown::Lines(Step::start(phase, total, *self.printer)),
            ShownProgress::Bars | ShownProgress::Nothing => return,
        };
        if let Ok(mut current) = self.current.lock() {
            *current = Some((phase, shown));
        }
    }

    fn advance(&self, phase: Phase, amount: u64) {
        if let Ok(current) = self.current.lock()
            && let Some((_, shown)) = current.as_ref().filter(|(current, _)| *current == phase)
        {
            match shown {
                Shown::Bar(bar) => bar.inc(amount),
                Shown::Lines(step) => step.advance(amount),
            }
        }
    }

    fn finish(&self, phase: Phase) {
        let ended = self.current.lock().ok().and_then(|mut current| current.take_if(|(current, _)| *current == phase));
        match ended {
            Some((_, Shown::Bar(bar))) => bar.finish_and_clear(),
            Some((_, Shown::Lines(step))) => step.finish(),
            None => {}
        }
    }

    fn warn(&self, message: &str) {
        let message = redact::text(message);
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(message.clone());
        }
        let bar = self.current.lock().ok().and_then(|current| match current.as_ref() {
            Some((_, Shown::Bar(bar))) => Some(bar.clone()),
            _ => None,
        });
        match bar {
            Some(bar) => bar.suspend(|| self.printer.warning(&message)),
            None => self.printer.warning(&message),
        }
    }
}
