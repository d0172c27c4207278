//! Commits of git repositories, checked out to be built.
//!
//! git itself does it, as the user has set it up: with its credential helpers, its ssh and its proxies. It never
//! prompts, runs no hooks, and speaks only protocols that fetch. Of each repository a bare clone is kept in the cache, with
//! its branches and tags, since many projects take their version from `git describe`; it holds no credentials.
//!
//! Submodules are fetched anew each time, so a commit with submodules needs the network even if the cache has it.

mod address;
mod error;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Cache;
use crate::lock::Repository;
use crate::redact;
use address::RepositoryAddress;

pub use error::RepositoryError;

/// What is fetched of a repository: its branches and tags, wherever they point now.
const REFERENCES: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// What would point git at another repository, if pybundle is run by a hook of one.
const VARIABLES_OF_A_REPOSITORY: [&str; 7] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
];

/// git, as it is asked for commits.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    /// Whether ssh is told not to prompt; a command of the user's own is left as it is.
    quiets_ssh: bool,
    /// Whether the network must not be used.
    offline: bool,
}

impl Git {
    /// Finds git on a search path, the value of `PATH`. `has_own_ssh` says that `GIT_SSH` is set, which is used then.
    ///
    /// # Errors
    /// [`RepositoryError::NoGit`], if it is not there.
    pub fn find(search_path: Option<&OsStr>, has_own_ssh: bool, offline: bool) -> Result<Self, RepositoryError> {
        let candidates = std::env::split_paths(search_path.unwrap_or_default()).map(|folder| folder.join("git"));
        let program = candidates.into_iter().find(|path| path.is_absolute() && path.is_file());
        let program = program.ok_or(RepositoryError::NoGit)?;
        let mut setting = Command::new(&program);
        setting.args(["config", "--get", "core.sshCommand"]).stdin(Stdio::null());
        let output = setting.output().map_err(|error| RepositoryError::Run(program.clone(), error))?;
        Ok(Self { program, quiets_ssh: !has_own_ssh && !output.status.success(), offline })
    }

    /// Checks a commit out into a folder, which is made: with its history, its tags and its submodules.
    ///
    /// # Errors
    /// The repository cannot be fetched, or does not have the commit; or the commit cannot be checked out.
    pub fn check_out(&self, repository: &Repository, folder: &Path, cache: &Cache) -> Result<(), RepositoryError> {
        let address = RepositoryAddress::parse(&repository.url)?;
        let commit = &repository.commit;
        if !Repository::is_commit(commit) {
            return Err(RepositoryError::Commit { url: address.url, commit: commit.clone() });
        }
        let asking = RepositoryCommands { git: self, address: &address, lfs: repository.lfs };
        if repository.lfs && asking.run("find git LFS for", None, &["lfs", "version"]).is_err() {
            return Err(RepositoryError::NoLfs(address.url));
        }
        let clone = cache.repository(&address.url);
        asking.update(&clone, commit, cache)?;

        let (clone, folder) = (clone.as_os_str(), folder);
        let options = ["clone", "--quiet", "--no-checkout", "--shared", "--template=", "--origin=origin", "--"];
        let arguments: Vec<&OsStr> = options.iter().map(OsStr::new).chain([clone, folder.as_os_str()]).collect();
        asking.run("check out", None, &arguments)?;
        // What is relative to the repository, as submodules may be, is relative to where it came from.
        asking.run("check out", Some(folder), &["remote", "set-url", "origin", &address.url])?;
        asking.run("check out", Some(folder), &["checkout", "--quiet", "--detach", commit])?;
        if folder.join(".gitmodules").is_file() {
            let update = ["submodule", "update", "--quiet", "--init", "--recursive"];
            asking.run("fetch the submodules of", Some(folder), &update)?;
        }
        Ok(())
    }
}

/// Runs git on one repository.
struct RepositoryCommands<'a> {
    git: &'a Git,
    address: &'a RepositoryAddress,
    lfs: bool,
}

impl RepositoryCommands<'_> {
    /// Brings a commit into a clone, unless it is there. Nobody else writes to the clone meanwhile.
    fn update(&self, clone: &Path, commit: &str, cache: &Cache) -> Result<(), RepositoryError> {
        let url = &self.address.url;
        let _claim = cache.claim(&format!("repository {url}"))?;
        if !clone.join("HEAD").is_file() {
            let init = ["init", "--quiet", "--bare", "--template=", "--"].map(OsStr::new);
            self.run("make a clone of", None, &[&init[..], &[clone.as_os_str()]].concat())?;
        }
        let object = format!("{commit}^{{commit}}");
        let has_commit = || self.run("look into", Some(clone), &["cat-file", "-e", &object]).is_ok();
        if has_commit() {
            return Ok(());
        }
        if self.git.offline && !self.address.is_local() {
            return Err(RepositoryError::Offline { url: url.clone(), commit: commit.to_owned() });
        }
        let fetch = ["fetch", "--quiet", "--force", "--no-write-fetch-head", "--no-auto-maintenance"];
        let fetch = [&fetch[..], &["--no-recurse-submodules", "--", url]].concat();
        self.run("fetch", Some(clone), &[&fetch[..], &REFERENCES].concat())?;
        if !has_commit() {
            // No branch has it, but many servers give it when they are asked for it by its hash.
            let _ = self.run("fetch", Some(clone), &[&fetch[..], &[commit]].concat());
        }
        match has_commit() {
            true => Ok(()),
            false => Err(RepositoryError::Missing { url: url.clone(), commit: commit.to_owned() }),
        }
    }

    /// Runs git, in a folder if one is named.
    fn run(
        &self,
        action: &'static str,
        folder: Option<&Path>,
        arguments: &[impl AsRef<OsStr>],
    ) -> Result<(), RepositoryError> {
        let mut command = Command::new(&self.git.program);
        let (credentials, variables) = self.address.credentials();
        let mut settings = vec!["core.hooksPath=/dev/null".to_owned(), "gc.auto=0".to_owned()];
        settings.extend(["core.autocrlf=false".to_owned(), "core.fsmonitor=false".to_owned()]);
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
        if let Some(folder) = folder {
            command.arg("-C").arg(folder);
        }
        for name in VARIABLES_OF_A_REPOSITORY {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .envs(variables)
            .env("GIT_ALLOW_PROTOCOL", self.protocols(folder))
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        let output = command.output().map_err(|error| RepositoryError::Run(self.git.program.clone(), error))?;
        if output.status.success() {
            return Ok(());
        }
        let output = redact::text(String::from_utf8_lossy(&output.stderr).trim_end());
        Err(RepositoryError::Failed { action, url: self.address.url.clone(), output })
    }

    /// Returns the protocols that may be spoken. A repository that comes from elsewhere has no submodules on this
    /// machine: one might be somebody's private files.
    fn protocols(&self, folder: Option<&Path>) -> &'static str {
        let is_checked_out = folder.is_some();
        match (self.git.offline, self.address.is_local() || !is_checked_out) {
            (true, true) => "file",
            (true, false) => "none",
            (false, true) => "file:git:http:https:ssh",
            (false, false) => "git:http:https:ssh",
        }
    }
}
