//! The ELF files of wheels and of the application, read once per wheel.

use std::io::Read;
use std::path::Path;

use rayon::prelude::*;

use crate::audit::elf::{self, Elf, MalformedElf};
use crate::cache::{Cache, RecordKey, RecordKind};
use crate::pipeline::BuildError;
use crate::temporary::{CopyError, seekable_copy};
use crate::tree::FileContent;
use crate::wheel::{SchemePart, Wheel, WheelFile, WheelInventory};

/// The version of the cached records: raised when other parts of ELF files are read.
pub(crate) const FORMAT: u32 = 3;

/// The size of the smallest ELF file, in bytes: a 32-bit header.
const SMALLEST: u64 = 52;

/// A file of a wheel, by its position in [`WheelInventory::files`], and its parsed headers.
pub(crate) type ElfFile = (usize, Result<Elf, MalformedElf>);

/// Returns the ELF files of a wheel, ordered by position.
///
/// # Errors
/// The wheel cannot be read, or the cache cannot be written to.
pub(crate) fn of_wheel(wheel: &Wheel, cache: &Cache) -> Result<Vec<ElfFile>, BuildError> {
    let is_for_any = wheel.filename.platform_tags.iter().all(|tag| tag == "any");
    if is_for_any && !wheel.inventory.files.iter().any(is_named_so) {
        return Ok(Vec::new());
    }
    let key = RecordKey::new(format!("{FORMAT} {} {}", WheelInventory::FORMAT, wheel.sha256), &[]);
    cache.remember(RecordKind::Binaries, key, || read_wheel(wheel).map_err(BuildError::copying(wheel.location())))
}

fn read_wheel(wheel: &Wheel) -> Result<Vec<ElfFile>, CopyError> {
    let files = wheel.inventory.files.par_iter().enumerate().filter(|(_, file)| !is_source(&file.path));
    let found: Result<Vec<Option<ElfFile>>, CopyError> =
        files.map(|(position, _)| Ok(of_content(&wheel.content(position))?.map(|elf| (position, elf)))).collect();
    Ok(found?.into_iter().flatten().collect())
}

/// Parses a file if it is an ELF file.
///
/// # Errors
/// It cannot be read, or copied to the temporary directory.
pub(crate) fn of_content(content: &FileContent) -> Result<Option<Result<Elf, MalformedElf>>, CopyError> {
    if content.size() < elf::MAGIC.len() as u64 {
        return Ok(None);
    }
    let mut reader = content.reader().map_err(CopyError::Read)?;
    let mut magic = [0; elf::MAGIC.len()];
    reader.read_exact(&mut magic).map_err(CopyError::Read)?;
    if magic != elf::MAGIC {
        return Ok(None);
    }
    // The tables may be anywhere in the file.
    let file = seekable_copy(&mut magic.as_slice().chain(reader))?;
    Ok(Some(elf::read(file)))
}

/// Tells whether a file is Python source, which need not be opened.
pub(crate) fn is_source(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "py" || extension == "pyi")
}

/// Tells by its name whether a file of a wheel for any platform may be an ELF file.
fn is_named_so(file: &WheelFile) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let is_program = file.script.is_none() && !name.contains('.') && file.size >= SMALLEST;
    name.ends_with(".so")
        || name.contains(".so.")
        || (is_program && (file.mode.is_executable() || file.part == SchemePart::Scripts))
}
