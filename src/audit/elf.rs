//! What an ELF file needs of the system that loads it.
//!
//! Specification: [System V ABI, dynamic linking](https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html) and
//! [Linux Standard Base, symbol versioning](https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html).

use std::fmt;
use std::fs::File;

use object::elf::{
    DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, EM_386, EM_AARCH64, EM_X86_64, ET_DYN, ET_EXEC, FileHeader32,
    FileHeader64, PT_DYNAMIC, PT_INTERP, SHT_DYNSYM,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable};
use object::{Endianness, FileKind, ReadCache, ReadRef};
use serde::{Deserialize, Serialize};

use crate::platform::{Architecture, Glibc};

/// The first bytes of every ELF file.
pub const MAGIC: [u8; 4] = *b"\x7fELF";

/// The glibc that understands relative relocations (`DT_RELR`): a version by name rather than by number stands for it.
const RELATIVE_RELOCATIONS: (&str, Glibc) = ("GLIBC_ABI_DT_RELR", Glibc { major: 2, minor: 36 });

/// The libraries of glibc, and those of gcc that every manylinux platform has besides.
///
/// Specification: [PEP 600](https://peps.python.org/pep-0600/), and its predecessors' lists of libraries.
const OF_THE_PLATFORM: [&str; 14] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libBrokenLocale.so.1",
    "libanl.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libmvec.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
];

/// What an ELF file is for, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elf {
    /// The machine.
    pub machine: Machine,
    /// Who opens it.
    pub role: Role,
    /// The name that a library gives itself.
    pub soname: Option<String>,
    /// The libraries that it is linked to, in their order.
    pub needed: Vec<String>,
    /// Where the dynamic linker looks first (`DT_RPATH`), for what this file is linked to and for what that is linked to.
    /// It counts only where there is no [`runpath`](Self::runpath).
    pub rpath: Vec<String>,
    /// Where the dynamic linker looks for what this file is linked to (`DT_RUNPATH`).
    pub runpath: Vec<String>,
    /// The newest versions of symbols that it uses.
    pub versions: Versions,
}

/// Who opens an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Python: it is an extension module, as it has a function that initialises one.
    Module,
    /// The system: it names the program that loads it, or is linked to nothing.
    Program,
    /// Whatever is linked to it, or opens it by its name.
    Library,
    /// Nobody: it is one of those that a compiler makes for a linker.
    Object,
}

/// The newest versions of symbols that an ELF file uses, of the libraries that the platform brings; none of a library if
/// it uses none of its symbols.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// `GLIBC_2.17`: the C library.
    pub glibc: Option<Glibc>,
    /// `GLIBCXX_3.4.22`, by its last number: the C++ library.
    pub glibcxx: Option<u16>,
    /// `CXXABI_1.3.8`, by its last number: the C++ library, too.
    pub cxxabi: Option<u16>,
    /// `GCC_7.0.0`, by its first number: `libgcc_s`.
    pub gcc: Option<u16>,
}

/// The machine that an ELF file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Machine {
    /// One that targets have.
    Known(Architecture),
    /// Another one, by its number in the ELF header.
    Other(u16),
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(architecture) => formatter.write_str(architecture.wheel_name()),
            Self::Other(EM_386) => formatter.write_str("32-bit x86"),
            Self::Other(number) => write!(formatter, "the ELF machine {number}"),
        }
    }
}

/// A file that begins as an ELF file and cannot be read as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[error("it is a malformed ELF file: {0}")]
pub struct MalformedElf(pub String);

impl From<object::read::Error> for MalformedElf {
    fn from(error: object::read::Error) -> Self {
        Self(error.to_string())
    }
}

/// Returns whether every system that a target stands for brings a library.
pub fn is_of_the_platform(library: &str) -> bool {
    OF_THE_PLATFORM.contains(&library)
}

/// Reads what an ELF file needs. Of the file itself only the tables are held in memory.
///
/// # Errors
/// [`MalformedElf`], if it is none, or contradicts itself.
pub fn read(file: File) -> Result<Elf, MalformedElf> {
    let cache = ReadCache::new(file);
    match FileKind::parse(&cache)? {
        FileKind::Elf64 => tables::<FileHeader64<Endianness>, _>(&cache),
        FileKind::Elf32 => tables::<FileHeader32<Endianness>, _>(&cache),
        _ => Err(MalformedElf("it has another class".to_owned())),
    }
}

fn tables<'data, Header, Data>(data: Data) -> Result<Elf, MalformedElf>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    let machine = match (header.e_machine(endian), header.is_type_64(), endian) {
        (EM_X86_64, true, Endianness::Little) => Machine::Known(Architecture::X86_64),
        (EM_AARCH64, true, Endianness::Little) => Machine::Known(Architecture::Arm64),
        (other, _, _) => Machine::Other(other),
    };
    let segments = header.program_headers(endian, data)?;
    let has_segment = |kind| segments.iter().any(|segment| segment.p_type(endian) == kind);
    let sections = header.sections(endian, data)?;
    let dynamic = sections.dynamic_table(endian, data)?;
    let is_program = has_segment(PT_INTERP) || !has_segment(PT_DYNAMIC);
    // What packers leave has no sections at all: it loads, and does not tell what it needs.
    if has_segment(PT_DYNAMIC) && dynamic.is_empty() && !sections.is_empty() {
        return Err(MalformedElf("it is linked dynamically, and has no section that says to what".to_owned()));
    }
    let role = match header.e_type(endian) {
        ET_DYN | ET_EXEC if is_program => Role::Program,
        ET_DYN if initialises_a_module(&sections, endian, data)? => Role::Module,
        ET_DYN | ET_EXEC => Role::Library,
        _ => Role::Object,
    };
    let (mut soname, mut needed, mut rpath, mut runpath) = (None, Vec::new(), Vec::new(), Vec::new());
    for entry in dynamic.iter() {
        let text = || Ok::<_, MalformedElf>(String::from_utf8_lossy(dynamic.string(entry)?).into_owned());
        let folders = || Ok::<_, MalformedElf>(text()?.split(':').map(str::to_owned).collect::<Vec<_>>());
        match entry.tag {
            DT_NEEDED => needed.push(text()?),
            DT_SONAME => soname = Some(text()?),
            DT_RPATH => rpath = folders()?,
            DT_RUNPATH => runpath = folders()?,
            _ => {}
        }
    }
    let versions = used_versions(&sections, endian, data)?;
    Ok(Elf { machine, role, soname, needed, rpath, runpath, versions })
}

/// Returns whether Python would find the function that initialises an extension module (PEP 3121, PEP 489).
fn initialises_a_module<'data, Header, Data>(
    sections: &SectionTable<'data, Header, Data>,
    endian: Endianness,
    data: Data,
) -> Result<bool, MalformedElf>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let symbols = sections.symbols(endian, data, SHT_DYNSYM)?;
    let strings = sections.section(symbols.string_section());
    let Ok(strings) = strings.and_then(|section| section.data(endian, data)) else { return Ok(false) };
    Ok(memchr::memmem::find(strings, b"\0PyInit_").is_some())
}

/// Returns the newest versions of the symbols that a file uses of libraries under their own names: a copy of one that
/// was bundled has another, and versions of its own.
fn used_versions<'data, Header, Data>(
    sections: &SectionTable<'data, Header, Data>,
    endian: Endianness,
    data: Data,
) -> Result<Versions, MalformedElf>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let mut versions = Versions::default();
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, data)? else { return Ok(versions) };
    let strings = sections.strings(endian, data, strings)?;
    while let Some((needed, mut names)) = needs.next()? {
        let library = needed.file(endian, strings)?;
        while let Some(name) = names.next()? {
            let name = std::str::from_utf8(name.name(endian, strings)?).unwrap_or_default();
            versions.glibc = versions.glibc.max(glibc(name));
            let newest = match library {
                b"libstdc++.so.6" => [(&mut versions.glibcxx, "GLIBCXX_3.4"), (&mut versions.cxxabi, "CXXABI_1.3")],
                b"libgcc_s.so.1" => {
                    versions.gcc = versions.gcc.max(gcc(name));
                    continue;
                }
                _ => continue,
            };
            for (newest, family) in newest {
                *newest = (*newest).max(last_number(name, family));
            }
        }
    }
    Ok(versions)
}

/// Returns the newest version of glibc's symbols that a C library defines, which is its own version.
///
/// # Errors
/// [`MalformedElf`], if it is no ELF file for a 64-bit machine, or contradicts itself.
pub fn defined_glibc(library: &[u8]) -> Result<Option<Glibc>, MalformedElf> {
    let header = FileHeader64::<Endianness>::parse(library)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, library)?;
    let Some((mut definitions, strings)) = sections.gnu_verdef(endian, library)? else { return Ok(None) };
    let strings = sections.strings(endian, library, strings)?;
    let mut newest = None;
    while let Some((_, mut names)) = definitions.next()? {
        if let Some(name) = names.next()? {
            newest = newest.max(glibc(std::str::from_utf8(name.name(endian, strings)?).unwrap_or_default()));
        }
    }
    Ok(newest)
}

/// Returns the version of glibc that a version of symbols stands for: `GLIBC_2.17`, or `GLIBC_2.2.5`.
fn glibc(name: &str) -> Option<Glibc> {
    if name == RELATIVE_RELOCATIONS.0 {
        return Some(RELATIVE_RELOCATIONS.1);
    }
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.');
    Some(Glibc { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
}

/// Returns the version of GCC of a version of symbols of its library: `GCC_7.0.0`.
fn gcc(name: &str) -> Option<u16> {
    name.strip_prefix("GCC_")?.split('.').next()?.parse().ok()
}

/// Returns the last number of a version of symbols: 22 of `GLIBCXX_3.4.22`, 0 of `GLIBCXX_3.4`.
fn last_number(name: &str, family: &str) -> Option<u16> {
    match name.strip_prefix(family)? {
        "" => Some(0),
        rest => rest.strip_prefix('.')?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_symbols_stand_for_a_glibc() {
        for (name, minor) in [("GLIBC_2.2.5", 2), ("GLIBC_2.38", 38), ("GLIBC_ABI_DT_RELR", 36)] {
            assert_eq!(glibc(name), Some(Glibc { major: 2, minor }), "{name}");
        }
        for name in ["GLIBC_PRIVATE", "GLIBCXX_3.4.30", "GCC_3.0", "GLIBC_", "\u{fffd}"] {
            assert_eq!(glibc(name), None, "{name}");
        }
    }

    #[test]
    fn a_programs_own_needs_are_read() {
        let elf = read(File::open("/proc/self/exe").unwrap()).unwrap();
        let own = Architecture::ALL.into_iter().find(|known| known.wheel_name() == std::env::consts::ARCH);
        assert_eq!(elf.machine, Machine::Known(own.unwrap()));
        assert!(elf.needed.contains(&"libc.so.6".to_owned()) && elf.role == Role::Program, "{elf:?}");
        assert!(elf.versions.glibc.is_some_and(|glibc| glibc.minor >= 14), "{elf:?}");
    }

    #[test]
    fn a_c_library_tells_its_version() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let path =
            maps.lines().filter_map(|line| line.split_whitespace().last()).find(|path| path.ends_with("/libc.so.6"));
        let own = defined_glibc(&std::fs::read(path.unwrap()).unwrap()).unwrap();
        assert!(own.is_some_and(|glibc| glibc.minor >= 17), "{own:?}");
        let program = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(defined_glibc(&program), Ok(None));
    }

    #[test]
    fn what_has_no_sections_tells_nothing() {
        let mut program = std::fs::read("/proc/self/exe").unwrap();
        // e_shoff, e_shnum and e_shstrndx of a 64-bit header.
        for field in [40..48, 60..62, 62..64] {
            program[field].fill(0);
        }
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &program).unwrap();
        let elf = read(file).unwrap();
        assert_eq!((elf.role, elf.needed, elf.versions), (Role::Program, Vec::new(), Versions::default()));
    }

    #[test]
    fn what_only_begins_as_an_elf_file_is_refused() {
        let program = std::fs::read("/proc/self/exe").unwrap();
        for length in [4, 16, 63, 64, 1000] {
            let mut file = tempfile::tempfile().unwrap();
            std::io::Write::write_all(&mut file, &program[..length]).unwrap();
            assert!(read(file).is_err(), "{length} bytes");
        }
    }
}
