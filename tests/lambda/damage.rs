//! A damaged cache: what a disk or another program changed reaches no artifact.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::command::{pybundle, repository};

/// Returns the wheels and blobs in a cache.
fn contents(cache: &Path) -> Vec<PathBuf> {
    let (mut directories, mut found) = (vec![cache.join("v1/wheels"), cache.join("v1/blobs")], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_none_or(|extension| extension == "whl") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn one_flipped_bit_anywhere_in_the_cache_changes_no_artifact() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, zip) = (directory.path().join("cache"), directory.path().join("function.zip"));
    let build = |arguments: &[&str]| {
        let mut command = pybundle(&["lambda", "--runtime=python3.13", "--handler=app.handler", "--compile-bytecode"]);
        command.arg("-o").arg(&zip).arg(repository().join("testdata/example")).args(arguments);
        let output = command.env("PYBUNDLE_CACHE_DIR", &cache).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(build(&[]).0);
    let expected = fs::read(&zip).unwrap();
    let files = contents(&cache);
    assert!(files.iter().any(|path| path.starts_with(cache.join("v1/blobs"))), "there is a pack of bytecode");
    let mut found = 0;
    for path in files {
        let intact = fs::read(&path).unwrap();
        for position in (40..intact.len()).step_by(intact.len() / 5 + 1) {
            let mut damaged = intact.clone();
            damaged[position] ^= 4;
            fs::write(&path, damaged).unwrap();
            fs::remove_file(&zip).unwrap();
            let (is_built, said) = build(&[]);
            assert!(is_built && fs::read(&zip).unwrap() == expected, "{} at {position}: {said}", path.display());
            let message = format!("warning: {} was damaged: building again without it", path.display());
            // Bytes between the entries of a wheel are in no artifact, so their damage does not matter.
            found += usize::from(said.contains(&message));
            assert!(!build(&[]).1.contains("damaged"));
            fs::write(&path, &intact).unwrap();
        }
    }
    assert!(found > 5, "{found} were noticed");
}

/// The reader of a pipe has the beginning of the first zip, so a second one would follow it.
#[test]
fn a_build_that_streams_its_zip_is_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let build = || {
        let mut command = pybundle(&["lambda", "--runtime=python3.13", "--no-compile-bytecode", "-o", "-"]);
        command.arg(repository().join("testdata/example")).env("PYBUNDLE_CACHE_DIR", &cache);
        command.output().unwrap()
    };
    let expected = build();
    assert!(expected.status.success());
    let mut failed = 0;
    for path in contents(&cache) {
        let intact = fs::read(&path).unwrap();
        let mut damaged = intact.clone();
        damaged[100] ^= 4;
        fs::write(&path, damaged).unwrap();
        let output = build();
        if output.status.success() {
            assert!(output.stdout == expected.stdout, "{}", path.display());
        } else {
            failed += 1;
            let said = String::from_utf8(output.stderr).unwrap();
            let warning = format!("warning: {} was damaged: the next build makes or fetches it again", path.display());
            assert!(said.contains(&warning), "{said}");
            assert!(build().stdout == expected.stdout);
        }
    }
    assert!(failed > 0);
}
