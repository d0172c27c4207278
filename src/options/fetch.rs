//! Options of indexes, downloads and builds of distributions.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueHint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::texts::{self, OneOrMany};
use crate::index::{self, IndexStrategy, InvalidIndexUrl};
use crate::lock::{DistributionSet, FormatControl};
use crate::name::DistributionName;
use crate::settings::FetchSettings;

/// Whether and how distributions are built.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Building")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct BuildOptions {
    /// Do not build distributions; use wheels only
    #[arg(long, hide_short_help = true)]
    pub(crate) no_build: bool,
    /// Do not build this distribution; use its wheels only
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) no_build_package: Vec<DistributionName>,
    /// Do not use wheels; build every distribution
    #[arg(long, conflicts_with = "no_build", hide_short_help = true)]
    pub(crate) no_binary: bool,
    /// Do not use wheels of this distribution; build it
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) no_binary_package: Vec<DistributionName>,
    /// Keep a copy of each wheel that is built in this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, hide_short_help = true)]
    pub(crate) wheel_dir: Option<PathBuf>,
}

impl BuildOptions {
    pub(super) fn formats(&self) -> FormatControl {
        FormatControl {
            no_build: DistributionSet::from_flags(self.no_build, self.no_build_package.clone()),
            no_binary: DistributionSet::from_flags(self.no_binary, self.no_binary_package.clone()),
            ..FormatControl::default()
        }
    }
}

/// Indexes, and how they are searched.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Fetching")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct FetchOptions {
    /// Do not download anything: use cached files only
    ///
    /// An image is still pushed if --push is given.
    #[arg(long, hide_short_help = true)]
    pub(crate) offline: bool,
    /// Use this index by default [default: PyPI] [env: UV_DEFAULT_INDEX]
    ///
    /// UV_INDEX_URL is read as well. The credentials of the URL apply to every URL below it.
    #[arg(long, visible_alias = "default-index", value_name = "URL")]
    pub(crate) index_url: Option<String>,
    /// Search this index before the default one [env: UV_INDEX]
    ///
    /// UV_EXTRA_INDEX_URL is read as well.
    #[arg(
        long, visible_alias = "index", value_name = "URL", action = ArgAction::Append, hide_short_help = true
    )]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) extra_index_url: Vec<String>,
    /// Ignore all package indexes
    #[arg(long, hide_short_help = true)]
    pub(crate) no_index: bool,
    /// Search this directory or HTML page for files [env: UV_FIND_LINKS]
    ///
    /// Files in a directory are preferred to the URLs in the lock.
    #[arg(long, value_name = "DIR|URL", value_hint = ValueHint::DirPath, hide_short_help = true)]
    #[serde(with = "texts::many")]
    #[schemars(with = "OneOrMany")]
    pub(crate) find_links: Vec<String>,
    /// Choose how several indexes are searched [env: UV_INDEX_STRATEGY]
    ///
    /// STRATEGY is first-index, unsafe-first-match or unsafe-best-match, as for uv [default: first-index].
    #[arg(long, value_name = "STRATEGY", hide_short_help = true)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    pub(crate) index_strategy: Option<IndexStrategy>,
    /// Ignore files that were uploaded after this date [env: UV_EXCLUDE_NEWER]
    ///
    /// DATE is a date, a time, or a duration before now.
    #[arg(long, value_name = "DATE", hide_short_help = true)]
    pub(crate) exclude_newer: Option<String>,
    /// Get passwords from the `keyring` command [env: UV_KEYRING_PROVIDER]
    ///
    /// [default: disabled]
    #[arg(long, value_name = "PROVIDER", value_parser = ["disabled", "subprocess"], hide_short_help = true)]
    pub(crate) keyring_provider: Option<String>,
}

impl FetchOptions {
    /// Turns the options into settings. Locations are parsed here and not by clap, whose message would show a password.
    pub(super) fn settings(self) -> Result<FetchSettings, InvalidIndexUrl> {
        Ok(FetchSettings {
            offline: self.offline,
            default_index: locations(self.index_url)?.pop(),
            extra_indexes: locations(self.extra_index_url)?,
            no_index: self.no_index,
            find_links: locations(self.find_links)?,
            strategy: self.index_strategy,
            exclude_newer: self.exclude_newer,
            keyring_provider: self.keyring_provider,
        })
    }

    /// Makes relative paths relative to a directory.
    pub(super) fn rebase(&mut self, directory: &Path) -> Result<(), InvalidIndexUrl> {
        for text in self.index_url.iter_mut().chain(&mut self.extra_index_url).chain(&mut self.find_links) {
            let location = index::location(text, directory)?;
            if !text.contains("://") {
                *text = location.to_string();
            }
        }
        Ok(())
    }
}

/// Parses locations relative to the current directory.
fn locations(texts: impl IntoIterator<Item = String>) -> Result<Vec<Url>, InvalidIndexUrl> {
    texts.into_iter().map(|text| index::location(&text, Path::new("."))).collect()
}
