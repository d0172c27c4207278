//! Marshalled code, written so that it depends on the source alone.
//!
//! What CPython writes depends on the process: on how often each object is referred to anywhere, on which of equal
//! constants happen to be one object, on which texts were interned for another source, and, before 3.11, on where in
//! memory the members of a frozenset lie. So the code is read and written anew. Equal constants become one object, as
//! the compiler itself makes them one where it sees it; an object is marked as referred to only if it is; texts are
//! marked as interned by a rule of their own; and the members of a frozenset are in the order of their bytes.
//!
//! Format: [`Python/marshal.c`](https://github.com/python/cpython/blob/3.14/Python/marshal.c). It is the same from 3.9 to
//! 3.14, but for the fields of a code object and for slices, which 3.14 adds.

use std::collections::HashMap;

/// An object that is referred to later in the stream has this bit in its type.
const FLAG_REF: u8 = 0x80;

/// How deep objects may lie in one another; each takes some of the stack here.
const DEEPEST: usize = 500;

/// Which fields a code object has, as lengths in bytes of numbers and amounts of objects, in turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeLayout {
    /// The bytes of numbers at the beginning.
    numbers: usize,
    /// The objects after the number of the first line.
    last_objects: usize,
}

impl CodeLayout {
    /// Returns the layout of CPython 3's minor version.
    pub fn of(minor: u8) -> Self {
        match minor {
            // The counts of arguments (3), of locals, of the stack, and the flags; at the end the table of lines.
            ..=10 => Self { numbers: 6 * 4, last_objects: 1 },
            // No count of locals; at the end the tables of lines and of exceptions.
            11.. => Self { numbers: 5 * 4, last_objects: 2 },
        }
    }

    /// The objects between the numbers and the number of the first line.
    const OBJECTS: usize = 8;
}

/// A part of an object: bytes as they are, or another object by its place in the list of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ObjectPart<'a> {
    Bytes(&'a [u8]),
    Object(usize),
}

/// An object: its type, without the flag, and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct MarshalObject<'a> {
    kind: u8,
    parts: Vec<ObjectPart<'a>>,
}

/// Why marshalled code is not written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormalizeError {
    /// Its objects lie too deep in one another.
    TooDeep,
    /// It is of a form that is not known.
    UnknownForm,
}

/// Writes marshalled code anew.
///
/// # Errors
/// It is of a form that is not known, or too deep.
pub fn normalize(marshalled: &[u8], layout: CodeLayout) -> Result<Vec<u8>, NormalizeError> {
    let mut reader =
        MarshalReader { rest: marshalled, layout, objects: Vec::new(), known: HashMap::new(), marked: Vec::new() };
    let root = reader.object(0)?;
    if !reader.rest.is_empty() {
        return Err(NormalizeError::UnknownForm);
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
    /// Every object, each after those that it has.
    objects: Vec<MarshalObject<'a>>,
    /// The places of all objects that may be one with an equal one.
    known: HashMap<MarshalObject<'a>, usize>,
    /// The places of those that are marked, in the order of their beginnings; none until they are read.
    marked: Vec<Option<usize>>,
}

impl<'a> MarshalReader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], NormalizeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(NormalizeError::UnknownForm)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, NormalizeError> {
        let bytes = self.take(4)?.try_into().map_err(|_| NormalizeError::UnknownForm)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Takes a field of bytes: those of its length, and as many as that says.
    fn sized(&mut self, width: usize, unit: usize) -> Result<&'a [u8], NormalizeError> {
        let all = self.rest;
        let length = match width {
            1 => usize::from(self.take(1)?[0]),
            // The sign of a number is that of the count of its digits.
            _ => (self.number()? as i32).unsigned_abs() as usize,
        };
        self.take(length.saturating_mul(unit))?;
        Ok(&all[..all.len() - self.rest.len()])
    }

    /// Reads an object, and returns its place.
    fn object(&mut self, depth: usize) -> Result<usize, NormalizeError> {
        if depth > DEEPEST {
            return Err(NormalizeError::TooDeep);
        }
        let kind = self.take(1)?[0];
        if kind == b'r' {
            let number = self.number()? as usize;
            return self.marked.get(number).copied().flatten().ok_or(NormalizeError::UnknownForm);
        }
        let mark = (kind & FLAG_REF != 0).then(|| {
            self.marked.push(None);
            self.marked.len() - 1
        });
        let kind = kind & !FLAG_REF;
        let parts = self.parts(kind, depth)?;
        let place = self.place(MarshalObject { kind: interned(kind, &parts), parts });
        if let Some(mark) = mark {
            self.marked[mark] = Some(place);
        }
        Ok(place)
    }

    fn parts(&mut self, kind: u8, depth: usize) -> Result<Vec<ObjectPart<'a>>, NormalizeError> {
        let bytes = match kind {
            // None, True, False, StopIteration, Ellipsis.
            b'N' | b'T' | b'F' | b'S' | b'.' => return Ok(Vec::new()),
            b'i' => self.take(4)?,
            b'g' => self.take(8)?,
            b'y' => self.take(16)?,
            // Digits of 15 bits, in two bytes each.
            b'l' => self.sized(4, 2)?,
            // Bytes, and texts.
            b's' | b'u' | b't' | b'a' | b'A' => self.sized(4, 1)?,
            b'z' | b'Z' => self.sized(1, 1)?,
            // Tuples.
            b'(' | b')' => return self.members(if kind == b'(' { 4 } else { 1 }, depth),
            b'>' => {
                let mut parts = self.members(4, depth)?;
                parts[1..].sort_by_cached_key(|part| self.bytes_of(*part));
                return Ok(parts);
            }
            // A slice.
            b':' => return (0..3).map(|_| Ok(ObjectPart::Object(self.object(depth + 1)?))).collect(),
            b'c' => return self.code(depth),
            _ => return Err(NormalizeError::UnknownForm),
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

    /// Returns the place of an object: that of an equal one, unless it is code, of which each function has its own.
    fn place(&mut self, object: MarshalObject<'a>) -> usize {
        let next = self.objects.len();
        if object.kind != b'c' {
            let place = *self.known.entry(object.clone()).or_insert(next);
            if place != next {
                return place;
            }
        }
        self.objects.push(object);
        next
    }

    /// Returns the bytes of a part with all that it has.
    fn bytes_of(&self, part: ObjectPart) -> Vec<u8> {
        match part {
            ObjectPart::Bytes(bytes) => bytes.to_vec(),
            ObjectPart::Object(place) => {
                let object = &self.objects[place];
                let parts = object.parts.iter().flat_map(|part| self.bytes_of(*part));
                std::iter::once(object.kind).chain(parts).collect()
            }
        }
    }
}

/// Returns the type of an object; of a text, marked as interned if it has the form of a name. Those are what making a
/// code object interns, among its constants; the names of the code it interns anyway.
fn interned(kind: u8, parts: &[ObjectPart]) -> u8 {
    let (plain, marked, width) = match kind {
        b'a' | b'A' => (b'a', b'A', 4),
        b'z' | b'Z' => (b'z', b'Z', 1),
        // Not ASCII.
        b'u' | b't' => return b'u',
        other => return other,
    };
    let is_in_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    match parts {
        [ObjectPart::Bytes(bytes)] if bytes[width..].iter().all(is_in_name) => marked,
        _ => plain,
    }
}

/// Counts how often each object is written or referred to.
fn count(objects: &[MarshalObject], place: usize, uses: &mut [u32]) {
    uses[place] += 1;
    if uses[place] > 1 {
        return;
    }
    for part in &objects[place].parts {
        if let ObjectPart::Object(place) = part {
            count(objects, *place, uses);
        }
    }
}

struct MarshalWriter<'a> {
    objects: &'a [MarshalObject<'a>],
    uses: Vec<u32>,
    /// The numbers by which objects are referred to, once they are written.
    numbers: Vec<Option<u32>>,
    marked: u32,
    output: Vec<u8>,
}

impl MarshalWriter<'_> {
    fn object(&mut self, place: usize) {
        let object = &self.objects[place];
        if let Some(number) = self.numbers[place] {
            self.output.push(b'r');
            self.output.extend(number.to_le_bytes());
            return;
        }
        // Singletons are never referred to, and a small number takes no more than that would.
        let may_be_marked = !matches!(object.kind, b'N' | b'T' | b'F' | b'S' | b'.' | b'i');
        if may_be_marked && self.uses[place] > 1 {
            self.numbers[place] = Some(self.marked);
            self.marked += 1;
            self.output.push(object.kind | FLAG_REF);
        } else {
            self.output.push(object.kind);
        }
        for part in &object.parts {
            match part {
                ObjectPart::Bytes(bytes) => self.output.extend_from_slice(bytes),
                ObjectPart::Object(place) => self.object(*place),
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
    fn marks_that_nobody_refers_to_go() {
        assert_eq!(normal(b")\x02\xda\x01a\xe9\x02\0\0\0").unwrap(), b")\x02Z\x01ai\x02\0\0\0");
        // The first mark goes, so the second becomes the first.
        assert_eq!(normal(b"\xa9\x03\xda\x01a\xfa\x02b r\x02\0\0\0").unwrap(), b")\x03Z\x01a\xfa\x02b r\0\0\0\0");
    }

    #[test]
    fn equal_constants_become_one() {
        let twice = b")\x02)\x02z\x02b N)\x02z\x02b N";
        assert_eq!(normal(twice).unwrap(), b")\x02\xa9\x02z\x02b Nr\0\0\0\0");
        // Bytes are not the same as a text, nor zero as its negative.
        let zeros = b")\x02g\0\0\0\0\0\0\0\0g\0\0\0\0\0\0\0\x80";
        for distinct in [&b")\x02s\x01\0\0\0au\x01\0\0\0a"[..], zeros, b")\x02NN"] {
            assert_eq!(normal(distinct).unwrap(), distinct);
        }
    }

    #[test]
    fn what_has_the_form_of_a_name_is_interned() {
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
    fn members_of_a_frozenset_are_in_order() {
        let one = normal(b">\x03\0\0\0z\x01b\xe9\x01\0\0\0)\x01z\x01a").unwrap();
        let other = normal(b">\x03\0\0\0)\x01\xfa\x01az\x01bi\x01\0\0\0").unwrap();
        assert_eq!(one, other);
        assert_eq!(one, b">\x03\0\0\0)\x01Z\x01aZ\x01bi\x01\0\0\0");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let cases: [&[u8]; 7] = [b"", b"?", b"NN", b"r\0\0\0\0", b"z\x05a", b"\xa9\x01r\0\0\0\0", b"s\xff\xff\xff\x7f"];
        for wrong in cases {
            assert_eq!(normal(wrong), Err(NormalizeError::UnknownForm), "{wrong:?}");
        }
        assert_eq!(normal(&b")\x01".repeat(DEEPEST + 1)), Err(NormalizeError::TooDeep));
        assert!(normal(&[&b")\x01".repeat(DEEPEST)[..], b"N"].concat()).is_ok());
    }
}
