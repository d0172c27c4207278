//! Locks that other tools than uv wrote: pip 26.3, PDM 2.29.4 (its export, and its own lock in this format), pipenv 2026.10.3
//! and pnpm 12.21.0, for the requirements `idna`, and `colorama` on Windows.

use std::path::Path;
use std::process::Command;

use pybundle::hints::Hints;
use pybundle::lock::{Lock, LockError, SelectedSource, SelectionRequest};

use crate::support::case::chosen;
use crate::support::command::{succeed, tool};
use crate::support::uv::targets;

/// Returns the chosen files of a lock for Python 3.11 on x86_64.
fn files(text: &str, path: &Path, groups: &[&str]) -> Result<Vec<String>, LockError> {
    let target = targets(&["3.11"]).remove(0);
    let groups = groups.iter().map(|group| group.parse().unwrap()).collect();
    let request = SelectionRequest { groups, ..SelectionRequest::default() };
    let selection = Lock::parse_pylock(text, path)?.select(&request, Path::new(""), &target)?;
    let selected = chosen(&selection, &target)?.into_iter();
    Ok(selected
        .map(|selected| match selected.source {
            SelectedSource::Wheel(wheel, _) => wheel.filename.to_string(),
            source => panic!("{source:?}"),
        })
        .collect())
}

/// Returns the chosen files of a lock in `testdata/valid/pylock`.
fn stored(tool: &str, groups: &[&str]) -> Result<Vec<String>, LockError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/valid/pylock/pylock.{tool}.toml"));
    files(&std::fs::read_to_string(&path).unwrap(), &path, groups)
}

#[test]
fn what_each_tool_locks_is_selected() {
    let (idna, iniconfig) = ("idna-3.20-py3-none-any.whl", "iniconfig-2.1.0-py3-none-any.whl");
    let (colorama, six) = ("colorama-0.4.6-py2.py3-none-any.whl", "six-1.17.0-py2.py3-none-any.whl");
    let markupsafe =
        "markupsafe-3.0.4-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl";
    for (tool, groups, expected) in [
        ("pip", &[][..], &[idna][..]),
        // The export has no groups: everything is selected.
        ("pdm", &[], &[idna, iniconfig, six]),
        ("pdm-lock", &[], &[idna]),
        ("pdm-lock", &["dev"], &[idna, iniconfig]),
        // pipenv drops the marker of `sys_platform = "== 'win32'"`.
        ("pipenv", &[], &[colorama, idna]),
        ("pipenv", &["dev"], &[colorama, idna, iniconfig]),
        ("pnpm", &[], &[idna, markupsafe]),
    ] {
        assert_eq!(stored(tool, groups).unwrap(), expected, "{tool} {groups:?}");
    }
}

/// For one machine only: the environment says so.
#[test]
fn what_pnpm_locks_is_refused_for_other_targets() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/valid/pylock/pylock.pnpm.toml");
    let lock = Lock::parse_pylock(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
    for target in targets(&["3.11", "3.12"]).into_iter().skip(1) {
        let error = lock.select(&SelectionRequest::default(), Path::new(""), &target).unwrap_err();
        assert!(matches!(error, LockError::UnsupportedTarget { .. }), "{error}");
    }
}

#[test]
fn what_pipenv_leaves_unpinned_is_refused_with_a_hint() {
    let error = stored("pipenv-unpinned", &[]).unwrap_err();
    assert!(error.to_string().ends_with("pylock.pipenv-unpinned.toml: the lock lists no files of colorama"), "{error}");
    let [hint] = &error.hints()[..] else { panic!("{:?}", error.hints()) };
    assert!(hint.starts_with(
        "run `pipenv requirements --hash > requirements.txt`, and pass --lock requirements.txt --resolve"
    ));
}

/// uv 0.13.8 writes entries without files for platforms for which PyTorch's index has none.
#[test]
fn an_entry_without_files_that_does_not_apply_is_ignored() {
    let text = "lock-version = \"1.0\"\ncreated-by = \"uv\"\n\
                [[packages]]\nname = \"torch\"\nversion = \"2.9.0\"\nmarker = \"sys_platform == 'darwin'\"\n\
                index = \"https://download.pytorch.org/whl/cpu\"\n";
    assert_eq!(files(text, Path::new("pylock.toml"), &[]), Ok(Vec::new()));
    let error = files(&text.replace("darwin", "linux"), Path::new("pylock.toml"), &[]).unwrap_err();
    assert_eq!(error.to_string(), "pylock.toml: the lock lists no files of torch 2.9.0");
    assert_eq!(error.hints(), ["regenerate the lock with the tool that created it for the target"]);
}

/// The wheel with a label is a variant (PEP 825).
#[test]
fn wheels_whose_names_cannot_be_parsed_are_skipped() {
    let hash = "0".repeat(64);
    let name = "torch-2.9.0-cp311-cp311-manylinux_2_17_x86_64";
    let wheels: String = [format!("{name}-cu128.whl"), format!("{name}.whl")]
        .iter()
        .map(|name| format!("{{ url = \"https://host/{name}\", hashes = {{ sha256 = \"{hash}\" }} }}, "))
        .collect();
    let text = format!(
        "lock-version = \"1.0\"\ncreated-by = \"uv\"\n\
         [[packages]]\nname = \"torch\"\nversion = \"2.9.0\"\nwheels = [{wheels}]\n"
    );
    assert_eq!(files(&text, Path::new("pylock.toml"), &[]), Ok(vec![format!("{name}.whl")]));
}

#[test]
fn what_pip_locks_now_is_selected() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("one-1.0-py3-none-any.whl"), crate::support::wheel("one", "1.0")).unwrap();
    let mut pip = Command::new(tool("pip"));
    pip.args(["lock", "--quiet", "--no-index", "--find-links", ".", "one"]).current_dir(directory.path());
    succeed(&mut pip);
    let path = directory.path().join("pylock.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(files(&text, &path, &[]), Ok(vec!["one-1.0-py3-none-any.whl".to_owned()]), "{text}");
}
