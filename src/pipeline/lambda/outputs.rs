//! Where a function or a layer is written.

use crate::archive::unpacked;
use crate::lambda::PackageOutput;
use crate::pipeline::BuildError;
use crate::pipeline::error::layer::LayerError;
use crate::pipeline::plan::Plan;
use crate::pipeline::planned_outputs::{self, PlannedOutput};
use crate::report::ArtifactKind;
use crate::settings::LambdaSettings;

/// Returns where each artifact is written.
///
/// # Errors
/// Both are the same, a layer would be empty, or one would replace something that is not an earlier output.
pub(super) fn outputs(
    settings: &LambdaSettings,
    plan: &Plan,
) -> Result<Vec<(ArtifactKind, PackageOutput)>, BuildError> {
    let first = match &settings.output {
        Some(output) => output.clone(),
        None => PackageOutput::Zip(settings.common.default_output(|| plan.name(), "zip")),
    };
    if settings.is_layer && plan.installed().next().is_none() {
        return Err(LayerError::Empty { layer: settings.name().to_owned() }.into());
    }
    let kind = if settings.is_layer { ArtifactKind::Layer } else { ArtifactKind::Function };
    let mut outputs = vec![(kind, first.clone())];
    if let Some(layer) = &settings.layer {
        planned_outputs::check_distinct([(first.path(), None), (layer.path(), None)])?;
        if plan.dependencies().next().is_none() {
            return Err(BuildError::EmptyLayer { path: layer.path().to_owned(), provided: !plan.excluded.is_empty() });
        }
        outputs.push((ArtifactKind::Layer, layer.clone()));
    }
    let documents = std::iter::once(Some(&settings.documents)).chain(std::iter::repeat(None));
    let planned = outputs.iter().zip(documents);
    let planned: Vec<_> = planned.map(|((_, output), documents)| PlannedOutput::package(output, documents)).collect();
    planned_outputs::check(&planned, std::slice::from_ref(plan), &settings.common, None)?;
    for (_, output) in &outputs {
        if let PackageOutput::Directory(path) = output {
            unpacked::check_replaceable(path)?;
        }
    }
    Ok(outputs)
}
