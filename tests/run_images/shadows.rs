//! Modules of the application that replace others: what the audit says is what happens in a container.

use std::process::Command;

use crate::commands::HOOK;
use crate::commands::{AT_ONCE, starts};
use crate::support::bases;
use crate::support::command::{pybundle, succeed};
use crate::support::sample::is_tried;
use crate::support::sandbox::Sandbox;
use crate::support::uv::Project;

/// An application for every server.
const WEB: &str = "from celery import Celery\nfrom flask import Flask\n\n\
                   async def asgi(scope, receive, send):\n    if scope['type'] == 'lifespan':\n        while True:\n            \
                   event = (await receive())['type']\n            await send({'type': event + '.complete'})\n\n\
                   def wsgi(environ, start_response):\n    return []\n\n\
                   app = Flask(__name__)\nqueue = Celery('tasks', broker='memory://')\n";

/// How each server is started.
const SERVERS: [&str; 7] = [
    "uvicorn web:asgi",
    "gunicorn -c hook.py web:wsgi",
    "hypercorn web:asgi",
    "granian --interface asgi web:asgi",
    "celery -A web:queue worker --pool solo",
    "flask --app web:app run",
    "daphne web:asgi",
];

/// The application's directories: servers import `logging` before they search the working directory, and none imports `sched`.
const OF_SERVERS: &str = "shadowed";
const OF_APPLICATION: &str = "late";

fn project() -> Project {
    let late = format!("import sched\n{WEB}\nclass Queue(sched.scheduler): ...\n");
    let project = Project::new(&[
        ("shadowed/web.py", WEB),
        ("shadowed/hook.py", HOOK),
        ("shadowed/logging.py", ""),
        ("shadowed/run.py", "import web\n"),
        ("late/web.py", &late),
        ("late/hook.py", HOOK),
        ("late/sched.py", ""),
        ("requirements.in", "uvicorn\ngunicorn\nhypercorn\ngranian\ncelery\nflask\ndaphne\n"),
    ]);
    let version = &bases::slim().python;
    let compile = ["pip", "compile", "--quiet", "--generate-hashes", "--python-version", version];
    project.uv(&[&compile[..], &["requirements.in", "-o", "requirements.txt"]].concat());
    project
}

/// Returns the command that builds an image which contains everything and whose Python searches some directories from its start
/// on.
fn build(project: &Project, output: &str, python_path: &str, command: &str) -> Command {
    let base = bases::slim();
    let mut build = pybundle(&["image", "--no-progress", "--no-compile-bytecode", "--platform", bases::platform()]);
    build.args(["--base", &base.argument(), "--python", &base.python, "--include", ".:.", "-o", output]);
    build.args(["-t", "shadows:1", "--cmd", command, "--env"]).arg(format!("PYTHONPATH={python_path}"));
    build.arg(project.path());
    build
}

#[test]
fn modules_that_replace_others_stop_servers_exactly_if_the_audit_says_so() {
    let of_logging = format!("app/{OF_SERVERS}/logging.py replaces the module `logging` of the standard library, but ");
    let of_sched = format!("app/{OF_APPLICATION}/sched.py replaces the module `sched` of the standard library, but ");
    // Each directory that Python searches from its start on, a command, and what is wrong.
    let mut cases: Vec<(String, String, Option<&str>)> = Vec::new();
    for (series, server) in SERVERS.into_iter().enumerate() {
        let in_directory = |directory: &str, prefix: &str| format!("sh -c 'cd {directory} && exec {prefix}{server}'");
        let early = format!("/app/{OF_SERVERS}");
        let of_server = [
            ("/app".to_owned(), in_directory(OF_SERVERS, ""), None),
            ("/app".to_owned(), in_directory(OF_APPLICATION, ""), Some(&*of_sched)),
            ("/app".to_owned(), in_directory(OF_SERVERS, "python -m "), Some(&*of_logging)),
            (early, in_directory(OF_SERVERS, ""), Some(&*of_logging)),
        ];
        let tried = of_server.into_iter().enumerate().filter(|(number, _)| is_tried(number + series, 3));
        cases.extend(tried.map(|(_, case)| case));
    }
    cases.push(("/app".to_owned(), "python shadowed/run.py".to_owned(), Some(&of_logging)));
    let project = project();
    let directory = tempfile::tempdir().unwrap();
    let scratch = format!("oci:{}", directory.path().join("scratch").display());
    let mut wrong = Vec::new();
    for python_path in ["/app", "/app/shadowed"] {
        let layout = directory.path().join(python_path.replace('/', "-"));
        succeed(build(&project, &format!("oci:{}", layout.display()), python_path, "true").arg("--no-audit"));
        let sandbox = Sandbox::unpack_tag(&layout, "1");
        let cases: Vec<_> = cases.iter().filter(|(wanted, ..)| wanted == python_path).collect();
        for cases in cases.chunks(AT_ONCE) {
            let results: Vec<_> = std::thread::scope(|scope| {
                let runs: Vec<_> = cases
                    .iter()
                    .map(|(_, command, _)| {
                        let arguments = shlex::split(command).unwrap();
                        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                        let command = sandbox.program(&arguments);
                        scope.spawn(move || starts(command))
                    })
                    .collect();
                runs.into_iter().map(|run| run.join().unwrap()).collect()
            });
            for ((_, command, expected), result) in cases.iter().zip(results) {
                let output = build(&project, &scratch, python_path, command).output().unwrap();
                let said = String::from_utf8(output.stderr).unwrap();
                let agrees = match expected {
                    None => output.status.success() && result.is_ok(),
                    Some(expected) => !output.status.success() && said.contains(expected) && result.is_err(),
                };
                if !agrees {
                    wrong.push(format!("PYTHONPATH={python_path} {command}: {result:?}\n{said}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
