//! What git knows of a project: its commit, and what changed since one.
//!
//! The configuration and the attributes of a repository can name programs that git runs: file-system monitors, filters,
//! hooks, helpers of remotes ([git-config](https://git-scm.com/docs/git-config)). A build must not start any of them, since
//! a project may come from anyone. So git is asked only for what it has recorded and for the names of files, with
//! everything turned off that could start a program, and the files are compared here.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

mod blob;
pub(crate) mod changes;
pub mod revision;
mod state;
mod work_tree;

pub(crate) use changes::{GitChanges, GitChangesError};
pub(crate) use state::{ignored, state};

/// Variables that git sets for its hooks. Inherited, they would point git at the repository whose hook runs pybundle.
const VARIABLES_OF_A_REPOSITORY: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
];

/// Returns a command that runs git without a prompt, hooks or a file-system monitor.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for setting in ["core.hooksPath=/dev/null", "core.fsmonitor=false"] {
        command.arg("-c").arg(setting);
    }
    for name in VARIABLES_OF_A_REPOSITORY {
        command.env_remove(name);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}
