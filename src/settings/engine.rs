//! The container engine.

use crate::engine::EngineKind;

/// Which container engine an image is loaded into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EngineChoice {
    /// The first of Docker and podman that is installed.
    Any,
    Engine(EngineKind),
}

impl EngineChoice {
    /// Returns the engine, if it must be that one.
    pub(crate) fn kind(self) -> Option<EngineKind> {
        match self {
            Self::Any => None,
            Self::Engine(kind) => Some(kind),
        }
    }
}
