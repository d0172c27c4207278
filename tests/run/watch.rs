//! Functions that are run again after each edit.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::command::succeed;
use crate::support::leftovers::leftovers;
use crate::{example, project, run};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A `pybundle run --watch`, with the lines that it prints.
struct Watching {
    child: Child,
    answers: Receiver<String>,
    errors: Receiver<String>,
    temporary: tempfile::TempDir,
}

impl Watching {
    fn start(project: &Path, arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = run(project, &["--watch"]);
        command.args(arguments).env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let answers = lines(child.stdout.take().unwrap());
        let errors = lines(child.stderr.take().unwrap());
        Self { child, answers, errors, temporary }
    }

    fn answer(&self) -> String {
        let errors = || self.errors.try_iter().collect::<Vec<_>>().join("\n");
        self.answers.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no answer, {error}: {}", errors()))
    }

    /// Waits for a line on standard error.
    fn error(&self, part: &str) -> String {
        let mut lines = Vec::new();
        loop {
            let line = self.errors.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no `{part}`, {error}: {}", lines.join("\n")));
            lines.push(line.clone());
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Ends it as Ctrl-C does. Nothing may be left, and no more answers and no error.
    fn end(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
        assert_eq!(self.answers.iter().collect::<Vec<_>>(), [""; 0]);
        let last: Vec<String> = self.errors.iter().collect();
        assert!(!last.iter().any(|line| line.starts_with("error: `pybundle run` was stopped")), "{last:?}");
        assert_eq!(leftovers(self.temporary.path()), Vec::<std::path::PathBuf>::new());
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It has ended unless the test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    receiver
}

/// Returns a function that answers with two digits. All of them have the same size.
fn answering(number: usize) -> String {
    format!("import shop\n\n\ndef handler(event, context):\n    return [\"{number:02}\", shop.VALUE]\n")
}

#[test]
fn every_edit_is_answered_by_its_own_code() {
    for forked in [true, false] {
        let project = project();
        let edit = |name: &str, text: String, by_renaming: bool| {
            if by_renaming {
                project.write("app.new~", text.as_bytes());
                fs::rename(project.path().join("app.new~"), project.path().join(name)).unwrap();
            } else {
                project.write(name, text.as_bytes());
            }
        };
        edit("shop.py", "VALUE = 10\n".to_owned(), false);
        edit("app.py", answering(0), false);
        let watching = Watching::start(project.path(), if forked { &[] } else { &["--no-fork"] });
        assert_eq!(watching.answer(), r#"["00", 10]"#);
        // Several within each second, in which CPython would take bytecode of the one for the other.
        let count = if forked { 20 } else { 5 };
        for number in 1..=count {
            edit("app.py", answering(number), number % 2 == 0);
            assert_eq!(watching.answer(), format!(r#"["{number:02}", 10]"#));
        }
        // A module of the application, and one that is restored.
        for value in [11, 12, 11] {
            edit("shop.py", format!("VALUE = {value}\n"), false);
            assert_eq!(watching.answer(), format!(r#"["{count:02}", {value}]"#));
        }
        // Faster than they can be answered: the last one is, and none before an earlier one.
        for number in 50..70 {
            edit("app.py", answering(number), false);
            thread::sleep(Duration::from_millis(20));
        }
        let mut last = String::new();
        while last != r#"["69", 11]"# {
            let answer = watching.answer();
            assert!(answer > last, "{answer} after {last}");
            last = answer;
        }
        // The audit of the files finds nothing else to run.
        thread::sleep(Duration::from_millis(1200));
        watching.end();
    }
}

#[test]
fn what_is_broken_is_reported_until_it_is_repaired() {
    let project = project();
    let handler = |body: &str| project.write("app.py", format!("def handler(event, context):\n{body}\n").as_bytes());
    handler("    return 1");
    let watching = Watching::start(project.path(), &["api"]);
    assert_eq!(watching.answer(), "1");
    handler("    return (");
    watching.error("error: api: Runtime.UserCodeSyntaxError");
    // The audit, which follows, does not repeat it.
    thread::sleep(Duration::from_secs(2));
    let more: Vec<String> = watching.errors.try_iter().collect();
    assert_eq!(more, [""; 0]);
    handler("    return 2");
    assert_eq!(watching.answer(), "2");
    handler("    raise ValueError('no')");
    watching.error("ValueError: no");
    // The function answers, but it would not with every event: only the audit can tell.
    handler("    if event:\n        import absent_module\n    return 3");
    assert_eq!(watching.answer(), "3");
    watching.error("absent_module");
    handler("    return 4");
    assert_eq!(watching.answer(), "4");

    // A new module, a wrong handler in the configuration, and the right one.
    project.write("second.py", b"def other(event, context):\n    return 5\n");
    let pyproject = project.read("pyproject.toml");
    project.write("pyproject.toml", pyproject.replace("app.handler", "second.absent").as_bytes());
    watching.error("second.absent");
    project.write("pyproject.toml", pyproject.replace("app.handler", "second.other").as_bytes());
    while watching.answer() != "5" {}
    project.write("second.py", b"def other(event, context):\n    return 6\n");
    assert_eq!(watching.answer(), "6");

    // The lock.
    let lock = project.read("uv.lock");
    project.write("uv.lock", b"version = 1\nnonsense");
    watching.error("uv.lock");
    project.write("uv.lock", lock.as_bytes());
    assert_eq!(watching.answer(), "6");
    watching.end();
}

#[test]
fn the_dependencies_are_imported_once() {
    let folder = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(example()).arg(folder.path()));
    let project = folder.path().join("example");
    let app = |text: &str| {
        let text = format!(
            "import sys\n\nearlier = \"example_tally\" in sys.modules\n\nimport example_tally\n\n\n\
                            def handler(event, context):\n    print(\"called\")\n    return [earlier, {text}]\n"
        );
        fs::write(project.join("app.py"), text).unwrap();
    };
    app("1");
    let handler = ["--handler=app.handler", "--json"];
    let watching = Watching::start(&project, &handler);
    let answer = || {
        let document: Value = serde_json::from_str(&watching.answer()).unwrap();
        assert_eq!(document["status"], "answered", "{document}");
        (document["answer"].to_string(), document["edit_seconds"].as_f64())
    };
    assert_eq!(answer(), ("[false,1]".to_owned(), None));
    app("2");
    let (second, seconds) = answer();
    assert!(
        second == "[true,2]" && seconds.is_some_and(|seconds| seconds > 0.0 && seconds < 60.0),
        "{second} {seconds:?}"
    );
    // A module of the application with the name of an imported one might hide it.
    fs::write(project.join("example_tally.py"), "").unwrap();
    assert_eq!(answer().0, "[false,2]");
    app("3");
    assert_eq!(answer().0, "[true,3]");
    watching.end();

    let watching = Watching::start(&project, &["--handler=app.handler", "--no-fork"]);
    assert_eq!(watching.answer(), "[false, 3]");
    app("4");
    assert_eq!(watching.answer(), "[false, 4]");
    watching.end();
}

#[test]
fn commands_scripts_and_built_projects_are_watched() {
    // What a command writes is part of the function, and does not run it again.
    let project = project();
    let pyproject = project.read("pyproject.toml");
    let prepare = "prepare = [[\"sh\", \"-c\", \"cp source.txt made.txt; date +%N >stamp.txt\"]]\n";
    project.write("pyproject.toml", format!("{pyproject}{prepare}").as_bytes());
    project.write("source.txt", b"one");
    project.write("app.py", b"def handler(event, context):\n    return open('made.txt').read()\n");
    let watching = Watching::start(project.path(), &[]);
    assert_eq!(watching.answer(), "\"one\"");
    project.write("source.txt", b"two");
    assert_eq!(watching.answer(), "\"two\"");
    project.write("app.py", b"def handler(event, context):\n    return [open('made.txt').read()]\n");
    assert_eq!(watching.answer(), "[\"two\"]");
    thread::sleep(Duration::from_millis(1500));
    watching.end();

    // A script, of which each edit may change the metadata.
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("job.py");
    let write = |answer: u32| {
        let metadata = "# /// script\n# requires-python = \">=3.9\"\n# dependencies = []\n# ///\n";
        fs::write(
            &script,
            format!("{metadata}import beside\n\n\ndef handler(event, context):\n    return [{answer}, beside.N]\n"),
        )
        .unwrap();
    };
    fs::write(directory.path().join("beside.py"), "N = 1\n").unwrap();
    write(1);
    succeed(Command::new("uv").args(["lock", "--quiet", "--script", "job.py"]).current_dir(directory.path()));
    let watching = Watching::start(directory.path(), &["job.py"]);
    assert_eq!(watching.answer(), "[1, 1]");
    write(2);
    assert_eq!(watching.answer(), "[2, 1]");
    fs::write(directory.path().join("beside.py"), "N = 2\n").unwrap();
    assert_eq!(watching.answer(), "[2, 2]");
    watching.end();

    // A project that is built into a wheel.
    let built = crate::support::uv::Project::new(&[
        (
            "pyproject.toml",
            "[project]\nname = \"tally\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\ndependencies = []\n\n\
             [build-system]\nrequires = [\"uv_build>=0.7,<1\"]\nbuild-backend = \"uv_build\"\n\n\
             [tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"tally.handler\"\n",
        ),
        ("src/tally/__init__.py", "def handler(event, context):\n    return 1\n"),
    ]);
    built.uv(&["lock"]);
    let watching = Watching::start(built.path(), &[]);
    assert_eq!(watching.answer(), "1");
    built.write("src/tally/__init__.py", b"from tally.more import N\n\ndef handler(event, context):\n    return N\n");
    built.write("src/tally/more.py", b"N = 2\n");
    while watching.answer() != "2" {}
    built.write("src/tally/more.py", b"N = 3\n");
    assert_eq!(watching.answer(), "3");
    watching.end();
}

#[test]
fn what_a_lock_includes_is_watched_wherever_it_is() {
    let (project, elsewhere) = (project(), tempfile::tempdir().unwrap());
    let included = elsewhere.path().join("base.txt");
    fs::write(&included, "").unwrap();
    project.write("prod.txt", format!("-r {}\n", included.display()).as_bytes());
    project.write("app.py", b"def handler(event, context):\n    return 1\n");
    let watching = Watching::start(project.path(), &["--lock=prod.txt"]);
    assert_eq!(watching.answer(), "1");
    // So that the edit is not part of the audit after the first run.
    thread::sleep(Duration::from_millis(1200));
    fs::write(&included, "nonsense==\n").unwrap();
    watching.error("base.txt:1: ");
    fs::write(&included, "").unwrap();
    assert_eq!(watching.answer(), "1");
    watching.end();
}
