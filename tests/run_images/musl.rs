//! Images on bases with musl: what the audits refuse fails in the interpreter, and everything else is imported.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::support::bases::{self, Base, musl};
use crate::support::command::{fail, pybundle, succeed};
use crate::support::docker::docker;
use crate::support::sandbox::Sandbox;
use crate::support::uv::Project;
use crate::tiny::{Content, Member, Tiny};

/// Compiled distributions, each with a module of theirs that is compiled.
const COMPILED: [(&str, &str); 10] = [
    ("aiohttp", "aiohttp._http_parser"),
    ("cryptography", "cryptography.hazmat.bindings._rust"),
    ("grpcio", "grpc._cython.cygrpc"),
    ("lxml", "lxml.etree"),
    ("numpy", "numpy"),
    ("orjson", "orjson"),
    ("pandas", "pandas"),
    ("pillow", "PIL._imaging"),
    ("psycopg2-binary", "psycopg2"),
    ("pydantic-core", "pydantic_core"),
];

/// Returns an application that imports all of them.
fn application() -> Project {
    let names: Vec<String> = COMPILED.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let modules: Vec<&str> = COMPILED.iter().map(|(_, module)| *module).collect();
    let pyproject = format!(
        "[project]\nname = \"compiled\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [{}]\n\
         [project.scripts]\nstart = \"main:main\"\n",
        names.join(", ")
    );
    let main = format!(
        "import {}\n\n\ndef main():\n    print('started')\n\n\nif __name__ == '__main__':\n    main()\n",
        modules.join(", ")
    );
    let project = Project::new(&[("pyproject.toml", &pyproject), ("main.py", &main)]);
    project.uv(&["lock"]);
    project
}

/// Returns the command that builds the image of a project on a base.
fn build(project: &Project, base: &Base, arguments: &[&str]) -> Command {
    let mut command = pybundle(&["image", "--no-progress", "--platform", bases::platform()]);
    command.args(["--base", &base.argument(), "--python", &base.python, "--cmd", "python main.py"]);
    command.args(["--include", "main.py", "-o"]).arg(format!("oci:{}", layout(project).display()));
    command.args(arguments).arg(project.path());
    command
}

fn layout(project: &Project) -> PathBuf {
    project.path().join("image")
}

#[test]
fn ten_compiled_distributions_are_imported_or_refused() {
    let project = application();
    let archive = project.path().join("image.tar");
    let to_docker = format!("docker-archive:{}", archive.display());
    let arguments = ["--slim", "--strip", "--no-compile-bytecode", "-t", "musl:latest", "-o", &to_docker];
    succeed(&mut build(&project, &musl("newer"), &arguments));
    let sandbox = Sandbox::unpack(&layout(&project));
    assert_eq!(succeed(&mut sandbox.run(&[])), "started\n");
    docker().load(&archive);
    assert_eq!(succeed(&mut docker().run("musl:latest", &[], &[])), "started\n");

    let older = musl("older");
    let message = fail(&mut build(&project, &older, &["--no-compile-bytecode"]));
    let errors = message.lines().filter(|line| line.starts_with("error: ") || line.starts_with("  "));
    let errors: Vec<&str> = errors.filter(|line| line.contains(" needs ")).collect();
    std::fs::remove_dir_all(layout(&project)).unwrap();
    succeed(&mut build(&project, &older, &["--no-audit", "--no-compile-bytecode"]));
    let sandbox = Sandbox::unpack(&layout(&project));
    let (mut refused, mut failed) = (BTreeSet::new(), BTreeSet::new());
    for (name, module) in COMPILED {
        if errors.iter().any(|line| line.contains(&format!(" of {name} "))) {
            refused.insert(name);
        }
        let mut command = sandbox.program(&["/app/.venv/bin/python", "-c", &format!("import {module}")]);
        if !command.output().unwrap().status.success() {
            failed.insert(name);
        }
    }
    assert_eq!(refused, failed, "{message}");
    // Newer wheels may need it or not, but these two have for years.
    assert!(["numpy", "pillow"].iter().all(|name| failed.contains(name)), "{message}");
    assert!(failed.len() < COMPILED.len(), "{failed:?}");
    for part in [
        "needs musl 1.2.4 for packed relocations (DT_RELR), but the base of service on",
        " has musl 1.2.3",
        "hint: choose a base with musl 1.2.4 or later with --base, such as Alpine Linux 3.18, or lock a version of numpy",
        "needs libz.so.1, which is neither in the artifact nor in the base of service on",
        "hint: choose a base that has it with --base\n",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(!message.contains("apt"), "{message}");
}

/// Returns a base for arm64 with an interpreter that is never run.
fn arm64(project: &Project, musl: &'static str, members: &[Member]) -> String {
    let file = |path, text| (path, 0o755, 0, Content::Text(text));
    let own = [file("usr/local/bin/python3.11", ""), file("lib/ld-musl-aarch64.so.1", musl)];
    let layout = project.path().join("base");
    let _ = std::fs::remove_dir_all(&layout);
    Tiny::with_files(&[]).members(&[&own[..], members].concat()).architectures(&["arm64"]).write(&layout)
}

#[test]
fn files_for_arm64_are_audited_by_the_same_rules() {
    let project = application();
    let build = |base: &str, arguments: &[&str]| {
        let mut command = pybundle(&["image", "--no-progress", "--no-compile-bytecode", "--platform", "linux/arm64"]);
        command.args(["--python", "3.11", "--cmd", "python main.py", "--include", "main.py", "--base", base, "-o"]);
        command.arg(format!("oci:{}", layout(&project).display())).args(arguments).arg(project.path());
        command
    };
    let in_lib = [("lib/libz.so.1", 0o755, 0, Content::Text(""))];
    let elsewhere = [("opt/lib/libz.so.1", 0o755, 0, Content::Text(""))];
    let listed = [elsewhere[0].clone(), ("etc/ld-musl-aarch64.path", 0o644, 0, Content::Text("/lib\n/opt/lib\n"))];
    for (musl, members, arguments, expected) in [
        ("\x001.2.5\0", &in_lib[..], &[][..], None),
        ("\x001.2.5\0", &elsewhere, &[], Some("needs libz.so.1, which is neither in the artifact nor in")),
        ("\x001.2.5\0", &elsewhere, &["--env", "LD_LIBRARY_PATH=/opt/lib"], None),
        ("\x001.2.5\0", &listed, &[], None),
        ("\x001.2.3\0", &in_lib, &[], Some("needs musl 1.2.4 for packed relocations (DT_RELR), but")),
    ] {
        let base = arm64(&project, musl, members);
        match expected {
            None => {
                succeed(&mut build(&base, arguments));
            }
            Some(expected) => {
                let message = fail(&mut build(&base, arguments));
                assert!(message.contains(expected), "{message}");
            }
        }
    }
    let built = crate::built::image(&layout(&project));
    let modules = built.layers.iter().flat_map(|layer| &layer.members).filter(|member| member.path.ends_with(".so"));
    let names: Vec<&str> = modules.map(|member| member.path.as_str()).collect();
    assert!(names.iter().any(|name| name.ends_with("orjson.cpython-311-aarch64-linux-musl.so")), "{names:?}");
}
