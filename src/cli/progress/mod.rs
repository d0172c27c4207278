//! Progress on standard error: on a terminal one line for each target that is being built, and elsewhere lines about what
//! takes long.

mod activity;
mod ticker;
mod wording;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use self::activity::Activity;
use self::ticker::Ticker;
use super::plain::plain;
use super::printer::{Printer, ProgressMode};
use super::text_page::shortened;
use crate::redact;
use crate::report::{Phase, Reporter, Task};

/// How often the lines of a terminal are drawn again.
const REDRAWN: Duration = Duration::from_millis(100);
/// How often it is checked whether a line about what takes long is due.
const CHECKED: Duration = Duration::from_secs(1);
/// The widest column of names, in characters.
const WIDEST_NAME: usize = 24;

/// The name of a target in the lines about it.
#[derive(Debug, Clone)]
struct TargetName {
    /// Empty if there is only one target.
    name: String,
    /// The length of the longest name of a run, in characters.
    longest: usize,
}

/// The lines of all targets of a run.
#[derive(Clone)]
pub(crate) struct ProgressDisplay {
    printer: Printer,
    /// `None` where no lines are drawn.
    bars: Option<MultiProgress>,
    /// Counts the targets that have been built, below the lines of those that are being built; `None` for one target.
    total: Option<ProgressBar>,
    names: Arc<[String]>,
}

/// Shows the progress of one target, and collects its warnings for the report.
pub(crate) struct ProgressReporter {
    display: ProgressDisplay,
    name: TargetName,
    activity: Arc<Activity>,
    bar: Option<ProgressBar>,
    _ticker: Option<Ticker>,
    warnings: Mutex<Vec<String>>,
}

impl ProgressDisplay {
    /// Returns the display for targets, or for a single build without names.
    pub(crate) fn new(printer: &Printer, names: Vec<String>) -> Self {
        let bars = (printer.progress() == ProgressMode::Bars)
            .then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        let total = bars.as_ref().filter(|_| names.len() > 1).map(|bars| {
            let bar = bars.add(ProgressBar::new(names.len() as u64));
            bar.set_style(style(|state, width| {
                let total = state.len().unwrap_or_default();
                shortened(&format!("{} of {total} targets", state.pos()), width.saturating_sub(1))
            }));
            // It would be drawn only once it changes.
            bar.tick();
            bar
        });
        Self { printer: *printer, bars, total, names: names.into() }
    }

    /// Returns the reporter of the target at a position, and shows that it has started.
    pub(crate) fn reporter(&self, position: usize) -> ProgressReporter {
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        let name = TargetName { name: self.names.get(position).cloned().unwrap_or_default(), longest };
        let activity = Arc::new(Activity::new());
        let bar = self.bars.as_ref().map(|bars| {
            let bar = match &self.total {
                Some(total) => bars.insert_before(total, ProgressBar::new_spinner()),
                None => bars.add(ProgressBar::new_spinner()),
            };
            let (shown, name) = (Arc::clone(&activity), name.clone());
            bar.set_style(style(move |_, width| shown.line(&name, width)));
            bar.enable_steady_tick(REDRAWN);
            bar
        });
        let ticker = (self.printer.progress() == ProgressMode::Lines).then(|| {
            let (display, watched, prefix) = (self.clone(), Arc::clone(&activity), name.prefix());
            Ticker::start(CHECKED, move || display.remark(&prefix, watched.overdue()))
        });
        ProgressReporter {
            display: self.clone(),
            name,
            activity,
            bar,
            _ticker: ticker,
            warnings: Mutex::new(Vec::new()),
        }
    }

    /// Counts a target that has been built.
    pub(crate) fn finished(&self) {
        if let Some(total) = &self.total {
            total.inc(1);
        }
    }

    /// Removes the lines.
    pub(crate) fn end(&self) {
        if let Some(total) = &self.total {
            total.finish_and_clear();
        }
    }

    /// Prints a line about progress, if there is one and no lines are drawn.
    fn remark(&self, prefix: &str, line: Option<String>) {
        if let Some(line) = line.filter(|_| self.printer.progress() == ProgressMode::Lines) {
            self.printer.remark(&format!("{prefix}{line}"));
        }
    }

    /// Prints something above the lines.
    fn above(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

impl ProgressReporter {
    /// Returns the reporter of a command that is about one artifact.
    pub(crate) fn new(printer: &Printer) -> Self {
        ProgressDisplay::new(printer, Vec::new()).reporter(0)
    }

    /// Returns what was warned of, and what every phase took.
    pub(crate) fn into_warnings(mut self) -> Vec<String> {
        std::mem::take(self.warnings.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Returns what every phase took, in the order of the phases, for people.
    pub(crate) fn times(&self) -> String {
        let times = self.activity.times();
        let times = times.iter().map(|(phase, time)| format!("{} {:.2} s", wording::name(*phase), time.as_secs_f64()));
        times.collect::<Vec<_>>().join(", ")
    }
}

impl Drop for ProgressReporter {
    fn drop(&mut self) {
        if let (Some(bar), Some(bars)) = (&self.bar, &self.display.bars) {
            bar.finish_and_clear();
            bars.remove(bar);
        }
    }
}

impl Reporter for ProgressReporter {
    fn start(&self, phase: Phase, total: u64) {
        self.activity.start(phase, total);
    }

    fn advance(&self, phase: Phase, amount: u64) {
        self.activity.advance(phase, amount);
    }

    fn finish(&self, phase: Phase) {
        self.display.remark(&self.name.prefix(), self.activity.finish(phase));
    }

    fn abandon(&self, phase: Phase) {
        self.activity.abandon(phase);
    }

    fn begin(&self, task: &Task, since: Instant) {
        self.activity.begin(&shown(task), since);
    }

    fn end(&self, task: &Task, is_done: bool) {
        self.display.remark(&self.name.prefix(), self.activity.end(&shown(task), is_done));
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
        let printer = self.display.printer;
        self.display.above(|| printer.warning(&self.name.prefix(), &message));
    }

    fn note(&self, message: &str) {
        self.display.above(|| self.display.printer.note(&self.name.prefix(), message));
    }
}

impl TargetName {
    /// Returns what a message about the target begins with.
    fn prefix(&self) -> String {
        if self.name.is_empty() { String::new() } else { format!("{}: ", self.name) }
    }

    /// Returns the name in a column that is as wide as the longest name needs, and at most `width`; `None` if there is no name.
    fn column(&self, width: usize) -> Option<String> {
        let width = self.longest.min(width).min(WIDEST_NAME);
        (!self.name.is_empty()).then(|| format!("{:<width$}", shortened(&self.name, width)))
    }
}

/// Returns a task as it is shown: locks and addresses of others have their names in them.
fn shown(Task { kind, name }: &Task) -> Task {
    Task { kind: *kind, name: plain(&redact::text(name)) }
}

/// Returns the style of a line that a function writes for the width of the terminal.
fn style(line: impl Fn(&ProgressState, usize) -> String + Clone + Send + Sync + 'static) -> ProgressStyle {
    let style = ProgressStyle::with_template("{line}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.with_key("line", move |state: &ProgressState, output: &mut dyn std::fmt::Write| {
        // It is written to a string.
        let _ = output.write_str(&line(state, Printer::error_width()));
    })
}
