//! The audit of shared libraries over what was built.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::Audited;
use crate::audit::libraries::{self, Binary, LibraryFinding, Owner, Promise};
use crate::lock::{SelectedDistribution, SelectedSource};
use crate::pipeline::BuildError;
use crate::pipeline::wheels::elf_cache;
use crate::platform::Scheme;
use crate::tree::{Distribution, FileContent, FileOrigin, TreePath};
use crate::wheel::{self, Wheel};

/// Returns what is wrong with the compiled files of the trees.
///
/// # Errors
/// A file cannot be read, or the base cannot be.
pub fn audit(audited: &Audited) -> Result<Vec<LibraryFinding>, BuildError> {
    let Audited { plan, wheels, deployment, .. } = audited;
    let mut owners = vec![Owner { origin: FileOrigin::Application, promise: Promise::Own, requires: BTreeSet::new() }];
    let mut files = of_the_application(audited)?;
    let dependencies = wheels.dependencies.iter().zip(plan.dependencies());
    let projects = wheels.projects.iter().zip(plan.projects().map(|(selected, _)| selected));
    let placed = dependencies.map(|wheel| (wheel, deployment.dependencies));
    let placed: Vec<_> = placed.chain(projects.map(|wheel| (wheel, deployment.projects))).collect();
    let compiled: Vec<_> =
        placed.par_iter().map(|((wheel, _), _)| elf_cache::of_wheel(wheel, audited.cache)).collect::<Result<_, _>>()?;
    for (((wheel, selected), place), compiled) in placed.into_iter().zip(compiled) {
        if !compiled.is_empty() {
            files.extend(of_wheel(audited, wheel, compiled, place, owners.len())?);
            owners.push(owner(wheel, selected));
        }
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let system = (deployment.system)(&libraries::wanted(&files))?;
    Ok(libraries::audit(&files, &owners, &system, &audited.settings.audit.allow_missing))
}

/// Returns what is known of a wheel as an owner of compiled files.
fn owner(wheel: &Wheel, selected: &SelectedDistribution) -> Owner {
    let inventory = &wheel.inventory;
    let distribution = Distribution { name: inventory.name.clone(), version: inventory.version.clone() };
    let promise = match &selected.source {
        SelectedSource::Wheel(..) if wheel.filename.is_any() => Promise::Nothing,
        SelectedSource::Wheel(..) => Promise::Platform,
        _ => Promise::Own,
    };
    let name = |text: &String| {
        let is_of_a_name = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        text.split(|character| !is_of_a_name(character)).next()?.parse().ok()
    };
    let requires = inventory.requires.iter().filter_map(name).collect();
    Owner { origin: FileOrigin::Distribution(distribution.into()), promise, requires }
}

/// Returns the compiled files of a wheel that are in the tree. Whatever became of their bytes, their needs are the same.
fn of_wheel(
    audited: &Audited,
    wheel: &Wheel,
    compiled: Vec<elf_cache::Compiled>,
    (tree, scheme): (usize, &Scheme),
    owner: usize,
) -> Result<Vec<Binary>, BuildError> {
    let mut files = Vec::with_capacity(compiled.len());
    for (position, elf) in compiled {
        let file = &wheel.inventory.files[position];
        let path =
            TreePath::below(&wheel::destination_directory(file.part, &wheel.inventory.name, scheme), &file.path)?;
        let (tree, mount) = audited.deployment.trees[tree];
        if tree.get(path.as_str()).is_some() {
            let at = format!("{mount}/{path}");
            files.push(Binary { path: path.to_string(), at, elf, owner });
        }
    }
    Ok(files)
}

/// Returns the compiled files of the application.
fn of_the_application(audited: &Audited) -> Result<Vec<Binary>, BuildError> {
    let mut files = Vec::new();
    for (tree, mount) in audited.deployment.trees {
        for (path, entry) in tree.iter().filter(|(path, _)| !elf_cache::is_source(path.as_str())) {
            let FileContent::File { path: source, .. } = &entry.content else { continue };
            let failed = |error| BuildError::Read { path: source.clone(), source: error };
            if let Some(elf) = elf_cache::of_content(&entry.content).map_err(failed)? {
                files.push(Binary { path: path.to_string(), at: format!("{mount}/{path}"), elf, owner: 0 });
            }
        }
    }
    Ok(files)
}
