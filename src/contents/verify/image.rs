//! Verifies an image.

use std::collections::HashSet;

use rayon::prelude::*;
use serde_json::Value;

use super::records;
use super::{CheckResult, CheckedAspect, Verification};
use crate::contents::image::{ImageDocuments, LayerDescription, merge};
use crate::contents::{ArtifactContents, ArtifactProblem, EntryOrigin, FileEntry, FileKind, LayerOrigin, ScannedLayer};
use crate::image::OciArtifact;
use crate::image::manifest::MOST_LAYERS;

/// Reads a layer from a file or a registry. The error is a message for the report.
pub(crate) type LayerReader<'a> = dyn Fn(&LayerDescription) -> Result<ScannedLayer, String> + Sync + 'a;

/// Verifies an image whose documents match their digests. `index_platform` is its platform in the index.
pub(crate) fn image(image: &OciArtifact, index_platform: Option<&str>, read: &LayerReader) -> Verification {
    let documents = match ImageDocuments::read(image) {
        Ok(documents) => documents,
        Err(error) => {
            let problems = vec![ArtifactProblem::whole(error.to_string())];
            let check = CheckResult::new(CheckedAspect::Configuration, "the documents", problems);
            return Verification { checks: vec![check], contents: None };
        }
    };
    let readings: Vec<_> = documents.layers.par_iter().map(read).collect();
    let count = documents.layers.len();
    let (mut blobs, mut diff_ids, mut layers) = (Vec::new(), Vec::new(), Vec::new());
    let mut complete = Vec::new();
    for (layer, reading) in documents.layers.iter().zip(readings) {
        let name = named(layer);
        let reading = match reading {
            Ok(reading) => reading,
            Err(message) => {
                blobs.push(ArtifactProblem::at(name, message));
                continue;
            }
        };
        // All other problems of a damaged layer follow from the damage.
        if (reading.digest, reading.size) != (layer.blob.digest, layer.blob.size) {
            blobs.push(ArtifactProblem::at(
                name,
                format!("it has {} bytes and the digest {}", reading.size, reading.digest),
            ));
            continue;
        }
        if let Some(error) = &reading.failure {
            diff_ids.push(ArtifactProblem::at(name, format!("it cannot be unpacked: {error}")));
            continue;
        }
        match &layer.diff_id {
            Some(expected) if *expected != reading.diff_id.to_string() => {
                let message = format!("its diff ID is {}, but the image config states {expected}", reading.diff_id);
                diff_ids.push(ArtifactProblem::at(&name, message));
            }
            Some(_) => {}
            None => diff_ids.push(ArtifactProblem::at(&name, "the image config has no diff ID for it")),
        }
        layers.extend(reading.problems.iter().map(|problem| ArtifactProblem {
            location: Some(problem.location.clone().unwrap_or_else(|| name.clone())),
            message: problem.message.clone(),
        }));
        complete.push(reading);
    }
    let own = documents.layers.iter().filter(|layer| layer.origin == LayerOrigin::Pybundle).count();
    let contents = (complete.len() == count).then(|| merge(image.manifest.digest, &documents, complete, Vec::new()));
    layers.extend(contents.iter().flat_map(wrong_access));
    let record = contents.as_ref().map(|contents| {
        records::check(contents, &HashSet::new(), |path| {
            let file = contents.files.iter().rfind(|file| !file.is_hidden && file.path == path);
            file.is_some_and(|file| is_own(contents, file))
        })
    });
    let mut checks = vec![
        CheckResult::new(CheckedAspect::Blobs, format!("layers: {count}, each with its size and digest"), blobs),
        CheckResult::new(CheckedAspect::DiffIds, format!("layers: {count}, each unpacked"), diff_ids),
        CheckResult::new(
            CheckedAspect::Configuration,
            "history, layers and platform",
            configuration(&documents, index_platform),
        ),
        CheckResult::new(
            CheckedAspect::Layers,
            format!("layers built by pybundle: {own}, in order, with fixed times, owners and modes"),
            layers,
        ),
    ];
    checks.extend(record);
    checks.push(limits(count));
    Verification { checks, contents }
}

/// Finds files of distributions whose mode or owner differs from an installed file's. The application's files have those of
/// its includes.
fn wrong_access(contents: &ArtifactContents) -> impl Iterator<Item = ArtifactProblem> {
    let installed = contents.files.iter().filter(|file| {
        is_own(contents, file) && matches!(file.origin, EntryOrigin::Distribution(_)) && file.kind == FileKind::Regular
    });
    installed.flat_map(|file| {
        let mode = (!matches!(file.mode, 0o644 | 0o755))
            .then(|| ArtifactProblem::at(&file.path, format!("its mode is {:04o}, not 0644 or 0755", file.mode)));
        let (uid, gid) = file.ids;
        let owner =
            (file.ids != (0, 0)).then(|| ArtifactProblem::at(&file.path, format!("its owner is {uid}:{gid}, not 0:0")));
        mode.into_iter().chain(owner)
    })
}

/// Returns whether a file is in a layer that pybundle built.
fn is_own(contents: &ArtifactContents, file: &FileEntry) -> bool {
    contents.layers.get(file.layer).is_some_and(|layer| layer.origin == LayerOrigin::Pybundle)
}

/// Returns the name of a layer for messages.
fn named(layer: &LayerDescription) -> String {
    let description = match layer.description.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &layer.description[..end]),
        None => layer.description.clone(),
    };
    if description.is_empty() {
        layer.blob.digest.to_string()
    } else {
        format!("{} ({description})", layer.blob.digest)
    }
}

/// Checks that the history, the layers and the platform agree.
fn configuration(documents: &ImageDocuments, index_platform: Option<&str>) -> Vec<ArtifactProblem> {
    let mut problems: Vec<String> = Vec::new();
    let configuration = &documents.configuration;
    let layers = documents.layers.len();
    match configuration["rootfs"]["diff_ids"].as_array().map(Vec::len) {
        Some(count) if count == layers => {}
        Some(count) => {
            problems.push(format!("the manifest has {layers} layers, but the image config has {count} diff IDs"));
        }
        None => problems.push("the image config has no diff IDs".to_owned()),
    }
    if configuration["rootfs"]["type"] != "layers" {
        problems.push("the `rootfs.type` of the image config is not `layers`".to_owned());
    }
    if let Some(history) = configuration["history"].as_array().filter(|history| !history.is_empty()) {
        let steps = history.iter().filter(|step| step["empty_layer"] != Value::Bool(true)).count();
        if steps != layers {
            problems
                .push(format!("the history has {steps} entries with a layer, but the manifest has {layers} layers"));
        }
    }
    let platform = documents.platform();
    let without_variant = platform.split('/').take(2).collect::<Vec<_>>().join("/");
    if let Some(in_index) = index_platform.filter(|in_index| *in_index != platform && *in_index != without_variant) {
        problems.push(format!("the index has the platform {in_index}, but the image config has {platform}"));
    }
    if platform.split('/').any(|part| part == "unknown") {
        problems.push("the image config has no platform".to_owned());
    }
    problems.into_iter().map(ArtifactProblem::whole).collect()
}

fn limits(layers: usize) -> CheckResult {
    let problems = (layers > MOST_LAYERS)
        .then(|| ArtifactProblem::whole(format!("it has {layers} layers, more than the limit of {MOST_LAYERS}")));
    let covers = format!("{layers} of {MOST_LAYERS} layers");
    CheckResult::new(CheckedAspect::Limits, covers, problems.into_iter().collect())
}
