//! Hints about bases and files of images: each is followed, and then the image is built.

use std::fs;
use std::process::Command;

use crate::support::command::succeed;
use crate::tiny::{Content, Tiny};
use crate::workshop::Workshop;

#[test]
fn the_base_or_the_project_is_changed_to_the_version_of_python_that_both_have() {
    let workshop = Workshop::new();
    fs::write(workshop.path("project/.python-version"), "3.11\n").unwrap();
    let said = workshop.fail(&mut workshop.command(&[]));
    let hint = "hint: change `.python-version`, or use `--python 3.12`, or choose a base image with that version\n";
    assert!(said.ends_with(hint), "{said}");
    workshop.report(&["--output=oci:out", "--python=3.12"]);
    Tiny::with_files(&["usr/local/bin/python3.11"]).write(&workshop.path("base"));
    workshop.report(&["--output=oci:out"]);
    Tiny::python().write(&workshop.path("base"));
    fs::write(workshop.path("project/.python-version"), "3.12\n").unwrap();
    workshop.report(&["--output=oci:out"]);

    fs::remove_file(workshop.path("project/.python-version")).unwrap();
    let require = |version: &str| {
        let pyproject = fs::read_to_string(workshop.path("project/pyproject.toml")).unwrap();
        let start = pyproject.find("requires-python = ").unwrap();
        let line = pyproject[start..].lines().next().unwrap();
        workshop.write("pyproject.toml", pyproject.replace(line, &format!("requires-python = \"{version}\"")));
        succeed(Command::new("uv").args(["lock", "--quiet"]).current_dir(workshop.path("project")));
    };
    require(">=3.13");
    let said = workshop.fail(&mut workshop.command(&[]));
    let hint = "hint: choose a base image with a compatible Python, or change requires-python in pyproject.toml and lock \
                again\n";
    assert!(said.ends_with(hint), "{said}");
    Tiny::with_files(&["usr/local/bin/python3.13"]).write(&workshop.path("base"));
    workshop.report(&["--output=oci:out"]);
    Tiny::python().write(&workshop.path("base"));
    require(">=3.12");
    workshop.report(&["--output=oci:out"]);
}

#[test]
fn a_user_needs_no_entry_in_a_file_that_is_a_link() {
    let workshop = Workshop::new();
    Tiny::python().members(&[("etc/passwd", 0o777, 0, Content::Link("../run/passwd"))]).write(&workshop.path("base"));
    let said = workshop.fail(&mut workshop.command(&["--add-user", "app"]));
    assert!(said.contains("cannot add user app:1000:1000: the base's /etc/passwd is a symbolic link"), "{said}");
    assert!(said.ends_with("\nhint: use --user UID:GID, which needs no entry in these files\n"), "{said}");
    let image = workshop.build(&["--user=1000:1000", "--platform=linux/amd64"]);
    assert_eq!(image.config["config"]["User"], "1000:1000");
}

#[test]
fn a_file_that_a_wheel_has_with_another_owner_is_included_once_or_elsewhere() {
    let workshop = Workshop::new();
    let module = "app/.venv/lib/python3.12/site-packages/example_greeting/__init__.py";
    workshop.write("copy.py", workshop.build(&["--platform=linux/amd64"]).file(module));
    let pyproject = fs::read_to_string(workshop.path("project/pyproject.toml")).unwrap();
    let include = |destination: &str| {
        let include = format!("include = [{{ path = \"copy.py\", to = \"{destination}\", owner = \"1:1\" }}]\n");
        workshop.write("pyproject.toml", format!("{pyproject}\n[tool.pybundle]\n{include}"));
    };
    include(&format!("/{module}"));
    let said = workshop.fail(&mut workshop.command(&[]));
    assert!(said.contains("with different modes or owners"), "{said}");
    assert!(said.ends_with("\nhint: include the file once, or give it another destination\n"), "{said}");
    include("/srv/copy.py");
    workshop.report(&["--output=oci:out"]);
    workshop.write("pyproject.toml", &*pyproject);
    workshop.report(&["--output=oci:out"]);
}

/// Encrypted layers are the ones that tools of today still write.
#[test]
fn a_base_whose_layers_are_encrypted_is_replaced_by_one_whose_layers_are_not() {
    let workshop = Workshop::new();
    let run = |command: &str| succeed(Command::new("sh").args(["-c", command]).current_dir(workshop.path("")));
    run("openssl genrsa -out private.pem 2048 && openssl rsa -in private.pem -pubout -out public.pem");
    let copy = "skopeo --insecure-policy copy --quiet";
    Tiny::python().architectures(&["amd64"]).write(&workshop.path("plain"));
    fs::remove_dir_all(workshop.path("base")).unwrap();
    run(&format!("{copy} --encryption-key jwe:public.pem oci:plain oci:base"));
    let said = workshop.fail(&mut workshop.command(&["--platform=linux/amd64"]));
    assert!(said.contains("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"), "{said}");
    assert!(said.ends_with("\nhint: choose a base whose layers are tar archives\n"), "{said}");
    run(&format!("{copy} --decryption-key private.pem oci:base oci:decrypted"));
    for base in ["plain", "decrypted"] {
        let mut command = workshop.without_base(&["--platform=linux/amd64"]);
        workshop.run(command.arg(format!("--base=oci:{base}")));
    }
}
