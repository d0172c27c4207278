//! Functions that answer.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::command::{pybundle, repository, succeed};
use crate::support::lambda::{newest_python, pythons};
use crate::{example, project, ran, run};

#[test]
fn the_example_runs_on_every_interpreter() {
    let event = json!({"name": "Ada", "language": "de", "items": ["apple", "coffee"]}).to_string();
    for python in pythons() {
        let arguments = ["run", "--runtime", &python, "--handler", "app.handler", "--event", &event];
        let answer: Value = serde_json::from_str(&succeed(pybundle(&arguments).current_dir(example()))).unwrap();
        let minor: u32 = python.split_once('.').unwrap().1.parse().unwrap();
        let build = if minor < 12 { "manylinux_2_17" } else { "manylinux_2_34" };
        let expected = json!({"greeting": "* GRÜSS DICH, ADA! *", "total": 1220, "build": build, "python": python});
        assert_eq!(answer, expected);
    }
}

#[test]
fn the_dependencies_may_be_in_a_layer() {
    let folder = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(example()).arg(folder.path()));
    let project = folder.path().join("example");
    let pyproject = fs::read_to_string(project.join("pyproject.toml")).unwrap();
    let target = "[tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\nlayer = \"layer.zip\"\n";
    fs::write(project.join("pyproject.toml"), format!("{pyproject}\n{target}")).unwrap();
    let answer: Value = serde_json::from_str(&succeed(&mut run(&project, &["api"]))).unwrap();
    assert_eq!(answer["python"], newest_python().as_str());
    assert!(!project.join("layer.zip").exists() && !project.join("dist").exists());
}

#[test]
fn the_dependencies_may_be_in_layers_that_are_targets() {
    let folder = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(example()).arg(folder.path()));
    let project = folder.path().join("example");
    let pyproject = fs::read_to_string(project.join("pyproject.toml")).unwrap();
    let targets = "[tool.pybundle.target.tally]\nkind = \"layer\"\ndistributions = [\"example-tally\"]\n\
                   [tool.pybundle.target.others]\nkind = \"layer\"\nslim = true\n\
                   [tool.pybundle.target.api]\nkind = \"lambda\"\nhandler = \"app.handler\"\nlayers = [\"tally\", \"others\"]\n";
    let code = fs::read_to_string(project.join("app.py")).unwrap();
    let code = format!("import example_tally\n{code}\nprint(example_tally.__file__)\n");
    fs::write(project.join("app.py"), code).unwrap();
    fs::write(project.join("pyproject.toml"), format!("{pyproject}\n{targets}")).unwrap();
    let (status, out, err) = ran(&mut run(&project, &["api"]));
    assert_eq!(status, 0, "{err}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["python"], newest_python().as_str());
    assert!(err.contains("\n/opt/python/lib/python"), "{err}");
    assert!(!project.join("dist").exists());
}

#[test]
fn an_answer_is_printed_as_the_function_returned_it() {
    let project = project();
    let (status, out, err) = ran(&mut run(project.path(), &["--event", r#"{"b": 1.50, "a": "é"}"#]));
    assert_eq!(status, 0, "{err}");
    let expected = r#"{"z": {"b": 1.5, "a": "é"}, "a": ["/var/task", "/var/task/app.py"], "name": "api", "#;
    assert!(out.starts_with(expected) && out.ends_with("}\n"), "{out}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["arn"], "arn:aws:lambda:us-east-1:123456789012:function:api");
    assert_eq!((&answer["memory"], &answer["user"]), (&json!("512"), &json!(993)));
    let left = answer["left"].as_u64().unwrap();
    assert!((15_000..=20_000).contains(&left), "{left}");
    let lines: Vec<&str> = err.lines().collect();
    let python = newest_python();
    assert!(
        lines[0].starts_with("differs from Lambda: Linux ") && lines[0].contains(&format!(", Python {python}.")),
        "{err}"
    );
    assert_eq!(lines[1], "called with None");
    assert!(lines[2].starts_with("initialized in ") && lines[2].contains(" ms, used "), "{err}");

    let (_, out, err) = ran(&mut run(project.path(), &["--quiet"]));
    assert!(out.starts_with(r#"{"z": {}, "#) && err == "called with None\n", "{out}{err}");
    let (_, out, _) = ran(&mut run(project.path(), &["--json", "--timeout=9", "api"]));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["status"], &report["log"]), (&json!("answered"), &json!("called with None\n")));
    assert_eq!(report["answer"]["a"], json!(["/var/task", "/var/task/app.py"]));
    assert!(report["peak_memory"].as_u64().unwrap() > 1 << 20);
}

#[test]
fn events_come_from_files_and_from_standard_input() {
    let project = project();
    project.write("event.json", b"{\"n\": 1}");
    let answered = |out: &str| serde_json::from_str::<Value>(out).unwrap()["z"].clone();
    assert_eq!(answered(&succeed(&mut run(project.path(), &["--event", "event.json"]))), json!({"n": 1}));
    for (text, event) in [("5", json!(5)), ("true", json!(true)), ("null", json!(null)), ("-1.5", json!(-1.5))] {
        project.write("app.py", b"def handler(event, context):\n    return {\"z\": event}\n");
        assert_eq!(answered(&succeed(&mut run(project.path(), &[&format!("--event={text}")]))), event);
    }
    project.write("5", b"{\"n\": 5}");
    assert_eq!(answered(&succeed(&mut run(project.path(), &["--event=5"]))), json!({"n": 5}));
    for (name, bytes) in [("latin1.json", &b"{\"n\": \"\xe9\"}"[..]), ("empty.json", b"")] {
        project.write(name, bytes);
        let (status, _, err) = ran(&mut run(project.path(), &["--event", name]));
        assert!(status == 1 && err.starts_with(&format!("error: the event in {name} is not valid JSON\n")), "{err}");
    }
    let mut child =
        run(project.path(), &["--event", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"n\": 2}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(answered(&String::from_utf8(output.stdout).unwrap()), json!({"n": 2}));
}

#[test]
fn the_environment_is_lambdas_with_the_variables_of_the_user() {
    let project = project();
    let mut command = run(project.path(), &["--event", r#"{"action": "environment"}"#]);
    command.args([
        "--env",
        "MODE=test=1",
        "--env",
        "TOKEN",
        "--env",
        "ABSENT",
        "--env",
        "AWS_LAMBDA_MAX_CONCURRENCY=2",
    ]);
    command.env("TOKEN", "hunter2").env("OTHER", "not passed on").env("VIRTUAL_ENV", "/nowhere");
    let (status, out, err) = ran(&mut command);
    assert_eq!(status, 0, "{err}");
    let variables: Value = serde_json::from_str(&out).unwrap();
    for (name, value) in [
        ("MODE", "test=1"),
        ("TOKEN", "hunter2"),
        ("_HANDLER", "app.handler"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("AWS_LAMBDA_FUNCTION_NAME", "api"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_EXECUTION_ENV", &format!("AWS_Lambda_python{}", newest_python())),
        ("TZ", ":UTC"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    for name in ["OTHER", "HOME", "VIRTUAL_ENV", "ABSENT", "AWS_LAMBDA_MAX_CONCURRENCY", "PYBUNDLE_CACHE_DIR"] {
        assert!(variables.get(name).is_none(), "{name}");
    }
    assert!(!err.contains("hunter2"), "{err}");
}

#[test]
fn a_search_path_of_the_user_is_before_lambdas() {
    let project = project();
    let event = r#"{"action": "environment"}"#;
    let out = succeed(&mut run(project.path(), &["--env=PYTHONPATH=/opt/mine", "--event", event]));
    let variables: Value = serde_json::from_str(&out).unwrap();
    let path = variables["PYTHONPATH"].as_str().unwrap();
    assert!(path.starts_with("/opt/mine:/var/task:/opt/python/lib/") && path.ends_with(":/var/runtime"), "{path}");
}

#[test]
fn without_bubblewrap_the_function_runs_in_its_own_directory() {
    let project = project();
    let empty = tempfile::tempdir().unwrap();
    let python = format!("python{}", newest_python());
    let interpreter = repository().join("target/test-tools/bin").join(&python);
    let interpreter = fs::canonicalize(interpreter).unwrap_or_else(|_| Path::new("/usr/bin").join(&python));
    std::os::unix::fs::symlink(interpreter, empty.path().join(&python)).unwrap();
    let mut command = run(project.path(), &["--event={}"]);
    command.env("PATH", empty.path());
    let (status, out, err) = ran(&mut command);
    assert_eq!(status, 0, "{err}");
    assert!(err.contains("no sandbox, since bubblewrap is not installed: /var/task is /"), "{err}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert!(answer["a"][0].as_str().unwrap().ends_with("/task"), "{out}");
    assert_ne!(answer["a"][0], "/var/task");

    // What has left the function's process group is not waited for, although it has its standard output open.
    std::os::unix::fs::symlink("/usr/bin/sleep", empty.path().join("sleep")).unwrap();
    let started = Instant::now();
    let mut command = run(project.path(), &["--event", r#"{"action": "daemon"}"#]);
    let (status, _, err) = ran(command.env("PATH", empty.path()).stdin(Stdio::null()));
    assert!(status == 0 && started.elapsed() < Duration::from_secs(5), "{:?}: {err}", started.elapsed());
}

#[test]
fn the_locked_sdk_is_used_instead_of_the_runtimes() {
    let project = project();
    let pyproject = project.read("pyproject.toml");
    project.write("pyproject.toml", format!("{pyproject}exclude-runtime = true\n").as_bytes());
    let (status, _, err) = ran(&mut run(project.path(), &[]));
    assert_eq!(status, 0, "{err}");
    assert!(err.contains(", the locked AWS SDK instead of the runtime's"), "{err}");
}
