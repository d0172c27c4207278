//! `[tool.pybundle]` of pyproject.toml.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::file::ConfigurationFile;
use super::{
    ConfigurationError, InvalidOption, Invocation, LambdaOptions, LayerOptions, OptionValues, PublishOptions,
    SettingsError, TargetKind, TargetOptions, ValueSource, precedence,
};
use crate::hints;
use crate::lock::LockFormat;
use crate::name::DistributionName;
use crate::project::WorkspaceCache;
use crate::project::document::TomlDocument;
use crate::project::pyproject::FILENAME;
use crate::project::script;
use crate::project::workspace::{Workspace, WorkspaceMember};
use crate::redact;
use crate::settings::{ConfiguredAt, ConfiguredFiles, Environment, Settings};

/// `[tool.pybundle]` of a project and of its workspace's root.
#[derive(Debug, Clone)]
pub(crate) struct ProjectConfiguration {
    /// The project's pyproject.toml, which may be missing.
    pub(crate) path: PathBuf,
    /// The name of the project, or else of its directory.
    member: String,
    /// The files that were read, each with how its directory is shown: that of the workspace's root, unless it is the
    /// project, and then that of the project.
    files: Vec<(PathBuf, PathBuf)>,
    /// The values for every target of a kind.
    shared: BTreeMap<TargetKind, OptionValues>,
    targets: BTreeMap<String, ConfiguredTarget>,
}

/// A target as configured by its own table.
#[derive(Debug, Clone)]
pub(super) struct ConfiguredTarget {
    pub(crate) kind: TargetKind,
    pub(crate) extends: Option<String>,
    pub(crate) values: OptionValues,
}

/// The values of a target, and of the targets that it extends.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedOptions {
    target: Option<String>,
    /// The values of the targets that it extends, the outermost first.
    extended: Vec<OptionValues>,
    own: OptionValues,
    /// The layers that it names.
    layers: Vec<Self>,
}

impl ProjectConfiguration {
    /// Reads the configuration of the project in a directory, or of the named member of its workspace, together with that of
    /// the workspace's root.
    ///
    /// # Errors
    /// A pyproject.toml cannot be read, or a table of `[tool.pybundle]` is invalid.
    pub(crate) fn read(
        project: &Path,
        package: Option<&DistributionName>,
        workspaces: &WorkspaceCache,
    ) -> Result<Self, ConfigurationError> {
        let workspace = workspaces.discover(project, &LockFormat::NAMES)?;
        let member = package.and_then(|name| workspace.member(name)).unwrap_or_else(|| workspace.current());
        Self::of_member(project, &workspace, member)
    }

    /// Reads the configuration of each workspace member that has targets, that of the root first.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn of_workspace(
        project: &Path,
        workspaces: &WorkspaceCache,
    ) -> Result<Vec<(PathBuf, Self)>, ConfigurationError> {
        let workspace = workspaces.discover(project, &LockFormat::NAMES)?;
        let mut configurations = Vec::new();
        for member in workspace.members.iter() {
            let configuration = Self::of_member(project, &workspace, member)?;
            if !configuration.targets.is_empty() {
                let directory = shown(project, &workspace.directory(member));
                let directory = if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory };
                configurations.push((directory, configuration));
            }
        }
        Ok(configurations)
    }

    fn of_member(project: &Path, workspace: &Workspace, member: &WorkspaceMember) -> Result<Self, ConfigurationError> {
        let project = script::directory_of(project);
        let root = workspace.members.first().filter(|root| root.path != member.path);
        let members = root.into_iter().chain([member]);
        let files =
            members.clone().map(|member| (member.pyproject.path.clone(), shown(project, &workspace.directory(member))));
        let documents = members.map(|member| member.pyproject.document.clone());
        let directory = workspace.directory(member);
        let name = match (&member.pyproject.name, member.pyproject.script()) {
            (Some(name), _) => name.to_string(),
            (None, Some(script)) => script.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            (None, None) => directory.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        Self::of_files(name, files.collect(), documents.collect())
    }

    /// Reads the files, the last of which is the project's, each from its document.
    ///
    /// # Errors
    /// A table of `[tool.pybundle]` is invalid.
    pub(crate) fn of_files(
        member: String,
        files: Vec<(PathBuf, PathBuf)>,
        documents: Vec<TomlDocument>,
    ) -> Result<Self, ConfigurationError> {
        let (mut shared, mut targets, mut path) = (BTreeMap::new(), BTreeMap::new(), PathBuf::new());
        for (at, ((path_of_file, directory), document)) in files.iter().zip(&documents).enumerate() {
            let mut file = ConfigurationFile::of(document, path_of_file, directory)?;
            for (kind, values) in file.shared()? {
                shared.entry(kind).or_insert_with(OptionValues::default).replace(values);
            }
            // Targets are those of the project itself.
            if at + 1 == files.len() {
                targets = file.targets()?;
                path = file.path;
            }
        }
        Ok(Self { path, member, files, shared, targets })
    }

    /// Returns the configuration as of earlier contents of the files; `text` returns them, `None` for a file that did not
    /// exist.
    ///
    /// # Errors
    /// A table of `[tool.pybundle]` was invalid.
    pub(crate) fn before(&self, text: &dyn Fn(&Path) -> Option<String>) -> Result<Self, ConfigurationError> {
        let documents = self.files.iter().map(|(path, _)| {
            // A file that was not TOML, or a script that declared nothing, configured nothing.
            let document = text(path).and_then(|text| match path.ends_with(FILENAME) {
                true => TomlDocument::parse(&text).ok(),
                false => script::document(&text, path).ok(),
            });
            document.unwrap_or_default()
        });
        Self::of_files(self.member.clone(), self.files.clone(), documents.collect())
    }

    /// Returns the name of the project, or else of its directory.
    pub(crate) fn member(&self) -> &str {
        &self.member
    }

    /// Returns the table of a tool in a pyproject.toml that is probably meant to be pybundle's; `None` if pybundle has one.
    pub(crate) fn misspelled_table(pyproject: &Path) -> Option<String> {
        let table: toml::Table = std::fs::read_to_string(pyproject).ok()?.parse().ok()?;
        let tools = table.get("tool")?.as_table()?;
        let misspelled = hints::nearest("pybundle", tools.keys().map(String::as_str))?;
        (misspelled != "pybundle").then(|| misspelled.to_owned())
    }

    /// Returns the targets with their kinds, ordered by name.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&str, TargetKind)> {
        self.targets.iter().map(|(name, target)| (name.as_str(), target.kind))
    }

    /// # Errors
    /// There is no such target.
    pub(crate) fn kind(&self, name: &str) -> Result<TargetKind, ConfigurationError> {
        Ok(self.target(name)?.kind)
    }

    fn target(&self, name: &str) -> Result<&ConfiguredTarget, ConfigurationError> {
        self.targets.get(name).ok_or_else(|| ConfigurationError::UnknownTarget {
            path: self.path.clone(),
            name: name.to_owned(),
            known: self.targets.keys().cloned().collect(),
        })
    }

    /// Returns the values for a target, or for a build without one: of each key the value of the source that takes
    /// precedence.
    ///
    /// # Errors
    /// There is no such target, or it is of another kind.
    pub(crate) fn resolve<O: TargetOptions>(
        &self,
        target: Option<&str>,
        flags: &O,
        environment: &Environment,
    ) -> Result<ResolvedOptions, ConfigurationError> {
        let flags = OptionValues::of_flags(flags).map_err(|error| ConfigurationError::Flags(error.to_string()))?;
        self.resolve_values::<O>(target, flags, environment)
    }

    fn resolve_values<O: TargetOptions>(
        &self,
        target: Option<&str>,
        flags: OptionValues,
        environment: &Environment,
    ) -> Result<ResolvedOptions, ConfigurationError> {
        let mut shared = self.shared.get(&O::KIND).cloned().unwrap_or_default();
        let chain = self.chain(target)?;
        let script = chain.iter().rev().find_map(|(_, target)| target.values.script()).or_else(|| shared.script());
        if let Some(script) = script {
            let mut inline = Self::read(&script, None, &WorkspaceCache::default())?.shared;
            shared.replace(inline.remove(&O::KIND).unwrap_or_default());
        }
        shared.remove_overridden(&environment.indexes);
        let mut resolved: Vec<OptionValues> = Vec::new();
        for (name, own) in chain {
            if own.kind != O::KIND {
                return Err(ConfigurationError::OtherKind { name: name.to_owned(), kind: own.kind, wanted: O::KIND });
            }
            let mut own_values = own.values.clone();
            own_values.remove_overridden(&environment.indexes);
            own_values.replace(if Some(name) == target { flags.clone() } else { flags.of_extended() });
            let values = match resolved.last() {
                Some(extended) => {
                    let mut values = extended.clone();
                    values.extend(own_values);
                    values
                }
                None => {
                    let mut values = shared.clone();
                    values.replace(own_values);
                    values
                }
            };
            resolved.push(values);
        }
        let own = resolved.pop().unwrap_or_else(|| {
            shared.replace(flags.clone());
            shared
        });
        let layers = own.layers().into_iter().map(|name| match self.target(&name)?.kind {
            TargetKind::Layer => self.resolve_values::<LayerOptions>(Some(&name), flags.of_layers(), environment),
            kind => Err(ConfigurationError::NoLayer { name, kind }),
        });
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(ResolvedOptions { target: target.map(str::to_owned), extended: resolved, own, layers })
    }

    /// Returns the names of the layers of a target.
    ///
    /// # Errors
    /// There is no such target, or one of the layers is none.
    pub(crate) fn layers(&self, name: &str, environment: &Environment) -> Result<Vec<String>, ConfigurationError> {
        if self.kind(name)? != TargetKind::Lambda {
            return Ok(Vec::new());
        }
        Ok(self.resolve(Some(name), &LambdaOptions::default(), environment)?.own.layers())
    }

    /// Returns where each target of kind `layer` is published.
    ///
    /// # Errors
    /// The values of one are invalid.
    pub(crate) fn published_layers(
        &self,
        flags: &LayerOptions,
        environment: &Environment,
    ) -> Result<Vec<PublishOptions>, ConfigurationError> {
        let layers = self.targets().filter(|(_, kind)| *kind == TargetKind::Layer);
        let layers = layers.map(|(name, _)| {
            let resolved = self.resolve(Some(name), flags, environment)?;
            Ok(combined::<LayerOptions>(&resolved.own)?.publish)
        });
        layers.collect()
    }

    /// Returns the names of the targets that a target extends, the nearest first.
    ///
    /// # Errors
    /// There is no such target.
    pub(crate) fn extended_by(&self, name: &str) -> Result<Vec<String>, ConfigurationError> {
        let chain = self.chain(Some(name))?;
        Ok(chain.iter().rev().skip(1).map(|(name, _)| (*name).to_owned()).collect())
    }

    /// Returns a target after those that it extends; empty if no target is named.
    fn chain<'a>(
        &'a self,
        target: Option<&'a str>,
    ) -> Result<Vec<(&'a str, &'a ConfiguredTarget)>, ConfigurationError> {
        let mut chain = Vec::new();
        let mut next = target;
        while let Some(name) = next {
            let target = self.target(name)?;
            chain.push((name, target));
            next = target.extends.as_deref();
        }
        chain.reverse();
        Ok(chain)
    }
}

impl ResolvedOptions {
    /// Returns the values of the target itself.
    pub(crate) fn values(&self) -> &OptionValues {
        &self.own
    }

    /// Returns a key whose value has changed, of the target or of what it extends, wherever the value is set.
    pub(crate) fn differs_from(&self, before: &Self) -> Option<String> {
        if self.extended.len() != before.extended.len() {
            return Some("extends".to_owned());
        }
        let mut pairs = self.extended.iter().zip(&before.extended).chain([(&self.own, &before.own)]);
        let differs = pairs.find_map(|(now, before)| now.differs_from(before));
        // Which layers there are is a value of the function.
        differs.or_else(|| self.layers.iter().zip(&before.layers).find_map(|(now, before)| now.differs_from(before)))
    }

    /// Returns where the base of an image is set, if that is in a file.
    pub(crate) fn base_at(&self) -> Option<ConfiguredAt> {
        match self.own.0.get("base")?.sources.last()? {
            ValueSource::File { path, table, .. } => {
                let keys = table.iter().cloned().chain(["base".to_owned()]).collect();
                Some(ConfiguredAt { file: path.clone(), keys })
            }
            ValueSource::Variable(_) | ValueSource::Flag => None,
        }
    }

    /// Returns the environment variables that are set in place of keys.
    pub(crate) fn variables(environment: &Environment) -> impl Iterator<Item = (&'static str, &'static str)> {
        precedence::variables(|variable| environment.indexes.get(variable).is_some())
    }

    /// Turns the values into settings.
    ///
    /// # Errors
    /// The values are invalid together.
    pub(crate) fn settings<O: TargetOptions>(&self, invocation: &Invocation) -> Result<O::Settings, SettingsError> {
        let mut extends: Option<Box<Settings>> = None;
        for values in &self.extended {
            let options: O = combined(values)?;
            let settings = options.common().clone().settings(options.profile(), extends.take(), invocation);
            extends = Some(Box::new(settings.map_err(InvalidOption::from)?));
        }
        let is_configured =
            |key: &str| self.own.0.get(key).is_some_and(|value| !value.sources.contains(&ValueSource::Flag));
        let invocation = Invocation {
            target: self.target.clone(),
            configured: ConfiguredFiles { includes: is_configured("include"), excludes: is_configured("exclude") },
            apt_flags: self.apt_flags(),
            ..invocation.clone()
        };
        let layers = self.layers.iter().map(|layer| layer.settings::<LayerOptions>(&invocation));
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(combined::<O>(&self.own)?.settings(extends, layers, &invocation)?)
    }

    /// Returns the flags that decide which system packages are locked, as `pybundle apt lock` takes them: empty if the
    /// configuration alone decides it.
    fn apt_flags(&self) -> Vec<String> {
        let of_flags = APT_KEYS.iter().filter_map(|key| {
            let value = self.own.0.get(*key).filter(|value| value.sources.contains(&ValueSource::Flag))?;
            Some((*key, value.value.clone()))
        });
        let mut flags: Vec<String> = of_flags
            .flat_map(|(key, value)| {
                let values = match value {
                    toml::Value::Array(values) => values,
                    value => vec![value],
                };
                values.into_iter().filter_map(move |value| Some(format!("--{key} {}", hints::quoted(value.as_str()?))))
            })
            .collect();
        // Without the target, the flags would apply to every image of the project.
        if let Some(target) = self.target.as_ref().filter(|_| !flags.is_empty()) {
            flags.insert(0, format!("--target {target}"));
        }
        flags
    }
}

/// The keys that decide which system packages are locked, and that are flags, too.
const APT_KEYS: [&str; 5] = ["profile", "base", "python", "platform", "apt"];

/// Returns values as options.
fn combined<O: TargetOptions>(values: &OptionValues) -> Result<O, ConfigurationError> {
    values.options().map_err(|error| ConfigurationError::Combined(redact::text(error.message())))
}

/// Returns a directory of the workspace as the user would name it: by the project's path if it is that or lies below it,
/// else absolute.
fn shown(project: &Path, directory: &Path) -> PathBuf {
    let within =
        project.canonicalize().ok().and_then(|project| directory.strip_prefix(project).ok().map(Path::to_owned));
    match within {
        Some(rest) if project == Path::new(".") => rest,
        // Joining an empty path would leave a trailing separator.
        Some(rest) => rest.components().fold(project.to_owned(), |directory, component| directory.join(component)),
        None => directory.to_owned(),
    }
}
