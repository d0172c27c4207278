//! The digests of the example's artifacts, which are the same on every machine: `testdata/golden.toml`.
//!
//! To update them after an intended change of the artifacts:
//! `PYBUNDLE_BLESS=1 cargo test --test lambda --test images golden_digests`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::command::repository;

/// The digests of the artifacts of one target, by kind of artifact.
pub type Digests = BTreeMap<String, String>;

/// The digests of all targets, by target.
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

/// Asserts that the digests of one kind are the golden ones, or updates these if `PYBUNDLE_BLESS` is set.
pub fn assert_golden(kind: &str, built: &Golden) {
    if std::env::var_os("PYBUNDLE_BLESS").is_some() {
        let mut digests = all();
        digests.insert(kind.to_owned(), built.clone());
        let header = "# The SHA-256 digests of the example's zips and of the manifests of its images. To update them:\n\
                      # PYBUNDLE_BLESS=1 cargo test --test lambda --test images golden_digests\n\n";
        std::fs::write(file(), format!("{header}{}", toml::to_string(&digests).unwrap())).unwrap();
    }
    assert_eq!(
        *built,
        golden(kind),
        "artifacts changed; if that is intended, update the digests with PYBUNDLE_BLESS=1 and say so in CHANGELOG.md"
    );
}
