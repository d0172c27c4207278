//! The grammar of markers.
//!
//! Specification: [PyPA, dependency specifiers, grammar](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#grammar).

use std::fmt;
use std::str::FromStr;

use pep440_rs::{VersionPattern, VersionSpecifier};

use super::cursor::{Cursor, DependencySyntaxError};
use crate::hints::{did_you_mean, nearest};
use crate::name::ExtraName;

/// The maximum depth of nested parentheses, so that no text can exhaust the stack.
const DEEPEST: usize = 64;

/// A marker's syntax tree. Every list has at least two members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MarkerExpression {
    Or(Vec<Self>),
    And(Vec<Self>),
    Comparison(MarkerComparison),
}

/// One comparison, for instance `"3.9" <= python_version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MarkerComparison {
    pub(super) left: MarkerOperand,
    pub(super) operator: MarkerOperator,
    pub(super) right: MarkerOperand,
    /// The operator and the right side as a version specifier, if the left side is a variable with a version and the right side a
    /// literal that forms one. It is parsed only once for all evaluations.
    pub(super) specifier: Option<VersionSpecifier>,
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MarkerOperand {
    Variable(MarkerVariable),
    Literal(String),
}

/// The operators of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkerOperator {
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

impl MarkerOperator {
    /// The operators in the order in which they are tried: before their prefixes.
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

    /// Returns the version specifier of this operator and `version`, if they form one. `===` does not, because it compares
    /// strings.
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
pub(super) enum MarkerVariable {
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
    /// PEP 751: all requested extras; only on the right of `in` and `not in`.
    Extras,
    /// PEP 751: all requested dependency groups; only on the right of `in` and `not in`.
    DependencyGroups,
}

impl MarkerVariable {
    /// The names of the variables, followed by older names of PEP 345 and setuptools.
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

    /// Returns whether the variable is compared as a version, if both sides are versions.
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

impl MarkerExpression {
    /// Parses a marker, up to the first character that is not part of it (`marker`).
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, DependencySyntaxError> {
        Self::parse_or(cursor, 0)
    }

    /// `marker_or`
    fn parse_or(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, DependencySyntaxError> {
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
    fn parse_and(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, DependencySyntaxError> {
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

    /// `marker_expr`: a comparison, or a marker in parentheses. Also reads the whitespace behind it.
    fn parse_atom(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, DependencySyntaxError> {
        cursor.skip_whitespace();
        let opening = cursor.error("unclosed parenthesis");
        let expression = if cursor.eat("(") {
            if depth == DEEPEST {
                return Err(cursor.error(format!("parentheses are nested more than {DEEPEST} levels deep")));
            }
            let inner = Self::parse_or(cursor, depth + 1)?;
            if !cursor.eat(")") {
                return Err(if cursor.rest().is_empty() { opening } else { cursor.expected("`and`, `or` or `)`") });
            }
            inner
        } else {
            Self::Comparison(MarkerComparison::parse(cursor)?)
        };
        cursor.skip_whitespace();
        Ok(expression)
    }
}

impl MarkerComparison {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, DependencySyntaxError> {
        let start =
            cursor.error("`extras` and `dependency_groups` can only be used with `in`, as in `\"name\" in extras`");
        let mut left = MarkerOperand::parse(cursor)?;
        cursor.skip_whitespace();
        let operator = MarkerOperator::parse(cursor)?;
        cursor.skip_whitespace();
        let mut right = MarkerOperand::parse(cursor)?;
        match (&mut left, &mut right) {
            (MarkerOperand::Literal(name), MarkerOperand::Variable(variable))
            | (MarkerOperand::Variable(variable), MarkerOperand::Literal(name))
                if variable.holds_name() =>
            {
                // PEP 685: extra names are normalized before they are compared.
                if let Ok(normalized) = name.parse::<ExtraName>() {
                    normalized.as_str().clone_into(name);
                }
            }
            _ => {}
        }
        let is_membership =
            matches!(left, MarkerOperand::Literal(_)) && matches!(operator, MarkerOperator::In | MarkerOperator::NotIn);
        if left.is_set() || right.is_set() && !is_membership {
            return Err(start);
        }
        let specifier = match (&left, &right) {
            (MarkerOperand::Variable(variable), MarkerOperand::Literal(version)) if variable.holds_version() => {
                operator.specifier(version)
            }
            _ => None,
        };
        Ok(Self { left, operator, right, specifier })
    }
}

impl MarkerOperand {
    /// `marker_var`: a variable, or a string in single or double quotes, without escapes.
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, DependencySyntaxError> {
        let start = cursor.error("unclosed string");
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
        match MarkerVariable::named(name) {
            Some(variable) => Ok(Self::Variable(variable)),
            None => Err(DependencySyntaxError {
                reason: format!("`{name}` is not a marker variable"),
                hint: nearest(name, MarkerVariable::NAMES.iter().map(|(known, _)| *known)).map(did_you_mean),
                ..start
            }),
        }
    }

    fn is_set(&self) -> bool {
        matches!(self, Self::Variable(variable) if variable.is_set())
    }
}

impl MarkerOperator {
    /// `marker_op`
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, DependencySyntaxError> {
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

impl fmt::Display for MarkerExpression {
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

impl fmt::Display for MarkerComparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.left, self.operator.as_str(), self.right)
    }
}

impl fmt::Display for MarkerOperand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(variable) => formatter.write_str(variable.name()),
            Self::Literal(literal) if literal.contains('"') => write!(formatter, "'{literal}'"),
            Self::Literal(literal) => write!(formatter, "\"{literal}\""),
        }
    }
}
