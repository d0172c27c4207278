//! Python sources, parsed for a version of Python.
//!
//! Specification: [The Python Language Reference](https://docs.python.org/3/reference/).

use std::fmt;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Identifier, Pattern, Stmt};
use ruff_python_parser::{Mode, ParseOptions, Parsed};
use ruff_text_size::TextRange;

use crate::platform::PythonVersion;
use token_nesting::ExcessiveNesting;

mod compiler_errors;
pub(crate) mod deferrable;
mod token_nesting;

/// A line of a source file. Displayed as `PATH:LINE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceLine {
    /// The path, relative to the project or the artifact.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.path, self.line)
    }
}

/// A syntax error in a Python source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonSyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The parser's message.
    pub reason: String,
    /// Whether another version of Python accepts the source.
    pub is_of_version: bool,
}

impl PythonSyntaxError {
    /// Describes an error at a range of a source.
    fn at(source: &str, range: TextRange, reason: String) -> Self {
        let before = source.get(..range.start().to_usize()).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column, reason, is_of_version: false }
    }
}

/// Parses a module for a Python version, and returns the result of `read` for its source and its statements; `None` if
/// they are nested too deeply to be visited recursively.
///
/// # Errors
/// The source has a syntax error, uses syntax that is newer than the version, is refused by the compiler, or has more brackets
/// or blocks within each other than CPython allows.
pub fn parse<T>(
    source: &[u8],
    python: PythonVersion,
    read: impl FnOnce(&str, &[Stmt]) -> T,
) -> Result<Option<T>, PythonSyntaxError> {
    let source = decode(source)?;
    if let Some(excess) = ExcessiveNesting::find(&source) {
        return match excess.message() {
            Some(reason) => Err(PythonSyntaxError {
                line: ExcessiveNesting::line(&source),
                column: 1,
                reason,
                is_of_version: false,
            }),
            None => Ok(None),
        };
    }
    let version = ast::PythonVersion { major: python.major, minor: python.minor };
    let options = ParseOptions::from(Mode::Module).with_target_version(version);
    let parsed = ruff_python_parser::parse_unchecked(&source, options);
    let body = match parsed.syntax() {
        ast::Mod::Module(module) => &module.body[..],
        ast::Mod::Expression(_) => &[],
    };
    let mut nesting = Nesting::default();
    nesting.visit_body(body);
    let result = match syntax_error(&source, &parsed) {
        Some(error) => Err(error),
        None if nesting.is_too_deep => Ok(None),
        None => match compiler_errors::first(&source, body, version) {
            Some(error) => Err(PythonSyntaxError::at(&source, error.range, error.to_string())),
            None => Ok(Some(read(&source, body))),
        },
    };
    if nesting.is_too_deep {
        // Freeing such a tree would recurse until the stack ends.
        std::mem::forget(parsed);
    }
    result
}

/// Returns the first syntax error of a module, or else the first use of syntax that the Python version does not support.
fn syntax_error(source: &str, parsed: &Parsed<ast::Mod>) -> Option<PythonSyntaxError> {
    match (parsed.errors(), parsed.unsupported_syntax_errors()) {
        ([error, ..], _) => Some(PythonSyntaxError::at(source, error.location, error.error.to_string())),
        ([], [error, ..]) => Some(PythonSyntaxError {
            is_of_version: true,
            ..PythonSyntaxError::at(source, error.range, error.to_string())
        }),
        ([], []) => None,
    }
}

/// Measures how deeply statements and expressions are nested.
#[derive(Default)]
struct Nesting {
    depth: usize,
    is_too_deep: bool,
}

impl Nesting {
    /// Far above what people write, and far below what overflows the stack of a thread.
    const LIMIT: usize = 400;

    fn within(&mut self, walk: impl FnOnce(&mut Self)) {
        self.depth += 1;
        self.is_too_deep |= self.depth > Self::LIMIT;
        if !self.is_too_deep {
            walk(self);
        }
        self.depth -= 1;
    }
}

impl<'a> Visitor<'a> for Nesting {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.within(|nesting| visitor::walk_stmt(nesting, statement));
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.within(|nesting| visitor::walk_expr(nesting, expression));
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        self.within(|nesting| visitor::walk_pattern(nesting, pattern));
    }
}

/// Decodes a source file: UTF-8, unless one of the first two lines declares another encoding (PEP 263). The identifiers
/// of such a file are assumed to be ASCII.
fn decode(source: &[u8]) -> Result<std::borrow::Cow<'_, str>, PythonSyntaxError> {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    let error = match std::str::from_utf8(source) {
        Ok(source) => return Ok(source.into()),
        Err(error) => error,
    };
    let mut first_lines = source.split(|byte| *byte == b'\n').take(2);
    if first_lines.any(|line| line.starts_with(b"#") && line.windows(6).any(|window| window == b"coding")) {
        return Ok(String::from_utf8_lossy(source));
    }
    let before = &source[..error.valid_up_to()];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    Err(PythonSyntaxError {
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1,
        reason: "byte that is not UTF-8, without an encoding declaration".to_owned(),
        is_of_version: false,
    })
}

/// Returns the name that a pattern itself binds, not those within it.
pub(crate) fn captured_name(pattern: &Pattern) -> Option<&Identifier> {
    match pattern {
        Pattern::MatchAs(pattern) => pattern.name.as_ref(),
        Pattern::MatchStar(pattern) => pattern.name.as_ref(),
        Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
        _ => None,
    }
}

/// Returns the last component of a dotted name in source code.
pub(crate) fn last_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(attribute) => Some(&attribute.attr),
        _ => None,
    }
}

/// Returns whether a condition is `__name__ == "__main__"`, whose body does not run when the module is imported.
pub fn is_main_guard(condition: &Expr) -> bool {
    let Expr::Compare(compare) = condition else { return false };
    let is_name = compare.left.as_name_expr().is_some_and(|name| name.id.as_str() == "__name__");
    let main = compare.comparators.first().and_then(Expr::as_string_literal_expr);
    is_name && matches!(compare.ops[..], [ast::CmpOp::Eq]) && main.is_some_and(|main| main.value == *"__main__")
}
