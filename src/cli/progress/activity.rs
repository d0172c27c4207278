//! What one target is doing: its phases, how much of them is done, and what they are busy with.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{TargetName, wording};
use crate::report::{Phase, Task};

/// Shorter phases and tasks are not reported in a log.
const SHORTEST_REPORTED: Duration = Duration::from_secs(1);
/// What takes longer is reported while it runs: first after this time, then after twice as long, and so on, but at least
/// once a minute.
const FIRST_REPORT: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

/// What is running, and what every phase took so far.
#[derive(Debug)]
pub(crate) struct Activity(Mutex<ActivityState>);

#[derive(Debug)]
struct ActivityState {
    /// The phases that have started and not ended, the innermost last.
    phases: Vec<PhaseState>,
    /// The tasks that are running, the latest last.
    tasks: Vec<(Task, Instant)>,
    times: BTreeMap<Phase, Duration>,
    /// Up to when `times` counts.
    counted: Instant,
}

/// A phase that has started.
#[derive(Debug, Clone)]
pub(super) struct PhaseState {
    pub(super) phase: Phase,
    /// 0 if it is unknown.
    pub(super) total: u64,
    pub(super) done: u64,
    began: Instant,
    /// The time after which it is reported again.
    next_report: Duration,
    /// The number of its tasks that a line was printed about.
    reported_tasks: usize,
}

#[cfg(test)]
impl PhaseState {
    pub(super) fn at(phase: Phase, done: u64, total: u64) -> Self {
        Self { phase, total, done, began: Instant::now(), next_report: FIRST_REPORT, reported_tasks: 0 }
    }
}

/// What is running now.
pub(super) struct Present<'a> {
    pub(super) phase: Option<&'a PhaseState>,
    /// The tasks of one kind, the latest.
    pub(super) tasks: Vec<&'a Task>,
    /// Since when the tasks, or else the phase, are running.
    pub(super) elapsed: Duration,
}

impl Activity {
    pub(super) fn new() -> Self {
        let (phases, tasks, times) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self(Mutex::new(ActivityState { phases, tasks, times, counted: Instant::now() }))
    }

    fn state(&self) -> MutexGuard<'_, ActivityState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(&self, phase: Phase, total: u64) {
        let mut state = self.state();
        state.count();
        let (began, next_report) = (Instant::now(), FIRST_REPORT);
        state.phases.push(PhaseState { phase, total, done: 0, began, next_report, reported_tasks: 0 });
    }

    pub(super) fn advance(&self, phase: Phase, amount: u64) {
        if let Some(running) = self.state().phases.iter_mut().rfind(|running| running.phase == phase) {
            running.done = running.done.saturating_add(amount);
        }
    }

    /// Ends a phase, and returns the line about it if it was long.
    pub(super) fn finish(&self, phase: Phase) -> Option<String> {
        let ended = self.state().end(phase)?;
        let elapsed = ended.began.elapsed();
        // The line about the only task says it all.
        let is_told = ended.reported_tasks == 1 && ended.total == 1;
        (elapsed >= SHORTEST_REPORTED && !is_told).then(|| wording::ended(ended.phase, ended.done, elapsed))
    }

    pub(super) fn abandon(&self, phase: Phase) {
        self.state().end(phase);
    }

    pub(super) fn begin(&self, task: &Task, since: Instant) {
        self.state().tasks.push((task.clone(), since));
    }

    /// Ends a task, and returns the line about it if it was long.
    pub(super) fn end(&self, task: &Task, is_done: bool) -> Option<String> {
        let mut state = self.state();
        let at = state.tasks.iter().position(|(running, _)| running == task)?;
        let elapsed = state.tasks.remove(at).1.elapsed();
        let is_reported = is_done && elapsed >= SHORTEST_REPORTED;
        if is_reported && let Some(phase) = state.phases.last_mut() {
            phase.reported_tasks += 1;
        }
        is_reported.then(|| wording::task_ended(task, elapsed))
    }

    /// Returns the line about what has been running for long, if it is time for one.
    pub(super) fn overdue(&self) -> Option<String> {
        let mut state = self.state();
        let phase = state.phases.last_mut()?;
        let elapsed = phase.began.elapsed();
        if elapsed < phase.next_report {
            return None;
        }
        phase.next_report = after(phase.next_report);
        Some(wording::running(&state.present()?, elapsed))
    }

    /// Returns what is shown on a terminal of some width in characters; empty while nothing is running.
    pub(super) fn line(&self, name: &TargetName, width: usize) -> String {
        self.state().present().map(|present| wording::line(name, &present, width)).unwrap_or_default()
    }

    /// Returns what each phase took, without the phases within it.
    pub(crate) fn times(&self) -> BTreeMap<Phase, Duration> {
        self.state().times.clone()
    }
}

impl ActivityState {
    /// Counts the time since the last change for the innermost phase.
    fn count(&mut self) {
        let now = Instant::now();
        if let Some(running) = self.phases.last() {
            *self.times.entry(running.phase).or_default() += now - self.counted;
        }
        self.counted = now;
    }

    fn end(&mut self, phase: Phase) -> Option<PhaseState> {
        self.count();
        let at = self.phases.iter().rposition(|running| running.phase == phase)?;
        Some(self.phases.remove(at))
    }

    fn present(&self) -> Option<Present<'_>> {
        let phase = self.phases.last();
        let kind = self.tasks.last().map(|(task, _)| task.kind);
        let tasks = self.tasks.iter().filter(|(task, _)| Some(task.kind) == kind);
        let since = tasks.clone().map(|(_, since)| *since).min().or(phase.map(|phase| phase.began))?;
        Some(Present { phase, tasks: tasks.map(|(task, _)| task).collect(), elapsed: since.elapsed() })
    }
}

/// Returns the time of the next report of something that is running.
fn after(reported: Duration) -> Duration {
    reported + reported.min(MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::TaskKind;

    /// Returns an activity whose phases and tasks began so many seconds ago.
    fn begun(activity: Activity, seconds: u64) -> Activity {
        let ago = Duration::from_secs(seconds);
        let mut state = activity.state();
        state.phases.iter_mut().for_each(|phase| phase.began -= ago);
        state.tasks.iter_mut().for_each(|(_, since)| *since -= ago);
        drop(state);
        activity
    }

    fn running(phase: Phase, total: u64, seconds: u64) -> Activity {
        let activity = Activity::new();
        activity.start(phase, total);
        begun(activity, seconds)
    }

    #[test]
    fn only_what_was_long_and_succeeded_is_reported() {
        let short = running(Phase::Fetch, 10, 0);
        assert_eq!(short.finish(Phase::Fetch), None);
        let long = running(Phase::Fetch, 10, 2);
        long.advance(Phase::Fetch, 10);
        assert!(long.finish(Phase::Fetch).unwrap().starts_with("fetched 10 B in 2."));
        let failed = running(Phase::Fetch, 10, 2);
        failed.abandon(Phase::Fetch);
        assert_eq!(failed.finish(Phase::Fetch), None);
    }

    #[test]
    fn the_only_task_of_a_phase_stands_for_it() {
        let task = Task::new(TaskKind::Build, "core");
        for (total, expected) in [(1, None), (2, Some("built 0 wheels in 3."))] {
            let activity = Activity::new();
            activity.start(Phase::Build, total);
            activity.begin(&task, Instant::now());
            let activity = begun(activity, 3);
            assert!(activity.end(&task, true).unwrap().starts_with("built core in 3."));
            let line = activity.finish(Phase::Build);
            assert_eq!(line.is_some(), expected.is_some());
            assert!(line.is_none_or(|line| line.starts_with(expected.unwrap())));
        }
        let failed = Activity::new();
        failed.begin(&task, Instant::now());
        assert_eq!(begun(failed, 3).end(&task, false), None);
    }

    #[test]
    fn the_time_of_a_phase_is_without_the_phases_within_it() {
        let activity = Activity::new();
        activity.start(Phase::Write, 0);
        activity.start(Phase::Pull, 0);
        activity.state().counted -= Duration::from_secs(5);
        activity.finish(Phase::Pull);
        activity.state().counted -= Duration::from_secs(2);
        activity.finish(Phase::Write);
        let seconds: Vec<_> = activity.times().into_iter().map(|(phase, time)| (phase, time.as_secs())).collect();
        assert_eq!(seconds, [(Phase::Write, 2), (Phase::Pull, 5)]);
    }

    #[test]
    fn what_is_running_is_reported_at_growing_intervals() {
        let times: Vec<u64> = std::iter::successors(Some(FIRST_REPORT), |reported| Some(after(*reported)))
            .take(6)
            .map(|time| time.as_secs())
            .collect();
        assert_eq!(times, [10, 20, 40, 80, 140, 200]);
        assert_eq!(running(Phase::Audit, 0, 9).overdue(), None);
        let activity = running(Phase::Audit, 0, 10);
        assert_eq!(activity.overdue().unwrap(), "still auditing after 10 s");
        assert_eq!(activity.overdue(), None);
    }
}
