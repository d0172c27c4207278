//! What markers mean.
//!
//! Specification: [PyPA, dependency specifiers, environment markers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers).

use std::borrow::Cow;
use std::collections::BTreeSet;

use pep440_rs::Version;

use super::parse::{Comparison, Expression, Operand, Operator, Variable};
use super::{ActiveExtras, contains};
use crate::platform::MarkerEnvironment;

impl Expression {
    pub(super) fn evaluate(&self, environment: &MarkerEnvironment, active: &ActiveExtras) -> bool {
        match self {
            Self::Or(alternatives) => alternatives.iter().any(|member| member.evaluate(environment, active)),
            Self::And(conditions) => conditions.iter().all(|member| member.evaluate(environment, active)),
            Self::Comparison(comparison) => comparison.evaluate(environment, active),
        }
    }
}

impl Comparison {
    fn evaluate(&self, environment: &MarkerEnvironment, active: &ActiveExtras) -> bool {
        if let (Some(specifier), Operand::Variable(variable)) = (&self.specifier, &self.left)
            && let Some(version) = environment.version(*variable)
        {
            return contains(specifier, version);
        }
        let text = |operand| environment.text(operand);
        match (&self.left, &self.right) {
            (Operand::Literal(name), Operand::Variable(Variable::Extras)) => {
                active.extras.contains(name) == (self.operator == Operator::In)
            }
            (Operand::Literal(name), Operand::Variable(Variable::DependencyGroups)) => {
                active.groups.contains(name) == (self.operator == Operator::In)
            }
            (Operand::Variable(Variable::Extra), right) => {
                self.operator.any(&active.extras, |operator, extra| operator.compares(extra, &text(right)))
            }
            (left, Operand::Variable(Variable::Extra)) => {
                self.operator.any(&active.extras, |operator, extra| operator.compares(&text(left), extra))
            }
            (Operand::Variable(variable), _) | (_, Operand::Variable(variable)) if variable.holds_version() => {
                self.operator.compares_versions(&text(&self.left), &text(&self.right))
            }
            (left, right) => self.operator.compares(&text(left), &text(right)),
        }
    }
}

impl Operator {
    /// Compares text. The specification orders only versions, so that `<` and `>` never hold.
    fn compares(self, left: &str, right: &str) -> bool {
        match self {
            Self::Equal | Self::LessEqual | Self::GreaterEqual => left == right,
            Self::NotEqual => left != right,
            Self::In => right.contains(left),
            Self::NotIn => !right.contains(left),
            Self::Less | Self::Greater | Self::Compatible | Self::ArbitraryEqual => false,
        }
    }

    /// Compares as versions, where the right side forms a version specifier with the operator; else as text.
    fn compares_versions(self, left: &str, right: &str) -> bool {
        match self.specifier(right) {
            Some(specifier) => left.parse::<Version>().is_ok_and(|version| contains(&specifier, &version)),
            None if self == Self::ArbitraryEqual => left.eq_ignore_ascii_case(right.trim()),
            None => self.compares(left, right),
        }
    }

    /// Returns whether `compares` holds for any of the extras; for the negative operators, whether it holds for all.
    /// Without extras, `extra` is the empty string.
    fn any(self, extras: &BTreeSet<String>, compares: impl Fn(Self, &str) -> bool) -> bool {
        let is_negative = matches!(self, Self::NotEqual | Self::NotIn);
        match extras.is_empty() {
            true => compares(self, ""),
            false if is_negative => extras.iter().all(|extra| compares(self, extra)),
            false => extras.iter().any(|extra| compares(self, extra)),
        }
    }
}

impl MarkerEnvironment {
    /// Returns the value of a variable that holds nothing but versions.
    fn version(&self, variable: Variable) -> Option<&Version> {
        match variable {
            Variable::PythonVersion => Some(&self.python_version),
            Variable::PythonFullVersion => Some(&self.python_full_version),
            Variable::ImplementationVersion => Some(&self.implementation_version),
            _ => None,
        }
    }

    /// Returns the operand's value as text.
    fn text<'a>(&'a self, operand: &'a Operand) -> Cow<'a, str> {
        let variable = match operand {
            Operand::Literal(literal) => return Cow::Borrowed(literal),
            Operand::Variable(variable) => variable,
        };
        Cow::Borrowed(match variable {
            Variable::PythonVersion => return Cow::Owned(self.python_version.to_string()),
            Variable::PythonFullVersion => return Cow::Owned(self.python_full_version.to_string()),
            Variable::ImplementationVersion => return Cow::Owned(self.implementation_version.to_string()),
            Variable::ImplementationName => &self.implementation_name,
            Variable::OsName => &self.os_name,
            Variable::PlatformMachine => &self.platform_machine,
            Variable::PlatformPythonImplementation => &self.platform_python_implementation,
            Variable::PlatformRelease => &self.platform_release,
            Variable::PlatformSystem => &self.platform_system,
            Variable::PlatformVersion => &self.platform_version,
            Variable::SysPlatform => &self.sys_platform,
            // Sets are no text. Only `extra == extra` gets here, and that compares nothing.
            Variable::Extra | Variable::Extras | Variable::DependencyGroups => "",
        })
    }
}
