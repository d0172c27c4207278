//! Paragraphs of control files, read one after another in the memory of one.
//!
//! Specification: [deb822(5)](https://manpages.debian.org/deb822.5), [Debian Policy 5.1](https://www.debian.org/doc/debian-policy/ch-controlfields.html#syntax-of-control-files).

use std::io::{self, BufRead, Read};

/// The largest paragraph, in bytes. The largest of Debian's Packages has 60 kB.
const LARGEST_PARAGRAPH: usize = 8 << 20;

/// A control file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is neither a field, nor the continuation of one.
    #[error("line {line} is not a field of a control file: `{}`", .text.escape_debug())]
    Line {
        /// The number, from 1.
        line: u64,
        /// The beginning of the line.
        text: String,
    },
    /// A field is there twice.
    #[error("the paragraph at line {line} has the field `{}` twice", .field.escape_debug())]
    Duplicate {
        /// The number of the first line of the paragraph, from 1.
        line: u64,
        /// The name of the field.
        field: String,
    },
    /// The text is not UTF-8.
    #[error("the paragraph at line {line} is not UTF-8")]
    Encoding {
        /// The number of the first line of the paragraph, from 1.
        line: u64,
    },
    /// A paragraph is too large.
    #[error("the paragraph at line {line} is larger than {} MiB", LARGEST_PARAGRAPH >> 20)]
    Large {
        /// The number of the first line of the paragraph, from 1.
        line: u64,
    },
}

/// Reads the paragraphs of a control file.
#[derive(Debug)]
pub struct ParagraphReader<R> {
    reader: R,
    bytes: Vec<u8>,
    /// How many lines were read.
    line: u64,
}

/// A paragraph: its fields in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlParagraph<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

impl<R: BufRead> ParagraphReader<R> {
    /// Reads nothing yet.
    pub fn new(reader: R) -> Self {
        Self { reader, bytes: Vec::new(), line: 0 }
    }

    /// Returns the next paragraph, or `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or a paragraph is invalid.
    pub fn next_paragraph(&mut self) -> Result<Option<ControlParagraph<'_>>, ControlError> {
        self.bytes.clear();
        let mut first = 0;
        loop {
            let start = self.bytes.len();
            let allowed = (LARGEST_PARAGRAPH + 1).saturating_sub(start) as u64;
            let length = self.reader.by_ref().take(allowed).read_until(b'\n', &mut self.bytes)?;
            if length == 0 && allowed > 0 {
                break;
            }
            if self.bytes.len() > LARGEST_PARAGRAPH {
                return Err(ControlError::Large { line: first.max(1) });
            }
            self.line += 1;
            let line = &self.bytes[start..];
            if line.iter().all(u8::is_ascii_whitespace) {
                self.bytes.truncate(start);
                if start > 0 {
                    break;
                }
            } else if line[0] == b'#' {
                self.bytes.truncate(start);
            } else if first == 0 {
                first = self.line;
            }
        }
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let text = std::str::from_utf8(&self.bytes).map_err(|_| ControlError::Encoding { line: first })?;
        ControlParagraph::parse_at(text, first).map(Some)
    }
}

impl<'a> ControlParagraph<'a> {
    /// Parses the text of one paragraph.
    ///
    /// # Errors
    /// A line is not a field, or a field is there twice.
    pub fn parse(text: &'a str) -> Result<Self, ControlError> {
        Self::parse_at(text, 1)
    }

    fn parse_at(text: &'a str, first: u64) -> Result<Self, ControlError> {
        let mut fields: Vec<(&str, &str)> = Vec::with_capacity(24);
        let (mut at, mut line) = (0, first);
        while at < text.len() {
            let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
            let invalid = || ControlError::Line { line, text: text[at..end].chars().take(60).collect() };
            if text[at..].starts_with([' ', '\t']) {
                // The value goes on, in the same text.
                let (_, value) = fields.last_mut().ok_or_else(invalid)?;
                let start = value.as_ptr() as usize - text.as_ptr() as usize;
                *value = text[start..end].trim_end();
            } else {
                let (name, value) = text[at..end].split_once(':').ok_or_else(invalid)?;
                if name.is_empty() || name.starts_with('-') || !name.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
                    return Err(invalid());
                }
                if fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                    return Err(ControlError::Duplicate { line: first, field: name.to_owned() });
                }
                fields.push((name, value.trim()));
            }
            at = end + 1;
            line += 1;
        }
        Ok(Self { fields })
    }

    /// Returns the value of a field, whatever the case of its name; lines that follow the first keep their leading spaces.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Returns all fields in the order of the file.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraphs(text: &[u8]) -> Result<Vec<Vec<(String, String)>>, String> {
        let mut reader = ParagraphReader::new(text);
        let mut all = Vec::new();
        while let Some(paragraph) = reader.next_paragraph().map_err(|error| error.to_string())? {
            all.push(paragraph.fields().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
        }
        Ok(all)
    }

    #[test]
    fn paragraphs_are_separated_by_empty_lines() {
        let text =
            "\n\nPackage: a\nDescription: short\n long\n .\n more\n \t\n# comment\nPackage:b\r\nEmpty:\nX:\n y\n";
        let expected = [
            vec![("Package", "a"), ("Description", "short\n long\n .\n more")],
            vec![("Package", "b"), ("Empty", ""), ("X", "\n y")],
        ];
        let found = paragraphs(text.as_bytes()).unwrap();
        let found: Vec<Vec<(&str, &str)>> = found
            .iter()
            .map(|fields| fields.iter().map(|(name, value)| (name.as_str(), value.trim_start_matches(' '))).collect())
            .collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], expected[0]);
        assert_eq!(found[1][..2], expected[1][..2]);
        assert!(found[1][2].1.contains('y'));
        let paragraph = ControlParagraph::parse("Package: a\nVersion: 1").unwrap();
        assert_eq!((paragraph.field("version"), paragraph.field("Source")), (Some("1"), None));
    }

    #[test]
    fn invalid_files_are_errors() {
        for (text, expected) in [
            (&b"a: 1\n\nb\n"[..], "line 3 is not a field of a control file: `b`"),
            (b" a: 1\n", "line 1 is not a field of a control file: ` a: 1`"),
            (b": 1\n", "line 1 is not a field of a control file: `: 1`"),
            (b"a b: 1\n", "line 1 is not a field of a control file: `a b: 1`"),
            (b"a: 1\nA: 2\n", "the paragraph at line 1 has the field `A` twice"),
            (b"\na: \xff\n", "the paragraph at line 2 is not UTF-8"),
        ] {
            assert_eq!(paragraphs(text).unwrap_err(), expected);
        }
        let large = [b"a: ".to_vec(), vec![b'x'; LARGEST_PARAGRAPH]].concat();
        assert_eq!(paragraphs(&large).unwrap_err(), "the paragraph at line 1 is larger than 8 MiB");
    }
}
