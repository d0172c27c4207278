//! Which files go into the function, and which into its layer.

use crate::lambda::DeploymentPackage;
use crate::pipeline::BuildError;
use crate::pipeline::install::{InstallSchemes, InstalledDistribution};
use crate::platform::LambdaProfile;
use crate::report::ArtifactKind;
use crate::tree::{TreeEntry, TreePath};

/// Returns how distributions are laid out in a function, or in a function and its layer.
pub(super) fn schemes(profile: &LambdaProfile, with_layer: bool) -> InstallSchemes<'_> {
    let dependencies = if with_layer { &profile.layer } else { &profile.function };
    InstallSchemes { dependencies, projects: &profile.function }
}

/// Puts the files into the function and its layer: dependencies into the layer if there is one, local projects and the
/// application's files into the function.
///
/// # Errors
/// Two have a path in common.
pub(super) fn package<'a>(
    profile: &LambdaProfile,
    distributions: &[InstalledDistribution],
    application: impl Iterator<Item = &'a (TreePath, TreeEntry)>,
    with_layer: bool,
) -> Result<DeploymentPackage, BuildError> {
    let mut package = DeploymentPackage::new(with_layer);
    let dependencies = package.dependencies();
    for distribution in distributions {
        let kind = if distribution.is_local_project() { ArtifactKind::Function } else { dependencies };
        package.extend(kind, distribution.files.iter().cloned())?;
    }
    for (path, entry) in application {
        let path = TreePath::below(&profile.function.site_packages, path.as_str())?;
        package.extend(ArtifactKind::Function, [(path, entry.clone())])?;
    }
    Ok(package)
}
