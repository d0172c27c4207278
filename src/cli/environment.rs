//! Reads the environment: the only module that may.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;

use etcetera::BaseStrategy;

use crate::settings::{self, Environment, Variables};

/// The variables that were removed from the environment.
static WITHHELD: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// Removes the credentials of registries and indexes from the environment, so that no process inherits them: a new kind of
/// subprocess cannot forget it. [`read`] returns them nevertheless.
///
/// Only [`main`](super::main) may call this, before it starts a thread.
#[expect(unsafe_code, reason = "the environment of a process can be changed in no other way")]
pub(super) fn withhold_credentials() {
    WITHHELD.get_or_init(|| {
        let names = env::vars_os().map(|(name, _)| name);
        let names = names.filter(|name| name.to_str().is_some_and(settings::is_withheld));
        let withheld: Vec<_> = names.map(|name| (env::var(&name).ok(), name)).collect();
        for (_, name) in &withheld {
            // SAFETY: there is only one thread so far.
            unsafe { env::remove_var(name) };
        }
        withheld.into_iter().filter_map(|(value, name)| Some((name.into_string().ok()?, value?))).collect()
    });
}

/// Reads everything that a build depends on.
pub(crate) fn read() -> Environment {
    let home = etcetera::home_dir().ok();
    let netrc = env::var_os("NETRC").map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".netrc")));
    let variables =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let variables = variables.chain(WITHHELD.get().cloned().unwrap_or_default());
    Environment::new(Variables::new(variables), home.as_deref(), netrc, SystemTime::now())
}

/// Returns a variable, unless it is empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the directory of the repository in which a GitHub workflow or a job of GitLab runs.
pub(crate) fn workspace() -> Option<PathBuf> {
    variable("GITHUB_WORKSPACE").or_else(|| variable("CI_PROJECT_DIR")).map(PathBuf::from)
}

/// Returns the words of the command line.
pub(super) fn command_line() -> Vec<OsString> {
    env::args_os().collect()
}

/// Returns the working directory, if it exists.
pub(super) fn working_directory() -> Option<PathBuf> {
    env::current_dir().ok()
}

/// Returns the value of an option without parsing the command line, for errors of the parser itself.
pub(crate) fn option(name: &str) -> Option<String> {
    let words: Vec<_> = env::args_os().filter_map(|word| word.into_string().ok()).collect();
    let mut values =
        words.iter().enumerate().filter_map(|(at, word)| match word.strip_prefix("--")?.strip_prefix(name)? {
            "" => words.get(at + 1).cloned(),
            rest => rest.strip_prefix('=').map(str::to_owned),
        });
    values.next_back()
}

/// Returns whether the command line has a switch, without parsing it.
pub(crate) fn has_switch(switch: &str) -> bool {
    env::args_os().any(|word| word == switch)
}

/// Returns the width of a line where standard output is not a terminal, if the user sets one.
pub(crate) fn columns() -> Option<usize> {
    variable("COLUMNS")?.parse().ok().filter(|columns| *columns > 0)
}

/// Returns the default cache directory by the XDG Base Directory Specification, if the home directory is known.
pub(crate) fn cache_directory() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("pybundle"))
}
