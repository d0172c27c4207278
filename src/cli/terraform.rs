//! What `--output-format terraform` prints: the map of strings that `data "external"` of Terraform and OpenTofu reads.
//!
//! The provider refuses every other kind of value, and shows standard error if the program fails. Names are those of the
//! arguments of `aws_lambda_function` where there are such.

use std::collections::BTreeMap;

use super::image::deployed_image;
use crate::report::{ArtifactKind, BuildReport, BuiltArtifact, BuiltReport, ImageReport, PackageFormat};

/// The values of an artifact, by name.
pub(super) type TerraformValues = BTreeMap<String, String>;

/// Returns the values of a function or a layer.
pub(super) fn function(report: &BuildReport) -> TerraformValues {
    let mut values = TerraformValues::new();
    for artifact in &report.artifacts {
        // A layer that is a target itself has values of its own.
        let is_beside = artifact.kind == ArtifactKind::Layer && report.artifacts.len() > 1;
        let prefix = if is_beside { "layer_" } else { "" };
        let name = match artifact.format {
            PackageFormat::Zip => "filename",
            PackageFormat::Directory => "directory",
        };
        values.insert(format!("{prefix}{name}"), artifact.path.display().to_string());
        values.insert(format!("{prefix}source_code_hash"), artifact.code_sha256.clone());
        values.insert(format!("{prefix}sha256"), artifact.sha256.clone());
    }
    values.insert("runtime".to_owned(), report.target.runtime.clone());
    values.insert("architecture".to_owned(), report.target.architecture.clone());
    values.extend(report.handler.clone().map(|handler| ("handler".to_owned(), handler)));
    values
}

/// Returns the values of an image.
pub(super) fn image(report: &ImageReport) -> TerraformValues {
    let mut values = TerraformValues::from([("digest".to_owned(), report.digest.clone())]);
    values.extend(deployed_image(report).map(|image| ("image_uri".to_owned(), image)));
    values
}

/// Returns the values of targets, each after the name of its target and a dot.
pub(super) fn targets(reports: &[BuiltReport]) -> TerraformValues {
    let mut values = TerraformValues::new();
    for BuiltReport { name, outcome, .. } in reports {
        let of_target = match outcome.artifact() {
            Some(BuiltArtifact::Lambda(report)) => function(report),
            Some(BuiltArtifact::Image(report)) => image(report),
            None => continue,
        };
        values.extend(of_target.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
    }
    values
}
