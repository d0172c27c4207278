//! Reads artifacts with an independent zip reader.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// The properties of a file that are compared between trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// In hexadecimal.
    pub sha256: String,
    /// Whether the owner may execute it.
    pub executable: bool,
}

pub type Leaves = BTreeMap<String, Leaf>;

/// Returns the SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Returns the paths of a zip, in their order.
pub fn paths_of_zip(path: &Path) -> Vec<String> {
    let archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    archive.file_names().map(|name| name.unwrap().into_owned()).collect()
}

/// Returns the files of a zip, and asserts that their modes are 0644 or 0755.
pub fn leaves_of_zip(path: &Path) -> Leaves {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut leaves = Leaves::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        if entry.is_dir() {
            continue;
        }
        let name = entry.name().unwrap().into_owned();
        let mode = entry.unix_mode().unwrap_or_else(|| panic!("{name} has no mode"));
        assert!(matches!(mode & 0o7777, 0o644 | 0o755), "{name} has mode {mode:o}");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let leaf = Leaf { sha256: sha256(&content), executable: mode & 0o100 != 0 };
        assert!(leaves.insert(name.clone(), leaf).is_none(), "{name} is in the zip twice");
    }
    leaves
}

/// Returns the files below a directory.
pub fn leaves_of_folder(root: &Path) -> Leaves {
    let mut leaves = Leaves::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::metadata(&path).unwrap();
            if metadata.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let executable = metadata.permissions().mode() & 0o100 != 0;
                leaves.insert(name, Leaf { sha256: sha256(&std::fs::read(&path).unwrap()), executable });
            }
        }
    }
    leaves
}

/// Returns the differences between two trees, one line for each path.
pub fn differences(ours: &Leaves, theirs: &Leaves) -> Vec<String> {
    let paths = ours.keys().chain(theirs.keys().filter(|path| !ours.contains_key(*path)));
    let differing = paths.filter_map(|path| match (ours.get(path), theirs.get(path)) {
        (Some(_), None) => Some(format!("only ours: {path}")),
        (None, Some(_)) => Some(format!("missing: {path}")),
        (Some(a), Some(b)) if a.sha256 != b.sha256 => Some(format!("other bytes: {path}")),
        (Some(a), Some(b)) if a.executable != b.executable => Some(format!("other executable bit: {path}")),
        _ => None,
    });
    differing.collect()
}

/// Leaves out what installers write about themselves, and the texts of launchers: in this, installers differ.
pub fn comparable(leaves: Leaves) -> Leaves {
    let own = ["RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"];
    let is_own = |path: &str| match path.rsplit_once('/') {
        Some((folder, name)) => folder.ends_with(".dist-info") && own.contains(&name),
        None => path == ".lock",
    };
    let mut leaves: Leaves = leaves.into_iter().filter(|(path, _)| !is_own(path)).collect();
    for (_, leaf) in leaves.iter_mut().filter(|(path, _)| path.starts_with("bin/")) {
        leaf.sha256.clear();
    }
    leaves
}
