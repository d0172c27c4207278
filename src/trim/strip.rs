//! Removes the sections of ELF files that are not loaded and only used by debuggers.
//!
//! Loaded bytes are unchanged. A region of them moves in the file only by a multiple of the alignment of all segments,
//! so that it is mapped at the same address; nothing in it depends on its file offset. Sections keep their numbers, which
//! dynamic symbols refer to: the header of a removed section before a kept one becomes inactive. So only three tables
//! have to be interpreted and rewritten.
//!
//! Specification: [System V ABI, object files](https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html).

use std::ops::Range;

use object::elf::{
    ET_DYN, ET_EXEC, FileHeader64, PT_LOAD, ProgramHeader64, SHF_ALLOC, SHN_LORESERVE, SHT_NOBITS, SHT_NULL, SHT_REL,
    SHT_RELA, SHT_STRTAB, SHT_SYMTAB, SHT_SYMTAB_SHNDX, SectionHeader64,
};
use object::pod::bytes_of;
use object::read::elf::FileHeader as _;
use object::{LittleEndian as LE, U16, U32, U64};

/// The version of the output, to be raised when stripping gives other bytes for the same file.
pub const FORMAT: u32 = 1;

/// The prefixes of the names of debug sections.
const DEBUG: [&[u8]; 5] = [b".debug_", b".zdebug_", b".gnu_debugdata", b".gdb_index", b".stab"];

/// The section with the names of sections.
const NAMES: &[u8] = b".shstrtab";

type ElfHeader = FileHeader64<LE>;
type ElfSegment = ProgramHeader64<LE>;
type ElfSection = SectionHeader64<LE>;

/// Strips a 64-bit ELF file in names_offset, and returns whether it changed.
///
/// A file is left unchanged if it is of another kind or inconsistent, has data after everything that its tables describe,
/// or would not get smaller.
pub fn strip(file: &mut Vec<u8>) -> bool {
    let Some(plan) = StripPlan::of(file) else { return false };
    plan.apply(file);
    true
}

/// A region of the file that moves as a whole.
#[derive(Debug, Clone)]
struct KeptRegion {
    /// The old offsets.
    range: Range<u64>,
    /// The new offset.
    start: u64,
}

impl KeptRegion {
    /// Returns the new offset for an old one in or after the region.
    fn moved(&self, offset: u64) -> u64 {
        offset - self.range.start + self.start
    }
}

/// The new file: regions of the old one, and tables with their new offsets that are written over and after them.
struct StripPlan {
    /// Ordered by offset.
    regions: Vec<KeptRegion>,
    header: ElfHeader,
    segments: (u64, Vec<ElfSegment>),
    names: (u64, Vec<u8>),
    sections: (u64, Vec<ElfSection>),
}

impl StripPlan {
    /// Plans the stripping of a file; `None` if it must not or need not be changed.
    fn of(file: &[u8]) -> Option<Self> {
        let header = ElfHeader::parse(file).ok().filter(|header| header.is_little_endian())?;
        if ![ET_DYN, ET_EXEC].contains(&header.e_type.get(LE)) {
            return None;
        }
        let segments = header.program_headers(LE, file).ok()?.to_vec();
        let table = header.sections(LE, file).ok()?;
        let sections: Vec<ElfSection> = table.iter().copied().collect();
        let own_names = usize::from(header.e_shstrndx.get(LE));
        if sections.len() < 2 || sections.len() >= usize::from(SHN_LORESERVE) || own_names >= sections.len() {
            return None;
        }
        let names: Option<Vec<&[u8]>> = table.iter().map(|section| table.section_name(LE, section).ok()).collect();
        let names = names?;
        let ranges: Vec<Range<u64>> = sections.iter().map(|section| in_file(section, file)).collect::<Option<_>>()?;
        let loaded = loaded(header, &segments, file)?;
        if !has_no_trailing_data(header, &loaded, &ranges, file) {
            return None;
        }
        let is_kept = kept(&sections, &names, own_names);
        if (1..sections.len()).all(|number| is_kept[number] || number == own_names) {
            return None;
        }
        let regions = regions(loaded, alignment(&segments)?, &sections, &ranges, &is_kept)?;
        let names_offset = regions.last().map(|region| region.moved(region.range.end))?;
        let last = is_kept.iter().rposition(|is_kept| *is_kept)?;
        let mut written: Vec<ElfSection> = Vec::new();
        let mut text = vec![0];
        for number in 0..=last {
            written.push(if is_kept[number] && number > 0 {
                let name = push_name(&mut text, names[number])?;
                section(&sections[number], &ranges[number], &regions, &is_kept, name)?
            } else {
                inactive()
            });
        }
        let name = push_name(&mut text, NAMES)?;
        written.push(names_section(name, names_offset, text.len() as u64));
        let end = names_offset.checked_add(text.len() as u64)?.checked_next_multiple_of(8)?;
        let size = end.checked_add((written.len() * size_of::<ElfSection>()) as u64)?;
        if size >= file.len() as u64 {
            return None;
        }
        let segments_at = translate(&regions, header.e_phoff.get(LE))?;
        let mut header = *header;
        header.e_phoff = U64::new(LE, segments_at);
        header.e_shoff = U64::new(LE, end);
        header.e_shnum = U16::new(LE, u16::try_from(written.len()).ok()?);
        header.e_shstrndx = U16::new(LE, u16::try_from(written.len() - 1).ok()?);
        let segments = segments.iter().map(|segment| moved_segment(segment, &regions)).collect::<Option<_>>()?;
        Some(Self {
            regions,
            header,
            segments: (segments_at, segments),
            names: (names_offset, text),
            sections: (end, written),
        })
    }

    /// Rewrites the file. Regions only move to the front, so none is overwritten before it is moved.
    fn apply(&self, file: &mut Vec<u8>) {
        let mut end = 0;
        for region in &self.regions {
            let (from, to) = (to_usize(region.range.start)..to_usize(region.range.end), to_usize(region.start));
            let length = from.len();
            file.copy_within(from, to);
            file[end..to].fill(0);
            end = to + length;
        }
        file.truncate(end);
        write_at(file, 0, bytes_of(&self.header));
        write_at(file, self.segments.0, object::pod::bytes_of_slice(&self.segments.1));
        write_at(file, self.names.0, &self.names.1);
        write_at(file, self.sections.0, object::pod::bytes_of_slice(&self.sections.1));
    }
}

fn to_usize(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Overwrites bytes at an offset, and extends the file with zeros if necessary.
fn write_at(file: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = to_usize(offset);
    file.resize(file.len().max(start + bytes.len()), 0);
    file[start..start + bytes.len()].copy_from_slice(bytes);
}

fn contains(outer: &Range<u64>, inner: &Range<u64>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Returns the position of a section in the file; `None` if the file is too short.
fn in_file(section: &ElfSection, file: &[u8]) -> Option<Range<u64>> {
    let start = section.sh_offset.get(LE);
    let is_empty = [SHT_NOBITS, SHT_NULL].contains(&section.sh_type.get(LE));
    let size = if is_empty { 0 } else { section.sh_size.get(LE) };
    let end = start.checked_add(size)?;
    (is_empty || end <= file.len() as u64).then_some(start..end)
}

/// Returns the regions of the file that are loaded or needed for loading, ordered and with adjacent ones joined.
fn loaded(header: &ElfHeader, segments: &[ElfSegment], file: &[u8]) -> Option<Vec<Range<u64>>> {
    let table = header.e_phoff.get(LE);
    let mut ranges = vec![0..size_of::<ElfHeader>() as u64, table..table.checked_add(size_of_val(segments) as u64)?];
    for segment in segments {
        let start = segment.p_offset.get(LE);
        let range = start..start.checked_add(segment.p_filesz.get(LE))?;
        ranges.extend((!range.is_empty()).then_some(range));
    }
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    (joined.last()?.end <= file.len() as u64).then_some(joined)
}

/// Returns whether only zeros follow what the tables describe. Other data would belong to the program itself: a
/// self-extracting executable finds its archive relative to the end of the file.
fn has_no_trailing_data(header: &ElfHeader, loaded: &[Range<u64>], sections: &[Range<u64>], file: &[u8]) -> bool {
    let table = header.e_shoff.get(LE).saturating_add((sections.len() * size_of::<ElfSection>()) as u64);
    let ends = loaded.iter().chain(sections.iter().filter(|range| !range.is_empty())).map(|range| range.end);
    let end = ends.chain([table]).max().and_then(|end| usize::try_from(end).ok());
    end.and_then(|end| file.get(end..)).is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}

fn is_loaded(section: &ElfSection) -> bool {
    section.sh_flags.get(LE) & u64::from(SHF_ALLOC) != 0
}

/// Returns whether a section is kept: a loaded one, or one that is not known to be for debuggers.
fn is_needed(section: &ElfSection, name: &[u8]) -> bool {
    match section.sh_type.get(LE) {
        _ if is_loaded(section) => true,
        SHT_NULL | SHT_SYMTAB | SHT_SYMTAB_SHNDX | SHT_REL | SHT_RELA => false,
        _ => !DEBUG.iter().any(|prefix| name.starts_with(prefix)),
    }
}

/// Returns whether each section is kept.
fn kept(sections: &[ElfSection], names: &[&[u8]], own_names: usize) -> Vec<bool> {
    let mut kept: Vec<bool> = sections.iter().zip(names).map(|(section, name)| is_needed(section, name)).collect();
    // A string table is removed with the last section that refers to it.
    let linked: Vec<usize> = linked(sections, &kept);
    for (number, section) in sections.iter().enumerate() {
        let is_strings = section.sh_type.get(LE) == SHT_STRTAB && !is_loaded(section);
        kept[number] &= !is_strings || linked.contains(&number);
    }
    kept[own_names] &= is_loaded(&sections[own_names]) || linked.contains(&own_names);
    kept
}

/// Returns the numbers of the sections that kept ones refer to.
fn linked(sections: &[ElfSection], kept: &[bool]) -> Vec<usize> {
    let of_kept = sections.iter().zip(kept).filter(|(_, is_kept)| **is_kept);
    of_kept.filter_map(|(section, _)| usize::try_from(section.sh_link.get(LE)).ok()).collect()
}

/// Returns the largest alignment of the loaded segments; `None` if any alignment is invalid.
fn alignment(segments: &[ElfSegment]) -> Option<u64> {
    let loaded = segments.iter().filter(|segment| segment.p_type.get(LE) == PT_LOAD);
    let alignments = loaded.map(|segment| segment.p_align.get(LE).max(1));
    alignments.max().filter(|_| segments.iter().all(|segment| segment.p_align.get(LE).max(1).is_power_of_two()))
}

/// Returns the kept regions in order, each as far to the front as its alignment allows; `None` if two overlap or a
/// section that should be loaded is not.
fn regions(
    loaded: Vec<Range<u64>>,
    alignment: u64,
    sections: &[ElfSection],
    ranges: &[Range<u64>],
    is_kept: &[bool],
) -> Option<Vec<KeptRegion>> {
    let mut stretches: Vec<(Range<u64>, u64)> = loaded.into_iter().map(|range| (range, alignment)).collect();
    let count = stretches.len();
    for (number, section) in sections.iter().enumerate().filter(|(number, _)| is_kept[*number]) {
        let range = &ranges[number];
        if !range.is_empty() && !stretches[..count].iter().any(|(stretch, _)| contains(stretch, range)) {
            (!is_loaded(section)).then_some(())?;
            stretches.push((range.clone(), section.sh_addralign.get(LE).max(1)));
        }
    }
    stretches.sort_by_key(|(range, _)| range.start);
    let (mut end, mut before, mut regions) = (0, 0, Vec::new());
    for (range, alignment) in stretches {
        let room = range.start.checked_sub(before).map(|_| range.start - end)?;
        let start = range.start - room / alignment * alignment;
        (end, before) = (start + (range.end - range.start), range.end);
        regions.push(KeptRegion { range, start });
    }
    Some(regions)
}

/// Returns the new offset for an old one: in its region, or at the end of the last region before it.
fn translate(regions: &[KeptRegion], offset: u64) -> Option<u64> {
    let region = regions.iter().rfind(|region| region.range.start <= offset)?;
    Some(region.moved(offset.min(region.range.end)))
}

fn moved_segment(segment: &ElfSegment, regions: &[KeptRegion]) -> Option<ElfSegment> {
    let mut segment = *segment;
    if segment.p_filesz.get(LE) > 0 {
        segment.p_offset = U64::new(LE, translate(regions, segment.p_offset.get(LE))?);
    }
    Some(segment)
}

/// Returns the new header of a kept section.
fn section(
    old: &ElfSection,
    range: &Range<u64>,
    regions: &[KeptRegion],
    is_kept: &[bool],
    name: u32,
) -> Option<ElfSection> {
    let mut section = *old;
    let container = regions.iter().find(|region| !range.is_empty() && contains(&region.range, range));
    let offset = match container {
        Some(region) => region.moved(range.start),
        None => translate(regions, range.start)?,
    };
    section.sh_name = U32::new(LE, name);
    section.sh_offset = U64::new(LE, offset);
    let link = usize::try_from(section.sh_link.get(LE));
    if link.is_ok_and(|number| !is_kept.get(number).unwrap_or(&false)) {
        section.sh_link = U32::new(LE, 0);
    }
    Some(section)
}

fn inactive() -> ElfSection {
    let (word, long) = (U32::new(LE, 0), U64::new(LE, 0));
    ElfSection {
        sh_name: word,
        sh_type: word,
        sh_flags: long,
        sh_addr: long,
        sh_offset: long,
        sh_size: long,
        sh_link: word,
        sh_info: word,
        sh_addralign: long,
        sh_entsize: long,
    }
}

fn names_section(name: u32, offset: u64, size: u64) -> ElfSection {
    ElfSection {
        sh_name: U32::new(LE, name),
        sh_type: U32::new(LE, SHT_STRTAB),
        sh_offset: U64::new(LE, offset),
        sh_size: U64::new(LE, size),
        sh_addralign: U64::new(LE, 1),
        ..inactive()
    }
}

fn push_name(text: &mut Vec<u8>, name: &[u8]) -> Option<u32> {
    let at = u32::try_from(text.len()).ok()?;
    text.extend(name);
    text.push(0);
    Some(at)
}
