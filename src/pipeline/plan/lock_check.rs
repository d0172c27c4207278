//! The comparison of a lock with its project (`--locked`).

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::builder;
use crate::lock::{DistributionSet, FormatControl, Freshness, LocalProject, Lock, LockError};
use crate::pipeline::BuildError;
use crate::pipeline::plan::lock::local_project;
use crate::pipeline::session::LockEvidence;
use crate::project::declared::DeclaredDistribution;
use crate::project::pyproject::{FILENAME, PyprojectToml};
use crate::project::workspace::{Workspace, WorkspaceMember};
use crate::report::{Reporter, RunningTask, Task, TaskKind};
use crate::settings::Settings;

/// Compares the lock with every pyproject.toml of the workspace, and asks uv where that does not decide.
///
/// # Errors
/// They do not match.
pub(super) fn check(
    lock: &Lock,
    path: &Path,
    workspace: &Workspace,
    settings: &Settings,
    reporter: &dyn Reporter,
) -> Result<LockEvidence, BuildError> {
    let projects: Vec<LocalProject> = workspace.members.iter().map(local_project).collect();
    let uv_check = UvCheck { lock, workspace, settings, reporter };
    let why = match lock.check_locked(&projects) {
        Ok(Freshness::Current) => return Ok(LockEvidence::Files),
        // What uv accepts is not refused. To compare is cheaper, and runs no command that could build something.
        Err(LockError::Outdated { .. }) if uv_check.accepts_without_building() => return Ok(LockEvidence::Uv),
        Err(error) => return Err(error.into()),
        Ok(Freshness::Unknown(reasons)) => match uv_check.decide(reasons) {
            UvVerdict::Current => return Ok(LockEvidence::Uv),
            UvVerdict::Outdated => {
                let script = workspace.script().map(Path::to_owned);
                return Err(BuildError::LockOutdated { path: path.to_owned(), script });
            }
            UvVerdict::Unknown(why) => why,
        },
    };
    let declaring = workspace.script().and_then(Path::file_name).unwrap_or_else(|| OsStr::new(FILENAME));
    reporter.warn(&format!("cannot tell whether {} matches {}: {why}", path.display(), declaring.display()));
    Ok(LockEvidence::Uv)
}

/// What `uv lock --check` says of a lock.
enum UvVerdict {
    Current,
    Outdated,
    /// Nothing, for this reason.
    Unknown(String),
}

struct UvCheck<'a> {
    lock: &'a Lock,
    workspace: &'a Workspace,
    settings: &'a Settings,
    reporter: &'a dyn Reporter,
}

impl UvCheck<'_> {
    /// Returns whether uv accepts the lock, if it can tell from files that are on this machine.
    fn accepts_without_building(&self) -> bool {
        let Lock::Uv(lock) = self.lock else { return false };
        let is_static = lock.local_directories().is_some_and(|directories| {
            directories.iter().all(|directory| {
                PyprojectToml::read(directory).is_ok_and(|pyproject| !pyproject.has_dynamic_metadata())
            })
        });
        let members = &self.workspace.members;
        if !is_static || members.iter().any(|member| member.pyproject.has_dynamic_metadata()) {
            return false;
        }
        // uv resolves anew once it finds a difference: without the network, and without building anything.
        matches!(self.run(&["--offline", "--no-build"]), Some(UvVerdict::Current))
    }

    /// Lets uv decide where the comparison could not, for these reasons.
    fn decide(&self, reasons: Vec<String>) -> UvVerdict {
        let reasons = reasons.join("; ");
        if !matches!(self.lock, Lock::Uv(_)) {
            return UvVerdict::Unknown(reasons);
        }
        // uv builds these for their metadata, also with its own --no-build and --offline (uv 0.13.8).
        let mut dynamic = self.workspace.members.iter().filter(|member| member.pyproject.has_dynamic_metadata());
        let is_offline = self.settings.fetch.offline;
        if is_offline && dynamic.clone().next().is_some() {
            return UvVerdict::Unknown(format!("{reasons}, and --offline keeps `uv lock --check` from building it"));
        }
        if dynamic.any(|member| !may_build(member, &self.settings.formats)) {
            return UvVerdict::Unknown(
                "`uv lock --check` would run a build backend, which --no-build forbids".to_owned(),
            );
        }
        let offline = is_offline.then_some("--offline");
        self.run(offline.as_slice())
            .unwrap_or_else(|| UvVerdict::Unknown(format!("{reasons}, and uv is not installed")))
    }

    /// Runs `uv lock --check`; returns `None` if uv is not installed.
    fn run(&self, flags: &[&str]) -> Option<UvVerdict> {
        let environment = &self.settings.environment;
        let (uv, _) = builder::find_uv(environment.search_path())?;
        let mut check = Command::new(uv);
        check.envs(environment.of_uv());
        check.args(["lock", "--check", "--no-python-downloads"]);
        match self.workspace.script() {
            Some(script) => check.arg("--script").arg(script),
            None => check.arg("--project").arg(&self.workspace.root),
        };
        check.args(flags);
        let running = RunningTask::start(self.reporter, Task::new(TaskKind::Run, "`uv lock --check`"));
        let output = check.output();
        running.finish();
        Some(match output {
            Ok(output) if output.status.success() => UvVerdict::Current,
            // uv 0.13.8 exits with 1 if the lock is outdated, also if it then finds no new solution, and with 2 if it cannot
            // tell, for instance because the build requirements of dynamic metadata cannot be resolved.
            Ok(output) if output.status.code() == Some(1) => UvVerdict::Outdated,
            Ok(_) | Err(_) => UvVerdict::Unknown("`uv lock --check` failed".to_owned()),
        })
    }
}

fn may_build(member: &WorkspaceMember, formats: &FormatControl) -> bool {
    match DeclaredDistribution::of(&member.pyproject).ok().and_then(|declared| declared.name) {
        Some(name) => formats.may_build(&name),
        None => formats.no_build != DistributionSet::All,
    }
}
