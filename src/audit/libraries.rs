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
use crate::platform::{Architecture, Glibc, Libstdcxx};
use crate::tree::FileOrigin;
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
    pub origin: FileOrigin,
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
    Audit { binaries, owners, system, allowed }.findings()
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

/// The audit of one artifact.
struct Audit<'a> {
    binaries: &'a [Binary],
    owners: &'a [Owner],
    system: &'a System,
    allowed: &'a BTreeSet<String>,
}

impl Audit<'_> {
    /// Returns what there is to say. What is wrong in the same way is said once: a distribution may have hundreds of files.
    fn findings(&self) -> Vec<LibraryFinding> {
        let links = Linker::new(self.binaries, &self.system.library_path).links();
        let defects: Vec<_> =
            self.binaries.iter().zip(&links).map(|(binary, links)| self.defects(binary, links)).collect();
        let useful = self.binaries.iter().zip(&defects).filter(|(_, defects)| defects.is_empty());
        let useful = useful.map(|(binary, _)| binary.owner).collect();
        let loaders = self.certain_loaders(&links, &useful);

        let mut certain: BTreeMap<(usize, Defect), Vec<usize>> = BTreeMap::new();
        let mut possible: BTreeMap<(usize, Defect), Vec<usize>> = BTreeMap::new();
        let mut absent: BTreeMap<usize, (BTreeSet<String>, BTreeSet<usize>)> = BTreeMap::new();
        for (at, defect) in (0..).zip(defects).flat_map(|(at, all)| all.into_iter().map(move |defect| (at, defect))) {
            let binary = &self.binaries[at];
            match (loaders[at], &defect) {
                (loader, Defect::Unfit(Misfit::Machine { .. }))
                    if loader.is_none_or(|loader| loader == at) && self.is_for_others(binary, &useful) => {}
                (Some(_), Defect::Unfit(_)) => certain.entry((binary.owner, defect)).or_default().push(at),
                (Some(_), Defect::Missing(library)) if self.is_required(library) => {
                    certain.entry((binary.owner, defect)).or_default().push(at);
                }
                (_, Defect::Missing(library)) => {
                    let (libraries, files) = absent.entry(binary.owner).or_default();
                    libraries.insert(library.clone());
                    files.insert(at);
                }
                // What may be opened by name may also be preceded by what it needs.
                (None, Defect::Unreachable(_, other)) if self.binaries[*other].owner == binary.owner => {}
                (_, Defect::Unfit(_) | Defect::Unreachable(..)) => {
                    possible.entry((binary.owner, defect)).or_default().push(at);
                }
            }
        }
        let finding = |files: &[usize], misfit, is_error| self.finding(files, &loaders, misfit, is_error);
        let certain = certain.iter().map(|((_, defect), files)| finding(files, self.misfit(defect), true));
        let absent = absent.into_values().map(|(libraries, files)| {
            let files: Vec<usize> = files.into_iter().collect();
            finding(&files, self.missing(libraries.into_iter().collect()), false)
        });
        let possible = possible.iter().map(|((_, defect), files)| finding(files, self.misfit(defect), false));
        certain.chain(absent).chain(possible).collect()
    }

    /// Returns what is wrong with a file.
    fn defects(&self, binary: &Binary, links: &[Place]) -> Vec<Defect> {
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
        let absent = links.iter().filter_map(|link| self.absent(binary, link));
        unfit.into_iter().map(Defect::Unfit).chain(absent).collect()
    }

    /// Returns what is wrong with a library that a file is linked to.
    fn absent(&self, binary: &Binary, link: &Place) -> Option<Defect> {
        let (library, elsewhere) = match link {
            Place::Found(_) => return None,
            Place::Elsewhere(library, at) => (*library, Some(*at)),
            Place::Nowhere(library) => (*library, None),
        };
        let is_there = elf::is_of_the_platform(library)
            || self.system.libraries.as_ref().is_some_and(|libraries| libraries.contains(library))
            || self.allowed.iter().any(|name| library == name || advice::stem(library) == name)
            || advice::is_optional(&binary.path);
        match elsewhere {
            _ if is_there => None,
            Some(at) if self.is_imported_first(binary.owner, self.binaries[at].owner) => None,
            Some(at) => Some(Defect::Unreachable(library.to_owned(), at)),
            None => Some(Defect::Missing(library.to_owned())),
        }
    }

    /// Returns whether who brings a file imports another distribution, so that its libraries are open before the file is.
    fn is_imported_first(&self, owner: usize, other: usize) -> bool {
        match &self.owners[other].origin {
            FileOrigin::Distribution(other) => self.owners[owner].requires.contains(&other.name),
            FileOrigin::Application => false,
        }
    }

    /// Returns whether what certainly has to load fails without a library that is in no artifact.
    fn is_required(&self, library: &str) -> bool {
        self.system.libraries.is_some() && !advice::is_of_the_host(library)
    }

    /// Returns for each file that certainly has to load which one makes it be loaded: itself, if Python opens it.
    /// `useful` are the owners that have a file that loads.
    fn certain_loaders(&self, links: &[Vec<Place>], useful: &BTreeSet<usize>) -> Vec<Option<usize>> {
        let is_opened = |binary: &Binary| match self.owners[binary.owner].promise {
            Promise::Nothing => false,
            // Of a distribution that has nothing else it is all that can be of use.
            Promise::Platform => is_module(binary) || !useful.contains(&binary.owner),
            Promise::Own => true,
        };
        let mut loaders: Vec<Option<usize>> = vec![None; self.binaries.len()];
        let opened: Vec<usize> = (0..loaders.len()).filter(|at| is_opened(&self.binaries[*at])).collect();
        // Modules come first, so that a library is named with the module that needs it.
        let (modules, others): (Vec<usize>, Vec<usize>) =
            opened.into_iter().partition(|at| is_module(&self.binaries[*at]));
        for first in modules.into_iter().chain(others) {
            let mut open = vec![first];
            while let Some(at) = open.pop() {
                if loaders[at].is_some() || self.owners[self.binaries[at].owner].promise == Promise::Nothing {
                    continue;
                }
                loaders[at] = Some(first);
                open.extend(links[at].iter().filter_map(Place::found));
            }
        }
        loaders
    }

    /// Tells whether a file for another machine is there for that machine, beside what is for the target.
    fn is_for_others(&self, binary: &Binary, useful: &BTreeSet<usize>) -> bool {
        let is_twin = |(other, elf): (&Binary, &Elf)| {
            elf.machine == Machine::Known(self.system.architecture)
                && other.owner == binary.owner
                && linker::file_name(&other.path) == linker::file_name(&binary.path)
        };
        match self.owners[binary.owner].promise {
            Promise::Platform if is_module(binary) => false,
            Promise::Nothing | Promise::Platform => useful.contains(&binary.owner),
            Promise::Own => readable(self.binaries).any(is_twin),
        }
    }

    fn finding(&self, files: &[usize], loaders: &[Option<usize>], misfit: Misfit, is_error: bool) -> LibraryFinding {
        let first = files.iter().copied().min_by_key(|at| !is_module(&self.binaries[*at])).unwrap_or_default();
        let loader = loaders[first].filter(|loader| is_error && *loader != first);
        LibraryFinding {
            file: self.binaries[first].path.clone(),
            others: files.len().saturating_sub(1),
            loader: loader.map(|loader| self.binaries[loader].path.clone()),
            owner: self.owners[self.binaries[first].owner].origin.clone(),
            system: self.system.name.clone(),
            kind: self.system.kind,
            misfit,
            is_error,
        }
    }

    fn misfit(&self, defect: &Defect) -> Misfit {
        match defect {
            Defect::Unfit(misfit) => misfit.clone(),
            Defect::Missing(library) => self.missing(vec![library.clone()]),
            Defect::Unreachable(library, at) => Misfit::Unreachable {
                library: library.clone(),
                at: self.binaries[*at].path.clone(),
                owner: self.owners[self.binaries[*at].owner].origin.to_string(),
            },
        }
    }

    fn missing(&self, libraries: Vec<String>) -> Misfit {
        Misfit::Missing { libraries, is_known: self.system.libraries.is_some() }
    }
}

/// Tells whether Python opens a file: a damaged one is taken for what its name says.
fn is_module(binary: &Binary) -> bool {
    match &binary.elf {
        Ok(elf) => elf.role == Role::Module,
        Err(_) => linker::file_name(&binary.path).contains(".so"),
    }
}

fn readable(binaries: &[Binary]) -> impl Iterator<Item = (&Binary, &Elf)> {
    binaries.iter().filter_map(|binary| Some((binary, binary.elf.as_ref().ok()?)))
}

#[cfg(test)]
mod tests;
