//! The grammar of markers.
//!
//! Specification: [PyPA, dependency specifiers, grammar](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#grammar).

use std::fmt;
use std::str::FromStr;

use pep440_rs::{VersionPattern, VersionSpecifier};

use super::cursor::{Cursor, SyntaxError};
use crate::hints::{did_you_mean, nearest};
use crate::name::ExtraName;

/// The deepest nesting of parentheses that is accepted, so that no text can exhaust the stack.
const MAX_DEPTH: usize = 64;

/// A marker's syntax tree. Every list has at least two members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Or(Vec<Self>),
    And(Vec<Self>),
    Comparison(Comparison),
}

/// One comparison, for instance `"3.9" <= python_version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) left: Operand,
    pub(super) operator: Operator,
    pub(super) right: Operand,
    /// The operator and the right side, read as a version specifier once for all evaluations; only where the left side
    /// is a variable that holds a version and the right side is a literal that can be read so.
    pub(super) specifier: Option<VersionSpecifier>,
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    Variable(Variable),
    Literal(String),
}

/// The operators, in the order in which they are tried: none stands behind its own prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    ArbitraryEqual,
    Equal,
    Compatible,
    NotEqual,
    LessEqual,
    GreaterEqual,
    Less,
    Greater,
    In,
    NotIn,
}

impl Operator {
    const SYMBOLS: [(Self, &'static str); 8] = [
        (Self::ArbitraryEqual, "==="),
        (Self::Equal, "=="),
        (Self::Compatible, "~="),
        (Self::NotEqual, "!="),
        (Self::LessEqual, "<="),
        (Self::GreaterEqual, ">="),
        (Self::Less, "<"),
        (Self::Greater, ">"),
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::NotIn => "not in",
            _ => Self::SYMBOLS.iter().find(|(operator, _)| *operator == self).map_or("", |(_, symbol)| symbol),
        }
    }

    /// Returns the version specifier of this operator and `version`, if they form one. `===` forms none: it compares
    /// text.
    pub(super) fn specifier(self, version: &str) -> Option<VersionSpecifier> {
        let operator = match self {
            Self::Equal => pep440_rs::Operator::Equal,
            Self::Compatible => pep440_rs::Operator::TildeEqual,
            Self::NotEqual => pep440_rs::Operator::NotEqual,
            Self::LessEqual => pep440_rs::Operator::LessThanEqual,
            Self::GreaterEqual => pep440_rs::Operator::GreaterThanEqual,
            Self::Less => pep440_rs::Operator::LessThan,
            Self::Greater => pep440_rs::Operator::GreaterThan,
            Self::ArbitraryEqual | Self::In | Self::NotIn => return None,
        };
        VersionSpecifier::from_pattern(operator, VersionPattern::from_str(version).ok()?).ok()
    }
}

/// The variables of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    ImplementationName,
    ImplementationVersion,
    OsName,
    PlatformMachine,
    PlatformPythonImplementation,
    PlatformRelease,
    PlatformSystem,
    PlatformVersion,
    PythonFullVersion,
    PythonVersion,
    SysPlatform,
    /// An extra of the distribution that the marker belongs to.
    Extra,
    /// PEP 751: all extras that are asked for; only on the right of `in` and `not in`.
    Extras,
    /// PEP 751: all dependency groups that are asked for; only on the right of `in` and `not in`.
    DependencyGroups,
}

impl Variable {
    /// Every name: first each variable's own, then the older ones of PEP 345 and setuptools.
    const NAMES: [(&'static str, Self); 20] = [
        ("implementation_name", Self::ImplementationName),
        ("implementation_version", Self::ImplementationVersion),
        ("os_name", Self::OsName),
        ("platform_machine", Self::PlatformMachine),
        ("platform_python_implementation", Self::PlatformPythonImplementation),
        ("platform_release", Self::PlatformRelease),
        ("platform_system", Self::PlatformSystem),
        ("platform_version", Self::PlatformVersion),
        ("python_full_version", Self::PythonFullVersion),
        ("python_version", Self::PythonVersion),
        ("sys_platform", Self::SysPlatform),
        ("extra", Self::Extra),
        ("extras", Self::Extras),
        ("dependency_groups", Self::DependencyGroups),
        ("os.name", Self::OsName),
        ("platform.machine", Self::PlatformMachine),
        ("platform.python_implementation", Self::PlatformPythonImplementation),
        ("platform.version", Self::PlatformVersion),
        ("python_implementation", Self::PlatformPythonImplementation),
        ("sys.platform", Self::SysPlatform),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, variable)| *variable)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, variable)| *variable == self).map_or("", |(name, _)| name)
    }

    /// Returns whether comparisons with the variable are those of versions, where both sides are versions.
    pub(super) fn holds_version(self) -> bool {
        matches!(
            self,
            Self::PythonVersion | Self::PythonFullVersion | Self::ImplementationVersion | Self::PlatformRelease
        )
    }

    fn is_set(self) -> bool {
        matches!(self, Self::Extras | Self::DependencyGroups)
    }

    fn holds_name(self) -> bool {
        self == Self::Extra || self.is_set()
    }
}

impl Expression {
    /// Reads a marker, up to the first character that does not belong to it (`marker`).
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        Self::parse_or(cursor, 0)
    }

    /// `marker_or`
    fn parse_or(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, SyntaxError> {
        let first = Self::parse_and(cursor, depth)?;
        let mut alternatives = vec![];
        while cursor.eat_word("or") {
            alternatives.push(Self::parse_and(cursor, depth)?);
        }
        if alternatives.is_empty() {
            return Ok(first);
        }
        alternatives.insert(0, first);
        Ok(Self::Or(alternatives))
    }

    /// `marker_and`
    fn parse_and(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, SyntaxError> {
        let first = Self::parse_atom(cursor, depth)?;
        let mut conditions = vec![];
        while cursor.eat_word("and") {
            conditions.push(Self::parse_atom(cursor, depth)?);
        }
        if conditions.is_empty() {
            return Ok(first);
        }
        conditions.insert(0, first);
        Ok(Self::And(conditions))
    }

    /// `marker_expr`: a comparison, or a marker in parentheses. Leaves no whitespace behind it.
    fn parse_atom(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, SyntaxError> {
        cursor.skip_whitespace();
        let opening = cursor.error("this parenthesis is not closed");
        let expression = if cursor.eat("(") {
            if depth == MAX_DEPTH {
                return Err(cursor.error(format!("there are more than {MAX_DEPTH} parentheses within each other")));
            }
            let inner = Self::parse_or(cursor, depth + 1)?;
            if !cursor.eat(")") {
                return Err(if cursor.rest().is_empty() { opening } else { cursor.expected("`and`, `or` or `)`") });
            }
            inner
        } else {
            Self::Comparison(Comparison::parse(cursor)?)
        };
        cursor.skip_whitespace();
        Ok(expression)
    }
}

impl Comparison {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let start = cursor.error("`extras` and `dependency_groups` only go with `in`, as in `\"name\" in extras`");
        let mut left = Operand::parse(cursor)?;
        cursor.skip_whitespace();
        let operator = Operator::parse(cursor)?;
        cursor.skip_whitespace();
        let mut right = Operand::parse(cursor)?;
        match (&mut left, &mut right) {
            (Operand::Literal(name), Operand::Variable(variable))
            | (Operand::Variable(variable), Operand::Literal(name))
                if variable.holds_name() =>
            {
                // PEP 685: names of extras are normalized before they are compared.
                if let Ok(normalized) = name.parse::<ExtraName>() {
                    normalized.as_str().clone_into(name);
                }
            }
            _ => {}
        }
        let is_membership = matches!(left, Operand::Literal(_)) && matches!(operator, Operator::In | Operator::NotIn);
        if left.is_set() || right.is_set() && !is_membership {
            return Err(start);
        }
        let specifier = match (&left, &right) {
            (Operand::Variable(variable), Operand::Literal(version)) if variable.holds_version() => {
                operator.specifier(version)
            }
            _ => None,
        };
        Ok(Self { left, operator, right, specifier })
    }
}

impl Operand {
    /// `marker_var`: a variable, or a string in either kind of quotes, which knows no escapes.
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        let start = cursor.error("this string is not closed");
        for quote in ['"', '\''] {
            if cursor.eat(quote.encode_utf8(&mut [0; 4])) {
                let literal = cursor.take_while(|character| character != quote && character != '\\');
                if cursor.eat(quote.encode_utf8(&mut [0; 4])) {
                    return Ok(Self::Literal(literal.to_owned()));
                }
                return Err(if cursor.rest().is_empty() {
                    start
                } else {
                    cursor.error("a string must not contain a backslash")
                });
            }
        }
        let name = cursor.take_while(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '.'));
        if name.is_empty() {
            return Err(cursor.expected("a variable or a string in quotes"));
        }
        match Variable::named(name) {
            Some(variable) => Ok(Self::Variable(variable)),
            None => Err(SyntaxError {
                reason: format!("`{name}` is not a variable of markers"),
                hint: nearest(name, Variable::NAMES.iter().map(|(known, _)| *known)).map(did_you_mean),
                ..start
            }),
        }
    }

    fn is_set(&self) -> bool {
        matches!(self, Self::Variable(variable) if variable.is_set())
    }
}

impl Operator {
    /// `marker_op`
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SyntaxError> {
        if let Some((operator, _)) = Self::SYMBOLS.iter().find(|(_, symbol)| cursor.eat(symbol)) {
            return Ok(*operator);
        }
        if cursor.eat_word("in") {
            return Ok(Self::In);
        }
        if cursor.eat_word("not") {
            return if !cursor.skip_whitespace().is_empty() && cursor.eat_word("in") {
                Ok(Self::NotIn)
            } else {
                Err(cursor.expected("`in` after `not`"))
            };
        }
        Err(cursor.expected("an operator (`==`, `!=`, `<=`, `<`, `>=`, `>`, `~=`, `===`, `in` or `not in`)"))
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (members, word) = match self {
            Self::Comparison(comparison) => return comparison.fmt(formatter),
            Self::And(conditions) => (conditions, " and "),
            Self::Or(alternatives) => (alternatives, " or "),
        };
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                formatter.write_str(word)?;
            }
            match (self, member) {
                (_, Self::Comparison(_)) | (Self::Or(_), Self::And(_)) => write!(formatter, "{member}")?,
                _ => write!(formatter, "({member})")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.left, self.operator.as_str(), self.right)
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(variable) => formatter.write_str(variable.name()),
            Self::Literal(literal) if literal.contains('"') => write!(formatter, "'{literal}'"),
            Self::Literal(literal) => write!(formatter, "\"{literal}\""),
        }
    }
}
