//! The command and configuration of the image's containers.

use std::collections::BTreeMap;

use crate::audit::handler::Handler;
use crate::image::Base;
use crate::image::config::substitution::substitute;
use crate::image::config::{self, Entrypoint};
use crate::pipeline::BuildError;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::plan::Plan;
use crate::platform::{BaseEntrypoint, ImageTarget};
use crate::project::application;
use crate::settings::{ImageSettings, LayerCompression};
use crate::wheel::Wheel;

/// Refuses settings that the target does not support, before anything is fetched.
///
/// # Errors
/// The target does not accept an image index or the compression, requires a handler, or could not read an included
/// file.
pub(super) fn check(settings: &ImageSettings, target: &ImageTarget) -> Result<(), BuildError> {
    if settings.platforms.len() > 1 && !target.index {
        return Err(BuildError::OnePlatform(target.name.clone()));
    }
    let compression = settings.compression.name();
    if !target.compression.iter().any(|name| name == compression) {
        return Err(BuildError::Compression { profile: target.name.clone(), compression });
    }
    for output in settings.outputs.iter().filter(|output| output.format.is_for_one_platform()) {
        if settings.platforms.len() > 1 || settings.compression == LayerCompression::Zstd {
            return Err(BuildError::DockerArchive(output.path.clone()));
        }
    }
    if target.handler {
        application::check_for_lambda(&settings.common.includes)?;
    }
    handler(settings, target).map(|_| ())
}

/// Returns the handler that the command names, for targets that start one.
///
/// # Errors
/// There is no command, or it is not a handler.
pub(super) fn handler(settings: &ImageSettings, target: &ImageTarget) -> Result<Option<Handler>, BuildError> {
    if !target.handler {
        return Ok(None);
    }
    match settings.container.command.as_deref() {
        Some([handler]) => Ok(Some(handler.parse()?)),
        Some(_) | None => Err(BuildError::NoHandler(target.name.clone())),
    }
}

/// Programs that take the dotted name of a module without a colon.
const SERVERS: [&str; 7] = ["celery", "daphne", "flask", "granian", "gunicorn", "hypercorn", "uvicorn"];

/// Returns the modules that a container starts, as far as its command and its environment tell: a handler, `module:object`,
/// the argument of `-m`, a Python script, console scripts of local projects, what a server is given, and variables such as
/// `DJANGO_SETTINGS_MODULE` and `FLASK_APP`. `.__main__` is appended to those that run as scripts.
pub(super) fn modules(
    settings: &ImageSettings,
    target: &ImageTarget,
    plan: &Plan,
    distributions: &[InstalledDistribution],
) -> Vec<String> {
    let words: Vec<&str> = words(settings).flat_map(str::split_whitespace).collect();
    let mut modules = Vec::new();
    if target.handler {
        modules.extend(words.iter().filter_map(|word| Some(word.parse::<Handler>().ok()?.module())));
        return modules;
    }
    let only = only_script(settings, target, plan, distributions).filter(|_| settings.container.entrypoint.is_none());
    let scripts: Vec<_> = local_projects(distributions).flat_map(|wheel| &wheel.inventory.entry_points).collect();
    let has_server = words.iter().any(|word| SERVERS.contains(&word.rsplit('/').next().unwrap_or(word)));
    for (at, word) in words.iter().copied().chain(only.as_deref()).enumerate() {
        let name = word.rsplit('/').next().unwrap_or(word);
        let follows_option = at > 0 && matches!(words[at - 1], "-A" | "--app");
        if has_server && (follows_option || (word.contains('.') && !word.ends_with(".py"))) {
            // Celery looks for an application in `MODULE.celery`, too.
            let module = word.split(':').next().unwrap_or(word);
            modules.extend([module.to_owned(), format!("{module}.celery")]);
        }
        modules.extend(word.strip_prefix("--app=").map(str::to_owned));
        modules.extend(scripts.iter().filter(|script| script.name == name).map(|script| script.module.clone()));
        modules.extend(name.strip_suffix(".py").map(|module| format!("{module}.__main__")));
        modules.extend(word.split_once(':').map(|(module, _)| module.to_owned()));
        if word == "-m" {
            modules.extend(words.get(at + 1).map(|module| format!("{module}.__main__")));
        }
    }
    if modules.is_empty() {
        return modules;
    }
    let variables = settings.container.env.iter().chain(&target.env);
    let named = variables.filter(|(name, _)| name.ends_with("_MODULE") || name.ends_with("_APP"));
    modules.extend(named.filter_map(|(_, value)| value.split(':').next()).map(str::to_owned));
    modules
}

/// Returns the entrypoint and the command that the user sets.
pub(super) fn words(settings: &ImageSettings) -> impl Iterator<Item = &str> {
    let start = &settings.container;
    start.entrypoint.iter().chain(&start.command).flatten().map(String::as_str)
}

/// Returns the entrypoint of a base that the user chose and whose entrypoint the profile removes, as one would type it.
pub(super) fn dropped_entrypoint(settings: &ImageSettings, target: &ImageTarget, base: &Base) -> Option<String> {
    let is_dropped = settings.base.is_some()
        && settings.container.entrypoint.is_none()
        && target.entrypoint == BaseEntrypoint::Reset;
    let entrypoint =
        Some(&base.config.execution.entrypoint).filter(|entrypoint| is_dropped && !entrypoint.is_empty())?;
    shlex::try_join(entrypoint.iter().map(String::as_str)).ok()
}

/// Returns the arguments of the container's process: its entrypoint and its command.
pub(super) fn arguments(
    settings: &ImageSettings,
    target: &ImageTarget,
    base: &Base,
    plan: &Plan,
    distributions: &[InstalledDistribution],
) -> Vec<String> {
    let start = &settings.container;
    let execution = &base.config.execution;
    let inherits = start.entrypoint.is_none() && target.entrypoint == BaseEntrypoint::Inherit;
    let entrypoint = match &start.entrypoint {
        Some(words) => words.clone(),
        None if inherits => execution.entrypoint.clone(),
        None => only_script(settings, target, plan, distributions).into_iter().collect(),
    };
    let command = start.command.clone().or_else(|| inherits.then(|| execution.cmd.clone()));
    entrypoint.into_iter().chain(command.into_iter().flatten()).collect()
}

/// Returns the part of the image configuration that pybundle sets above the base's.
///
/// # Errors
/// A value of the profile's environment is malformed.
pub(super) fn configuration(
    settings: &ImageSettings,
    target: &ImageTarget,
    base: &Base,
    plan: &Plan,
    distributions: &[InstalledDistribution],
) -> Result<config::ConfigOverrides, BuildError> {
    let start = &settings.container;
    let entrypoint = match (&start.entrypoint, target.entrypoint) {
        (Some(words), _) if words.is_empty() => Entrypoint::Reset,
        (Some(words), _) => Entrypoint::Set(words.clone()),
        (None, BaseEntrypoint::Inherit) => Entrypoint::Inherit,
        (None, BaseEntrypoint::Reset) => only_script(settings, target, plan, distributions)
            .map_or(Entrypoint::Reset, |script| Entrypoint::Set(vec![script])),
    };
    let env = own_env(settings, target, base)?;
    let mut labels = labels(plan, distributions);
    labels.extend(settings.labels.clone());
    Ok(config::ConfigOverrides {
        user: numeric_user(settings).or_else(|| target.user.clone()),
        workdir: Some(start.workdir.clone().unwrap_or_else(|| target.workdir.clone())),
        env,
        entrypoint,
        command: start.command.clone(),
        exposed_ports: start.ports.clone(),
        volumes: start.volumes.clone(),
        health_check: start.health_check.clone(),
        stop_signal: start.stop_signal.clone(),
        shell: start.shell.clone(),
        labels,
        created: settings.created,
    })
}

/// Returns the user, by the IDs of one that is added: Kubernetes does not start an image whose user is a name if a pod must not
/// run as root (`runAsNonRoot`).
fn numeric_user(settings: &ImageSettings) -> Option<String> {
    let user = settings.container.user.as_ref()?;
    let added = settings.container.users.iter().find(|added| added.name == user.as_str());
    Some(added.map_or_else(|| user.to_string(), |added| format!("{}:{}", added.uid, added.gid)))
}

/// Returns the environment variables that the image adds to its base's. The user's values may refer to those of the profile
/// and of the base.
fn own_env(settings: &ImageSettings, target: &ImageTarget, base: &Base) -> Result<Vec<(String, String)>, BuildError> {
    let mut env = Vec::with_capacity(target.env.len());
    let inherited = base.config.execution.in_container();
    for (name, value) in &target.env {
        let mut value = config::expand(value, &inherited)?;
        // The base may have modules of its own.
        if name == "PYTHONPATH"
            && let Some(inherited) = base.env(name).filter(|inherited| !inherited.is_empty())
        {
            value = format!("{value}:{inherited}");
        }
        env.push((name.clone(), value));
    }
    let before = env.clone();
    for (name, value) in &settings.container.env {
        let value = substitute(name, value, |wanted| {
            let own = before.iter().find(|(known, _)| known == wanted).map(|(_, value)| value.as_str());
            own.or_else(|| inherited.env(wanted)).map(str::to_owned)
        })?;
        env.retain(|(earlier, _)| earlier != name);
        env.push((name.clone(), value));
    }
    Ok(env)
}

/// Returns the `PYTHONPATH` of the base that the user's does not contain, and the user's.
///
/// # Errors
/// A value of an environment variable is malformed.
pub(super) fn lost_python_path<'b>(
    settings: &ImageSettings,
    target: &ImageTarget,
    base: &'b Base,
) -> Result<Option<(&'b str, String)>, BuildError> {
    let name = "PYTHONPATH";
    let inherited = base.env(name).filter(|inherited| !inherited.is_empty());
    let (Some(inherited), Some(value)) = (inherited, env(settings, target, base, name)?) else { return Ok(None) };
    let is_kept = inherited.split(':').all(|directory| value.split(':').any(|kept| kept == directory));
    Ok((!is_kept).then_some((inherited, value)))
}

/// Returns the value of an environment variable in the image.
///
/// # Errors
/// A value of the profile's environment is malformed.
pub(super) fn env(
    settings: &ImageSettings,
    target: &ImageTarget,
    base: &Base,
    name: &str,
) -> Result<Option<String>, BuildError> {
    let own = own_env(settings, target, base)?.into_iter().find(|(known, _)| known == name);
    Ok(own.map(|(_, value)| value).or_else(|| base.env(name).map(str::to_owned)))
}

/// Executables that a command may begin with, besides console scripts.
const EXECUTABLES: [&str; 6] = ["bash", "env", "exec", "python", "python3", "sh"];

/// Returns the path of the root project's console script, if it has exactly one and the command is not one of its own: words
/// that do not name an executable are arguments of the script.
fn only_script(
    settings: &ImageSettings,
    target: &ImageTarget,
    plan: &Plan,
    distributions: &[InstalledDistribution],
) -> Option<String> {
    let first = settings.container.command.iter().flatten().next();
    if first.is_some_and(|word| is_executable(word, distributions)) {
        return None;
    }
    let root = plan.selected.iter().find(|selected| selected.is_root())?;
    let wheel = local_projects(distributions).find(|wheel| wheel.inventory.name == root.name)?;
    match &wheel.inventory.entry_points[..] {
        [only] => Some(format!("/{}/{}", target.scheme.scripts, only.name)),
        _ => None,
    }
}

/// Returns whether a word is a path or the name of an executable that the image has, as far as its distributions tell.
fn is_executable(word: &str, distributions: &[InstalledDistribution]) -> bool {
    let mut scripts = distributions.iter().flat_map(|distribution| &distribution.wheel.inventory.entry_points);
    word.contains('/') || EXECUTABLES.contains(&word) || scripts.any(|script| script.name == word)
}

/// Returns the labels that describe the project (OCI image-spec, annotations.md, pre-defined annotation keys).
fn labels(plan: &Plan, distributions: &[InstalledDistribution]) -> BTreeMap<String, String> {
    let root = plan.selected.iter().find(|selected| selected.is_root());
    let wheel = root.and_then(|root| local_projects(distributions).find(|wheel| wheel.inventory.name == root.name));
    let version = wheel.map(|wheel| &wheel.inventory.version).or_else(|| root?.version.as_ref());
    let revision = plan.project.revision();
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

/// Returns the wheels of local projects.
fn local_projects<'a>(distributions: &'a [InstalledDistribution]) -> impl Iterator<Item = &'a Wheel> {
    distributions.iter().filter(|distribution| distribution.is_local_project()).map(|distribution| &distribution.wheel)
}
