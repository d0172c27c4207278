//! Arguments that several subcommands share.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};

use super::environment;
use super::error::CliError;
use super::format::OutputFormat;
use crate::options::{Invocation, ProjectConfiguration, ResolvedOptions, TargetOptions};
use crate::pipeline::ProjectCache;
use crate::settings::{CacheChoice, ConfiguredFiles, Environment};
use crate::silence::NetworkTimeout;

/// When to color what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless an environment variable decides
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Arguments of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArguments {
    /// Print the result as one JSON document (same as --output-format json)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Choose the format of the output [default: text] [env: PYBUNDLE_OUTPUT_FORMAT]
    ///
    /// One of text, json, github, gitlab and terraform. With github, errors and warnings are annotations of a GitHub workflow.
    /// With gitlab, standard output is a code quality report of GitLab, and everything else goes to standard error. With
    /// terraform, `lambda`, `image` and `build` print the paths and digests that `data "external"` reads.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", hide_possible_values = true, hide_short_help = true)]
    pub(crate) output_format: Option<OutputFormat>,
    /// Print errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more, such as every distribution and layer
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Hide progress bars, and lines about long steps
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) no_progress: bool,
    /// Control the use of color in output
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", hide_short_help = true)]
    pub(crate) color: ColorWhen,
    /// Use this cache directory [default: ~/.cache/pybundle]
    ///
    /// Wheels that were downloaded or built, and what is derived from them, are kept here. By default, the cache is in the
    /// directory pybundle of XDG_CACHE_HOME or of ~/.cache.
    #[arg(
        long, global = true, env = "PYBUNDLE_CACHE_DIR", hide_env_values = true, value_name = "DIR",
        value_hint = ValueHint::DirPath, hide_short_help = true
    )]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Give up on a server that does not answer for this long [default: 120]
    ///
    /// This is the time for all attempts together. It applies to indexes, downloads and registries; a transfer that makes
    /// progress has no limit.
    #[arg(
        long,
        global = true,
        env = "PYBUNDLE_NETWORK_TIMEOUT",
        hide_env_values = true,
        value_name = "SECONDS",
        hide_short_help = true
    )]
    pub(crate) network_timeout: Option<NetworkTimeout>,
    /// Use a temporary cache, and remove it at the end
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) no_cache: bool,
}

impl GlobalArguments {
    /// Combines these arguments with others. These take precedence.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            json: self.json || other.json,
            output_format: self.output_format.or(other.output_format),
            quiet: self.quiet || other.quiet,
            verbose: self.verbose || other.verbose,
            no_progress: self.no_progress || other.no_progress,
            color: if self.color == ColorWhen::Auto { other.color } else { self.color },
            cache_dir: self.cache_dir.or(other.cache_dir),
            network_timeout: self.network_timeout.or(other.network_timeout),
            no_cache: self.no_cache || other.no_cache,
        }
    }

    /// Returns the cache to use.
    ///
    /// # Errors
    /// No directory is named, and the home directory is unknown.
    pub(crate) fn cache(&self) -> Result<CacheChoice, CliError> {
        if self.no_cache {
            return Ok(CacheChoice::Temporary);
        }
        let directory = self.cache_dir.clone().or_else(environment::cache_directory);
        directory.map(CacheChoice::Directory).ok_or(CliError::NoCacheDirectory)
    }

    /// Reads the environment, except for what these arguments replace.
    pub(crate) fn environment(&self) -> Environment {
        Environment { network_timeout: self.network_timeout.unwrap_or_default(), ..environment::read() }
    }

    /// Returns how the command was called for a project.
    ///
    /// # Errors
    /// As [`cache`](Self::cache).
    pub(crate) fn invocation(&self, project: &Path) -> Result<Invocation, CliError> {
        let (cache, environment) = (self.cache()?, self.environment());
        Ok(Invocation {
            project: project.to_owned(),
            target: None,
            configured: ConfiguredFiles::default(),
            apt_flags: Vec::new(),
            cache,
            environment,
        })
    }
}

/// The project, and its target.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProjectArguments {
    /// Directory of the project, script with inline metadata, or name of a target
    #[arg(default_value = ".", value_name = "PROJECT", value_hint = ValueHint::DirPath)]
    pub(crate) project: PathBuf,
    /// Build this target of [tool.pybundle]
    #[arg(long, value_name = "NAME", display_order = 60)]
    pub(crate) target: Option<String>,
}

impl ProjectArguments {
    /// Reads the configuration of the project, and combines it with flags.
    ///
    /// # Errors
    /// The project cannot be read, or its configuration is invalid.
    pub(crate) fn resolve<O: TargetOptions>(
        &self,
        flags: &O,
        invocation: &Invocation,
        projects: &ProjectCache,
    ) -> Result<ResolvedOptions, CliError> {
        let package = flags.common().selection.package.as_ref();
        let configuration = ProjectConfiguration::read(&self.project, package, projects.workspaces())?;
        Ok(configuration.resolve(self.target.as_deref(), flags, &invocation.environment)?)
    }

    /// Reads the settings of a build from flags and the configuration of the project, and returns them with a warning.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), or an option is invalid.
    pub(crate) fn settings<O: TargetOptions>(
        self,
        flags: &O,
        global: &GlobalArguments,
        projects: &ProjectCache,
    ) -> Result<(O::Settings, Option<String>), CliError> {
        let located = self.locate(flags.common().selection.package.as_ref(), projects)?;
        let (located, warning) = located.with_only_target(flags, projects, O::KIND.name())?;
        let invocation = global.invocation(&located.project)?;
        Ok((located.resolve(flags, &invocation, projects)?.settings::<O>(&invocation)?, warning))
    }
}
