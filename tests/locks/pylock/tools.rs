//! Locks that other tools than uv wrote: pip 26.3, PDM 2.29.4 (its export, and its own lock in this format), pipenv 2026.10.3
//! and pnpm 12.21.0, for the requirements `idna`, and `colorama` on Windows.

use std::path::Path;
use std::process::Command;

use pybundle::hints::Hints;
use pybundle::lock::{Lock, LockError, SelectedSource, SelectionRequest};

use crate::support::case::{chosen, wheels};
use crate::support::command::{cache, fail, lock_tool, pybundle, succeed, tool};
use crate::support::uv::{Project, targets};

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
        let hint = "name the targets in pnpm-workspace.yaml, for instance `supportedArchitectures: [linux-x64-manylinux_2_28, \
                    linux-arm64-manylinux_2_28]` and, under `python`, `versions: ['3.12', '3.13']`, and run `pnpm install`";
        assert_eq!(error.hints(), [hint]);
    }
}

/// pnpm 12.21.0 wrote it after what the hint says, for 3.11 and 3.12.
#[test]
fn what_pnpm_locks_for_several_platforms_is_selected() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/valid/pylock/pylock.pnpm-platforms.toml");
    let lock = Lock::parse_pylock(&std::fs::read_to_string(&path).unwrap(), &path).unwrap();
    for target in targets(&["3.11", "3.12"]) {
        let selection = lock.select(&SelectionRequest::default(), Path::new(""), &target).unwrap();
        let selected = wheels(&selection, &target);
        assert!(selected.keys().eq(["idna", "markupsafe"]), "{selected:?}");
        let python = target.python.to_string().replace('.', "");
        let architecture = target.architecture.wheel_name();
        let expected = format!(
            "markupsafe-3.0.4-cp{python}-cp{python}-manylinux2014_{architecture}.manylinux_2_17_{architecture}.manylinux_2_28_{architecture}.whl"
        );
        assert_eq!(selected["markupsafe"].1, expected);
    }
    assert!(lock.select(&SelectionRequest::default(), Path::new(""), &targets(&["3.13"])[0]).is_err());
}

/// PDM's own lock in this format, made now, selects what PDM exports; one for a few targets says how to add another.
#[test]
fn what_pdm_locks_now_is_selected() {
    let project = Project::new(&[
        (
            "pyproject.toml",
            "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.11,<3.14'\ndependencies = ['markupsafe', \
             \"colorama; sys_platform == 'win32'\", \"typing-extensions; python_version < '3.12'\"]\n\
             [dependency-groups]\ndev = ['iniconfig']\n",
        ),
        ("pdm.toml", "[lock]\nformat = 'pylock'\n"),
    ]);
    let pdm = |arguments: &[&str]| {
        let mut command = Command::new(lock_tool("pdm"));
        command.args(arguments).current_dir(project.path()).env_remove("VIRTUAL_ENV");
        succeed(command.env("PDM_CACHE_DIR", cache().join("pdm")).env("PDM_CHECK_UPDATE", "false"))
    };
    let lock = || Lock::parse_pylock(&project.read("pylock.toml"), &project.path().join("pylock.toml")).unwrap();
    let request = SelectionRequest::default();
    pdm(&["lock", "--quiet"]);
    let exported = pdm(&["export", "--prod", "--no-hashes", "-f", "requirements"]);
    for target in targets(&["3.11", "3.13"]) {
        let selection = lock().select(&request, Path::new(""), &target).unwrap();
        assert_eq!(wheels(&selection, &target), project.installed(&target, &exported), "{}", target.name);
    }
    pdm(&["lock", "--quiet", "--platform", "manylinux_2_28_x86_64", "--python", "==3.11.*"]);
    let other = targets(&["3.13"]).into_iter().find(|target| target.architecture.wheel_name() == "aarch64").unwrap();
    let error = lock().select(&request, Path::new(""), &other).unwrap_err();
    let command = "pdm lock --append --platform manylinux_2_28_aarch64 --python '==3.13.*'";
    assert!(error.hints()[0].ends_with(&format!("for instance `{command}`")), "{:?}", error.hints());
    // What the hint says.
    let words = shlex::split(command).unwrap();
    pdm(&words.iter().skip(1).map(String::as_str).collect::<Vec<_>>());
    assert!(wheels(&lock().select(&request, Path::new(""), &other).unwrap(), &other).contains_key("markupsafe"));
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

/// pip locks for the machine and the Python that it runs on.
#[test]
fn what_pip_locks_now_is_what_pip_installs() {
    let project = Project::new(&[
        ("requirements.in", "markupsafe\nidna\ncolorama; sys_platform == 'win32'\n"),
        ("pyproject.toml", "[project]\nname = 'app'\nversion = '1'\n"),
        ("app.py", ""),
    ]);
    let pip = |arguments: &[&str]| succeed(Command::new(tool("pip")).args(arguments).current_dir(project.path()));
    pip(&["lock", "--quiet", "--requirement", "requirements.in"]);
    let report =
        pip(&["install", "--quiet", "--dry-run", "--report", "-", "--target", "t", "--requirement", "pylock.toml"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let installed = report["install"]
        .as_array()
        .unwrap()
        .iter()
        .map(|install| install["download_info"]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned());
    let mut installed: Vec<String> = installed.collect();
    installed.sort();
    let version = report["environment"]["python_version"].as_str().unwrap();
    let machine = report["environment"]["platform_machine"].as_str().unwrap();
    let (own, other): (Vec<_>, Vec<_>) =
        targets(&[version]).into_iter().partition(|target| target.architecture.wheel_name() == machine);
    let lock = || Lock::parse_pylock(&project.read("pylock.toml"), &project.path().join("pylock.toml")).unwrap();
    let files = || -> Vec<String> {
        let selection = lock().select(&SelectionRequest::default(), Path::new(""), &own[0]).unwrap();
        wheels(&selection, &own[0]).into_values().map(|(_, file)| file).collect()
    };
    assert_eq!(files(), installed);
    let plan = || {
        let runtime = format!("--runtime=python{version}");
        let mut command = pybundle(&["plan", &runtime, "--arch", other[0].architecture.wheel_name()]);
        command.arg(project.path());
        command
    };
    let said = fail(&mut plan());
    let command = "uv pip compile --universal --format pylock.toml requirements.in -o pylock.toml";
    assert!(
        said.contains(&format!("hint: lock for all targets with `{command}`: pip locks for the machine")),
        "{said}"
    );
    // What the hint says.
    std::fs::remove_file(project.path().join("pylock.toml")).unwrap();
    project.uv(&command.split(' ').skip(1).collect::<Vec<_>>());
    succeed(&mut plan());
}
