//! Dropping from an ELF file what is not loaded and only debuggers read.
//!
//! What is loaded stays byte for byte. A stretch of it moves in the file only by a multiple of the alignment of all
//! segments, so that its place in memory is the same; nothing in it knows where it lies in the file. Sections keep their
//! numbers, since dynamic symbols refer to them: the header of a section that is dropped before one that stays becomes
//! inactive. So nothing has to be interpreted but the three tables that are written anew.
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

/// The version of what stripping makes of a file: raised when it makes something else of one.
pub const FORMAT: u32 = 1;

/// The beginnings of the names of sections that only debuggers read.
const DEBUG: [&[u8]; 5] = [b".debug_", b".zdebug_", b".gnu_debugdata", b".gdb_index", b".stab"];

/// The name of the section with the names of sections.
const NAMES: &[u8] = b".shstrtab";

type ElfHeader = FileHeader64<LE>;
type ElfSegment = ProgramHeader64<LE>;
type ElfSection = SectionHeader64<LE>;

/// Strips an ELF file of 64 bits in place, and returns whether it did.
///
/// A file is left as it is if it is another kind of file, contradicts itself, has bytes after all that its tables name, or
/// would not get smaller.
pub fn strip(file: &mut Vec<u8>) -> bool {
    let Some(plan) = StripPlan::of(file) else { return false };
    plan.apply(file);
    true
}

/// A stretch of the file that stays together.
#[derive(Debug, Clone)]
struct KeptRegion {
    /// Where it lies.
    range: Range<u64>,
    /// Where it begins in what is written.
    start: u64,
}

impl KeptRegion {
    fn holds(&self, range: &Range<u64>) -> bool {
        self.range.start <= range.start && range.end <= self.range.end
    }

    /// Returns where an offset in it, or after it, lies in what is written.
    fn moved(&self, offset: u64) -> u64 {
        offset - self.range.start + self.start
    }
}

/// What is made of a file: its chunks, in order, and the tables that are written over and after them.
struct StripPlan {
    chunks: Vec<KeptRegion>,
    header: ElfHeader,
    segments: (u64, Vec<ElfSegment>),
    /// The names of sections, and where they go.
    names: (u64, Vec<u8>),
    /// The headers of sections, and where they go.
    sections: (u64, Vec<ElfSection>),
}

impl StripPlan {
    /// Returns how a file is stripped; nothing if it is to stay as it is.
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
        if !is_explained(header, &loaded, &ranges, file) {
            return None;
        }
        let is_kept = kept(&sections, &names, own_names);
        if (1..sections.len()).all(|number| is_kept[number] || number == own_names) {
            return None;
        }
        let chunks = chunks(loaded, alignment(&segments)?, &sections, &ranges, &is_kept)?;
        let place = chunks.last().map(|chunk| chunk.moved(chunk.range.end))?;
        let last = is_kept.iter().rposition(|is_kept| *is_kept)?;
        let mut written: Vec<ElfSection> = Vec::new();
        let mut text = vec![0];
        for number in 0..=last {
            written.push(match is_kept[number] && number > 0 {
                true => section(
                    &sections[number],
                    &ranges[number],
                    &chunks,
                    &is_kept,
                    push_name(&mut text, names[number])?,
                )?,
                false => inactive(),
            });
        }
        let name = push_name(&mut text, NAMES)?;
        written.push(names_section(name, place, text.len() as u64));
        let end = place.checked_add(text.len() as u64)?.checked_next_multiple_of(8)?;
        let size = end.checked_add((written.len() * size_of::<ElfSection>()) as u64)?;
        if size >= file.len() as u64 {
            return None;
        }
        let segments_at = translate(&chunks, header.e_phoff.get(LE))?;
        let mut header = *header;
        header.e_phoff = U64::new(LE, segments_at);
        header.e_shoff = U64::new(LE, end);
        header.e_shnum = U16::new(LE, u16::try_from(written.len()).ok()?);
        header.e_shstrndx = U16::new(LE, u16::try_from(written.len() - 1).ok()?);
        let segments = segments.iter().map(|segment| moved_segment(segment, &chunks)).collect::<Option<_>>()?;
        Some(Self { chunks, header, segments: (segments_at, segments), names: (place, text), sections: (end, written) })
    }

    /// Writes what is planned over the file. Chunks only move to the front, so none is overwritten before it is moved.
    fn apply(&self, file: &mut Vec<u8>) {
        let position = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let mut end = 0;
        for chunk in &self.chunks {
            let (from, to) = (position(chunk.range.start)..position(chunk.range.end), position(chunk.start));
            let length = from.len();
            file.copy_within(from, to);
            file[end..to].fill(0);
            end = to + length;
        }
        file.truncate(end);
        let mut write = |offset: u64, bytes: &[u8]| {
            let place = position(offset);
            file.resize(file.len().max(place + bytes.len()), 0);
            file[place..place + bytes.len()].copy_from_slice(bytes);
        };
        write(0, bytes_of(&self.header));
        write(self.segments.0, object::pod::bytes_of_slice(&self.segments.1));
        write(self.names.0, &self.names.1);
        write(self.sections.0, object::pod::bytes_of_slice(&self.sections.1));
    }
}

/// Returns the bytes of a section in the file; none if the file does not have them.
fn in_file(section: &ElfSection, file: &[u8]) -> Option<Range<u64>> {
    let start = section.sh_offset.get(LE);
    let is_empty = [SHT_NOBITS, SHT_NULL].contains(&section.sh_type.get(LE));
    let size = if is_empty { 0 } else { section.sh_size.get(LE) };
    let end = start.checked_add(size)?;
    (is_empty || end <= file.len() as u64).then_some(start..end)
}

/// Returns the stretches of the file that are loaded, or are needed to load it, in order; those that touch are one.
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

/// Returns whether nothing but zeros follows all that the tables name. What follows is the program's own, such as an
/// archive, which it finds by the end of the file.
fn is_explained(header: &ElfHeader, loaded: &[Range<u64>], sections: &[Range<u64>], file: &[u8]) -> bool {
    let table = header.e_shoff.get(LE).saturating_add((sections.len() * size_of::<ElfSection>()) as u64);
    let ends = loaded.iter().chain(sections.iter().filter(|range| !range.is_empty())).map(|range| range.end);
    let end = ends.chain([table]).max().and_then(|end| usize::try_from(end).ok());
    end.and_then(|end| file.get(end..)).is_some_and(|rest| rest.iter().all(|byte| *byte == 0))
}

fn is_loaded(section: &ElfSection) -> bool {
    section.sh_flags.get(LE) & u64::from(SHF_ALLOC) != 0
}

/// Returns whether each section stays: what is loaded does, and what is not known to be for debuggers.
fn kept(sections: &[ElfSection], names: &[&[u8]], own_names: usize) -> Vec<bool> {
    let is_debug = |name: &[u8]| DEBUG.iter().any(|beginning| name.starts_with(beginning));
    let stays = |(section, name): (&ElfSection, &&[u8])| match section.sh_type.get(LE) {
        _ if is_loaded(section) => true,
        SHT_NULL | SHT_SYMTAB | SHT_SYMTAB_SHNDX | SHT_REL | SHT_RELA => false,
        _ => !is_debug(name),
    };
    let mut kept: Vec<bool> = sections.iter().zip(names).map(stays).collect();
    // Strings go with the last table that refers to them.
    let linked: Vec<usize> = linked(sections, &kept);
    for (number, section) in sections.iter().enumerate() {
        let is_strings = section.sh_type.get(LE) == SHT_STRTAB && !is_loaded(section);
        kept[number] &= !is_strings || linked.contains(&number);
    }
    kept[own_names] &= is_loaded(&sections[own_names]) || linked.contains(&own_names);
    kept
}

/// Returns the sections that kept ones refer to.
fn linked(sections: &[ElfSection], kept: &[bool]) -> Vec<usize> {
    let of_kept = sections.iter().zip(kept).filter(|(_, is_kept)| **is_kept);
    of_kept.filter_map(|(section, _)| usize::try_from(section.sh_link.get(LE)).ok()).collect()
}

/// Returns the alignment of all segments that are loaded; nothing if it is none.
fn alignment(segments: &[ElfSegment]) -> Option<u64> {
    let loaded = segments.iter().filter(|segment| segment.p_type.get(LE) == PT_LOAD);
    let alignments = loaded.map(|segment| segment.p_align.get(LE).max(1));
    alignments.max().filter(|_| segments.iter().all(|segment| segment.p_align.get(LE).max(1).is_power_of_two()))
}

/// Returns what stays, in order, each stretch as far to the front as its alignment lets it; nothing if two overlap, or if
/// a section that should be loaded is not.
fn chunks(
    loaded: Vec<Range<u64>>,
    alignment: u64,
    sections: &[ElfSection],
    ranges: &[Range<u64>],
    is_kept: &[bool],
) -> Option<Vec<KeptRegion>> {
    let holds = |stretch: &Range<u64>, range: &Range<u64>| stretch.start <= range.start && range.end <= stretch.end;
    let mut stretches: Vec<(Range<u64>, u64)> = loaded.into_iter().map(|range| (range, alignment)).collect();
    let count = stretches.len();
    for (number, section) in sections.iter().enumerate().filter(|(number, _)| is_kept[*number]) {
        let range = &ranges[number];
        if !range.is_empty() && !stretches[..count].iter().any(|(stretch, _)| holds(stretch, range)) {
            (!is_loaded(section)).then_some(())?;
            stretches.push((range.clone(), section.sh_addralign.get(LE).max(1)));
        }
    }
    stretches.sort_by_key(|(range, _)| range.start);
    let (mut end, mut before, mut chunks) = (0, 0, Vec::new());
    for (range, alignment) in stretches {
        let room = range.start.checked_sub(before).map(|_| range.start - end)?;
        let start = range.start - room / alignment * alignment;
        (end, before) = (start + (range.end - range.start), range.end);
        chunks.push(KeptRegion { range, start });
    }
    Some(chunks)
}

/// Returns where a place of the file lies in what is written: in its chunk, or as far after the last chunk before it.
fn translate(chunks: &[KeptRegion], offset: u64) -> Option<u64> {
    let chunk = chunks.iter().rfind(|chunk| chunk.range.start <= offset)?;
    Some(chunk.moved(offset.min(chunk.range.end)))
}

fn moved_segment(segment: &ElfSegment, chunks: &[KeptRegion]) -> Option<ElfSegment> {
    let mut segment = *segment;
    if segment.p_filesz.get(LE) > 0 {
        segment.p_offset = U64::new(LE, translate(chunks, segment.p_offset.get(LE))?);
    }
    Some(segment)
}

/// Returns the header of a section that stays.
fn section(
    old: &ElfSection,
    range: &Range<u64>,
    chunks: &[KeptRegion],
    is_kept: &[bool],
    name: u32,
) -> Option<ElfSection> {
    let mut section = *old;
    let holder = chunks.iter().find(|chunk| !range.is_empty() && chunk.holds(range));
    let offset = match holder {
        Some(chunk) => chunk.moved(range.start),
        None => translate(chunks, range.start)?,
    };
    let is_gone = |number: u32| usize::try_from(number).is_ok_and(|number| !is_kept.get(number).unwrap_or(&false));
    section.sh_name = U32::new(LE, name);
    section.sh_offset = U64::new(LE, offset);
    if is_gone(section.sh_link.get(LE)) {
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
