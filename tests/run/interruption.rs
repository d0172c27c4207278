//! Signals end a function with everything that it started, and leave nothing behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::leftovers::leftovers;
use crate::{project, run};

/// Returns the arguments of every process of this machine.
fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let arguments = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    arguments.map(|arguments| arguments.replace('\0', " ")).collect()
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let project = project();
    let temporary = tempfile::tempdir().unwrap();
    let with_sandbox = std::env::var_os("PATH").unwrap();
    let python = format!("python{}", crate::support::lambda::newest_python());
    let bare = tempfile::tempdir().unwrap();
    for (name, path) in [(python.as_str(), "target/test-tools/bin"), ("sleep", "/usr/bin")] {
        let found = crate::support::command::repository().join(path).join(name);
        let found = fs::canonicalize(&found).unwrap_or_else(|_| format!("/usr/bin/{name}").into());
        std::os::unix::fs::symlink(found, bare.path().join(name)).unwrap();
    }
    for (signal, status, path, watch) in [
        ("INT", 130, with_sandbox.as_os_str(), None),
        ("TERM", 143, with_sandbox.as_os_str(), None),
        ("INT", 130, bare.path().as_os_str(), None),
        ("INT", 130, with_sandbox.as_os_str(), Some("--watch")),
        ("TERM", 143, with_sandbox.as_os_str(), Some("--watch")),
    ] {
        let marker = format!("{}", 4_711_000 + status);
        project.write("app.py", crate::APPLICATION.replace("4711", &marker).as_bytes());
        let mut command = run(project.path(), &["--event", r#"{"action": "sleep"}"#]);
        let child = command
            .args(watch)
            .env("TMPDIR", temporary.path())
            .env("PATH", path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(log.any(|line| line.unwrap() == "sleeping"));
        let is_running =
            || processes().iter().any(|arguments| arguments.starts_with("sleep ") && arguments.contains(&marker));
        // The arguments of a process can be read a moment after it was started.
        let started = Instant::now();
        while !is_running() {
            assert!(started.elapsed() < Duration::from_secs(5), "the function has started no process");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!leftovers(temporary.path()).is_empty());
        let id = child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -s $0 $1", signal, &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(status));
        // That the function was killed is no error of it.
        let last: Vec<String> = log.map(Result::unwrap).collect();
        let message = format!("error: `pybundle run` was stopped by SIG{signal} before it was done");
        let expected: &[String] = if watch.is_some() { &[] } else { &[message] };
        assert_eq!(last, expected);
        let started = Instant::now();
        while is_running() {
            assert!(started.elapsed() < Duration::from_secs(5), "a process of the function is left");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(leftovers(temporary.path()), Vec::<std::path::PathBuf>::new());
    }
}
