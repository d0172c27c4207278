//! Options of the application's files, of what is installed of distributions, and of audits.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts::{self, OneOrMany};
use super::values::{CommandArguments, rules};
use crate::name::DistributionName;
use crate::project::application::Include;
use crate::settings::{AuditSettings, ContentSettings, SizeLimit};
use crate::trim::{FilePattern, SlimRule};

/// The application's files.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Application")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct ApplicationOptions {
    /// Use this script as the application, with the dependencies of its inline metadata (PEP 723) and the lock beside it. On
    /// the command line, pass it instead of the project's directory.
    #[arg(skip)]
    pub(crate) script: Option<PathBuf>,
    /// Include exactly these application files [default: all but development files]
    ///
    /// PATH is a file or a directory, DEST where it goes in the artifact. Paths on the command line are relative to the
    /// project.
    #[arg(long, value_name = "PATH[:DEST]")]
    pub(crate) include: Vec<Include>,
    /// Exclude application files that match a .gitignore pattern
    ///
    /// A pattern that begins with `!` includes files that are excluded by default.
    #[arg(long, value_name = "GLOB")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) exclude: Vec<String>,
    /// Run this command in the project's directory before its files are collected
    ///
    /// COMMAND is a command line, which is not passed to a shell, or a JSON array. With --no-build it is an error. In
    /// pyproject.toml, it is an array of commands.
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true, hide_short_help = true)]
    pub(crate) prepare: Vec<CommandArguments>,
}

/// How the files of distributions are installed.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Contents")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct ContentOptions {
    /// Omit files of dependencies that are not needed at run time
    ///
    /// RULE is tests, stubs, headers, sources, docs or bytecode [default: all of these], or services, discovery or locales,
    /// which omit the models of botocore's services, the discovery documents of Google's APIs and the locales of Babel that the
    /// code does not name. Application files are not affected: use --exclude.
    #[arg(
        long, value_name = "RULE,…", value_delimiter = ',', num_args = 0..=1, require_equals = true,
        default_missing_value = "tests,stubs,headers,sources,docs,bytecode"
    )]
    #[serde(with = "rules")]
    #[schemars(with = "rules::SlimValue")]
    pub(crate) slim: Vec<SlimRule>,
    /// Keep the models of these services, too, with --slim=services
    ///
    /// NAME is the name of a client of botocore, such as s3. A name that the code computes is an error without this list.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) services: Vec<String>,
    /// Keep these discovery documents, too, with --slim=discovery
    ///
    /// NAME is an API of Google with its version, such as drive.v3, or without it for all versions. A name that the code
    /// computes is an error without this list.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) discovery: Vec<String>,
    /// Keep these locales, too, with --slim=locales
    ///
    /// NAME is a locale such as de or pt_BR, which stands for all locales of its language. A name that the code computes is an
    /// error without this list.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) locales: Vec<String>,
    /// Omit files of dependencies that match a pattern
    ///
    /// GLOB is a path below site-packages, such as `**/tests/**`: `*` matches within a directory, `**` across directories.
    #[arg(long, value_name = "GLOB", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) exclude_dependency_files: Vec<FilePattern>,
    /// Install the files of this distribution where others have the same paths
    ///
    /// Two distributions with different code at the same path are an error otherwise. Of tests, documents and stubs, those
    /// of the first distribution by name are installed, with a warning.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) prefer: Vec<DistributionName>,
    /// Strip debug sections from compiled files
    #[arg(long, hide_short_help = true)]
    pub(crate) strip: bool,
    /// Install the wheel of this distribution although it breaks the specification
    ///
    /// This accepts what pip and uv do not check: the digests, sizes and paths in RECORD, and symbolic links, which become
    /// files with the content of their entries. The summary and the report list what is wrong.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) accept_invalid: Vec<DistributionName>,
    /// Compile sources to bytecode [default: for images, if possible]
    ///
    /// This needs an interpreter of the target's Python version on this machine.
    #[arg(
        long,
        overrides_with = "no_compile_bytecode",
        num_args = 0,
        default_missing_value = "true",
        hide_short_help = true
    )]
    pub(crate) compile_bytecode: Option<bool>,
    /// Do not compile sources to bytecode
    #[arg(long, overrides_with = "compile_bytecode", hide_short_help = true)]
    #[serde(skip)]
    pub(crate) no_compile_bytecode: bool,
}

impl ContentOptions {
    pub(super) fn settings(&self) -> ContentSettings {
        let bytecode = if self.no_compile_bytecode { Some(false) } else { self.compile_bytecode };
        let listed = [
            (SlimRule::Services, &self.services),
            (SlimRule::Discovery, &self.discovery),
            (SlimRule::Locales, &self.locales),
        ];
        ContentSettings {
            slim: self.slim.iter().copied().collect(),
            listed: listed
                .into_iter()
                .filter(|(_, names)| !names.is_empty())
                .map(|(rule, names)| (rule, names.iter().cloned().collect()))
                .collect(),
            strip: self.strip,
            prefer: self.prefer.clone(),
            excluded_files: self.exclude_dependency_files.clone(),
            accept_invalid: self.accept_invalid.iter().cloned().collect(),
            bytecode,
        }
    }
}

/// How an artifact is audited before it is written.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Audits")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct AuditOptions {
    /// Allow this module, shared library or data file to be missing from the artifact
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) allow_missing: Vec<String>,
    /// Do not check for missing modules, shared libraries and data files
    #[arg(long, hide_short_help = true)]
    pub(crate) no_audit: bool,
    /// Fail if the artifact is larger than this, such as 60 MiB
    ///
    /// The size is that of the zips of a function together, or of the layers of an image for one platform, with its base.
    #[arg(long, value_name = "SIZE", hide_short_help = true)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<texts::StringOrNumber>")]
    pub(crate) max_size: Option<SizeLimit>,
}

impl AuditOptions {
    pub(super) fn settings(self) -> AuditSettings {
        let allow_missing = self.allow_missing.into_iter().collect();
        AuditSettings { skip: self.no_audit, allow_missing, max_size: self.max_size }
    }
}
