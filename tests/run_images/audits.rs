//! Images that fail the audits do not start in Docker, and those that pass do.

use std::process::Command;

use crate::support::bases;
use crate::support::command::{fail, pybundle, succeed};
use crate::support::docker::docker;
use crate::support::uv::Project;

/// Returns an application of two modules and no dependencies; `imports` are what the second one begins with.
fn application(imports: &str) -> Project {
    let helper = format!("{imports}\n\ndef help():\n    return 'helped'\n");
    Project::new(&[("main.py", "import helper\n\nprint(helper.help())\n"), ("helper.py", &helper)])
}

/// Returns the command that builds the image of an application into an archive.
fn build(project: &Project, name: &str) -> Command {
    let base = bases::slim();
    let archive = format!("docker-archive:{}", project.path().join("image.tar").display());
    let mut command = pybundle(&["image", "--no-compile-bytecode", "--platform", bases::platform()]);
    command.args(["--base", &base.argument(), "--python", &base.python, "--cmd", "python main.py", "-t", name]);
    command.args(["--include", "main.py", "--include", "helper.py", "-o", &archive]).arg(project.path());
    command
}

#[test]
fn docker_agrees_on_modules() {
    for (name, imports) in
        [("whole:1", "import json"), ("whole:2", "try:\n    import absent\nexcept ImportError:\n    pass")]
    {
        let whole = application(imports);
        succeed(&mut build(&whole, name));
        docker().load(&whole.path().join("image.tar"));
        assert_eq!(succeed(&mut docker().run(name, &[], &[])), "helped\n", "{imports}");
    }
    for (name, imports, place, raised) in [
        ("broken:1", "import absent", "helper.py:1", "No module named 'absent'"),
        ("broken:2", "from . import nothing", "helper.py:1", "attempted relative import"),
        ("broken:3", "x = = 1", "helper.py:1", "invalid syntax"),
    ] {
        let broken = application(imports);
        let message = fail(&mut build(&broken, name));
        assert!(message.contains(place), "{message}");
        succeed(build(&broken, name).arg("--no-audit"));
        docker().load(&broken.path().join("image.tar"));
        let output = docker().run(name, &[], &[]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(raised), "{imports}: {said}");
    }
}
