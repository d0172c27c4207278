//! Lines about the progress of steps, where no bars are shown: at the end of a step that took longer than a second, and
//! during one that takes longer than ten seconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::printer::{Printer, ProgressMode, count, size};
use crate::report::Phase;

/// Shorter steps are not reported.
const SHORTEST_REPORTED: Duration = Duration::from_secs(1);
/// A longer step is reported while it runs: first after this time, then after twice as long, and so on, but at least once a
/// minute.
const FIRST_REPORT: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

/// Reports the steps of one build, one after another.
pub(crate) struct StepReporter {
    printer: Printer,
    /// The name of the target and a colon, or nothing.
    label: String,
    current: Mutex<Option<(Phase, RunningStep)>>,
}

impl StepReporter {
    pub(crate) fn new(printer: Printer, label: &str) -> Self {
        let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
        Self { printer, label, current: Mutex::new(None) }
    }

    pub(crate) fn start(&self, phase: Phase, total: u64) {
        if self.printer.progress() != ProgressMode::Lines {
            return;
        }
        let amount = Arc::new(StepAmount { phase, total, done: AtomicU64::new(0) });
        let (counted, printer, label) = (Arc::clone(&amount), self.printer, self.label.clone());
        let ticker =
            Ticker::start(FIRST_REPORT, move |elapsed| printer.remark(&format!("{label}{}", counted.running(elapsed))));
        if let Ok(mut current) = self.current.lock() {
            *current = Some((phase, RunningStep { amount, began: Instant::now(), ticker }));
        }
    }

    pub(crate) fn advance(&self, phase: Phase, amount: u64) {
        if let Ok(current) = self.current.lock()
            && let Some((_, step)) = current.as_ref().filter(|(current, _)| *current == phase)
        {
            step.amount.done.fetch_add(amount, Ordering::Relaxed);
        }
    }

    pub(crate) fn finish(&self, phase: Phase) {
        let ended = self.current.lock().ok().and_then(|mut current| current.take_if(|(current, _)| *current == phase));
        if let Some((_, RunningStep { amount, began, ticker })) = ended {
            // No line may follow that of the end.
            drop(ticker);
            if let Some(line) = amount.ended(began.elapsed()) {
                self.printer.remark(&format!("{}{line}", self.label));
            }
        }
    }
}

/// A step that is running. One that is dropped before its end has failed, which is reported as an error.
struct RunningStep {
    amount: Arc<StepAmount>,
    began: Instant,
    ticker: Ticker,
}

/// How much of a step is done.
struct StepAmount {
    phase: Phase,
    /// 0 if it is unknown.
    total: u64,
    done: AtomicU64,
}

impl StepAmount {
    /// Returns the line for the end of a step, unless it was short.
    fn ended(&self, elapsed: Duration) -> Option<String> {
        let verb = match self.phase {
            Phase::Fetch => "fetched",
            Phase::Build => "built",
            Phase::Layers => "made",
            Phase::Write => "wrote",
            Phase::Push => "pushed",
            Phase::Pull => "pulled",
        };
        let done = self.amount(self.done.load(Ordering::Relaxed));
        (elapsed >= SHORTEST_REPORTED).then(|| format!("{verb} {done} in {:.1} s", elapsed.as_secs_f64()))
    }

    /// Returns the line for a step that is running.
    fn running(&self, elapsed: Duration) -> String {
        let verb = match self.phase {
            Phase::Fetch => "fetching",
            Phase::Build => "building",
            Phase::Layers => "making layers",
            Phase::Write => "writing",
            Phase::Push => "pushing",
            Phase::Pull => "pulling",
        };
        let done = self.done.load(Ordering::Relaxed);
        // More than the total may be done: headers of archives are not part of it.
        let done = match self.total {
            total if total < done || total == 0 => self.amount(done),
            total => format!("{} of {}", self.plain(done), self.amount(total)),
        };
        format!("still {verb} after {} s: {done}", elapsed.as_secs())
    }

    /// Returns an amount of what the phase counts.
    fn amount(&self, number: u64) -> String {
        match self.phase {
            Phase::Build => count(number, "project"),
            Phase::Layers => count(number, "layer"),
            Phase::Fetch | Phase::Write | Phase::Push | Phase::Pull => size(number),
        }
    }

    /// Returns an amount without the noun.
    fn plain(&self, number: u64) -> String {
        match self.phase {
            Phase::Build | Phase::Layers => number.to_string(),
            Phase::Fetch | Phase::Write | Phase::Push | Phase::Pull => size(number),
        }
    }
}

/// Calls a function periodically in a thread, until it is dropped.
struct Ticker {
    /// Dropping it stops the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(first: Duration, mut act: impl FnMut(Duration) + Send + 'static) -> Self {
        let (stop, stopped) = mpsc::channel();
        let began = Instant::now();
        let thread = thread::spawn(move || {
            let mut next = first;
            while stopped.recv_timeout(next.saturating_sub(began.elapsed())) == Err(RecvTimeoutError::Timeout) {
                act(began.elapsed());
                next = after(next);
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // The thread only prints: if that panicked, there is nothing to report.
            let _ = thread.join();
        }
    }
}

/// Returns the time of the next report of a step.
fn after(reported: Duration) -> Duration {
    reported + reported.min(MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(phase: Phase, done: u64, total: u64) -> StepAmount {
        StepAmount { phase, total, done: AtomicU64::new(done) }
    }

    #[test]
    fn a_long_step_is_reported_at_its_end() {
        let seconds = Duration::from_secs_f64;
        let fetch = amount(Phase::Fetch, 35_756_442, 0);
        assert_eq!(fetch.ended(seconds(0.999)), None);
        assert_eq!(fetch.ended(seconds(2.34)).unwrap(), "fetched 34.1 MiB in 2.3 s");
        assert_eq!(amount(Phase::Build, 1, 1).ended(seconds(61.0)).unwrap(), "built 1 project in 61.0 s");
    }

    #[test]
    fn a_running_step_reports_its_progress() {
        let seconds = Duration::from_secs;
        for (phase, done, total, expected) in [
            (Phase::Fetch, 1024, 2048, "still fetching after 20 s: 1.0 KiB of 2.0 KiB"),
            (Phase::Pull, 1024, 0, "still pulling after 20 s: 1.0 KiB"),
            (Phase::Write, 1025, 1024, "still writing after 20 s: 1.0 KiB"),
            (Phase::Build, 0, 3, "still building after 20 s: 0 of 3 projects"),
        ] {
            assert_eq!(amount(phase, done, total).running(seconds(20)), expected);
        }
    }

    #[test]
    fn a_step_is_never_silent_for_longer_than_a_minute() {
        let times: Vec<u64> = std::iter::successors(Some(FIRST_REPORT), |reported| Some(after(*reported)))
            .take(6)
            .map(|time| time.as_secs())
            .collect();
        assert_eq!(times, [10, 20, 40, 80, 140, 200]);
    }

    #[test]
    fn a_ticker_ticks_until_it_is_dropped() {
        let (tick, ticked) = mpsc::channel();
        let ticker = Ticker::start(Duration::from_millis(1), move |elapsed| {
            let _ = tick.send(elapsed);
        });
        let times: Vec<Duration> = ticked.iter().take(3).collect();
        assert!(times[0] >= Duration::from_millis(1) && times.is_sorted());
        drop(ticker);
        // Its thread is gone, and the sender with it: what was sent comes to an end.
        ticked.iter().for_each(drop);
        assert!(ticked.recv().is_err());
    }

    #[test]
    fn a_dropped_ticker_does_not_wait() {
        let began = Instant::now();
        drop(Ticker::start(Duration::from_secs(3600), |_| unreachable!("it is dropped long before")));
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
