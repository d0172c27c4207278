//! Compares two artifacts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ArtifactContents, DetectedKind, EntryOrigin, FileEntry, FileKind};
use crate::digest::Sha256;
use crate::image::manifest::CLOSURE;

/// The differences between two artifacts, each list sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) verdict: Equivalence,
    pub(crate) distributions: Vec<Change<DistributionState>>,
    /// The versions of the operating system's packages.
    pub(crate) packages: Vec<Change<String>>,
    pub(crate) files: Vec<Change<FileState>>,
    /// Changed properties of images.
    pub(crate) properties: Vec<Change<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Equivalence {
    /// The bytes are the same.
    Identical,
    /// The files and properties are the same, but not the bytes, for these reasons.
    Equal(Vec<&'static str>),
    Different,
}

/// Something that only one artifact has, or that differs between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change<T> {
    /// A name or a path.
    pub(crate) name: String,
    /// `None` if only the second artifact has it.
    pub(crate) before: Option<T>,
    /// `None` if only the first artifact has it.
    pub(crate) after: Option<T>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DistributionState {
    /// All versions, if the artifact has several.
    pub(crate) version: String,
    /// The size of its files, in bytes.
    pub(crate) size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileState {
    pub(crate) size: u64,
    pub(crate) mode: u32,
    /// The user ID and the group ID.
    pub(crate) ids: (u64, u64),
    /// The digest of the content, or of a link's target.
    pub(crate) sha256: Sha256,
    pub(crate) kind: FileKind,
}

pub(crate) fn compare(before: &ArtifactContents, after: &ArtifactContents) -> Difference {
    if (before.kind == DetectedKind::Image) == (after.kind == DetectedKind::Image) && before.digest == after.digest {
        let verdict = Equivalence::Identical;
        return Difference {
            verdict,
            distributions: Vec::new(),
            packages: Vec::new(),
            files: Vec::new(),
            properties: Vec::new(),
        };
    }
    let distributions: Vec<_> = changes(&distributions(before), &distributions(after))
        .into_iter()
        .filter(|change| version(&change.before) != version(&change.after))
        .collect();
    let packages = changes(&before.packages, &after.packages);
    let files = changes(&files(before), &files(after));
    let properties = changes(&properties(before), &properties(after));
    let is_equal = distributions.is_empty() && files.is_empty() && properties.is_empty();
    let verdict = if is_equal { Equivalence::Equal(reasons(before, after)) } else { Equivalence::Different };
    Difference { verdict, distributions, packages, files, properties }
}

/// Returns what differs, sorted by name.
fn changes<T: Clone + PartialEq>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<Change<T>> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| Change { name: name.clone(), before: before.get(name).cloned(), after: after.get(name).cloned() })
        .collect()
}

fn version(distribution: &Option<DistributionState>) -> Option<&String> {
    distribution.as_ref().map(|distribution| &distribution.version)
}

fn distributions(contents: &ArtifactContents) -> BTreeMap<String, DistributionState> {
    let mut found: BTreeMap<String, DistributionState> = BTreeMap::new();
    for (index, distribution) in contents.distributions.iter().enumerate() {
        let own = contents.files.iter().filter(|file| file.origin == EntryOrigin::Distribution(index));
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
    contents.visible().into_iter().map(|(path, file)| (path.to_owned(), state(file))).collect()
}

fn state(file: &FileEntry) -> FileState {
    FileState { size: file.size, mode: file.mode, ids: file.ids, sha256: file.sha256, kind: file.kind.clone() }
}

/// Returns the properties of an image by name, without its layers, its history and its time.
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
    // It tells nothing that the layers do not.
    for (name, value) in image.annotations.iter().filter(|(name, _)| *name != CLOSURE) {
        found.insert(format!("annotation {name}"), value.clone());
    }
    found
}

/// Adds a property. Environment variables and labels are properties of their own.
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

/// Returns why artifacts with equal contents have different bytes.
fn reasons(before: &ArtifactContents, after: &ArtifactContents) -> Vec<&'static str> {
    let (both_zips, both_images) =
        (before.image.is_none() && after.image.is_none(), before.image.is_some() && after.image.is_some());
    let same_paths = before.files.iter().map(|file| &file.path).eq(after.files.iter().map(|file| &file.path));
    let same_times = all_equal(before, after, |file| file.time);
    let same_compression = all_equal(before, after, |file| (file.method, file.compressed_size));
    let same_layers = all_equal(before, after, |file| file.layer);
    let reasons = [
        (!both_zips && !both_images, "one is a zip, the other an image"),
        (!same_paths, "the order of the files"),
        (!same_times, "the times of the files"),
        (both_zips && !same_compression, "the compression"),
        (both_images && !same_layers, "which layer the files are in"),
        (both_images && before.layers.len() != after.layers.len(), "the number of layers"),
        (both_images && creation(before) != creation(after), "the history, or the time of the image"),
        (both_images && same_layers && !same_compression, "the compression of the layers"),
    ];
    let found: Vec<_> = reasons.into_iter().filter(|(differs, _)| *differs).map(|(_, reason)| reason).collect();
    if found.is_empty() { vec!["the headers of the files or documents"] } else { found }
}

/// Returns whether a property is the same for each visible file.
fn all_equal<T: PartialEq>(
    before: &ArtifactContents,
    after: &ArtifactContents,
    property: impl Fn(&FileEntry) -> T,
) -> bool {
    before.visible().values().map(|file| property(file)).eq(after.visible().values().map(|file| property(file)))
}

/// Returns the creation time and the history of an image.
fn creation(contents: &ArtifactContents) -> Option<(String, String)> {
    let configuration = &contents.image.as_ref()?.configuration;
    Some((configuration["created"].to_string(), configuration["history"].to_string()))
}
