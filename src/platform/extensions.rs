//! Which files are extension modules.
//!
//! CPython finds an extension module by the suffixes of its file, in an order that is compiled into it
//! (`importlib.machinery.EXTENSION_SUFFIXES`, from `Python/dynload_shlib.c`). A file with another suffix does not exist for
//! it: the import fails as if there were none.
//!
//! Specifications: [PEP 3149](https://peps.python.org/pep-3149/) for the interpreter's own ABI,
//! [PEP 384](https://peps.python.org/pep-0384/) and [PEP 803](https://peps.python.org/pep-0803/) for the stable ABIs.

use super::{Architecture, CLibrary, PythonVersion};

/// Who built an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PythonVendor {
    /// CPython as released: Docker's images, Lambda's, uv's.
    Upstream,
    /// The packages of Debian and Ubuntu.
    Debian,
}

/// The suffixes of the extension modules that an interpreter loads, in the order in which it looks for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionSuffixes {
    ordered: Vec<String>,
}

impl ExtensionSuffixes {
    /// Returns the suffixes of an interpreter.
    pub fn new(python: PythonVersion, libc: CLibrary, architecture: Architecture, vendor: PythonVendor) -> Self {
        let platform = format!("{}-linux-{}", architecture.wheel_name(), library(python, libc));
        let with_platform = |abi: &str| [format!(".{abi}-{platform}"), format!(".{abi}")];
        let stable = match (python.minor, python.free_threaded, vendor) {
            (15.., false, _) => [with_platform("abi3"), with_platform("abi3t")].concat(),
            (15.., true, _) => with_platform("abi3t").to_vec(),
            // Debian's patch stable-abi-multiarch, gh-122917.
            (13 | 14, _, PythonVendor::Debian) => vec![".abi3".into(), format!(".abi3-{platform}")],
            // 3.13t, too, looks for it, although it does not have that ABI.
            _ => vec![".abi3".into()],
        };
        let own = format!(".cpython-{}{}{}-{platform}", python.major, python.minor, python.abi_flag());
        let tags = std::iter::once(own).chain(stable).chain([String::new()]);
        Self { ordered: tags.map(|tag| format!("{tag}.so")).collect() }
    }

    /// Returns the suffixes, the first that is looked for first.
    pub fn as_slice(&self) -> &[String] {
        &self.ordered
    }

    /// Returns the position of a suffix, such as `.abi3.so`; `None` if a file with it is not a module.
    pub(crate) fn position(&self, suffix: &str) -> Option<usize> {
        self.ordered.iter().position(|known| known == suffix)
    }

    /// Returns the suffix of a file that is named as an extension module, but that this interpreter does not load: it is for
    /// another version of Python or for another platform.
    pub(crate) fn foreign<'f>(&self, file: &'f str) -> Option<&'f str> {
        let name = file.rsplit('/').next().unwrap_or(file);
        let suffix = &name[name.find('.')?..];
        let tag = suffix.strip_suffix(".so")?.strip_prefix('.')?;
        let is_module = tag.starts_with("cpython-") || tag.starts_with("abi3") || tag.starts_with("pypy");
        (is_module && self.position(suffix).is_none()).then_some(suffix)
    }
}

/// Returns the name of the C library in the suffixes. Before 3.11, CPython does not distinguish musl.
fn library(python: PythonVersion, libc: CLibrary) -> &'static str {
    match libc {
        CLibrary::Musl(_) if python.minor >= 11 => "musl",
        CLibrary::Musl(_) | CLibrary::Glibc(_) => "gnu",
    }
}

#[cfg(test)]
impl ExtensionSuffixes {
    /// Returns the suffixes on x86-64 with glibc.
    pub(crate) fn of_gnu(python: PythonVersion) -> &'static Self {
        let libc = CLibrary::Glibc("2.36".parse().unwrap());
        Box::leak(Box::new(Self::new(python, libc, Architecture::X86_64, PythonVendor::Upstream)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUSL: &str = "musl 1.2.5";
    const GLIBC: &str = "glibc 2.36";

    fn suffixes(python: &str, libc: &str, vendor: PythonVendor) -> ExtensionSuffixes {
        let libc = match libc.split_once(' ').unwrap() {
            ("musl", version) => CLibrary::Musl(version.parse().unwrap()),
            (_, version) => CLibrary::Glibc(version.parse().unwrap()),
        };
        ExtensionSuffixes::new(python.parse().unwrap(), libc, Architecture::X86_64, vendor)
    }

    /// What the interpreters themselves answer; those that the tests have are asked again in tests/imports/suffixes.rs.
    #[test]
    fn suffixes_are_those_of_real_interpreters() {
        for (python, libc, vendor, expected) in [
            ("3.9", GLIBC, PythonVendor::Upstream, ".cpython-39-x86_64-linux-gnu .abi3 ."),
            ("3.12", GLIBC, PythonVendor::Debian, ".cpython-312-x86_64-linux-gnu .abi3 ."),
            ("3.11", MUSL, PythonVendor::Upstream, ".cpython-311-x86_64-linux-musl .abi3 ."),
            ("3.13", GLIBC, PythonVendor::Upstream, ".cpython-313-x86_64-linux-gnu .abi3 ."),
            // 3.13.5 of Debian 13, 3.14.10 of Debian sid.
            ("3.13", GLIBC, PythonVendor::Debian, ".cpython-313-x86_64-linux-gnu .abi3 .abi3-x86_64-linux-gnu ."),
            ("3.14", GLIBC, PythonVendor::Debian, ".cpython-314-x86_64-linux-gnu .abi3 .abi3-x86_64-linux-gnu ."),
            (
                "3.15",
                GLIBC,
                PythonVendor::Debian,
                ".cpython-315-x86_64-linux-gnu .abi3-x86_64-linux-gnu .abi3 .abi3t-x86_64-linux-gnu .abi3t .",
            ),
            // 3.13.15, compiled with --disable-gil.
            ("3.13t", GLIBC, PythonVendor::Upstream, ".cpython-313t-x86_64-linux-gnu .abi3 ."),
            ("3.15t", GLIBC, PythonVendor::Upstream, ".cpython-315t-x86_64-linux-gnu .abi3t-x86_64-linux-gnu .abi3t ."),
        ] {
            let tags = expected.split(' ').map(|tag| format!("{}.so", tag.strip_suffix('.').unwrap_or(tag)));
            let expected: Vec<String> = tags.collect();
            assert_eq!(suffixes(python, libc, vendor).as_slice(), expected, "{python} with {libc}");
        }
    }

    #[test]
    fn modules_of_others_are_foreign() {
        let own = suffixes("3.15", GLIBC, PythonVendor::Upstream);
        for (file, expected) in [
            ("a/m.cpython-315-x86_64-linux-gnu.so", None),
            ("a/m.abi3t.so", None),
            ("a/m.so", None),
            ("a/libm.so.6", None),
            ("a/libm.1.so", None),
            ("a/m.py", None),
            ("a/m.cpython-315.so", Some(".cpython-315.so")),
            ("a/m.cpython-314-x86_64-linux-gnu.so", Some(".cpython-314-x86_64-linux-gnu.so")),
            ("a/m.cpython-315-x86_64-linux-musl.so", Some(".cpython-315-x86_64-linux-musl.so")),
            ("a/m.cpython-315-aarch64-linux-gnu.so", Some(".cpython-315-aarch64-linux-gnu.so")),
            ("m.cpython-315t-x86_64-linux-gnu.so", Some(".cpython-315t-x86_64-linux-gnu.so")),
            ("m.abi3-x86_64-linux-musl.so", Some(".abi3-x86_64-linux-musl.so")),
            ("m.pypy311-pp73-x86_64-linux-gnu.so", Some(".pypy311-pp73-x86_64-linux-gnu.so")),
        ] {
            assert_eq!(own.foreign(file), expected, "{file}");
        }
        let older = suffixes("3.14", GLIBC, PythonVendor::Upstream);
        assert_eq!(older.foreign("m.abi3t.so"), Some(".abi3t.so"));
        // By setuptools on Python 3.15, in wheels that are tagged for older versions.
        assert_eq!(older.foreign("m.abi3-x86_64-linux-gnu.so"), Some(".abi3-x86_64-linux-gnu.so"));
    }
}
