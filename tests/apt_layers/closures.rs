//! Closures of real packages.

use crate::judge::Installation;

fn shown(differences: &[(String, String, String)]) -> String {
    differences.iter().map(|(path, real, laid)| format!("{path}\n    apt  {real}\n    here {laid}\n")).collect()
}

/// Lays the packages of `PACKAGES` over the root of `SUITE`, and shows all differences: `scripts/apt-corpus` runs it.
#[test]
#[ignore = "it takes the packages from the environment"]
fn corpus() {
    let suite = std::env::var("SUITE").expect("SUITE is a suite of Debian");
    let packages = std::env::var("PACKAGES").expect("PACKAGES are names, separated by spaces");
    let packages: Vec<&str> = packages.split(' ').collect();
    let installation = Installation::of(&suite, &packages, &[]);
    let differences = installation.differences();
    println!("{:.2} s, effects {:#?}", installation.seconds, installation.layers.effects);
    println!("{}{} differences", shown(&differences), differences.len());
}

#[test]
fn plain_packages_are_as_under_apt() {
    let installation = Installation::of("bookworm", &["tini", "libpq5"], &[]);
    let mut differences = installation.differences();
    differences.retain(|(path, _, _)| path != "etc/ld.so.cache");
    assert_eq!(shown(&differences), "");
}
