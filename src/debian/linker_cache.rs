//! `/etc/ld.so.cache` as ldconfig writes it, without which `ctypes.util.find_library` finds nothing.
//!
//! Specification: glibc 2.36, `sysdeps/generic/dl-cache.h` (the format), `elf/cache.c` (the order), `elf/ldconfig.c` (which
//! file a name stands for).

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";

/// The sizes of the header and of an entry, in bytes.
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// In the header's flags: the file is little-endian.
const LITTLE_ENDIAN: u8 = 2;

/// The magic number of the extensions that follow the strings, and the tags of those that ldconfig writes.
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const GENERATOR: u32 = 0;

/// The flags of a library for glibc on each architecture (`sysdeps/generic/ldconfig.h`).
pub const X86_64: u32 = 0x0303;
/// As [`X86_64`].
pub const AARCH64: u32 = 0x0a03;

/// A library that the cache names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedLibrary {
    /// The name that is looked up.
    pub soname: String,
    /// The absolute path.
    pub path: String,
    /// The kind of library and its architecture.
    pub flags: u32,
}

/// A file or a link in a directory that ldconfig searches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryEntry {
    /// The name in the directory.
    pub name: String,
    /// The name in the library (`DT_SONAME`).
    pub soname: Option<String>,
    /// The kind of library and its architecture.
    pub flags: u32,
    /// Whether it is a symbolic link.
    pub is_link: bool,
}

/// What a name in a directory stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenLibrary {
    /// The name that is looked up.
    pub soname: String,
    /// The name of the file, to which ldconfig makes a link with the name that is looked up.
    pub name: String,
    /// The kind of library and its architecture.
    pub flags: u32,
    /// Whether the file is itself a link, to which no link is made.
    pub is_link: bool,
}

/// Returns whether ldconfig looks at files with this name.
pub fn is_library_name(name: &str) -> bool {
    (name.starts_with("lib") || name.starts_with("ld-")) && name.contains(".so") && !name.ends_with("-gdb.py")
}

/// Chooses a file for each name in one directory.
pub fn choose(entries: impl IntoIterator<Item = LibraryEntry>) -> Vec<ChosenLibrary> {
    let mut chosen: BTreeMap<String, ChosenLibrary> = BTreeMap::new();
    for LibraryEntry { name, soname, flags, is_link } in entries {
        let soname = soname.unwrap_or_else(|| name.clone());
        // A link for the linker, `libx.so`, and one with the name in the library stand for themselves. Any other link counts as
        // a file.
        let is_usual = name == soname || name.ends_with(".so") && soname.starts_with(&name);
        let is_link = is_link && is_usual;
        let soname = if is_link { name.clone() } else { soname };
        let found = ChosenLibrary { soname: soname.clone(), name, flags, is_link };
        let is_better = chosen.get(&soname).is_none_or(|known| {
            let is_file_for_link = !found.is_link && known.is_link;
            is_file_for_link || found.is_link == known.is_link && compare(&known.name, &found.name) == Ordering::Less
        });
        if is_better {
            chosen.insert(soname, found);
        }
    }
    chosen.into_values().collect()
}

/// Returns the directories that a configuration names, in its order. `include` returns the texts of the files that match a
/// pattern, in the order of their names.
pub fn directories(configuration: &str, include: &mut dyn FnMut(&str) -> Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    for line in configuration.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        match line.strip_prefix("include").filter(|rest| rest.starts_with(char::is_whitespace)) {
            Some(patterns) => {
                for text in patterns.split_whitespace().flat_map(&mut *include).collect::<Vec<_>>() {
                    found.extend(directories(&text, include));
                }
            }
            None if line.is_empty() || line.starts_with("hwcap ") => {}
            None => found.extend(line.split([' ', '\t', ',', ':']).filter(|directory| directory.starts_with('/')).map(
                |directory| {
                    let directory = directory.split('=').next().unwrap_or(directory);
                    directory.trim_end_matches('/').to_owned()
                },
            )),
        }
    }
    found
}

/// Compares names, and numbers in them by their value.
fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    loop {
        match (one.first(), other.first()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(first), second) => match (first.is_ascii_digit(), second.is_some_and(u8::is_ascii_digit)) {
                (true, true) => match number(&mut one).cmp(&number(&mut other)) {
                    Ordering::Equal => {}
                    unequal => return unequal,
                },
                (true, false) => return Ordering::Greater,
                (false, true) => return Ordering::Less,
                (false, false) => match second {
                    Some(second) if first == second => (one, other) = (&one[1..], &other[1..]),
                    Some(second) => return first.cmp(second),
                    None => return Ordering::Greater,
                },
            },
        }
    }
}

/// Takes a number from the beginning of a name.
fn number(text: &mut &[u8]) -> u64 {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    *text = rest;
    digits.iter().fold(0_u64, |number, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

/// Returns the cache of libraries, which are in the order in which ldconfig finds them. `generator` is what ldconfig calls
/// itself; an extension of the cache says it.
pub fn linker_cache(mut libraries: Vec<CachedLibrary>, generator: &str) -> Vec<u8> {
    // The sort is stable: of equal names, the first that was found comes first.
    libraries
        .sort_by(|one, other| compare(&other.soname, &one.soname).then(Reverse(one.flags).cmp(&Reverse(other.flags))));
    let (strings, offsets) = strings(&libraries);
    let start = HEADER + ENTRY * libraries.len();
    let end = start + strings.len();
    let extensions = end.next_multiple_of(4);
    let mut bytes = MAGIC.to_vec();
    bytes.extend((libraries.len() as u32).to_le_bytes());
    bytes.extend((strings.len() as u32).to_le_bytes());
    bytes.extend([LITTLE_ENDIAN, 0, 0, 0]);
    bytes.extend((extensions as u32).to_le_bytes());
    bytes.resize(HEADER, 0);
    for library in &libraries {
        bytes.extend(library.flags.to_le_bytes());
        for text in [&library.soname, &library.path] {
            let offset = offsets.get(text.as_str()).copied().unwrap_or_default();
            bytes.extend(((start + offset) as u32).to_le_bytes());
        }
        // The version of the system and the capabilities of the processor, which libraries outside of glibc-hwcaps need not. No
        // package of Debian 12 or 13 for amd64 has one there; one that had would be found without it, as its baseline.
        bytes.extend([0; 12]);
    }
    bytes.extend(strings);
    bytes.resize(extensions, 0);
    let text = extensions + 8 + 16;
    for number in [EXTENSION_MAGIC, 1, GENERATOR, 0, text as u32, generator.len() as u32] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(generator.as_bytes());
    bytes
}

/// Returns the strings of the cache, and the offset of each: one that another ends with is stored once.
fn strings(libraries: &[CachedLibrary]) -> (Vec<u8>, BTreeMap<&str, usize>) {
    let texts: BTreeSet<&str> =
        libraries.iter().flat_map(|library| [library.soname.as_str(), library.path.as_str()]).collect();
    let mut texts: Vec<&str> = texts.into_iter().collect();
    // From the last byte to the first, in descending order, so that a string follows one that ends with it.
    texts.sort_by(|one, other| other.bytes().rev().cmp(one.bytes().rev()));
    let (mut strings, mut offsets) = (Vec::new(), BTreeMap::new());
    let mut previous = ("", 0);
    for text in texts {
        let offset = if !strings.is_empty() && previous.0.ends_with(text) {
            previous.1 + previous.0.len() - text.len()
        } else {
            let offset = strings.len();
            strings.extend(text.as_bytes());
            strings.push(0);
            offset
        };
        offsets.insert(text, offset);
        previous = (text, offset);
    }
    (strings, offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, soname: &str, is_link: bool) -> LibraryEntry {
        LibraryEntry { name: name.to_owned(), soname: Some(soname.to_owned()), flags: X86_64, is_link }
    }

    #[test]
    fn names_with_numbers_are_in_the_order_of_the_numbers() {
        let mut names = ["libb.so.9", "libb.so.10", "liba.so", "libb.so", "libb-2.so", "libb.so.9.1"];
        names.sort_by(|one, other| compare(other, one));
        assert_eq!(names, ["libb.so.10", "libb.so.9.1", "libb.so.9", "libb.so", "libb-2.so", "liba.so"]);
    }

    #[test]
    fn a_file_is_preferred_to_a_link_and_the_newest_to_others() {
        let chosen = choose([
            entry("liba.so", "liba.so.1", true),
            entry("liba.so.1", "liba.so.1", true),
            entry("liba.so.1.2", "liba.so.1", false),
            entry("liba.so.1.10", "liba.so.1", false),
            entry("libother.so.1", "liba.so.1", true),
            LibraryEntry { soname: None, ..entry("libnone.so", "", false) },
        ]);
        let shown: Vec<(&str, &str, bool)> =
            chosen.iter().map(|one| (one.soname.as_str(), one.name.as_str(), one.is_link)).collect();
        assert_eq!(
            shown,
            [("liba.so", "liba.so", true), ("liba.so.1", "libother.so.1", false), ("libnone.so", "libnone.so", false)]
        );
    }

    #[test]
    fn configurations_include_others() {
        let found = directories(
            "/usr/local/lib # own\ninclude /etc/ld.so.conf.d/*.conf\n\n/opt/lib/=libc6\nhwcap 0 x\n",
            &mut |pattern| {
                assert_eq!(pattern, "/etc/ld.so.conf.d/*.conf");
                vec!["# multiarch\n/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n".to_owned()]
            },
        );
        assert_eq!(found, ["/usr/local/lib", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/opt/lib"]);
    }
}
