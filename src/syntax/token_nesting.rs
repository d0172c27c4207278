//! How deeply a source nests, by its tokens: the parser and its helpers recurse, and a source can be all parentheses.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// The most brackets within each other, as in CPython (tokenizer.h, `MAXLEVEL`).
const MOST_BRACKETS: usize = 200;

/// The most indented blocks within each other, as in CPython (tokenizer.h, `MAXINDENT`).
const MOST_BLOCKS: usize = 100;

/// The most unfinished operators, lambdas, conditional expressions and brackets. CPython has no such limit; this one is far
/// above what people write, and far below what overflows the stack of a thread.
const MOST_UNFINISHED: usize = 400;

/// In which way a source is nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExcessiveNesting {
    /// CPython refuses it as well.
    Brackets,
    /// CPython refuses it as well.
    Blocks,
    /// Only this parser does not read it.
    Expression,
}

impl ExcessiveNesting {
    /// Returns the first excess in a source, or `None` if it can be parsed.
    pub(super) fn find(source: &str) -> Option<Self> {
        let mut lexer = lexer::lex(source, Mode::Module);
        let mut depth = TokenDepth::default();
        loop {
            match lexer.next_token() {
                TokenKind::EndOfFile => return None,
                token => depth.add(token),
            }
            if let Some(excess) = depth.excess() {
                return Some(excess);
            }
        }
    }

    /// Returns the line of the excess, from 1. The lexer does not tell the positions of its tokens, so the shortest beginning
    /// with an excess is searched for.
    pub(super) fn line(source: &str) -> usize {
        let ends: Vec<usize> = source.match_indices('\n').map(|(newline, _)| newline + 1).collect();
        ends.partition_point(|end| Self::find(&source[..*end]).is_none()) + 1
    }

    /// Returns CPython's message, if CPython refuses the source.
    pub(super) fn message(self) -> Option<String> {
        match self {
            Self::Brackets => Some(format!("too many nested parentheses (more than {MOST_BRACKETS})")),
            Self::Blocks => Some(format!("too many levels of indentation (more than {MOST_BLOCKS})")),
            Self::Expression => None,
        }
    }
}

/// What is unfinished at a token.
struct TokenDepth {
    /// The innermost bracket last; the first is outside of all brackets.
    brackets: Vec<UnfinishedExpressions>,
    blocks: usize,
    /// The sum over all brackets.
    unfinished: usize,
}

/// What is unfinished within one bracket.
#[derive(Default)]
struct UnfinishedExpressions {
    /// Operators that bind more tightly than `and` and `or`.
    operators: usize,
    /// Lambdas and conditional expressions, which end at a comma, a colon or a bracket.
    bodies: usize,
    /// The lambdas whose parameters have not ended.
    parameters: usize,
}

impl UnfinishedExpressions {
    fn count(&self) -> usize {
        self.operators + self.bodies
    }

    fn add(&mut self, token: TokenKind) {
        match token {
            TokenKind::Lambda => {
                self.bodies += 1;
                self.parameters += 1;
            }
            TokenKind::Else | TokenKind::Yield | TokenKind::ColonEqual | TokenKind::Async => self.bodies += 1,
            TokenKind::Not
            | TokenKind::Plus
            | TokenKind::Minus
            | TokenKind::Tilde
            | TokenKind::Star
            | TokenKind::DoubleStar
            | TokenKind::Await => self.operators += 1,
            TokenKind::And | TokenKind::Or => self.operators = 0,
            TokenKind::Colon if self.parameters > 0 => self.parameters -= 1,
            // These separate the parameters of a lambda, too, whose default values may contain further ones.
            TokenKind::Colon | TokenKind::Comma if self.parameters == 0 => *self = Self::default(),
            TokenKind::Newline | TokenKind::Semi => *self = Self::default(),
            _ => {}
        }
    }
}

impl Default for TokenDepth {
    fn default() -> Self {
        Self { brackets: vec![UnfinishedExpressions::default()], blocks: 0, unfinished: 0 }
    }
}

impl TokenDepth {
    fn add(&mut self, token: TokenKind) {
        match token {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                self.brackets.push(UnfinishedExpressions::default())
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace if self.brackets.len() > 1 => {
                let closed = self.brackets.pop();
                self.unfinished -= closed.map_or(0, |closed| closed.count());
            }
            TokenKind::Indent => self.blocks += 1,
            TokenKind::Dedent => self.blocks = self.blocks.saturating_sub(1),
            _ => {
                if let Some(innermost) = self.brackets.last_mut() {
                    let before = innermost.count();
                    innermost.add(token);
                    self.unfinished = self.unfinished - before + innermost.count();
                }
            }
        }
    }

    fn excess(&self) -> Option<ExcessiveNesting> {
        let brackets = self.brackets.len() - 1;
        if brackets > MOST_BRACKETS {
            Some(ExcessiveNesting::Brackets)
        } else if self.blocks > MOST_BLOCKS {
            Some(ExcessiveNesting::Blocks)
        } else {
            (self.unfinished + brackets > MOST_UNFINISHED).then_some(ExcessiveNesting::Expression)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::PythonVersion;
    use crate::syntax::{PythonSyntaxError, parse};

    /// The stack of rayon's threads, on which sources are parsed.
    const STACK: usize = 2 << 20;

    const PYTHON: PythonVersion = PythonVersion::new(14);

    /// Parses a source on a thread, whose stack must suffice.
    fn outcome(source: String) -> Result<Option<usize>, PythonSyntaxError> {
        let parsed = move || parse(source.as_bytes(), PYTHON, |_, body| body.len());
        std::thread::Builder::new().stack_size(STACK).spawn(parsed).unwrap().join().unwrap()
    }

    fn nested(opening: &str, inner: &str, closing: &str, depth: usize) -> String {
        format!("x = {}{inner}{}\n", opening.repeat(depth), closing.repeat(depth))
    }

    #[test]
    fn brackets_and_blocks_have_the_limits_of_cpython() {
        for (opening, closing) in [("(", ")"), ("[", "]"), ("{", "}"), ("f(", ")"), ("[0 for x in ", "]")] {
            assert!(outcome(nested(opening, "1", closing, MOST_BRACKETS)).is_ok(), "{opening}");
            for depth in [MOST_BRACKETS + 1, 100_000] {
                let error = outcome(format!("y = 1\n{}", nested(opening, "1", closing, depth))).unwrap_err();
                assert_eq!((error.line, &*error.reason), (2, "too many nested parentheses (more than 200)"));
            }
        }
        let blocks = |depth: usize| -> String {
            (0..=depth).map(|level| format!("{}if x:\n", " ".repeat(level))).collect::<String>()
                + &" ".repeat(depth + 1)
                + "x\n"
        };
        assert_eq!(outcome(blocks(MOST_BLOCKS - 1)), Ok(Some(1)));
        let error = outcome(blocks(5_000)).unwrap_err();
        assert_eq!((error.line, &*error.reason), (102, "too many levels of indentation (more than 100)"));
    }

    #[test]
    fn no_expression_overflows_the_stack() {
        for (opening, inner, closing) in [
            ("lambda: ", "1", ""),
            ("lambda x=", "1", ": 1"),
            ("lambda a, x=", "1", ", b=1: 1"),
            ("-", "1", ""),
            ("not ", "1", ""),
            ("await ", "1", ""),
            ("yield ", "1", ""),
            ("*", "1", ""),
            ("1 ** ", "1", ""),
            ("1 if 1 else ", "1", ""),
            ("(lambda x=[-", "1", "]: 1)"),
            ("1 + ", "1", ""),
        ] {
            for depth in [MOST_UNFINISHED / 4 - 1, MOST_UNFINISHED - 1, MOST_UNFINISHED + 1, 100_000] {
                // What matters is that there is a result.
                let _ = outcome(nested(opening, inner, closing, depth));
            }
            assert!(
                outcome(nested(opening, inner, closing, 100_000)).is_ok_and(|parsed| parsed.is_none())
                    || opening.contains('('),
                "{opening}"
            );
        }
        // Targets are converted recursively after they were parsed.
        for depth in [MOST_BRACKETS, 100_000] {
            let _ = outcome(format!("{}x{} = 1\n", "[".repeat(depth), "]".repeat(depth)));
        }
    }

    #[test]
    fn long_sources_are_not_deep() {
        for element in [
            "-1, ",
            "lambda: 1, ",
            "lambda a, *, b=-1: a + b, ",
            "not 1, ",
            "1 if 1 else 2, ",
            "(1), ",
            "*x, ",
            "**x, ",
        ] {
            assert_eq!(ExcessiveNesting::find(&format!("x = f({})\n", element.repeat(1_000))), None, "{element}");
        }
        for statement in
            ["x = -1\n", "x = -1; ", "if x:\n    y = lambda: 1\nelse:\n    z\n", "x = {1: -1, 2: lambda: 3}\n"]
        {
            assert_eq!(ExcessiveNesting::find(&statement.repeat(1_000)), None, "{statement}");
        }
        assert_eq!(ExcessiveNesting::find(&format!("x = {}1\n", "not -1 and ".repeat(1_000))), None);
        assert_eq!(ExcessiveNesting::find(&format!("x = \"\"\"{}\"\"\"\n", "(".repeat(1_000))), None);
    }
}
