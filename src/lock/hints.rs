//! Hints for errors of a lock.

use std::path::{Path, PathBuf};

use super::LockFormat;
use super::error::{LockError, is_requirements_file, list, quoted_list};
use crate::hints::{self, Hints, did_you_mean, nearest};

impl Hints for LockError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Requirements(error) => error.hints(),
            Self::UnknownMember { path, .. } if is_requirements_file(path) => {
                vec!["a requirements file has no workspace: pass the member's directory as the project".to_owned()]
            }
            Self::UnknownExtra { path, .. } if is_requirements_file(path) => {
                vec!["pass a requirements file that pins the extra's dependencies with --lock".to_owned()]
            }
            Self::UnknownGroup { path, group, .. } if is_requirements_file(path) => vec![format!(
                "pass the requirements file that pins `{group}` with --lock, for instance requirements-{group}.txt or \
                 requirements/{group}.txt"
            )],
            Self::ConflictingVersions { path, .. } if is_requirements_file(path) => {
                vec!["remove one of them, or give them markers that exclude each other".to_owned()]
            }
            Self::Syntax { path, .. } | Self::Inconsistent { path, .. } => {
                vec![format!("regenerate the lock with {}; do not edit it by hand", lock_command(path))]
            }
            Self::ForeignLock { path, tool } => vec![tool.hint(path)],
            Self::SeveralLocks { .. } => vec!["pass --lock once, or only with requirements files".to_owned()],
            Self::UnsupportedLockVersion { version: None, path, oldest_tool, .. } => {
                vec![format!("regenerate the lock with {} of {oldest_tool} or later", lock_command(path))]
            }
            Self::UnsupportedLockVersion { path, oldest_tool, .. } => vec![format!(
                "upgrade pybundle, or regenerate the lock with {} of {oldest_tool} or a later version that it supports",
                lock_command(path)
            )],
            Self::UnsupportedVersion { path, .. } => {
                let tool = if is_uv_lock(path) { "uv" } else { "its tool" };
                vec![format!("upgrade pybundle, or regenerate the lock with a version of {tool} that writes version 1")]
            }
            Self::IncompatiblePython { path, pythons, .. } => {
                let widen = format!("widen requires-python and regenerate the lock with {}", lock_command(path));
                python_hint(pythons, "which the lock supports").into_iter().chain([widen]).collect()
            }
            Self::IncompatibleDistribution { path, .. } => {
                vec![format!("regenerate the lock with {} for the target's Python", lock_command(path))]
            }
            Self::UnsupportedTarget { path, .. } if is_uv_lock(path) => {
                vec!["add the target to tool.uv.environments in pyproject.toml and run `uv lock`".to_owned()]
            }
            Self::UnsupportedTarget { path, tool, .. }
                if LockFormat::of(path) == Some(LockFormat::Pdm) || tool.as_deref() == Some("pdm") =>
            {
                vec![
                "lock for the target, too, with `pdm lock --append`, for instance `pdm lock --append --platform \
                 manylinux_2_28_aarch64 --python '==3.13.*'`"
                    .to_owned(),
            ]
            }
            Self::UnlockedGroup { .. } => vec!["lock all groups and extras with `pdm lock --group :all`".to_owned()],
            Self::Unpinned { name, .. } => vec![format!(
                "give {name} `markers` in the Pipfile and run `pipenv lock`: pipenv does not pin what it does not install on \
                 its own platform"
            )],
            Self::UnsupportedTarget { path, tool, .. } => {
                let portable = tool.as_deref().and_then(of_one_machine);
                let regenerate = || format!("regenerate the lock with {} for the target", lock_command(path));
                vec![portable.map_or_else(regenerate, str::to_owned)]
            }
            Self::UnknownMember { name, members, .. } => similar(name.as_str(), members, "members"),
            Self::UnknownProject { path, members, .. } => {
                let select = match &members[..] {
                    [] => String::new(),
                    _ => format!(", or select one of the members with --package: {}", quoted_list(members)),
                };
                vec![format!("run {} to lock the project{select}", lock_command(path))]
            }
            Self::UnknownExtra { extra, known, .. } => similar(extra, known, "extras"),
            Self::UnknownGroup { group, known, .. } => similar(group, known, "groups"),
            Self::DeclaredConflict { .. } => vec!["select only one of them".to_owned()],
            Self::UnresolvedConflicts { path }
            | Self::UnresolvedVersions { path }
            | Self::ConflictingVersions { path, .. }
            | Self::UnmatchedRequirement { path, .. } => {
                vec![format!("regenerate the lock with {}", lock_command(path))]
            }
            Self::NoFiles { tool, .. } if tool == "pipenv" => vec![
                "run `pipenv requirements --hash > requirements.txt`, and pass --lock requirements.txt --resolve: pipenv does \
                 not pin what it does not install on its own platform"
                    .to_owned(),
            ],
            Self::NoFiles { path, .. } => vec![format!("regenerate the lock with {} for the target", lock_command(path))],
            Self::NoCompatibleFile { wanted, hints, .. } => {
                let mut hints = hints.clone();
                // Allowing what is there precedes it; another Python comes last.
                let at = hints.iter().take_while(|hint| hint.starts_with("allow ")).count();
                hints.splice(at..at, wanted.iter().map(|wanted| wanted.hint()));
                hints
            }
            Self::BuildNotAllowed { package, excluded_by } => {
                vec![format!("allow {package} to be built: it is excluded by {excluded_by}")]
            }
            Self::UnsupportedVcs { package, .. } => vec![format!("lock a release or an archive of {package} instead")],
            Self::InvalidProject { .. } | Self::InvalidUrl { .. } => Vec::new(),
            Self::Outdated { path, .. } => {
                vec![format!("run {}, or pass --frozen to use the lock without checking it", lock_command(path))]
            }
        }
    }
}

/// Returns the hint to pass one of some flags that select a version of Python, `which …` is true of.
pub(super) fn python_hint(flags: &[String], which: &str) -> Option<String> {
    match flags {
        [] => None,
        [only] => Some(format!("pass {only}, {which}")),
        [.., _] => Some(format!("pass one of {}, {which}", list(flags))),
    }
}

/// Returns the command that writes a lock of this format.
fn lock_command(path: &Path) -> String {
    let format = LockFormat::of(path).unwrap_or(LockFormat::Uv);
    match (format.lock_command(), script_of(path)) {
        (Some(_), Some(script)) if format == LockFormat::Uv => {
            format!("`uv lock --script {}`", hints::quoted_path(&script))
        }
        (Some(command), _) => format!("`{command}`"),
        (None, _) => "the tool that created it".to_owned(),
    }
}

/// Returns how to lock for other targets if a tool writes a pylock.toml only for the machine that it runs on.
pub(super) fn of_one_machine(tool: &str) -> Option<&'static str> {
    match tool {
        "pip" => Some(
            "lock for all targets with `uv pip compile --universal --format pylock.toml requirements.in -o pylock.toml`: pip locks \
             for the machine and the Python that it runs on",
        ),
        "pnpm" => Some(
            "name the targets in pnpm-workspace.yaml, for instance `supportedArchitectures: [linux-x64-manylinux_2_28, \
             linux-arm64-manylinux_2_28]` and, under `python`, `versions: ['3.12', '3.13']`, and run `pnpm install`",
        ),
        _ => None,
    }
}

/// Returns the script that a lock of uv is of, if it is not that of a project.
fn script_of(lock: &Path) -> Option<PathBuf> {
    let is_project = lock.file_name().is_some_and(|name| name == LockFormat::Uv.file_name());
    Some(lock.with_extension("")).filter(|script| !is_project && script.is_file())
}

fn is_uv_lock(path: &Path) -> bool {
    matches!(LockFormat::of(path), Some(LockFormat::Uv) | None)
}

/// Suggests the known name that is most similar to a requested one, and lists all of them.
fn similar(requested: &str, known: &[String], kind: &str) -> Vec<String> {
    if known.is_empty() {
        return vec![format!("no {kind} are defined")];
    }
    match nearest(requested, known.iter().map(String::as_str)) {
        Some(name) => vec![format!("{} The {kind} are {}", did_you_mean(name), quoted_list(known))],
        None => vec![format!("the {kind} are {}", quoted_list(known))],
    }
}
