//! What an ELF file needs of the system that loads it.
//!
//! Specification: [System V ABI, dynamic linking](https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html) and
//! [Linux Standard Base, symbol versioning](https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html).

use std::fmt;
use std::fs::File;

use object::elf::{DT_NEEDED, DT_SONAME, EM_AARCH64, EM_X86_64, FileHeader32, FileHeader64, PT_DYNAMIC};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadCache, ReadRef};

use crate::target::{Architecture, Glibc};

/// The first bytes of every ELF file.
pub const MAGIC: [u8; 4] = *b"\x7fELF";

/// The glibc that understands relative relocations (`DT_RELR`): a version by name rather than by number stands for it.
const RELATIVE_RELOCATIONS: (&[u8], Glibc) = (b"GLIBC_ABI_DT_RELR", Glibc { major: 2, minor: 36 });

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elf {
    /// The machine.
    pub machine: Machine,
    /// The name that a library gives itself.
    pub soname: Option<String>,
    /// The libraries that it is linked to, in their order.
    pub needed: Vec<String>,
    /// The newest version of glibc whose symbols it uses; none if it uses none.
    pub glibc: Option<Glibc>,
}

/// The machine that an ELF file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
            Self::Other(number) => write!(formatter, "the ELF machine {number}"),
        }
    }
}

/// A file that begins as an ELF file and cannot be read as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    let mut elf = Elf { machine, soname: None, needed: Vec::new(), glibc: None };

    let sections = header.sections(endian, data)?;
    let dynamic = sections.dynamic_table(endian, data)?;
    let is_linked = header.program_headers(endian, data)?.iter().any(|segment| segment.p_type(endian) == PT_DYNAMIC);
    if is_linked && dynamic.is_empty() {
        return Err(MalformedElf("it is linked dynamically, and has no section that says to what".to_owned()));
    }
    for entry in dynamic.iter() {
        let text = || Ok::<_, MalformedElf>(String::from_utf8_lossy(dynamic.string(entry)?).into_owned());
        match entry.tag {
            DT_NEEDED => elf.needed.push(text()?),
            DT_SONAME => elf.soname = Some(text()?),
            _ => {}
        }
    }
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, data)? else { return Ok(elf) };
    let strings = sections.strings(endian, data, strings)?;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            elf.glibc = elf.glibc.max(glibc(version.name(endian, strings)?));
        }
    }
    Ok(elf)
}

/// Returns the version of glibc that a version of symbols stands for: `GLIBC_2.17`, or `GLIBC_2.2.5`.
fn glibc(name: &[u8]) -> Option<Glibc> {
    if name == RELATIVE_RELOCATIONS.0 {
        return Some(RELATIVE_RELOCATIONS.1);
    }
    let mut numbers = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split('.');
    Some(Glibc { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_symbols_stand_for_a_glibc() {
        for (name, minor) in [("GLIBC_2.2.5", 2), ("GLIBC_2.38", 38), ("GLIBC_ABI_DT_RELR", 36)] {
            assert_eq!(glibc(name.as_bytes()), Some(Glibc { major: 2, minor }), "{name}");
        }
        for name in ["GLIBC_PRIVATE", "GLIBCXX_3.4.30", "GCC_3.0", "GLIBC_", "\u{fffd}"] {
            assert_eq!(glibc(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn a_programs_own_needs_are_read() {
        let elf = read(File::open("/proc/self/exe").unwrap()).unwrap();
        let own = Architecture::ALL.into_iter().find(|known| known.wheel_name() == std::env::consts::ARCH);
        assert_eq!(elf.machine, Machine::Known(own.unwrap()));
        assert!(elf.needed.contains(&"libc.so.6".to_owned()) && elf.soname.is_none(), "{elf:?}");
        assert!(elf.glibc.is_some_and(|glibc| glibc.minor >= 14), "{elf:?}");
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
