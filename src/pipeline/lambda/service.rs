//! What services demand of a zip, as their profiles say.

use std::collections::BTreeSet;

use crate::pipeline::BuildError;
use crate::pipeline::error::service::ServiceError;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::plan::Plan;
use crate::platform::LambdaProfile;
use crate::settings::LambdaSettings;

/// Checks that layers are only requested where there are any.
pub(super) fn check_layers(profile: &LambdaProfile, settings: &LambdaSettings) -> Result<(), ServiceError> {
    let wants_layer = settings.layer.is_some() || settings.is_layer || !settings.named_layers.is_empty();
    if wants_layer && !profile.has_layers {
        return Err(ServiceError::NoLayers { service: profile.service.clone() });
    }
    Ok(())
}

/// Checks that the application has the files that the service requires.
pub(super) fn check_files(profile: &LambdaProfile, plan: &Plan) -> Result<(), ServiceError> {
    let has = |file: &&String| plan.application.files.iter().any(|(path, _)| path.as_str() == file.as_str());
    match profile.required_files.iter().find(|file| !has(file)) {
        Some(file) => Err(ServiceError::MissingFile { service: profile.service.clone(), file: file.clone() }),
        None => Ok(()),
    }
}

/// Checks that every module can be loaded from the zip, if that is what the service does. Where a source is beside a compiled
/// module, zipimport loads the source; what mypyc shares among its modules is then not needed.
pub(super) fn check_modules(
    profile: &LambdaProfile,
    distributions: &[InstalledDistribution],
) -> Result<(), ServiceError> {
    if !profile.is_imported_from_zip {
        return Ok(());
    }
    for distribution in distributions {
        let paths: BTreeSet<&str> = distribution.files.iter().map(|(path, _)| path.as_str()).collect();
        let compiled = paths.iter().filter(|path| path.ends_with(".so")).find(|path| {
            let (directory, name) = path.rsplit_once('/').map_or(("", **path), |(directory, name)| (directory, name));
            let stem = name.split('.').next().unwrap_or_default();
            !stem.ends_with("__mypyc") && !paths.contains(format!("{directory}/{stem}.py").trim_start_matches('/'))
        });
        if let Some(path) = compiled {
            let (service, path) = (profile.service.clone(), (*path).to_owned());
            let distribution = distribution.selected.name.clone();
            return Err(ServiceError::Compiled { service, path, distribution });
        }
    }
    Ok(())
}

/// Checks the size of the zip in bytes.
pub(super) fn check_zip(profile: &LambdaProfile, size: u64) -> Result<(), ServiceError> {
    match profile.limits.zip {
        Some(limit) if size > limit => Err(ServiceError::LargeZip { service: profile.service.clone(), size, limit }),
        Some(_) | None => Ok(()),
    }
}

/// Checks that AWS's client can run the function.
pub(super) fn check_runs(profile: &LambdaProfile) -> Result<(), BuildError> {
    if profile.is_lambda() { Ok(()) } else { Err(ServiceError::NotLambda { service: profile.service.clone() }.into()) }
}
