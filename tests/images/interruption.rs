//! A build that is killed at any moment leaves complete outputs, old or new, and does not affect later builds.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::built;
use crate::projects;
use crate::support::artifact::sha256;
use crate::support::command::succeed;
use crate::support::leftovers::leftovers;
use crate::workshop::Workshop;

const OUTPUTS: [&str; 3] =
    ["--output=oci:out/layout", "--output=oci-archive:out/oci.tar", "--output=docker-archive:out/docker.tar"];

/// How many moments are tried.
const MOMENTS: u32 = 40;

/// Returns what the three outputs are; fails if one of them is not whole.
fn state(directory: &Path) -> [String; 3] {
    let digest = |name: &str| sha256(&fs::read(directory.join(name)).unwrap());
    [built::image(&directory.join("layout")).digest, digest("oci.tar"), digest("docker.tar")]
}

#[test]
fn a_kill_leaves_the_old_outputs_or_the_new_ones() {
    let workshop = Workshop::empty();
    projects::write(&workshop, &[("bulky", "1.0", 3 << 20), ("alpha", "1.0", 100_000), ("beta", "1.0", 1000)]);
    let (out, cache) = (workshop.path("out"), workshop.path("cache"));
    let build = |version: u32| {
        workshop.write("app.py", format!("print({version})\n"));
        let mut command = workshop.command(&OUTPUTS);
        command.arg("--quiet");
        command
    };
    let mut expected: Vec<[String; 3]> = Vec::new();
    let mut longest = Duration::ZERO;
    for version in [0, 1] {
        // With nothing in the cache, as in half of the moments.
        let _ = fs::remove_dir_all(&cache);
        let started = Instant::now();
        succeed(&mut build(version));
        longest = longest.max(started.elapsed());
        expected.push(state(&out));
    }
    let mut seen = BTreeSet::new();
    for moment in 0..MOMENTS {
        if moment % 2 == 0 {
            let _ = fs::remove_dir_all(&cache);
        }
        // The other version than the one that was whole last.
        let version = u32::from(state(&out)[0] == expected[0][0]);
        let mut child = build(version).spawn().unwrap();
        std::thread::sleep(longest * moment / MOMENTS);
        child.kill().unwrap();
        child.wait().unwrap();
        for (position, found) in state(&out).iter().enumerate() {
            let which = expected.iter().position(|expected| expected[position] == *found);
            assert!(which.is_some(), "after {moment}: {} is neither the old one nor the new one", OUTPUTS[position]);
            seen.insert((position, which == Some(version as usize)));
        }
        // What is in the cache is whole, too.
        if moment % 8 == 7 {
            succeed(&mut build(version));
            assert_eq!(state(&out), expected[version as usize]);
        }
    }
    assert!(seen.contains(&(0, false)), "no kill came in time");
    succeed(&mut build(0));
    assert_eq!(state(&out), expected[0]);
}

/// Returns a command that sends a signal: the shell's own `kill`, since the program is not part of every system.
fn kill(signal: &str, process: u32) -> Command {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$0\" \"$1\"", signal, &process.to_string()]);
    kill
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let workshop = Workshop::empty();
    projects::write(&workshop, &[("bulky", "1.0", 12 << 20)]);
    let command = workshop.command(&OUTPUTS[..1]);
    // As `nohup` starts it.
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    ignoring.current_dir(command.get_current_dir().unwrap());
    ignoring.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = ignoring.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    succeed(&mut kill("HUP", child.id()));
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_signal_leaves_nothing_behind_and_a_kill_nothing_for_long() {
    let workshop = Workshop::empty();
    projects::write(&workshop, &[("bulky", "1.0", 12 << 20), ("alpha", "1.0", 100_000)]);
    let temporary = workshop.path("temporary");
    fs::create_dir(&temporary).unwrap();
    let build = |signal: Option<(&str, u32)>| {
        let _ = fs::remove_dir_all(workshop.path("cache"));
        let mut command = workshop.command(&OUTPUTS);
        let child = command.env("TMPDIR", &temporary).stderr(Stdio::piped()).spawn().unwrap();
        if let Some((name, delay)) = signal {
            std::thread::sleep(Duration::from_millis(delay.into()));
            succeed(&mut kill(name, child.id()));
        }
        let output = child.wait_with_output().unwrap();
        (output.status, String::from_utf8(output.stderr).unwrap())
    };
    let mut stopped = 0;
    for (name, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        for delay in [60, 120, 200, 300, 450] {
            let (ended, said) = build(Some((name, delay)));
            // On a busy machine, the signal may come before the program has begun.
            let has_not_begun = ended.signal() == Some(status - 128) && said.is_empty();
            let is_expected = ended.success() || ended.code() == Some(status) || has_not_begun;
            assert!(is_expected, "{name} after {delay} ms: {ended}: {said}");
            if ended.code() == Some(status) {
                stopped += 1;
                let expected = format!("error: `pybundle image` was stopped by SIG{name} before it was done\n");
                assert!(said.ends_with(&expected), "{said}");
            }
            assert_eq!(leftovers(workshop.path("").as_path()), Vec::<PathBuf>::new(), "{name} after {delay} ms");
        }
    }
    assert!(stopped > 3, "{stopped} signals came in time");

    let left = (1..60).find_map(|delay| {
        build(Some(("KILL", 10 * delay)));
        Some(leftovers(workshop.path("").as_path())).filter(|left| !left.is_empty())
    });
    assert!(left.is_some(), "no kill left anything");
    let (ended, said) = build(None);
    assert!(ended.success(), "{said}");
    assert_eq!(leftovers(workshop.path("").as_path()), Vec::<PathBuf>::new());
}
