//! The file that names an operating system.

use std::collections::BTreeMap;

/// Returns the fields of a file os-release by their names, without quotes
/// ([os-release(5)](https://manpages.debian.org/os-release.5)).
pub(crate) fn os_release(text: &str) -> BTreeMap<&str, &str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name, value.trim_matches(['"', '\'']))).collect()
}
