//! The header of a shared library, as far as the cache of the dynamic linker has it.

use object::elf::{
    DT_SONAME, DT_STRTAB, ET_DYN, FileHeader32, FileHeader64, NT_GNU_ABI_TAG, PT_DYNAMIC, PT_LOAD, PT_NOTE,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endian as _, Endianness, FileKind};
use serde::{Deserialize, Serialize};

/// A shared library as ldconfig sees it.
///
/// Specification: [System V ABI, dynamic linking](https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SharedLibrary {
    /// The name by which other files are linked to it (`DT_SONAME`).
    pub(crate) soname: Option<String>,
    /// The number of the machine (`e_machine`).
    pub(crate) machine: u16,
    pub(crate) is_64_bit: bool,
    /// The flags of the machine (`e_flags`).
    pub(crate) flags: u32,
    /// The operating system and the version of its kernel that the library needs (`NT_GNU_ABI_TAG`).
    pub(crate) abi_tag: Option<[u32; 4]>,
}

impl SharedLibrary {
    /// Reads a file; `None` if it is no shared library.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        match FileKind::parse(bytes).ok()? {
            FileKind::Elf64 => read::<FileHeader64<Endianness>>(bytes),
            FileKind::Elf32 => read::<FileHeader32<Endianness>>(bytes),
            _ => None,
        }
    }
}

fn read<Header: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Option<SharedLibrary> {
    let header = Header::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    if header.e_type(endian) != ET_DYN {
        return None;
    }
    let segments = header.program_headers(endian, bytes).ok()?;
    let (mut soname, mut strings, mut abi_tag) = (None, None, None);
    for segment in segments {
        match segment.p_type(endian) {
            PT_DYNAMIC => {
                for entry in segment.dynamic(endian, bytes).ok()?? {
                    let value: u64 = entry.d_val(endian).into();
                    match entry.tag(endian) {
                        DT_SONAME => soname = Some(value),
                        DT_STRTAB => strings = Some(value),
                        _ => (),
                    }
                }
            }
            PT_NOTE => abi_tag = abi_tag.or_else(|| tag_of(segment, endian, bytes)),
            _ => (),
        }
    }
    let soname = soname.zip(strings).and_then(|(soname, strings)| {
        let address = strings.checked_add(soname)?;
        let segment = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD).find(|segment| {
            let (start, size): (u64, u64) = (segment.p_vaddr(endian).into(), segment.p_filesz(endian).into());
            (start..start.saturating_add(size)).contains(&address)
        })?;
        let offset = address.checked_sub(segment.p_vaddr(endian).into())?;
        let text = bytes.get(usize::try_from(offset.checked_add(segment.p_offset(endian).into())?).ok()?..)?;
        let end = memchr::memchr(0, text)?;
        String::from_utf8(text[..end].to_owned()).ok()
    });
    Some(SharedLibrary {
        soname,
        machine: header.e_machine(endian),
        is_64_bit: header.is_type_64(),
        flags: header.e_flags(endian),
        abi_tag,
    })
}

fn tag_of<Segment: ProgramHeader<Endian = Endianness>>(
    segment: &Segment,
    endian: Endianness,
    bytes: &[u8],
) -> Option<[u32; 4]> {
    let mut notes = segment.notes(endian, bytes).ok()??;
    while let Ok(Some(note)) = notes.next() {
        if note.name() == b"GNU" && note.n_type(endian) == NT_GNU_ABI_TAG {
            let mut words = [0; 4];
            for (word, bytes) in words.iter_mut().zip(note.desc().chunks_exact(4)) {
                *word = endian.read_u32(bytes.try_into().ok()?);
            }
            return Some(words);
        }
    }
    None
}
