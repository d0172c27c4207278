//! Commands that run on this machine before the application's files are collected (`prepare`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::hints;
use crate::lock::DistributionSet;
use crate::pipeline::session::Preparation;
use crate::pipeline::{BuildError, ProjectCache};
use crate::redact;
use crate::report::{Reporter, RunningTask, Task, TaskKind};
use crate::settings::Settings;

/// Directories that no command prepares: of version control, environments and caches.
const NOT_PREPARED: [&str; 3] = ["node_modules", "__pycache__", "dist"];

/// How many lines of a failed command are shown.
const SHOWN_LINES: usize = 20;

/// What identifies the content of a file without reading it: its size, and when its bytes and its place last changed.
type FileState = (u64, i64, i64, u64);

/// Runs the commands of the settings in the project's directory, once for all targets of a run that have the same ones.
///
/// # Errors
/// A command cannot be started or fails, or `--no-build` forbids to run code of the project.
pub(crate) fn run(
    settings: &Settings,
    projects: &ProjectCache,
    reporter: &dyn Reporter,
) -> Result<Arc<Preparation>, BuildError> {
    if settings.prepare.is_empty() {
        return Ok(Arc::default());
    }
    if settings.formats.no_build == DistributionSet::All {
        return Err(BuildError::PrepareNotAllowed);
    }
    let (workspace, _) = projects.workspace(&settings.project)?;
    let directory = workspace.directory(workspace.current());
    projects.prepared(&directory, &settings.prepare, || {
        let before = states(&directory);
        for command in &settings.prepare {
            execute(command, &directory, reporter)?;
        }
        let mut after = states(&directory);
        after.retain(|path, state| before.get(path) != Some(state));
        Ok(Preparation { files: after.into_keys().collect() })
    })
}

fn execute(arguments: &[String], directory: &Path, reporter: &dyn Reporter) -> Result<(), BuildError> {
    let words: Vec<String> = arguments.iter().map(|word| hints::quoted(word)).collect();
    let shown = redact::text(&words.join(" "));
    let [program, rest @ ..] = arguments else { return Ok(()) };
    let running = RunningTask::start(reporter, Task::new(TaskKind::Run, format!("`{shown}`")));
    let mut command = Command::new(program);
    command.args(rest).current_dir(directory).stdin(Stdio::null());
    let output = command.output().map_err(|source| BuildError::StartPrepare { command: shown.clone(), source })?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned()).concat();
        let lines: Vec<&str> = said.trim_end().lines().collect();
        let shown_lines = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        return Err(BuildError::Prepare {
            command: shown,
            status: output.status,
            said: redact::text(&shown_lines.join("\n")),
        });
    }
    running.finish();
    Ok(())
}

/// Returns the files of a project that a command may prepare.
fn states(directory: &Path) -> BTreeMap<PathBuf, FileState> {
    let (mut found, mut queue) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(directory) = queue.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().filter_map(Result::ok) {
            let (path, name) = (entry.path(), entry.file_name());
            // A link is not followed: what it leads to belongs to somebody else.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                let name = name.to_string_lossy();
                let is_skipped = name.starts_with('.') || NOT_PREPARED.contains(&&*name);
                if !is_skipped && !path.join("pyvenv.cfg").exists() {
                    queue.push(path);
                }
            } else if metadata.is_file() {
                let state = (metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino());
                found.insert(path, state);
            }
        }
    }
    found
}
