//! The options of a build. Each is one field, which defines the flag, the key of `[tool.pybundle]` and its schema.
//!
//! [`ProjectConfiguration`] reads pyproject.toml. A flag takes precedence over an environment variable, which takes
//! precedence over the named target, which takes precedence over `[tool.pybundle]` of the project, and that over
//! `[tool.pybundle]` of its workspace's root. A target that extends another adds its files, groups and variables to those of
//! the other, and replaces everything else. The resulting values become [`Settings`].

mod apt_source;
mod artifact;
mod configuration;
mod contents;
mod deploy;
mod error;
mod fetch;
mod file;
mod image;
mod image_python;
mod lambda;
mod layer;
mod precedence;
mod remote_cache;
mod run;
mod schema;
mod selection;
mod texts;
mod value_reason;
mod values;

use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use artifact::{DocumentOptions, RegistryAccessOptions};
pub(crate) use configuration::{ProjectConfiguration, ResolvedOptions};
pub(crate) use contents::{ApplicationOptions, AuditOptions, ContentOptions};
pub(crate) use deploy::DeployOptions;
pub(crate) use error::{ConfigurationError, InvalidOption, SettingsError};
pub(crate) use fetch::{BuildOptions, FetchOptions};
pub(crate) use image::ImageOptions;
pub(crate) use image_python::ImagePython;
pub(crate) use lambda::{LambdaOptions, ZipOptions};
pub(crate) use layer::{LayerOptions, PublishOptions};
pub(crate) use precedence::{OptionValues, SourcedValue, ValueSource};
pub(crate) use remote_cache::RemoteCacheOptions;
pub(crate) use run::RunOptions;
pub(crate) use schema::{defaults, schema};
pub(crate) use selection::{RequirementsOptions, SelectionOptions};
pub(crate) use values::{ImagePlatform, positive_number, python_version};

use self::values::CommandArguments;
use crate::index::InvalidIndexUrl;
use crate::project::script;
use crate::settings::{CacheChoice, ConfiguredFiles, Environment, LambdaSettings, ProfileChoice, Settings};

/// The kind of artifact that a target is built into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TargetKind {
    /// An AWS Lambda deployment package, by `pybundle lambda`.
    Lambda,
    /// An AWS Lambda layer, by `pybundle lambda`.
    Layer,
    /// An OCI image, by `pybundle image`.
    Image,
}

impl TargetKind {
    pub(crate) const ALL: [Self; 3] = [Self::Lambda, Self::Layer, Self::Image];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Layer => "layer",
            Self::Image => "image",
        }
    }
}

/// What the name of a target must be.
pub(crate) const TARGET_NAME: &str =
    "a target name may contain only ASCII letters, digits, `-`, `_` and `.`, and not start with `.`";

pub(crate) fn is_target_name(text: &str) -> bool {
    let is_allowed = text.chars().all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
    is_allowed && !text.is_empty() && !text.starts_with('.')
}

/// How the command was called, apart from its options.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    /// The project's directory, or a script, as the user names it.
    pub(crate) project: PathBuf,
    /// The name of the target, if one is built.
    pub(crate) target: Option<String>,
    pub(crate) configured: ConfiguredFiles,
    /// The flags that decide which system packages are locked.
    pub(crate) apt_flags: Vec<String>,
    pub(crate) cache: CacheChoice,
    pub(crate) environment: Environment,
}

/// The options of one kind of target.
pub(crate) trait TargetOptions: Args + Clone + Default + Serialize + DeserializeOwned + JsonSchema {
    const KIND: TargetKind;
    type Settings;

    /// Makes relative paths relative to a directory: those of flags are relative to the current directory, those of keys to
    /// that of their file.
    ///
    /// # Errors
    /// The location of an index is invalid.
    fn rebase(&mut self, directory: &Path) -> Result<(), InvalidIndexUrl>;

    /// Turns the options into settings. `extends` are the settings of the target that is extended, and `layers` those of the
    /// layers that a function names.
    ///
    /// # Errors
    /// The location of an index or `SOURCE_DATE_EPOCH` is invalid, or options cannot be used together.
    fn settings(
        self,
        extends: Option<Box<Settings>>,
        layers: Vec<LambdaSettings>,
        invocation: &Invocation,
    ) -> Result<Self::Settings, InvalidOption>;

    fn common(&self) -> &CommonOptions;

    /// Returns whether they say what is started, so that no target of the project is meant.
    fn starts_something(&self) -> bool;

    fn profile(&self) -> ProfileChoice;
}

/// The options that every kind of target has.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct CommonOptions {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) selection: SelectionOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) application: ApplicationOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) contents: ContentOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) audit: AuditOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) build: BuildOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) requirements: RequirementsOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) fetch: FetchOptions,
}

impl CommonOptions {
    fn rebase(&mut self, directory: &Path) -> Result<(), InvalidIndexUrl> {
        let paths = self.selection.lock.iter_mut().chain(&mut self.build.wheel_dir);
        for path in paths.chain(&mut self.application.script) {
            *path = directory.join(&path);
        }
        // Includes of flags are relative to the project, those of a file to its directory.
        let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
        self.application.include.iter_mut().for_each(|include| include.rebase(&absolute));
        self.fetch.rebase(directory)
    }

    fn settings(
        self,
        profile: ProfileChoice,
        extends: Option<Box<Settings>>,
        invocation: &Invocation,
    ) -> Result<Settings, InvalidIndexUrl> {
        let directory = script::directory_of(&invocation.project).to_owned();
        let mut includes = self.application.include;
        if self.application.script.is_some() {
            // The paths are relative to the project that names the script, and not to the script.
            let absolute = std::path::absolute(&directory).unwrap_or_else(|_| directory.clone());
            includes.iter_mut().for_each(|include| include.rebase(&absolute));
        }
        Ok(Settings {
            project: self.application.script.unwrap_or_else(|| invocation.project.clone()),
            directory,
            target: invocation.target.clone(),
            extends,
            lock_check: self.selection.lock_check(),
            locks: self.selection.lock.clone(),
            request: self.selection.request(),
            requirements: self.requirements.into(),
            profile,
            has_application: true,
            includes,
            configured: invocation.configured,
            excludes: self.application.exclude,
            prepare: self.application.prepare.into_iter().map(|CommandArguments(arguments)| arguments).collect(),
            started: Vec::new(),
            contents: self.contents.settings(),
            audit: self.audit.settings(),
            formats: self.build.formats(),
            fetch: self.fetch.settings()?,
            wheel_dir: self.build.wheel_dir,
            cache: invocation.cache.clone(),
            environment: invocation.environment.clone(),
        })
    }
}

/// Makes the path of an output relative to a directory, unless it is `-`, which is standard output.
fn rebase_output(path: &mut PathBuf, directory: &Path) {
    if path != Path::new("-") {
        *path = directory.join(&*path);
    }
}

/// Makes the path of a profile relative to a directory, unless it names a built-in one.
fn rebase_profile(profile: &mut Option<String>, directory: &Path) {
    if let Some(text) = profile
        && let ProfileChoice::File(file) = values::profile(text)
    {
        *text = directory.join(file).to_string_lossy().into_owned();
    }
}
