//! What is selected from a lock.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts::{self, OneOrMany};
use crate::lock::Request;
use crate::name::{DistributionName, ExtraName, GroupName};
use crate::settings::{LockCheck, RequirementsSettings};

/// What is selected from the lock.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Selection")]
#[serde(default, rename_all = "kebab-case")]
pub struct SelectionOptions {
    /// The lock file [default: uv.lock, pylock.toml, poetry.lock or requirements.txt of the project or its workspace]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub lock: Option<PathBuf>,
    /// Refuse a lock that does not match pyproject.toml (the default)
    #[arg(long, conflicts_with = "frozen")]
    pub locked: bool,
    /// Take the lock as it is, without comparing it with pyproject.toml
    #[arg(long)]
    pub frozen: bool,
    /// The workspace member to bundle
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub package: Option<DistributionName>,
    /// Include an extra
    #[arg(long, value_name = "NAME", conflicts_with = "all_extras")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub extra: Vec<ExtraName>,
    /// Include every extra
    #[arg(long)]
    pub all_extras: bool,
    /// Include a dependency group
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub group: Vec<GroupName>,
    /// Bundle a dependency group alone, without the project
    #[arg(long, value_name = "NAME", conflicts_with_all = ["group", "extra", "all_extras"])]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub only_group: Vec<GroupName>,
    /// Leave out the default groups of a pylock.toml; of other locks no group is bundled unless it is named
    #[arg(long)]
    pub no_default_groups: bool,
    /// Leave out the group `dev`, even if it is named
    #[arg(long)]
    pub no_dev: bool,
    /// Leave the project itself out
    #[arg(long)]
    pub no_install_project: bool,
    /// Leave every workspace member out
    #[arg(long)]
    pub no_install_workspace: bool,
    /// Leave a distribution out, but not what it depends on
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub no_install_package: Vec<DistributionName>,
}

impl SelectionOptions {
    pub(super) fn lock_check(&self) -> LockCheck {
        if self.frozen { LockCheck::Frozen } else { LockCheck::Locked }
    }

    pub(super) fn request(self) -> Request {
        let mut request = Request {
            package: self.package,
            extras: self.extra.into_iter().collect(),
            all_extras: self.all_extras,
            groups: self.group.into_iter().collect(),
            only_groups: self.only_group.into_iter().collect(),
            no_default_groups: self.no_default_groups,
            no_install_project: self.no_install_project,
            no_install_workspace: self.no_install_workspace,
            no_install_packages: self.no_install_package.into_iter().collect(),
        };
        if self.no_dev {
            request.groups.retain(|group| group.as_str() != "dev");
        }
        request
    }
}

/// How files of requirements are read.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Requirements")]
#[serde(default, rename_all = "kebab-case")]
pub struct RequirementsOptions {
    /// Have uv pin for the target what a file of requirements leaves open
    #[arg(long)]
    pub resolve: bool,
    /// Refuse requirements without a hash
    #[arg(long)]
    pub require_hashes: bool,
    /// Take requirements as they are, even if they lack what their distributions require
    #[arg(long, conflicts_with = "resolve")]
    pub no_deps: bool,
}

impl From<RequirementsOptions> for RequirementsSettings {
    fn from(options: RequirementsOptions) -> Self {
        let RequirementsOptions { resolve, require_hashes, no_deps } = options;
        Self { resolve, require_hashes, no_deps }
    }
}
