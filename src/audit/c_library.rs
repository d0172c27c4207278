//! Which C library a compiled file is for.

use std::fmt;

use super::elf::Elf;
use crate::platform::CLibrary;

/// The names of glibc's libraries. What is linked to musl is linked to `libc.so` or `libc.musl-ARCH.so.1` only.
const OF_GLIBC: [&str; 6] = ["libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1", "libutil.so.1"];

/// A C library, whatever its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CLibraryKind {
    Glibc,
    Musl,
}

impl CLibraryKind {
    pub(crate) fn of(libc: CLibrary) -> Self {
        match libc {
            CLibrary::Glibc(_) => Self::Glibc,
            CLibrary::Musl(_) => Self::Musl,
        }
    }

    /// Returns the C library of which an executable names the dynamic linker.
    pub(crate) fn of_interpreter(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name.starts_with("ld-musl-") {
            Some(Self::Musl)
        } else if name.starts_with("ld-linux") {
            Some(Self::Glibc)
        } else {
            None
        }
    }

    /// Returns the C library in the suffix of an extension module's file, for instance
    /// `.cpython-312-x86_64-linux-gnu.so`. Python looks at no file with that of another.
    ///
    /// Before CPython 3.11, the suffix ends in `-linux-gnu.so` with musl, too: wheels for musllinux and CPython 3.10 have such
    /// files.
    pub(crate) fn of_module(file: &str) -> Option<Self> {
        let (_, tag) = file.strip_suffix(".so")?.rsplit_once(".cpython-3")?;
        let (minor, platform) = tag.split_once('-')?;
        if minor.parse::<u8>().ok()? < 11 {
            return None;
        }
        if platform.ends_with("-linux-gnu") {
            Some(Self::Glibc)
        } else if platform.ends_with("-linux-musl") {
            Some(Self::Musl)
        } else {
            None
        }
    }
}

impl fmt::Display for CLibraryKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        })
    }
}

impl Elf {
    /// Returns the C library that it is compiled for; `None` if nothing shows it. Symbol versions do not: the libgcc_s of aarch64
    /// defines `GLIBC_2.0` with musl, too.
    pub(crate) fn c_library(&self) -> Option<CLibraryKind> {
        if let Some(named) = self.interpreter.as_deref().and_then(CLibraryKind::of_interpreter) {
            return Some(named);
        }
        let needs = |is_named: fn(&str) -> bool| self.needed.iter().any(|library| is_named(library));
        if needs(|library| library.starts_with("libc.musl-") || library.starts_with("ld-musl-")) {
            Some(CLibraryKind::Musl)
        } else if needs(|library| OF_GLIBC.contains(&library) || library.starts_with("ld-linux")) {
            Some(CLibraryKind::Glibc)
        } else if needs(|library| library == "libc.so") {
            Some(CLibraryKind::Musl)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_name_the_c_library_since_python_3_11() {
        for (file, libc) in [
            ("a.cpython-311-x86_64-linux-gnu.so", Some(CLibraryKind::Glibc)),
            ("a.cpython-313-aarch64-linux-musl.so", Some(CLibraryKind::Musl)),
            (".cpython-312-x86_64-linux-gnu.so", Some(CLibraryKind::Glibc)),
            ("a.cpython-310-x86_64-linux-gnu.so", None),
            ("a.cpython-39-aarch64-linux-gnu.so", None),
            ("a.abi3.so", None),
            ("a.so", None),
            ("liba-linux-gnu.so", None),
        ] {
            assert_eq!(CLibraryKind::of_module(file), libc, "{file}");
        }
    }
}
