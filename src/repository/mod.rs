//! Checks out commits of git repositories, to build them.
//!
//! Runs the git command, with the user's credential helpers, ssh and proxies. It never prompts, runs no hooks and is
//! limited to protocols that fetch. The cache has a bare clone of each repository, with its branches and tags, since many
//! projects derive their version from `git describe`; the clone contains no credentials.
//!
//! Submodules are not cached, so a commit with submodules needs the network even if the commit is cached.

mod address;
mod error;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::cache::Cache;
use crate::git;
use crate::lock::GitSource;
use crate::redact;
use crate::report::{Reporter, RunningTask, Task, TaskKind};
use address::RepositoryUrl;

pub use error::RepositoryError;

/// The references that are fetched: all branches and tags, even if they were rewritten.
const REFERENCES: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// The git command.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    /// Whether ssh runs in batch mode, which does not prompt. Not if the user has configured an ssh command.
    quiets_ssh: bool,
    offline: bool,
}

impl Git {
    /// Finds git on a search path, the value of `PATH`. `has_own_ssh` is whether `GIT_SSH` is set, which `core.sshCommand`
    /// would override. `GIT_SSH_COMMAND` takes precedence over both.
    ///
    /// # Errors
    /// [`RepositoryError::NoGit`] if git is not installed.
    pub fn find(search_path: Option<&OsStr>, has_own_ssh: bool, offline: bool) -> Result<Self, RepositoryError> {
        let candidates = std::env::split_paths(search_path.unwrap_or_default()).map(|directory| directory.join("git"));
        let program = candidates.into_iter().find(|path| path.is_absolute() && path.is_file());
        let program = program.ok_or(RepositoryError::NoGit)?;
        let mut setting = git::command(&program);
        // Of the user, not of the project that pybundle may be started in.
        setting.args(["config", "--get", "core.sshCommand"]).current_dir("/");
        let output = setting.output().map_err(|error| RepositoryError::Run(program.clone(), error))?;
        Ok(Self { program, quiets_ssh: !has_own_ssh && !output.status.success(), offline })
    }

    /// Checks out a commit into a new directory, with its history, tags and submodules.
    ///
    /// # Errors
    /// The repository cannot be fetched or does not have the commit, or the commit cannot be checked out.
    pub fn check_out(
        &self,
        repository: &GitSource,
        directory: &Path,
        cache: &Cache,
        reporter: &dyn Reporter,
    ) -> Result<(), RepositoryError> {
        let address = RepositoryUrl::parse(&repository.url)?;
        let commit = &repository.commit;
        if !GitSource::is_commit(commit) {
            return Err(RepositoryError::InvalidCommit { url: address.url, commit: commit.clone() });
        }
        let commands = RepositoryCommands { git: self, address: &address, lfs: repository.lfs };
        if repository.lfs && commands.run("find git LFS for", None, &["lfs", "version"]).is_err() {
            return Err(RepositoryError::NoLfs(address.url));
        }
        let (clone, directory) = (absolute(&cache.repository(&address.url)), &absolute(directory));
        commands.update(&clone, commit, cache, reporter)?;

        let options = ["clone", "--quiet", "--no-checkout", "--shared", "--template=", "--origin=origin", "--"];
        let arguments: Vec<&OsStr> =
            options.iter().map(OsStr::new).chain([clone.as_os_str(), directory.as_os_str()]).collect();
        commands.run("check out", None, &arguments)?;
        // Relative URLs of submodules are relative to the original repository, not to the cached clone.
        commands.run("check out", Some(directory), &["remote", "set-url", "origin", &address.url])?;
        commands.run("check out", Some(directory), &["checkout", "--quiet", "--detach", commit])?;
        if directory.join(".gitmodules").is_file() {
            let update = ["submodule", "update", "--quiet", "--init", "--recursive"];
            commands.run("fetch the submodules of", Some(directory), &update)?;
        }
        Ok(())
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Runs git on one repository.
struct RepositoryCommands<'a> {
    git: &'a Git,
    address: &'a RepositoryUrl,
    lfs: bool,
}

impl RepositoryCommands<'_> {
    /// Fetches a commit into a clone unless the clone has it. A lock keeps other processes from writing to the clone.
    fn update(
        &self,
        clone: &Path,
        commit: &str,
        cache: &Cache,
        reporter: &dyn Reporter,
    ) -> Result<(), RepositoryError> {
        let url = &self.address.url;
        let source = format!("repository {url}");
        let waiting = Task::new(TaskKind::Wait, format!("{url}, which is being fetched"));
        let _claim = cache.claim(&source, || RunningTask::start(reporter, waiting), RunningTask::finish)?;
        if !clone.join("HEAD").is_file() {
            let init = ["init", "--quiet", "--bare", "--template=", "--"].map(OsStr::new);
            self.run("clone", None, &[&init[..], &[clone.as_os_str()]].concat())?;
        }
        if self.has_commit(clone, commit) {
            return Ok(());
        }
        if self.git.offline && !self.address.is_local() {
            return Err(RepositoryError::Offline { url: url.clone(), commit: commit.to_owned() });
        }
        let fetch = ["fetch", "--quiet", "--force", "--no-write-fetch-head", "--no-auto-maintenance"];
        let fetch = [&fetch[..], &["--no-recurse-submodules", "--", url]].concat();
        self.run("fetch", Some(clone), &[&fetch[..], &REFERENCES].concat())?;
        if !self.has_commit(clone, commit) {
            // On no branch or tag, but many servers send any commit by its hash (`uploadpack.allowAnySHA1InWant`).
            let _ = self.run("fetch", Some(clone), &[&fetch[..], &[commit]].concat());
        }
        if self.has_commit(clone, commit) {
            Ok(())
        } else {
            Err(RepositoryError::MissingCommit { url: url.clone(), commit: commit.to_owned() })
        }
    }

    fn has_commit(&self, clone: &Path, commit: &str) -> bool {
        self.run("look into", Some(clone), &["cat-file", "-e", &format!("{commit}^{{commit}}")]).is_ok()
    }

    /// Runs git, in the given directory if any; other paths in the arguments are absolute. `action` completes "git cannot … URL" in errors.
    fn run(
        &self,
        action: &'static str,
        directory: Option<&Path>,
        arguments: &[impl AsRef<OsStr>],
    ) -> Result<(), RepositoryError> {
        let mut command = git::command(&self.git.program);
        let (credentials, variables) = self.address.credentials();
        let mut settings = vec!["gc.auto=0".to_owned(), "core.autocrlf=false".to_owned()];
        settings.extend(self.git.quiets_ssh.then(|| "core.sshCommand=ssh -o BatchMode=yes".to_owned()));
        if self.lfs {
            settings.extend(["filter.lfs.process=git-lfs filter-process".to_owned()]);
            settings
                .extend(["filter.lfs.smudge=git-lfs smudge -- %f".to_owned(), "filter.lfs.required=true".to_owned()]);
        } else {
            command.env("GIT_LFS_SKIP_SMUDGE", "1");
        }
        for setting in settings.iter().chain(&credentials) {
            command.arg("-c").arg(setting);
        }
        // Not in the project that pybundle may be started in: its repository could configure an alias for a command that is
        // not built into git, such as `lfs`.
        command.current_dir(directory.unwrap_or(Path::new("/")));
        command.args(arguments).envs(variables).env("GIT_ALLOW_PROTOCOL", self.protocols(directory));
        let output = command.output().map_err(|error| RepositoryError::Run(self.git.program.clone(), error))?;
        if output.status.success() {
            return Ok(());
        }
        let output = redact::text(String::from_utf8_lossy(&output.stderr).trim_end());
        Err(RepositoryError::Failed { action, url: self.address.url.clone(), output })
    }

    /// Returns the protocols that git may use. A remote repository must not have submodules on this machine: they might
    /// be somebody's private files (CVE-2022-39253).
    fn protocols(&self, directory: Option<&Path>) -> &'static str {
        let is_checked_out = directory.is_some();
        let allows_file = self.address.is_local() || !is_checked_out;
        match (self.git.offline, allows_file) {
            (true, true) => "file",
            (true, false) => "none",
            (false, true) => "file:git:http:https:ssh",
            (false, false) => "git:http:https:ssh",
        }
    }
}
