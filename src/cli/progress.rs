//! Progress bars on standard error, on a terminal alone.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printer::Printer;
use crate::report::{Phase, Reporter};

/// Shows one bar at a time, and keeps the warnings for the report.
pub struct Progress<'a> {
    printer: &'a Printer,
    current: Mutex<Option<(Phase, ProgressBar)>>,
    warnings: Mutex<Vec<String>>,
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

    fn with_bar(&self, phase: Phase, act: impl FnOnce(&ProgressBar)) {
        if let Ok(current) = self.current.lock()
            && let Some((shown, bar)) = current.as_ref()
            && *shown == phase
        {
            act(bar);
        }
    }
}

impl Reporter for Progress<'_> {
    fn start(&self, phase: Phase, total: u64) {
        if !self.printer.shows_progress() || total == 0 {
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
        self.with_bar(phase, |bar| bar.inc(amount));
    }

    fn finish(&self, phase: Phase) {
        self.with_bar(phase, ProgressBar::finish_and_clear);
    }

    fn warn(&self, message: &str) {
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(message.to_owned());
        }
        let bar = self.current.lock().ok().and_then(|current| current.as_ref().map(|(_, bar)| bar.clone()));
        match bar {
            Some(bar) => bar.suspend(|| self.printer.warning(message)),
            None => self.printer.warning(message),
        }
    }
}

/// One display for several targets: a bar that counts them, and names those that are being built.
pub struct Together<'a> {
    printer: &'a Printer,
    names: Vec<String>,
    bar: Option<ProgressBar>,
    active: Mutex<Vec<usize>>,
}

/// What one of several targets reports to: its warnings say whose they are.
pub struct OfTarget<'a> {
    together: &'a Together<'a>,
    position: usize,
    warnings: Mutex<Vec<String>>,
}

impl<'a> Together<'a> {
    /// Makes a display for targets of these names.
    pub fn new(printer: &'a Printer, names: Vec<String>) -> Self {
        let bar = printer.shows_progress().then(|| {
            let bar = ProgressBar::with_draw_target(Some(names.len() as u64), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("  building [{bar:30}] {pos} of {len}  {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { printer, names, bar, active: Mutex::new(Vec::new()) }
    }

    /// Returns what a target reports to, and shows that it has begun.
    pub fn reporter(&'a self, position: usize) -> OfTarget<'a> {
        self.show(|active| active.push(position));
        OfTarget { together: self, position, warnings: Mutex::new(Vec::new()) }
    }

    /// Shows that a target has ended.
    pub fn finished(&self, position: usize) {
        self.show(|active| active.retain(|active| *active != position));
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Removes the display.
    pub fn end(&self) {
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

impl OfTarget<'_> {
    /// Returns what was warned of.
    pub fn warnings(self) -> Vec<String> {
        self.warnings.into_inner().unwrap_or_default()
    }
}

impl Reporter for OfTarget<'_> {
    fn start(&self, _: Phase, _: u64) {}

    fn advance(&self, _: Phase, _: u64) {}

    fn finish(&self, _: Phase) {}

    fn warn(&self, message: &str) {
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(message.to_owned());
        }
        let said = format!("{}: {message}", self.together.names[self.position]);
        match &self.together.bar {
            Some(bar) => bar.suspend(|| self.together.printer.warning(&said)),
            None => self.together.printer.warning(&said),
        }
    }
}
