//! Reads from an ELF file what it needs from the system that loads it.
//!
//! Specification: [System V ABI, dynamic linking](https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html) and
//! [Linux Standard Base, symbol versioning](https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html).

use std::fmt;
use std::io::{Read, Seek};

use object::elf::{
    DT_NEEDED, DT_RELR, DT_RPATH, DT_RUNPATH, DT_SONAME, EM_386, EM_AARCH64, EM_X86_64, ET_DYN, ET_EXEC, FileHeader32,
    FileHeader64, PT_DYNAMIC, PT_INTERP, SHT_DYNSYM, STB_GLOBAL, VER_FLG_WEAK,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable, Sym};
use object::{Endianness, FileKind, ReadCache, ReadRef};
use serde::{Deserialize, Serialize};

use super::c_library::CLibraryKind;
use super::musl;
use crate::platform::{Architecture, Glibc};

pub(crate) const MAGIC: [u8; 4] = *b"\x7fELF";

/// The first glibc that supports relative relocations (`DT_RELR`). Files that use them need a version that has this name
/// instead of a number.
const RELATIVE_RELOCATIONS: (&str, Glibc) = ("GLIBC_ABI_DT_RELR", Glibc { major: 2, minor: 36 });

/// The libraries of glibc, and the libraries of GCC that every manylinux platform has.
///
/// Specification: [PEP 600](https://peps.python.org/pep-0600/) and the lists of libraries in its predecessors.
const PLATFORM_LIBRARIES: [&str; 14] = [
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

/// The parts of an ELF file that decide whether it can be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Elf {
    pub(crate) machine: ElfMachine,
    pub(crate) role: ElfRole,
    /// The name by which other files are linked to this one.
    pub(crate) soname: Option<String>,
    /// The libraries that it is linked to, in the order of `DT_NEEDED`.
    pub(crate) needed: Vec<String>,
    /// The directories that the dynamic linker searches first (`DT_RPATH`), for the libraries of this file and for their
    /// libraries. Ignored if there is a [`runpath`](Self::runpath).
    pub(crate) rpath: Vec<String>,
    /// The directories that the dynamic linker searches for the libraries of this file (`DT_RUNPATH`).
    pub(crate) runpath: Vec<String>,
    pub(crate) versions: SymbolVersions,
    /// The dynamic linker that an executable names (`PT_INTERP`), for instance `/lib64/ld-linux-x86-64.so.2`.
    pub(crate) interpreter: Option<String>,
    /// Whether it has relative relocations (`DT_RELR`), which not every C library applies.
    pub(crate) is_packed: bool,
    /// The functions that it cannot be loaded without, as far as earlier versions of musl lack them.
    pub(crate) new_functions: Vec<String>,
}

/// What opens an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ElfRole {
    /// Python: an extension module, which has a `PyInit_` function.
    Module,
    /// The system: an executable, which names its interpreter or is statically linked.
    Program,
    /// The files that are linked to it, or open it by name.
    Library,
    /// Nothing at run time: an object file.
    Object,
}

/// The newest versions of symbols that an ELF file uses from the libraries of the platform; `None` if it uses no versioned
/// symbol of a library.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SymbolVersions {
    /// The C library: `GLIBC_2.17`.
    pub(crate) glibc: Option<Glibc>,
    /// The C++ library: 22 for `GLIBCXX_3.4.22`.
    pub(crate) glibcxx: Option<u16>,
    /// The C++ library: 8 for `CXXABI_1.3.8`.
    pub(crate) cxxabi: Option<u16>,
    /// `libgcc_s`: 7 for `GCC_7.0.0`.
    pub(crate) gcc: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum ElfMachine {
    /// An architecture of a target.
    Known(Architecture),
    /// Another machine, by its number in the ELF header (`e_machine`).
    Other(u16),
}

impl fmt::Display for ElfMachine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(architecture) => formatter.write_str(architecture.wheel_name()),
            Self::Other(EM_386) => formatter.write_str("32-bit x86"),
            Self::Other(number) => write!(formatter, "ELF machine {number}"),
        }
    }
}

/// A file with the magic number of ELF that is not a valid ELF file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[error("malformed ELF file: {0}")]
pub(crate) struct MalformedElf(pub(crate) String);

impl From<object::read::Error> for MalformedElf {
    fn from(error: object::read::Error) -> Self {
        Self(error.to_string())
    }
}

/// Returns whether every platform with the C library has a library. What wheels for musl are linked to of GCC's libraries, they
/// bring along ([PEP 656](https://peps.python.org/pep-0656/)).
pub(crate) fn is_platform_library(library: &str, libc: CLibraryKind) -> bool {
    match libc {
        CLibraryKind::Glibc => PLATFORM_LIBRARIES.contains(&library),
        CLibraryKind::Musl => musl::is_itself(library),
    }
}

/// Reads an ELF file. Only its tables are kept in memory.
///
/// # Errors
/// The file is not a valid ELF file.
pub(crate) fn read(file: impl Read + Seek) -> Result<Elf, MalformedElf> {
    let cache = ReadCache::new(file);
    match FileKind::parse(&cache)? {
        FileKind::Elf64 => read_tables::<FileHeader64<Endianness>, _>(&cache),
        FileKind::Elf32 => read_tables::<FileHeader32<Endianness>, _>(&cache),
        _ => Err(MalformedElf("unsupported class".to_owned())),
    }
}

fn read_tables<'data, Header, Data>(data: Data) -> Result<Elf, MalformedElf>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let header = Header::parse(data)?;
    let endian = header.endian()?;
    let machine = match (header.e_machine(endian), header.is_type_64(), endian) {
        (EM_X86_64, true, Endianness::Little) => ElfMachine::Known(Architecture::X86_64),
        (EM_AARCH64, true, Endianness::Little) => ElfMachine::Known(Architecture::Arm64),
        (other, _, _) => ElfMachine::Other(other),
    };
    let segments = header.program_headers(endian, data)?;
    let sections = header.sections(endian, data)?;
    let dynamic = sections.dynamic_table(endian, data)?;
    let interpreter = interpreter_of::<Header, _>(segments, endian, data);
    let has_interpreter = segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP);
    let is_dynamic = segments.iter().any(|segment| segment.p_type(endian) == PT_DYNAMIC);
    let is_program = has_interpreter || !is_dynamic;
    // Packers remove all sections. Such a file can be loaded, but does not show what it needs.
    if is_dynamic && dynamic.is_empty() && !sections.is_empty() {
        return Err(MalformedElf("it is dynamically linked, but has no dynamic section".to_owned()));
    }
    let role = match header.e_type(endian) {
        ET_DYN | ET_EXEC if is_program => ElfRole::Program,
        ET_DYN if initialises_a_module(&sections, endian, data)? => ElfRole::Module,
        ET_DYN | ET_EXEC => ElfRole::Library,
        _ => ElfRole::Object,
    };
    let (mut soname, mut needed, mut rpath, mut runpath) = (None, Vec::new(), Vec::new(), Vec::new());
    for entry in dynamic.iter() {
        if !matches!(entry.tag, DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH) {
            continue;
        }
        let text = String::from_utf8_lossy(dynamic.string(entry)?).into_owned();
        match entry.tag {
            DT_NEEDED => needed.push(text),
            DT_SONAME => soname = Some(text),
            DT_RPATH => rpath = search_path(&text),
            _ => runpath = search_path(&text),
        }
    }
    let versions = used_versions(&sections, endian, data)?;
    let is_packed = dynamic.iter().any(|entry| entry.tag == DT_RELR);
    let new_functions = new_functions(&sections, endian, data);
    Ok(Elf { machine, role, soname, needed, rpath, runpath, versions, interpreter, is_packed, new_functions })
}

/// Returns the dynamic linker that an executable names, of which at least the beginning is given. `None` if it names none.
pub(crate) fn interpreter(executable: &[u8]) -> Option<String> {
    let header = FileHeader64::<Endianness>::parse(executable).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, executable).ok()?;
    interpreter_of::<FileHeader64<Endianness>, _>(segments, endian, executable)
}

fn interpreter_of<'data, Header, Data>(
    segments: &[Header::ProgramHeader],
    endian: Endianness,
    data: Data,
) -> Option<String>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let segment = segments.iter().find(|segment| segment.p_type(endian) == PT_INTERP)?;
    let name = segment.data(endian, data).ok()?;
    Some(String::from_utf8_lossy(name.split(|byte| *byte == 0).next()?).into_owned())
}

/// Returns the undefined functions that earlier versions of musl lack, apart from weak ones, which may be missing. musl resolves
/// all functions when it loads a file.
fn new_functions<'data, Header, Data>(
    sections: &SectionTable<'data, Header, Data>,
    endian: Endianness,
    data: Data,
) -> Vec<String>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    // Executables may have none that can be read, as packers leave them, and run.
    let Ok(symbols) = sections.symbols(endian, data, SHT_DYNSYM) else { return Vec::new() };
    let mut functions = Vec::new();
    for symbol in symbols.iter().filter(|symbol| symbol.is_undefined(endian) && symbol.st_bind() == STB_GLOBAL) {
        let name = symbol.name(endian, symbols.strings()).ok().and_then(|name| std::str::from_utf8(name).ok());
        functions.extend(name.filter(|name| musl::is_new_function(name)).map(str::to_owned));
    }
    functions.sort_unstable();
    functions
}

/// Splits the value of `DT_RPATH` or `DT_RUNPATH`.
fn search_path(value: &str) -> Vec<String> {
    value.split(':').map(str::to_owned).collect()
}

/// Returns whether a file has a function that initialises an extension module (PEP 3121, PEP 489).
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

/// Returns the newest versions of the symbols that a file uses from the libraries of the platform. Copies of these
/// libraries in a wheel do not count: auditwheel renames them. Nor do weak versions, which the dynamic linker does not
/// require (glibc 2.41, `match_symbol` in elf/dl-version.c); rustc 1.99 and later produces them.
fn used_versions<'data, Header, Data>(
    sections: &SectionTable<'data, Header, Data>,
    endian: Endianness,
    data: Data,
) -> Result<SymbolVersions, MalformedElf>
where
    Header: FileHeader<Endian = Endianness>,
    Data: ReadRef<'data>,
{
    let mut versions = SymbolVersions::default();
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, data)? else { return Ok(versions) };
    let strings = sections.strings(endian, data, strings)?;
    while let Some((needed, mut names)) = needs.next()? {
        let library = needed.file(endian, strings)?;
        while let Some(name) = names.next()? {
            if name.vna_flags.get(endian) & VER_FLG_WEAK != 0 {
                continue;
            }
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

/// Returns the newest version of glibc's symbols that a C library defines, which is the version of the library; `None` if
/// it is another file.
///
/// # Errors
/// The file is not a valid 64-bit ELF file.
pub(crate) fn defined_glibc(library: &[u8]) -> Result<Option<Glibc>, MalformedElf> {
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

/// Returns the version of glibc of a symbol version: `GLIBC_2.17` or `GLIBC_2.2.5`.
fn glibc(name: &str) -> Option<Glibc> {
    if name == RELATIVE_RELOCATIONS.0 {
        return Some(RELATIVE_RELOCATIONS.1);
    }
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.');
    Some(Glibc { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
}

/// Returns the version of GCC of a symbol version of libgcc: 7 of `GCC_7.0.0`.
fn gcc(name: &str) -> Option<u16> {
    name.strip_prefix("GCC_")?.split('.').next()?.parse().ok()
}

/// Returns the last number of a symbol version: 22 of `GLIBCXX_3.4.22`, 0 of `GLIBCXX_3.4`.
fn last_number(name: &str, family: &str) -> Option<u16> {
    match name.strip_prefix(family)? {
        "" => Some(0),
        rest => rest.strip_prefix('.')?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn symbol_versions_are_versions_of_glibc() {
        for (name, minor) in [("GLIBC_2.2.5", 2), ("GLIBC_2.38", 38), ("GLIBC_ABI_DT_RELR", 36)] {
            assert_eq!(glibc(name), Some(Glibc { major: 2, minor }), "{name}");
        }
        for name in ["GLIBC_PRIVATE", "GLIBCXX_3.4.30", "GCC_3.0", "GLIBC_", "\u{fffd}"] {
            assert_eq!(glibc(name), None, "{name}");
        }
    }

    #[test]
    fn a_dynamically_linked_executable_is_read() {
        let elf = read(File::open("/proc/self/exe").unwrap()).unwrap();
        let own = Architecture::ALL.into_iter().find(|known| known.wheel_name() == std::env::consts::ARCH);
        assert_eq!(elf.machine, ElfMachine::Known(own.unwrap()));
        assert!(elf.needed.contains(&"libc.so.6".to_owned()) && elf.role == ElfRole::Program, "{elf:?}");
        assert!(elf.versions.glibc.is_some_and(|glibc| glibc.minor >= 14), "{elf:?}");
    }

    #[test]
    fn weak_versions_are_not_needed() {
        let mut program = std::fs::read("/proc/self/exe").unwrap();
        let header = object::elf::FileHeader64::<Endianness>::parse(&*program).unwrap();
        let sections = header.sections(Endianness::Little, &*program).unwrap();
        let (_, section) = sections.section_by_name(Endianness::Little, b".gnu.version_r").unwrap();
        let start = section.sh_offset.get(Endianness::Little) as usize;
        let number = |program: &[u8], at: usize| u32::from_le_bytes(program[at..at + 4].try_into().unwrap()) as usize;
        // The chain of libraries, and for each the chain of its versions, by relative offsets.
        let mut need = start;
        loop {
            let mut name = need + number(&program, need + 8);
            loop {
                program[name + 4] |= VER_FLG_WEAK as u8;
                match number(&program, name + 12) {
                    0 => break,
                    next => name += next,
                }
            }
            match number(&program, need + 12) {
                0 => break,
                next => need += next,
            }
        }
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &program).unwrap();
        let elf = read(file).unwrap();
        assert_eq!(elf.versions, SymbolVersions::default());
        assert!(elf.needed.contains(&"libc.so.6".to_owned()));
    }

    #[test]
    fn a_c_library_defines_its_version() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let path =
            maps.lines().filter_map(|line| line.split_whitespace().last()).find(|path| path.ends_with("/libc.so.6"));
        let own = defined_glibc(&std::fs::read(path.unwrap()).unwrap()).unwrap();
        assert!(own.is_some_and(|glibc| glibc.minor >= 17), "{own:?}");
        let program = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(defined_glibc(&program), Ok(None));
    }

    #[test]
    fn a_file_without_sections_shows_no_needs() {
        let mut program = std::fs::read("/proc/self/exe").unwrap();
        // e_shoff, e_shnum and e_shstrndx of a 64-bit header.
        for field in [40..48, 60..62, 62..64] {
            program[field].fill(0);
        }
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &program).unwrap();
        let elf = read(file).unwrap();
        assert_eq!((elf.role, elf.needed, elf.versions), (ElfRole::Program, Vec::new(), SymbolVersions::default()));
    }

    #[test]
    fn a_truncated_file_is_malformed() {
        let program = std::fs::read("/proc/self/exe").unwrap();
        for length in [4, 16, 63, 64, 1000] {
            let mut file = tempfile::tempfile().unwrap();
            std::io::Write::write_all(&mut file, &program[..length]).unwrap();
            assert!(read(file).is_err(), "{length} bytes");
        }
    }
}
