//! What differs between two artifacts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ArtifactContents, DetectedKind, EntryOrigin, FileEntry, FileKind};
use crate::digest::Sha256;

/// What differs between two artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How equal they are.
    pub verdict: Equivalence,
    /// The distributions that differ, ordered by name.
    pub distributions: Vec<Change<DistributionState>>,
    /// The files that differ, ordered by path.
    pub files: Vec<Change<FileState>>,
    /// The properties of images that differ, ordered by name.
    pub properties: Vec<Change<String>>,
}

/// How equal two artifacts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Equivalence {
    /// They are the same bytes.
    Identical,
    /// The same files and properties, in other bytes, for these reasons.
    Equal(Vec<&'static str>),
    /// They hold different things.
    Different,
}

/// Something that only one artifact has, or that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// A name, or a path.
    pub name: String,
    /// What it is in the first artifact; none if it is not in there.
    pub before: Option<T>,
    /// What it is in the second artifact; none if it is not in there.
    pub after: Option<T>,
}

/// A distribution in one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionState {
    /// The version; of several, all.
    pub version: String,
    /// The size of its files, in bytes.
    pub size: u64,
}

/// A file in one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Its size in bytes.
    pub size: u64,
    /// Its permissions.
    pub mode: u32,
    /// The numbers of the user and the group that it is.
    pub ids: (u64, u64),
    /// The digest of its bytes; of a link that of what it points at.
    pub sha256: Sha256,
    /// What it is.
    pub kind: FileKind,
}

/// Compares two artifacts.
pub fn compare(before: &ArtifactContents, after: &ArtifactContents) -> Difference {
    if (before.kind == DetectedKind::Image) == (after.kind == DetectedKind::Image) && before.digest == after.digest {
        let verdict = Equivalence::Identical;
        return Difference { verdict, distributions: Vec::new(), files: Vec::new(), properties: Vec::new() };
    }
    let distributions: Vec<_> = changes(&distributions(before), &distributions(after))
        .into_iter()
        .filter(|change| version(&change.before) != version(&change.after))
        .collect();
    let files = changes(&files(before), &files(after));
    let properties = changes(&properties(before), &properties(after));
    let is_equal = distributions.is_empty() && files.is_empty() && properties.is_empty();
    let verdict = if is_equal { Equivalence::Equal(reasons(before, after)) } else { Equivalence::Different };
    Difference { verdict, distributions, files, properties }
}

/// Returns what is not the same in both, ordered by name.
fn changes<T: Clone + PartialEq>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<Change<T>> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let change = |name: &String| Change {
        name: name.clone(),
        before: before.get(name).cloned(),
        after: after.get(name).cloned(),
    };
    changed.map(change).collect()
}

fn version(distribution: &Option<DistributionState>) -> Option<&String> {
    distribution.as_ref().map(|distribution| &distribution.version)
}

/// Returns the distributions by name.
fn distributions(contents: &ArtifactContents) -> BTreeMap<String, DistributionState> {
    let mut found: BTreeMap<String, DistributionState> = BTreeMap::new();
    for (index, distribution) in contents.distributions.iter().enumerate() {
        let own = contents.files.iter().filter(|file| file.owner == EntryOrigin::Distribution(index));
        let size = own.map(|file| file.size).sum();
        let entry = found.entry(distribution.name.clone());
        entry
            .and_modify(|known| {
                known.version = format!("{}, {}", known.version, distribution.version);
                known.size += size;
            })
            .or_insert_with(|| DistributionState { version: distribution.version.clone(), size });
    }
    found
}

fn files(contents: &ArtifactContents) -> BTreeMap<String, FileState> {
    let state = |file: &FileEntry| FileState {
        size: file.size,
        mode: file.mode,
        ids: file.ids,
        sha256: file.sha256,
        kind: file.kind.clone(),
    };
    contents.visible().into_iter().map(|(path, file)| (path.to_owned(), state(file))).collect()
}

/// Returns what an image says of itself, each thing by a name: what its files are is left out, and when it was made.
fn properties(contents: &ArtifactContents) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let Some(image) = &contents.image else { return found };
    for (key, value) in image.configuration.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("rootfs" | "history" | "created", _) => {}
            ("config", Value::Object(config)) => {
                config.iter().for_each(|(key, value)| property(key, value, &mut found));
            }
            _ => property(key, value, &mut found),
        }
    }
    for (name, value) in &image.annotations {
        found.insert(format!("annotation {name}"), value.clone());
    }
    found
}

/// Adds a property: of the environment and of labels, each name by itself.
fn property(key: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match (key, value) {
        ("Env", Value::Array(variables)) => {
            for variable in variables.iter().filter_map(Value::as_str) {
                let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
                found.insert(format!("env {name}"), value.to_owned());
            }
        }
        ("Labels", Value::Object(labels)) => {
            for (name, value) in labels {
                found.insert(format!("label {name}"), text(value));
            }
        }
        (_, Value::Null) => {}
        _ => {
            found.insert(key.to_owned(), text(value));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns why artifacts of equal contents are not the same bytes.
fn reasons(before: &ArtifactContents, after: &ArtifactContents) -> Vec<&'static str> {
    let paths = |contents: &ArtifactContents| contents.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    let times = |contents: &ArtifactContents| contents.visible().values().map(|file| file.time).collect::<Vec<_>>();
    let packed = |contents: &ArtifactContents| {
        let visible = contents.visible();
        visible.values().map(|file| (file.method, file.compressed_size)).collect::<Vec<_>>()
    };
    let layers = |contents: &ArtifactContents| {
        let visible = contents.visible();
        visible.values().map(|file| file.layer).collect::<Vec<_>>()
    };
    let created = |contents: &ArtifactContents| {
        contents.image.as_ref().map(|image| {
            let of = |key: &str| image.configuration[key].to_string();
            (of("created"), of("history"))
        })
    };
    let (both_zips, both_images) =
        (before.image.is_none() && after.image.is_none(), before.image.is_some() && after.image.is_some());
    let reasons = [
        (!both_zips && !both_images, "one is a zip, the other an image"),
        (paths(before) != paths(after), "the order of the files"),
        (times(before) != times(after), "the times of the files"),
        (both_zips && packed(before) != packed(after), "the compression"),
        (both_images && layers(before) != layers(after), "which layer the files are in"),
        (both_images && before.layers.len() != after.layers.len(), "the number of layers"),
        (both_images && created(before) != created(after), "the history, or the time of the image"),
        (
            both_images && layers(before) == layers(after) && packed(before) != packed(after),
            "the compression of the layers",
        ),
    ];
    let found: Vec<_> = reasons.into_iter().filter(|(differs, _)| *differs).map(|(_, reason)| reason).collect();
    if found.is_empty() { vec!["the headers of the files or documents"] } else { found }
}
