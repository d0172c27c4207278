//! The reference pages of `docs/reference` are those that the command line and the schema of `[tool.pybundle]` give.

use std::fs;

use pybundle::cli::reference;

use crate::support::command::repository;

#[test]
fn the_reference_is_the_one_that_is_committed() {
    let directory = repository().join("docs/reference");
    for (name, page) in [("cli.md", reference::command_line()), ("configuration.md", reference::configuration())] {
        let path = directory.join(name);
        if std::env::var_os("PYBUNDLE_BLESS").is_some() {
            fs::create_dir_all(&directory).unwrap();
            fs::write(&path, &page).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == page,
            "{} differs from the options: write it again with PYBUNDLE_BLESS=1 cargo test --test output reference",
            path.display()
        );
    }
}
