//! The option of what machines share.

use std::path::Path;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts;
use crate::settings::{RecordPlace, RecordPolicy, RemoteCacheChoice};

/// What is shared with other machines.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize, JsonSchema)]
#[command(next_help_heading = "Output")]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct RemoteCacheOptions {
    /// Share what is known of wheels with other machines [default: read]
    ///
    /// CACHE is a REPOSITORY, s3://BUCKET/PREFIX, or a directory that begins with `/` or `.`: its records are used, and new
    /// ones are written. `read=CACHE` writes none. `sample=CACHE` writes none either, and compares one layer or wheel, chosen
    /// at random, with its record. `verify=CACHE` builds without records, and compares the result with them. For images,
    /// `read`, `sample` and `verify` alone mean the repository of the image; `auto` uses it and writes to it after a push.
    /// `off` uses no remote cache.
    #[arg(long, value_name = "CACHE", env = "PYBUNDLE_REMOTE_CACHE", hide_short_help = true)]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<String>")]
    remote_cache: Option<RemoteCacheChoice>,
}

impl RemoteCacheOptions {
    /// Makes a relative path relative to a directory.
    pub(super) fn rebase(&mut self, directory: &Path) {
        self.remote_cache = self.remote_cache.take().map(|cache| cache.in_directory(directory));
    }

    pub(super) fn settings(self) -> RemoteCacheChoice {
        self.remote_cache.unwrap_or(RemoteCacheChoice::On(RecordPlace::Own, RecordPolicy::Read))
    }
}
