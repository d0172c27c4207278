//! Temporary projects, locked by Poetry.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pybundle::lock::{Freshness, LocalProject, Lock, LockError};

use crate::support;
use crate::support::command::{cache, repository, succeed, tool};

/// The index that the projects are locked from. Poetry reads HTML pages, which mirrors of PyPI provide as well.
pub const SOURCE: &str = "
[[tool.poetry.source]]
name = \"simple\"
url = \"https://pypi.org/simple/\"
priority = \"primary\"
";

/// A temporary directory with a project that Poetry locks.
pub struct Project {
    folder: support::uv::Project,
}

impl Project {
    /// Creates a directory with these files.
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let project = Self { folder: support::uv::Project::new(&[]) };
        files.iter().for_each(|(path, bytes)| project.folder.write(path, bytes));
        project
    }

    /// Creates a project, and locks it.
    pub fn locked(pyproject: &str, files: &[(&str, &[u8])]) -> Self {
        let project = Self::new(files);
        project.write("pyproject.toml", format!("{pyproject}{SOURCE}").as_bytes());
        project.lock_again();
        project
    }

    /// Runs `poetry lock`.
    pub fn lock_again(&self) {
        let mut command = Command::new(tool("poetry"));
        command.args(["lock", "--no-interaction"]).current_dir(self.path());
        succeed(set_environment(&mut command));
    }

    /// Parses the lock.
    pub fn lock(&self) -> Lock {
        let lock = Lock::parse_poetry(&self.read("poetry.lock"), &self.path().join("poetry.lock"), &self.declared());
        lock.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the parsed pyproject.toml.
    pub fn declared(&self) -> LocalProject {
        let text = self.read("pyproject.toml");
        let is_package = !text.contains("package-mode = false");
        LocalProject { path: PathBuf::new(), script: false, table: text.parse().unwrap(), is_package }
    }

    /// Compares the lock with the project.
    pub fn check_locked(&self) -> Result<Freshness, LockError> {
        self.lock().check_locked(&[self.declared()])
    }
}

impl Deref for Project {
    type Target = support::uv::Project;

    fn deref(&self) -> &support::uv::Project {
        &self.folder
    }
}

/// Runs a Python script with a text on its standard input, and returns its standard output.
pub fn python(script: &str, arguments: &[&Path], input: &str) -> String {
    let input_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(input_file.path(), input).unwrap();
    let mut command = Command::new(tool("python"));
    command.arg(repository().join("tests/locks/poetry").join(script)).args(arguments);
    command.stdin(Stdio::from(std::fs::File::open(input_file.path()).unwrap()));
    succeed(set_environment(&mut command))
}

/// Sets Poetry's cache directory below `target`, and disables its keyring.
fn set_environment(command: &mut Command) -> &mut Command {
    command
        .env("POETRY_CACHE_DIR", cache().join("poetry"))
        .env("POETRY_KEYRING_ENABLED", "false")
        .env("POETRY_VIRTUALENVS_CREATE", "false")
        .env_remove("VIRTUAL_ENV")
        .env("NO_COLOR", "1")
}
