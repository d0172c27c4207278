//! Installing wheels: which of their files are omitted, stripped or compiled, and where each of them goes.

pub(crate) mod bytecode;
pub(crate) mod data;
pub(crate) mod derived;
pub(crate) mod named_data;
mod omitted;
mod shared;
mod trim_report;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use omitted::NEEDED_FORMAT;
use rayon::prelude::*;
pub(super) use trim_report::trim_report;

use crate::cache::{Cache, RecordKey};
use crate::digest::Sha256;
use crate::lock::SelectedDistribution;
use crate::pipeline::install::bytecode::Bytecode;
use crate::pipeline::install::data::DataSelection;
use crate::pipeline::install::omitted::content;
use crate::pipeline::install::shared::LostFile;
use crate::pipeline::plan::Plan;
use crate::pipeline::wheels::SelectedWheel;
use crate::pipeline::{BuildError, plan};
use crate::platform::Scheme;
use crate::report::{Reporter, Savings};
use crate::settings::ContentSettings;
use crate::tree::{TreeEntry, TreePath};
use crate::trim::{SlimRule, strip};
use crate::wheel::{self, InstallChanges, SchemePart, Wheel, WheelFile};

/// The largest file that is stripped, in bytes: it is read into memory.
const LARGEST_STRIPPED: u64 = 1 << 30;

/// Files with their paths in the artifact.
pub(super) type InstalledFiles = Vec<(TreePath, TreeEntry)>;

/// A selected distribution, its wheel, and the files that are installed of it.
pub(crate) struct InstalledDistribution<'a> {
    pub selected: &'a SelectedDistribution,
    pub wheel: Wheel,
    /// How the installed files differ from the wheel's.
    pub changes: InstallChanges,
    /// The digest of everything that decides the bytes of the files, whatever their paths are.
    pub key: Sha256,
    /// What each rule omitted.
    pub slimmed: BTreeMap<SlimRule, Savings>,
    /// The names whose data is installed although a rule is about it, each with the reason.
    pub kept_data: BTreeSet<(SlimRule, String, String)>,
    /// What the user's patterns omitted.
    pub excluded: Savings,
    /// The positions of the user's patterns that match a file.
    matched: BTreeSet<usize>,
    /// What stripping saved.
    pub stripped: Savings,
    pub scheme: &'a Scheme,
    pub files: InstalledFiles,
}

impl InstalledDistribution<'_> {
    /// Tells whether it was built from a directory of the project or of its workspace.
    pub(crate) fn is_local_project(&self) -> bool {
        plan::is_local_project(self.selected)
    }

    /// Returns the size of the installed files, uncompressed and in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().map(|(_, entry)| entry.content.size()).sum()
    }

    /// Records that the bytes of the files depend on something else as well.
    fn depend_on(&mut self, input: &str) {
        self.key = Sha256::of(format!("{}\n{input}", self.key.hex()).as_bytes());
    }
}

/// How distributions are laid out in the artifact: in a function with a layer, dependencies and local projects differ.
#[derive(Clone, Copy)]
pub(super) struct InstallSchemes<'a> {
    pub dependencies: &'a Scheme,
    pub projects: &'a Scheme,
}

impl<'a> InstallSchemes<'a> {
    /// Returns the scheme for a distribution.
    pub(super) fn of(self, selected: &SelectedDistribution) -> &'a Scheme {
        if plan::is_local_project(selected) { self.projects } else { self.dependencies }
    }
}

/// Installs wheels with the changes that the settings ask for.
pub(super) struct Installer<'s, 'a> {
    pub settings: &'a ContentSettings,
    pub schemes: InstallSchemes<'s>,
    /// The path of the target's interpreter, for the `#!` lines of scripts.
    pub interpreter: &'a str,
    pub cache: &'a Cache,
    pub bytecode: &'a Bytecode<'a>,
    /// Whether console scripts may run.
    pub runs_scripts: bool,
}

impl<'s> Installer<'s, '_> {
    /// Installs the wheels of a plan, in their order, and advances [`Bytecode::phase`]. `--slim` applies to dependencies only.
    ///
    /// # Errors
    /// A wheel cannot be read, its sources cannot be compiled, or the cache cannot be written.
    pub(super) fn install<'a>(
        &self,
        wheels: Vec<SelectedWheel<'a>>,
        plan: &Plan,
        reporter: &dyn Reporter,
    ) -> Result<Vec<InstalledDistribution<'a>>, BuildError>
    where
        's: 'a,
    {
        let contents = self.settings;
        let data = DataSelection::new(contents, &wheels, plan, self.runs_scripts, self.cache, reporter)?;
        let install = |selected| self.distribution(selected, &data, reporter);
        let mut distributions: Vec<InstalledDistribution> =
            wheels.into_par_iter().map(install).collect::<Result<_, _>>()?;
        for (at, pattern) in self.settings.excluded_files.iter().enumerate() {
            if !distributions.iter().any(|distribution| distribution.matched.contains(&at)) {
                reporter.warn(&format!("the pattern `{pattern}` of exclude-dependency-files matches no file"));
            }
        }
        let lost = shared::lost_files(&distributions, &self.settings.prefer, self.schemes, plan, reporter)?;
        for (at, files) in lost {
            self.omit(&mut distributions[at], files)?;
        }
        Ok(distributions)
    }

    /// Installs a distribution again without some files, of which others have been chosen.
    fn omit(&self, distribution: &mut InstalledDistribution, lost: BTreeSet<LostFile>) -> Result<(), BuildError> {
        let (mut positions, mut scripts) = (BTreeSet::new(), BTreeSet::new());
        for file in lost {
            match file {
                LostFile::InWheel(position) => drop(positions.insert(position)),
                LostFile::Script(name) => drop(scripts.insert(name)),
            }
        }
        distribution.depend_on(&format!("lost {positions:?}"));
        if !scripts.is_empty() {
            distribution.depend_on(&format!("lost {scripts:?}"));
        }
        let InstalledDistribution { wheel, changes, selected, files, .. } = distribution;
        changes.omitted.extend(&positions);
        changes.omitted_scripts = scripts;
        let sources = positions.iter().map(|position| &*wheel.inventory.files[*position].path);
        for bytecode in sources.filter_map(|path| self.bytecode.path_of(path)) {
            changes.bytecode.remove(&bytecode);
        }
        *files = wheel::install(wheel, changes, self.schemes.of(selected), self.interpreter)?;
        Ok(())
    }

    fn distribution<'a>(
        &self,
        selected: SelectedWheel<'a>,
        data: &DataSelection,
        reporter: &dyn Reporter,
    ) -> Result<InstalledDistribution<'a>, BuildError>
    where
        's: 'a,
    {
        let SelectedWheel { selected, wheel } = selected;
        let mut distribution = InstalledDistribution {
            selected,
            changes: InstallChanges::default(),
            key: wheel.sha256,
            wheel,
            slimmed: BTreeMap::new(),
            kept_data: BTreeSet::new(),
            excluded: Savings::default(),
            matched: BTreeSet::new(),
            stripped: Savings::default(),
            scheme: self.schemes.of(selected),
            files: Vec::new(),
        };
        if !distribution.is_local_project() {
            // The files of a local project are its author's choice.
            self.slim(&mut distribution, data)?;
            self.exclude(&mut distribution);
        }
        if self.settings.strip {
            self.strip(&mut distribution)?;
        }
        self.compile(&mut distribution)?;
        let InstalledDistribution { wheel, changes, .. } = &distribution;
        distribution.files = wheel::install(wheel, changes, self.schemes.of(selected), self.interpreter)?;
        reporter.advance(self.bytecode.phase(), 1);
        Ok(distribution)
    }

    /// Strips ELF files.
    fn strip(&self, distribution: &mut InstalledDistribution) -> Result<(), BuildError> {
        let wheel = &distribution.wheel;
        let files = &wheel.inventory.files;
        if !files.iter().any(may_be_compiled) {
            return Ok(());
        }
        let key = RecordKey::new(format!("strip {}", strip::FORMAT), &[&wheel.sha256.hex()]);
        let source = wheel.clone();
        let packed = derived::packed(self.cache, key, move |keep| {
            let files = source.inventory.files.iter().enumerate();
            for (position, _) in files.filter(|(_, file)| may_be_compiled(file)) {
                let mut bytes = content(&source, position)?;
                if strip::strip(&mut bytes) {
                    keep(position.to_string(), &bytes)?;
                }
            }
            Ok(())
        })?;
        let mut replaced = BTreeMap::new();
        for (name, packed) in packed {
            let position: usize = name.parse().unwrap_or(usize::MAX);
            let Some(file) = files.get(position).filter(|_| !distribution.changes.omitted.contains(&position)) else {
                continue;
            };
            distribution.stripped.add(Savings { files: 1, bytes: file.size - packed.size() });
            replaced.insert(position, packed);
        }
        if !replaced.is_empty() {
            distribution.depend_on(&format!("stripped {}", strip::FORMAT));
        }
        distribution.changes.replaced.extend(replaced);
        Ok(())
    }

    /// Adds the bytecode of the installed sources, replacing bytecode that the wheel contains.
    fn compile(&self, distribution: &mut InstalledDistribution) -> Result<(), BuildError> {
        let Some(key) = self.bytecode.key() else { return Ok(()) };
        let InstalledDistribution { wheel, changes, .. } = distribution;
        let compiled = self.bytecode.of_wheel(wheel)?;
        let installed = compiled.into_iter().filter(|(position, _)| !changes.omitted.contains(position));
        changes.bytecode = installed.map(|(_, compiled)| compiled).collect();
        let files = wheel.inventory.files.iter().enumerate().filter(|(_, file)| file.part == SchemePart::Library);
        changes.omitted.extend(files.filter(|(_, file)| changes.bytecode.contains_key(&file.path)).map(|(at, _)| at));
        distribution.depend_on(&key.hex());
        Ok(())
    }
}

/// Tells by its name whether a file may be an ELF file, so that other files need not be read.
fn may_be_compiled(file: &WheelFile) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let is_library = name.ends_with(".so") || name.contains(".so.");
    let is_program = (file.part == SchemePart::Scripts || file.mode.is_executable()) && !name.contains('.');
    file.size <= LARGEST_STRIPPED && file.script.is_none() && (is_library || is_program)
}
