//! What goes on: bars on a terminal, elsewhere a line for what took long, and neither for those who want silence.

use std::fs;
use std::thread;
use std::time::Duration;

use pybundle::digest::Sha256;

use crate::colors::on_terminal;
use crate::http::{Answer, Server};
use crate::studio::{Run, run, studio};
use crate::support::wheel;

/// The arguments of a build whose wheel takes a second and a bit to come, on a cache of its own.
fn slow(server: &Server, name: &str) -> Vec<String> {
    let folder = studio().path(name);
    fs::create_dir_all(&folder).unwrap();
    let wheel = wheel("slow", "1.0");
    let path = format!("/{name}/slow-1.0-py3-none-any.whl");
    server.answer(&path, [Answer::file(&wheel).paced(wheel.len() / 12, Duration::from_millis(100))]);
    let lock = format!(
        "lock-version = \"1.0\"\ncreated-by = \"by hand\"\n[[packages]]\nname = \"slow\"\nversion = \"1.0\"\n\
         wheels = [{{ url = \"{}\", size = {}, hashes = {{ sha256 = \"{}\" }} }}]\n",
        server.url(&path),
        wheel.len(),
        Sha256::of(&wheel).hex()
    );
    fs::write(folder.join("pylock.toml"), lock).unwrap();
    fs::write(folder.join("app.py"), "import slow\n").unwrap();
    let folder = folder.to_str().unwrap();
    let arguments = ["lambda", folder, "--include=app.py", "--no-audit"].map(str::to_owned).into_iter();
    arguments.chain([format!("--cache-dir={folder}/cache"), format!("--output={folder}/app.zip")]).collect()
}

#[test]
fn a_step_that_takes_long_is_told_of_where_it_should_be() {
    let server = Server::start();
    let run_slow = |name: &str, words: &[&str]| {
        let arguments = slow(&server, name);
        let all: Vec<&str> = arguments.iter().map(String::as_str).chain(words.iter().copied()).collect();
        let ran = run(&mut studio().pybundle(&all));
        assert_eq!(ran.status, 0, "{words:?}: {}", ran.err);
        ran
    };
    thread::scope(|scope| {
        let run = |name: &'static str, words: &'static [&'static str]| scope.spawn(move || run_slow(name, words));
        let told = [run("text", &[]), run("json", &["--json"]), run("github", &["--output-format=github"])];
        let silent = [run("quiet", &["--quiet"]), run("no-progress", &["--no-progress"])];
        let arguments = slow(&server, "terminal");
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let seen = on_terminal("err", &words, &[]);
        assert!(seen.err.contains("fetching ["), "{}", seen.err);
        assert!(!seen.err.contains("fetched") && !seen.out.contains("fetch"), "{} {}", seen.err, seen.out);

        for Run { err, out, .. } in told.map(|run| run.join().unwrap()) {
            // One line, of a size and a time, and no bar.
            let seconds = err.strip_prefix("fetched ").and_then(|rest| rest.strip_suffix(" s\n")?.split_once(" B in "));
            let (_, seconds) = seconds.unwrap_or_else(|| panic!("{err}"));
            assert!(seconds.parse::<f64>().unwrap() >= 1.0, "{err}");
            assert!(!out.contains("fetched"), "{out}");
        }
        for Run { err, .. } in silent.map(|run| run.join().unwrap()) {
            assert_eq!(err, "");
        }
    });
}

#[test]
fn a_step_that_is_short_is_not_told_of() {
    for which in ["none", "out"] {
        let seen = on_terminal(which, &["lambda", "project", "--output=short/app.zip"], &[]);
        assert_eq!((seen.status, seen.err.as_str()), (0, ""));
    }
}
