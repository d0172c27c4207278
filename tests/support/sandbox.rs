//! Runs images without a container engine: umoci unpacks them, and bubblewrap runs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::answer::{Answer, Request, ask};
use super::command::succeed;

/// An unpacked image.
///
/// Its commands run with a read-only root, an empty `/tmp`, only a loopback interface, and the user, environment and working
/// directory of the image. Unlike in a container, all files belong to the user, so files that only root may read are readable.
pub struct Sandbox {
    folder: tempfile::TempDir,
    process: Process,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
}

/// The `process` object of the OCI runtime specification, which umoci derives from the image's configuration.
#[derive(serde::Deserialize)]
struct Process {
    user: User,
    env: Vec<String>,
    cwd: String,
}

#[derive(serde::Deserialize)]
struct User {
    uid: u32,
    gid: u32,
}

impl Sandbox {
    /// Unpacks the image with the tag `latest` of an OCI layout. Of an image index, that is the image for this machine.
    pub fn unpack(layout: &Path) -> Self {
        Self::unpack_tag(layout, "latest")
    }

    /// Unpacks the image with a tag.
    pub fn unpack_tag(layout: &Path, tag: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // umoci does not select an image of an index.
        let own = format!("oci:{}:latest", folder.path().join("layout").display());
        let source = format!("oci:{}:{tag}", layout.display());
        succeed(Command::new("skopeo").args(["copy", "--quiet", "--insecure-policy", &source, &own]));
        let image = own.strip_prefix("oci:").unwrap();
        let bundle = folder.path().join("bundle");
        succeed(Command::new("umoci").args(["unpack", "--rootless", "--image", image]).arg(&bundle));
        let config: Value = read(&bundle.join("config.json"));
        let inspected = succeed(Command::new("skopeo").args(["inspect", "--config", &own]));
        let inspected: Value = serde_json::from_str(&inspected).unwrap();
        let words =
            |key: &str| serde_json::from_value::<Option<Vec<String>>>(inspected["config"][key].clone()).unwrap();
        std::fs::remove_dir_all(folder.path().join("layout")).unwrap();
        let sandbox = Self {
            process: serde_json::from_value(config["process"].clone()).unwrap(),
            entrypoint: words("Entrypoint").unwrap_or_default(),
            cmd: words("Cmd").unwrap_or_default(),
            folder,
        };
        for mounted in ["proc", "dev", "tmp"] {
            std::fs::create_dir_all(sandbox.root().join(mounted)).unwrap();
        }
        sandbox
    }

    /// Returns the root of the image's files.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("bundle/rootfs")
    }

    /// Returns the numeric user and group that the image runs as.
    pub fn user(&self) -> (u32, u32) {
        (self.process.user.uid, self.process.user.gid)
    }

    /// Returns the command that runs the image's entry point. If there are no arguments, those of the image apply.
    pub fn run(&self, arguments: &[&str]) -> Command {
        let mut command = self.bubblewrap();
        command.args(self.argv(arguments));
        command
    }

    /// Returns the command that runs a command in the image instead of its entry point.
    pub fn program(&self, program: &[&str]) -> Command {
        let mut command = self.bubblewrap();
        command.args(program);
        command
    }

    /// Starts a server like [`run`](Self::run), sends it a request, and stops it.
    pub fn answer(&self, arguments: &[&str], request: &Request) -> Answer {
        let mut command = self.bubblewrap();
        ask(command.args(request.arguments()).args(self.argv(arguments)))
    }

    /// Returns the entry point with its arguments.
    fn argv(&self, arguments: &[&str]) -> Vec<String> {
        let arguments = if arguments.is_empty() {
            self.cmd.clone()
        } else {
            arguments.iter().map(|&argument| argument.to_owned()).collect()
        };
        [self.entrypoint.clone(), arguments].concat()
    }

    fn bubblewrap(&self) -> Command {
        let mut command = Command::new("bwrap");
        command.args(["--die-with-parent", "--unshare-all", "--ro-bind"]).arg(self.root()).arg("/");
        command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--clearenv"]);
        command.args(["--chdir", &self.process.cwd]);
        command.args(["--uid", &self.process.user.uid.to_string(), "--gid", &self.process.user.gid.to_string()]);
        for variable in &self.process.env {
            let (name, value) = variable.split_once('=').unwrap();
            command.args(["--setenv", name, value]);
        }
        command.arg("--");
        command
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
