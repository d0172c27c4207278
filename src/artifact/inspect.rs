//! Inspects artifacts.

use std::cmp::Reverse;
use std::path::Path;

use serde_json::Value;

use super::{ArtifactName, ArtifactSettings};
use crate::archive::destination::FileFormat;
use crate::archive::output::OutputFile;
use crate::contents::{
    ArtifactContents, DetectedKind, EntryOrigin, FileEntry, FileKind, ImageDescription, LayerContents, LayerOrigin,
    OriginTotal, treemap,
};
use crate::image::file::ImageFile;
use crate::pipeline::BuildError;
use crate::report::{
    ContainerReport, ContentsKind, FORMAT_VERSION, FileReport, FoundPackageReport, InspectReport, LayerOriginReport,
    OwnerKind, OwnerReport, Reporter, StackedLayerReport,
};

/// An artifact and its contents.
#[derive(Debug)]
pub(crate) struct Inspected {
    pub name: ArtifactName,
    pub contents: ArtifactContents,
}

/// Reads an artifact.
///
/// # Errors
/// It cannot be read, or does not match its own documents.
pub(crate) fn inspect(
    name: ArtifactName,
    settings: &ArtifactSettings,
    reporter: &dyn Reporter,
) -> Result<Inspected, BuildError> {
    let contents = settings.contents(&name, reporter)?;
    Ok(Inspected { name, contents })
}

impl Inspected {
    /// Writes a treemap to a file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn draw(&self, path: &Path) -> Result<(), BuildError> {
        // The picture may be published: paths of this machine do not belong in it.
        let title = match &self.name {
            ArtifactName::Zip(path) | ArtifactName::File(ImageFile { path, .. }) => {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
            ArtifactName::Registry(reference) => reference.to_string(),
        };
        let mut output = OutputFile::create(path, FileFormat::Html)?;
        output.write(treemap::page(&self.contents, &title).as_bytes())?;
        output.finish()?.persist()?;
        Ok(())
    }

    /// Reports the contents of the artifact, with the given number of its largest files.
    pub(crate) fn report(&self, files: usize) -> InspectReport {
        let contents = &self.contents;
        let mut largest: Vec<&FileEntry> = contents.files.iter().collect();
        largest.sort_by_key(|file| (Reverse(file.compressed_size), Reverse(file.size), &file.path, file.layer));
        InspectReport {
            format: FORMAT_VERSION,
            name: self.name.to_string(),
            kind: kind(contents.kind),
            digest: contents.digest.to_string(),
            size: contents.size,
            uncompressed_size: contents.files.iter().map(|file| file.size).sum(),
            files: contents.files.len(),
            overhead: contents.overhead(),
            image: contents.image.as_ref().map(container),
            layers: contents.layers.iter().map(layer).collect(),
            packages: contents.packages.iter().map(package).collect(),
            contents: contents.totals().iter().map(|total| owner(contents, total)).collect(),
            largest: largest.into_iter().take(files).map(|file| report(contents, file)).collect(),
        }
    }
}

fn package((name, version): (&String, &String)) -> FoundPackageReport {
    FoundPackageReport { name: name.clone(), version: version.clone() }
}

fn layer(layer: &LayerContents) -> StackedLayerReport {
    StackedLayerReport {
        digest: layer.digest.to_string(),
        size: layer.size,
        part: match layer.origin {
            LayerOrigin::Base => LayerOriginReport::Base,
            LayerOrigin::Pybundle => LayerOriginReport::Own,
            LayerOrigin::Unknown => LayerOriginReport::Unknown,
        },
        holds: layer.description.clone(),
    }
}

pub(super) fn kind(kind: DetectedKind) -> ContentsKind {
    match kind {
        DetectedKind::Function => ContentsKind::Function,
        DetectedKind::Layer => ContentsKind::Layer,
        DetectedKind::Image => ContentsKind::Image,
    }
}

fn owner(contents: &ArtifactContents, total: &OriginTotal) -> OwnerReport {
    let distribution = match total.origin {
        Some(EntryOrigin::Distribution(index)) => contents.distributions.get(index),
        _ => None,
    };
    OwnerReport {
        kind: match total.origin {
            Some(EntryOrigin::Distribution(_)) => OwnerKind::Distribution,
            Some(EntryOrigin::Application) => OwnerKind::Application,
            Some(EntryOrigin::SystemPackages) => OwnerKind::SystemPackages,
            Some(EntryOrigin::Base) => OwnerKind::Base,
            None => OwnerKind::Hidden,
        },
        name: distribution.map(|distribution| distribution.name.clone()),
        version: distribution.map(|distribution| distribution.version.clone()),
        files: total.files,
        size: total.size,
        compressed_size: total.compressed_size,
        share: if contents.size == 0 { 0.0 } else { total.compressed_size as f64 / contents.size as f64 },
    }
}

fn report(contents: &ArtifactContents, file: &FileEntry) -> FileReport {
    let owner = match file.origin {
        _ if file.is_hidden => "hidden".to_owned(),
        EntryOrigin::Distribution(index) => contents
            .distributions
            .get(index)
            .map(|distribution| format!("{} {}", distribution.name, distribution.version))
            .unwrap_or_default(),
        EntryOrigin::Application => "application".to_owned(),
        EntryOrigin::SystemPackages => "system packages".to_owned(),
        EntryOrigin::Base => "base".to_owned(),
    };
    let link = match &file.kind {
        FileKind::Symlink(target) | FileKind::HardLink(target) => Some(target.clone()),
        FileKind::Regular | FileKind::Special => None,
    };
    FileReport {
        path: file.path.clone(),
        size: file.size,
        compressed_size: file.compressed_size,
        mode: format!("{:04o}", file.mode),
        user: contents.image.as_ref().map(|_| format!("{}:{}", file.ids.0, file.ids.1)),
        digest: file.sha256.to_string(),
        link,
        layer: contents.image.as_ref().map(|_| file.layer),
        owner,
    }
}

fn container(image: &ImageDescription) -> ContainerReport {
    let config = &image.configuration["config"];
    let ports = config["ExposedPorts"].as_object().into_iter().flatten();
    let labels = config["Labels"].as_object().into_iter().flatten();
    ContainerReport {
        platform: image.platform.clone(),
        platforms: image.platforms.clone(),
        entrypoint: strings(&config["Entrypoint"]),
        command: strings(&config["Cmd"]),
        user: string(&config["User"]),
        workdir: string(&config["WorkingDir"]),
        env: strings(&config["Env"]),
        ports: ports.map(|(port, _)| port.clone()).collect(),
        labels: labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
        annotations: image.annotations.clone(),
    }
}

/// Returns a string of an image config, or an empty one if it is missing.
fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}
