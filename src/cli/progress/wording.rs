//! The lines about what is running, and about what has ended.

use std::time::Duration;

use super::TargetName;
use super::activity::{PhaseState, Present};
use crate::cli::text_page::count;
use crate::report::{Phase, Task, TaskKind};
use crate::settings::binary_size;

/// The widest and the narrowest bar, in characters, with its brackets.
const WIDEST_BAR: usize = 32;
const NARROWEST_BAR: usize = 10;
/// What is between the parts of a line.
const GAP: &str = "  ";

/// Returns what a phase is doing.
fn present(phase: Phase) -> &'static str {
    match phase {
        Phase::Select => "selecting",
        Phase::Lock => "locking",
        Phase::Fetch => "fetching",
        Phase::Build => "building",
        Phase::Install => "installing",
        Phase::Bytecode => "compiling",
        Phase::Audit => "auditing",
        Phase::Layers => "building layers",
        Phase::Write => "writing",
        Phase::Push => "pushing",
        Phase::Pull => "pulling",
    }
}

/// Returns the verb that names a phase.
pub(crate) fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Select => "select",
        Phase::Lock => "lock",
        Phase::Fetch => "fetch",
        Phase::Build => "build",
        Phase::Install => "install",
        Phase::Bytecode => "compile",
        Phase::Audit => "audit",
        Phase::Layers => "layers",
        Phase::Write => "write",
        Phase::Push => "push",
        Phase::Pull => "pull",
    }
}

/// Returns an amount of what a phase counts; `None` if it counts nothing.
fn amount(phase: Phase, number: u64) -> Option<String> {
    match phase {
        Phase::Select | Phase::Lock | Phase::Audit => None,
        Phase::Fetch | Phase::Write | Phase::Push | Phase::Pull => Some(binary_size(number)),
        Phase::Build => Some(count(number, "wheel")),
        Phase::Install | Phase::Bytecode => Some(count(number, "distribution")),
        Phase::Layers => Some(count(number, "layer")),
    }
}

/// Returns how much of a phase is done, if that is known.
fn progress(PhaseState { phase, total, done, .. }: &PhaseState) -> Option<String> {
    // More than the total may be done: headers of archives are not part of it.
    if *total == 0 || total < done {
        return amount(*phase, *done).filter(|_| *done > 0);
    }
    let plain = match phase {
        Phase::Fetch | Phase::Write | Phase::Push | Phase::Pull => binary_size(*done),
        _ => done.to_string(),
    };
    Some(format!("{plain} of {}", amount(*phase, *total)?))
}

/// Returns the line about a phase that has ended.
pub(super) fn ended(phase: Phase, done: u64, elapsed: Duration) -> String {
    let counted = amount(phase, done).unwrap_or_default();
    let what = match phase {
        Phase::Select => "selected the distributions".to_owned(),
        Phase::Lock => "locked the system packages".to_owned(),
        Phase::Audit => "audited the artifact".to_owned(),
        Phase::Fetch => format!("fetched {counted}"),
        Phase::Build | Phase::Layers => format!("built {counted}"),
        Phase::Install => format!("installed {counted}"),
        Phase::Bytecode => format!("compiled {counted}"),
        Phase::Write => format!("wrote {counted}"),
        Phase::Push => format!("pushed {counted}"),
        Phase::Pull => format!("pulled {counted}"),
    };
    format!("{what} in {}", seconds(elapsed))
}

/// Returns the line about a task that has ended.
pub(super) fn task_ended(Task { kind, name }: &Task, elapsed: Duration) -> String {
    let elapsed = seconds(elapsed);
    match kind {
        TaskKind::Build => format!("built {name} in {elapsed}"),
        TaskKind::Run => format!("ran {name} in {elapsed}"),
        TaskKind::Fetch => format!("fetched {name} in {elapsed}"),
        TaskKind::Wait => format!("waited {elapsed} for {name}"),
    }
}

/// Returns the line about what has been running for a time.
pub(super) fn running(present: &Present, elapsed: Duration) -> String {
    let line = format!("still {} after {} s", doing(present), elapsed.as_secs());
    match present.phase.and_then(progress) {
        Some(progress) => format!("{line}: {progress}"),
        None => line,
    }
}

/// Returns the line that a terminal shows, which is shorter than its width. What matters least is omitted where it is
/// narrow: first the bar, then the time, then the amount, and then the ends of names.
pub(super) fn line(name: &TargetName, present: &Present, width: usize) -> String {
    let room = width.saturating_sub(1);
    let doing = doing(present);
    let amount = present.phase.and_then(progress);
    let elapsed = (present.elapsed >= Duration::from_secs(1)).then(|| format!("{} s", present.elapsed.as_secs()));
    let name: Vec<String> = name.column(width / 3).into_iter().collect();
    let doing = beginning(&doing, room.saturating_sub(length(&name) + if name.is_empty() { 0 } else { GAP.len() }));
    let mut parts: Vec<String> = name.into_iter().chain([doing]).collect();
    let used = length(&parts);
    let (amount, elapsed) = match (amount, elapsed) {
        (Some(amount), Some(elapsed)) if used + 2 * GAP.len() + characters(&amount) + characters(&elapsed) <= room => {
            (Some(amount), Some(elapsed))
        }
        (Some(amount), _) if used + GAP.len() + characters(&amount) <= room => (Some(amount), None),
        (None, Some(elapsed)) if used + GAP.len() + characters(&elapsed) <= room => (None, Some(elapsed)),
        _ => (None, None),
    };
    let rest: Vec<String> = amount.into_iter().chain(elapsed).collect();
    let taken = used + if rest.is_empty() { 0 } else { GAP.len() + length(&rest) };
    parts.extend(present.phase.and_then(|phase| bar(phase, room.saturating_sub(taken + GAP.len()))));
    parts.extend(rest);
    parts.join(GAP)
}

/// Cuts off the end of a text that is longer than a width in characters.
fn beginning(text: &str, width: usize) -> String {
    if characters(text) <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).take(width).collect()
}

/// Returns what is being done, and to what.
fn doing(Present { phase, tasks, .. }: &Present) -> String {
    let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    let verb = match tasks.first().map(|task| task.kind) {
        Some(TaskKind::Build) => "building",
        Some(TaskKind::Run) => "running",
        Some(TaskKind::Fetch) => "fetching",
        Some(TaskKind::Wait) => "waiting for",
        None => return phase.map(|phase| self::present(phase.phase)).unwrap_or_default().to_owned(),
    };
    format!("{verb} {}", names.join(", "))
}

/// Returns a bar of a phase that knows how much there is to do, if there is room for it.
fn bar(PhaseState { total, done, .. }: &PhaseState, room: usize) -> Option<String> {
    let width = room.min(WIDEST_BAR);
    if *total == 0 || width < NARROWEST_BAR {
        return None;
    }
    let inner = width - 2;
    let filled = (inner as f64 * (*done as f64 / *total as f64).min(1.0)) as usize;
    let (filled, head) = if filled < inner { (filled, ">") } else { (inner, "") };
    Some(format!("[{}{head}{}]", "=".repeat(filled), " ".repeat(inner - filled - head.len())))
}

/// Returns the width of parts in one line.
fn length(parts: &[String]) -> usize {
    parts.iter().map(|part| characters(part)).sum::<usize>() + GAP.len() * parts.len().saturating_sub(1)
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(phase: Phase, done: u64, total: u64) -> PhaseState {
        PhaseState::at(phase, done, total)
    }

    fn of_phase(phase: &PhaseState) -> Present<'_> {
        Present { phase: Some(phase), tasks: Vec::new(), elapsed: Duration::from_secs(12) }
    }

    #[test]
    fn an_end_says_how_much_was_done() {
        let elapsed = Duration::from_secs_f64(2.34);
        for (phase, done, expected) in [
            (Phase::Fetch, 35_756_442, "fetched 34.1 MiB in 2.3 s"),
            (Phase::Build, 1, "built 1 wheel in 2.3 s"),
            (Phase::Layers, 2, "built 2 layers in 2.3 s"),
            (Phase::Bytecode, 2, "compiled 2 distributions in 2.3 s"),
            (Phase::Select, 0, "selected the distributions in 2.3 s"),
            (Phase::Lock, 0, "locked the system packages in 2.3 s"),
            (Phase::Audit, 0, "audited the artifact in 2.3 s"),
        ] {
            assert_eq!(ended(phase, done, elapsed), expected);
        }
        for (kind, expected) in [
            (TaskKind::Build, "built core in 2.3 s"),
            (TaskKind::Run, "ran core in 2.3 s"),
            (TaskKind::Fetch, "fetched core in 2.3 s"),
            (TaskKind::Wait, "waited 2.3 s for core"),
        ] {
            assert_eq!(task_ended(&Task::new(kind, "core"), elapsed), expected);
        }
    }

    #[test]
    fn what_is_running_says_how_much_is_done() {
        for (at, done, total, expected) in [
            (Phase::Fetch, 1024, 2048, "still fetching after 20 s: 1.0 KiB of 2.0 KiB"),
            (Phase::Pull, 1024, 0, "still pulling after 20 s: 1.0 KiB"),
            (Phase::Fetch, 0, 0, "still fetching after 20 s"),
            (Phase::Write, 1025, 1024, "still writing after 20 s: 1.0 KiB"),
            (Phase::Build, 0, 3, "still building after 20 s: 0 of 3 wheels"),
            (Phase::Audit, 0, 0, "still auditing after 20 s"),
        ] {
            assert_eq!(running(&of_phase(&phase(at, done, total)), Duration::from_secs(20)), expected);
        }
    }

    #[test]
    fn a_line_has_what_there_is_room_for() {
        let name = TargetName { name: "api".to_owned(), longest: 6 };
        let fetch = phase(Phase::Fetch, 1 << 20, 2 << 20);
        let present = of_phase(&fetch);
        for (width, expected) in [
            (100, "api     fetching  [===============>              ]  1.0 MiB of 2.0 MiB  12 s"),
            (60, "api     fetching  [======>      ]  1.0 MiB of 2.0 MiB  12 s"),
            (45, "api     fetching  1.0 MiB of 2.0 MiB  12 s"),
            (40, "api     fetching  1.0 MiB of 2.0 MiB"),
            (30, "api     fetching  [====>    ]"),
            (26, "api     fetching"),
            (16, "api    fetching"),
            (15, "api    fetchi…"),
        ] {
            let line = line(&name, &present, width);
            assert!(line.chars().count() < width, "{width}: {line}");
            assert_eq!(line, expected, "{width}");
        }
    }

    #[test]
    fn a_line_names_the_tasks() {
        let name = TargetName { name: String::new(), longest: 0 };
        let (build, core, wait) = (
            phase(Phase::Build, 1, 3),
            Task::new(TaskKind::Build, "core"),
            Task::new(TaskKind::Wait, "six-1.17.0-py2.py3-none-any.whl, which is being fetched"),
        );
        let present = |task| Present { phase: Some(&build), tasks: vec![task], elapsed: Duration::ZERO };
        assert_eq!(line(&name, &present(&core), 60), "building core  [=========>                 ]  1 of 3 wheels");
        assert_eq!(line(&name, &present(&wait), 40), "waiting for six-1.17.0-py2.py3-none-an…");
    }
}
