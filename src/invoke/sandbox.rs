//! A sandbox with Lambda's paths, by [bubblewrap](https://github.com/containers/bubblewrap).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::function::RuntimeDirectories;
use crate::interpreter::{self, InterpreterHost};
use crate::lambda::{LAYER_ROOT, TASK_ROOT};
use crate::platform::PythonVersion;

/// Where Lambda has its interpreter.
const LANGUAGE: &str = "/var/lang";

/// Where Lambda has its runtime client.
pub(super) const RUNTIME: &str = "/var/runtime";

/// The user and the group of Lambda's functions.
const USER: [&str; 2] = ["993", "990"];

/// What a function may read of this machine besides `/usr`: programs and libraries where `/usr` does not have them, and what
/// names, users and certificates are looked up in.
const READABLE: [&str; 12] = [
    "/nix",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki",
    "/etc/resolv.conf",
    "/etc/ssl",
    "/etc/services",
];

/// The command of bubblewrap, with the arguments that every function has.
#[derive(Debug, Clone)]
pub(super) struct Sandbox {
    bubblewrap: PathBuf,
    arguments: Vec<String>,
    /// The path of the interpreter inside.
    pub(super) python: String,
}

impl Sandbox {
    /// Returns a sandbox, or why functions run without one.
    pub(super) fn find(
        search_path: Option<&OsStr>,
        version: PythonVersion,
        host: &InterpreterHost,
        directories: &RuntimeDirectories,
    ) -> Result<Self, String> {
        let Some(bubblewrap) = interpreter::on_path(search_path, "bwrap").into_iter().next() else {
            return Err("bubblewrap is not installed".to_owned());
        };
        let python = format!("bin/python{version}");
        if !host.prefix.join(&python).exists() {
            return Err(format!("{} has no {python}", host.prefix.display()));
        }
        let arguments = arguments(version, host, directories);
        let arguments = arguments.ok_or("the path of the temporary directory is not UTF-8")?;
        let sandbox = Self { bubblewrap, arguments, python: format!("{LANGUAGE}/{python}") };
        // Containers and some distributions forbid what it needs.
        let mut test = sandbox.command();
        test.args(["--", "/usr/bin/env", "true"]).env_clear().env("PATH", "/usr/bin:/bin");
        let result = test.stdin(Stdio::null()).stdout(Stdio::null()).output();
        match result {
            Ok(output) if output.status.success() => Ok(sandbox),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.lines().next().unwrap_or_default().trim_start_matches("bwrap: ").to_owned();
                Err(format!("bubblewrap does not work on this machine: {said}"))
            }
            Err(error) => Err(format!("bubblewrap cannot be started: {error}")),
        }
    }

    /// Returns the command that runs another one in the sandbox, which is to be appended.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.bubblewrap);
        command.args(&self.arguments);
        command
    }
}

/// Returns the arguments of bubblewrap; `None` if a path is not UTF-8.
fn arguments(version: PythonVersion, host: &InterpreterHost, directories: &RuntimeDirectories) -> Option<Vec<String>> {
    let [user, group] = USER;
    let mut arguments = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
    // The network is shared: functions call services, and their client calls the runtime API.
    add(&["--die-with-parent", "--unshare-user", "--uid", user, "--gid", group]);
    add(&["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", "lambda", "--unshare-cgroup-try"]);
    add(&["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]);
    for name in ["bin", "sbin", "lib", "lib32", "lib64"] {
        let path = Path::new("/").join(name);
        let path = path.to_str()?;
        if Path::new(path).is_symlink() {
            add(&["--symlink", &format!("usr/{name}"), path]);
        } else {
            add(&["--ro-bind-try", path, path]);
        }
    }
    for path in READABLE {
        add(&["--ro-bind-try", path, path]);
    }
    let prefix = host.prefix.to_str()?;
    add(&["--ro-bind", prefix, LANGUAGE]);
    if !host.prefix.starts_with("/usr") && host.prefix.parent().is_some() {
        // The interpreter may have its dynamic linker or its shared library there, by an absolute path.
        add(&["--ro-bind", prefix, prefix]);
    }
    // Distributions that are installed for this interpreter must not hide that the function lacks them.
    for installed in [
        format!("lib/python{version}/site-packages"),
        format!("local/lib/python{version}/dist-packages"),
        "lib/python3/dist-packages".to_owned(),
    ] {
        if host.prefix.join(&installed).is_dir() {
            add(&["--tmpfs", &format!("{LANGUAGE}/{installed}")]);
        }
    }
    add(&["--ro-bind", directories.function.to_str()?, TASK_ROOT]);
    add(&["--ro-bind", directories.layer.to_str()?, LAYER_ROOT]);
    add(&["--ro-bind", directories.client.to_str()?, RUNTIME, "--chdir", TASK_ROOT]);
    Some(arguments)
}
