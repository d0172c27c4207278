//! Assigns files to distributions.
//!
//! Specification: [PyPA, recording installed projects](https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file).

use std::collections::HashMap;

use super::{DistributionEntry, EntryOrigin, FileEntry};
use crate::name::DistributionName;
use crate::wheel::record;

/// Returns whether a path is that of a distribution's RECORD.
pub(super) fn is_record(path: &str) -> bool {
    distribution(path).is_some()
}

/// Returns the distribution with a RECORD at this path.
fn distribution(path: &str) -> Option<DistributionEntry> {
    let dist_info = path.strip_suffix("/RECORD")?;
    let directory = dist_info.rsplit_once('/').map_or(dist_info, |(_, directory)| directory);
    let (name, version) = directory.strip_suffix(".dist-info")?.rsplit_once('-')?;
    let name: DistributionName = name.parse().ok()?;
    Some(DistributionEntry {
        name: name.as_str().to_owned(),
        version: version.to_owned(),
        dist_info: dist_info.to_owned(),
    })
}

/// Sets the origin of every file: the distribution whose RECORD lists it, or whose `.dist-info` contains it. Bytecode has
/// the origin of its source. All other files, and hidden ones, have the origin that `otherwise` returns. Returns the
/// distributions with their RECORDs, sorted by name, version and path.
pub(super) fn assign(
    files: &mut [FileEntry],
    records: Vec<(String, Vec<u8>)>,
    otherwise: impl Fn(&FileEntry) -> EntryOrigin,
) -> (Vec<DistributionEntry>, Vec<(String, Vec<u8>)>) {
    let found = records.into_iter().filter_map(|record| Some((distribution(&record.0)?, record)));
    let mut found: Vec<_> = found.collect();
    found.sort();
    let (distributions, records): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    let mut owners: HashMap<String, usize> = HashMap::new();
    let mut directories: HashMap<&str, usize> = HashMap::new();
    for (index, (DistributionEntry { dist_info, .. }, (_, text))) in distributions.iter().zip(&records).enumerate() {
        directories.insert(dist_info, index);
        for path in record::paths(text).iter().filter_map(|path| installed(dist_info, path)) {
            owners.entry(path).or_insert(index);
        }
    }
    for file in files {
        let listed = owners.get(&file.path).or_else(|| owners.get(&source(&file.path)?));
        let distribution = listed.or_else(|| directories.get(file.path.rsplit_once('/')?.0)).copied();
        let distribution = distribution.filter(|_| !file.is_hidden);
        file.origin = distribution.map_or_else(|| otherwise(file), EntryOrigin::Distribution);
    }
    (distributions, records)
}

/// Resolves a path in a RECORD against the root of the artifact. Returns `None` if it leaves the artifact.
pub(super) fn installed(dist_info: &str, listed: &str) -> Option<String> {
    if let Some(absolute) = listed.strip_prefix('/') {
        return Some(absolute.to_owned());
    }
    let mut parts: Vec<&str> = dist_info.split('/').collect();
    parts.pop();
    for part in listed.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the source of bytecode (PEP 3147, PEP 488): that of `a/__pycache__/b.cpython-313.pyc` and of `a/b.pyc` is `a/b.py`.
fn source(path: &str) -> Option<String> {
    let (directory, name) = path.rsplit_once('/').map_or((None, path), |(directory, name)| (Some(directory), name));
    let stem = name.strip_suffix(".pyc")?;
    match directory.and_then(|directory| directory.strip_suffix("__pycache__")) {
        Some(directory) => Some(format!("{directory}{}.py", stem.split('.').next()?)),
        None => Some(path.strip_suffix('c')?.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_a_record_are_relative_to_the_parent_of_dist_info() {
        for (dist_info, listed, expected) in [
            ("a-1.dist-info", "a/b.py", Some("a/b.py")),
            ("a-1.dist-info", "../bin/a", None),
            ("opt/venv/lib/python3.13/site-packages/a-1.dist-info", "../../../bin/a", Some("opt/venv/bin/a")),
            ("lib/a-1.dist-info", "/usr/bin/a", Some("usr/bin/a")),
            ("lib/a-1.dist-info", "./a//b.py", Some("lib/a/b.py")),
        ] {
            assert_eq!(installed(dist_info, listed).as_deref(), expected, "{dist_info} {listed}");
        }
    }

    #[test]
    fn bytecode_has_a_source() {
        for (path, expected) in [
            ("a/__pycache__/b.cpython-313.pyc", Some("a/b.py")),
            ("__pycache__/b.cpython-313.opt-2.pyc", Some("b.py")),
            ("a/b.pyc", Some("a/b.py")),
            ("b.pyc", Some("b.py")),
            ("a/__pycache__/b.txt", None),
        ] {
            assert_eq!(source(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_record_is_one_in_a_dist_info() {
        assert!(is_record("x/Foo.Bar-1.0.dist-info/RECORD"));
        assert!(!is_record("RECORD") && !is_record("foo.dist-info/RECORD") && !is_record("a/RECORD"));
        let found = distribution("x/Foo.Bar-1.0.dist-info/RECORD").unwrap();
        assert_eq!((found.name.as_str(), found.version.as_str()), ("foo-bar", "1.0"));
    }
}
