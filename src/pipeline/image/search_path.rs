//! The directories in which the container's Python searches for modules.

use std::collections::BTreeMap;

use crate::audit::imports::SearchedSince;
use crate::pipeline::image::command;
use crate::platform::ImageTarget;
use crate::settings::ImageSettings;

/// Returns the directories that Python searches for modules, without leading slashes: those that the command adds,
/// `PYTHONPATH`, the working directory and site-packages. The directories of other words that end in `.py` come last: they may be
/// scripts of commands that are not known, but `gunicorn -c conf/gunicorn.py` does not search `conf`.
pub(super) fn directories(
    settings: &ImageSettings,
    target: &ImageTarget,
    added: &[(String, SearchedSince)],
) -> Vec<String> {
    let named = python_path(settings, target);
    let workdir = settings.container.workdir.as_deref().unwrap_or(&target.workdir);
    let scripts = command::words(settings)
        .filter_map(|word| word.strip_suffix(".py")?.rsplit_once('/'))
        .map(|(directory, _)| directory);
    let scripts =
        scripts.map(
            |directory| {
                if directory.starts_with('/') { directory.to_owned() } else { format!("{workdir}/{directory}") }
            },
        );
    let others = [target.application.clone(), target.scheme.site_packages.clone()];
    let named = added.iter().map(|(directory, _)| directory.as_str()).chain(named);
    let all = named.map(str::to_owned).chain([workdir.to_owned()]).chain(others).chain(scripts);
    let mut directories: Vec<String> = Vec::new();
    for directory in all.map(|directory| directory.trim_matches('/').to_owned()) {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// Returns the directories of `PYTHONPATH`.
fn python_path<'s>(settings: &'s ImageSettings, target: &'s ImageTarget) -> impl Iterator<Item = &'s str> {
    let mut variables = settings.container.env.iter().chain(&target.env);
    let named = variables.find(|(name, _)| name == "PYTHONPATH");
    named.into_iter().flat_map(|(_, value)| value.split(':')).filter(|directory| !directory.is_empty())
}

/// Returns the directories of the search path that Python does not search from its start on. `added` are those that the
/// command adds.
pub(super) fn searched_later(
    settings: &ImageSettings,
    target: &ImageTarget,
    directories: &[String],
    added: &[(String, SearchedSince)],
) -> BTreeMap<String, SearchedSince> {
    let later = directories
        .iter()
        .filter(|directory| !python_path(settings, target).any(|named| named.trim_matches('/') == directory.as_str()));
    let later = later.map(|directory| {
        let since = added.iter().find(|(known, _)| known == directory).map(|(_, since)| *since);
        (directory.clone(), since.unwrap_or(SearchedSince::Never))
    });
    later.collect()
}
