//! Trees of files, compared entry by entry.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use pybundle::apt::effects::omitted_paths;
use sha2::{Digest, Sha256};

use crate::roots::run;

/// What is written by the tools themselves, and differs in each run.
const LOGS: [&str; 14] = [
    "etc/apt",
    "etc/resolv.conf",
    "usr/sbin/policy-rc.d",
    "var/cache/apt",
    "var/cache/debconf",
    "var/cache/ldconfig/aux-cache",
    "var/lib/apt",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/dpkg/triggers/Unincorp",
    "var/log",
];

/// Returns a file without what differs from day to day, or with the order in which packages are unpacked.
fn normal(path: &str, bytes: Vec<u8>) -> Vec<u8> {
    if path == "etc/ssl/certs/java/cacerts" {
        return keystore_entries(&bytes).unwrap_or(bytes);
    }
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match path {
        "etc/shadow" => lines.iter_mut().for_each(|line| {
            let mut fields: Vec<&str> = line.split(':').collect();
            if let Some(day) = fields.get_mut(2) {
                *day = "";
            }
            *line = fields.join(":");
        }),
        "var/lib/dpkg/triggers/File" => lines.sort(),
        _ => return bytes,
    }
    lines.join("\n").into_bytes()
}

/// Returns the entries of a Java keystore, sorted and without their dates: Java writes them in the order of its hashes.
fn keystore_entries(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut take = |length: usize| -> Option<&[u8]> {
        let (taken, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        Some(taken)
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte));
    let [magic_and_version, count] = [take(8)?.to_vec(), take(4)?.to_vec()];
    let mut entries = Vec::new();
    for _ in 0..number(&count) {
        let mut entry = take(4)?.to_vec();
        let alias = number(take(2)?);
        entry.extend(take(alias)?);
        take(8)?;
        let kind = number(take(2)?);
        entry.extend(take(kind)?);
        let certificate = number(take(4)?);
        entry.extend(take(certificate)?);
        entries.push(entry);
    }
    entries.sort();
    Some([vec![magic_and_version, count], entries].concat().concat())
}

/// Returns whether only real maintainer scripts make a path, and an image does not need it: what starts services, backups of
/// the user database, and what the table of facts omits.
fn is_generated(path: &str) -> bool {
    const BACKUPS: [&str; 6] =
        ["etc/group-", "etc/gshadow-", "etc/passwd-", "etc/shadow-", "run/adduser", "etc/.pwd.lock"];
    let starts = [
        "etc/systemd/",
        "var/lib/systemd/",
        "etc/rc0.d/",
        "etc/rc1.d/",
        "etc/rc2.d/",
        "etc/rc3.d/",
        "etc/rc4.d/",
        "etc/rc5.d/",
        "etc/rc6.d/",
        "etc/rcS.d/",
    ];
    let omitted = omitted_paths();
    let is_bytecode = path.ends_with(".pyc") || path.split('/').any(|part| part == "__pycache__");
    let is_manual = path.starts_with("etc/alternatives/") && path.ends_with(".gz");
    is_bytecode
        || is_manual
        || BACKUPS.contains(&path)
        || starts.iter().any(|start| path.starts_with(start))
        || omitted.iter().any(|omitted| path == omitted || path.starts_with(&format!("{omitted}/")))
}

/// Returns every entry of a tree below a path, with all that distinguishes it but its times.
pub fn listed(root: &Path) -> BTreeMap<String, String> {
    let capabilities = run(Command::new("getcap").arg("-r").arg(root));
    let capabilities: BTreeMap<String, String> = capabilities
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(path, value)| {
            Some((Path::new(path).strip_prefix(root).ok()?.to_str()?.to_owned(), value.to_owned()))
        })
        .collect();
    let mut entries = BTreeMap::new();
    let mut inodes: BTreeMap<u64, String> = BTreeMap::new();
    let mut queue = vec![root.to_owned()];
    while let Some(directory) = queue.pop() {
        let mut found: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.sort();
        for path in found {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if is_generated(&name) || LOGS.contains(&name.as_str()) || name == "proc" || name == "sys" || name == "dev"
            {
                continue;
            }
            let metadata = path.symlink_metadata().unwrap();
            let owner = format!("{:04o} {}:{}", metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
            let kind = metadata.file_type();
            let shown = if kind.is_dir() {
                queue.push(path.clone());
                format!("directory {owner}")
            } else if kind.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else {
                let digest = hex::encode(Sha256::digest(normal(&name, fs::read(&path).unwrap())));
                let first = if metadata.nlink() > 1 {
                    inodes.entry(metadata.ino()).or_insert_with(|| name.clone()).clone()
                } else {
                    name.clone()
                };
                let other = if first == name { String::new() } else { format!(" = {first}") };
                format!("file {owner} {digest}{other}{}", capabilities.get(&name).map_or("", String::as_str))
            };
            entries.insert(name, shown);
        }
    }
    entries
}

/// Returns the differences between two trees: the path, what the first has, and what the second has.
pub fn differences(first: &Path, second: &Path) -> Vec<(String, String, String)> {
    let (first, second) = (listed(first), listed(second));
    let paths = first.keys().chain(second.keys().filter(|path| !first.contains_key(*path)));
    let of = |tree: &BTreeMap<String, String>, path: &str| tree.get(path).cloned().unwrap_or_else(|| "-".to_owned());
    let mut found: Vec<_> =
        paths.map(|path| (path.clone(), of(&first, path), of(&second, path))).filter(|(_, a, b)| a != b).collect();
    found.sort();
    found
}
