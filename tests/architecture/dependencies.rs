//! Every dependency is used.

use std::fs;
use std::path::Path;

use crate::Source;

/// Crates whose library has another name than the package.
const LIBRARIES: &[(&str, &str)] = &[("md-5", "md5"), ("rust-netrc", "netrc")];

/// Crates that nothing calls, because their version chooses how another one works.
const CHOICES: &[&str] = &["idna_adapter"];

#[test]
fn every_dependency_is_used() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("\n[dependencies]\n").unwrap();
    let packages = dependencies.lines().take_while(|line| !line.starts_with('['));
    let packages = packages.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name);
    let sources = Source::below("src");
    let code: String = sources.iter().flat_map(|source| &source.code).map(|line| line.clone() + "\n").collect();
    for package in packages.filter(|name| !name.starts_with('#') && !CHOICES.contains(name)) {
        let renamed = LIBRARIES.iter().find(|(name, _)| *name == package).map(|(_, library)| (*library).to_owned());
        let library = renamed.unwrap_or_else(|| package.replace('-', "_"));
        let is_path = |at: usize| {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            let after = &code[at + library.len()..];
            !before.is_alphanumeric() && !"_:".contains(before) && (after.starts_with("::") || after.starts_with(';'))
        };
        assert!(
            code.match_indices(&library).any(|(at, _)| is_path(at)),
            "nothing in src uses the dependency {package}"
        );
    }
}
