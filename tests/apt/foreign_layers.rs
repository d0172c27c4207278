//! Layers for arm64, compared with what dpkg-deb extracts from the same packages.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pybundle::fuzzing::lay_packages;

use crate::support::command::succeed;
use crate::system_apt::SystemApt;

/// Libraries, an executable, and what the linker's cache is written with.
const PACKAGES: [&str; 5] = ["libc-bin", "libc6", "libmagic1t64", "libpq5", "tini"];

/// Downloads packages for an architecture, verified by apt-get.
fn download(codename: &str, architecture: &'static str, directory: &Path) -> Vec<PathBuf> {
    let apt = SystemApt::of(codename, architecture);
    let mut command = apt.command(Path::new("/usr/bin/apt-get"), &apt.status());
    succeed(command.args(["download", "-qq"]).args(PACKAGES).current_dir(directory));
    let mut debs: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    debs.sort();
    assert_eq!(debs.len(), PACKAGES.len());
    debs
}

/// Returns the entries of a tree: permissions with the content of files, and the targets of links.
fn listed(root: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let (mut entries, mut queue) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(directory) = queue.pop() {
        for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_dir() {
                queue.push(path.clone());
                Vec::new()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            entries.insert(name, (metadata.mode(), content));
        }
    }
    entries
}

#[test]
fn layers_for_arm64_have_what_the_packages_contain() {
    let directory = tempfile::tempdir().unwrap();
    let [debs, cache, layers, laid, extracted] = ["debs", "cache", "layers", "laid", "extracted"].map(|name| {
        let path = directory.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    });
    let debs = download("trixie", "arm64", &debs);
    let found = lay_packages(None, &debs, &[], &cache, &layers).unwrap();
    for at in 0..found.layers.len() {
        let layer = layers.join(format!("{at}.tar.gz"));
        succeed(Command::new("tar").args(["-p", "-C"]).arg(&laid).arg("-xzf").arg(layer));
    }
    for deb in &debs {
        succeed(Command::new("dpkg-deb").arg("--extract").arg(deb).arg(&extracted));
    }
    let (laid_entries, expected) = (listed(&laid), listed(&extracted));
    let differs = expected.iter().filter(|(path, entry)| laid_entries.get(*path) != Some(entry));
    assert_eq!(differs.map(|(path, _)| path).collect::<Vec<_>>(), [""; 0]);
    let added = laid_entries.keys().filter(|path| !expected.contains_key(*path) && !path.starts_with("var/lib/dpkg"));
    assert_eq!(added.collect::<Vec<_>>(), ["etc/ld.so.cache", "var/lib"]);
    // ldconfig of any architecture prints the caches of all.
    let cached = succeed(Command::new("/sbin/ldconfig").args(["-p", "-C"]).arg(laid.join("etc/ld.so.cache")));
    for library in
        ["libpq.so.5 (libc6,AArch64) => /usr/lib/aarch64-linux-gnu/libpq.so.5", "libmagic.so.1 (libc6,AArch64)"]
    {
        assert!(cached.contains(library), "{cached}");
    }
}
