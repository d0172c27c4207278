//! What goes to package indexes as source.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::command::{repository, succeed, tool};

/// Returns what Cargo read to compile the binary, below the repository.
fn compiled() -> BTreeSet<String> {
    // Compiles nothing: the binary is there. But the list is written by this command alone.
    succeed(Command::new("cargo").args(["build", "--locked", "--quiet"]).current_dir(repository()));
    let list = Path::new(env!("CARGO_BIN_EXE_pybundle")).with_extension("d");
    let text = std::fs::read_to_string(&list).unwrap();
    let (_, files) = text.split_once(": ").unwrap();
    let root = format!("{}/", repository().display());
    let files = files.split_whitespace().map(|path| path.strip_prefix(&root).unwrap().to_owned());
    // The list may be older than a file's removal.
    files.filter(|path| repository().join(path).exists()).collect()
}

/// Returns the files of the crate's package.
fn crate_files() -> BTreeSet<String> {
    let mut command = Command::new("cargo");
    command.args(["package", "--list", "--allow-dirty", "--locked", "--quiet"]).current_dir(repository());
    succeed(&mut command).lines().map(str::to_owned).collect()
}

#[test]
fn the_crate_holds_what_it_is_compiled_from_and_little_else() {
    let files = crate_files();
    let compiled = compiled();
    assert!(compiled.contains("src/main.rs") && compiled.contains("profiles/service.toml"), "{compiled:?}");
    let missing: Vec<_> = compiled.difference(&files).collect();
    assert!(missing.is_empty(), "`include` in Cargo.toml leaves out {missing:?}");
    let beside: Vec<_> = files.difference(&compiled).filter(|path| !path.starts_with("src/")).collect();
    let expected = ["CHANGELOG.md", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig", "LICENSE-APACHE", "LICENSE-MIT"];
    let beside: Vec<_> = beside.into_iter().filter(|path| *path != ".cargo_vcs_info.json").collect();
    assert_eq!(beside, [&expected[..], &["README.md"]].concat());
}

#[test]
fn the_source_distribution_is_the_crate_and_its_pyproject() {
    let folder = tempfile::tempdir().unwrap();
    succeed(Command::new(tool("maturin")).args(["sdist", "--out"]).arg(folder.path()).current_dir(repository()));
    let root = concat!("pybundle-", env!("CARGO_PKG_VERSION"));
    let archive = folder.path().join(format!("{root}.tar.gz"));
    let listed = succeed(Command::new("tar").arg("-tzf").arg(&archive));
    let found = listed.lines().map(|line| line.strip_prefix(root).unwrap()[1..].to_owned());
    let mut expected = crate_files();
    expected.extend(["PKG-INFO", "pyproject.toml"].map(str::to_owned));
    for of_cargo in ["Cargo.toml.orig", ".cargo_vcs_info.json"] {
        expected.remove(of_cargo);
    }
    assert_eq!(found.collect::<BTreeSet<_>>(), expected);
}
