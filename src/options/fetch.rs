//! Where files of distributions come from, and how distributions are built.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::texts::{self, OneOrMany};
use crate::index::{self, InvalidLocation, Strategy};
use crate::lock::{FormatControl, Packages};
use crate::name::DistributionName;
use crate::settings::FetchSettings;

/// How distributions are built, and whether they are.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Building")]
#[serde(default, rename_all = "kebab-case")]
pub struct BuildOptions {
    /// Build nothing: use wheels only
    #[arg(long)]
    pub no_build: bool,
    /// Use only wheels of a distribution
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub no_build_package: Vec<DistributionName>,
    /// Use no wheels: build every distribution
    #[arg(long, conflicts_with = "no_build")]
    pub no_binary: bool,
    /// Build a distribution, even if it has a wheel
    #[arg(long, value_name = "NAME")]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub no_binary_package: Vec<DistributionName>,
    /// Keep a copy of each wheel that is built in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub wheel_dir: Option<PathBuf>,
}

impl BuildOptions {
    pub(super) fn formats(&self) -> FormatControl {
        FormatControl {
            no_build: Packages::of(self.no_build, self.no_build_package.clone()),
            no_binary: Packages::of(self.no_binary, self.no_binary_package.clone()),
        }
    }
}

/// Where locked files may be fetched from.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Fetching")]
#[serde(default, rename_all = "kebab-case")]
pub struct DownloadOptions {
    /// Download nothing: no wheel, and nothing of a base. A push that is asked for still goes out
    #[arg(long)]
    pub offline: bool,
    /// The index in the place of PyPI; its credentials apply to what is below it
    #[arg(long, visible_alias = "default-index", value_name = "URL")]
    pub index_url: Option<String>,
    /// Another index, asked before that one
    #[arg(long, visible_alias = "index", value_name = "URL", action = ArgAction::Append)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub extra_index_url: Vec<String>,
    /// Ask no index
    #[arg(long)]
    pub no_index: bool,
    /// A folder with files, preferred to the lock's addresses, or a page with links to files
    #[arg(long, value_name = "DIR|URL", value_hint = ValueHint::DirPath)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub find_links: Vec<String>,
    /// Which of several indexes decides: first-index, unsafe-first-match or unsafe-best-match
    #[arg(long, value_name = "STRATEGY")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub index_strategy: Option<Strategy>,
    /// Pass over files of an index that were uploaded after a date, a time, or a duration ago
    #[arg(long, value_name = "DATE")]
    pub exclude_newer: Option<String>,
    /// Ask the `keyring` command for passwords
    #[arg(long, value_name = "PROVIDER", value_parser = ["disabled", "subprocess"])]
    pub keyring_provider: Option<String>,
}

impl DownloadOptions {
    /// Turns the options into settings. Locations are read here and not in the parser of arguments, whose message would
    /// show a password.
    pub(super) fn settings(self) -> Result<FetchSettings, InvalidLocation> {
        let parse = |texts: Vec<String>| -> Result<Vec<Url>, InvalidLocation> {
            texts.iter().map(|text| index::location(text, Path::new("."))).collect()
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

    /// Makes relative paths those of a folder.
    pub(super) fn rebase(&mut self, folder: &Path) -> Result<(), InvalidLocation> {
        for text in self.index_url.iter_mut().chain(&mut self.extra_index_url).chain(&mut self.find_links) {
            let location = index::location(text, folder)?;
            if !text.contains("://") {
                *text = location.to_string();
            }
        }
        Ok(())
    }
}
