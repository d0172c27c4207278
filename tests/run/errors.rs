//! Functions that fail, and those that cannot run.

use serde_json::{Value, json};

use crate::support::command::{fail, pybundle};
use crate::support::lambda::{architecture, newest_python};
use crate::{project, ran, run};

#[test]
fn errors_are_shown_with_their_type_and_trace() {
    let project = project();
    let event = |action: &str| format!(r#"{{"action": "{action}"}}"#);
    let (status, out, err) = ran(&mut run(project.path(), &["--event", &event("raise")]));
    assert_eq!((status, out.as_str()), (1, ""));
    let trace = "called with raise\n[ERROR] ValueError: no such törn\nTraceback (most recent call last):\n  \
                 File \"/var/task/app.py\", line 12, in handler\n    raise ValueError(\"no such törn\")\n";
    assert!(err.contains(trace) && err.ends_with("error: api: ValueError: no such törn\n"), "{err}");

    let (status, out, _) = ran(&mut run(project.path(), &["--json", "--event", &event("raise")]));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &report["status"]), (1, &json!("failed")));
    assert_eq!((&report["error"]["type"], &report["error"]["message"]), (&json!("ValueError"), &json!("no such törn")));
    let frame = report["error"]["stack_trace"][0].as_str().unwrap();
    assert!(frame.starts_with("  File \"/var/task/app.py\", line 12, in handler"), "{frame}");

    for (action, expected) in [
        ("exit", "error: api: Runtime.ExitError: the runtime exited with exit status 3\n"),
        ("abort", "error: api: Runtime.ExitError: the runtime exited with signal 6\n"),
        ("set", "error: api: Runtime.MarshalError: Unable to marshal response: "),
        ("large", "error: api: Function.ResponseSizeTooLarge: the answer has more than 6291556 bytes\n"),
    ] {
        let (status, out, err) = ran(&mut run(project.path(), &["--event", &event(action)]));
        assert!((status, out.as_str()) == (1, "") && err.contains(expected), "{action}: {err}");
    }
}

#[test]
fn unusual_ends_are_told_apart() {
    let project = project();
    let code = "import os, sys\ndef handler(event, context):\n    sys.stdout.write('no end'); sys.stdout.flush()\n    \
                if event == 0: raise ValueError()\n    os._exit(event)\n";
    project.write("app.py", code.as_bytes());
    for (event, expected) in [
        ("0", "error: api: ValueError\n"),
        ("137", "error: api: Runtime.ExitError: the runtime exited with signal 9\n"),
        ("200", "error: api: Runtime.ExitError: the runtime exited with exit status 200\n"),
    ] {
        let (status, _, err) = ran(&mut run(project.path(), &["--event", event]));
        assert!(status == 1 && err.ends_with(expected), "{err}");
        // What pybundle prints begins a line, whatever the function has printed.
        assert!(err.contains("no end\ninitialized in ") || event == "0", "{err}");
    }
}

#[test]
fn limits_end_the_function() {
    let project = project();
    let (status, _, err) = ran(&mut run(project.path(), &["--timeout=1", "--event", r#"{"action": "sleep"}"#]));
    assert_eq!(status, 1);
    let expected = "error: api: Sandbox.Timedout: the task timed out after 1.00 seconds\n\
                    hint: allow more time with --timeout, or with the key `timeout` of the target\n";
    assert!(err.ends_with(expected), "{err}");
    let (status, _, err) = ran(&mut run(project.path(), &["--memory=200", "--event", r#"{"action": "memory"}"#]));
    assert_eq!(status, 1);
    assert!(err.contains("error: api: Runtime.OutOfMemory: the function used 2"), "{err}");
    let hint = "hint: allow more memory with --memory, or with the key `memory` of the target\n";
    assert!(err.ends_with(hint), "{err}");
    for (flag, expected) in [("--timeout=0", "from 1 to 900"), ("--memory=1", "from 128 to 10240")] {
        let (status, _, err) = ran(&mut run(project.path(), &[flag]));
        assert!(status == 2 && err.contains(expected), "{err}");
    }
}

#[test]
fn functions_that_cannot_be_initialized_are_errors() {
    let project = project();
    project
        .write("broken.py", b"import json\nraise RuntimeError('not configured')\n\ndef handler(event, context): ...\n");
    let (status, _, err) = ran(&mut run(project.path(), &["--handler", "broken.handler"]));
    assert_eq!(status, 1);
    assert!(err.ends_with("error: shop: RuntimeError: not configured\n"), "{err}");
    assert!(err.contains("File \"/var/task/broken.py\", line 2, in <module>"), "{err}");
    assert!(!err.contains("LAMBDA_WARNING"), "{err}");
    // What the audit finds before.
    let err = fail(&mut run(project.path(), &["--handler", "app.absent"]));
    assert!(err.contains("app.handler"), "{err}");
}

#[test]
fn what_cannot_run_is_refused() {
    let project = project();
    let other = if architecture() == "arm64" { "x86_64" } else { "arm64" };
    let err = fail(&mut run(project.path(), &["--arch", other]));
    let expected = format!(
        "error: cannot run the function: it is built for Linux on {other}, but this machine is {0}\n\
         hint: build it for this machine with --arch {0}\n",
        architecture()
    );
    assert_eq!(err, expected);
    // The hint does what it says.
    let (status, _, err) = ran(&mut run(project.path(), &["--arch", architecture()]));
    assert_eq!(status, 0, "{err}");

    let no_handler = crate::support::uv::Project::new(&[
        ("pyproject.toml", "[project]\nname = \"shop\"\nversion = \"1.0\"\nrequires-python = \">=3.9\"\n"),
        ("uv.lock", &project.read("uv.lock")),
        ("app.py", crate::APPLICATION),
    ]);
    let err = fail(&mut run(no_handler.path(), &[]));
    let hint = "hint: name it with --handler MODULE.FUNCTION, or with the key `handler` of the target\n";
    assert_eq!(err, format!("error: cannot run the function: no handler is named\n{hint}"));
    let (status, _, err) = ran(&mut run(no_handler.path(), &["--handler=app.handler"]));
    assert_eq!(status, 0, "{err}");

    let err = fail(&mut run(project.path(), &["--event", "{\"a\": }"]));
    assert!(
        err.starts_with("error: the event is not valid JSON\n  because: expected value at line 1 column 7\n"),
        "{err}"
    );
    let err = fail(&mut run(project.path(), &["--event", "absent.json"]));
    assert!(err.starts_with("error: cannot read the event from absent.json\n"), "{err}");

    let empty = tempfile::tempdir().unwrap();
    let mut command = pybundle(&["run", "--runtime", &newest_python()]);
    command.current_dir(project.path()).env("PATH", empty.path()).env("HOME", empty.path());
    let err = fail(command.env_remove("PYENV_ROOT").env_remove("UV_PYTHON_INSTALL_DIR"));
    let expected = format!(
        "error: cannot run the function: CPython {0} is not installed\n\
         hint: install it, for example with `uv python install {0}`; pybundle does not download interpreters\n",
        newest_python()
    );
    assert_eq!(err, expected);
}

#[test]
fn a_version_that_is_installed_is_suggested() {
    let project = project();
    // The newest runtime that the project allows is not installed on this machine.
    let installed = newest_python();
    let missing = if installed == "3.9" { "3.10" } else { "3.9" };
    let directory = tempfile::tempdir().unwrap();
    let interpreter =
        crate::support::command::repository().join("target/test-tools/bin").join(format!("python{installed}"));
    let interpreter = std::fs::canonicalize(interpreter).unwrap();
    std::os::unix::fs::symlink(interpreter, directory.path().join(format!("python{installed}"))).unwrap();
    let command = |runtime: &str| {
        let mut command = pybundle(&["run", "--runtime", runtime]);
        command.current_dir(project.path()).env("PATH", directory.path()).env("HOME", directory.path());
        command.env_remove("PYENV_ROOT").env_remove("UV_PYTHON_INSTALL_DIR");
        command
    };
    let err = fail(&mut command(missing));
    assert!(err.starts_with(&format!("error: cannot run the function: CPython {missing} is not installed\n")), "{err}");
    let hint = format!("hint: run it with a version that is installed: --runtime {installed}\n");
    assert!(err.ends_with(&hint), "{err}");
    let (status, _, err) = ran(&mut command(&installed));
    assert_eq!(status, 0, "{err}");
}

#[test]
fn targets_that_are_no_functions_are_named() {
    let project = project();
    let pyproject = project.read("pyproject.toml");
    let targets = "[tool.pybundle.target.common]\nkind = \"layer\"\n[tool.pybundle.target.other]\nkind = \"lambda\"\n";
    project.write("pyproject.toml", format!("{pyproject}\n{targets}").as_bytes());
    let err = fail(&mut run(project.path(), &["common"]));
    let expected = "error: cannot run target `common`: its kind is `layer`\nhint: run a function: `pybundle run api`\n";
    assert_eq!(err, expected);
    let (status, _, err) = ran(&mut run(project.path(), &["api"]));
    assert_eq!(status, 0, "{err}");
    let (_, _, err) = ran(&mut run(project.path(), &[]));
    assert!(err.contains("name one, as in `pybundle run api`"), "{err}");
    let err = fail(&mut run(project.path(), &["api", "--network=host"]));
    assert!(err.contains("error: cannot use --network with target `"), "{err}");
}

#[test]
fn an_event_that_lambda_refuses_is_refused() {
    let project = project();
    project.write("app.py", b"def handler(event, context):\n    return len(event)\n");
    for (size, status) in [(6 << 20, 0), ((6 << 20) + 1, 1)] {
        project.write("event.json", format!("\"{}\"", "x".repeat(size - 2)).as_bytes());
        let (ended, out, err) = ran(&mut run(project.path(), &["--event", "event.json"]));
        assert_eq!(ended, status, "{err}");
        assert!(
            out == "6291454\n" || err == "error: the event has 6291457 bytes, but Lambda accepts at most 6291456\n",
            "{err}"
        );
    }
}
