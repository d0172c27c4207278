//! The arguments that several subcommands have in common.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};

use super::environment;
use super::error::CliError;
use super::format::OutputFormat;
use crate::options::{Invocation, ProjectConfiguration, ResolvedOptions, TargetOptions};
use crate::settings::CacheChoice;

/// When to colour what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Arguments of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    /// Print one JSON document on standard output: short for --output-format json
    #[arg(long, global = true)]
    pub json: bool,
    /// In which form to print: text, json, or github, which makes errors and warnings annotations of a workflow
    /// [env: PYBUNDLE_OUTPUT_FORMAT] [default: text]
    #[arg(long, global = true, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub output_format: Option<OutputFormat>,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more: every distribution and where it came from
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Show no progress: no bars on a terminal, and no lines elsewhere
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorWhen,
    /// Keep fetched wheels in this folder
    #[arg(long, global = true, env = "PYBUNDLE_CACHE_DIR", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
    /// Keep nothing: use a temporary cache
    #[arg(long, global = true)]
    pub no_cache: bool,
}

impl GlobalArguments {
    /// Returns what is asked for here or there.
    pub fn or(self, other: Self) -> Self {
        Self {
            json: self.json || other.json,
            output_format: self.output_format.or(other.output_format),
            quiet: self.quiet || other.quiet,
            verbose: self.verbose || other.verbose,
            no_progress: self.no_progress || other.no_progress,
            color: if self.color == ColorWhen::Auto { other.color } else { self.color },
            cache_dir: self.cache_dir.or(other.cache_dir),
            no_cache: self.no_cache || other.no_cache,
        }
    }

    /// Returns where fetched wheels are kept.
    ///
    /// # Errors
    /// No folder was named, and the user has no home folder.
    pub fn cache(&self) -> Result<CacheChoice, CliError> {
        if self.no_cache {
            return Ok(CacheChoice::Temporary);
        }
        let folder = self.cache_dir.clone().or_else(environment::cache_folder);
        folder.map(CacheChoice::Folder).ok_or(CliError::NoCacheFolder)
    }

    /// Returns what builds of a project take from where they run.
    ///
    /// # Errors
    /// As [`cache`](Self::cache).
    pub fn invocation(&self, project: &Path) -> Result<Invocation, CliError> {
        let (cache, environment) = (self.cache()?, environment::read());
        Ok(Invocation { project: project.to_owned(), target: None, cache, environment })
    }
}

/// What is built: a project, or one of its targets.
#[derive(Debug, Clone, Args)]
pub struct ProjectArguments {
    /// The project's folder
    #[arg(default_value = ".", value_name = "PROJECT", value_hint = ValueHint::DirPath)]
    pub project: PathBuf,
    /// The target of [tool.pybundle] to build
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
}

impl ProjectArguments {
    /// Reads what the project configures, and what of that and of flags is in force.
    ///
    /// # Errors
    /// The project cannot be read, or its configuration is wrong.
    pub fn resolve<O: TargetOptions>(&self, flags: &O, invocation: &Invocation) -> Result<ResolvedOptions, CliError> {
        let configuration = ProjectConfiguration::read(&self.project, flags.common().selection.package.as_ref())?;
        Ok(configuration.resolve(self.target.as_deref(), flags, &invocation.environment)?)
    }

    /// Reads the settings of a build, by flags and what the project configures.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); or an option is wrong.
    pub fn settings<O: TargetOptions>(&self, flags: &O, global: &GlobalArguments) -> Result<O::Settings, CliError> {
        let invocation = global.invocation(&self.project)?;
        Ok(self.resolve(flags, &invocation)?.settings::<O>(&invocation)?)
    }
}
