//! Recordings of a terminal, and of a pipe, while three targets are built with an empty cache.

use std::fs;
use std::thread;
use std::time::Duration;

use pybundle::digest::Sha256;

use crate::colors::on_terminal_of;
use crate::http::{Answer, Server};
use crate::screen::Screen;
use crate::studio::{run, studio};
use crate::support::wheel;

/// Builds for longer than a second.
const BACKEND: &str = r#"
import pathlib, time, zipfile

def build_wheel(directory, settings=None, metadata=None):
    time.sleep(2.5)
    name = "worker-1.0-py3-none-any.whl"
    info = "worker-1.0.dist-info"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.writestr("worker.py", "def handler(event, context): return event\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: worker\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "worker.py,,\n" + "".join(f"{info}/{n},,\n" for n in ("METADATA", "WHEEL", "RECORD")))
    return name
"#;

const PYPROJECT: &str = r#"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "worker"
version = "1.0"
requires-python = "==3.12.*"

[tool.pybundle]
frozen = true
lock = "pylock.toml"
no-audit = true

[tool.pybundle.target.api]
kind = "lambda"
no-install-project = true

[tool.pybundle.target.web]
kind = "image"
base = "oci:../base"
no-install-project = true

[tool.pybundle.target.background-worker]
kind = "lambda"
"#;

/// Creates a project with three targets, whose only wheel takes more than two seconds to download; returns the arguments that
/// build it with an empty cache.
fn three_targets(server: &Server, name: &str) -> [String; 4] {
    let directory = studio().path(name);
    fs::create_dir_all(&directory).unwrap();
    let wheel = wheel("slow", "1.0");
    let path = format!("/{name}/slow-1.0-py3-none-any.whl");
    server.answer(&path, [Answer::file(&wheel).paced(wheel.len() / 24, Duration::from_millis(100))]);
    let (url, size, sha256) = (server.url(&path), wheel.len(), Sha256::of(&wheel).hex());
    let lock = format!(
        "lock-version = \"1.0\"\ncreated-by = \"by hand\"\n[[packages]]\nname = \"slow\"\nversion = \"1.0\"\n\
         wheels = [{{ url = \"{url}\", size = {size}, hashes = {{ sha256 = \"{sha256}\" }} }}]\n"
    );
    fs::write(directory.join("pylock.toml"), lock).unwrap();
    fs::write(directory.join("pyproject.toml"), PYPROJECT).unwrap();
    fs::write(directory.join("backend.py"), BACKEND).unwrap();
    ["build", "--project", name, &format!("--cache-dir={name}/cache")].map(str::to_owned)
}

#[test]
fn a_terminal_shows_what_each_target_is_doing_at_every_width() {
    let server = Server::start();
    thread::scope(|scope| {
        for columns in [40, 80, 200] {
            let arguments = three_targets(&server, &format!("recording-{columns}"));
            scope.spawn(move || {
                let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let seen = on_terminal_of("both", columns, &words, &[]);
                assert_eq!(seen.status, 0, "{}", seen.err);
                let screen = Screen::of(&seen.err, columns);
                let pictures = screen.pictures.join("\n----\n");
                assert!(screen.wrapped.is_empty(), "{columns}: {:?}\n{pictures}", screen.wrapped);
                let of_target = |name: &str, doing: &str| {
                    let is_shown = screen.has_row(|row| row.starts_with(name) && row.contains(doing));
                    assert!(is_shown, "{columns}: no picture shows {name} {doing}\n{pictures}");
                };
                // One of the first two downloads, and the other waits for it.
                let is_fetching = |row: &str| {
                    row.contains("  fetching  ") && row.contains(" B of ") && row.contains('[') == (columns > 40)
                };
                assert!(screen.has_row(is_fetching), "{columns}\n{pictures}");
                assert!(screen.has_row(|row| row.contains("  waiting for slow-1.0")), "{columns}\n{pictures}");
                of_target("backgr", "building worker");
                for total in ["0 of 3 targets", "1 of 3 targets", "2 of 3 targets"] {
                    assert!(screen.has_row(|row| row == total), "{columns}: {total}\n{pictures}");
                }
                // The lines are gone when it is done, and no row of the summary is wrapped.
                assert_eq!(screen.last(), "", "{columns}\n{pictures}");
                let summary = Screen::of(&seen.out, columns);
                assert!(summary.wrapped.is_empty(), "{columns}: {:?}", summary.wrapped);
                assert!(summary.last().contains("3 targets: 3 built"), "{}", seen.out);
            });
        }
    });
}

#[test]
fn a_log_has_a_line_for_each_step_over_a_second() {
    let server = Server::start();
    let arguments = three_targets(&server, "recording-log");
    let ran = run(studio().pybundle(&[]).args(&arguments).arg("--verbose"));
    assert_eq!(ran.status, 0, "{}", ran.err);
    let lines: Vec<&str> = ran.err.lines().collect();
    let has = |beginnings: &[String], rest: &str| {
        lines.iter().any(|line| beginnings.iter().any(|beginning| line.starts_with(beginning)) && line.contains(rest))
    };
    let first = ["api: ", "background-worker: "];
    assert!(has(&first.map(|name| format!("{name}fetched ")), " B in "), "{}", ran.err);
    let waited = "slow-1.0-py3-none-any.whl, which is being fetched";
    assert!(has(&first.map(|name| format!("{name}waited ")), &format!(" s for {waited}")), "{}", ran.err);
    assert!(has(&["background-worker: built worker in ".to_owned()], " s"), "{}", ran.err);
    assert!(!ran.err.contains(['\r', '\x1b']) && !ran.err.contains("fetched 0 B"), "{}", ran.err);
    // -v has the time of each phase of each target.
    for (target, phases) in
        [("api", &["select ", "fetch ", "write "][..]), ("background-worker", &["select ", "build ", "write "])]
    {
        let line = ran
            .out
            .lines()
            .find(|line| line.starts_with(&format!("{target}: ")))
            .unwrap_or_else(|| panic!("{}", ran.out));
        assert!(phases.iter().all(|phase| line.contains(phase)), "{line}");
    }
}

/// A download that fails has fetched nothing.
#[test]
fn a_failed_step_is_not_reported_as_done() {
    let server = Server::start();
    let arguments = three_targets(&server, "recording-failed");
    let path = "/recording-failed/slow-1.0-py3-none-any.whl";
    server.answer(path, [Answer::status(404).delayed(Duration::from_millis(1500))]);
    let ran = run(studio().pybundle(&[]).args(&arguments).arg("api"));
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(ran.err.contains("error: api: ") && !ran.err.contains("fetched"), "{}", ran.err);
}
