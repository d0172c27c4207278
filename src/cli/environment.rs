//! The one place that reads the environment.

use std::env;
use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::settings::Environment;

/// Reads what a build depends on.
pub fn read() -> Environment {
    let home = etcetera::home_dir().ok();
    let netrc = env::var_os("NETRC").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".netrc")));
    let variables =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Environment { variables: variables.collect(), netrc, home }
}

/// Returns how many characters a line may have where there is no terminal, if the user says so.
pub fn columns() -> Option<usize> {
    env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns > 0)
}

/// Returns the user's cache folder by the XDG base directory specification, if there is a home folder.
pub fn cache_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("pybundle"))
}
