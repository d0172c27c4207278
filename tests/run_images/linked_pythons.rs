//! Bases whose Python is a link into another prefix, as uv and python-build-standalone install it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::bases;
use crate::support::command::succeed;
use crate::support::docker::docker;
use crate::workshop::Workshop;

/// What prints where Python believes to be, and imports a distribution and a module that is compiled.
const CODE: &str = "import sys, ctypes, example_banner; print(sys.prefix, sys.base_prefix)";

/// Returns the layout of a copy of the slim base, whose interpreter is moved to a directory. `/usr/local/bin` has links to it.
fn base(directory: &Path, prefix: &str) -> PathBuf {
    let slim = bases::slim();
    let (layout, bundle) = (directory.join("layout"), directory.join("bundle"));
    succeed(Command::new("cp").arg("-r").arg(&slim.layout).arg(&layout));
    let image = format!("{}:latest", layout.display());
    succeed(Command::new("umoci").args(["unpack", "--rootless", "--image", &image]).arg(&bundle));
    let root = bundle.join("rootfs");
    let target = root.join(prefix);
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::rename(root.join("usr/local"), &target).unwrap();
    fs::create_dir_all(root.join("usr/local/bin")).unwrap();
    for name in [format!("python{}", slim.python), "python3".to_owned()] {
        std::os::unix::fs::symlink(format!("/{prefix}/bin/{name}"), root.join("usr/local/bin").join(name)).unwrap();
    }
    succeed(Command::new("chmod").arg("0700").arg(root.join("root")));
    succeed(Command::new("umoci").args(["repack", "--image", &image]).arg(&bundle));
    // Without the version in the environment, which official images have: the interpreter is searched for.
    let env = "PATH=/usr/local/bin:/usr/bin:/bin";
    succeed(Command::new("umoci").args(["config", "--image", &image, "--clear=config.env", "--config.env", env]));
    layout
}

/// Returns `pybundle image` on a base, with a command that prints prefixes.
fn build(workshop: &Workshop, base: &Path, arguments: &[&str]) -> Command {
    let base = format!("--base=oci:{}", base.display());
    let command = format!("--cmd=[\"python\", \"-c\", \"{CODE}\"]");
    let platform = format!("--platform={}", bases::platform());
    workshop.without_base(&[&[&*base, &command, &platform, "--output=docker-archive:image.tar"], arguments].concat())
}

#[test]
fn an_interpreter_behind_a_link_finds_its_library() {
    let workshop = Workshop::new();
    let directory = tempfile::tempdir().unwrap();
    let prefix = "opt/uv/python/cpython-3-linux";
    let base = base(directory.path(), prefix);
    succeed(&mut build(&workshop, &base, &["--tag=linked:1"]));
    docker().load(&workshop.path("image.tar"));
    assert_eq!(succeed(&mut docker().run("linked:1", &[], &[])), format!("/app/.venv /{prefix}\n"));
}

#[test]
fn an_interpreter_that_the_user_cannot_reach_is_an_error() {
    let workshop = Workshop::new();
    let directory = tempfile::tempdir().unwrap();
    let prefix = "root/.local/share/uv/python/cpython-3-linux";
    let base = base(directory.path(), prefix);
    let said = workshop.fail(&mut build(&workshop, &base, &["--tag=linked:2"]));
    let path = format!("/usr/local/bin/python{}", bases::slim().python);
    assert!(said.contains(&format!("`{path}`: the user 65532:65532 may not enter /root")), "{said}");
    assert!(said.contains("or choose another user with --user"), "{said}");

    // Docker agrees, and the hint works.
    succeed(&mut build(&workshop, &base, &["--tag=linked:2", "--no-audit"]));
    docker().load(&workshop.path("image.tar"));
    assert!(!docker().run("linked:2", &[], &[]).output().unwrap().status.success());
    succeed(&mut build(&workshop, &base, &["--tag=linked:3", "--user=root"]));
    docker().load(&workshop.path("image.tar"));
    assert_eq!(succeed(&mut docker().run("linked:3", &[], &[])), format!("/app/.venv /{prefix}\n"));
}
