//! A function as files in directories of this machine, where `pybundle run` runs it.

use std::iter;

use super::assembled::{self, AssembledFunction};
use crate::archive::mirror::TreeMirror;
use crate::audit::handler::Handler;
use crate::lambda::PackageOutput;
use crate::pipeline::session::repairing;
use crate::pipeline::{BuildError, ProjectCache};
use crate::platform::LambdaProfile;
use crate::report::{ArtifactKind, Reporter};
use crate::settings::LambdaSettings;

/// Where the files of a function and of its layer are.
#[derive(Debug)]
pub(crate) struct FunctionDirectories {
    pub(crate) function: TreeMirror,
    pub(crate) layer: TreeMirror,
}

/// A function whose files are unpacked.
#[derive(Debug)]
pub(crate) struct UnpackedFunction {
    /// The name of the project.
    pub(crate) name: String,
    pub(crate) handler: Option<Handler>,
    pub(crate) profile: LambdaProfile,
}

/// Assembles a function, and makes directories contain its files.
///
/// # Errors
/// Any stage fails, or a file cannot be written.
pub(crate) fn unpack(
    settings: &LambdaSettings,
    projects: &ProjectCache,
    directories: &mut FunctionDirectories,
    reporter: &dyn Reporter,
) -> Result<UnpackedFunction, BuildError> {
    // Nothing replaces the artifact, but what an earlier build has written is not part of the application.
    let outputs = |settings: &LambdaSettings, plan: &super::Plan| {
        let default = || PackageOutput::Zip(settings.common.default_output(|| plan.name(), "zip"));
        let function = settings.output.clone().unwrap_or_else(default);
        let layer = settings.layer.iter().map(|layer| (ArtifactKind::Layer, layer.clone()));
        Ok(iter::once((ArtifactKind::Function, function)).chain(layer).collect())
    };
    let directories = std::cell::RefCell::new(directories);
    repairing(&settings.common.cache, iter::empty(), reporter, || {
        assembled::assemble(settings, projects, outputs, reporter, |assembled| {
            write(assembled, &mut directories.borrow_mut())
        })
    })
}

fn write(assembled: &AssembledFunction, directories: &mut FunctionDirectories) -> Result<UnpackedFunction, BuildError> {
    let AssembledFunction { plan, function, package, handler, layer_tree, .. } = assembled;
    if let Some(function) = &package.function {
        directories.function.follow(function, |_| true)?;
    }
    if let Some(layer) = package.layer.as_ref().or(layer_tree.as_ref()) {
        directories.layer.follow(layer, |_| true)?;
    }
    Ok(UnpackedFunction { name: plan.name(), handler: (*handler).clone(), profile: function.profile.clone() })
}
