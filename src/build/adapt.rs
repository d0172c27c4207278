//! What an installation makes of the wheels: what it leaves out, what it makes smaller, what it adds.

use rayon::prelude::*;

use super::BuildError;
use super::bytecode::Bytecode;
use super::wheels::Obtained;
use crate::cache::Cache;
use crate::digest::Sha256;
use crate::settings::ContentSettings;
use crate::wheel::{Changes, Part, Wheel};

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
    /// What compiles sources.
    pub bytecode: &'a Bytecode<'a>,
}

impl Adapter<'_> {
    /// Adapts the wheels of a plan.
    ///
    /// # Errors
    /// A wheel cannot be read, or its sources cannot be compiled.
    pub fn adapt(&self, wheels: &Obtained) -> Result<Contents, BuildError> {
        let adapt = |wheels: &[Wheel]| wheels.par_iter().map(|wheel| self.wheel(wheel)).collect::<Result<_, _>>();
        Ok(Contents { dependencies: adapt(&wheels.dependencies)?, projects: adapt(&wheels.projects)? })
    }

    fn wheel(&self, wheel: &Wheel) -> Result<Adapted, BuildError> {
        let mut adapted = Adapted { wheel: wheel.clone(), changes: Changes::default(), key: wheel.sha256 };
        self.compile(&mut adapted)?;
        Ok(adapted)
    }

    /// Adds the bytecode of the sources that are installed, in the place of what the wheel brings there.
    fn compile(&self, adapted: &mut Adapted) -> Result<(), BuildError> {
        let Some(key) = self.bytecode.key() else { return Ok(()) };
        let Adapted { wheel, changes, .. } = adapted;
        let compiled = self.bytecode.of_wheel(wheel)?;
        let is_installed = |position: &usize| !changes.left_out.contains(position);
        changes.bytecode =
            compiled.into_iter().filter(|(at, _)| is_installed(at)).map(|(_, compiled)| compiled).collect();
        let files = wheel.inventory.files.iter().enumerate().filter(|(_, file)| file.part == Part::Library);
        changes.left_out.extend(files.filter(|(_, file)| changes.bytecode.contains_key(&file.path)).map(|(at, _)| at));
        adapted.key = Sha256::of(format!("{}\n{}", adapted.key.hex(), key.hex()).as_bytes());
        Ok(())
    }
}
