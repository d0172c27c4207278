//! Options of what is selected from a lock, and of requirements files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts::{self, OneOrMany, OneOrManyStrings};
use crate::lock::SelectionRequest;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::settings::{LockCheck, RequirementsSettings};

/// The lock, and what is selected from it.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Selection")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct SelectionOptions {
    /// Read this lock file [default: uv.lock, pylock.toml, poetry.lock, …]
    ///
    /// Without this option, the first of uv.lock, pylock.toml, poetry.lock, pdm.lock, Pipfile.lock and requirements.txt in the project or its
    /// workspace is read. Several requirements files are read like one that includes them all.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, action = ArgAction::Append)]
    #[serde(with = "texts::paths")]
    #[schemars(with = "OneOrManyStrings")]
    pub(crate) lock: Vec<PathBuf>,
    /// Require the lock to match pyproject.toml (the default)
    #[arg(long, conflicts_with = "frozen", hide_short_help = true)]
    pub(crate) locked: bool,
    /// Use the lock without checking it against pyproject.toml
    #[arg(long)]
    pub(crate) frozen: bool,
    /// Bundle this workspace member
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) package: Option<DistributionName>,
    /// Include the dependencies of this extra
    #[arg(long, value_name = "NAME", conflicts_with = "all_extras")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) extra: Vec<ExtraName>,
    /// Include the dependencies of every extra
    #[arg(long, hide_short_help = true)]
    pub(crate) all_extras: bool,
    /// Include this dependency group
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) group: Vec<GroupName>,
    /// Include only this dependency group, without the project
    #[arg(
        long, value_name = "NAME", conflicts_with_all = ["group", "extra", "all_extras"], hide_short_help = true
    )]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) only_group: Vec<GroupName>,
    /// Exclude the default groups of a pylock.toml
    ///
    /// Groups of other locks are only included if --group names them.
    #[arg(long, hide_short_help = true)]
    pub(crate) no_default_groups: bool,
    /// Exclude the `dev` group, even if --group names it
    #[arg(long, hide_short_help = true)]
    pub(crate) no_dev: bool,
    /// Exclude the project itself, but not its dependencies
    #[arg(long, hide_short_help = true)]
    pub(crate) no_install_project: bool,
    /// Exclude all workspace members, but not their dependencies
    #[arg(long, hide_short_help = true)]
    pub(crate) no_install_workspace: bool,
    /// Exclude this distribution, but not its dependencies
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) no_install_package: Vec<DistributionName>,
}

impl SelectionOptions {
    pub(super) fn lock_check(&self) -> LockCheck {
        if self.frozen { LockCheck::Frozen } else { LockCheck::Locked }
    }

    pub(super) fn request(self) -> SelectionRequest {
        let mut request = SelectionRequest {
            package: self.package,
            extras: self.extra.into_iter().collect(),
            all_extras: self.all_extras,
            groups: self.group.into_iter().collect(),
            excluded_groups: BTreeSet::new(),
            only_groups: self.only_group.into_iter().collect(),
            no_default_groups: self.no_default_groups,
            no_install_project: self.no_install_project,
            no_install_workspace: self.no_install_workspace,
            no_install_packages: self.no_install_package.into_iter().collect(),
            distributions: BTreeSet::new(),
        };
        if self.no_dev {
            request.groups.retain(|group| group.as_str() != "dev");
            request.excluded_groups.extend("dev".parse::<GroupName>());
        }
        request
    }
}

/// How requirements files are read.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Requirements")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct RequirementsOptions {
    /// Let uv pin what is not locked
    ///
    /// If the project has no lock, a build writes the one that uv makes: uv.lock for a pyproject.toml, SCRIPT.py.lock for a
    /// script, and requirements.txt for requirements.in, setup.py and setup.cfg. Commit it. No existing file is changed.
    #[arg(long, hide_short_help = true)]
    pub(crate) resolve: bool,
    /// Require a hash for every entry of a requirements file
    #[arg(long, hide_short_help = true)]
    pub(crate) require_hashes: bool,
    /// Do not require a requirements file to list all dependencies
    #[arg(long, conflicts_with = "resolve", hide_short_help = true)]
    pub(crate) no_deps: bool,
}

impl From<RequirementsOptions> for RequirementsSettings {
    fn from(options: RequirementsOptions) -> Self {
        let RequirementsOptions { resolve, require_hashes, no_deps } = options;
        Self { resolve, require_hashes, no_deps }
    }
}
