//! Closures of real packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pybundle::fuzzing::{LaidPackages, lay_packages};

use crate::judge::Installation;
use crate::roots::{chroot, run};

fn shown(differences: &[(String, String, String)]) -> String {
    differences.iter().map(|(path, real, laid)| format!("{path}\n    apt  {real}\n    here {laid}\n")).collect()
}

/// Lays the packages of `PACKAGES` over the root of `SUITE`, both after the command `BEFORE`, and shows all differences:
/// `scripts/apt-corpus` runs it.
#[test]
#[ignore = "it takes the packages from the environment"]
fn corpus() {
    let suite = std::env::var("SUITE").expect("SUITE is a suite of Debian");
    let packages = std::env::var("PACKAGES").expect("PACKAGES are names, separated by spaces");
    let packages: Vec<&str> = packages.split(' ').collect();
    let allowed = std::env::var("ALLOW").unwrap_or_default();
    let allowed: Vec<&str> = allowed.split_whitespace().collect();
    let before = std::env::var("BEFORE").unwrap_or_else(|_| "true".to_owned());
    let installation = Installation::after(&before, &suite, &packages, &allowed);
    let differences = installation.differences();
    let LaidPackages { effects, unconfigured, upgraded, .. } = &installation.layers;
    println!("{:.2} s, effects {effects:#?}", installation.seconds);
    println!("unconfigured {unconfigured:?}, upgraded {upgraded:?}");
    let [real, laid] = [&installation.real, &installation.laid].map(|root| chroot(root, &["ldconfig", "-p"]));
    let missing = real.lines().filter(|line| !laid.contains(line)).map(|line| format!("-{line}\n"));
    let added = laid.lines().filter(|line| !real.contains(line)).map(|line| format!("+{line}\n"));
    println!("{}", missing.chain(added).collect::<String>());
    println!("{}{}{} differences", shown(&differences), lines(&installation, &differences), differences.len());
}

/// Returns how the text files among the differences differ, line by line.
fn lines(installation: &Installation, differences: &[(String, String, String)]) -> String {
    let [real, laid] = [&installation.real, &installation.laid];
    let both = differences.iter().filter(|(_, real, laid)| real.starts_with("file") && laid.starts_with("file"));
    let texts = both.map(|(path, _, _)| {
        let output = Command::new("diff").arg("-U1").args([real.join(path), laid.join(path)]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().take(60).map(|line| format!("{line}\n")).collect::<String>()
    });
    texts.collect()
}

/// The commonest packages of Python's Dockerfiles: libraries, alternatives, a set-group-id file, a capability, and the
/// certificates. Files, links, modes, owners, the linker's cache and dpkg's database are those of apt.
#[test]
fn common_packages_are_as_under_apt() {
    let packages = ["tini", "libpq5", "libmagic1", "netcat-openbsd", "iputils-ping", "ca-certificates", "cron"];
    let installation = Installation::of("bookworm", &packages, &[]);
    assert_eq!(shown(&installation.differences()), "");
    assert_eq!(installation.layers.unconfigured, [""; 0]);
    assert!(installation.layers.omitted > 50, "manuals and documentation are omitted");
    let listed = |root: &Path| chroot(root, &["dpkg", "-l"]);
    assert_eq!(listed(&installation.laid), listed(&installation.real));
    // Both find the same libraries, start the same executables, and dpkg has nothing left to do.
    for command in [
        "ldconfig -p | sed 1d",
        "tini --version",
        "nc -h 2>&1 | head -1",
        "update-alternatives --query nc",
        "openssl verify -CApath /etc/ssl/certs /usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt",
        "dpkg --verify cron netcat-openbsd libpq5",
        "dpkg --configure -a && dpkg --audit",
        "apt-get check -qq",
    ] {
        let [real, laid] = [&installation.real, &installation.laid].map(|root| chroot(root, &["sh", "-c", command]));
        assert_eq!(laid, real, "{command}");
    }
}

/// A later `apt-get install` continues from the database of the layers, and `dpkg --configure` finishes a package that was
/// left unconfigured.
#[test]
fn apt_continues_after_the_layers() {
    let installation = Installation::of("bookworm", &["tini", "cron"], &["cron"]);
    assert_eq!(installation.layers.unconfigured, [""; 0], "what is known is configured in any case");
    chroot(&installation.laid, &["apt-get", "install", "-y", "-qq", "--no-install-recommends", "libpq5"]);
    chroot(&installation.real, &["apt-get", "install", "-y", "-qq", "--no-install-recommends", "libpq5"]);
    assert_eq!(shown(&installation.differences()), "");
}

#[test]
fn scripts_that_are_not_known_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\nset -e\nadduser --system demo\n";
    let deb = built(directory.path(), "demo", script);
    let lay = |allowed: &[&str]| {
        let output = tempfile::tempdir_in(directory.path()).unwrap();
        lay_packages(None, std::slice::from_ref(&deb), allowed, &directory.path().join("cache"), output.path())
    };
    assert_eq!(
        lay(&[]).err().unwrap(),
        "cannot install demo (`adduser --system demo`): pybundle runs no maintainer scripts, and does not know what its \
         scripts do\nhint: install demo without configuring it: --apt-allow-unconfigured demo"
    );
    assert_eq!(lay(&["demo"]).unwrap().unconfigured, ["demo"]);
}

/// Builds a package with a file and a script.
fn built(directory: &Path, name: &str, postinst: &str) -> PathBuf {
    let tree = directory.join(name);
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(tree.join("usr/share/demo")).unwrap();
    let control =
        format!("Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: demo\n");
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    fs::write(tree.join("DEBIAN/postinst"), postinst).unwrap();
    fs::write(tree.join("usr/share/demo/file"), name).unwrap();
    run(Command::new("chmod").arg("755").arg(tree.join("DEBIAN/postinst")));
    let deb = directory.join(format!("{name}.deb"));
    run(Command::new("dpkg-deb").args(["--root-owner-group", "-b"]).arg(&tree).arg(&deb));
    deb
}
