//! What requires what in a lock, for any target: for `pybundle why`, which says on which marker that depends.

use super::{Dependent, Lock};
use crate::marker::{ActiveExtras, Marker};
use crate::name::DistributionName;
use crate::platform::MarkerEnvironment;

/// That a distribution is required, always or under a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LockedRequirement {
    pub(crate) name: DistributionName,
    /// The lock itself if its format has one marker for each distribution.
    pub(crate) required_by: Dependent,
    /// For instance `sys_platform == 'win32'`.
    pub(crate) condition: Option<String>,
    /// Whether the condition holds for the target.
    pub(crate) applies: bool,
}

impl LockedRequirement {
    /// Evaluates a marker without extras.
    pub(super) fn new(
        name: &DistributionName,
        required_by: Dependent,
        marker: Option<&Marker>,
        environment: &MarkerEnvironment,
    ) -> Self {
        Self {
            name: name.clone(),
            required_by,
            condition: marker.map(ToString::to_string),
            applies: marker.is_none_or(|marker| marker.evaluate(environment, &ActiveExtras::default())),
        }
    }
}

impl Lock {
    /// Returns what requires what, whether it is selected in the environment or not. A lock may list a million requirements, so
    /// they are not collected.
    pub(crate) fn locked_requirements<'a>(
        &'a self,
        environment: &'a MarkerEnvironment,
    ) -> Box<dyn Iterator<Item = LockedRequirement> + 'a> {
        match self {
            Self::Uv(lock) => Box::new(lock.locked_requirements(environment)),
            Self::Pylock(lock) => Box::new(lock.locked_requirements(environment)),
            Self::Poetry(lock) => Box::new(lock.locked_requirements(environment)),
            Self::Pdm(lock) => Box::new(lock.locked_requirements(environment)),
            Self::Pipfile(lock) => Box::new(lock.locked_requirements(environment)),
            Self::Requirements(lock) => Box::new(lock.locked_requirements(environment)),
        }
    }
}
