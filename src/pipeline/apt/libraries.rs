//! The dynamic linker's cache of a base with its packages.

use std::collections::{BTreeMap, BTreeSet};

use object::elf::{EM_AARCH64, EM_X86_64};

use crate::audit::elf::ElfMachine;
use crate::debian::deb::field_of;
use crate::debian::linker_cache::{self, AARCH64, CachedLibrary, LibraryEntry, X86_64};
use crate::pipeline::apt::SystemLayerError;
use crate::pipeline::apt::closure_files::PlacedContent;
use crate::pipeline::apt::system_paths::PathKind;
use crate::pipeline::apt::system_state::SystemState;
use crate::platform::Architecture;
use crate::tree::FileAccess;

const CACHE: &str = "etc/ld.so.cache";

/// The directories that ldconfig always searches, after those of its configuration.
const BUILT_IN: [&str; 2] = ["/lib", "/usr/lib"];

/// Writes the cache, and the links from the names in libraries to their files that are missing.
///
/// # Errors
/// A configuration file of a package cannot be read.
pub(super) fn write(state: &mut SystemState, libc: Option<&str>) -> Result<(), SystemLayerError> {
    // Without it, ldconfig was never there.
    let Some(generator) = libc.and_then(|paragraph| generator(state, paragraph)) else { return Ok(()) };
    let mut seen = BTreeSet::new();
    let mut libraries = Vec::new();
    for directory in directories(state)? {
        let resolved = state.resolve(&directory);
        if state.files.paths.kind(&resolved) != Some(PathKind::Directory) || !seen.insert(resolved.clone()) {
            continue;
        }
        for library in linker_cache::choose(entries(state, &resolved)) {
            let link = format!("{resolved}/{}", library.soname);
            if !library.is_link && !state.exists(&link) {
                state.link(&link, &library.name);
            }
            let path = format!("{directory}/{}", library.soname);
            libraries.push(CachedLibrary { soname: library.soname, path, flags: library.flags });
        }
    }
    state.write(CACHE, FileAccess::FILE, linker_cache::linker_cache(libraries, &generator));
    Ok(())
}

/// Returns what ldconfig of a C library calls itself.
fn generator(state: &SystemState, libc: &str) -> Option<String> {
    let version = field_of(libc, "Version")?;
    let release = version.rsplit_once('-').map_or(version, |(upstream, _)| upstream);
    let text = state.text("etc/os-release").ok().flatten().unwrap_or_default();
    let vendor = if text.lines().any(|line| line == "ID=ubuntu") { "Ubuntu" } else { "Debian" };
    Some(format!("ldconfig ({vendor} GLIBC {version}) stable release version {release}"))
}

/// Returns the directories in the order in which they are searched.
fn directories(state: &SystemState) -> Result<Vec<String>, SystemLayerError> {
    let configuration = state.text("etc/ld.so.conf")?.unwrap_or_default();
    let mut included = BTreeMap::new();
    let base = state.base.texts_below("etc/ld.so.conf.d").map(|(path, _)| path.to_owned());
    let packages = state.files.entries.range("etc/ld.so.conf.d/".to_owned()..).map(|(path, _)| path.clone());
    let packages = packages.take_while(|path| path.starts_with("etc/ld.so.conf.d/"));
    for path in base.chain(packages).filter(|path| path.ends_with(".conf")).collect::<Vec<_>>() {
        if let Some(text) = state.text(&path)? {
            included.insert(path, text);
        }
    }
    let mut include = |pattern: &str| match pattern.trim_start_matches('/') {
        "etc/ld.so.conf.d/*.conf" => included.values().cloned().collect(),
        other => included.get(other).cloned().into_iter().collect(),
    };
    let mut found = linker_cache::directories(&configuration, &mut include);
    found.extend(BUILT_IN.map(str::to_owned));
    Ok(found)
}

/// Returns the libraries, and the links to libraries, in a directory.
fn entries(state: &SystemState, directory: &str) -> Vec<LibraryEntry> {
    let prefix = format!("{directory}/");
    let base = state.base.libraries().map(|(path, _)| path).filter(|path| path.starts_with(&prefix));
    let packages = state.files.entries.range(prefix.clone()..).map(|(path, _)| path.as_str());
    let packages = packages.take_while(|path| path.starts_with(&prefix));
    let names: BTreeSet<&str> = base.chain(packages).filter_map(|path| path.strip_prefix(&prefix)).collect();
    let links: BTreeSet<String> = state.files.paths.links_in(directory).into_keys().collect();
    let names: BTreeSet<&str> = names.into_iter().chain(links.iter().map(String::as_str)).collect();
    let names = names.into_iter().filter(|name| !name.contains('/') && linker_cache::is_library_name(name));
    names
        .filter_map(|name| {
            let path = format!("{prefix}{name}");
            let is_link = state.files.paths.kind(&path) == Some(PathKind::Link);
            let (soname, flags) = library(state, &state.files.paths.resolve(&path, true)?)?;
            Some(LibraryEntry { name: name.to_owned(), soname, flags, is_link })
        })
        .collect()
}

/// Returns the name in the library at a resolved path, and its flags.
fn library(state: &SystemState, path: &str) -> Option<(Option<String>, u32)> {
    if let Some(entry) = state.files.entries.get(path) {
        return match &entry.content {
            PlacedContent::File(file) => {
                let library = file.library.as_ref()?;
                let flags = match library.machine {
                    ElfMachine::Known(Architecture::X86_64) => X86_64,
                    ElfMachine::Known(Architecture::Arm64) => AARCH64,
                    ElfMachine::Other(_) => return None,
                };
                Some((library.soname.clone(), flags))
            }
            PlacedContent::HardLink(target) => library(state, target),
            PlacedContent::Link(_) => None,
        };
    }
    let found = state.base.library(path)?;
    let flags = match found.machine {
        EM_X86_64 if found.is_64_bit => X86_64,
        EM_AARCH64 if found.is_64_bit => AARCH64,
        _ => return None,
    };
    Some((found.soname.clone(), flags))
}
