//! The options of a build, each stated once: a flag, a key of `[tool.pybundle]`, and its schema are one field here.
//!
//! Options are stated at several places. [`ProjectConfiguration`] reads those of pyproject.toml; of each key, the nearest
//! statement counts: a flag beats an environment variable, which beats the named target, which beats `[tool.pybundle]`
//! of the project and then of its workspace's root. A target that extends another stands over it: what it says of files,
//! groups and variables is added to what the other says, and all else replaces it. What is in force becomes [`Settings`].

mod artifact;
mod configuration;
mod contents;
mod error;
mod fetch;
mod file;
mod image;
mod lambda;
mod lines;
mod precedence;
mod schema;
mod selection;
mod texts;
mod values;

use std::path::{Path, PathBuf};

use clap::Args;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use artifact::{DocumentOptions, RegistryAccessOptions};
pub(crate) use configuration::{ProjectConfiguration, ResolvedOptions};
pub(crate) use contents::{ApplicationOptions, AuditOptions, ContentOptions};
pub(crate) use error::{ConfigurationError, InvalidOption, SettingsError};
pub(crate) use fetch::{BuildOptions, FetchOptions};
pub(crate) use image::ImageOptions;
pub(crate) use lambda::LambdaOptions;
pub(crate) use precedence::{OptionValues, SourcedValue, ValueSource};
pub(crate) use schema::schema;
pub(crate) use selection::{RequirementsOptions, SelectionOptions};

use crate::index::InvalidLocation;
use crate::settings::{CacheChoice, Environment, ProfileChoice, Settings};

/// What a target is built into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TargetKind {
    /// An AWS Lambda deployment package, by `pybundle lambda`.
    Lambda,
    /// An OCI image, by `pybundle image`.
    Image,
}

impl TargetKind {
    /// Returns the name that configurations use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Image => "image",
        }
    }
}

/// What a build takes from where it runs.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    /// The project's folder, as the user names it.
    pub(crate) project: PathBuf,
    /// The target that is built, if it has a name.
    pub(crate) target: Option<String>,
    /// Where fetched wheels are kept.
    pub(crate) cache: CacheChoice,
    /// The environment.
    pub(crate) environment: Environment,
}

/// The options of one kind of artifact.
pub(crate) trait TargetOptions: Args + Clone + Default + Serialize + DeserializeOwned + JsonSchema {
    /// The kind.
    const KIND: TargetKind;
    /// What the options become.
    type Settings;

    /// Makes relative paths those of a folder: flags are relative to the current folder, keys to that of their file.
    ///
    /// # Errors
    /// The location of an index is none.
    fn rebase(&mut self, folder: &Path) -> Result<(), InvalidLocation>;

    /// Turns the options into settings; `extends` is what the target extends, if it does.
    ///
    /// # Errors
    /// The location of an index is none, `SOURCE_DATE_EPOCH` is no time, or options contradict each other.
    fn settings(self, extends: Option<Box<Settings>>, invocation: &Invocation)
    -> Result<Self::Settings, InvalidOption>;

    /// Returns the options that every kind has.
    fn common(&self) -> &CommonOptions;

    /// Returns the profile that is asked for.
    fn profile(&self) -> ProfileChoice;
}

/// The options that every kind of artifact has.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct CommonOptions {
    /// What is selected from the lock.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) selection: SelectionOptions,
    /// Which files are the application's.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) application: ApplicationOptions,
    /// What becomes of the files of distributions.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) contents: ContentOptions,
    /// How what was built is audited.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) audit: AuditOptions,
    /// How distributions are built.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) build: BuildOptions,
    /// How files of requirements are read.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) requirements: RequirementsOptions,
    /// Where files are fetched from.
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) fetch: FetchOptions,
}

impl CommonOptions {
    fn rebase(&mut self, folder: &Path) -> Result<(), InvalidLocation> {
        for path in self.selection.lock.iter_mut().chain(&mut self.build.wheel_dir) {
            *path = folder.join(&path);
        }
        // Those of flags are relative to the project, wherever it is run.
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        self.application.include.iter_mut().for_each(|include| include.rebase(&absolute));
        self.fetch.rebase(folder)
    }

    fn settings(
        self,
        profile: ProfileChoice,
        extends: Option<Box<Settings>>,
        invocation: &Invocation,
    ) -> Result<Settings, InvalidLocation> {
        Ok(Settings {
            project: invocation.project.clone(),
            target: invocation.target.clone(),
            extends,
            lock_check: self.selection.lock_check(),
            lock: self.selection.lock.clone(),
            request: self.selection.request(),
            requirements: self.requirements.into(),
            profile,
            includes: self.application.include,
            excludes: self.application.exclude,
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

/// Makes the path of a profile that of a folder, unless it is one that is built in.
fn rebase_profile(profile: &mut Option<String>, folder: &Path) {
    if let Some(text) = profile
        && let ProfileChoice::File(file) = values::profile(text)
    {
        *text = folder.join(file).to_string_lossy().into_owned();
    }
}
