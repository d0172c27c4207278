//! Whether a wheel that was built here runs on the target.
//!
//! A pure wheel runs everywhere. A compiled one is tagged `linux_x86_64`, which promises nothing, so what it holds is
//! read: a wheel that needs no newer C library than the target's is as good as one that an index tags `manylinux`
//! ([PEP 600](https://peps.python.org/pep-0600/)).

use std::fmt;

use super::sources::{Built, Job};
use super::{BuildError, binaries};
use crate::audit::libraries;
use crate::builder::BuildInterpreter;
use crate::cache::Cache;
use crate::hints::Hints;
use crate::lock::Selected;
use crate::name::DistributionName;
use crate::platform::{Architecture, Glibc, PythonVersion, TargetPlatform};
use crate::wheel::filename::WheelFilename;
use crate::wheel::{SchemePart, WheelInventory};

/// How many wheels a message lists.
const LISTED_WHEELS: usize = 6;

/// A wheel that was built here, or would have been, and does not fit the target.
#[derive(Debug)]
pub struct Unfit {
    /// The distribution.
    pub name: DistributionName,
    /// What it was built from: a source distribution, a repository or a folder.
    pub origin: String,
    /// The wheel's file name; none if it was not built, because that can be foreseen.
    pub wheel: Option<String>,
    /// The target.
    pub target: String,
    /// What does not fit.
    pub misfit: Misfit,
    /// The wheels that there are, which do not fit either or may not be used.
    pub passed_over: Vec<WheelFilename>,
}

/// What does not fit.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// It is for another machine.
    #[error("is for {found}, the target is {target}")]
    Architecture {
        /// The wheel's.
        found: String,
        /// The target's.
        target: Architecture,
    },
    /// It is for another interpreter.
    #[error(
        "was built for {found}, the target is cp{}{}{}", .target.major, .target.minor,
        if *.has_interpreter { String::new() } else { format!(": no interpreter of Python {target} is here") }
    )]
    Interpreter {
        /// The wheel's Python and ABI tag.
        found: String,
        /// The target's Python.
        target: PythonVersion,
        /// Whether it was built with that.
        has_interpreter: bool,
    },
    /// It is for another platform, or says that it needs a newer C library.
    #[error("is for {found}, the target has glibc {target}")]
    Platform {
        /// The wheel's platform tags.
        found: String,
        /// The target's C library.
        target: Glibc,
    },
    /// A file of it does not load, whatever the wheel says.
    #[error("{}", by_content(.file, .misfit))]
    Content {
        /// The file, by its path below its part of the wheel.
        file: String,
        /// Why it does not load.
        misfit: libraries::Misfit,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, origin, wheel, target, misfit, passed_over } = self;
        write!(formatter, "{name} does not fit {target}: ")?;
        match wheel {
            Some(wheel) => write!(formatter, "{wheel}, built here from {origin}, {misfit}")?,
            None => write!(formatter, "what is built here from {origin} {misfit}")?,
        }
        let mut listed: Vec<&str> = passed_over.iter().map(WheelFilename::as_str).take(LISTED_WHEELS).collect();
        let more = format!("{} more", passed_over.len().saturating_sub(LISTED_WHEELS));
        listed.extend((passed_over.len() > LISTED_WHEELS).then_some(more.as_str()));
        if listed.is_empty() { Ok(()) } else { write!(formatter, "; there are the wheels {}", listed.join(", ")) }
    }
}

impl std::error::Error for Unfit {}

impl Hints for Unfit {
    fn hints(&self) -> Vec<String> {
        let elsewhere = "build its wheel for the target elsewhere, and lock that, or lock a version that has one";
        match &self.misfit {
            Misfit::Interpreter { target, has_interpreter: false, .. } => {
                vec![format!("install Python {target}, for instance with `uv python install {target}`")]
            }
            Misfit::Platform { .. } | Misfit::Content { misfit: libraries::Misfit::Version { .. }, .. } => {
                vec![format!("it is compiled against this machine's C library: {elsewhere}")]
            }
            Misfit::Architecture { .. } | Misfit::Content { misfit: libraries::Misfit::Machine { .. }, .. } => {
                vec![format!("it is compiled for the machine that it is built on: {elsewhere}")]
            }
            Misfit::Interpreter { .. } | Misfit::Content { .. } => Vec::new(),
        }
    }
}

/// Refuses to build what will not run on the target: a distribution whose wheels are all compiled is compiled when it is
/// built, too, and that for this machine.
///
/// # Errors
/// [`BuildError::Unfit`].
pub fn foresee(job: &Job, python: &BuildInterpreter, target: &TargetPlatform) -> Result<(), BuildError> {
    let selected = job.selected;
    let is_compiled = !selected.passed_over.is_empty() && selected.passed_over.iter().all(|wheel| !wheel.is_any());
    let host = std::env::consts::ARCH;
    let misfit = if host != target.architecture.wheel_name() {
        Misfit::Architecture { found: host.to_owned(), target: target.architecture }
    } else if python.version != target.python {
        let found = format!("cp{}{}", python.version.major, python.version.minor);
        Misfit::Interpreter { found, target: target.python, has_interpreter: false }
    } else {
        return Ok(());
    };
    if !is_compiled {
        return Ok(());
    }
    Err(BuildError::from(Box::new(Unfit {
        name: selected.name.clone(),
        origin: job.origin(),
        wheel: None,
        target: target.to_string(),
        misfit,
        passed_over: selected.passed_over.clone(),
    })))
}

/// Refuses a wheel that was built here and does not run on the target: by its tags, or by what its files are.
///
/// # Errors
/// [`BuildError::Unfit`], or the wheel cannot be read.
pub fn require(built: &Built, selected: &Selected, target: &TargetPlatform, cache: &Cache) -> Result<(), BuildError> {
    let filename = &built.wheel.filename;
    let unfit = |misfit| {
        BuildError::from(Box::new(Unfit {
            name: selected.name.clone(),
            origin: built.origin.clone(),
            wheel: Some(filename.to_string()),
            target: target.to_string(),
            misfit,
            passed_over: selected.passed_over.clone(),
        }))
    };
    if target.tags().best_match(filename).is_none() {
        return Err(unfit(by_tags(built, target)));
    }
    if filename.platform_tags.iter().all(|tag| tag == "any") {
        return Ok(());
    }
    for (position, elf) in binaries::of_wheel(&built.wheel, cache)? {
        let misfit = match &elf {
            Ok(elf) => libraries::misfit_of(elf, target.architecture, target.glibc, None),
            Err(reason) => Some(libraries::Misfit::Malformed(reason.clone())),
        };
        if let Some(misfit) = misfit {
            return Err(unfit(Misfit::Content { file: path(&built.wheel.inventory, position), misfit }));
        }
    }
    Ok(())
}

/// Returns the path of a file as the wheel has it, but for the name of its `.data` folder.
fn path(inventory: &WheelInventory, position: usize) -> String {
    let file = &inventory.files[position];
    match file.part {
        SchemePart::Library => file.path.clone(),
        SchemePart::Scripts => format!("scripts/{}", file.path),
        SchemePart::Headers => format!("headers/{}", file.path),
        SchemePart::Data => format!("data/{}", file.path),
    }
}

/// Says why a file does not load, after the wheel's name.
fn by_content(file: &str, misfit: &libraries::Misfit) -> String {
    match misfit {
        libraries::Misfit::Machine { found, target } => {
            format!("holds {file}, which is for {found}, the target is {target}")
        }
        libraries::Misfit::Malformed(reason) => format!("holds {file}: {reason}"),
        libraries::Misfit::Version { needed, has } => {
            let has = has.rsplit('_').next().unwrap_or_default();
            format!("needs {needed} ({file}), the target has {has}")
        }
        libraries::Misfit::Missing { libraries, .. } => format!("holds {file}, which needs {}", libraries.join(", ")),
        libraries::Misfit::Unreachable { library, .. } => format!("holds {file}, which needs {library}"),
    }
}

/// Says why no tag of a wheel is one of the target's.
fn by_tags(built: &Built, target: &TargetPlatform) -> Misfit {
    let filename = &built.wheel.filename;
    let (tags, platforms) = (target.tags(), &filename.platform_tags);
    let suffix = format!("_{}", target.architecture.wheel_name());
    let is_for_it = |tag: &String| tag == "any" || tag.ends_with(&suffix);
    let fits_interpreter = tags
        .as_slice()
        .iter()
        .any(|tag| filename.python_tags.contains(&tag.python) && filename.abi_tags.contains(&tag.abi));
    if !platforms.iter().any(is_for_it) {
        let found = Architecture::ALL.map(Architecture::wheel_name).into_iter();
        let found =
            found.filter(|name| platforms.iter().any(|tag| tag.ends_with(&format!("_{name}")))).collect::<Vec<_>>();
        let found = if found.is_empty() { platforms.join(", ") } else { found.join(", ") };
        Misfit::Architecture { found, target: target.architecture }
    } else if !fits_interpreter {
        let [pythons, abis] = [&filename.python_tags, &filename.abi_tags].map(|tags| tags.join("."));
        let found = if pythons == abis { pythons } else { format!("{pythons}-{abis}") };
        Misfit::Interpreter { found, target: target.python, has_interpreter: built.python == target.python }
    } else {
        Misfit::Platform { found: platforms.join(", "), target: target.glibc }
    }
}
