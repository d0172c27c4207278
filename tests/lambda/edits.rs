//! Zips after edits of the application: dependencies come first, and equal input gives equal bytes.

use std::process::Command;

use crate::support::artifact::paths_of_zip;
use crate::support::command::{pybundle, repository, succeed};

/// `app.py` comes last, although `example_greeting` would follow it by its path.
#[test]
fn the_application_is_at_the_end_of_the_zip() {
    let directory = tempfile::tempdir().unwrap();
    succeed(Command::new("cp").arg("-r").arg(repository().join("testdata/example/.")).arg(directory.path()));
    succeed(pybundle(&["lambda", "--handler=app.handler", "--output=out.zip"]).current_dir(directory.path()));
    let paths = paths_of_zip(&directory.path().join("out.zip"));
    let own = paths.iter().position(|path| path == "app.py").unwrap();
    assert_eq!(paths[own..], ["app.py", "shop/__init__.py", "shop/prices.json"]);
    assert!(own > 10 && paths[..own].is_sorted(), "{paths:?}");
    succeed(pybundle(&["verify", "out.zip"]).current_dir(directory.path()));
}
