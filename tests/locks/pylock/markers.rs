//! Locks whose markers test for extras and groups, as PDM writes them.

use pybundle::hints::Hints;
use pybundle::lock::{LockError, SelectionRequest};

use super::oracle::{packaging, pybundle, uv};
use crate::support::uv::{Project, targets};

/// Returns a lock with an entry for each name and marker.
fn lock(head: &str, entries: &[(&str, &str)]) -> Project {
    let mut text = format!("lock-version = \"1.0\"\ncreated-by = \"hand\"\n{head}\n");
    for (name, marker) in entries {
        let marker = if marker.is_empty() { String::new() } else { format!("marker = \"{marker}\"\n") };
        let (url, hash) = (format!("https://example.org/{name}-1.0-py3-none-any.whl"), "0".repeat(64));
        text.push_str(&format!(
            "[[packages]]\nname = \"{name}\"\nversion = \"1.0\"\n{marker}\
             wheels = [{{ url = \"{url}\", hashes = {{ sha256 = \"{hash}\", md5 = \"{}\" }} }}]\n",
            "0".repeat(32)
        ));
    }
    Project::new(&[("pylock.toml", &text)])
}

fn pdm() -> Project {
    lock(
        "extras = [\"async\", \"fast\"]\ndependency-groups = [\"default\", \"dev\"]\ndefault-groups = [\"default\"]\n\
         environments = [\"sys_platform == 'linux'\", \"sys_platform == 'win32'\"]\n",
        &[
            ("always", ""),
            ("core", "'default' in dependency_groups"),
            ("shared", "'default' in dependency_groups or 'dev' in dependency_groups or 'async' in extras"),
            ("linter", "'dev' in dependency_groups"),
            ("loop", "'async' in extras"),
            ("both", "'async' in extras and 'fast' in extras and python_version >= '3.12'"),
            ("windows", "sys_platform == 'win32' or 'missing' in extras"),
            ("plain", "'async' not in extras"),
        ],
    )
}

fn request(extras: &[&str], groups: &[&str], only_groups: &[&str], no_default_groups: bool) -> SelectionRequest {
    SelectionRequest {
        extras: extras.iter().map(|name| name.parse().unwrap()).collect(),
        groups: groups.iter().map(|name| name.parse().unwrap()).collect(),
        only_groups: only_groups.iter().map(|name| name.parse().unwrap()).collect(),
        no_default_groups,
        ..SelectionRequest::default()
    }
}

#[test]
fn extras_and_groups_select_the_same_as_with_packaging() {
    let project = pdm();
    for target in targets(&["3.9", "3.12"]) {
        for (request, extras, groups) in [
            (SelectionRequest::default(), &[][..], None),
            (request(&["async"], &[], &[], false), &["async"], None),
            (request(&["Async"], &["dev"], &[], false), &["async"], Some(&["default", "dev"][..])),
            (request(&["async", "fast"], &[], &[], true), &["async", "fast"], Some(&[])),
            (request(&[], &["dev"], &[], true), &[], Some(&["dev"])),
            (request(&[], &[], &["dev"], false), &[], Some(&["dev"])),
            (SelectionRequest { all_extras: true, ..SelectionRequest::default() }, &["async", "fast"], None),
        ] {
            let ours = pybundle(&project, "pylock.toml", &request, &target).unwrap();
            assert_eq!(Ok(ours), packaging(&project, "pylock.toml", extras, groups, &target), "{request:?}");
        }
    }
}

#[test]
fn default_groups_are_those_of_uv() {
    let project = pdm();
    let target = targets(&["3.12"]).remove(0);
    let names = |request| pybundle(&project, "pylock.toml", &request, &target).unwrap().into_keys();
    assert!(names(SelectionRequest::default()).eq(uv(&project, "pylock.toml", &[], &target)));
    // uv's --group replaces the default groups.
    assert!(names(request(&[], &[], &["dev"], false)).eq(uv(&project, "pylock.toml", &["--group=dev"], &target)));
}

#[test]
fn unknown_extras_and_groups_are_refused() {
    let project = pdm();
    let target = targets(&["3.12"]).remove(0);
    let error = |request| pybundle(&project, "pylock.toml", &request, &target).unwrap_err();
    let extra = error(request(&["asnyc"], &[], &[], false));
    assert!(matches!(extra, LockError::UnknownExtra { .. }));
    assert!(extra.to_string().ends_with("pylock.toml: the lock has no extra `asnyc`"), "{extra}");
    assert_eq!(extra.hints(), ["did you mean `async`? The extras are `async` and `fast`"]);
    let group = error(request(&[], &["test"], &[], false));
    assert!(matches!(group, LockError::UnknownGroup { .. }));
    assert_eq!(group.hints(), ["the groups are `default` and `dev`"]);
}

#[test]
fn two_versions_are_refused_as_by_packaging() {
    let project = lock("extras = [\"x\"]", &[("foo", "'x' in extras"), ("foo", "python_version >= '3.12'")]);
    for target in targets(&["3.9", "3.12"]) {
        for (extras, request) in [(&[][..], SelectionRequest::default()), (&["x"], request(&["x"], &[], &[], false))] {
            let ours = pybundle(&project, "pylock.toml", &request, &target);
            let theirs = packaging(&project, "pylock.toml", extras, None, &target);
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
                (Err(LockError::ConflictingVersions { .. }), Err(error)) => {
                    assert!(error.starts_with("Multiple"), "{error}")
                }
                (ours, theirs) => panic!("{ours:?}, {theirs:?}"),
            }
        }
    }
}
