//! Data files of the application that are large.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::project::application::{self, Application};

/// How many data files or directories a warning names.
const LARGEST_DATA: usize = 3;

/// The size of data files in bytes that is not worth a remark.
const USUAL_DATA: u64 = 50 << 20;

/// Returns what to say about data files that are large together: which they are, by top-level path.
pub(super) fn warning(application: &Application) -> Option<String> {
    let mut by_path = BTreeMap::<&str, u64>::new();
    for (path, entry) in application.files.iter().filter(|(path, _)| !application::is_module(path.as_str())) {
        let top_level = path.as_str().split('/').next().unwrap_or_default();
        *by_path.entry(top_level).or_default() += entry.content.size();
    }
    let total: u64 = by_path.values().sum();
    let mut largest: Vec<(&str, u64)> = by_path.into_iter().collect();
    largest.sort_by_key(|(_, size)| Reverse(*size));
    let largest =
        largest.iter().take(LARGEST_DATA).map(|(path, size)| (path, size >> 20)).filter(|(_, size)| *size > 0);
    let largest: Vec<String> = largest.map(|(path, size)| format!("{path} {size} MiB")).collect();
    (total > USUAL_DATA).then(|| {
        format!(
            "the application contains {} MiB of data files: {}; omit what it does not read with --exclude",
            total >> 20,
            largest.join(", ")
        )
    })
}
