//! Runs the audit of shared libraries over an artifact.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::{Audited, Deployment};
use crate::audit::c_library::CLibraryKind;
use crate::audit::libraries::{self, Binary, BinaryOwner, LibraryFinding, LoadGuarantee};
use crate::lock::SelectedSource;
use crate::name::DistributionName;
use crate::pipeline::BuildError;
use crate::pipeline::install::InstalledDistribution;
use crate::pipeline::wheels::elf_cache;
use crate::tree::{Distribution, FileContent, FileOrigin, TreePath};
use crate::wheel;

/// Returns the problems with the ELF files of an artifact. `unloaded` are the paths of extension modules that nothing certainly
/// imports.
///
/// # Errors
/// A file or the base image cannot be read.
pub(super) fn audit(audited: &Audited, unloaded: &BTreeSet<String>) -> Result<Vec<LibraryFinding>, BuildError> {
    let Audited { distributions, deployment, .. } = audited;
    let mut owners = vec![BinaryOwner {
        origin: FileOrigin::Application,
        guarantee: LoadGuarantee::AllFiles,
        requires: BTreeSet::new(),
    }];
    let mut files = of_the_application(audited)?;
    let elf_files: Vec<_> = distributions
        .par_iter()
        .map(|distribution| elf_cache::of_wheel(&distribution.wheel, audited.cache))
        .collect::<Result<_, _>>()?;
    for (distribution, elf_files) in distributions.iter().zip(elf_files) {
        if !elf_files.is_empty() {
            files.extend(installed_elf_files(deployment, distribution, elf_files, owners.len())?);
            owners.push(owner(distribution));
        }
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let system =
        (deployment.system)(&libraries::external_libraries(&files, CLibraryKind::of(audited.plan.target.libc)))?;
    Ok(libraries::audit(&files, &owners, &system, &audited.settings.audit.allow_missing, unloaded))
}

/// Describes a distribution as the owner of ELF files.
fn owner(distribution: &InstalledDistribution) -> BinaryOwner {
    let InstalledDistribution { selected, wheel, .. } = distribution;
    let inventory = &wheel.inventory;
    let name_and_version = Distribution { name: inventory.name.clone(), version: inventory.version.clone() };
    let guarantee = match &selected.source {
        SelectedSource::Wheel(..) if wheel.filename.is_any() => LoadGuarantee::None,
        SelectedSource::Wheel(..) => LoadGuarantee::Modules,
        _ => LoadGuarantee::AllFiles,
    };
    let requires =
        inventory.requires.iter().filter_map(|requirement| DistributionName::of_requirement(requirement)).collect();
    BinaryOwner { origin: FileOrigin::Distribution(name_and_version.into()), guarantee, requires }
}

/// Returns the ELF files of a distribution that are installed. Stripping does not change what they need.
fn installed_elf_files(
    deployment: &Deployment,
    distribution: &InstalledDistribution,
    elf_files: Vec<elf_cache::ElfFile>,
    owner: usize,
) -> Result<Vec<Binary>, BuildError> {
    let inventory = &distribution.wheel.inventory;
    let mut files = Vec::with_capacity(elf_files.len());
    for (position, elf) in elf_files {
        let file = &inventory.files[position];
        let path = TreePath::below(
            &wheel::destination_directory(file.part, &inventory.name, distribution.scheme),
            &file.path,
        )?;
        if let Some((_, mount)) = deployment.trees.iter().find(|(tree, _)| tree.get(path.as_str()).is_some()) {
            let runtime_path = format!("{mount}/{path}");
            files.push(Binary { path: path.to_string(), runtime_path, elf, owner });
        }
    }
    Ok(files)
}

/// Returns the ELF files of the application.
fn of_the_application(audited: &Audited) -> Result<Vec<Binary>, BuildError> {
    let mut files = Vec::new();
    for (tree, mount) in audited.deployment.trees {
        for (path, entry) in tree.iter().filter(|(path, _)| !elf_cache::is_source(path.as_str())) {
            let FileContent::File { path: source, .. } = &entry.content else { continue };
            if let Some(elf) = elf_cache::of_content(&entry.content).map_err(BuildError::copying(source))? {
                files.push(Binary { path: path.to_string(), runtime_path: format!("{mount}/{path}"), elf, owner: 0 });
            }
        }
    }
    Ok(files)
}
