//! How functions are run on this machine.

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::texts;
use crate::lambda::configuration::{FunctionMemory, FunctionTimeout};
use crate::settings::RunSettings;

/// The limits of a function, which `pybundle run` applies.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct RunOptions {
    /// Stop an invocation that takes longer, in seconds [default: 3]
    #[arg(long, value_name = "SECONDS")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<texts::StringOrNumber>")]
    pub(crate) timeout: Option<FunctionTimeout>,
    /// Stop a function that uses more memory, in MB [default: warn above 128]
    ///
    /// The memory of each process is measured, which only Linux supports.
    #[arg(long, value_name = "MB")]
    #[serde(with = "texts::one")]
    #[schemars(with = "Option<texts::StringOrNumber>")]
    pub(crate) memory: Option<FunctionMemory>,
}

impl RunOptions {
    pub(crate) fn settings(self) -> RunSettings {
        let Self { timeout, memory } = self;
        RunSettings { timeout, memory }
    }
}
