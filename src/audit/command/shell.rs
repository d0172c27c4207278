//! The commands of a shell script, as far as they certainly run.
//!
//! Specification: [POSIX, Shell Command Language](https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html).

/// An argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Known(String),
    /// Only running the shell tells its value, which begins with this text.
    Unknown(String),
}

impl Word {
    pub(super) fn known(&self) -> Option<&str> {
        match self {
            Self::Known(text) => Some(text),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the text that the value begins with.
    pub(super) fn start(&self) -> &str {
        let (Self::Known(text) | Self::Unknown(text)) = self;
        text
    }
}

/// Words that begin a compound command, or change what follows.
const RESERVED: [&str; 12] =
    ["!", "{", "case", "for", "function", "if", "select", "time", "trap", "until", "while", "[["];

/// Returns the simple commands of a script in their order, up to the first that may not run or cannot be read.
pub(super) fn commands(script: &str) -> Vec<Vec<Word>> {
    let mut reader = ShellReader { rest: script };
    let mut commands = Vec::new();
    loop {
        let mut words = Vec::new();
        let is_continued = loop {
            match reader.next() {
                ShellToken::Word(word) => words.push(word),
                // What is redirected to or from.
                ShellToken::Redirection => {
                    if !matches!(reader.next(), ShellToken::Word(_)) {
                        return commands;
                    }
                }
                ShellToken::Next => break true,
                ShellToken::End => break false,
                ShellToken::Unreadable => return commands,
            }
        };
        if words.first().and_then(Word::known).is_some_and(|word| RESERVED.contains(&word)) {
            return commands;
        }
        if !words.is_empty() {
            commands.push(words);
        }
        if !is_continued {
            return commands;
        }
    }
}

enum ShellToken {
    Word(Word),
    Redirection,
    /// What separates a command from the next, which runs as well.
    Next,
    /// The end, or an operator after which a command runs only sometimes.
    End,
    Unreadable,
}

struct ShellReader<'a> {
    rest: &'a str,
}

impl ShellReader<'_> {
    fn next(&mut self) -> ShellToken {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        while let Some(rest) = self.rest.strip_prefix("\\\n") {
            self.rest = rest.trim_start_matches([' ', '\t']);
        }
        if self.rest.starts_with('#') {
            self.rest = self.rest.find('\n').map_or("", |newline| &self.rest[newline..]);
        }
        if self.rest.is_empty() {
            return ShellToken::End;
        }
        for (operator, token) in [
            ("&&", ShellToken::Next),
            ("\r\n", ShellToken::Next),
            ("\n", ShellToken::Next),
            ("||", ShellToken::End),
            ("|", ShellToken::End),
            (";;", ShellToken::Unreadable),
            (";", ShellToken::Next),
            ("&>", ShellToken::Redirection),
            ("&", ShellToken::Next),
            ("<<", ShellToken::Unreadable),
            (">>", ShellToken::Redirection),
            (">&", ShellToken::Redirection),
            ("<&", ShellToken::Redirection),
            (">", ShellToken::Redirection),
            ("<", ShellToken::Redirection),
            ("(", ShellToken::Unreadable),
            (")", ShellToken::Unreadable),
        ] {
            if let Some(rest) = self.rest.strip_prefix(operator) {
                self.rest = rest;
                return token;
            }
        }
        self.word()
    }

    fn word(&mut self) -> ShellToken {
        let mut text = String::new();
        // The length of what is known.
        let mut known: Option<usize> = None;
        while let Some(character) = self.rest.chars().next() {
            match character {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' => break,
                '<' | '>' => {
                    // `2>`: the number belongs to the redirection.
                    if text.chars().all(|digit| digit.is_ascii_digit()) {
                        return self.next();
                    }
                    break;
                }
                '\'' => {
                    let Some((quoted, rest)) = self.rest[1..].split_once('\'') else { return ShellToken::Unreadable };
                    text.push_str(quoted);
                    self.rest = rest;
                    continue;
                }
                '"' => {
                    self.rest = &self.rest[1..];
                    match self.double_quoted(&mut text) {
                        Some(quoted) => known = known.or(quoted),
                        None => return ShellToken::Unreadable,
                    }
                    continue;
                }
                '\\' => {
                    let escaped = self.rest[1..].chars().next();
                    text.extend(escaped.filter(|escaped| *escaped != '\n'));
                    self.rest = &self.rest[1 + escaped.map_or(0, char::len_utf8)..];
                    continue;
                }
                '`' => return ShellToken::Unreadable,
                '$' => {
                    known.get_or_insert(text.len());
                    match expansion_length(self.rest) {
                        Some(length) => self.rest = &self.rest[length..],
                        None => return ShellToken::Unreadable,
                    }
                    continue;
                }
                '*' | '?' | '[' => drop(known.get_or_insert(text.len())),
                '~' if text.is_empty() => known = Some(0),
                _ => {}
            }
            text.push(character);
            self.rest = &self.rest[character.len_utf8()..];
        }
        ShellToken::Word(match known {
            Some(length) => Word::Unknown(text[..length].to_owned()),
            None => Word::Known(text),
        })
    }

    /// Reads up to the closing quotation mark. Returns the length of the text that is known, if not all of it is; `None` if
    /// it cannot be read.
    fn double_quoted(&mut self, text: &mut String) -> Option<Option<usize>> {
        let mut known: Option<usize> = None;
        loop {
            let character = self.rest.chars().next()?;
            match character {
                '"' => {
                    self.rest = &self.rest[1..];
                    return Some(known);
                }
                '`' => return None,
                '$' => {
                    known.get_or_insert(text.len());
                    self.rest = &self.rest[expansion_length(self.rest)?..];
                    continue;
                }
                '\\' => {
                    let escaped = self.rest[1..].chars().next()?;
                    if !matches!(escaped, '$' | '`' | '"' | '\\' | '\n') {
                        text.push('\\');
                    }
                    text.extend(Some(escaped).filter(|escaped| *escaped != '\n'));
                    self.rest = &self.rest[1 + escaped.len_utf8()..];
                    continue;
                }
                _ => {}
            }
            text.push(character);
            self.rest = &self.rest[character.len_utf8()..];
        }
    }
}

/// Returns the length in bytes of the expansion that a text begins with: `$NAME`, `${…}`, `$(…)`, `$@` or `$1`.
fn expansion_length(text: &str) -> Option<usize> {
    let after = &text[1..];
    let closing = match after.chars().next() {
        Some('{') => '}',
        Some('(') => ')',
        Some(first) if first.is_ascii_alphabetic() || first == '_' => {
            let is_in_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
            return Some(1 + after.find(|character| !is_in_name(character)).unwrap_or(after.len()));
        }
        Some(first) if first.is_ascii() => return Some(2),
        _ => return Some(1),
    };
    let opening = after.chars().next()?;
    let mut depth = 0;
    for (at, character) in after.char_indices() {
        if character == opening {
            depth += 1;
        } else if character == closing {
            depth -= 1;
            if depth == 0 {
                return Some(1 + at + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(script: &str) -> Vec<String> {
        fn shown(word: &Word) -> String {
            match word {
                Word::Known(text) => text.clone(),
                Word::Unknown(start) => format!("{start}?"),
            }
        }
        let commands = commands(script);
        commands.iter().map(|words| words.iter().map(shown).collect::<Vec<_>>().join("|")).collect()
    }

    #[test]
    fn commands_that_certainly_run_are_read() {
        for (script, expected) in [
            ("exec uvicorn main:app", &["exec|uvicorn|main:app"][..]),
            ("a b && c; d\ne & f", &["a|b", "c", "d", "e", "f"]),
            ("a 'b c' \"d e\" f\\ g 'h'i", &["a|b c|d e|f g|hi"]),
            ("a --port $PORT --x=${Y:-1} \"$@\" $(nproc --all) *.py ~/x", &["a|--port|?|--x=?|?|?|?|?"]),
            ("a \"\\$HOME \\x\"", &["a|$HOME \\x"]),
            ("a > /dev/null 2>&1 && b", &["a", "b"]),
            ("a # b\nc", &["a", "c"]),
            ("a \\\n  b", &["a|b"]),
            ("a || b", &["a"]),
            ("a | tee log", &["a"]),
            ("a && if b; then c; fi", &["a"]),
            ("a; (b)", &["a"]),
            ("a `b`", &[]),
            ("a 'b", &[]),
            ("", &[]),
        ] {
            assert_eq!(read(script), expected, "{script}");
        }
    }
}
