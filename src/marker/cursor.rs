//! A cursor over a text that is being parsed.

/// An error in a dependency specifier.
#[derive(Debug)]
pub(super) struct DependencySyntaxError {
    /// The position, in bytes from the start.
    pub(super) offset: usize,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

/// A text, and the position up to which it has been read.
pub(super) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, offset: 0 }
    }

    /// Returns the position, in bytes.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the text that has not been read yet.
    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    /// Reads characters up to the first for which `accepted` does not hold.
    pub(super) fn take_while(&mut self, accepted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|character| !accepted(character)).unwrap_or(rest.len())];
        self.offset += taken.len();
        taken
    }

    /// Reads spaces and tabs, the only whitespace in the grammar (`wsp`).
    pub(super) fn skip_whitespace(&mut self) -> &'a str {
        self.take_while(|character| matches!(character, ' ' | '\t'))
    }

    /// Reads `expected` if it comes next.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let is_next = self.rest().starts_with(expected);
        if is_next {
            self.offset += expected.len();
        }
        is_next
    }

    /// Reads `word` if it comes next and is not the start of a longer word.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let Some(rest) = self.rest().strip_prefix(word) else { return false };
        !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_') && self.eat(word)
    }

    /// Returns an error at the current position.
    pub(super) fn error(&self, reason: impl Into<String>) -> DependencySyntaxError {
        DependencySyntaxError { offset: self.offset, reason: reason.into(), hint: None }
    }

    /// Returns the error that `expected` does not come next.
    pub(super) fn expected(&self, expected: &str) -> DependencySyntaxError {
        match self.rest().chars().next() {
            Some(found) => self.error(format!("expected {expected}, found `{}`", found.escape_debug())),
            None => self.error(format!("expected {expected}, found the end")),
        }
    }

    /// Succeeds if everything has been read.
    pub(super) fn expect_end(&self, expected: &str) -> Result<(), DependencySyntaxError> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.expected(expected)) }
    }
}

/// Returns the number of characters before `offset`.
pub(super) fn characters_before(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(start, _)| *start < offset).count()
}

/// Escapes the control characters of a text, for messages.
pub(super) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut printable, character| {
        if character.is_control() {
            printable.extend(character.escape_debug());
        } else {
            printable.push(character);
        }
        printable
    })
}
