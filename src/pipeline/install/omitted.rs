//! The files of distributions that are not installed: what the rules of `--slim` match, and what the user excludes.

use std::collections::BTreeSet;

use super::data::DataSelection;
use super::{InstalledDistribution, Installer};
use crate::cache::{RecordKey, RecordKind};
use crate::pipeline::BuildError;
use crate::report::Savings;
use crate::trim;
use crate::wheel::{SchemePart, Wheel};

/// The version of the cached results of [`trim::needed`]: raised when its rules change.
pub(crate) const NEEDED_FORMAT: u32 = 3;

impl Installer<'_, '_> {
    /// Omits the files that the rules of `--slim` match, unless the distribution's own code refers to them.
    pub(super) fn slim(
        &self,
        distribution: &mut InstalledDistribution,
        data: &DataSelection,
    ) -> Result<(), BuildError> {
        let inventory = &distribution.wheel.inventory;
        let mut omitted = trim::omitted_files(inventory, &self.settings.slim);
        if !omitted.is_empty() {
            let needed = self.needed(&distribution.wheel)?;
            omitted.retain(|position, _| !needed.contains(position));
        }
        let files = inventory.files.iter().enumerate().filter(|(_, file)| file.part == SchemePart::Library);
        for (position, file) in files {
            match data.omitting(&file.path) {
                Some(rule) => drop(omitted.entry(position).or_insert(rule)),
                None => distribution.kept_data.extend(data.keeping(&file.path)),
            }
        }
        for (&position, &rule) in &omitted {
            let bytes = distribution.wheel.inventory.files[position].size;
            distribution.slimmed.entry(rule).or_default().add(Savings { files: 1, bytes });
            distribution.changes.omitted.insert(position);
        }
        if !omitted.is_empty() {
            distribution.depend_on(&format!("omitted {:?}", distribution.changes.omitted));
        }
        Ok(())
    }

    /// Omits the files that the user's patterns match, even if the distribution's own code needs them.
    pub(super) fn exclude(&self, distribution: &mut InstalledDistribution) {
        if self.settings.excluded_files.is_empty() {
            return;
        }
        let InstalledDistribution { wheel, changes, excluded, matched, .. } = distribution;
        let before = changes.omitted.len();
        for (position, file) in wheel.inventory.files.iter().enumerate() {
            let patterns = self.settings.excluded_files.iter().enumerate();
            let matching: Vec<usize> =
                patterns.filter(|(_, pattern)| pattern.matches(&file.path)).map(|(at, _)| at).collect();
            if file.part == SchemePart::Library && !matching.is_empty() {
                matched.extend(matching);
                if changes.omitted.insert(position) {
                    excluded.add(Savings { files: 1, bytes: file.size });
                }
            }
        }
        if changes.omitted.len() > before {
            let omitted = format!("excluded {:?}", changes.omitted);
            distribution.depend_on(&omitted);
        }
    }

    /// Returns the files that the wheel's own sources refer to although a rule matches them. Cached.
    fn needed(&self, wheel: &Wheel) -> Result<BTreeSet<usize>, BuildError> {
        let key = RecordKey::new(format!("needed {NEEDED_FORMAT}"), &[&wheel.sha256.hex()]);
        self.cache.remember(RecordKind::Needed, key, || {
            trim::needed_files(&wheel.inventory, |position| {
                Ok(String::from_utf8_lossy(&content(wheel, position)?).into_owned())
            })
        })
    }
}

pub(super) fn content(wheel: &Wheel, position: usize) -> Result<Vec<u8>, BuildError> {
    let file = &wheel.inventory.files[position];
    wheel.content(position).read(file.size).map_err(BuildError::reading(&wheel.location().join(&file.path)))
}
