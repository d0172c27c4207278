//! The key of the closure of an image for one platform.

use super::layers;
use crate::closure::ClosureKey;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::plan::Plan;
use crate::pipeline::remote_cache::{self, ArtifactForm};
use crate::platform::ImageTarget;
use crate::settings::ImageSettings;

/// Returns the key of the closure of a plan.
pub(super) fn key(settings: &ImageSettings, target: &ImageTarget, plan: &Plan, bytecode: &Bytecode) -> ClosureKey {
    let form = format!("layers {:?} {} {}", settings.compression, settings.layers, plan.stages().len());
    let (scheme, interpreter) = (&target.scheme, target.interpreter.as_str());
    let artifact = ArtifactForm { format: layers::FORMAT, scheme, interpreter, form };
    remote_cache::key(artifact, &settings.common, plan, bytecode)
}
