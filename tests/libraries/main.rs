//! The audit of compiled files: artifacts with one defect each, applications with real distributions and no defect, and
//! whether both run in Lambda's emulator and in containers.
#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod applications;
mod by_name;
mod compiled;
mod defects;
mod followed_hints;
mod loaded;
mod runs;
mod tags;

use std::path::PathBuf;
use std::process::Command;

use support::command::pybundle;
use support::uv::Project;

/// A project whose lock contains only wheels in its own directory.
struct WheelProject {
    files: Project,
}

impl WheelProject {
    /// Creates a project with these wheels, given by file name and content.
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
        Self { files: project }
    }

    /// Returns the command that builds a function for a runtime on the architecture of this machine.
    fn lambda(&self, runtime: &str) -> Command {
        let mut command = pybundle(&["lambda", "--runtime", runtime, "--arch", support::lambda::architecture()]);
        command.args(["--exclude", "*.whl", "-o"]).arg(self.output()).arg(self.files.path());
        command
    }

    fn output(&self) -> PathBuf {
        self.files.path().join("out.zip")
    }
}
