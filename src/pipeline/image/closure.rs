//! The key of the closure of an image for one platform.

use super::chosen::ChosenPlatform;
use super::layers;
use crate::closure::ClosureKey;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::plan::Plan;
use crate::pipeline::remote_cache;
use crate::platform::{ImageTarget, Scheme};
use crate::settings::ImageSettings;

/// Returns the key of the closure of a plan.
pub(super) fn key(
    settings: &ImageSettings,
    target: &ImageTarget,
    platform: &ChosenPlatform,
    plan: &Plan,
    bytecode: &Bytecode,
) -> ClosureKey {
    let Scheme { site_packages, scripts, headers, data } = &target.scheme;
    let lines = vec![
        format!("image {} {}", platform.architecture, target.python),
        format!("paths {site_packages} {scripts} {headers} {data} {}", target.interpreter),
        format!("layers {:?} {} {}", settings.compression, settings.layers, plan.stages().len()),
    ];
    remote_cache::key((layers::FORMAT, lines), &settings.common, plan, bytecode)
}
