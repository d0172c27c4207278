//! What `pybundle deploy` prints.

use super::{DeployedLayerReport, DeployedReport, outcomes_of};
use crate::cli::text_page::{TextPage, count};
use crate::report::{DeployOutcome, DeployReport, FunctionLayerChange, FunctionLayerReport};

pub(super) fn summary(report: &DeployReport, page: &mut TextPage) {
    let mut rows = vec![["target", "function", "region", "version", ""].map(str::to_owned)];
    rows.extend(report.targets.iter().map(row));
    rows.extend(report.layers.iter().map(layer_row));
    page.table(&rows, &[]);
    for target in &report.targets {
        layer_lines(target, page);
    }
    let mut parts = Vec::new();
    for outcome in ["deployed", "rolled back", "unchanged", "would be deployed", "skipped", "failed"] {
        let number = outcomes_of(report).filter(|(_, found)| name_of(found) == outcome).count();
        if number > 0 {
            parts.push(format!("{number} {outcome}"));
        }
    }
    let total = count(outcomes_of(report).count() as u64, "target");
    page.line(&format!("{total}: {}, in {:.2} s", parts.join(", "), report.elapsed_seconds));
}

fn row(report: &DeployedReport) -> [String; 5] {
    let function = match &report.alias {
        Some(alias) => format!("{}:{alias}", report.function),
        None => report.function.clone(),
    };
    let of_latest = if report.alias.is_some() { "-" } else { "$LATEST" };
    let version = version(&report.outcome).unwrap_or_else(|| of_latest.to_owned());
    let region = report.region.clone().unwrap_or_else(|| "-".to_owned());
    [report.name.clone(), function, region, version, name_of(&report.outcome).to_owned()]
}

fn layer_row(report: &DeployedLayerReport) -> [String; 5] {
    let version = version(&report.outcome).unwrap_or_else(|| "-".to_owned());
    let region = report.region.clone().unwrap_or_else(|| "-".to_owned());
    [report.name.clone(), format!("layer {}", report.layer), region, version, name_of(&report.outcome).to_owned()]
}

/// Shows the layers of a function if it gets or loses one. A version that is replaced is that of a target, which has a row.
fn layer_lines(report: &DeployedReport, page: &mut TextPage) {
    let (layers, will) = match &report.outcome {
        DeployOutcome::Deployed { layers, .. } => (layers, ""),
        DeployOutcome::Planned { layers, .. } => (layers, "would be "),
        _ => return,
    };
    let is_set_changed =
        |layer: &FunctionLayerReport| matches!(layer.change, FunctionLayerChange::Added | FunctionLayerChange::Removed);
    if !layers.iter().any(is_set_changed) {
        return;
    }
    let texts = layers.iter().map(|layer| {
        let name = layer.layer.rsplit(':').next().unwrap_or_default();
        let version = layer.version.or(layer.previous_version).map(|version| format!(":{version}")).unwrap_or_default();
        let change = match layer.change {
            FunctionLayerChange::Added => format!("{will}added"),
            FunctionLayerChange::Updated => format!("{will}updated"),
            FunctionLayerChange::Removed => format!("{will}removed"),
            FunctionLayerChange::Kept => "kept".to_owned(),
        };
        format!("{name}{version} {change}")
    });
    page.line(&format!("layers of {}: {}", report.name, texts.collect::<Vec<_>>().join(", ")));
}

/// Returns the version of a function or layer, and the one before; `None` if it has none.
fn version(outcome: &DeployOutcome) -> Option<String> {
    match outcome {
        DeployOutcome::Deployed { version, previous_version, .. }
        | DeployOutcome::RolledBack { version, previous_version } => match (previous_version, version) {
            (Some(previous), Some(version)) if previous != version => Some(format!("{previous} -> {version}")),
            (_, version) => version.clone(),
        },
        DeployOutcome::Unchanged { version, .. } | DeployOutcome::Planned { version, .. } => version.clone(),
        DeployOutcome::Skipped | DeployOutcome::Failed { .. } => Some("-".to_owned()),
    }
}

fn name_of(outcome: &DeployOutcome) -> &'static str {
    match outcome {
        DeployOutcome::Deployed { .. } => "deployed",
        DeployOutcome::RolledBack { .. } => "rolled back",
        DeployOutcome::Unchanged { .. } => "unchanged",
        DeployOutcome::Planned { .. } => "would be deployed",
        DeployOutcome::Skipped => "skipped",
        DeployOutcome::Failed { .. } => "failed",
    }
}
