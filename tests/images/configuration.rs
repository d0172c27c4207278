//! The image config: settings from flags, the profile and the project, and labels from git.

use std::fs;

use serde_json::{Value, json};

use crate::projects;
use crate::tiny::Tiny;
use crate::workshop::Workshop;

#[test]
fn entrypoint_and_command_are_arguments_or_an_array() {
    let workshop = Workshop::new();
    for (text, words) in [
        ("python app.py", json!(["python", "app.py"])),
        (r#"sh -c 'echo "a b"' "" x"#, json!(["sh", "-c", "echo \"a b\"", "", "x"])),
        (r#"["python", "-c", "print('a b')"]"#, json!(["python", "-c", "print('a b')"])),
        (" [\"one\"]", json!(["one"])),
    ] {
        for (flag, name, other) in [("--entrypoint", "Entrypoint", "Cmd"), ("--cmd", "Cmd", "Entrypoint")] {
            let image = workshop.build(&[flag, text, "--no-audit"]);
            assert_eq!(image.execution()[name], words, "{flag} {text}");
            assert_eq!(image.execution().get(other), None);
        }
    }
    let image = workshop.build(&["--entrypoint=gunicorn", "--cmd=app:app --bind=:8000", "--no-audit"]);
    assert_eq!(image.execution()["Entrypoint"], json!(["gunicorn"]));
    assert_eq!(image.execution()["Cmd"], json!(["app:app", "--bind=:8000"]));
    for wrong in ["'open", "[1, 2]", "[\"open\"", "{}["] {
        let run = workshop.command(&["--no-audit", "--entrypoint", wrong]).output().unwrap();
        let is_word = wrong == "{}[";
        assert_eq!(run.status.code(), Some(if is_word { 0 } else { 2 }), "{wrong}");
    }
}

#[test]
fn flags_beat_the_profile_and_the_base() {
    let workshop = Workshop::new();
    let image = workshop.build(&[
        "--env=PYTHONUNBUFFERED=0",
        "--env=PATH=/mine:$PATH",
        r"--env=GREETING=a=b \${HOME} \$",
        "--env=EMPTY=",
        "--env=EMPTY=twice",
        "--user=1000",
        "--workdir=/srv",
        "--expose=8000",
        "--expose=53/udp",
        "--expose=8000/tcp",
        "--label=org.opencontainers.image.title=mine",
        "--label=a.b=c=d",
        "--annotation=org.example.key=value",
    ]);
    for (name, value) in [
        ("PYTHONUNBUFFERED", "0"),
        ("PATH", "/mine:/app/.venv/bin:/usr/local/bin:/usr/bin:/bin"),
        ("GREETING", "a=b ${HOME} $"),
        ("EMPTY", "twice"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("VIRTUAL_ENV", "/app/.venv"),
        ("PYTHONPATH", "/app"),
    ] {
        assert_eq!(image.env(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(image.execution()["User"], "1000");
    assert_eq!(image.execution()["WorkingDir"], "/srv");
    assert_eq!(image.execution()["ExposedPorts"], json!({ "53/udp": {}, "8000/tcp": {} }));
    assert_eq!(image.label("org.opencontainers.image.title"), "mine");
    assert_eq!(image.label("a.b"), "c=d");
    assert_eq!(image.manifest["annotations"]["org.example.key"], "value");
    assert!(image.manifest["annotations"]["org.opencontainers.image.base.digest"].is_string());

    let both = "--platform=linux/amd64,linux/arm64";
    let (_place, layout) = workshop.layout(&mut workshop.command(&[both, "--annotation=k=v"]));
    let top: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let digest = top["manifests"][0]["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
    let index: Value = serde_json::from_slice(&fs::read(layout.join(digest)).unwrap()).unwrap();
    assert_eq!(index["annotations"]["k"], "v");
}

#[test]
fn what_a_base_loses_is_kept_or_named() {
    let workshop = Workshop::new();
    let execution = json!({ "Env": ["PATH=/usr/bin", "PYTHONPATH=/opt/shared"], "Entrypoint": ["/entry.sh", "serve"] });
    Tiny::python().execution(execution).write(&workshop.path("base"));
    let warned = |arguments: &[&str]| workshop.report(&[arguments, &["--output=oci:out"]].concat());
    let image = workshop.build(&[]);
    assert_eq!(image.env("PYTHONPATH").as_deref(), Some("/app:/opt/shared"));
    assert_eq!(workshop.build(&["--env=PYTHONPATH=/mine"]).env("PYTHONPATH").as_deref(), Some("/mine"));
    let warning =
        "the entrypoint of the base, `/entry.sh serve`, is not used: to keep it, pass --entrypoint '/entry.sh serve'";
    assert!(warned(&[])["warnings"].to_string().contains(warning), "{}", warned(&[])["warnings"]);
    let mine = warned(&["--env=PYTHONPATH=/mine"])["warnings"].to_string();
    let (_, flag) =
        mine.split_once("`PYTHONPATH` replaces that of the base, `/opt/shared`: to keep it, pass --env '").unwrap();
    let kept = workshop.build(&["--env", flag.split_once('\'').unwrap().0]);
    assert_eq!(kept.env("PYTHONPATH").as_deref(), Some("/mine:/app:/opt/shared"));
    let kept = workshop.build(&["--entrypoint", "/entry.sh serve", "--no-audit"]);
    assert_eq!(kept.execution()["Entrypoint"], json!(["/entry.sh", "serve"]));
    assert!(!warned(&["--entrypoint=", "--cmd=python"])["warnings"].to_string().contains("entrypoint"));
}

#[test]
fn containers_are_watched_and_stopped_as_docker_is_told() {
    let workshop = Workshop::new();
    let image = workshop.build(&[
        "--healthcheck=python -c 'import app'",
        "--healthcheck-interval=1m30s",
        "--healthcheck-timeout=5s",
        "--healthcheck-start-period=500ms",
        "--healthcheck-retries=2",
        "--stop-signal=SIGINT",
        "--volume=/data",
        "--volume=/cache",
        "--shell=/bin/bash -c",
        "--allow-missing=/bin/bash",
    ]);
    let execution = image.execution();
    let expected = json!({
        "Test": ["CMD-SHELL", "python -c 'import app'"],
        "Interval": 90_000_000_000_u64, "Timeout": 5_000_000_000_u64, "StartPeriod": 500_000_000, "Retries": 2
    });
    assert_eq!(execution["Healthcheck"], expected);
    assert_eq!(execution["StopSignal"], "SIGINT");
    assert_eq!(execution["Volumes"], json!({ "/cache": {}, "/data": {} }));
    assert_eq!(execution["Shell"], json!(["/bin/bash", "-c"]));
    let image = workshop.build(&["--healthcheck=[\"/probe\"]", "--allow-missing=/probe"]);
    assert_eq!(image.execution()["Healthcheck"], json!({ "Test": ["CMD", "/probe"] }));
    for wrong in [
        &["--healthcheck-interval=30s"][..],
        &["--healthcheck=true", "--healthcheck-timeout=0s"],
        &["--stop-signal=NOPE"],
        &["--volume=data"],
    ] {
        let run = workshop.command(wrong).output().unwrap();
        assert_eq!(run.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn invalid_values_are_errors() {
    let workshop = Workshop::new();
    let said = workshop.fail(&mut workshop.command(&["--workdir=srv"]));
    assert!(said.contains("`srv` is not an absolute path") && said.contains("`/srv`"), "{said}");
    let said = workshop.fail(&mut workshop.command(&["--env=SECRET=s3$ret"]));
    assert!(said.contains("error: the value of `SECRET` refers to `$ret`, which is not set in the image"), "{said}");
    assert!(said.contains(r"hint: write `\$` for a literal `$`") && !said.contains("s3"), "{said}");
    assert_eq!(workshop.build(&[r"--env=SECRET=s3\$ret"]).env("SECRET").as_deref(), Some("s3$ret"));
    for wrong in [
        "--env=NAME",
        "--env==value",
        "--label=name",
        "--annotation==x",
        "--expose=0",
        "--expose=99999",
        "--expose=80/icmp",
        "--expose=http",
    ] {
        let run = workshop.command(&[wrong]).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{wrong}: {said}");
    }
}

#[test]
fn the_only_console_script_of_the_project_is_the_entrypoint() {
    for (scripts, entrypoint) in
        [(&["serve"][..], Some(json!(["/app/.venv/bin/serve"]))), (&["serve", "migrate"], None), (&[], None)]
    {
        let workshop = Workshop::empty();
        projects::write_package(&workshop, scripts);
        let image = workshop.build(&["--cmd", "--verbose", "--no-audit"]);
        assert_eq!(image.execution().get("Entrypoint"), entrypoint.as_ref(), "{scripts:?}");
        assert_eq!(image.execution()["Cmd"], json!(["--verbose"]));
        assert_eq!(image.label("org.opencontainers.image.title"), "demo");
        assert_eq!(image.label("org.opencontainers.image.version"), "1.2.3");
        assert!(image.file("app/.venv/lib/python3.12/site-packages/demo/__init__.py").contains("def main"));
        for script in scripts {
            assert!(image.file(&format!("app/.venv/bin/{script}")).starts_with("#!/app/.venv/bin/python\n"));
            assert_eq!(image.tree()[&format!("app/.venv/bin/{script}")].mode, 0o755);
        }
        if !scripts.is_empty() {
            let given = workshop.build(&["--entrypoint=python -m demo", "--no-audit"]);
            assert_eq!(given.execution()["Entrypoint"], json!(["python", "-m", "demo"]));
            let none = workshop.build(&["--entrypoint=", "--no-audit"]);
            assert_eq!(none.execution().get("Entrypoint"), None);
            // A command that names an executable is no argument of the script.
            for command in ["python -m demo", "serve --verbose", "/usr/bin/env serve", "sh -c serve"] {
                let own = workshop.build(&["--cmd", command, "--no-audit"]);
                assert_eq!(own.execution().get("Entrypoint"), None, "{command}");
            }
        }
    }
}

#[test]
fn a_console_script_of_a_dependency_is_not_the_entrypoint() {
    let workshop = Workshop::new();
    assert_eq!(workshop.build(&[]).execution().get("Entrypoint"), None);
}

#[test]
fn the_revision_is_a_label_if_everything_is_committed() {
    let revision = "org.opencontainers.image.revision";
    let source = "org.opencontainers.image.source";
    let workshop = Workshop::new();
    let state = || {
        let image = workshop.build(&[]);
        (image.label(revision).clone(), image.label(source).clone())
    };
    assert_eq!(state(), (Value::Null, Value::Null));
    projects::git(&workshop, &["init", "--quiet"]);
    assert_eq!(state(), (Value::Null, Value::Null));
    projects::git(&workshop, &["add", "."]);
    projects::git(&workshop, &["commit", "--quiet", "--message", "one"]);
    let commit = projects::git(&workshop, &["rev-parse", "HEAD"]);
    assert_eq!(state(), (json!(commit), Value::Null));
    projects::git(&workshop, &["remote", "add", "origin", "https://user:s3cret@example.org/team/app.git"]);
    assert_eq!(state(), (json!(commit), json!("https://example.org/team/app")));
    let given = workshop.build(&["--label", &format!("{revision}=mine")]);
    assert_eq!(given.label(revision), "mine");

    let app = fs::read_to_string(workshop.path("project/app.py")).unwrap();
    workshop.write("app.py", format!("{app}# changed\n"));
    assert_eq!(state(), (Value::Null, Value::Null));
    workshop.write("app.py", app);
    assert_eq!(state().0, json!(commit));
    workshop.write("new.py", "");
    assert_eq!(state(), (Value::Null, Value::Null));
}

#[test]
fn the_default_output_does_not_make_the_work_tree_dirty() {
    let workshop = Workshop::new();
    projects::git(&workshop, &["init", "--quiet"]);
    workshop.write(".gitignore", "dist/\n");
    projects::git(&workshop, &["add", "."]);
    projects::git(&workshop, &["commit", "--quiet", "--message", "one"]);
    let digest = || workshop.report(&[])["digest"].clone();
    assert_eq!(digest(), digest());
    assert!(workshop.path("project/dist/example.tar").is_file());
}
