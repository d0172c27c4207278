//! Verifying an image.

use std::collections::HashSet;

use rayon::prelude::*;
use serde_json::Value;

use super::records;
use super::{CheckResult, CheckedAspect, Verification};
use crate::contents::image::{ImageDocuments, LayerDescription, merge};
use crate::contents::{ArtifactContents, ArtifactProblem, EntryOrigin, FileEntry, FileKind, LayerOrigin, ScannedLayer};
use crate::image::OciArtifact;
use crate::image::manifest::MAX_LAYERS;

/// Reads a layer, wherever it lies; fails with what is wrong with it.
pub type LayerReader<'a> = dyn Fn(&LayerDescription) -> Result<ScannedLayer, String> + Sync + 'a;

/// Verifies an image, whose documents have the digests that they should. `stated` is the platform that its index states.
pub fn image(image: &OciArtifact, stated: Option<&str>, read: &LayerReader) -> Verification {
    let documents = match ImageDocuments::read(image) {
        Ok(documents) => documents,
        Err(error) => {
            let findings = vec![ArtifactProblem { place: None, message: error.to_string() }];
            let check = CheckResult::new(CheckedAspect::Configuration, "the documents", findings);
            return Verification { checks: vec![check], contents: None };
        }
    };
    let readings: Vec<_> = documents.layers.par_iter().map(read).collect();
    let count = documents.layers.len();
    let (mut blobs, mut diff_ids, mut layers) = (Vec::new(), Vec::new(), Vec::new());
    let mut whole = Vec::new();
    for (layer, reading) in documents.layers.iter().zip(readings) {
        let name = named(layer);
        let reading = match reading {
            Ok(reading) => reading,
            Err(message) => {
                blobs.push(ArtifactProblem::at(name, message));
                continue;
            }
        };
        // Whatever else is wrong with it follows from that.
        if (reading.digest, reading.size) != (layer.blob.digest, layer.blob.size) {
            blobs.push(ArtifactProblem::at(
                name,
                format!("its {} bytes have the digest {}", reading.size, reading.digest),
            ));
            continue;
        }
        if let Some(error) = &reading.failure {
            diff_ids.push(ArtifactProblem::at(name, format!("it cannot be unpacked: {error}")));
            continue;
        }
        match &layer.diff_id {
            Some(stated) if *stated != reading.diff_id.to_string() => {
                let message =
                    format!("unpacked, it has the digest {}, but the configuration states {stated}", reading.diff_id);
                diff_ids.push(ArtifactProblem::at(&name, message));
            }
            Some(_) => {}
            None => diff_ids.push(ArtifactProblem::at(&name, "the configuration states no diff ID of it")),
        }
        layers.extend(reading.findings.iter().map(|finding| ArtifactProblem {
            place: Some(finding.place.clone().unwrap_or_else(|| name.clone())),
            message: finding.message.clone(),
        }));
        whole.push(reading);
    }
    let own = documents.layers.iter().filter(|layer| layer.part == LayerOrigin::Own).count();
    let contents = (whole.len() == count).then(|| merge(image.manifest.digest, &documents, whole, Vec::new()));
    layers.extend(contents.iter().flat_map(of_distributions));
    let record = contents.as_ref().map(|contents| {
        let own = |path: &str| {
            let layer = contents.files.iter().rfind(|file| !file.is_hidden && file.path == path).map(|file| file.layer);
            layer.and_then(|layer| contents.layers.get(layer)).is_some_and(|layer| layer.part == LayerOrigin::Own)
        };
        records::check(contents, &HashSet::new(), own)
    });
    let mut checks = vec![
        CheckResult::new(CheckedAspect::Blobs, format!("layers: {count}, each with its size and digest"), blobs),
        CheckResult::new(CheckedAspect::DiffIds, format!("layers: {count}, each unpacked"), diff_ids),
        CheckResult::new(
            CheckedAspect::Configuration,
            "history, layers and platform",
            configuration(&documents, stated),
        ),
        CheckResult::new(
            CheckedAspect::Layers,
            format!("layers of its own: {own}, in order, with fixed times, owners and modes"),
            layers,
        ),
    ];
    checks.extend(record);
    checks.push(limits(count));
    Verification { checks, contents }
}

/// Finds the files of distributions that have not the modes and the owner that they are installed with; those of the
/// application have what its includes say.
fn of_distributions(contents: &ArtifactContents) -> impl Iterator<Item = ArtifactProblem> {
    let is_own = |file: &FileEntry| {
        contents.layers.get(file.layer).is_some_and(|layer| layer.part == LayerOrigin::Own)
            && matches!(file.owner, EntryOrigin::Distribution(_))
            && file.kind == FileKind::Regular
    };
    contents.files.iter().filter(move |file| is_own(file)).flat_map(|file| {
        let mode = (!matches!(file.mode, 0o644 | 0o755))
            .then(|| ArtifactProblem::at(&file.path, format!("its mode is {:04o}, not 0644 or 0755", file.mode)));
        let (uid, gid) = file.ids;
        let owner = (file.ids != (0, 0))
            .then(|| ArtifactProblem::at(&file.path, format!("it is {uid}:{gid}'s, where distributions are root's")));
        mode.into_iter().chain(owner)
    })
}

/// Returns what a layer is called in messages.
fn named(layer: &LayerDescription) -> String {
    let holds = match layer.holds.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &layer.holds[..end]),
        None => layer.holds.clone(),
    };
    if holds.is_empty() { layer.blob.digest.to_string() } else { format!("{} ({holds})", layer.blob.digest) }
}

/// Compares the history, the layers and the platform.
fn configuration(documents: &ImageDocuments, stated: Option<&str>) -> Vec<ArtifactProblem> {
    let mut findings = Vec::new();
    let mut find = |message: String| findings.push(ArtifactProblem { place: None, message });
    let configuration = &documents.configuration;
    let layers = documents.layers.len();
    match configuration["rootfs"]["diff_ids"].as_array().map(Vec::len) {
        Some(count) if count == layers => {}
        Some(count) => find(format!("the manifest has {layers} layers, the configuration {count} diff IDs")),
        None => find("the configuration has no diff IDs".to_owned()),
    }
    if configuration["rootfs"]["type"] != "layers" {
        find("the root file system of the configuration is not of the type `layers`".to_owned());
    }
    if let Some(history) = configuration["history"].as_array().filter(|history| !history.is_empty()) {
        let steps = history.iter().filter(|step| step["empty_layer"] != Value::Bool(true)).count();
        if steps != layers {
            find(format!("the history has {steps} steps that made a layer, the manifest {layers} layers"));
        }
    }
    let platform = documents.platform();
    let without_variant = platform.split('/').take(2).collect::<Vec<_>>().join("/");
    if let Some(stated) = stated.filter(|stated| *stated != platform && *stated != without_variant) {
        find(format!("the index says that it is for {stated}, the configuration that it is for {platform}"));
    }
    if platform.split('/').any(|part| part == "unknown") {
        find("the configuration states no platform".to_owned());
    }
    findings
}

fn limits(layers: usize) -> CheckResult {
    let message = || format!("it has {layers} layers, and {MAX_LAYERS} is the most that engines stack");
    let findings = (layers > MAX_LAYERS).then(|| ArtifactProblem { place: None, message: message() });
    let covers = format!("{layers} of {MAX_LAYERS} layers");
    CheckResult::new(CheckedAspect::Limits, covers, findings.into_iter().collect())
}
