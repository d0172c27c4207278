//! Checks that a wheel that was built on this machine runs on the target.
//!
//! A pure wheel runs everywhere. A compiled one is tagged `linux_x86_64`, which promises nothing, so what it holds is
//! read: a wheel that needs no newer C library than the target's is as good as one that an index tags `manylinux`
//! ([PEP 600](https://peps.python.org/pep-0600/)).

use crate::audit::c_library::CLibraryKind;
use crate::audit::libraries;
use crate::cache::Cache;
use crate::interpreter::PythonInterpreter;
use crate::lock::SelectedDistribution;
use crate::pipeline::BuildError;
use crate::pipeline::error::incompatible::{Incompatibility, IncompatibleWheel};
use crate::pipeline::wheels::elf_cache;
use crate::pipeline::wheels::from_source::{BuildJob, BuiltWheel};
use crate::platform::{Architecture, PythonVersion, TargetPlatform};
use crate::wheel::{SchemePart, WheelInventory};

/// Refuses a build whose result cannot run on the target: if all wheels of a distribution are compiled, building it
/// compiles for this machine.
///
/// # Errors
/// [`BuildError::IncompatibleWheel`].
pub(crate) fn refuse_in_advance(
    job: &BuildJob,
    python: &PythonInterpreter,
    target: &TargetPlatform,
) -> Result<(), BuildError> {
    let selected = job.selected;
    let is_compiled = !selected.unused_wheels.is_empty() && selected.unused_wheels.iter().all(|wheel| !wheel.is_any());
    let host = std::env::consts::ARCH;
    let misfit = if host != target.architecture.wheel_name() {
        Incompatibility::Architecture { found: host.to_owned(), target: target.architecture }
    } else if python.version != target.python {
        let PythonVersion { major, minor, .. } = python.version;
        let found = format!("cp{major}{minor}{}", python.version.abi_flag());
        Incompatibility::Interpreter { found, target: target.python, has_interpreter: false }
    } else if let Some(found) = other_c_library(python, target) {
        Incompatibility::Platform { found: found.to_string(), target: target.libc }
    } else {
        return Ok(());
    };
    if !is_compiled {
        return Ok(());
    }
    Err(BuildError::from(Box::new(IncompatibleWheel {
        name: selected.name.clone(),
        origin: job.origin(),
        wheel: None,
        target: target.to_string(),
        misfit,
        passed_over: selected.unused_wheels.clone(),
        excluded_by: selected.wheels_excluded_by.clone(),
    })))
}

/// Returns the C library that an interpreter of this machine compiles for, if the target has another one.
fn other_c_library(python: &PythonInterpreter, target: &TargetPlatform) -> Option<CLibraryKind> {
    let suffix = python.extension_abi.split(' ').next()?;
    CLibraryKind::of_module(suffix).filter(|own| *own != CLibraryKind::of(target.libc))
}

/// Refuses a wheel that was built on this machine and does not run on the target, by its tags or its ELF files.
///
/// # Errors
/// [`BuildError::IncompatibleWheel`], or the wheel cannot be read.
pub(crate) fn require(
    built: &BuiltWheel,
    selected: &SelectedDistribution,
    target: &TargetPlatform,
    cache: &Cache,
) -> Result<(), BuildError> {
    let Some(misfit) = incompatibility(built, target, cache)? else { return Ok(()) };
    Err(BuildError::from(Box::new(IncompatibleWheel {
        name: selected.name.clone(),
        origin: built.origin.clone(),
        wheel: Some(built.wheel.filename.to_string()),
        target: target.to_string(),
        misfit,
        passed_over: selected.unused_wheels.clone(),
        excluded_by: selected.wheels_excluded_by.clone(),
    })))
}

/// Returns why a wheel does not run on the target, or `None` if it does.
fn incompatibility(
    built: &BuiltWheel,
    target: &TargetPlatform,
    cache: &Cache,
) -> Result<Option<Incompatibility>, BuildError> {
    let filename = &built.wheel.filename;
    if target.tags().best_match(filename).is_none() {
        return Ok(Some(by_tags(built, target)));
    }
    if filename.platform_tags.iter().all(|tag| tag == "any") {
        return Ok(None);
    }
    for (position, elf) in elf_cache::of_wheel(&built.wheel, cache)? {
        let misfit = match &elf {
            Ok(elf) => libraries::load_problem(elf, target.architecture, target.libc, None),
            Err(reason) => Some(libraries::LoadProblem::Malformed(reason.clone())),
        };
        if let Some(misfit) = misfit {
            return Ok(Some(Incompatibility::Content { file: path(&built.wheel.inventory, position), misfit }));
        }
    }
    Ok(None)
}

/// Returns the path of a file in the wheel, without the name of its `.data` directory.
fn path(inventory: &WheelInventory, position: usize) -> String {
    let file = &inventory.files[position];
    match file.part {
        SchemePart::Library => file.path.clone(),
        SchemePart::Scripts => format!("scripts/{}", file.path),
        SchemePart::Headers => format!("headers/{}", file.path),
        SchemePart::Data => format!("data/{}", file.path),
    }
}

/// Explains why no tag of a wheel is compatible with the target.
fn by_tags(built: &BuiltWheel, target: &TargetPlatform) -> Incompatibility {
    let filename = &built.wheel.filename;
    let (tags, platforms) = (target.tags(), &filename.platform_tags);
    let suffix = format!("_{}", target.architecture.wheel_name());
    let fits_interpreter = tags
        .as_slice()
        .iter()
        .any(|tag| filename.python_tags.contains(&tag.python) && filename.abi_tags.contains(&tag.abi));
    if !platforms.iter().any(|tag| tag == "any" || tag.ends_with(&suffix)) {
        let found = Architecture::ALL.map(Architecture::wheel_name).into_iter();
        let found =
            found.filter(|name| platforms.iter().any(|tag| tag.ends_with(&format!("_{name}")))).collect::<Vec<_>>();
        let found = if found.is_empty() { platforms.join(", ") } else { found.join(", ") };
        Incompatibility::Architecture { found, target: target.architecture }
    } else if !fits_interpreter {
        let [pythons, abis] = [&filename.python_tags, &filename.abi_tags].map(|tags| tags.join("."));
        let found = if pythons == abis { pythons } else { format!("{pythons}-{abis}") };
        Incompatibility::Interpreter { found, target: target.python, has_interpreter: built.python == target.python }
    } else {
        Incompatibility::Platform { found: platforms.join(", "), target: target.libc }
    }
}
