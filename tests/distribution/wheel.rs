//! The wheel that maturin makes of the binary, and what installs it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::artifact::{leaves_of_folder, leaves_of_zip, sha256};
use crate::support::command::{repository, succeed, tool};

/// Reads the metadata of a wheel as package indexes do, and prints what they show.
const METADATA: &str = r#"
import json, sys, zipfile
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename

path = sys.argv[1]
name, version, _, tags = parse_wheel_filename(path.rsplit("/", 1)[1])
archive = zipfile.ZipFile(path)
metadata = Metadata.from_email(archive.read(f"{name}-{version}.dist-info/METADATA"), validate=True)
print(json.dumps({
    "name": metadata.name,
    "version": str(metadata.version),
    "summary": metadata.summary,
    "license": metadata.license_expression,
    "license_files": metadata.license_files,
    "python": str(metadata.requires_python),
    "requires": [str(requirement) for requirement in metadata.requires_dist or []],
    "readme": metadata.description.split("\n")[0],
    "readme_type": metadata.description_content_type.split(";")[0],
    "platforms": sorted({tag.platform.split("_")[0] for tag in tags}),
    "interpreters": sorted({f"{tag.interpreter}-{tag.abi}" for tag in tags}),
}))
"#;

static WHEEL: LazyLock<Built> = LazyLock::new(build);

/// A wheel in a folder of its own, for as long as the tests run.
pub struct Built {
    /// The folder with the wheel and nothing else.
    pub folder: PathBuf,
    /// The wheel.
    pub path: PathBuf,
    /// Manual pages and completions as they were put into it.
    share: PathBuf,
    log: String,
}

/// What lies beside the sources while a wheel is built, and is gone afterwards.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns the wheel of the binary that is tested.
pub fn wheel() -> &'static Built {
    &WHEEL
}

/// Writes manual pages and completions below a folder.
pub fn make_share(folder: &Path) {
    let script = repository().join("scripts/make-share");
    succeed(Command::new(script).arg(env!("CARGO_BIN_EXE_pybundle")).arg(folder));
}

/// Builds the wheel as a release does, but of what Cargo has compiled for the tests.
fn build() -> Built {
    let state = Path::new(env!("CARGO_TARGET_TMPDIR")).join("distribution");
    // What an earlier run left.
    let _ = std::fs::remove_dir_all(&state);
    let (folder, share) = (state.join("wheels"), state.join("share"));
    make_share(&state);
    let beside = Beside(repository().join("pybundle.data"));
    make_share(&beside.0.join("data"));
    let mut maturin = Command::new(tool("maturin"));
    maturin.args(["build", "--profile", "dev", "--compression-level", "1", "--out"]).arg(&folder);
    let output = maturin.current_dir(repository()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [path] = &files[..] else { panic!("{files:?}") };
    Built { path: path.clone(), folder, share, log }
}

#[test]
fn the_wheel_holds_the_binary_and_says_what_it_is() {
    let wheel = wheel();
    assert!(!wheel.log.contains("Compiling"), "Cargo compiles anew for maturin:\n{}", wheel.log);
    let version = env!("CARGO_PKG_VERSION");
    let printed = succeed(Command::new(tool("python")).args(["-c", METADATA]).arg(&wheel.path));
    let expected = json!({
        "name": "pybundle",
        "version": version,
        "summary": env!("CARGO_PKG_DESCRIPTION"),
        "license": env!("CARGO_PKG_LICENSE"),
        "license_files": ["LICENSE-APACHE", "LICENSE-MIT"],
        "python": ">=3.8",
        "requires": [],
        "readme": "# pybundle",
        "readme_type": "text/markdown",
        "platforms": ["manylinux"],
        "interpreters": ["py3-none"],
    });
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), expected);

    let leaves = leaves_of_zip(&wheel.path);
    let binary = &leaves[&format!("pybundle-{version}.data/scripts/pybundle")];
    assert!(binary.executable);
    assert_eq!(binary.sha256, sha256(&std::fs::read(env!("CARGO_BIN_EXE_pybundle")).unwrap()));
    let data = format!("pybundle-{version}.data/data/share/");
    let carried = leaves.iter().filter_map(|(path, leaf)| Some((path.strip_prefix(&data)?.to_owned(), leaf.clone())));
    assert_eq!(carried.collect::<std::collections::BTreeMap<_, _>>(), leaves_of_folder(&wheel.share));
    let others = leaves.keys().filter(|path| !path.contains(".data/") && !path.contains(".dist-info/"));
    assert_eq!(others.count(), 0, "{leaves:?}");
}

#[test]
fn uvx_runs_it() {
    let state = tempfile::tempdir().unwrap();
    let mut uv = Command::new("uv");
    uv.args(["tool", "run", "--no-config", "--offline", "--from"]).arg(&wheel().path).args(["pybundle", "--version"]);
    uv.env("UV_CACHE_DIR", state.path());
    assert_eq!(succeed(&mut uv), concat!("pybundle ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// As pipx does it.
#[test]
fn pip_installs_it_into_an_environment() {
    let state = tempfile::tempdir().unwrap();
    let environment = state.path().join("venv");
    succeed(Command::new("uv").args(["venv", "--no-config", "--quiet"]).arg(&environment));
    let mut pip = Command::new(tool("python"));
    pip.args(["-m", "pip", "--python"]).arg(environment.join("bin/python"));
    succeed(pip.args(["install", "--quiet", "--no-index", "--no-cache-dir"]).arg(&wheel().path));
    let printed = succeed(Command::new(environment.join("bin/pybundle")).arg("--version").env_clear());
    assert_eq!(printed, concat!("pybundle ", env!("CARGO_PKG_VERSION"), "\n"));
    // Where `man` and the shells look for what is installed beside a PATH.
    for path in ["man/man1/pybundle-lambda.1", "bash-completion/completions/pybundle"] {
        assert!(environment.join("share").join(path).is_file(), "{path}");
    }
}
