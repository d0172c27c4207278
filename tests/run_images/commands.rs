//! What the audit says of a container's command is what happens in a container.

use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::support::bases;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::docker::docker;
use crate::support::sample::is_tried;
use crate::support::sandbox::Sandbox;
use crate::support::uv::Project;
use crate::support::wheel_with;

const ASGI: &str = "async def asgi(scope, receive, send):\n    if scope['type'] == 'lifespan':\n        while True:\n            \
                    event = (await receive())['type']\n            await send({'type': event + '.complete'})\n";

/// What tells that gunicorn has loaded the application.
pub const HOOK: &str = "def post_worker_init(worker):\n    print('worker started', flush=True)\n";

/// What servers say when they have started.
const STARTED: [&str; 8] = [
    "startup complete",
    "worker started",
    "Running on",
    "Started worker-",
    "[queues]",
    "Uvicorn running",
    "Listening on TCP address",
    "Serving on http",
];

/// Applications for the servers, and scripts.
const FILES: [(&str, &str); 18] = [
    ("main.py", "from shop.web import asgi as app\nimport shop.web as web\n\n\ndef create_app():\n    return app\n"),
    ("shop/__init__.py", ""),
    ("shop/web.py", ASGI),
    (
        "shop/wsgi.py",
        "def application(environ, start_response):\n    return []\n\n\ndef create(name='x'):\n    return application\n",
    ),
    ("shop/flaskapp.py", "from flask import Flask\n\napp = Flask(__name__)\n\n\ndef create_app():\n    return app\n"),
    ("shop/tasks.py", "from celery import Celery\n\nqueue = Celery('tasks', broker='memory://')\n"),
    ("plain/inner.py", "print('inner')\n"),
    ("tool/__init__.py", ""),
    ("tool/__main__.py", "print('tool')\n"),
    ("work.py", "print('worked')\n"),
    ("services/deep.py", "from shop.web import asgi as app\n"),
    ("gunicorn.conf.py", HOOK),
    ("settings/production.py", HOOK),
    // It is not on the search path, where it would replace the distribution.
    ("settings/gunicorn.py", HOOK),
    (
        "elsewhere.py",
        "chdir = '/app/services'\ndef post_worker_init(worker):\n    print('worker started', flush=True)\n",
    ),
    ("start.sh", "#!/bin/sh\nset -e\nexec \"$@\"\n"),
    ("sites/app.py", "from shop.flaskapp import app\n"),
    ("requirements.in", "uvicorn\ngunicorn\nhypercorn\ngranian\ncelery\nflask\ndaphne\nwaitress\n"),
];

/// The commands, and what is wrong with each; nothing if it starts.
const COMMANDS: [(&str, Option<&str>); 91] = [
    ("uvicorn main:app", None),
    ("uvicorn main:ap", Some("app/main.py does not define `ap`")),
    ("uvicorn shop.web:asgi --port 8001 --no-access-log", None),
    ("uvicorn shop.web:app", Some("app/shop/web.py does not define `app`")),
    ("uvicorn shop.weeb:app", Some("the module `shop.weeb` is neither in the artifact nor in Python")),
    ("uvicorn absent:app", Some("the module `absent` is neither in the artifact nor in Python")),
    ("uvicorn main", Some("it does not name an attribute")),
    ("uvicorn main.app", Some("it does not name an attribute")),
    ("uvicorn --factory main:create_app", None),
    ("uvicorn --factory main:make_app", Some("app/main.py does not define `make_app`")),
    ("uvicorn main:create_app()", Some("hint: did you mean `--factory main:create_app`?")),
    ("uvicorn --app-dir services deep:app", None),
    ("uvicorn deep:app", Some("the module `deep` is neither")),
    ("uvicorn plain:app", Some("`plain` is a package without `__init__.py`, which has no attributes")),
    ("python -um uvicorn main:ap", Some("does not define `ap`")),
    ("gunicorn shop.wsgi:application -w 1 -b 127.0.0.1:8001", None),
    ("gunicorn shop.wsgi:app", Some("app/shop/wsgi.py does not define `app`")),
    ("gunicorn 'shop.wsgi:create()'", None),
    ("gunicorn 'shop.wsgi:make()'", Some("does not define `make`")),
    ("gunicorn shop.web", Some("app/shop/web.py does not define `application`")),
    ("gunicorn main:web", Some("`web` is a module in app/main.py")),
    ("gunicorn shop.wsgi:application.inner", Some("its attribute is neither a name nor a call")),
    ("gunicorn -c settings/production.py shop.wsgi", None),
    ("gunicorn -c settings/gunicorn.py -k gthread shop.wsgi", None),
    ("gunicorn -k gevent shop.wsgi", Some("`gunicorn -k gevent`: the module `gevent` is neither")),
    ("gunicorn -k shop.absent.Worker shop.wsgi", Some("the module `shop.absent` is neither")),
    ("gunicorn shop.wsgi:app -w 2", Some("hint: did you mean `shop.wsgi:application`?")),
    ("gunicorn -c settings/prod.py shop.wsgi", Some("/app/settings/prod.py exists neither")),
    ("gunicorn -c python:settings.production shop.wsgi", None),
    ("gunicorn --chdir services deep:app", None),
    ("gunicorn --pythonpath services,shop deep:app", None),
    ("gunicorn -c elsewhere.py deep:app", None),
    ("gunicorn --preload -w1 --log-level info deep:app", Some("the module `deep` is neither")),
    ("hypercorn main", None),
    ("hypercorn shop/web.py:asgi", None),
    ("hypercorn wsgi:shop.wsgi:application", None),
    ("hypercorn 'shop.wsgi:create()'", None),
    ("hypercorn shop.web", Some("app/shop/web.py does not define `app`")),
    ("hypercorn shop/wbe.py:asgi", Some("/app/shop/wbe.py exists neither")),
    ("granian --interface asgi main", None),
    ("granian --interface asgi --factory main:create_app", None),
    ("granian --interface asgi shop/web.py:asgi", None),
    ("granian --interface asgi --working-dir services deep:app", None),
    ("granian --interface asgi shop.web", Some("app/shop/web.py does not define `app`")),
    ("granian --interface asgi shop/wbe.py", Some("/app/shop/wbe.py exists neither")),
    ("celery -A shop.tasks worker --pool solo", None),
    ("celery -A shop.tasks.queue worker --pool solo", None),
    ("celery --app=shop.tasks:queue worker --pool solo", None),
    ("celery --app=shop.tasks:app worker --pool solo", Some("app/shop/tasks.py does not define `app`")),
    ("celery -A shop.task worker --pool solo", Some("the module `shop.task` is neither")),
    ("flask --app shop.flaskapp run", None),
    ("flask --app shop/flaskapp.py run", None),
    ("flask --app shop.flaskapp:create_app run", None),
    ("flask --app shop.flaskap run", Some("the module `shop.flaskap` is neither")),
    ("flask --app shop.flaskapp:make run", Some("app/shop/flaskapp.py does not define `make`")),
    ("daphne main:app", None),
    ("daphne -b 127.0.0.1 -p 8001 shop.web:asgi", None),
    ("daphne main:ap", Some("app/main.py does not define `ap`")),
    ("daphne shop.weeb:app", Some("the module `shop.weeb` is neither")),
    ("daphne main", Some("it does not name an attribute")),
    ("python work.py", None),
    ("python -c 'from shop.wsgi import create; create()'", None),
    ("python -c 'from shop.wsgi import make'", Some("app/shop/wsgi.py does not define `make`")),
    ("python -c 'import absent'", Some("`python -c 'import absent'`: the module `absent` is neither")),
    ("python -c 'import work work'", Some("line 1, column 13")),
    ("python -X utf8 -W ignore -Bu /app/work.py", None),
    ("python works.py", Some("/app/works.py exists neither")),
    ("python tool", None),
    ("python shop", Some("/app/shop/__main__.py exists neither")),
    ("python -m tool", None),
    ("python -m plain.inner", None),
    ("python -m shop", Some("`shop` is a package without the module `__main__`")),
    ("python -m absent", Some("the module `absent` is neither")),
    ("python -m json.tool --help", None),
    ("python -m json.tol", Some("the module `json.tol` is neither")),
    ("python -m xml", Some("`xml` is a package without the module `__main__`")),
    ("python -c 'from http.sever import HTTPServer'", Some("the module `http.sever` is neither")),
    ("python -c 'from collections.abc import Mapping; import xml.parsers.expat.model'", None),
    ("waitress-serve --port=8002 --no-ipv6 shop.wsgi:application", None),
    ("waitress-serve --port 8003 --call shop.wsgi:create", None),
    ("waitress-serve --port=8004 shop.wsgi.application", None),
    ("waitress-serve shop.wsgi:app", Some("app/shop/wsgi.py does not define `app`")),
    ("waitress-serve shop.wgsi:application", Some("`waitress-serve shop.wgsi:application`: the module `shop.wgsi` is")),
    ("waitress-serve 'shop.wsgi:create()'", Some("hint: did you mean `--call shop.wsgi:create`?")),
    ("flask run", Some("`flask --app app.py`: /app/app.py exists neither in the image nor in its base")),
    ("sh -c 'cd sites && flask run'", None),
    ("sh -c 'exec uvicorn main:ap --port ${PORT:-8001}'", Some("does not define `ap`")),
    ("sh -c 'cd services && exec uvicorn --port ${PORT:-8001} deep:app'", None),
    ("env A=1 uvicorn main:ap", Some("does not define `ap`")),
    ("sh start.sh uvicorn main:app", None),
    ("uvicornn main:app", Some("`uvicornn`: it exists neither in the image nor in its base")),
];

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let project = Project::new(&FILES);
    project.uv(&[
        "pip",
        "compile",
        "--quiet",
        "--generate-hashes",
        "--python-version",
        &bases::slim().python,
        "requirements.in",
        "-o",
        "requirements.txt",
    ]);
    project
});

/// Returns the command that builds an image of the applications.
fn build(output: &str, more: &[&str]) -> Command {
    let base = bases::slim();
    let mut command = pybundle(&["image", "--no-progress", "--platform", bases::platform()]);
    command.args(["--base", &base.argument(), "--python", &base.python, "--include", ".:.", "-o", output]);
    command.args(more).arg(PROJECT.path());
    command
}

/// Runs a process until it says that it has started, or ends by itself.
pub(crate) fn starts(mut command: Command) -> Result<(), String> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let append = || std::fs::OpenOptions::new().append(true).open(log.path()).unwrap();
    let mut child = command.stdout(append()).stderr(append()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        let status = child.try_wait().unwrap();
        let said = std::fs::read_to_string(log.path()).unwrap();
        match status {
            // hypercorn's status is 0 even if it finds no application.
            Some(status) if status.success() && !said.contains("Traceback") => return Ok(()),
            Some(_) => return Err(said),
            None if STARTED.iter().any(|started| said.contains(started)) => break,
            None => assert!(Instant::now() < deadline, "{command:?} neither starts nor ends: {said}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    Ok(())
}

/// How many containers run at the same time.
pub(crate) const AT_ONCE: usize = 4;

#[test]
fn what_a_command_starts_is_found_or_missing_as_in_a_container() {
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path().join("layout");
    succeed(&mut build(&format!("oci:{}", layout.display()), &["--cmd=python work.py", "-t", "commands:1"]));
    let sandbox = Sandbox::unpack_tag(&layout, "1");
    let scratch = format!("oci:{}", directory.path().join("scratch").display());
    let mut wrong = Vec::new();
    let tried = COMMANDS.iter().enumerate().filter(|(number, _)| is_tried(*number, 4)).map(|(_, command)| command);
    for commands in tried.collect::<Vec<_>>().chunks(AT_ONCE) {
        let results: Vec<_> = std::thread::scope(|scope| {
            let runs: Vec<_> = commands
                .iter()
                .map(|(command, _)| {
                    let arguments = shlex::split(command).unwrap();
                    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                    let command = sandbox.program(&arguments);
                    scope.spawn(move || starts(command))
                })
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        for ((command, expected), result) in commands.iter().zip(results) {
            let output = build(&scratch, &["--cmd", command]).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let agrees = match expected {
                None => output.status.success() && !said.contains("start `") && result.is_ok(),
                Some(expected) => !output.status.success() && said.contains(expected) && result.is_err(),
            };
            if !agrees {
                wrong.push(format!("{command}: {result:?}\n{said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The console scripts of a project with what they call, and what is wrong with each.
const CONSOLE_SCRIPTS: [(&str, &str, Option<&str>); 9] = [
    ("shop", "shop.cli:main", None),
    ("shop-method", "shop.cli:Tool.run", None),
    ("shop-reexported", "shop:main", None),
    ("shop-later", "shop.dynamic:later", None),
    ("shop-attribute", "shop.cli:mian", Some("shop/cli.py does not define `mian`")),
    ("shop-module", "shop.clii:main", Some("the module `shop.clii` is neither in the artifact nor in Python")),
    ("shop-text", "shop.cli:NAME", Some("`NAME` is a string in ")),
    ("shop-submodule", "shop:cli", Some("`cli` is a module in ")),
    ("shop-imports", "shop.broken:main", Some("imports `absent`, which is neither in the artifact nor")),
];

/// A project of its own scripts, each of which is the command of an image.
#[test]
fn what_a_console_script_of_the_project_calls_is_found_or_missing_as_in_a_container() {
    let scripts: String = CONSOLE_SCRIPTS.iter().map(|(name, calls, _)| format!("{name} = \"{calls}\"\n")).collect();
    let pyproject = format!(
        "[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n\
         [build-system]\nrequires = [\"uv_build\"]\nbuild-backend = \"uv_build\"\n[project.scripts]\n{scripts}"
    );
    let project = Project::new(&[
        ("pyproject.toml", &pyproject),
        ("src/shop/__init__.py", "from shop.cli import main\n"),
        (
            "src/shop/cli.py",
            "NAME = 'shop'\n\n\ndef main():\n    print(NAME)\n\n\nclass Tool:\n    @staticmethod\n    def run():\n        \
             print('tool')\n",
        ),
        ("src/shop/dynamic.py", "import shop\n\nglobals()['later'] = shop.main\n"),
        ("src/shop/broken.py", "import absent\n\n\ndef main(): ...\n"),
    ]);
    project.uv(&["lock", "--quiet"]);
    let base = bases::slim();
    let build = |output: &str, more: &[&str]| {
        let mut command = pybundle(&["image", "--no-progress", "--platform", bases::platform()]);
        command
            .args(["--base", &base.argument(), "--python", &base.python, "-o", output])
            .args(more)
            .arg(project.path());
        command
    };
    let layout = project.path().join("layout");
    succeed(&mut build(&format!("oci:{}", layout.display()), &["--cmd=shop", "-t", "scripts:1"]));
    let sandbox = Sandbox::unpack_tag(&layout, "1");
    let scratch = format!("oci:{}", project.path().join("scratch").display());
    let mut wrong = Vec::new();
    for (name, calls, expected) in CONSOLE_SCRIPTS {
        let result = starts(sandbox.program(&[name]));
        let output = build(&scratch, &["--cmd", name]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let agrees = match expected {
            None => output.status.success() && !said.contains("start `") && result.is_ok(),
            Some(expected) => !output.status.success() && said.contains(expected) && result.is_err(),
        };
        if !agrees {
            wrong.push(format!("{name} = {calls}: {result:?}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// A package of the application that a distribution's package of the same name hides.
#[test]
fn a_module_that_a_package_of_the_same_name_hides_is_named_as_that() {
    let wheel = wheel_with("shop", "1.0", &[("shop/__init__.py", b""), ("shop/own.py", b"")]);
    let project = Project::new(&[
        ("requirements.txt", "shop==1.0\n"),
        ("store/web.py", "print('started')\n"),
        ("shop/web.py", "print('started')\n"),
    ]);
    project.write("wheels/shop-1.0-py3-none-any.whl", &wheel);
    let base = bases::slim();
    let build = |output: &str, more: &[&str]| {
        let mut command = pybundle(&["image", "--no-progress", "--platform", bases::platform(), "--no-index"]);
        let wheels = project.path().join("wheels");
        command.args(["--include", "shop", "--include", "store", "--find-links"]).arg(wheels);
        command
            .args(["--base", &base.argument(), "--python", &base.python, "-o", output])
            .args(more)
            .arg(project.path());
        command
    };
    let layout = project.path().join("layout");
    let output = format!("oci:{}", layout.display());
    let said = fail(&mut build(&output, &["--cmd=python -m shop.web"]));
    let expected = "cannot start `python -m shop.web`: app/shop/web.py is never imported, because ";
    assert!(
        said.contains(expected) && said.contains("site-packages/shop/__init__.py of shop 1.0 takes precedence"),
        "{said}"
    );
    assert!(said.contains("hint: give the package of app/shop/web.py another name, or move the file"), "{said}");
    succeed(&mut build(&output, &["--cmd=python -m shop.web", "--no-audit", "-t", "hidden:1"]));
    let sandbox = Sandbox::unpack_tag(&layout, "1");
    assert!(starts(sandbox.program(&["python", "-m", "shop.web"])).unwrap_err().contains("No module named shop.web"));
    // The hint.
    starts(sandbox.program(&["python", "-m", "store.web"])).unwrap();
    succeed(&mut build(&format!("{output}-renamed"), &["--cmd=python -m store.web"]));
}

/// Scripts by their first bytes. All but `plain.sh` are executable.
const SCRIPTS: [(&str, &[u8]); 8] = [
    ("good.sh", b"#!/bin/sh\nexec \"$@\"\n"),
    ("crlf.sh", b"#!/bin/sh\r\nexec true\r\n"),
    ("bom.sh", b"\xef\xbb\xbf#!/bin/sh\ntrue\n"),
    ("none.sh", b"true\n"),
    ("bash.sh", b"#!/bin/bash\ntrue\n"),
    ("env.sh", b"#!/usr/bin/env bash\ntrue\n"),
    ("hello.py", b"#!/usr/bin/env python3\nprint('hello')\n"),
    ("plain.sh", b"#!/bin/sh\ntrue\n"),
];

/// Commands with their users, and what is wrong with each.
const PROCESSES: [(&str, &str, Option<&str>); 24] = [
    ("/app/good.sh true", "65532", None),
    ("./good.sh python hello.py", "65532", None),
    ("good.sh true", "65532", Some("`good.sh`: it exists neither in the image nor in its base")),
    ("/app/good.sh python absent.py", "65532", Some("/app/absent.py exists neither")),
    ("/app/crlf.sh", "65532", Some("crlf.sh ends with a carriage return")),
    ("sh -c ./crlf.sh", "65532", Some("crlf.sh ends with a carriage return")),
    ("/app/bom.sh", "65532", Some("bom.sh begins with a byte order mark")),
    ("/app/none.sh", "65532", Some("none.sh does not begin with `#!`")),
    ("sh -c ./none.sh", "65532", None),
    ("/app/bash.sh", "65532", Some("/bin/bash, the interpreter of ")),
    ("/app/env.sh", "65532", Some("bash, the interpreter of ")),
    ("/app/hello.py", "65532", None),
    ("/app/plain.sh", "65532", Some("/app/plain.sh is not executable")),
    ("sh plain.sh", "65532", None),
    ("python secret.py", "65532", Some("the user 65532 may not read /app/secret.py")),
    ("python secret.py", "0", None),
    ("python -m secret", "65532", Some("the user 65532 may not read /app/secret.py")),
    ("python -m secret", "0", None),
    ("python owned.py", "1000", None),
    ("python owned.py", "65532", Some("the user 65532 may not read /app/owned.py")),
    ("python owned.py", "65532:1000", None),
    ("python hello.py", "nobody", None),
    ("python hello.py", "nobodyelse", Some("the base image has no user `nobodyelse`")),
    ("python hello.py", "65532:nogroupatall", Some("the base image has no group `nogroupatall`")),
];

#[test]
fn what_the_kernel_and_docker_refuse_is_an_error() {
    let project = Project::new(&[("requirements.txt", ""), ("secret.py", "print()\n"), ("owned.py", "print()\n")]);
    let mut includes = String::new();
    for (name, bytes) in SCRIPTS {
        project.write(name, bytes);
        let mode = if name == "plain.sh" { "0644" } else { "0755" };
        includes.push_str(&format!("    {{ path = \"{name}\", mode = \"{mode}\" }},\n"));
    }
    includes.push_str("    { path = \"secret.py\", mode = \"0600\" },\n");
    includes.push_str("    { path = \"owned.py\", mode = \"0640\", owner = \"1000:1000\" },\n");
    project.write("pyproject.toml", format!("[tool.pybundle]\ninclude = [\n{includes}]\n").as_bytes());
    let base = bases::slim();
    let build = |output: &str, more: &[&str]| {
        let mut command =
            pybundle(&["image", "--no-progress", "--no-compile-bytecode", "--platform", bases::platform()]);
        command
            .args(["--base", &base.argument(), "--python", &base.python, "-o", output])
            .args(more)
            .arg(project.path());
        command
    };
    let archive = project.path().join("image.tar");
    succeed(&mut build(&format!("docker-archive:{}", archive.display()), &["-t", "processes:1", "--cmd=true"]));
    docker().load(&archive);
    let scratch = format!("oci:{}", project.path().join("layout").display());
    let mut wrong = Vec::new();
    for (command, user, expected) in PROCESSES {
        let arguments = shlex::split(command).unwrap();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = docker().run("processes:1", &["--user", user], &arguments).output().unwrap();
        let audited = build(&scratch, &["--cmd", command, "--user", user]).output().unwrap();
        let said = String::from_utf8(audited.stderr).unwrap();
        let agrees = match expected {
            None => ran.status.success() && audited.status.success() && !said.contains("warning"),
            Some(expected) => !ran.status.success() && !audited.status.success() && said.contains(expected),
        };
        if !agrees {
            wrong.push(format!("{command} as {user}: {ran:?}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_script_is_the_command_of_its_image() {
    let metadata = "# /// script\n# requires-python = \">=3.9\"\n# dependencies = [\"orjson\"]\n# ///\n";
    let project = Project::new(&[
        (
            "job.py",
            format!(
                "{metadata}import sys\nimport orjson\nimport steps\nprint(steps.first(), orjson.dumps(sys.argv[1:]))\n"
            )
            .as_str(),
        ),
        ("steps.py", "def first():\n    return 'first'\n"),
    ]);
    project.uv(&["lock", "--script", "job.py"]);
    let layout = project.path().join("image");
    let output = format!("oci:{}", layout.display());
    let arguments = ["image", "--base", &bases::slim().argument(), "--platform", bases::platform(), "-o", &output];
    succeed(pybundle(&arguments).arg(project.path().join("job.py")).args(["-t", "localhost/job:1"]));
    let sandbox = Sandbox::unpack_tag(&layout, "1");
    assert_eq!(succeed(&mut sandbox.run(&[])), "first b'[]'\n");
    assert_eq!(succeed(&mut sandbox.run(&["python", "job.py", "x"])), "first b'[\"x\"]'\n");
    // In another directory, too.
    let elsewhere = project.path().join("elsewhere");
    let output = format!("oci:{}", elsewhere.display());
    let arguments = ["image", "--base", &bases::slim().argument(), "--platform", bases::platform(), "-o", &output];
    succeed(pybundle(&arguments).arg(project.path().join("job.py")).args([
        "-t",
        "localhost/job:1",
        "--workdir",
        "/tmp",
    ]));
    assert_eq!(succeed(&mut Sandbox::unpack_tag(&elsewhere, "1").run(&[])), "first b'[]'\n");
}
