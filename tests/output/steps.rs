//! Progress: bars on a terminal, elsewhere a line for a long step, and neither with --quiet or --no-progress.

use std::fs;
use std::thread;
use std::time::Duration;

use pybundle::digest::Sha256;

use crate::colors::on_terminal;
use crate::http::{Answer, Server};
use crate::studio::{Run, run, studio};
use crate::support::wheel;

/// Creates a project whose only wheel takes more than a second to download; returns the command that builds it, or its
/// target, with an empty cache.
fn slow(server: &Server, name: &str, command: &str) -> Vec<String> {
    let folder = studio().path(name);
    fs::create_dir_all(&folder).unwrap();
    let wheel = wheel("slow", "1.0");
    let path = format!("/{name}/slow-1.0-py3-none-any.whl");
    server.answer(&path, [Answer::file(&wheel).paced(wheel.len() / 12, Duration::from_millis(100))]);
    let (url, size, sha256) = (server.url(&path), wheel.len(), Sha256::of(&wheel).hex());
    let lock = format!(
        "lock-version = \"1.0\"\ncreated-by = \"by hand\"\n[[packages]]\nname = \"slow\"\nversion = \"1.0\"\n\
         wheels = [{{ url = \"{url}\", size = {size}, hashes = {{ sha256 = \"{sha256}\" }} }}]\n"
    );
    fs::write(folder.join("pylock.toml"), lock).unwrap();
    fs::write(folder.join("app.py"), "import slow\n").unwrap();
    let pyproject = "[project]\nname = \"quick\"\nversion = \"1\"\n[tool.pybundle.target.api]\nkind = \"lambda\"\n\
                     frozen = true\nlock = \"pylock.toml\"\ninclude = [\"app.py\"]\n";
    fs::write(folder.join("pyproject.toml"), pyproject).unwrap();
    let cache = format!("--cache-dir={name}/cache");
    let words = match command {
        "build" => ["build", "--project", name, &cache],
        _ => [command, "--target=api", name, &cache],
    };
    words.map(str::to_owned).to_vec()
}

#[test]
fn a_long_step_is_reported() {
    let server = Server::start();
    let run_slow = |name: &str, command: &str, more: &str| {
        let words = slow(&server, name, command);
        let ran = run(studio().pybundle(&[]).args(words).args(more.split_whitespace()));
        assert_eq!(ran.status, 0, "{name}: {}", ran.err);
        ran
    };
    thread::scope(|scope| {
        let run = |name: &'static str, command: &'static str, more: &'static str| {
            scope.spawn(move || run_slow(name, command, more))
        };
        let told = [
            ("", run("slow-text", "lambda", "")),
            ("", run("slow-json", "lambda", "--json")),
            ("", run("slow-github", "lambda", "--output-format=github")),
            ("api: ", run("slow-target", "build", "")),
        ];
        let silent = [run("slow-quiet", "lambda", "--quiet"), run("slow-bars", "build", "--no-progress")];
        let words = slow(&server, "slow-terminal", "lambda");
        let seen = on_terminal("err", &words.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        assert!(seen.err.contains("fetching  [") && !seen.err.contains("fetched"), "{}", seen.err);
        assert!(!seen.out.contains("fetch"), "{}", seen.out);

        for (label, ran) in told {
            let Run { err, out, .. } = ran.join().unwrap();
            // One line with a size and a time, and no bar.
            let line = err.strip_prefix(&format!("{label}fetched ")).and_then(|rest| rest.strip_suffix(" s\n"));
            let (_, seconds) = line.and_then(|line| line.split_once(" B in ")).unwrap_or_else(|| panic!("{err}"));
            assert!(seconds.parse::<f64>().unwrap() >= 1.0, "{err}");
            assert!(!out.contains("fetched"), "{out}");
        }
        silent.into_iter().for_each(|ran| assert_eq!(ran.join().unwrap().err, ""));
    });
}

#[test]
fn a_short_step_is_not_reported() {
    let ran = run(&mut studio().pybundle(&["lambda", "project", "--output=short/app.zip"]));
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
}
