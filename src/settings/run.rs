//! How functions are run on this machine.

use crate::lambda::configuration::{FunctionMemory, FunctionTimeout};

/// The configuration of a function that `pybundle run` applies.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunSettings {
    pub(crate) timeout: Option<FunctionTimeout>,
    pub(crate) memory: Option<FunctionMemory>,
}
