//! `[tool.pybundle]` of pyproject.toml.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::file::ConfigurationFile;
use super::{
    ConfigurationError, InvalidOption, Invocation, OptionValues, SettingsError, TargetKind, TargetOptions, ValueSource,
    precedence,
};
use crate::lock::LockFormat;
use crate::name::DistributionName;
use crate::project::ProjectError;
use crate::project::workspace::{Member, Workspace};
use crate::redact;
use crate::settings::{ConfiguredAt, Environment, Settings};

/// What a project and its workspace configure.
#[derive(Debug, Clone)]
pub(crate) struct ProjectConfiguration {
    /// The project's pyproject.toml, which need not exist.
    pub(crate) path: PathBuf,
    /// How the project is called: by its name, or else by its folder.
    member: String,
    /// The files that were read: the workspace root's, if that is another, and the project's, each with how its folder is
    /// shown.
    files: Vec<(PathBuf, PathBuf)>,
    /// What holds for every target of a kind.
    shared: BTreeMap<TargetKind, OptionValues>,
    targets: BTreeMap<String, ConfiguredTarget>,
}

/// A target as its own table states it.
#[derive(Debug, Clone)]
pub(super) struct ConfiguredTarget {
    pub(crate) kind: TargetKind,
    pub(crate) extends: Option<String>,
    pub(crate) values: OptionValues,
}

/// The values of a target, and of what it extends.
#[derive(Debug, Clone)]
pub(crate) struct ResolvedOptions {
    target: Option<String>,
    /// Those of what it extends, what is extended first before the others.
    extended: Vec<OptionValues>,
    own: OptionValues,
}

impl ProjectConfiguration {
    /// Reads what the project in a folder configures, or the named member of its workspace, and what the workspace's root
    /// does.
    ///
    /// # Errors
    /// A project cannot be read, or a table of `[tool.pybundle]` is wrong.
    pub(crate) fn read(project: &Path, package: Option<&DistributionName>) -> Result<Self, ConfigurationError> {
        let workspace = Workspace::discover(project, &LockFormat::NAMES)?;
        let member = package.and_then(|name| workspace.member(name)).unwrap_or_else(|| workspace.current());
        Self::of_member(project, &workspace, member)
    }

    /// Reads what each member of the workspace around a folder configures that has targets, the root's first.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn of_workspace(project: &Path) -> Result<Vec<(PathBuf, Self)>, ConfigurationError> {
        let workspace = Workspace::discover(project, &LockFormat::NAMES)?;
        let read = |member: &Member| {
            let folder = shown(project, &workspace.folder(member));
            let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
            Ok((folder, Self::of_member(project, &workspace, member)?))
        };
        let all = workspace.members.iter().map(read).collect::<Result<Vec<_>, ConfigurationError>>()?;
        Ok(all.into_iter().filter(|(_, configuration)| !configuration.targets.is_empty()).collect())
    }

    fn of_member(project: &Path, workspace: &Workspace, member: &Member) -> Result<Self, ConfigurationError> {
        let root = workspace.members.first().filter(|root| root.path != member.path);
        let members = root.into_iter().chain([member]);
        let place = |member: &Member| (member.pyproject.path.clone(), shown(project, &workspace.folder(member)));
        let folder = || workspace.folder(member).file_name().map(|name| name.to_string_lossy().into_owned());
        let name = member.pyproject.name.as_ref().map(ToString::to_string).or_else(folder).unwrap_or_default();
        let text = |path: &Path| match path.is_file() {
            true => {
                std::fs::read_to_string(path).map_err(|source| ProjectError::Read { path: path.to_owned(), source })
            }
            false => Ok(String::new()),
        };
        Self::of_files(name, members.map(place).collect(), &text)
    }

    /// Reads the files, the project's last; `text` returns what one says.
    fn of_files(
        member: String,
        files: Vec<(PathBuf, PathBuf)>,
        text: &dyn Fn(&Path) -> Result<String, ProjectError>,
    ) -> Result<Self, ConfigurationError> {
        let (mut shared, mut targets, mut path) = (BTreeMap::new(), BTreeMap::new(), PathBuf::new());
        for (at, (file, folder)) in files.iter().enumerate() {
            let mut file = ConfigurationFile::of(&text(file)?, folder)?;
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

    /// Returns what was configured when the files had other texts; `text` returns them, nothing for one that was not there.
    ///
    /// # Errors
    /// A table of `[tool.pybundle]` was wrong.
    pub(crate) fn before(&self, text: &dyn Fn(&Path) -> Option<String>) -> Result<Self, ConfigurationError> {
        let text = |path: &Path| Ok(text(path).unwrap_or_default());
        Self::of_files(self.member.clone(), self.files.clone(), &text)
    }

    /// Returns how the project is called: by its name, or else by its folder.
    pub(crate) fn member(&self) -> &str {
        &self.member
    }

    /// Returns the names of the targets with their kinds, in the order of the names.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&str, TargetKind)> {
        self.targets.iter().map(|(name, target)| (name.as_str(), target.kind))
    }

    /// Returns the kind of a target.
    ///
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

    /// Returns what is in force for a target, or for a build without one: of each key the nearest statement.
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
        let is_set = |variable: &str| environment.get(variable).is_some();
        let mut shared = self.shared.get(&O::KIND).cloned().unwrap_or_default();
        shared.yield_to(is_set);
        let mut resolved: Vec<OptionValues> = Vec::new();
        for (name, own) in self.chain(target)? {
            if own.kind != O::KIND {
                return Err(ConfigurationError::OtherKind { name: name.to_owned(), kind: own.kind });
            }
            let mut own_values = own.values.clone();
            own_values.yield_to(is_set);
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
            shared.replace(flags);
            shared
        });
        Ok(ResolvedOptions { target: target.map(str::to_owned), extended: resolved, own })
    }

    /// Returns a target after those that it extends; nothing if none is named.
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
    /// Returns what is in force.
    pub(crate) fn values(&self) -> &OptionValues {
        &self.own
    }

    /// Returns a key whose value is another than before, of the target or of what it extends; where it is stated does not
    /// matter.
    pub(crate) fn differs_from(&self, before: &Self) -> Option<String> {
        if self.extended.len() != before.extended.len() {
            return Some("extends".to_owned());
        }
        let difference = |(now, before): (&OptionValues, &OptionValues)| {
            let value = |values: &OptionValues, key: &str| values.0.get(key).map(|stated| stated.value.clone());
            let mut keys = now.0.keys().chain(before.0.keys());
            keys.find(|key| value(now, key) != value(before, key)).cloned()
        };
        self.extended.iter().zip(&before.extended).chain([(&self.own, &before.own)]).find_map(difference)
    }

    /// Returns where the base of an image is stated, if a file does.
    pub(crate) fn base_at(&self) -> Option<ConfiguredAt> {
        match self.own.0.get("base")?.sources.last()? {
            ValueSource::File { path, table, .. } => {
                let keys = table.iter().cloned().chain(["base".to_owned()]).collect();
                Some(ConfiguredAt { file: path.clone(), keys })
            }
            ValueSource::Variable(_) | ValueSource::Flag => None,
        }
    }

    /// Returns what the environment says in the place of keys.
    pub(crate) fn variables(environment: &Environment) -> impl Iterator<Item = (&'static str, &'static str)> {
        precedence::variables(|variable| environment.get(variable).is_some())
    }

    /// Turns the values into settings.
    ///
    /// # Errors
    /// Values of several places do not fit together.
    pub(crate) fn settings<O: TargetOptions>(&self, invocation: &Invocation) -> Result<O::Settings, SettingsError> {
        let options = |values: &OptionValues| -> Result<O, ConfigurationError> {
            values.options().map_err(|error| ConfigurationError::Together(redact::text(error.message())))
        };
        let mut extends: Option<Box<Settings>> = None;
        for values in &self.extended {
            let options = options(values)?;
            let settings = options.common().clone().settings(options.profile(), extends.take(), invocation);
            extends = Some(Box::new(settings.map_err(InvalidOption::from)?));
        }
        let invocation = Invocation { target: self.target.clone(), ..invocation.clone() };
        Ok(options(&self.own)?.settings(extends, &invocation)?)
    }
}

/// Returns a folder of the workspace as the user would name it: by the project's path if it is that or lies below it, else
/// absolute.
fn shown(project: &Path, folder: &Path) -> PathBuf {
    let within = project.canonicalize().ok().and_then(|project| folder.strip_prefix(project).ok().map(Path::to_owned));
    match within {
        Some(rest) if project == Path::new(".") => rest,
        // Joining an empty path would leave a trailing separator.
        Some(rest) => rest.components().fold(project.to_owned(), |folder, component| folder.join(component)),
        None => folder.to_owned(),
    }
}
