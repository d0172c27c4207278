//! Which files go into the function, and which into its layer.

use crate::lambda::DeploymentPackage;
use crate::pipeline::BuildError;
use crate::pipeline::install::{InstallSchemes, InstalledDistribution};
use crate::platform::LambdaProfile;
use crate::report::ArtifactKind;
use crate::settings::LambdaSettings;
use crate::tree::{TreeEntry, TreePath};

/// Returns how distributions are laid out in a function, in a function and its layer, or in a layer alone.
pub(super) fn schemes<'a>(profile: &'a LambdaProfile, settings: &LambdaSettings) -> InstallSchemes<'a> {
    let LambdaProfile { function, layer, .. } = profile;
    let dependencies = if settings.layer.is_some() || settings.is_layer { layer } else { function };
    InstallSchemes { dependencies, projects: if settings.is_layer { layer } else { function } }
}

/// Puts the files into the function and its layer: dependencies into the layer if there is one, local projects and the
/// application's files into the function; everything into a layer alone.
///
/// # Errors
/// Two have a path in common.
pub(super) fn package<'a>(
    profile: &LambdaProfile,
    distributions: &[InstalledDistribution],
    application: impl Iterator<Item = &'a (TreePath, TreeEntry)>,
    settings: &LambdaSettings,
) -> Result<DeploymentPackage, BuildError> {
    let mut package = match settings.is_layer {
        true => DeploymentPackage::of_layer(),
        false => DeploymentPackage::new(settings.layer.is_some()),
    };
    let dependencies = package.dependencies();
    for distribution in distributions {
        let kind = if distribution.is_local_project() { ArtifactKind::Function } else { dependencies };
        package.extend(kind, distribution.files.iter().cloned())?;
    }
    for (path, entry) in application {
        let path = TreePath::below(&profile.application, path.as_str())?;
        package.extend(ArtifactKind::Function, [(path, entry.clone())])?;
    }
    Ok(package)
}
