//! Checks that the compiled files of an artifact can be loaded on the target: that they are for its machine, that its
//! libraries are new enough, and that the dynamic linker finds everything that they are linked to.
//!
//! Not every missing library is an error. Extension modules and the libraries that they are linked to have to load. A
//! library that nothing is linked to may never be opened, and a library that the linker does not find may have been opened
//! by another module before.

mod finding;
mod linker;
mod providers;

use std::collections::{BTreeMap, BTreeSet};

use super::c_library::CLibraryKind;
use super::elf::{self, Elf, ElfMachine, ElfRole, MalformedElf, SymbolVersions};
use super::musl::MuslFeature;
use crate::debian::DebianRelease;
use crate::name::DistributionName;
use crate::platform::{Architecture, CLibrary, ExtensionSuffixes, Libstdcxx, Musl};
use crate::tree::FileOrigin;
use linker::{DynamicLinker, LibraryLookup};

pub(crate) use finding::{LibraryFinding, LoadProblem};

/// A compiled file of an artifact.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    /// The path in the artifact.
    pub(crate) path: String,
    /// The path at run time, for instance `/var/task/numpy/core.so`.
    pub(crate) runtime_path: String,
    pub(crate) elf: Result<Elf, MalformedElf>,
    /// The position among the owners.
    pub(crate) owner: usize,
}

/// The distribution or the application that contains compiled files.
#[derive(Debug, Clone)]
pub(crate) struct BinaryOwner {
    pub(crate) origin: FileOrigin,
    pub(crate) guarantee: LoadGuarantee,
    /// The distributions that it requires, and therefore may import first.
    pub(crate) requires: BTreeSet<DistributionName>,
}

/// Which of an owner's compiled files have to load on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoadGuarantee {
    /// No file: a wheel that is tagged `any` works without its compiled files.
    None,
    /// Extension modules, and what they are linked to: the wheel's platform tag says so.
    Modules,
    /// Every file: they were built for this artifact, or belong to the application.
    AllFiles,
}

/// What the target provides for compiled files.
#[derive(Debug, Clone)]
pub(crate) struct TargetSystem {
    /// The target's name in messages.
    pub(crate) name: String,
    pub(crate) kind: SystemKind,
    pub(crate) architecture: Architecture,
    pub(crate) libc: CLibrary,
    /// The suffixes of the extension modules that its Python loads.
    pub(crate) suffixes: ExtensionSuffixes,
    /// `None` if it is unknown; then every version is assumed to be new enough.
    pub(crate) libstdcxx: Option<Libstdcxx>,
    /// The shared libraries beyond those of every platform with its C library; `None` if they are unknown.
    pub(crate) libraries: Option<BTreeSet<String>>,
    /// The directories of `LD_LIBRARY_PATH`.
    pub(crate) library_path: Vec<String>,
}

/// The kind of a target, which decides what the hints suggest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemKind {
    /// A Lambda runtime, which is fixed.
    Lambda,
    /// Another service that runs functions or jobs.
    Service,
    /// A base image, which can be replaced by another, with its release of Debian if it is known and one.
    Image(Option<DebianRelease>),
    /// A base image with musl, for which there are no packages of Debian.
    MuslImage,
}

/// Returns the libraries that are neither in the artifact nor on every platform with a C library, so that the target has to be
/// searched for them.
pub(crate) fn external_libraries(binaries: &[Binary], libc: CLibraryKind) -> BTreeSet<&str> {
    let linker = DynamicLinker::new(binaries, &[], libc);
    let needed = readable(binaries).flat_map(|(_, elf)| &elf.needed).map(|library| linker::file_name(library));
    needed.filter(|library| !elf::is_platform_library(library, libc) && !linker.contains(library)).collect()
}

/// Checks the compiled files of an artifact. `allowed` are the libraries of `--allow-missing`, such as `libGL.so.1` or
/// `libGL`, and `unloaded` the paths of extension modules that nothing certainly imports.
pub(crate) fn audit(
    binaries: &[Binary],
    owners: &[BinaryOwner],
    system: &TargetSystem,
    allowed: &BTreeSet<String>,
    unloaded: &BTreeSet<String>,
) -> Vec<LibraryFinding> {
    LibraryAudit { binaries, owners, system, allowed, unloaded }.findings()
}

/// Returns why a file cannot be loaded on a target, apart from the libraries that it is linked to.
pub(crate) fn load_problem(
    elf: &Elf,
    architecture: Architecture,
    libc: CLibrary,
    libstdcxx: Option<Libstdcxx>,
) -> Option<LoadProblem> {
    if elf.machine != ElfMachine::Known(architecture) {
        return Some(LoadProblem::Machine { found: elf.machine, target: architecture });
    }
    if let Some(found) = elf.c_library().filter(|found| *found != CLibraryKind::of(libc)) {
        return Some(LoadProblem::CLibrary { found, target: libc });
    }
    let glibc = match libc {
        CLibrary::Glibc(glibc) => glibc,
        CLibrary::Musl(musl) => return too_new_for_musl(elf, musl),
    };
    let SymbolVersions { glibc: needed, glibcxx, cxxabi, gcc } = elf.versions;
    if let Some(needed) = needed.filter(|needed| *needed > glibc) {
        return Some(LoadProblem::Version { needed: format!("GLIBC_{needed}"), has: format!("GLIBC_{glibc}") });
    }
    let libstdcxx = libstdcxx?;
    too_new("GLIBCXX_3.4.", glibcxx, libstdcxx.glibcxx())
        .or_else(|| too_new("CXXABI_1.3.", cxxabi, libstdcxx.cxxabi()))
        .or_else(|| too_new("GCC_", gcc, libstdcxx.gcc()))
}

/// Returns what a file needs of a later musl, which has no symbol versions.
fn too_new_for_musl(elf: &Elf, musl: Musl) -> Option<LoadProblem> {
    let functions = elf.new_functions.iter().cloned().map(MuslFeature::Function);
    let mut features = functions.chain(elf.is_packed.then_some(MuslFeature::RelativeRelocations));
    let needed = features.find(|feature| feature.since() > musl)?;
    Some(LoadProblem::NewerMusl { needed, has: musl })
}

/// Compares the needed version of a family of symbols with the version that the target has.
fn too_new(family: &str, needed: Option<u16>, has: u16) -> Option<LoadProblem> {
    let needed = needed.filter(|needed| *needed > has)?;
    Some(LoadProblem::Version { needed: format!("{family}{needed}"), has: format!("{family}{has}") })
}

/// A problem of one file in a form that compares equal for all files that have it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SharedProblem {
    Incompatible(LoadProblem),
    /// A library is neither in the artifact nor on the target.
    Missing(String),
    /// A library is in the artifact, at this position, but not where the linker looks.
    Unreachable(String, usize),
}

struct LibraryAudit<'a> {
    binaries: &'a [Binary],
    owners: &'a [BinaryOwner],
    system: &'a TargetSystem,
    allowed: &'a BTreeSet<String>,
    unloaded: &'a BTreeSet<String>,
}

impl LibraryAudit<'_> {
    /// Returns one finding for all files of an owner that have the same problem: there may be hundreds.
    fn findings(&self) -> Vec<LibraryFinding> {
        let links = DynamicLinker::new(self.binaries, &self.system.library_path, self.libc()).links();
        let problems: Vec<_> =
            self.binaries.iter().zip(&links).map(|(binary, links)| self.problems(binary, links)).collect();
        let useful = self.binaries.iter().zip(&problems).filter(|(_, problems)| problems.is_empty());
        let useful = useful.map(|(binary, _)| binary.owner).collect();
        let loaders = self.certain_loaders(&links, &useful);

        let mut certain: BTreeMap<(usize, SharedProblem), Vec<usize>> = BTreeMap::new();
        let mut possible: BTreeMap<(usize, SharedProblem), Vec<usize>> = BTreeMap::new();
        let mut absent: BTreeMap<usize, (BTreeSet<String>, BTreeSet<usize>)> = BTreeMap::new();
        for (at, problem) in (0..).zip(problems).flat_map(|(at, all)| all.into_iter().map(move |problem| (at, problem)))
        {
            let binary = &self.binaries[at];
            match (loaders[at], &problem) {
                (loader, SharedProblem::Incompatible(LoadProblem::Machine { .. } | LoadProblem::CLibrary { .. }))
                    if loader.is_none_or(|loader| loader == at) && self.is_for_other_machines(binary, &useful) => {}
                (Some(_), SharedProblem::Incompatible(_)) => {
                    certain.entry((binary.owner, problem)).or_default().push(at)
                }
                (Some(_), SharedProblem::Missing(library)) if self.is_required(library) => {
                    certain.entry((binary.owner, problem)).or_default().push(at);
                }
                (_, SharedProblem::Missing(library)) => {
                    let (libraries, files) = absent.entry(binary.owner).or_default();
                    libraries.insert(library.clone());
                    files.insert(at);
                }
                // Its owner may open the needed library before this one.
                (None, SharedProblem::Unreachable(_, other)) if self.binaries[*other].owner == binary.owner => {}
                (_, SharedProblem::Incompatible(_) | SharedProblem::Unreachable(..)) => {
                    possible.entry((binary.owner, problem)).or_default().push(at);
                }
            }
        }
        let mut findings = Vec::new();
        for ((_, problem), files) in &certain {
            findings.push(self.finding(files, &loaders, self.load_problem(problem), true));
        }
        for (libraries, files) in absent.into_values() {
            let files: Vec<usize> = files.into_iter().collect();
            findings.push(self.finding(&files, &loaders, self.missing(libraries.into_iter().collect()), false));
        }
        for ((_, problem), files) in &possible {
            findings.push(self.finding(files, &loaders, self.load_problem(problem), false));
        }
        findings
    }

    fn problems(&self, binary: &Binary, links: &[LibraryLookup]) -> Vec<SharedProblem> {
        let elf = match &binary.elf {
            Ok(elf) if elf.role == ElfRole::Object => return Vec::new(),
            Ok(elf) => elf,
            Err(reason) => return vec![SharedProblem::Incompatible(LoadProblem::Malformed(reason.clone()))],
        };
        let TargetSystem { architecture, libc, libstdcxx, .. } = *self.system;
        let incompatible = load_problem(elf, architecture, libc, libstdcxx);
        let incompatible = incompatible.or_else(|| self.foreign_module(binary));
        // A file for another machine or C library would miss every library, and what is not loaded needs none.
        if let Some(LoadProblem::Machine { .. } | LoadProblem::CLibrary { .. } | LoadProblem::ForeignModule { .. }) =
            incompatible
        {
            return incompatible.into_iter().map(SharedProblem::Incompatible).collect();
        }
        let missing = links.iter().filter_map(|link| self.missing_library(binary, link));
        incompatible.into_iter().map(SharedProblem::Incompatible).chain(missing).collect()
    }

    /// Returns the problem of an extension module that Python does not look at, because its name says that it is for another
    /// version or platform, unless there is one for the target beside it.
    fn foreign_module(&self, binary: &Binary) -> Option<LoadProblem> {
        let TargetSystem { libc, suffixes, .. } = self.system;
        let suffix = suffixes.foreign(&binary.path).filter(|_| is_module(binary))?;
        let stem = binary.path.strip_suffix(suffix)?;
        let others = self.binaries.iter().filter_map(|other| other.path.strip_prefix(stem));
        if others.into_iter().any(|other| suffixes.position(other).is_some()) {
            return None;
        }
        let named = CLibraryKind::of_module(linker::file_name(&binary.path)).filter(|named| *named != self.libc());
        Some(match named {
            Some(found) => LoadProblem::CLibrary { found, target: *libc },
            None => LoadProblem::ForeignModule { expected: suffixes.as_slice().first()?.clone() },
        })
    }

    fn libc(&self) -> CLibraryKind {
        CLibraryKind::of(self.system.libc)
    }

    /// Returns the problem of a library that a file is linked to, if it has one.
    fn missing_library(&self, binary: &Binary, link: &LibraryLookup) -> Option<SharedProblem> {
        let (library, position) = match link {
            LibraryLookup::Found(_) => return None,
            LibraryLookup::OutsideSearchPath(library, at) => (*library, Some(*at)),
            LibraryLookup::NotFound(library) => (*library, None),
        };
        let is_available = elf::is_platform_library(library, self.libc())
            || self.system.libraries.as_ref().is_some_and(|libraries| libraries.contains(library))
            || self.allowed.iter().any(|name| library == name || providers::stem(library) == name)
            || providers::is_optional(&binary.path);
        match position {
            _ if is_available => None,
            Some(at) if self.is_imported_first(binary.owner, self.binaries[at].owner) => None,
            Some(at) => Some(SharedProblem::Unreachable(listed_name(binary, library).to_owned(), at)),
            None => Some(SharedProblem::Missing(library.to_owned())),
        }
    }

    /// Returns whether an owner requires another distribution, so that it may import it first, which opens its libraries.
    fn is_imported_first(&self, owner: usize, other: usize) -> bool {
        match &self.owners[other].origin {
            FileOrigin::Distribution(other) => self.owners[owner].requires.contains(&other.name),
            FileOrigin::System(_) | FileOrigin::Application => false,
        }
    }

    /// Returns whether a file cannot be loaded without a library that is not in the artifact.
    fn is_required(&self, library: &str) -> bool {
        self.system.libraries.is_some() && !providers::is_host_library(library)
    }

    /// Returns for each file that certainly has to load the file that loads it: the file itself if Python opens it.
    /// `useful` are the owners of at least one file without problems.
    fn certain_loaders(&self, links: &[Vec<LibraryLookup>], useful: &BTreeSet<usize>) -> Vec<Option<usize>> {
        let mut loaders: Vec<Option<usize>> = vec![None; self.binaries.len()];
        let opened: Vec<usize> = (0..loaders.len()).filter(|at| self.is_opened(&self.binaries[*at], useful)).collect();
        // Modules come first, so that a finding names the module that loads a library.
        let (modules, others): (Vec<usize>, Vec<usize>) =
            opened.into_iter().partition(|at| is_module(&self.binaries[*at]));
        for first in modules.into_iter().chain(others) {
            let mut pending = vec![first];
            while let Some(at) = pending.pop() {
                if loaders[at].is_some() || self.owners[self.binaries[at].owner].guarantee == LoadGuarantee::None {
                    continue;
                }
                loaders[at] = Some(first);
                pending.extend(links[at].iter().filter_map(LibraryLookup::found));
            }
        }
        loaders
    }

    /// Returns whether Python certainly opens a file.
    fn is_opened(&self, binary: &Binary, useful: &BTreeSet<usize>) -> bool {
        match self.owners[binary.owner].guarantee {
            LoadGuarantee::None => false,
            // If no other file of the distribution loads, this one must.
            LoadGuarantee::Modules if self.unloaded.contains(&binary.path) => false,
            LoadGuarantee::Modules => is_module(binary) || !useful.contains(&binary.owner),
            LoadGuarantee::AllFiles => true,
        }
    }

    /// Returns whether a file for another machine or C library is meant for that, next to files for the target.
    fn is_for_other_machines(&self, binary: &Binary, useful: &BTreeSet<usize>) -> bool {
        match self.owners[binary.owner].guarantee {
            LoadGuarantee::Modules if is_module(binary) => false,
            LoadGuarantee::None | LoadGuarantee::Modules => useful.contains(&binary.owner),
            // The same file is there for the target.
            LoadGuarantee::AllFiles => readable(self.binaries).any(|(other, elf)| {
                elf.machine == ElfMachine::Known(self.system.architecture)
                    && elf.c_library().is_none_or(|libc| libc == self.libc())
                    && other.owner == binary.owner
                    && linker::file_name(&other.path) == linker::file_name(&binary.path)
            }),
        }
    }

    fn finding(
        &self,
        files: &[usize],
        loaders: &[Option<usize>],
        problem: LoadProblem,
        is_error: bool,
    ) -> LibraryFinding {
        let first = files.iter().copied().min_by_key(|at| !is_module(&self.binaries[*at])).unwrap_or_default();
        let loader = loaders[first].filter(|loader| is_error && *loader != first);
        LibraryFinding {
            file: self.binaries[first].path.clone(),
            loaded: files
                .iter()
                .map(|at| loaders[*at].unwrap_or(*at))
                .map(|at| self.binaries[at].path.clone())
                .collect(),
            others: files.len().saturating_sub(1),
            loader: loader.map(|loader| self.binaries[loader].path.clone()),
            owner: self.owners[self.binaries[first].owner].origin.clone(),
            system: self.system.name.clone(),
            kind: self.system.kind,
            problem,
            is_error,
        }
    }

    fn load_problem(&self, problem: &SharedProblem) -> LoadProblem {
        match problem {
            SharedProblem::Incompatible(problem) => problem.clone(),
            SharedProblem::Missing(library) => self.missing(vec![library.clone()]),
            SharedProblem::Unreachable(library, at) => LoadProblem::Unreachable {
                library: library.clone(),
                at: self.binaries[*at].path.clone(),
                owner: self.owners[self.binaries[*at].owner].origin.to_string(),
            },
        }
    }

    fn missing(&self, libraries: Vec<String>) -> LoadProblem {
        LoadProblem::Missing { libraries, is_known: self.system.libraries.is_some() }
    }
}

/// Returns the name of a library as a file lists it, which may be a path.
fn listed_name<'a>(binary: &'a Binary, library: &'a str) -> &'a str {
    let listed = binary.elf.iter().flat_map(|elf| &elf.needed).find(|needed| linker::file_name(needed) == library);
    listed.map_or(library, String::as_str)
}

/// Returns whether a file is an extension module; a malformed file is judged by its name.
fn is_module(binary: &Binary) -> bool {
    match &binary.elf {
        Ok(elf) => elf.role == ElfRole::Module,
        Err(_) => linker::file_name(&binary.path).contains(".so"),
    }
}

fn readable(binaries: &[Binary]) -> impl Iterator<Item = (&Binary, &Elf)> {
    binaries.iter().filter_map(|binary| Some((binary, binary.elf.as_ref().ok()?)))
}

#[cfg(test)]
mod tests;
