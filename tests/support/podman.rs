//! podman and buildah with a storage of their own.

use std::path::PathBuf;
use std::process::Command;

/// The storage of podman and buildah for one test, which is removed on drop.
pub struct Podman {
    storage: PathBuf,
}

impl Podman {
    /// Creates an empty storage.
    pub fn new() -> Self {
        // The path of a Unix socket has at most 108 bytes (unix(7)).
        Self { storage: tempfile::Builder::new().prefix("podman-").tempdir().unwrap().keep() }
    }

    /// Returns `podman` with these arguments.
    pub fn podman(&self, arguments: &[&str]) -> Command {
        let mut command = self.storing("podman");
        command.args(["--cgroup-manager=cgroupfs", "--events-backend=file"]).args(arguments);
        command
    }

    /// Returns `buildah` with these arguments.
    pub fn buildah(&self, arguments: &[&str]) -> Command {
        let mut command = self.storing("buildah");
        command.args(arguments);
        command
    }

    /// Returns the options that select the storage.
    fn storing(&self, program: &str) -> Command {
        let mut command = as_root(program);
        for (option, directory) in [("--root", "images"), ("--runroot", "run")] {
            command.arg(option).arg(self.storage.join(directory));
        }
        command.arg("--storage-driver=vfs");
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let removed = as_root("rm").arg("-rf").arg(&self.storage).status();
        // Do not hide the failure of the test.
        if !std::thread::panicking() {
            assert!(removed.is_ok_and(|status| status.success()), "cannot remove {}", self.storage.display());
        }
    }
}

/// Returns a command that is run as root.
fn as_root(program: &str) -> Command {
    let user = Command::new("id").arg("-u").output().unwrap().stdout;
    if user == b"0\n" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}
