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
    /// CACHE is where it is read and written: a REPOSITORY, s3://BUCKET/PREFIX, or a directory, which begins with `/` or `.`.
    /// `read=` or `verify=` before it only reads, or compares with what is found out here; `sample=` reads, and then compares
    /// one layer or wheel, chosen at random. For images, it may also be `read`, `auto`, `sample` or `verify` alone: that is the
    /// repository of the image itself, to which `auto` writes after a push. `off` is none.
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
