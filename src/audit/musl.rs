//! What musl's dynamic linker does differently from glibc's.
//!
//! Specification: [musl 1.2.5, `ldso/dynlink.c`](https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c?h=v1.2.5), and
//! [functional differences from glibc](https://wiki.musl-libc.org/functional-differences-from-glibc.html).

use std::fmt;

use crate::platform::Musl;

/// Functions that versions of musl 1.2 before 1.2.5 lack. The tag `musllinux_1_2` covers both.
const NEW_FUNCTIONS: [&str; 3] = ["preadv2", "pwritev2", "statx"];

/// Something that a file needs and that earlier versions of musl 1.2 lack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MuslFeature {
    /// Unlike with glibc, no symbol version of a file says that it needs them: an earlier musl ignores them, and the file crashes.
    RelativeRelocations,
    /// Without it, the file cannot be loaded.
    Function(String),
}

impl MuslFeature {
    /// Returns the first version that has it.
    pub(crate) fn since(&self) -> Musl {
        match self {
            Self::RelativeRelocations => Musl { minor: 2, patch: 4 },
            Self::Function(_) => Musl { minor: 2, patch: 5 },
        }
    }

    /// Returns the first version of Alpine Linux that has it.
    pub(super) fn alpine(&self) -> &'static str {
        match self {
            Self::RelativeRelocations => "3.18",
            Self::Function(_) => "3.20",
        }
    }
}

impl fmt::Display for MuslFeature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "musl {} for ", self.since())?;
        match self {
            Self::RelativeRelocations => formatter.write_str("packed relocations (DT_RELR)"),
            Self::Function(function) => write!(formatter, "the function {function}"),
        }
    }
}

/// The libraries that are musl itself, whatever follows in their names: they are never searched for.
const OWN_LIBRARIES: [&str; 7] = ["c", "dl", "m", "pthread", "rt", "util", "xnet"];

/// Where libraries are searched if no file lists directories.
const DIRECTORIES: [&str; 3] = ["/lib", "/usr/local/lib", "/usr/lib"];

/// Returns whether a library is musl itself: `libc.musl-x86_64.so.1`, but also glibc's `libc.so.6` or `libm.so.6`, whose names
/// musl takes for its own.
pub(crate) fn is_itself(library: &str) -> bool {
    let stem = library.strip_prefix("lib").and_then(|rest| rest.split_once('.'));
    stem.is_some_and(|(stem, _)| OWN_LIBRARIES.contains(&stem))
}

/// Returns whether a function is in later versions of musl 1.2 only.
pub(super) fn is_new_function(function: &str) -> bool {
    NEW_FUNCTIONS.contains(&function)
}

/// Returns the directories that are searched for libraries: those that the file `/etc/ld-musl-ARCH.path` lists, or the default
/// ones.
pub(crate) fn directories(listed: Option<&str>) -> Vec<String> {
    let Some(listed) = listed else { return DIRECTORIES.map(str::to_owned).into() };
    listed.split(['\n', ':']).filter(|directory| !directory.is_empty()).map(str::to_owned).collect()
}

/// Returns the version of musl from its file, where it is a string of its own: the linker prints it. `None` if there is none.
pub(crate) fn version(loader: &[u8]) -> Option<Musl> {
    let strings = loader.split(|byte| !(b' '..=b'~').contains(byte));
    strings.filter_map(|text| std::str::from_utf8(text).ok()).find_map(|text| {
        // Development versions have a suffix such as `-git-45-g04520b96`.
        text.split("-git").next().unwrap_or(text).parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_musl_itself_whatever_follows_the_dot() {
        for library in ["libc.so", "libc.so.6", "libm.so.6", "libpthread.so.0", "libc.musl-aarch64.so.1", "libc.foo"] {
            assert!(is_itself(library), "{library}");
        }
        for library in ["libcrypt.so.1", "libresolv.so.2", "ld-linux-x86-64.so.2", "libmvec.so.1", "libc", "c.so"] {
            assert!(!is_itself(library), "{library}");
        }
    }

    #[test]
    fn a_loader_contains_its_version() {
        for (loader, musl) in [
            (&b"\x7fELF\0...\x001.2\x001.2.3\0Version %s\n\0"[..], Some("1.2.3")),
            (b"a1.2.3\x001.2.5-git-45-g04520b96\x00", Some("1.2.5")),
            (b"\x001.2\0musl\0", None),
            (b"", None),
        ] {
            assert_eq!(version(loader), musl.map(|musl| musl.parse().unwrap()));
        }
    }

    #[test]
    fn directories_are_listed_or_the_default_ones() {
        assert_eq!(directories(None), ["/lib", "/usr/local/lib", "/usr/lib"]);
        assert_eq!(directories(Some("/opt/lib:/lib\n/usr/lib\n")), ["/opt/lib", "/lib", "/usr/lib"]);
    }
}
