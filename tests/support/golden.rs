//! The digests of the example's artifacts, which are the same on every machine: `testdata/golden.toml`.
//!
//! A change that is meant to change artifacts writes them anew:
//! `PYBUNDLE_BLESS=1 cargo test --test determinism --test images golden_digests`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::command::repository;

/// The digests of one target's artifacts by what they are.
pub type Digests = BTreeMap<String, String>;

/// The digests by target.
pub type Golden = BTreeMap<String, Digests>;

fn file() -> PathBuf {
    repository().join("testdata/golden.toml")
}

fn all() -> BTreeMap<String, Golden> {
    toml::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap()
}

/// Returns the digests of one kind of artifacts: `image` or `lambda`.
pub fn golden(kind: &str) -> Golden {
    all().remove(kind).unwrap_or_default()
}

/// Asserts that the digests of one kind are what they should be, or makes them so if `PYBUNDLE_BLESS` is set.
pub fn assert_golden(kind: &str, built: &Golden) {
    if std::env::var_os("PYBUNDLE_BLESS").is_some() {
        let mut digests = all();
        digests.insert(kind.to_owned(), built.clone());
        let header = "# The SHA-256 of the example's zips, and of its images' manifests. To write them anew:\n\
                      # PYBUNDLE_BLESS=1 cargo test --test determinism --test images golden_digests\n\n";
        std::fs::write(file(), format!("{header}{}", toml::to_string(&digests).unwrap())).unwrap();
    }
    assert_eq!(
        *built,
        golden(kind),
        "artifacts changed; if they should, write the digests anew and say so in CHANGELOG.md"
    );
}
