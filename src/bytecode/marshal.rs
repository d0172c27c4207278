//! Normalizes marshalled code, so that it depends only on the source.
//!
//! What CPython writes depends on the state of the process: on reference counts, on which equal constants are the same
//! object, on which strings were interned for other sources, and, before 3.11, on the addresses of a frozenset's members.
//! So the code is parsed and written again. Equal constants become one object, as the compiler does it within a code
//! object; only objects that are referenced again are marked for it; whether a string is marked as interned depends on its
//! characters; and the members of a frozenset are ordered by their bytes.
//!
//! Format: [`Python/marshal.c`](https://github.com/python/cpython/blob/3.14/Python/marshal.c). It has been the same from
//! 3.9 to 3.15, except for the fields of a code object and for slices, which 3.14 adds.

use std::collections::HashMap;

/// Set in the type of an object that is referenced later in the stream.
const FLAG_REF: u8 = 0x80;

/// The maximum nesting of objects, since the parser is recursive.
const DEEPEST: usize = 500;

/// The fields of a code object: numbers, objects, the first line number, objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CodeLayout {
    /// The size of the numbers at the beginning in bytes.
    numbers: usize,
    /// The number of objects after the first line number.
    last_objects: usize,
}

impl CodeLayout {
    /// Returns the layout of a minor version of CPython 3.
    pub(super) fn of(minor: u8) -> Self {
        match minor {
            // argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize, flags; at the end linetable.
            ..=10 => Self { numbers: 6 * 4, last_objects: 1 },
            // Without nlocals; at the end linetable and exceptiontable.
            11.. => Self { numbers: 5 * 4, last_objects: 2 },
        }
    }

    /// The number of objects between the numbers and the first line number.
    const OBJECTS: usize = 8;
}

/// A part of an object: raw bytes, or the index of another object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ObjectPart<'a> {
    Bytes(&'a [u8]),
    Object(usize),
}

/// An object: its type without [`FLAG_REF`], and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct MarshalObject<'a> {
    kind: u8,
    parts: Vec<ObjectPart<'a>>,
}

/// Why marshalled code cannot be normalized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NormalizeError {
    /// The nesting exceeds [`DEEPEST`].
    TooDeep,
    UnknownFormat,
}

/// Normalizes marshalled code.
pub(super) fn normalize(marshalled: &[u8], layout: CodeLayout) -> Result<Vec<u8>, NormalizeError> {
    let mut reader =
        MarshalReader { rest: marshalled, layout, objects: Vec::new(), known: HashMap::new(), marked: Vec::new() };
    let root = reader.object(0)?;
    if !reader.rest.is_empty() {
        return Err(NormalizeError::UnknownFormat);
    }
    let mut uses = vec![0; reader.objects.len()];
    count(&reader.objects, root, &mut uses);
    let numbers = vec![None; reader.objects.len()];
    let mut writer = MarshalWriter { objects: &reader.objects, uses, numbers, marked: 0, output: Vec::new() };
    writer.object(root);
    Ok(writer.output)
}

struct MarshalReader<'a> {
    rest: &'a [u8],
    layout: CodeLayout,
    /// All objects, each after its parts.
    objects: Vec<MarshalObject<'a>>,
    /// The indexes of all objects that may be merged with equal ones.
    known: HashMap<MarshalObject<'a>, usize>,
    /// The indexes of objects with [`FLAG_REF`], in the order in which they begin; `None` until they end.
    marked: Vec<Option<usize>>,
}

impl<'a> MarshalReader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], NormalizeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(NormalizeError::UnknownFormat)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, NormalizeError> {
        let bytes = self.take(4)?.try_into().map_err(|_| NormalizeError::UnknownFormat)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Takes a length of `width` bytes and as many units of `unit` bytes; returns all of these bytes.
    fn sized(&mut self, width: usize, unit: usize) -> Result<&'a [u8], NormalizeError> {
        let all = self.rest;
        let length = match width {
            1 => usize::from(self.take(1)?[0]),
            // Negative integers have a negative length.
            _ => (self.number()? as i32).unsigned_abs() as usize,
        };
        self.take(length.saturating_mul(unit))?;
        Ok(&all[..all.len() - self.rest.len()])
    }

    /// Reads an object and returns its index.
    fn object(&mut self, depth: usize) -> Result<usize, NormalizeError> {
        if depth > DEEPEST {
            return Err(NormalizeError::TooDeep);
        }
        let kind = self.take(1)?[0];
        if kind == b'r' {
            let number = self.number()? as usize;
            return self.marked.get(number).copied().flatten().ok_or(NormalizeError::UnknownFormat);
        }
        let mark = (kind & FLAG_REF != 0).then(|| {
            self.marked.push(None);
            self.marked.len() - 1
        });
        let kind = kind & !FLAG_REF;
        let parts = self.parts(kind, depth)?;
        let index = self.intern(MarshalObject { kind: interned_kind(kind, &parts), parts });
        if let Some(mark) = mark {
            self.marked[mark] = Some(index);
        }
        Ok(index)
    }

    fn parts(&mut self, kind: u8, depth: usize) -> Result<Vec<ObjectPart<'a>>, NormalizeError> {
        let bytes = match kind {
            // None, True, False, StopIteration, Ellipsis.
            b'N' | b'T' | b'F' | b'S' | b'.' => return Ok(Vec::new()),
            b'i' => self.take(4)?,
            b'g' => self.take(8)?,
            b'y' => self.take(16)?,
            // An integer: 15-bit digits in two bytes each.
            b'l' => self.sized(4, 2)?,
            // Bytes and strings.
            b's' | b'u' | b't' | b'a' | b'A' => self.sized(4, 1)?,
            b'z' | b'Z' => self.sized(1, 1)?,
            // Tuples.
            b'(' | b')' => return self.members(if kind == b'(' { 4 } else { 1 }, depth),
            // A frozenset.
            b'>' => {
                let mut parts = self.members(4, depth)?;
                parts[1..].sort_by_cached_key(|part| self.bytes_of(*part));
                return Ok(parts);
            }
            // A slice.
            b':' => return (0..3).map(|_| Ok(ObjectPart::Object(self.object(depth + 1)?))).collect(),
            b'c' => return self.code(depth),
            _ => return Err(NormalizeError::UnknownFormat),
        };
        Ok(vec![ObjectPart::Bytes(bytes)])
    }

    fn members(&mut self, width: usize, depth: usize) -> Result<Vec<ObjectPart<'a>>, NormalizeError> {
        let bytes = self.take(width)?;
        let count = bytes.iter().rev().fold(0, |count, byte| count << 8 | usize::from(*byte));
        let mut parts = vec![ObjectPart::Bytes(bytes)];
        for _ in 0..count {
            parts.push(ObjectPart::Object(self.object(depth + 1)?));
        }
        Ok(parts)
    }

    fn code(&mut self, depth: usize) -> Result<Vec<ObjectPart<'a>>, NormalizeError> {
        let mut parts = vec![ObjectPart::Bytes(self.take(self.layout.numbers)?)];
        for _ in 0..CodeLayout::OBJECTS {
            parts.push(ObjectPart::Object(self.object(depth + 1)?));
        }
        parts.push(ObjectPart::Bytes(self.take(4)?));
        for _ in 0..self.layout.last_objects {
            parts.push(ObjectPart::Object(self.object(depth + 1)?));
        }
        Ok(parts)
    }

    /// Returns the index of an equal object, or adds the object. Code objects are not merged, since each function has its
    /// own.
    fn intern(&mut self, object: MarshalObject<'a>) -> usize {
        let next = self.objects.len();
        if object.kind != b'c' {
            let index = *self.known.entry(object.clone()).or_insert(next);
            if index != next {
                return index;
            }
        }
        self.objects.push(object);
        next
    }

    /// Returns the bytes of a part and of everything that it contains.
    fn bytes_of(&self, part: ObjectPart) -> Vec<u8> {
        match part {
            ObjectPart::Bytes(bytes) => bytes.to_vec(),
            ObjectPart::Object(index) => {
                let object = &self.objects[index];
                let parts = object.parts.iter().flat_map(|part| self.bytes_of(*part));
                std::iter::once(object.kind).chain(parts).collect()
            }
        }
    }
}

/// Returns the normalized type of an object. A string is interned if it consists of the characters of names: creating a
/// code object interns such constants (`all_name_chars` in `Objects/codeobject.c`), and names in any case.
fn interned_kind(kind: u8, parts: &[ObjectPart]) -> u8 {
    let (plain, marked, width) = match kind {
        b'a' | b'A' => (b'a', b'A', 4),
        b'z' | b'Z' => (b'z', b'Z', 1),
        // Not ASCII.
        b'u' | b't' => return b'u',
        other => return other,
    };
    match parts {
        [ObjectPart::Bytes(bytes)]
            if bytes[width..].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') =>
        {
            marked
        }
        _ => plain,
    }
}

/// Counts the uses of each object.
fn count(objects: &[MarshalObject], index: usize, uses: &mut [u32]) {
    uses[index] += 1;
    if uses[index] > 1 {
        return;
    }
    for part in &objects[index].parts {
        if let ObjectPart::Object(index) = part {
            count(objects, *index, uses);
        }
    }
}

struct MarshalWriter<'a> {
    objects: &'a [MarshalObject<'a>],
    uses: Vec<u32>,
    /// The reference number of each object that has been written with [`FLAG_REF`].
    numbers: Vec<Option<u32>>,
    /// The number of objects that have been written with [`FLAG_REF`].
    marked: u32,
    output: Vec<u8>,
}

impl MarshalWriter<'_> {
    fn object(&mut self, index: usize) {
        let object = &self.objects[index];
        if let Some(number) = self.numbers[index] {
            self.output.push(b'r');
            self.output.extend(number.to_le_bytes());
            return;
        }
        // Singletons are never referenced, and a 32-bit integer takes no more bytes than a reference.
        let may_be_marked = !matches!(object.kind, b'N' | b'T' | b'F' | b'S' | b'.' | b'i');
        if may_be_marked && self.uses[index] > 1 {
            self.numbers[index] = Some(self.marked);
            self.marked += 1;
            self.output.push(object.kind | FLAG_REF);
        } else {
            self.output.push(object.kind);
        }
        for part in &object.parts {
            match part {
                ObjectPart::Bytes(bytes) => self.output.extend_from_slice(bytes),
                ObjectPart::Object(index) => self.object(*index),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: CodeLayout = CodeLayout { numbers: 20, last_objects: 2 };

    fn normal(marshalled: &[u8]) -> Result<Vec<u8>, NormalizeError> {
        normalize(marshalled, LAYOUT)
    }

    #[test]
    fn unused_marks_are_removed() {
        assert_eq!(normal(b")\x02\xda\x01a\xe9\x02\0\0\0").unwrap(), b")\x02Z\x01ai\x02\0\0\0");
        // The first mark is removed, so the second becomes the first.
        assert_eq!(normal(b"\xa9\x03\xda\x01a\xfa\x02b r\x02\0\0\0").unwrap(), b")\x03Z\x01a\xfa\x02b r\0\0\0\0");
    }

    #[test]
    fn equal_constants_become_one() {
        let twice = b")\x02)\x02z\x02b N)\x02z\x02b N";
        assert_eq!(normal(twice).unwrap(), b")\x02\xa9\x02z\x02b Nr\0\0\0\0");
        // Bytes are not equal to a string, nor is zero to negative zero.
        let zeros = b")\x02g\0\0\0\0\0\0\0\0g\0\0\0\0\0\0\0\x80";
        for distinct in [&b")\x02s\x01\0\0\0au\x01\0\0\0a"[..], zeros, b")\x02NN"] {
            assert_eq!(normal(distinct).unwrap(), distinct);
        }
    }

    #[test]
    fn strings_that_look_like_names_are_interned() {
        for (written, normal_form) in [
            (&b"z\x02a_"[..], &b"Z\x02a_"[..]),
            (b"\xda\x02a-", b"z\x02a-"),
            (b"a\x01\0\0\0b", b"A\x01\0\0\0b"),
            (b"A\x01\0\0\0 ", b"a\x01\0\0\0 "),
            (b"t\x02\0\0\0\xc3\xa9", b"u\x02\0\0\0\xc3\xa9"),
            (b"s\x01\0\0\0a", b"s\x01\0\0\0a"),
        ] {
            assert_eq!(normal(written).unwrap(), normal_form);
        }
    }

    #[test]
    fn members_of_a_frozenset_are_ordered() {
        let one = normal(b">\x03\0\0\0z\x01b\xe9\x01\0\0\0)\x01z\x01a").unwrap();
        let other = normal(b">\x03\0\0\0)\x01\xfa\x01az\x01bi\x01\0\0\0").unwrap();
        assert_eq!(one, other);
        assert_eq!(one, b">\x03\0\0\0)\x01Z\x01aZ\x01bi\x01\0\0\0");
    }

    #[test]
    fn unknown_formats_are_refused() {
        let cases: [&[u8]; 7] = [b"", b"?", b"NN", b"r\0\0\0\0", b"z\x05a", b"\xa9\x01r\0\0\0\0", b"s\xff\xff\xff\x7f"];
        for wrong in cases {
            assert_eq!(normal(wrong), Err(NormalizeError::UnknownFormat), "{wrong:?}");
        }
        assert_eq!(normal(&b")\x01".repeat(DEEPEST + 1)), Err(NormalizeError::TooDeep));
        assert!(normal(&[&b")\x01".repeat(DEEPEST)[..], b"N"].concat()).is_ok());
    }
}
