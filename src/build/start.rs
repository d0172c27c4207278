//! How a container of the image starts, and what its configuration says of the project.

use std::collections::BTreeMap;

use super::BuildError;
use super::plan::Plan;
use crate::audit::handler::Handler;
use crate::image::Base;
use crate::image::config::{self, Entrypoint};
use crate::image::file::Form;
use crate::project::revision;
use crate::settings::{Compression, ImageSettings};
use crate::target::{BaseEntrypoint, ImageTarget};
use crate::wheel::Wheel;

/// Refuses what the target does not take, before anything is fetched.
///
/// # Errors
/// The target takes no index, does not read the compression, or needs a handler that is not given.
pub fn check(settings: &ImageSettings, target: &ImageTarget) -> Result<(), BuildError> {
    if settings.platforms.len() > 1 && !target.index {
        return Err(BuildError::OnePlatform(target.name.clone()));
    }
    let compression = settings.compression.name();
    if !target.compression.iter().any(|name| name == compression) {
        return Err(BuildError::Compression { profile: target.name.clone(), compression });
    }
    for output in settings.outputs.iter().filter(|output| output.form == Form::DockerArchive) {
        if settings.platforms.len() > 1 || settings.compression == Compression::Zstd {
            return Err(BuildError::DockerArchive(output.path.clone()));
        }
    }
    handler(settings, target).map(|_| ())
}

/// Returns the handler that the command names, where the target starts one.
///
/// # Errors
/// There is no command, or it is no handler.
pub fn handler(settings: &ImageSettings, target: &ImageTarget) -> Result<Option<Handler>, BuildError> {
    if !target.handler {
        return Ok(None);
    }
    match settings.start.command.as_deref() {
        Some([handler]) => Ok(Some(handler.parse()?)),
        Some(_) | None => Err(BuildError::NoHandler(target.name.clone())),
    }
}

/// Returns the part of the image configuration that is not the base's.
///
/// # Errors
/// A value of the profile's environment is malformed.
pub fn configuration(
    settings: &ImageSettings,
    target: &ImageTarget,
    base: &Base,
    plan: &Plan,
    built: &[Wheel],
) -> Result<config::Settings, BuildError> {
    let start = &settings.start;
    let entrypoint = match (&start.entrypoint, target.entrypoint) {
        (Some(words), _) if words.is_empty() => Entrypoint::Reset,
        (Some(words), _) => Entrypoint::Set(words.clone()),
        (None, BaseEntrypoint::Inherit) => Entrypoint::Inherit,
        (None, BaseEntrypoint::Reset) => {
            only_script(target, plan, built).map_or(Entrypoint::Reset, |script| Entrypoint::Set(vec![script]))
        }
    };
    let env = own_env(settings, target, base)?;
    let mut labels = labels(plan, built);
    labels.extend(settings.labels.clone());
    Ok(config::Settings {
        user: start.user.clone().or_else(|| target.user.clone()),
        workdir: Some(start.workdir.clone().unwrap_or_else(|| target.workdir.clone())),
        env,
        entrypoint,
        command: start.command.clone(),
        exposed_ports: start.ports.clone(),
        labels,
        created: settings.created,
    })
}

/// Returns the variables that the image adds to its base's environment.
fn own_env(settings: &ImageSettings, target: &ImageTarget, base: &Base) -> Result<Vec<(String, String)>, BuildError> {
    let expand = |(name, value): &(String, String)| -> Result<_, BuildError> {
        Ok((name.clone(), config::expand(value, &base.config.execution)?))
    };
    let mut env = target.env.iter().map(expand).collect::<Result<Vec<_>, _>>()?;
    for (name, value) in &settings.start.env {
        env.retain(|(earlier, _)| earlier != name);
        env.push((name.clone(), value.clone()));
    }
    Ok(env)
}

/// Returns the value that a variable has in the image.
///
/// # Errors
/// A value of the profile's environment is malformed.
pub fn env(
    settings: &ImageSettings,
    target: &ImageTarget,
    base: &Base,
    name: &str,
) -> Result<Option<String>, BuildError> {
    let own = own_env(settings, target, base)?.into_iter().find(|(known, _)| known == name);
    Ok(own.map(|(_, value)| value).or_else(|| base.env(name).map(str::to_owned)))
}

/// Returns the path of the root project's console script, if it has one and no other.
fn only_script(target: &ImageTarget, plan: &Plan, built: &[Wheel]) -> Option<String> {
    let root = plan.selected.iter().find(|selected| selected.is_root())?;
    let wheel = built.iter().find(|wheel| wheel.inventory.name == root.name)?;
    match &wheel.inventory.entry_points[..] {
        [only] => Some(format!("/{}/{}", target.scheme.scripts, only.name)),
        _ => None,
    }
}

/// Returns what the labels say of the project (OCI annotations, pre-defined annotation keys).
fn labels(plan: &Plan, built: &[Wheel]) -> BTreeMap<String, String> {
    let root = plan.selected.iter().find(|selected| selected.is_root());
    let wheel = root.and_then(|root| built.iter().find(|wheel| wheel.inventory.name == root.name));
    let version = wheel.map(|wheel| &wheel.inventory.version).or_else(|| root?.version.as_ref());
    let revision = revision::revision(&plan.project.workspace.root);
    let (commit, source) = revision.map(|revision| (Some(revision.commit), revision.source)).unwrap_or_default();
    let known = [
        ("title", Some(plan.name())),
        ("version", version.map(ToString::to_string)),
        ("revision", commit),
        ("source", source),
    ];
    let stated = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
    stated.map(|(name, value)| (format!("org.opencontainers.image.{name}"), value)).collect()
}
