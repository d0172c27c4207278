//! Modules that are in a local project, but not in its wheel.

use std::path::{Path, PathBuf};

use ignore::gitignore::GitignoreBuilder;

use super::remedies::module_file;
use super::{Audited, inclusion};
use crate::limited_reader::{self, LARGEST_PROJECT_FILE};
use crate::lock::SelectedSource;

/// Explains why a module is missing that is in a local project other than the bundled one.
pub(super) fn explain(audited: &Audited, module: &str) -> Option<String> {
    let workspace = &audited.plan.project.workspace;
    let current = workspace.directory(workspace.current()).canonicalize().ok()?;
    let below = module.replace('.', "/");
    let (directory, file) = audited.plan.installed().find_map(|selected| {
        let SelectedSource::Directory(directory) = &selected.source else { return None };
        let is_other = directory.canonicalize().is_ok_and(|directory| directory != current);
        let file = ["", "src"].iter().find_map(|source| module_file(&directory.join(source).join(&below)));
        Some((directory, file.filter(|_| is_other)?))
    })?;
    let reason = match pattern_of_hatchling(directory, &file) {
        Some((pattern, list)) => format!(
            "hatchling omits what `{pattern}` of {} matches below the project: set `ignore-vcs = true` in [tool.hatch.build]",
            inclusion::shown(audited, &list)
        ),
        None => "check which files its build backend includes".to_owned(),
    };
    let shown = inclusion::shown(audited, directory);
    Some(format!("`{module}` is in {shown}, but not in the wheel that is built of it: {reason}"))
}

/// Returns the pattern by which hatchling omits a file, and the file that lists it: the nearest `.gitignore` at or above the
/// project, whose patterns are matched relative to the project.
fn pattern_of_hatchling(directory: &Path, path: &Path) -> Option<(String, PathBuf)> {
    let text = limited_reader::read_regular_text(&directory.join("pyproject.toml"), LARGEST_PROJECT_FILE).ok()?;
    let document: toml::Value = toml::from_str(&text).ok()?;
    let back_end = document.get("build-system")?.get("build-backend")?.as_str()?;
    let build = document.get("tool").and_then(|tool| tool.get("hatch")?.get("build"));
    let of_wheel = build.and_then(|build| build.get("targets")?.get("wheel"));
    let is_set = [of_wheel, build].into_iter().find_map(|table| table?.get("ignore-vcs")?.as_bool());
    let top = directory.ancestors().find(|above| above.join(".git").exists());
    let within = directory.ancestors().take_while(|above| top.is_none_or(|top| above.starts_with(top)));
    let list = within.map(|above| above.join(".gitignore")).find(|list| list.is_file())?;
    if back_end != "hatchling.build" || is_set == Some(true) {
        return None;
    }
    let mut builder = GitignoreBuilder::new(directory);
    for line in limited_reader::read_regular_text(&list, LARGEST_PROJECT_FILE).ok()?.lines() {
        builder.add_line(None, line).ok()?;
    }
    let patterns = builder.build().ok()?;
    match patterns.matched_path_or_any_parents(path, path.is_dir()) {
        ignore::Match::Ignore(glob) => Some((glob.original().to_owned(), list)),
        ignore::Match::None | ignore::Match::Whitelist(_) => None,
    }
}
