//! Resolves the libraries that compiled files are linked to as the dynamic linker does.
//!
//! Specification: [System V ABI, shared object dependencies](https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html#shobj_dependencies)
//! and [ld.so(8)](https://man7.org/linux/man-pages/man8/ld.so.8.html), dynamic string tokens.

use std::collections::{BTreeSet, HashMap};

use super::{Binary, CLibraryKind, Elf};

/// Where a library is, if it is in the artifact. Positions are those of binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LibraryLookup<'a> {
    Found(usize),
    /// In the artifact, but where the linker does not look.
    OutsideSearchPath(&'a str, usize),
    NotFound(&'a str),
}

impl LibraryLookup<'_> {
    pub(super) fn found(&self) -> Option<usize> {
        match self {
            Self::Found(at) => Some(*at),
            Self::OutsideSearchPath(..) | Self::NotFound(_) => None,
        }
    }
}

/// The files of an artifact as the dynamic linker sees them.
pub(super) struct DynamicLinker<'a> {
    binaries: &'a [Binary],
    library_path: &'a [String],
    libc: CLibraryKind,
    /// By the path at run time.
    by_path: HashMap<&'a str, usize>,
    /// By SONAME and file name; the first file of a name.
    by_name: HashMap<&'a str, usize>,
}

impl<'a> DynamicLinker<'a> {
    pub(super) fn new(binaries: &'a [Binary], library_path: &'a [String], libc: CLibraryKind) -> Self {
        let by_path = binaries.iter().enumerate().map(|(at, binary)| (binary.runtime_path.as_str(), at)).collect();
        let mut by_name = HashMap::new();
        for (at, binary) in binaries.iter().enumerate() {
            let soname = binary.elf.as_ref().ok().and_then(|elf| elf.soname.as_deref());
            for name in soname.into_iter().chain([file_name(&binary.path)]) {
                by_name.entry(name).or_insert(at);
            }
        }
        Self { binaries, library_path, libc, by_path, by_name }
    }

    /// Returns whether a library is anywhere in the artifact.
    pub(super) fn contains(&self, library: &str) -> bool {
        self.by_name.contains_key(library)
    }

    /// Resolves the libraries that each file is linked to, in the order of `DT_NEEDED`.
    pub(super) fn links(&self) -> Vec<Vec<LibraryLookup<'a>>> {
        let mut links: Vec<Vec<LibraryLookup>> = self.binaries.iter().map(|binary| self.own_links(binary)).collect();
        // The DT_RPATH of the files that load a file applies to it too, and libraries that they have loaded are found.
        // A library that is found this way may load others, so repeat until nothing changes.
        while self.resolve_by_loaders(&mut links) {}
        links
    }

    /// Resolves the libraries that a file is linked to by its own search path.
    fn own_links(&self, binary: &'a Binary) -> Vec<LibraryLookup<'a>> {
        let Ok(elf) = &binary.elf else { return Vec::new() };
        elf.needed.iter().map(|library| self.look_up(library, || self.search_path(binary, elf, true))).collect()
    }

    /// Resolves libraries that were not found by the files that load each file. Returns whether any was found.
    fn resolve_by_loaders(&self, links: &mut [Vec<LibraryLookup<'a>>]) -> bool {
        let mut has_changed = false;
        for at in 0..links.len() {
            if links[at].iter().all(|lookup| !matches!(lookup, LibraryLookup::OutsideSearchPath(..))) {
                continue;
            }
            let loaders = loaders(at, links);
            let loaded: BTreeSet<usize> =
                loaders.iter().flat_map(|loader| links[*loader].iter().filter_map(LibraryLookup::found)).collect();
            let inherited: Vec<String> = loaders.iter().flat_map(|loader| self.inherited_path(*loader)).collect();
            for lookup in &mut links[at] {
                let LibraryLookup::OutsideSearchPath(library, position) = *lookup else { continue };
                let found = if loaded.contains(&position) {
                    LibraryLookup::Found(position)
                } else {
                    self.look_up(library, || inherited.clone())
                };
                if found.found().is_some() {
                    *lookup = found;
                    has_changed = true;
                }
            }
        }
        has_changed
    }

    /// Returns the directories that the linker searches for the libraries of the libraries of a file.
    fn inherited_path(&self, loader: usize) -> Vec<String> {
        let binary = &self.binaries[loader];
        binary.elf.as_ref().map_or_else(|_| Vec::new(), |elf| self.search_path(binary, elf, false))
    }

    /// Looks a library up in directories. A name with a slash is a path.
    fn look_up(&self, library: &'a str, directories: impl FnOnce() -> Vec<String>) -> LibraryLookup<'a> {
        let name = file_name(library);
        // Most libraries are the system's, which no directory of the artifact has.
        let Some(at) = self.by_name.get(name) else { return LibraryLookup::NotFound(name) };
        let found = if library.contains('/') {
            self.by_path.get(library)
        } else {
            let mut paths = directories().into_iter().map(|directory| normalized(&format!("{directory}/{library}")));
            paths.find_map(|path| self.by_path.get(path.as_str()))
        };
        found.map_or(LibraryLookup::OutsideSearchPath(name, *at), |found| LibraryLookup::Found(*found))
    }

    /// Returns the directories that the linker searches because of a file: for the libraries that the file itself is linked
    /// to (`is_own`), or for those that its libraries are linked to. `DT_RPATH` is ignored if there is a `DT_RUNPATH`, and
    /// only `DT_RPATH` is inherited by glibc, but either by musl.
    fn search_path(&self, binary: &Binary, elf: &Elf, is_own: bool) -> Vec<String> {
        let mut path = Vec::new();
        if self.libc == CLibraryKind::Musl && !is_own {
            path.extend(elf.runpath.iter().flat_map(|directory| expanded(directory, &binary.runtime_path)));
        }
        if elf.runpath.is_empty() {
            path.extend(elf.rpath.iter().flat_map(|directory| expanded(directory, &binary.runtime_path)));
        }
        if is_own {
            path.extend(self.library_path.iter().cloned());
            path.extend(elf.runpath.iter().flat_map(|directory| expanded(directory, &binary.runtime_path)));
        }
        path
    }
}

/// Returns the files that load a file, directly or indirectly.
fn loaders(of: usize, links: &[Vec<LibraryLookup>]) -> BTreeSet<usize> {
    let mut loaders = BTreeSet::new();
    let mut pending = vec![of];
    while let Some(loaded) = pending.pop() {
        for (at, lookups) in links.iter().enumerate() {
            if lookups.iter().any(|lookup| lookup.found() == Some(loaded)) && loaders.insert(at) {
                pending.push(at);
            }
        }
    }
    loaders
}

/// Expands the dynamic string tokens in a directory of `DT_RPATH` or `DT_RUNPATH` to all values that they may have.
fn expanded(directory: &str, runtime_path: &str) -> Vec<String> {
    let origin = runtime_path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let text = directory.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
    let tokens: [(&str, &[&str]); 4] = [
        ("${LIB}", &["lib64", "lib"]),
        ("$LIB", &["lib64", "lib"]),
        ("${PLATFORM}", &["x86_64", "aarch64"]),
        ("$PLATFORM", &["x86_64", "aarch64"]),
    ];
    let mut texts = vec![text];
    for (token, values) in tokens {
        texts = texts
            .into_iter()
            .flat_map(|text| {
                if text.contains(token) {
                    values.iter().map(|value| text.replace(token, value)).collect()
                } else {
                    vec![text]
                }
            })
            .collect();
    }
    texts
}

/// Returns a path without `.`, `..` and empty components.
fn normalized(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
