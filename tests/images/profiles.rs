//! Built-in and custom profiles.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::command::{pybundle, succeed};
use crate::tiny::Tiny;
use crate::workshop::Workshop;

/// Writes a profile that is the built-in `service` but for these lines.
fn write(path: &Path, changes: &[(&str, &str)]) {
    let mut text = succeed(&mut pybundle(&["profile", "show", "service"]));
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    fs::write(path, text).unwrap();
}

#[test]
fn a_custom_profile_sets_everything() {
    let workshop = Workshop::new();
    fs::create_dir(workshop.path("profiles")).unwrap();
    Tiny::with_files(&["usr/bin/python3.11"]).write(&workshop.path("profiles/base"));
    write(
        &workshop.path("profiles/mine.toml"),
        &[
            ("name = \"service\"", "name = \"mine\""),
            ("base = \"docker.io/library/python:{python}-slim\"", "base = \"oci:base\""),
            ("pythons = [\"3.9\", \"3.10\", \"3.11\", \"3.12\", \"3.13\", \"3.14\", \"3.15\"]", "pythons = [\"3.11\"]"),
            ("/app", "/srv/code"),
            ("\"app", "\"srv/code"),
            ("65532:65532", "1234"),
            ("PYTHONUNBUFFERED = \"1\"", "PYTHONUNBUFFERED = \"{python}$$\""),
        ],
    );
    // The base is relative to the profile, wherever the command is run.
    let image = workshop.run(&mut workshop.without_base(&["--profile=profiles/mine.toml"]));
    assert_eq!(image.execution()["User"], "1234");
    assert_eq!(image.execution()["WorkingDir"], "/srv/code");
    assert_eq!(image.env("VIRTUAL_ENV").unwrap(), "/srv/code/.venv");
    assert_eq!(image.env("PYTHONUNBUFFERED").unwrap(), "3.11$");
    assert_eq!(image.link("srv/code/.venv/bin/python"), "/usr/bin/python3.11");
    assert!(image.tree().keys().all(|path| path.starts_with("srv")));
    let mut report = workshop.without_base(&["--profile=profiles/mine.toml", "--output=oci:out", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&succeed(&mut report)).unwrap();
    assert_eq!(report["profile"], "mine");
    assert_eq!(report["base"]["name"], "oci:profiles/base");
}

#[test]
fn an_invalid_profile_is_an_error_with_the_line() {
    let workshop = Workshop::new();
    for (change, expected) in [
        (("workdir =", "workdri ="), "`workdri` is not a valid key in a profile"),
        (("kind = \"image\"", "kind = \"picture\""), "mine.toml:9: "),
        (("glibc = \"2.36\"", "glibc = \"new\""), "mine.toml:"),
        (("entrypoint = \"reset\"", "entrypoint = \"keep\""), "mine.toml:"),
        (("PATH = \"/app/.venv/bin:${PATH}\"", "PATH = \"$PATH\""), "hint: write `$$` for a literal `$`"),
        (("workdir = \"/app\"", "workdir = \"app\""), "`app` is not an absolute path"),
        (("architectures = [\"x86_64\", \"arm64\"]", "architectures = [\"arm64\"]"), "is not available for x86_64"),
    ] {
        write(&workshop.path("mine.toml"), &[change]);
        let said = workshop.fail(&mut workshop.command(&["--profile=mine.toml"]));
        assert!(said.contains(expected), "{change:?}: {said}");
    }
    let said = workshop.fail(&mut workshop.command(&["--profile=servise"]));
    assert!(said.contains("profile `servise` does not exist") && said.contains("did you mean `service`?"), "{said}");
    let said = workshop.fail(&mut workshop.command(&["--profile=python3.12"]));
    assert!(said.contains("kind `lambda`") && said.contains("use it with `pybundle lambda`"), "{said}");
    let said = workshop.fail(&mut workshop.command(&["--profile=nowhere.toml"]));
    assert!(said.contains("nowhere.toml"), "{said}");
}

#[test]
fn a_lambda_image_has_what_lambda_supports() {
    let workshop = Workshop::new();
    let base = json!({
        "Env": ["PATH=/var/lang/bin:/bin", "LAMBDA_TASK_ROOT=/var/task"],
        "Entrypoint": ["/lambda-entrypoint.sh"],
        "WorkingDir": "/var/task",
    });
    Tiny::with_files(&["var/lang/bin/python3.12"]).execution(base).write(&workshop.path("base"));
    let build = |arguments: &[&str]| workshop.command(&[&["--profile=lambda-image"], arguments].concat());
    for handler in ["--cmd=app.handler", "--handler=app.handler", "--cmd=[\"app.handler\"]"] {
        let image = workshop.run(&mut build(&[handler]));
        assert_eq!(image.execution()["Cmd"], json!(["app.handler"]));
        assert_eq!(image.execution()["Entrypoint"], json!(["/lambda-entrypoint.sh"]));
        assert_eq!(image.manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
        assert!(image.layers.iter().all(|layer| layer.form == "tar+gzip"));
        assert!(image.file("var/task/app.py").contains("def handler"));
        assert!(
            image.tree().contains_key("var/task/example_greeting/__init__.py")
                || image.tree().contains_key("var/task/example_greeting.py")
        );
        assert!(image.tree().keys().all(|path| path.starts_with("var") && !path.contains(".venv")));
    }
    let printed = succeed(&mut build(&["--cmd=app.handler"]));
    assert!(printed.contains("command   app.handler, with the base's entrypoint\n"), "{printed}");
    fs::remove_dir_all(workshop.path("project/dist")).unwrap();
    for (arguments, expected) in [
        (&[][..], &["lambda-image requires a handler", "--cmd MODULE.FUNCTION"][..]),
        (&["--cmd=app.handler more"], &["lambda-image requires a handler"]),
        (&["--cmd=app"], &["app"]),
        (&["--cmd=app.handlr"], &["app.py does not define `handlr`", "did you mean `app.handler`?"]),
        (&["--cmd=ap.handler"], &["no module `ap`"]),
        (
            &["--cmd=app.handler", "--compression=zstd"],
            &["lambda-image does not support layers compressed with zstd", "every target supports gzip"],
        ),
    ] {
        let said = workshop.fail(&mut build(arguments));
        assert!(expected.iter().all(|part| said.contains(part)), "{arguments:?}: {said}");
    }
}

#[test]
fn an_image_that_is_too_large_is_an_error_unless_allowed() {
    let workshop = Workshop::new();
    let mut text = succeed(&mut pybundle(&["profile", "show", "lambda-image"]));
    text = text.replace("10_737_418_240", "10_000").replace("public.ecr.aws/lambda/python:{python}", "oci:base");
    fs::write(workshop.path("small.toml"), text).unwrap();
    workshop.write("shop/model.bin", vec![0; 20_000]);
    let arguments = ["--profile=small.toml", "--cmd=app.handler"];
    let said = workshop.fail(&mut workshop.command(&arguments));
    assert!(said.contains("lambda-image allows 10000") && said.contains("hint: pass --allow-oversize"), "{said}");
    workshop.build(&[&arguments[..], &["--allow-oversize"]].concat());
}

#[test]
fn a_base_without_a_digest_cannot_be_pinned() {
    let workshop = Workshop::new();
    let said = workshop.fail(&mut workshop.without_base(&["--pin"]));
    assert!(said.contains("cannot pin the base image") && said.contains("[tool.pybundle]"), "{said}");
    let pyproject = fs::read_to_string(workshop.path("project/pyproject.toml")).unwrap();
    for base in ["oci:base", "scratch"] {
        workshop.write("pyproject.toml", format!("{pyproject}\n[tool.pybundle]\nbase = \"{base}\"\n"));
        let said = workshop.fail(&mut workshop.without_base(&["--pin"]));
        assert!(said.contains(&format!("cannot pin `{base}`: it does not name an image by its tag")), "{said}");
    }
    let digest = "0".repeat(64);
    workshop.write("pyproject.toml", format!("{pyproject}\n[tool.pybundle]\nbase = \"python@sha256:{digest}\"\n"));
    let said = workshop.fail(&mut workshop.without_base(&["--pin"]));
    assert!(said.contains("it does not name an image by its tag"), "{said}");
    for (more, expected) in
        [("--base=oci:base", "--base"), ("--output=oci:out", "--output"), ("--dry-run", "--dry-run")]
    {
        let run = workshop.without_base(&["--pin", more]).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.code() == Some(2) && said.contains(expected), "{said}");
    }
}
