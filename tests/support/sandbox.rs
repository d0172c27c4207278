//! Running images without a container engine: unpacked by umoci, run by bubblewrap.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::answer::{Answer, Request, ask};
use super::command::succeed;

/// An unpacked image.
///
/// Its programs find a read-only root, an empty `/tmp`, a loopback of their own and no other network, the image's user,
/// environment and working folder. One thing is easier than in a container: all files belong to the user, so what only
/// root may read is read.
pub struct Sandbox {
    folder: tempfile::TempDir,
    process: Process,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
}

/// What umoci makes of the image's configuration (OCI runtime specification, `process`).
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
    /// Unpacks the image with the tag `latest` of an OCI layout; of an image index, the one for this machine.
    pub fn unpack(layout: &Path) -> Self {
        Self::unpack_tag(layout, "latest")
    }

    /// Unpacks the image with a tag.
    pub fn unpack_tag(layout: &Path, tag: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // umoci chooses no platform.
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

    /// Returns the folder that the image's files are in.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("bundle/rootfs")
    }

    /// Returns the numeric user and group that the image runs as.
    pub fn user(&self) -> (u32, u32) {
        (self.process.user.uid, self.process.user.gid)
    }

    /// Returns the command that runs the image's entry point, with these arguments or, without any, the image's own.
    pub fn run(&self, arguments: &[&str]) -> Command {
        let mut command = self.bubblewrap();
        command.args(self.words(arguments));
        command
    }

    /// Returns the command that runs a program of the image in place of its entry point.
    pub fn program(&self, program: &[&str]) -> Command {
        let mut command = self.bubblewrap();
        command.args(program);
        command
    }

    /// Starts what [`run`](Self::run) would, sends it a request, and ends it.
    pub fn answer(&self, arguments: &[&str], request: &Request) -> Answer {
        let mut command = self.bubblewrap();
        ask(command.args(request.arguments()).args(self.words(arguments)))
    }

    /// Returns the words of the entry point and its arguments.
    fn words(&self, arguments: &[&str]) -> Vec<String> {
        let own = || self.cmd.clone();
        let given = || arguments.iter().map(|&argument| argument.to_owned()).collect();
        let arguments = if arguments.is_empty() { own() } else { given() };
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
