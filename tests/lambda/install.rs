//! Real wheels from PyPI, installed by pybundle and by uv: the trees must be equal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pybundle::platform::Scheme;
use pybundle::tree::{ExtentFormat, FileContent, FileMode, TreeEntry, TreePath};
use pybundle::wheel::{InstallChanges, install};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

/// Wheels with different peculiarities.
const PINS: [&str; 14] = [
    // Headers, a native library.
    "greenlet==3.5.6",
    // Names its scripts for the interpreter's version.
    "pip==26.3",
    // Vendored `.dist-info` directories.
    "setuptools==84.2.1",
    // Scripts that begin with `#!python`.
    "jmespath==1.1.0",
    "docutils==0.14",
    // Data files.
    "networkx==2.5",
    "ipykernel==7.4.0",
    // A binary script, entries for directories.
    "ninja==1.13.2",
    // A name that is normalized.
    "zope.interface==8.7",
    // Bytecode.
    "ecdsa==0.13",
    // Stored entries.
    "entrypoints==0.2.3",
    // Entries made on Windows.
    "pywin32-ctypes==0.2.3",
    // Many files that are not Python sources.
    "tzdata==2026.6",
    // Many Python sources.
    "numpy==2.5.5",
];

/// Files that installers write themselves in `.dist-info`.
const INSTALLERS_OWN: [&str; 5] = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"];

/// Runs a command that must succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the files of a wheel as pybundle installs them.
fn install_here(path: &Path, minor: &str) -> Vec<(TreePath, TreeEntry)> {
    let wheel = crate::wheels::read_wheel(path);
    // The scheme of `uv pip install --target`.
    let scheme = Scheme {
        site_packages: String::new(),
        scripts: "bin".to_owned(),
        headers: "include".to_owned(),
        data: String::new(),
    };
    install(&wheel, &InstallChanges::default(), &scheme, &format!("/usr/bin/python3.{minor}")).unwrap()
}

/// Adds the files below a directory by their relative paths.
fn list(folder: &Path, prefix: &str, files: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            list(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, path);
        }
    }
}

/// Installs a wheel with uv; returns its files.
fn install_by_uv(path: &Path, target: &Path) -> BTreeMap<String, PathBuf> {
    let mut command = Command::new("uv");
    command.args(["pip", "install", "--quiet", "--no-deps", "--no-config", "--offline"]);
    // uv must not look for another interpreter.
    command.args(["--no-python-downloads", "--python", "python3"]);
    command.args(["--python-platform", "x86_64-manylinux_2_28", "--python-version", "3.12", "--target"]);
    run(command.arg(target).arg(path));
    let mut files = BTreeMap::new();
    list(target, "", &mut files);
    files.remove(".lock");
    files
}

/// Reads the content of an entry from its archive.
fn bytes(entry: &TreeEntry) -> Vec<u8> {
    match &entry.content {
        FileContent::Bytes(bytes) => bytes.to_vec(),
        FileContent::Archived { archive, extent } => {
            let archive = fs::read(archive.as_path()).unwrap();
            let bytes = &archive[extent.offset as usize..][..extent.compressed_size as usize];
            match extent.format {
                ExtentFormat::Stored => bytes.to_vec(),
                ExtentFormat::Deflated { .. } => miniz_oxide::inflate::decompress_to_vec(bytes).unwrap(),
            }
        }
        FileContent::File { .. } => panic!("a wheel brings no file of a project"),
        FileContent::Deferred(_) => panic!("the wheel is here"),
    }
}

/// Returns the rows of a RECORD except those of `without`.
fn rows<'a>(record: &'a str, without: &BTreeSet<String>) -> BTreeSet<&'a str> {
    record.lines().filter(|row| !without.contains(row.split(',').next().unwrap())).collect()
}

/// Returns the lines of a launcher that import and call the object.
fn calls(launcher: &str) -> [Option<&str>; 2] {
    ["from ", "sys.exit("].map(|start| launcher.lines().map(str::trim).find(|line| line.starts_with(start)))
}

/// Installs a wheel with both and compares path by path.
fn compare(pin: &str, minor: &str) {
    let path = crate::wheels::download(pin);
    let ours = install_here(&path, minor);
    let target = tempfile::tempdir().unwrap();
    let theirs = install_by_uv(&path, target.path());
    let record = ours.iter().find(|(path, _)| path.as_str().ends_with(".dist-info/RECORD")).unwrap();
    let dist_info = record.0.as_str().strip_suffix("RECORD").unwrap();

    let own: BTreeSet<String> = INSTALLERS_OWN.iter().map(|name| format!("{dist_info}{name}")).collect();
    let paths: BTreeSet<&str> =
        ours.iter().map(|(path, _)| path.as_str()).filter(|path| !own.contains(*path)).collect();
    let expected: BTreeSet<&str> = theirs.keys().map(String::as_str).filter(|path| !own.contains(*path)).collect();
    assert_eq!(paths, expected, "{pin}");

    let mut unlike = own.clone();
    for (path, entry) in ours.iter().filter(|(path, _)| !own.contains(path.as_str())) {
        let theirs = &theirs[path.as_str()];
        let mode = FileMode::from_permissions(fs::metadata(theirs).unwrap().permissions().mode());
        assert_eq!(entry.access.mode, mode, "{pin}: {path}");
        let (actual, expected) = (bytes(entry), fs::read(theirs).unwrap());
        match &entry.content {
            // A generated script: the interpreter's path differs, and so does the text around a launcher.
            FileContent::Bytes(_) => {
                let (actual, expected) = (String::from_utf8(actual).unwrap(), String::from_utf8(expected).unwrap());
                assert!(path.as_str().starts_with("bin/") && actual.starts_with("#!"), "{pin}: {path}");
                let rest = |script: &str| script.split_once('\n').map(|(_, rest)| rest.to_owned());
                let is_equal = rest(&actual) == rest(&expected);
                assert!(is_equal || calls(&actual) == calls(&expected), "{pin}: `{path}` differs: {actual}");
                unlike.insert(path.to_string());
            }
            _ => assert!(actual == expected, "{pin}: `{path}` differs"),
        }
    }
    let record_of_uv = fs::read_to_string(target.path().join(record.0.as_str())).unwrap();
    let record = String::from_utf8(bytes(&record.1)).unwrap();
    assert_eq!(rows(&record, &unlike), rows(&record_of_uv, &unlike), "{pin}");
}

#[test]
fn trees_equal_those_of_uv() {
    let minor = run(Command::new("python3").args(["-c", "import sys; print(sys.version_info.minor)"]));
    PINS.par_iter().for_each(|pin| compare(pin, minor.trim()));
}
