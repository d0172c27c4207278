//! A position in a text that is being parsed.

/// What is wrong with a text, and where.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// The place, in bytes from the beginning.
    pub(super) offset: usize,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

/// A text and how far it is read.
pub(super) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: 0 }
    }

    /// Returns how much is read, in bytes.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Returns what is not yet read.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    /// Reads the characters for which `accepted` holds, up to the first for which it does not.
    pub(super) fn take_while(&mut self, accepted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|character| !accepted(character)).unwrap_or(rest.len())];
        self.offset += taken.len();
        taken
    }

    /// Reads spaces and tabs, the only whitespace that the grammar knows (`wsp`).
    pub(super) fn skip_whitespace(&mut self) -> &'a str {
        self.take_while(|character| matches!(character, ' ' | '\t'))
    }

    /// Reads `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.offset += expected.len();
        }
        found
    }

    /// Reads `word` if it comes next and is not the beginning of a longer word.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let is_whole = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
        self.rest().strip_prefix(word).is_some_and(is_whole) && self.eat(word)
    }

    /// Returns an error at the present position.
    pub(super) fn error(&self, reason: impl Into<String>) -> SyntaxError {
        SyntaxError { offset: self.offset, reason: reason.into(), hint: None }
    }

    /// Returns the error that `expected` does not come next.
    pub(super) fn expected(&self, expected: &str) -> SyntaxError {
        match self.rest().chars().next() {
            Some(found) => self.error(format!("expected {expected}, not `{}`", found.escape_debug())),
            None => self.error(format!("expected {expected}, not the end")),
        }
    }

    /// Succeeds if everything is read.
    pub(super) fn expect_end(&self, expected: &str) -> Result<(), SyntaxError> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected(expected)) }
    }
}

/// Returns how many characters stand before `offset`.
pub(super) fn characters_before(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(start, _)| *start < offset).count()
}

/// Returns the text with its control characters escaped, so that an error message can show it.
pub(super) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut printable, character| {
        match character.is_control() {
            true => printable.extend(character.escape_debug()),
            false => printable.push(character),
        }
        printable
    })
}
