//! Whether the compiled files of an artifact load on the target: are they for its machine, are its libraries new enough,
//! and is everything that they are linked to where the dynamic linker looks?
//!
//! Not all that is missing is missed. What Python opens, and what that is linked to, certainly has to load; a library that
//! nothing is linked to may never be opened, and what is in the artifact may have been opened by another module before.

mod advice;
mod finding;
mod linker;

use std::collections::{BTreeMap, BTreeSet};

use super::elf::{self, Elf, Machine, MalformedElf, Role, Versions};
use crate::name::DistributionName;
use crate::target::{Architecture, Glibc, Libstdcxx};
use crate::tree::Origin;
use linker::{Linker, Place};

pub use finding::{LibraryFinding, Misfit};

/// A compiled file of an artifact.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Its path in the artifact.
    pub path: String,
    /// Its path at run time, for instance `/var/task/numpy/core.so`.
    pub at: String,
    /// What it is, and what it needs.
    pub elf: Result<Elf, MalformedElf>,
    /// What brings it, by its position among the owners.
    pub owner: usize,
}

/// What brings compiled files.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The distribution, or the application.
    pub origin: Origin,
    /// What it promises.
    pub promise: Promise,
    /// The distributions that it requires, and therefore may import first.
    pub requires: BTreeSet<DistributionName>,
}

/// What whoever brings compiled files promises of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Nothing: a wheel for any platform has compiled files that it can do without.
    Nothing,
    /// They load on platforms like the target, by the wheel's tag: all that is needed for an import.
    Platform,
    /// They were made for this artifact: they were built here, or the application has them.
    Own,
}

/// What compiled files find on the target, besides the artifact.
#[derive(Debug, Clone)]
pub struct System {
    /// The target, as messages name it.
    pub name: String,
    /// Its kind, which decides what can be done.
    pub kind: SystemKind,
    /// The machine.
    pub architecture: Architecture,
    /// The C library.
    pub glibc: Glibc,
    /// The C++ library; any will do if it is not known.
    pub libstdcxx: Option<Libstdcxx>,
    /// The shared libraries beyond those of every manylinux platform, if they are known.
    pub libraries: Option<BTreeSet<String>>,
    /// Where the dynamic linker looks before all else: the folders of `LD_LIBRARY_PATH`.
    pub library_path: Vec<String>,
}

/// What kind of target there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemKind {
    /// A Lambda runtime, which nobody can add to.
    Lambda,
    /// A base image, which may be another one.
    Image,
}

/// Returns the libraries that neither an artifact nor every manylinux platform has: whether the target has them has to be
/// found out.
pub fn wanted(binaries: &[Binary]) -> BTreeSet<&str> {
    let linker = Linker::new(binaries, &[]);
    let needed = readable(binaries).flat_map(|(_, elf)| &elf.needed).map(|library| linker::file_name(library));
    needed.filter(|library| !elf::is_of_the_platform(library) && !linker.has(library)).collect()
}

/// Returns what is wrong with the compiled files of an artifact: what certainly fails, and what may. `allowed` has the
/// libraries that nobody shall miss, as `libGL.so.1` or `libGL`.
pub fn audit(
    binaries: &[Binary],
    owners: &[Owner],
    system: &System,
    allowed: &BTreeSet<String>,
) -> Vec<LibraryFinding> {
    let linker = Linker::new(binaries, &system.library_path);
    let links = linker.links();
    let defects: Vec<Vec<Defect>> = (0..binaries.len())
        .map(|at| Defects { binaries, owners, system, allowed, links: &links[at] }.of(&binaries[at]))
        .collect();
    let certain = certain(binaries, owners, &links, &defects);

    // What is wrong in the same way is said once, with the first file: a distribution may have hundreds.
    let mut findings: BTreeMap<(usize, Defect, bool), (usize, usize)> = BTreeMap::new();
    for (at, defect) in defects.into_iter().enumerate().flat_map(|(at, all)| all.into_iter().map(move |one| (at, one)))
    {
        let is_error = certain[at] && defect.may_be_error(&binaries[at]);
        let others = findings.entry((binaries[at].owner, defect, is_error)).or_insert((at, 0));
        others.1 += usize::from(others.0 != at);
    }
    let finding = |((owner, defect, is_error), (first, others)): (_, (usize, usize))| {
        let owner: &Owner = &owners[owner];
        LibraryFinding {
            file: binaries[first].path.clone(),
            others,
            owner: owner.origin.clone(),
            system: system.name.clone(),
            kind: system.kind,
            misfit: misfit(defect, binaries, owners, system),
            is_error,
        }
    };
    findings.into_iter().map(finding).collect()
}

/// Returns why a file does not load on a target, whatever it is linked to.
pub fn misfit_of(elf: &Elf, architecture: Architecture, glibc: Glibc, libstdcxx: Option<Libstdcxx>) -> Option<Misfit> {
    if elf.machine != Machine::Known(architecture) {
        return Some(Misfit::Machine { found: elf.machine, target: architecture });
    }
    let newer = |family: &str, needed: Option<u16>, has: fn(Libstdcxx) -> u16| {
        let (needed, has) = (needed?, has(libstdcxx?));
        let version = |number| format!("{family}{number}");
        (needed > has).then(|| Misfit::Version { needed: version(needed), has: version(has) })
    };
    let Versions { glibc: needed, glibcxx, cxxabi, gcc } = elf.versions;
    let of_glibc = needed.filter(|needed| *needed > glibc);
    of_glibc
        .map(|needed| Misfit::Version { needed: format!("GLIBC_{needed}"), has: format!("GLIBC_{glibc}") })
        .or_else(|| newer("GLIBCXX_3.4.", glibcxx, Libstdcxx::glibcxx))
        .or_else(|| newer("CXXABI_1.3.", cxxabi, Libstdcxx::cxxabi))
        .or_else(|| newer("GCC_", gcc, Libstdcxx::gcc))
}

/// What is wrong with a file, so that several files may have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Defect {
    Unfit(Misfit),
    /// A library is nowhere.
    Missing(String),
    /// A library is in the artifact, by its position, but not where the linker looks.
    Unreachable(String, usize),
}

impl Defect {
    /// Returns whether it is an error in a file that has to load.
    fn may_be_error(&self, binary: &Binary) -> bool {
        match self {
            Self::Unfit(_) => true,
            Self::Missing(library) => !advice::is_of_the_host(library) && !advice::is_optional(&binary.path),
            Self::Unreachable(..) => false,
        }
    }
}

/// Finds what is wrong with one file.
struct Defects<'a> {
    binaries: &'a [Binary],
    owners: &'a [Owner],
    system: &'a System,
    allowed: &'a BTreeSet<String>,
    links: &'a [Place<'a>],
}

impl Defects<'_> {
    fn of(&self, binary: &Binary) -> Vec<Defect> {
        let elf = match &binary.elf {
            Ok(elf) if elf.role == Role::Object => return Vec::new(),
            Ok(elf) => elf,
            Err(reason) => return vec![Defect::Unfit(Misfit::Malformed(reason.clone()))],
        };
        let System { architecture, glibc, libstdcxx, .. } = *self.system;
        let unfit = misfit_of(elf, architecture, glibc, libstdcxx);
        // What is for another machine finds nothing of what there is.
        if let Some(Misfit::Machine { .. }) = unfit {
            return unfit.into_iter().map(Defect::Unfit).collect();
        }
        let missing = self.links.iter().filter_map(|link| self.missing(binary, link));
        unfit.into_iter().map(Defect::Unfit).chain(missing).collect()
    }

    fn missing(&self, binary: &Binary, link: &Place) -> Option<Defect> {
        let (library, elsewhere) = match link {
            Place::Found(_) => return None,
            Place::Elsewhere(library, at) => (*library, Some(*at)),
            Place::Nowhere(library) => (*library, None),
        };
        let is_known = elf::is_of_the_platform(library)
            || self.system.libraries.as_ref().is_some_and(|libraries| libraries.contains(library))
            || self.allowed.iter().any(|name| library == name || advice::stem(library) == name);
        match elsewhere {
            _ if is_known => None,
            Some(at) if self.is_imported_first(binary.owner, self.binaries[at].owner) => None,
            Some(at) => Some(Defect::Unreachable(library.to_owned(), at)),
            None => Some(Defect::Missing(library.to_owned())),
        }
    }

    /// Returns whether who brings a file imports another distribution, so that its libraries are open before the file is.
    fn is_imported_first(&self, owner: usize, other: usize) -> bool {
        match &self.owners[other].origin {
            Origin::Distribution(other) => self.owners[owner].requires.contains(&other.name),
            Origin::Application => false,
        }
    }
}

/// Tells of each file whether it certainly has to load.
fn certain(binaries: &[Binary], owners: &[Owner], links: &[Vec<Place>], defects: &[Vec<Defect>]) -> Vec<bool> {
    let promise = |binary: &Binary| owners[binary.owner].promise;
    // Who has nothing that loads is of no use.
    let useful: BTreeSet<usize> = binaries
        .iter()
        .zip(defects)
        .filter(|(_, defects)| defects.is_empty())
        .map(|(binary, _)| binary.owner)
        .collect();
    let is_first = |binary: &Binary| match promise(binary) {
        Promise::Nothing => false,
        Promise::Platform => is_module(binary) || !useful.contains(&binary.owner),
        Promise::Own => true,
    };
    let mut certain: Vec<bool> = binaries.iter().map(is_first).collect();
    let mut open: Vec<usize> = (0..binaries.len()).filter(|at| certain[*at]).collect();
    while let Some(at) = open.pop() {
        for linked in links[at].iter().filter_map(Place::found) {
            if !certain[linked] && promise(&binaries[linked]) != Promise::Nothing {
                certain[linked] = true;
                open.push(linked);
            }
        }
    }
    certain
}

/// Tells whether Python opens a file: a damaged one is taken for what its name says.
fn is_module(binary: &Binary) -> bool {
    match &binary.elf {
        Ok(elf) => elf.role == Role::Module,
        Err(_) => linker::file_name(&binary.path).contains(".so"),
    }
}

fn misfit(defect: Defect, binaries: &[Binary], owners: &[Owner], system: &System) -> Misfit {
    match defect {
        Defect::Unfit(misfit) => misfit,
        Defect::Missing(library) => Misfit::Missing { library, is_certain: system.libraries.is_some() },
        Defect::Unreachable(library, at) => Misfit::Unreachable {
            library,
            at: binaries[at].path.clone(),
            owner: owners[binaries[at].owner].origin.to_string(),
        },
    }
}

fn readable(binaries: &[Binary]) -> impl Iterator<Item = (&Binary, &Elf)> {
    binaries.iter().filter_map(|binary| Some((binary, binary.elf.as_ref().ok()?)))
}

#[cfg(test)]
mod tests;
