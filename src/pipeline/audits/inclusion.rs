//! The flags that add a file of the project to the artifact.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::Audited;
use crate::hints::quoted;
use crate::project::application::ExclusionRule;

/// How many directories of a project are searched.
const SEARCHED_DIRECTORIES: usize = 2000;

/// Directories that contain no code of the project's own.
const NOT_SEARCHED: [&str; 4] = ["node_modules", "site-packages", "__pycache__", "venv"];

/// Returns what adds a file or a directory at a path in the artifact: flags to append to the command line, or what to add to
/// the configuration, if flags would replace its list.
pub(super) fn addition(audited: &Audited, source: &Path, in_artifact: &str) -> String {
    let path = relative(audited, source);
    let configured = audited.settings.configured;
    if let Some(pattern) = excluded(audited, &path) {
        let pattern = format!("!/{pattern}");
        return if configured.excludes {
            format!("`{pattern}` at the end of `exclude` in pyproject.toml")
        } else {
            format!("--exclude {}", quoted(&pattern))
        };
    }
    let destination = destination(audited, in_artifact);
    let is_own_name = !destination.contains('/') && path.rsplit('/').next() == Some(&*destination);
    also(audited, if is_own_name { path } else { format!("{path}:{destination}") })
}

/// Returns what adds the files of a directory at the root of the application, as [`addition`] does.
pub(super) fn addition_at_root(audited: &Audited, directory: &Path) -> String {
    also(audited, format!("{}:.", relative(audited, directory)))
}

/// Returns what includes something in addition to everything that is included.
fn also(audited: &Audited, include: String) -> String {
    if audited.settings.configured.includes {
        return format!("`{include}` in `include` in pyproject.toml");
    }
    let mut includes = default_includes(audited);
    includes.push(include);
    let flags: Vec<String> = includes.iter().map(|include| format!("--include {}", quoted(include))).collect();
    flags.join(" ")
}

/// Returns a path as messages name it.
pub(super) fn shown(audited: &Audited, path: &Path) -> String {
    relative(audited, path)
}

/// Returns the directories of a project that may contain its code, level by level.
pub(super) fn directories_below(project: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut queue = VecDeque::from([project.to_owned()]);
    while let Some(directory) = queue.pop_front() {
        if found.len() == SEARCHED_DIRECTORIES {
            break;
        }
        let entries = fs::read_dir(&directory).into_iter().flatten().filter_map(Result::ok);
        let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut inner: Vec<PathBuf> = inner.map(|entry| entry.path()).filter(|path| may_contain_code(path)).collect();
        inner.sort();
        queue.extend(inner);
        found.push(directory);
    }
    found
}

fn may_contain_code(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    !name.starts_with('.') && !NOT_SEARCHED.contains(&&*name) && !directory.join("pyvenv.cfg").exists()
}

/// Returns the path of a file relative to the project, with slashes.
fn relative(audited: &Audited, source: &Path) -> String {
    let workspace = &audited.plan.project.workspace;
    let project = workspace.directory(workspace.current());
    let canonical = project.canonicalize().unwrap_or_else(|_| project.clone());
    let path = source.strip_prefix(&project).or_else(|_| source.strip_prefix(&canonical)).unwrap_or(source);
    path.display().to_string()
}

/// Returns the pattern that includes again what a pattern of the user or a rule excludes at a path; `None` if none does. The
/// contents of a directory that is excluded itself cannot be included again one by one, as in a `.gitignore`.
fn excluded(audited: &Audited, path: &str) -> Option<String> {
    // What is beside `src` has the same path in the artifact as what is in it.
    let excluded =
        audited.plan.application.left_out.iter().filter(|excluded| excluded.rule != ExclusionRule::BesideSource);
    let mut excluded = excluded.map(|excluded| &*excluded.path);
    excluded.find_map(|excluded| {
        let inner = excluded.strip_prefix(path).and_then(|rest| rest.strip_prefix('/'));
        match (excluded.trim_end_matches('/'), inner) {
            (same, _) if same == path => Some(excluded.to_owned()),
            (above, _) if path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')) => {
                Some(excluded.to_owned())
            }
            (_, Some(_)) => Some(format!("{path}/**")),
            _ => None,
        }
    })
}

/// Returns whether a file is excluded because it contains a secret.
pub(super) fn is_secret(audited: &Audited, source: &Path) -> bool {
    let path = relative(audited, source);
    let mut excluded = audited.plan.application.left_out.iter();
    excluded.any(|excluded| excluded.rule == ExclusionRule::Secret && excluded.path == path)
}

/// Returns the files and directories that are excluded because what is in them is generated: files may be put there at run time.
pub(super) fn generated_directories(audited: &Audited, project: &Path) -> BTreeSet<PathBuf> {
    let left_out = audited.plan.application.left_out.iter().filter(|excluded| match excluded.rule {
        ExclusionRule::GitIgnored | ExclusionRule::Cache | ExclusionRule::BuildOutput => true,
        ExclusionRule::Excluded
        | ExclusionRule::Hidden
        | ExclusionRule::Environment
        | ExclusionRule::Test
        | ExclusionRule::Project
        | ExclusionRule::Tool
        | ExclusionRule::Documentation
        | ExclusionRule::Notebook
        | ExclusionRule::Secret
        | ExclusionRule::Special
        | ExclusionRule::BesideSource => false,
    });
    left_out.map(|excluded| project.join(excluded.path.trim_end_matches('/'))).collect()
}

/// Returns the destination of an include for a path in the artifact.
fn destination(audited: &Audited, in_artifact: &str) -> String {
    let below = match audited.application {
        "" => Some(in_artifact),
        application => in_artifact.strip_prefix(application).and_then(|path| path.strip_prefix('/')),
    };
    below.map_or_else(|| format!("/{in_artifact}"), str::to_owned)
}

/// Returns includes that together have the files that are bundled by default: any include replaces the default.
fn default_includes(audited: &Audited) -> Vec<String> {
    let application = &audited.plan.application;
    if !audited.settings.includes.is_empty() || application.files.is_empty() {
        return Vec::new();
    }
    vec![if application.has_source_at_root() { "src:." } else { "." }.to_owned()]
}
