//! What an installation makes of the wheels: what it leaves out, what it makes smaller, what it adds.

pub(crate) mod bytecode;
pub(crate) mod derived;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::cache::{Cache, Note};
use crate::digest::Sha256;
use crate::pipeline::BuildError;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::wheels::Obtained;
use crate::platform::Scheme;
use crate::report::{Savings, SlimmedReport, TrimReport};
use crate::settings::ContentSettings;
use crate::tree::FileContent;
use crate::tree::{TreeEntry, TreePath};
use crate::trim::{self, SlimRule, strip};
use crate::wheel;
use crate::wheel::{InstallChanges, SchemePart, Wheel, WheelFile};

/// The version of what is found to be needed of a wheel: raised when something else is.
const NEEDED_FORMAT: u32 = 2;

/// The largest file that is read into memory to be stripped, in bytes.
const LARGEST_STRIPPED: u64 = 1 << 30;

/// A wheel, and how its installation differs from it.
pub struct Adapted {
    /// The wheel.
    pub wheel: Wheel,
    /// What differs.
    pub changes: InstallChanges,
    /// The digest of all that decides the bytes of its files, whatever their places are.
    pub key: Sha256,
    /// What each rule left out.
    pub slimmed: BTreeMap<SlimRule, Savings>,
    /// What stripping made smaller.
    pub stripped: Savings,
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
    /// Adapts the wheels of a plan. Nothing is left out of local projects, whose files are their authors' choice.
    ///
    /// # Errors
    /// A wheel cannot be read, its sources cannot be compiled, or the cache cannot be written.
    pub fn adapt(&self, wheels: &Obtained) -> Result<Contents, BuildError> {
        let adapt = |wheels: &[Wheel], rules: &BTreeSet<SlimRule>| {
            wheels.par_iter().map(|wheel| self.wheel(wheel, rules)).collect::<Result<_, _>>()
        };
        Ok(Contents {
            dependencies: adapt(&wheels.dependencies, &self.settings.slim)?,
            projects: adapt(&wheels.projects, &BTreeSet::new())?,
        })
    }

    fn wheel(&self, wheel: &Wheel, rules: &BTreeSet<SlimRule>) -> Result<Adapted, BuildError> {
        let mut adapted = Adapted {
            wheel: wheel.clone(),
            changes: InstallChanges::default(),
            key: wheel.sha256,
            slimmed: BTreeMap::new(),
            stripped: Savings::default(),
        };
        self.leave_out(&mut adapted, rules)?;
        if self.settings.strip {
            self.strip(&mut adapted)?;
        }
        self.compile(&mut adapted)?;
        Ok(adapted)
    }

    /// Leaves out what the rules are for and nothing needs.
    fn leave_out(&self, adapted: &mut Adapted, rules: &BTreeSet<SlimRule>) -> Result<(), BuildError> {
        let mut left_out = trim::omitted_files(&adapted.wheel.inventory, rules);
        if left_out.is_empty() {
            return Ok(());
        }
        let needed = self.needed(&adapted.wheel)?;
        left_out.retain(|position, _| !needed.contains(position));
        for (&position, &rule) in &left_out {
            let bytes = adapted.wheel.inventory.files[position].extent.size;
            adapted.slimmed.entry(rule).or_default().add(Savings { files: 1, bytes });
            adapted.changes.omitted.insert(position);
        }
        if !left_out.is_empty() {
            adapted.follow(&format!("left out {:?}", adapted.changes.omitted));
        }
        Ok(())
    }

    /// Returns what the sources of a wheel need of what rules would leave out. They are read once.
    fn needed(&self, wheel: &Wheel) -> Result<BTreeSet<usize>, BuildError> {
        let key = Sha256::of(format!("needed {NEEDED_FORMAT}\n{}", wheel.sha256.hex()).as_bytes());
        if let Some(known) = self.cache.note(Note::Needed, key) {
            return Ok(known);
        }
        let read = |file: &WheelFile| Ok::<_, BuildError>(String::from_utf8_lossy(&content(wheel, file)?).into_owned());
        let needed = trim::needed_files(&wheel.inventory, read)?;
        self.cache.keep_note(Note::Needed, key, &needed)?;
        Ok(needed)
    }

    /// Strips the compiled files that are kept.
    fn strip(&self, adapted: &mut Adapted) -> Result<(), BuildError> {
        let wheel = &adapted.wheel;
        let files = &wheel.inventory.files;
        if !files.iter().any(may_be_compiled) {
            return Ok(());
        }
        let key = Sha256::of(format!("strip {}\n{}", strip::FORMAT, wheel.sha256.hex()).as_bytes());
        let packed = derived::packed(self.cache, key, |keep| {
            for (position, file) in files.iter().enumerate().filter(|(_, file)| may_be_compiled(file)) {
                let mut bytes = content(wheel, file)?;
                if strip::strip(&mut bytes) {
                    keep(position.to_string(), &bytes).map_err(BuildError::Temporary)?;
                }
            }
            Ok::<_, BuildError>(())
        })?;
        let mut replaced = BTreeMap::new();
        for (name, packed) in packed {
            let position: usize = name.parse().unwrap_or(usize::MAX);
            let Some(file) = files.get(position).filter(|_| !adapted.changes.omitted.contains(&position)) else {
                continue;
            };
            adapted.stripped.add(Savings { files: 1, bytes: file.extent.size - packed.extent.size });
            replaced.insert(position, packed);
        }
        if !replaced.is_empty() {
            adapted.follow(&format!("stripped {}", strip::FORMAT));
        }
        adapted.changes.replaced.extend(replaced);
        Ok(())
    }

    /// Adds the bytecode of the sources that are installed, in the place of what the wheel brings there.
    fn compile(&self, adapted: &mut Adapted) -> Result<(), BuildError> {
        let Some(key) = self.bytecode.key() else { return Ok(()) };
        let Adapted { wheel, changes, .. } = adapted;
        let compiled = self.bytecode.of_wheel(wheel)?;
        let is_installed = |position: &usize| !changes.omitted.contains(position);
        changes.bytecode =
            compiled.into_iter().filter(|(at, _)| is_installed(at)).map(|(_, compiled)| compiled).collect();
        let files = wheel.inventory.files.iter().enumerate().filter(|(_, file)| file.part == SchemePart::Library);
        changes.omitted.extend(files.filter(|(_, file)| changes.bytecode.contains_key(&file.path)).map(|(at, _)| at));
        adapted.follow(&key.hex());
        Ok(())
    }
}

impl Adapted {
    /// Notes that the bytes follow from something else besides.
    fn follow(&mut self, from: &str) {
        self.key = Sha256::of(format!("{}\n{from}", self.key.hex()).as_bytes());
    }
}

impl Contents {
    /// Reports what is not in the artifact.
    pub fn trimmed(&self) -> TrimReport {
        let (mut slimmed, mut stripped) = (BTreeMap::<SlimRule, Savings>::new(), Savings::default());
        for adapted in self.dependencies.iter().chain(&self.projects) {
            adapted.slimmed.iter().for_each(|(rule, saved)| slimmed.entry(*rule).or_default().add(*saved));
            stripped.add(adapted.stripped);
        }
        let slimmed = slimmed.into_iter().map(|(rule, saved)| SlimmedReport { rule: rule.name(), saved });
        TrimReport { slimmed: slimmed.collect(), stripped }
    }
}

/// Returns whether a file may be an ELF file, by its name: nobody reads the others to find out.
fn may_be_compiled(file: &WheelFile) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let is_library = name.ends_with(".so") || name.contains(".so.");
    let is_program = (file.part == SchemePart::Scripts || file.mode.is_executable()) && !name.contains('.');
    file.extent.size <= LARGEST_STRIPPED && file.script.is_none() && (is_library || is_program)
}

fn content(wheel: &Wheel, file: &WheelFile) -> Result<Vec<u8>, BuildError> {
    let content = FileContent::Archived { archive: wheel.archive.clone(), extent: file.extent.clone() };
    let unreadable = |source| BuildError::Read { path: wheel.archive.join(&file.path), source };
    content.read(file.extent.size).map_err(unreadable)
}

/// Installs wheels side by side; the results are in the order of the wheels.
pub fn install_all(
    wheels: &[Adapted],
    scheme: &Scheme,
    interpreter: &str,
) -> Result<Vec<Vec<(TreePath, TreeEntry)>>, BuildError> {
    let install = |adapted: &Adapted| wheel::install(&adapted.wheel, &adapted.changes, scheme, interpreter);
    Ok(wheels.par_iter().map(install).collect::<Result<_, _>>()?)
}
