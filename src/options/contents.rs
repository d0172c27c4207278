//! What is in an artifact besides what is selected, and how it is audited.

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts::{self, OneOrMany};
use super::values::rules;
use crate::project::application::Include;
use crate::settings::{AuditSettings, ContentSettings};
use crate::trim::SlimRule;

/// Which files are the application's.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Application")]
#[serde(default, rename_all = "kebab-case")]
pub struct ApplicationOptions {
    /// A file or folder of the application, and where it goes [default: its modules and packages, or src/]
    #[arg(long, value_name = "PATH[:DEST]")]
    pub include: Vec<Include>,
    /// Leave out what matches, in the form of .gitignore
    #[arg(long, value_name = "GLOB")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub exclude: Vec<String>,
}

/// What becomes of the files of distributions.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Contents")]
#[serde(default, rename_all = "kebab-case")]
pub struct ContentOptions {
    /// Leave out of dependencies what nothing needs at run time: all of it, or only tests, stubs, headers, sources, docs
    /// or bytecode; of your own files, --exclude decides
    #[arg(
        long, value_name = "RULE,…", value_delimiter = ',', num_args = 0..=1, require_equals = true,
        default_missing_value = "tests,stubs,headers,sources,docs,bytecode"
    )]
    #[serde(with = "rules")]
    #[schemars(with = "rules::SlimValue")]
    pub slim: Vec<SlimRule>,
    /// Drop the debug sections of compiled files
    #[arg(long)]
    pub strip: bool,
    /// Compile sources to bytecode, with an interpreter of the target's version on this machine [default: for images
    /// where there is one]
    #[arg(long, overrides_with = "no_compile_bytecode", num_args = 0, default_missing_value = "true")]
    pub compile_bytecode: Option<bool>,
    /// Compile nothing
    #[arg(long, overrides_with = "compile_bytecode")]
    #[serde(skip)]
    pub no_compile_bytecode: bool,
}

impl ContentOptions {
    pub(super) fn settings(&self) -> ContentSettings {
        let bytecode = if self.no_compile_bytecode { Some(false) } else { self.compile_bytecode };
        ContentSettings { slim: self.slim.iter().copied().collect(), strip: self.strip, bytecode }
    }
}

/// How what was built is audited before it is written.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Audits")]
#[serde(default, rename_all = "kebab-case")]
pub struct AuditOptions {
    /// A module or a shared library that need not be in the artifact, because it is elsewhere at run time
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub allow_missing: Vec<String>,
    /// Do not look for missing modules and shared libraries
    #[arg(long)]
    pub no_audit: bool,
}

impl AuditOptions {
    pub(super) fn settings(self) -> AuditSettings {
        AuditSettings { skip: self.no_audit, allow_missing: self.allow_missing.into_iter().collect() }
    }
}
