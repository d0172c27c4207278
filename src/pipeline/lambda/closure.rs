//! The closure of a function or a layer: what is known of its distributions without their bytes.

use super::layers::LayerProject;
use super::project::LambdaProject;
use crate::archive::zip;
use crate::cache::Cache;
use crate::closure::ClosureKey;
use crate::pipeline::BuildError;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::plan::Plan;
use crate::pipeline::remote_cache::{self, ArtifactForm, KnownClosures, RemoteCache, WantedClosure};
use crate::settings::LambdaSettings;

/// Returns the key of the closure of a plan.
pub(super) fn key(settings: &LambdaSettings, lambda: &LambdaProject, plan: &Plan, bytecode: &Bytecode) -> ClosureKey {
    let scheme = super::package::schemes(&lambda.profile, settings).dependencies;
    let kind = if settings.is_layer || settings.layer.is_some() { "layer" } else { "function" };
    let form = format!("zip {kind} {}", lambda.profile.service);
    let artifact = ArtifactForm { format: zip::FORMAT, scheme, interpreter: &lambda.profile.interpreter, form };
    remote_cache::key(artifact, &settings.common, plan, bytecode)
}

/// Reads what is known of a function, whose key is given, and of its layers. Those are only checked, so they need no bytes.
///
/// # Errors
/// The cache cannot be read, or no interpreter is found that a layer requires.
pub(super) fn known(
    remote: &RemoteCache,
    (key, plan): (ClosureKey, &Plan),
    layers: &[LayerProject],
    layer_plans: &[Plan],
    cache: &Cache,
) -> Result<KnownClosures, BuildError> {
    let mut wanted = vec![WantedClosure { key, plan, is_zipped: true }];
    for (LayerProject { settings, lambda, .. }, plan) in layers.iter().zip(layer_plans) {
        let bytecode = Bytecode::find(&settings.common, plan.target.python, false, cache)?;
        wanted.push(WantedClosure { key: self::key(settings, lambda, plan, &bytecode), plan, is_zipped: false });
    }
    wanted.retain(|closure| closure.plan.dependencies().next().is_some());
    remote_cache::known(Some(remote), &wanted, cache)
}
