//! The logical lines of a requirements file: without comments, and with continued lines joined.
//!
//! Specification: [pip, requirements file format](https://pip.pypa.io/en/stable/reference/requirements-file-format/#comments).

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::lock::Dependent;

/// The start of an annotation of pip-compile and uv.
const VIA: &str = "via";

/// A non-empty logical line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogicalLine {
    /// The number of its first physical line, from 1.
    pub(super) number: usize,
    /// Without comments and line breaks.
    pub(super) text: String,
    /// The dependents that comments next to the line and below it name.
    pub(super) via: BTreeSet<Dependent>,
}

/// Returns the logical lines of a text. A backslash at the end of a line joins it with the next one. A comment ends a logical
/// line.
pub(super) fn lines(text: &str) -> Vec<LogicalLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut lines: Vec<LogicalLine> = Vec::new();
    let mut started: Option<(usize, String)> = None;
    let mut annotation = ViaAnnotation::default();
    for (index, physical) in text.split(['\n', '\r']).enumerate() {
        let (content, comment) = split_comment(physical);
        let (number, mut logical) = started.take().unwrap_or((index + 1, String::new()));
        if let (None, Some(continued)) = (comment, content.strip_suffix('\\')) {
            logical.push_str(continued);
            started = Some((number, logical));
            continue;
        }
        logical.push_str(content);
        push(&mut lines, number, &logical, &mut annotation);
        match (comment, lines.last_mut()) {
            // An annotation is next to its requirement, or indented below it.
            (Some(comment), Some(line)) if !content.is_empty() => annotation.read(comment, &mut line.via),
            _ => annotation.is_open = false,
        }
    }
    if let Some((number, logical)) = started {
        push(&mut lines, number, &logical, &mut annotation);
    }
    lines
}

/// Adds a logical line unless it is empty. It ends the annotation of the previous line.
fn push(lines: &mut Vec<LogicalLine>, number: usize, logical: &str, annotation: &mut ViaAnnotation) {
    let text = logical.trim();
    if !text.is_empty() {
        *annotation = ViaAnnotation::default();
        lines.push(LogicalLine { number, text: text.to_owned(), via: BTreeSet::new() });
    }
}

/// Splits a line before its comment. The `#` must be at the start of the line, or follow whitespace.
fn split_comment(line: &str) -> (&str, Option<&str>) {
    let mut before = None;
    for (at, character) in line.char_indices() {
        if character == '#' && before.is_none_or(char::is_whitespace) {
            return (&line[..at], Some(&line[at + 1..]));
        }
        before = Some(character);
    }
    (line, None)
}

/// The annotation of a requirement by pip-compile and uv: `# via flask`, or `# via` and one name in each comment below.
#[derive(Default)]
struct ViaAnnotation {
    /// Whether the next comment may continue the annotation.
    is_open: bool,
}

impl ViaAnnotation {
    /// Adds the dependents that a comment names.
    fn read(&mut self, comment: &str, via: &mut BTreeSet<Dependent>) {
        let comment = comment.trim();
        let names = match comment.strip_prefix(VIA) {
            Some("") => {
                self.is_open = true;
                return;
            }
            Some(names) if names.starts_with(' ') => names,
            _ if self.is_open => comment,
            _ => return,
        };
        via.extend(names.split(',').filter_map(|name| dependent(name.trim())));
    }
}

/// Parses a dependent: a distribution, which may be followed by the file that declares it, or a requirements file. A
/// constraints file (`-c`) is not a dependent.
fn dependent(text: &str) -> Option<Dependent> {
    if let Some(path) = text.strip_prefix("-r ") {
        return Some(Dependent::File(PathBuf::from(path.trim())));
    }
    let name = text.split(' ').next().unwrap_or_default();
    name.parse().ok().map(|name| Dependent::Distribution(name, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, String)> {
        lines(text).into_iter().map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn lines_are_joined_and_comments_removed() {
        for (text, expected) in [
            ("", vec![]),
            ("\u{feff}a\r\nb\rc", vec![(1, "a"), (2, "b"), (3, "c")]),
            ("a \\\n  --hash=x \\\r\n  --hash=y\nb", vec![(1, "a   --hash=x   --hash=y"), (4, "b")]),
            ("--hash=sha256:ab\\\ncd", vec![(1, "--hash=sha256:abcd")]),
            ("a # b\n  # c\n#d\na#e", vec![(1, "a"), (4, "a#e")]),
            ("# a \\\nb", vec![(2, "b")]),
            ("a # b \\\nc", vec![(1, "a"), (2, "c")]),
            ("a \\\n # b\n c", vec![(1, "a"), (3, "c")]),
            ("a\\", vec![(1, "a")]),
            ("\\\n\\\n\\", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(number, text)| (number, text.to_owned())).collect();
            assert_eq!(texts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn annotations_name_dependents() {
        let text = "# via nobody\na==1\n    # via\n    #   -r requirements.in\n    #   -c constraints.txt\n    #   Flask_Cors\n\
                    b==1    # via a, app (pyproject.toml)\nc==1 # why\n    # via\n\n    # other\nd==1 # via\n# The words";
        let [flask_cors, a, app] =
            ["flask-cors", "a", "app"].map(|name| Dependent::Distribution(name.parse().unwrap(), None));
        let via: Vec<Vec<Dependent>> = lines(text).into_iter().map(|line| line.via.into_iter().collect()).collect();
        let file = Dependent::File("requirements.in".into());
        assert_eq!(via, [vec![flask_cors, file], vec![a, app], vec![], vec![]]);
    }
}
