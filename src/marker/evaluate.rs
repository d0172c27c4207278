//! Evaluation of markers.
//!
//! Specification: [PyPA, dependency specifiers, environment markers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers).

use std::borrow::Cow;
use std::collections::BTreeSet;

use pep440_rs::Version;

use super::parse::{MarkerComparison, MarkerExpression, MarkerOperand, MarkerOperator, MarkerVariable};
use super::{ActiveExtras, contains};
use crate::platform::MarkerEnvironment;

impl MarkerExpression {
    pub(super) fn evaluate(&self, environment: &MarkerEnvironment, active: &ActiveExtras) -> bool {
        match self {
            Self::Or(alternatives) => alternatives.iter().any(|member| member.evaluate(environment, active)),
            Self::And(conditions) => conditions.iter().all(|member| member.evaluate(environment, active)),
            Self::Comparison(comparison) => comparison.evaluate(environment, active),
        }
    }
}

impl MarkerComparison {
    fn evaluate(&self, environment: &MarkerEnvironment, active: &ActiveExtras) -> bool {
        if let (Some(specifier), MarkerOperand::Variable(variable)) = (&self.specifier, &self.left)
            && let Some(version) = environment.version(*variable)
        {
            return contains(specifier, version);
        }
        match (&self.left, &self.right) {
            (MarkerOperand::Literal(name), MarkerOperand::Variable(MarkerVariable::Extras)) => {
                active.extras.contains(name) == (self.operator == MarkerOperator::In)
            }
            (MarkerOperand::Literal(name), MarkerOperand::Variable(MarkerVariable::DependencyGroups)) => {
                active.groups.contains(name) == (self.operator == MarkerOperator::In)
            }
            (MarkerOperand::Variable(MarkerVariable::Extra), right) => self
                .operator
                .holds_for(&active.extras, |operator, extra| operator.compares(extra, &environment.text(right))),
            (left, MarkerOperand::Variable(MarkerVariable::Extra)) => self
                .operator
                .holds_for(&active.extras, |operator, extra| operator.compares(&environment.text(left), extra)),
            (MarkerOperand::Variable(variable), _) | (_, MarkerOperand::Variable(variable))
                if variable.holds_version() =>
            {
                self.operator.compares_versions(&environment.text(&self.left), &environment.text(&self.right))
            }
            (left, right) => self.operator.compares(&environment.text(left), &environment.text(right)),
        }
    }
}

impl MarkerOperator {
    /// Compares strings. The specification orders only versions, so `<` and `>` never hold.
    fn compares(self, left: &str, right: &str) -> bool {
        match self {
            Self::Equal | Self::LessEqual | Self::GreaterEqual => left == right,
            Self::NotEqual => left != right,
            Self::In => right.contains(left),
            Self::NotIn => !right.contains(left),
            Self::Less | Self::Greater | Self::Compatible | Self::ArbitraryEqual => false,
        }
    }

    /// Compares versions if the operator and the right side form a version specifier, else strings.
    fn compares_versions(self, left: &str, right: &str) -> bool {
        match self.specifier(right) {
            Some(specifier) => left.parse::<Version>().is_ok_and(|version| contains(&specifier, &version)),
            None if self == Self::ArbitraryEqual => left.eq_ignore_ascii_case(right.trim()),
            None => self.compares(left, right),
        }
    }

    /// Returns whether `compares` holds for any of the extras, or for negative operators, whether it holds for all of them.
    /// Without extras, `extra` is the empty string.
    fn holds_for(self, extras: &BTreeSet<String>, compares: impl Fn(Self, &str) -> bool) -> bool {
        let is_negative = matches!(self, Self::NotEqual | Self::NotIn);
        if extras.is_empty() {
            compares(self, "")
        } else if is_negative {
            extras.iter().all(|extra| compares(self, extra))
        } else {
            extras.iter().any(|extra| compares(self, extra))
        }
    }
}

impl MarkerEnvironment {
    /// Returns the value of a variable that is always a version.
    fn version(&self, variable: MarkerVariable) -> Option<&Version> {
        match variable {
            MarkerVariable::PythonVersion => Some(&self.python_version),
            MarkerVariable::PythonFullVersion => Some(&self.python_full_version),
            MarkerVariable::ImplementationVersion => Some(&self.implementation_version),
            _ => None,
        }
    }

    /// Returns the operand's value as a string.
    fn text<'a>(&'a self, operand: &'a MarkerOperand) -> Cow<'a, str> {
        let variable = match operand {
            MarkerOperand::Literal(literal) => return Cow::Borrowed(literal),
            MarkerOperand::Variable(variable) => variable,
        };
        Cow::Borrowed(match variable {
            MarkerVariable::PythonVersion => return Cow::Owned(self.python_version.to_string()),
            MarkerVariable::PythonFullVersion => return Cow::Owned(self.python_full_version.to_string()),
            MarkerVariable::ImplementationVersion => return Cow::Owned(self.implementation_version.to_string()),
            MarkerVariable::ImplementationName => &self.implementation_name,
            MarkerVariable::OsName => &self.os_name,
            MarkerVariable::PlatformMachine => &self.platform_machine,
            MarkerVariable::PlatformPythonImplementation => &self.platform_python_implementation,
            MarkerVariable::PlatformRelease => &self.platform_release,
            MarkerVariable::PlatformSystem => &self.platform_system,
            MarkerVariable::PlatformVersion => &self.platform_version,
            MarkerVariable::SysPlatform => &self.sys_platform,
            // Sets are not strings. Only `extra == extra` reaches this, which compares nothing.
            MarkerVariable::Extra | MarkerVariable::Extras | MarkerVariable::DependencyGroups => "",
        })
    }
}
