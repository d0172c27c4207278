//! The audit of shared libraries: artifacts with one defect each, made of compiled modules, and applications of real
//! distributions without any; and what the emulator and a container make of both.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod applications;
mod compiled;
mod defects;
mod runs;

use std::path::PathBuf;
use std::process::Command;

use support::command::pybundle;
use support::uv::Project;

/// A project whose lock has nothing but wheels of its own folder.
struct Workbench {
    project: Project,
}

impl Workbench {
    /// Makes a project with these wheels, by their file names.
    fn new(wheels: &[(&str, Vec<u8>)]) -> Self {
        let project = Project::new(&[
            ("pyproject.toml", "[project]\nname = \"app\"\nversion = \"1\"\n"),
            ("app.py", "import demo\n"),
        ]);
        let mut lock = "lock-version = \"1.0\"\ncreated-by = \"hand\"\n".to_owned();
        for (name, bytes) in wheels {
            project.write(name, bytes);
            let (distribution, version) = (name.split('-').next().unwrap(), name.split('-').nth(1).unwrap());
            let digest = pybundle::digest::Sha256::of(bytes).hex();
            lock.push_str(&format!(
                "[[packages]]\nname = \"{distribution}\"\nversion = \"{version}\"\n\
                 [[packages.wheels]]\npath = \"{name}\"\nhashes = {{ sha256 = \"{digest}\" }}\n"
            ));
        }
        project.write("pylock.toml", lock.as_bytes());
        Self { project }
    }

    /// Returns the command that builds a function of a runtime, on this machine's architecture.
    fn lambda(&self, runtime: &str) -> Command {
        let mut command = pybundle(&["lambda", "--runtime", runtime, "--arch", support::lambda::architecture()]);
        command.args(["--exclude", "*.whl", "-o"]).arg(self.output()).arg(self.project.path());
        command
    }

    fn output(&self) -> PathBuf {
        self.project.path().join("out.zip")
    }
}
