//! Bases with musl: how they are recognized, and what is chosen for them.

use serde_json::Value;

use crate::support::command::{fail, pybundle, succeed};
use crate::support::uv::Project;
use crate::tiny::{Content, Member, Tiny};

const PYTHON: &str = "usr/local/bin/python3.12";
const ALPINE_PYTHON: &[&str] = &["PATH=/usr/local/bin:/bin", "PYTHON_VERSION=3.12.7"];

fn file(path: &'static str, text: &'static str) -> Member {
    (path, 0o755, 0, Content::Text(text))
}

/// Returns musl's file for a version.
fn musl(version: &str) -> Member {
    file("lib/ld-musl-x86_64.so.1", format!("\x7fELF\0libc.so\0{version}\0Version %s\n\0").leak())
}

/// Returns glibc's file, of which the version cannot be read.
fn glibc() -> Member {
    file("usr/lib/x86_64-linux-gnu/libc.so.6", "")
}

/// Returns an interpreter that names a dynamic linker: the header of an ELF file, and one program header (PT_INTERP).
fn python(loader: &str) -> Member {
    let mut text = "\x7fELF\x02\x01\x01".to_owned() + &"\0".repeat(9);
    let mut add = |bytes: &[u8]| text.push_str(std::str::from_utf8(bytes).unwrap());
    // e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags, e_ehsize, e_phentsize, e_phnum, and no sections.
    add(&[3, 0, 62, 0, 1, 0, 0, 0]);
    add(&[[0; 8], [64, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat());
    add(&[0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // p_type, p_flags, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align.
    add(&[3, 0, 0, 0, 4, 0, 0, 0, 120, 0, 0, 0, 0, 0, 0, 0]);
    let length = u8::try_from(loader.len() + 1).unwrap();
    add(&[[0; 8], [0; 8], [length, 0, 0, 0, 0, 0, 0, 0], [0; 8], [0; 8]].concat());
    file(PYTHON, format!("{text}{loader}\0").leak())
}

/// Returns the command that plans the image of a project without dependencies on a base with an interpreter and these files.
fn plan(project: &Project, members: &[Member], environment: &[&str]) -> std::process::Command {
    let mut base = Tiny::with_files(&[]).members(members).architectures(&["amd64"]);
    if !environment.is_empty() {
        base = base.execution(serde_json::json!({ "Env": environment }));
    }
    let layout = project.path().join("base");
    let _ = std::fs::remove_dir_all(&layout);
    let mut command = pybundle(&["image", "--dry-run", "--json", "--python=3.12", "--platform=linux/amd64", "--base"]);
    command.arg(base.write(&layout)).arg(project.path());
    command
}

fn project() -> Project {
    let project = Project::locked(
        "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.12\"\ndependencies = []\n",
    );
    project.write("app.py", b"");
    project
}

#[test]
fn the_c_library_of_the_bases_python_is_found() {
    let project = project();
    let any = || file(PYTHON, "");
    for (members, environment, expected) in [
        (vec![musl("1.2.5"), any()], &[][..], Some("1.2.5")),
        (vec![musl("1.2.3"), any()], ALPINE_PYTHON, Some("1.2.3")),
        (vec![glibc(), any()], ALPINE_PYTHON, None),
        // A base of Debian with the package musl, and one of Alpine Linux with parts of glibc.
        (vec![musl("1.2.5"), glibc(), any()], &[], None),
        (vec![musl("1.2.5"), glibc(), python("/lib64/ld-linux-x86-64.so.2")], &[], None),
        (vec![musl("1.2.5"), glibc(), python("/lib/ld-musl-x86_64.so.1")], &[], Some("1.2.5")),
        (vec![musl("1.2.5"), python("/lib64/ld-linux-x86-64.so.2")], &[], None),
    ] {
        let report: Value = serde_json::from_str(&succeed(&mut plan(&project, &members, environment))).unwrap();
        let target = &report["platforms"][0]["target"];
        let of_glibc = if expected.is_none() { Some("2.36") } else { None };
        assert_eq!((target["musl"].as_str(), target["glibc"].as_str()), (expected, of_glibc), "{target}");
    }
}

#[test]
fn musl_without_a_version_is_an_error() {
    let project = project();
    let message = fail(&mut plan(&project, &[musl("new"), file(PYTHON, "")], &[]));
    assert!(message.contains("the base has musl, but lib/ld-musl-x86_64.so.1 does not state its version"), "{message}");
    assert!(message.contains("hint: choose another base with --base"), "{message}");
    succeed(&mut plan(&project, &[musl("1.2.5"), file(PYTHON, "")], &[]));
}

#[test]
fn a_lock_without_wheels_for_the_c_library_of_the_base_is_an_error() {
    for (tag, members, other, said) in [
        (
            "manylinux_2_17",
            [musl("1.2.5"), file(PYTHON, "")],
            [glibc(), file(PYTHON, "")],
            [
                "demo 1.0 has no wheel for cp312 on musllinux_1_2_x86_64; it has wheels for manylinux_2_17 and later",
                "glibc",
            ],
        ),
        (
            "musllinux_1_1",
            [glibc(), file(PYTHON, "")],
            [musl("1.2.5"), file(PYTHON, "")],
            [
                "demo 1.0 has no wheel for cp312 on manylinux_2_36_x86_64; it has wheels for musllinux_1_1_x86_64",
                "musl",
            ],
        ),
    ] {
        let project =
            Project::new(&[("pyproject.toml", "[project]\nname = \"app\"\nversion = \"1\"\n"), ("app.py", "")]);
        let name = format!("demo-1.0-cp39-abi3-{tag}_x86_64.whl");
        let wheel = crate::support::wheel_with("demo", "1.0", &[("demo.py", b"")]);
        project.write(&name, &wheel);
        let digest = pybundle::digest::Sha256::of(&wheel).hex();
        let lock = format!(
            "lock-version = \"1.0\"\ncreated-by = \"hand\"\n[[packages]]\nname = \"demo\"\nversion = \"1.0\"\n\
             [[packages.wheels]]\npath = \"{name}\"\nhashes = {{ sha256 = \"{digest}\" }}\n"
        );
        project.write("pylock.toml", lock.as_bytes());
        let message = fail(&mut plan(&project, &members, &[]));
        assert!(message.contains(said[0]), "{message}");
        let hint = format!("hint: choose a base with {}, for which it has a wheel, with --base", said[1]);
        assert!(message.contains(&hint), "{message}");
        succeed(&mut plan(&project, &other, &[]));
    }
}
