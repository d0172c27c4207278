//! Where the dynamic linker finds what files are linked to.
//!
//! Specification: [System V ABI, shared object dependencies](https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html#shobj_dependencies)
//! and [ld.so(8)](https://man7.org/linux/man-pages/man8/ld.so.8.html), dynamic string tokens.

use std::collections::{BTreeSet, HashMap};

use super::{Binary, Elf, readable};

/// Where a library is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// In the artifact, at the position of a file, where the linker finds it.
    Found(usize),
    /// In the artifact, at the position of a file, where the linker does not look.
    Elsewhere(&'a str, usize),
    /// Not in the artifact.
    Nowhere(&'a str),
}

impl Place<'_> {
    /// Returns the file that the linker finds.
    pub(super) fn found(&self) -> Option<usize> {
        match self {
            Self::Found(at) => Some(*at),
            Self::Elsewhere(..) | Self::Nowhere(_) => None,
        }
    }
}

/// The files of an artifact as the dynamic linker sees them.
pub(super) struct Linker<'a> {
    binaries: &'a [Binary],
    library_path: &'a [String],
    /// The files by their paths at run time.
    by_path: HashMap<&'a str, usize>,
    /// The files by the names that others may be linked to, the first of a name.
    by_name: HashMap<&'a str, usize>,
}

impl<'a> Linker<'a> {
    pub(super) fn new(binaries: &'a [Binary], library_path: &'a [String]) -> Self {
        let by_path = binaries.iter().enumerate().map(|(at, binary)| (binary.at.as_str(), at)).collect();
        let mut by_name = HashMap::new();
        for (at, binary) in binaries.iter().enumerate() {
            let soname = binary.elf.as_ref().ok().and_then(|elf| elf.soname.as_deref());
            for name in soname.into_iter().chain([file_name(&binary.path)]) {
                by_name.entry(name).or_insert(at);
            }
        }
        Self { binaries, library_path, by_path, by_name }
    }

    /// Returns whether the artifact has a library, wherever it is.
    pub(super) fn has(&self, library: &str) -> bool {
        self.by_name.contains_key(library)
    }

    /// Returns where that is which each file is linked to, in the order of both.
    pub(super) fn links(&self) -> Vec<Vec<Place<'a>>> {
        let own = |binary: &'a Binary| match &binary.elf {
            Ok(elf) => elf.needed.iter().map(|library| self.place(library, self.folders(binary, elf, true))).collect(),
            Err(_) => Vec::new(),
        };
        let mut links: Vec<Vec<Place>> = self.binaries.iter().map(own).collect();
        // A file is loaded by another one: that one's DT_RPATH counts, and what it has loaded already is there. Whoever is
        // found thus may load others.
        while self.inherit(&mut links) {}
        links
    }

    /// Finds more by what loads each file; tells whether there was more.
    fn inherit(&self, links: &mut [Vec<Place<'a>>]) -> bool {
        let mut has_changed = false;
        for at in 0..links.len() {
            if links[at].iter().all(|place| !matches!(place, Place::Elsewhere(..))) {
                continue;
            }
            let loaders = loaders(at, links);
            let loaded: BTreeSet<usize> =
                loaders.iter().flat_map(|loader| links[*loader].iter().filter_map(Place::found)).collect();
            let inherited: Vec<String> = readable(self.binaries)
                .zip(0..)
                .filter(|(_, position)| loaders.contains(position))
                .flat_map(|((binary, elf), _)| self.folders(binary, elf, false))
                .collect();
            for place in &mut links[at] {
                let Place::Elsewhere(library, position) = *place else { continue };
                let found = if loaded.contains(&position) {
                    Place::Found(position)
                } else {
                    self.place(library, inherited.clone())
                };
                if found.found().is_some() {
                    *place = found;
                    has_changed = true;
                }
            }
        }
        has_changed
    }

    /// Returns where a library is that is looked for in folders, and then in the system's.
    fn place(&self, library: &'a str, folders: impl IntoIterator<Item = String>) -> Place<'a> {
        let name = file_name(library);
        let is_path = library.contains('/');
        let mut candidates = folders.into_iter().map(|folder| normalized(&format!("{folder}/{library}")));
        let found = match is_path {
            true => self.by_path.get(library).copied(),
            false => candidates.find_map(|path| self.by_path.get(path.as_str()).copied()),
        };
        match (found, self.by_name.get(name)) {
            (Some(at), _) => Place::Found(at),
            (None, Some(at)) => Place::Elsewhere(name, *at),
            (None, None) => Place::Nowhere(name),
        }
    }

    /// Returns the folders that a file makes the linker look in, for what it is linked to itself, or for what that is
    /// linked to, in their order.
    fn folders(&self, binary: &Binary, elf: &Elf, is_own: bool) -> Vec<String> {
        let expand = |folder: &String| expanded(folder, &binary.at);
        let rpath = elf.rpath.iter().filter(|_| elf.runpath.is_empty()).flat_map(expand);
        let runpath = elf.runpath.iter().filter(|_| is_own).flat_map(expand);
        rpath.chain(self.library_path.iter().filter(|_| is_own).cloned()).chain(runpath).collect()
    }
}

/// Returns all that loads a file, directly or not.
fn loaders(of: usize, links: &[Vec<Place>]) -> BTreeSet<usize> {
    let mut loaders = BTreeSet::new();
    let mut open = vec![of];
    while let Some(loaded) = open.pop() {
        for (at, places) in links.iter().enumerate() {
            if places.iter().any(|place| place.found() == Some(loaded)) && loaders.insert(at) {
                open.push(at);
            }
        }
    }
    loaders
}

/// Returns what a folder of DT_RPATH or DT_RUNPATH may stand for, in a file at a path.
fn expanded(folder: &str, at: &str) -> Vec<String> {
    let origin = at.rsplit_once('/').map_or("", |(folder, _)| folder);
    let text = folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
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
            .flat_map(|text| match text.contains(token) {
                true => values.iter().map(|value| text.replace(token, value)).collect(),
                false => vec![text],
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

/// Returns the last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
