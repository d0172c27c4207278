//! What an installation makes of the wheels: what it leaves out, what it makes smaller, what it adds.

use rayon::prelude::*;

use super::BuildError;
use super::wheels::Obtained;
use crate::cache::Cache;
use crate::digest::Sha256;
use crate::settings::ContentSettings;
use crate::wheel::{Changes, Wheel};

/// A wheel, and how its installation differs from it.
pub struct Adapted {
    /// The wheel.
    pub wheel: Wheel,
    /// What differs.
    pub changes: Changes,
    /// The digest of all that decides the bytes of its files, whatever their places are.
    pub key: Sha256,
}

/// The adapted wheels of one plan, in the order of [`Obtained`].
pub struct Contents {
    /// Those of the dependencies.
    pub dependencies: Vec<Adapted>,
    /// Those of local projects.
    pub projects: Vec<Adapted>,
}

/// Adapts wheels as the settings ask.
pub struct Adapter<'a> {
    /// What is asked for.
    pub settings: &'a ContentSettings,
    /// Where what is made of wheels is kept.
    pub cache: &'a Cache,
}

impl Adapter<'_> {
    /// Adapts the wheels of a plan.
    ///
    /// # Errors
    /// A wheel cannot be read.
    pub fn adapt(&self, wheels: &Obtained) -> Result<Contents, BuildError> {
        let adapt = |wheels: &[Wheel]| wheels.par_iter().map(|wheel| self.wheel(wheel)).collect::<Result<_, _>>();
        Ok(Contents { dependencies: adapt(&wheels.dependencies)?, projects: adapt(&wheels.projects)? })
    }

    fn wheel(&self, wheel: &Wheel) -> Result<Adapted, BuildError> {
        Ok(Adapted { wheel: wheel.clone(), changes: Changes::default(), key: wheel.sha256 })
    }
}
