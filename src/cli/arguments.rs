//! The arguments that several subcommands have in common, and the settings that they become.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use url::Url;

use super::environment;
use super::error::CliError;
use super::format::OutputFormat;
use crate::index::{self, Strategy};
use crate::lock::{FormatControl, Packages, Request};
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::project::application::Include;
use crate::settings::{
    AuditSettings, CacheChoice, ContentSettings, FetchSettings, LockCheck, ProfileChoice, RegistrySettings,
    RequirementsSettings, Settings,
};
use crate::trim::SlimRule;

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
}

/// What is selected from the lock.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArguments {
    /// The lock file [default: uv.lock, pylock.toml, poetry.lock or requirements.txt of the project or its workspace]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    lock: Option<PathBuf>,
    /// Refuse a lock that does not match pyproject.toml (the default)
    #[arg(long, conflicts_with = "frozen")]
    locked: bool,
    /// Take the lock as it is, without comparing it with pyproject.toml
    #[arg(long)]
    frozen: bool,
    /// The workspace member to bundle
    #[arg(long, value_name = "NAME")]
    package: Option<DistributionName>,
    /// Include an extra
    #[arg(long, value_name = "NAME", conflicts_with = "all_extras")]
    extra: Vec<ExtraName>,
    /// Include every extra
    #[arg(long)]
    all_extras: bool,
    /// Include a dependency group
    #[arg(long, value_name = "NAME")]
    group: Vec<GroupName>,
    /// Bundle a dependency group alone, without the project
    #[arg(long, value_name = "NAME", conflicts_with_all = ["group", "extra", "all_extras"])]
    only_group: Vec<GroupName>,
    /// Leave out the default groups of a pylock.toml; of other locks no group is bundled unless it is named
    #[arg(long)]
    no_default_groups: bool,
    /// Leave out the group `dev`, even if it is named
    #[arg(long)]
    no_dev: bool,
    /// Leave the project itself out
    #[arg(long)]
    no_install_project: bool,
    /// Leave every workspace member out
    #[arg(long)]
    no_install_workspace: bool,
    /// Leave a distribution out, but not what it depends on
    #[arg(long, value_name = "NAME")]
    no_install_package: Vec<DistributionName>,
}

/// How distributions are built, and whether they are.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Building")]
pub struct BuildArguments {
    /// Build nothing: use wheels only
    #[arg(long)]
    no_build: bool,
    /// Use only wheels of a distribution
    #[arg(long, value_name = "NAME")]
    no_build_package: Vec<DistributionName>,
    /// Use no wheels: build every distribution
    #[arg(long, conflicts_with = "no_build")]
    no_binary: bool,
    /// Build a distribution, even if it has a wheel
    #[arg(long, value_name = "NAME")]
    no_binary_package: Vec<DistributionName>,
    /// Keep a copy of each wheel that is built in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    wheel_dir: Option<PathBuf>,
}

impl BuildArguments {
    fn formats(&self) -> FormatControl {
        FormatControl {
            no_build: Packages::of(self.no_build, self.no_build_package.clone()),
            no_binary: Packages::of(self.no_binary, self.no_binary_package.clone()),
        }
    }
}

/// How files of requirements are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Requirements")]
pub struct RequirementsArguments {
    /// Have uv pin for the target what a file of requirements leaves open
    #[arg(long)]
    resolve: bool,
    /// Refuse requirements without a hash
    #[arg(long)]
    require_hashes: bool,
    /// Take requirements as they are, even if they lack what their distributions require
    #[arg(long, conflicts_with = "resolve")]
    no_deps: bool,
}

/// Which files are the application's.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Application")]
pub struct ApplicationArguments {
    /// A file or folder of the application, and where it goes [default: its modules and packages, or src/]
    #[arg(long, value_name = "PATH[:DEST]")]
    include: Vec<Include>,
    /// Leave out what matches, in the form of .gitignore
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

/// What becomes of the files of distributions.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Contents")]
pub struct ContentArguments {
    /// Leave out of dependencies what nothing needs at run time: all of it, or only tests, stubs, headers, sources, docs
    /// or bytecode; of your own files, --exclude decides
    #[arg(
        long, value_name = "RULE,…", value_delimiter = ',', num_args = 0..=1, require_equals = true,
        default_missing_value = "tests,stubs,headers,sources,docs,bytecode"
    )]
    slim: Vec<SlimRule>,
    /// Drop the debug sections of compiled files
    #[arg(long)]
    strip: bool,
    /// Compile sources to bytecode, with an interpreter of the target's version on this machine [default: for images
    /// where there is one]
    #[arg(long, overrides_with = "no_compile_bytecode")]
    compile_bytecode: bool,
    /// Compile nothing
    #[arg(long, overrides_with = "compile_bytecode")]
    no_compile_bytecode: bool,
}

impl ContentArguments {
    fn settings(&self) -> ContentSettings {
        let bytecode = (self.compile_bytecode || self.no_compile_bytecode).then_some(self.compile_bytecode);
        ContentSettings { slim: self.slim.iter().copied().collect(), strip: self.strip, bytecode }
    }
}

/// How what was built is audited before it is written.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Audits")]
pub struct AuditArguments {
    /// A module or a shared library that need not be in the artifact, because it is elsewhere at run time
    #[arg(long, value_name = "NAME")]
    allow_missing: Vec<String>,
    /// Do not look for missing modules and shared libraries
    #[arg(long)]
    no_audit: bool,
}

impl AuditArguments {
    fn settings(self) -> AuditSettings {
        AuditSettings { skip: self.no_audit, allow_missing: self.allow_missing.into_iter().collect() }
    }
}

/// Where locked files may be fetched from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Fetching")]
pub struct FetchArguments {
    /// Download nothing: no wheel, and nothing of a base. A push that is asked for still goes out
    #[arg(long)]
    offline: bool,
    /// The index in the place of PyPI; its credentials apply to what is below it
    #[arg(long, visible_alias = "default-index", value_name = "URL")]
    index_url: Option<String>,
    /// Another index, asked before that one
    #[arg(long, visible_alias = "index", value_name = "URL", action = ArgAction::Append)]
    extra_index_url: Vec<String>,
    /// Ask no index
    #[arg(long)]
    no_index: bool,
    /// A folder with files, preferred to the lock's addresses, or a page with links to files
    #[arg(long, value_name = "DIR|URL", value_hint = ValueHint::DirPath)]
    find_links: Vec<String>,
    /// Which of several indexes decides: first-index, unsafe-first-match or unsafe-best-match
    #[arg(long, value_name = "STRATEGY")]
    index_strategy: Option<Strategy>,
    /// Pass over files of an index that were uploaded after a date, a time, or a duration ago
    #[arg(long, value_name = "DATE")]
    exclude_newer: Option<String>,
    /// Ask the `keyring` command for passwords
    #[arg(long, value_name = "PROVIDER", value_parser = ["disabled", "subprocess"])]
    keyring_provider: Option<String>,
}

impl FetchArguments {
    /// Turns the arguments into settings. Locations are read here and not in the parser of arguments, whose message would
    /// show a password.
    fn settings(self) -> Result<FetchSettings, CliError> {
        let parse = |texts: Vec<String>| -> Result<Vec<Url>, CliError> {
            let parsed = texts.iter().map(|text| index::location(text, Path::new(".")));
            Ok(parsed.collect::<Result<_, _>>()?)
        };
        Ok(FetchSettings {
            offline: self.offline,
            default_index: parse(self.index_url.into_iter().collect())?.pop(),
            extra_indexes: parse(self.extra_index_url)?,
            no_index: self.no_index,
            find_links: parse(self.find_links)?,
            strategy: self.index_strategy,
            exclude_newer: self.exclude_newer,
            keyring_provider: self.keyring_provider,
        })
    }
}

/// How registries are talked to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Registry")]
pub struct RegistryArguments {
    /// A host to speak plain HTTP to; this machine needs no flag
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    /// Create the repository if it is missing (Amazon ECR)
    #[arg(long)]
    create_repo: bool,
}

impl RegistryArguments {
    /// Turns the arguments into settings.
    pub fn settings(self) -> RegistrySettings {
        RegistrySettings { insecure: self.insecure_registry, create_repositories: self.create_repo }
    }
}

/// Returns the profile that a text names: a file by its ending or a slash, else one that is built in.
pub fn profile(text: &str) -> ProfileChoice {
    if text.ends_with(".toml") || text.contains('/') {
        ProfileChoice::File(text.into())
    } else {
        ProfileChoice::BuiltIn(text.to_owned())
    }
}

/// The arguments of every command that selects from a lock.
#[derive(Debug, Clone, Args)]
pub struct CommonArguments {
    /// The project's folder
    #[arg(default_value = ".", value_name = "PROJECT", value_hint = ValueHint::DirPath)]
    project: PathBuf,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    application: ApplicationArguments,
    #[command(flatten)]
    contents: ContentArguments,
    #[command(flatten)]
    audit: AuditArguments,
    #[command(flatten)]
    build: BuildArguments,
    #[command(flatten)]
    requirements: RequirementsArguments,
    #[command(flatten)]
    fetch: FetchArguments,
}

impl CommonArguments {
    /// Turns the arguments into settings.
    ///
    /// # Errors
    /// No cache folder is known, or an index is not a URL.
    pub fn settings(self, profile: ProfileChoice, global: &GlobalArguments) -> Result<Settings, CliError> {
        let selection = self.selection;
        let mut request = Request {
            package: selection.package,
            extras: selection.extra.into_iter().collect(),
            all_extras: selection.all_extras,
            groups: selection.group.into_iter().collect(),
            only_groups: selection.only_group.into_iter().collect(),
            no_default_groups: selection.no_default_groups,
            no_install_project: selection.no_install_project,
            no_install_workspace: selection.no_install_workspace,
            no_install_packages: selection.no_install_package.into_iter().collect(),
        };
        if selection.no_dev {
            request.groups.retain(|group| group.as_str() != "dev");
        }
        Ok(Settings {
            project: self.project,
            lock: selection.lock,
            lock_check: if selection.frozen { LockCheck::Frozen } else { LockCheck::Locked },
            request,
            requirements: RequirementsSettings {
                resolve: self.requirements.resolve,
                require_hashes: self.requirements.require_hashes,
                no_deps: self.requirements.no_deps,
            },
            profile,
            includes: self.application.include,
            excludes: self.application.exclude,
            contents: self.contents.settings(),
            audit: self.audit.settings(),
            formats: self.build.formats(),
            fetch: self.fetch.settings()?,
            wheel_dir: self.build.wheel_dir,
            cache: global.cache()?,
            environment: environment::read(),
        })
    }
}
