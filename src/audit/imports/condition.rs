//! Evaluates conditions that depend only on the target: its version of Python and its platform.

use std::cmp::Ordering;

use ruff_python_ast::{self as ast, CmpOp, Expr};

use crate::audit::names::never_runs;
use crate::platform::PythonVersion;
use crate::syntax::last_name;

/// Evaluates a condition for Linux and a version of Python; `None` if it depends on anything else.
pub(in crate::audit) fn evaluate(condition: &Expr, python: PythonVersion) -> Option<bool> {
    if never_runs(condition) {
        return Some(false);
    }
    match condition {
        Expr::BooleanLiteral(literal) => Some(literal.value),
        Expr::NumberLiteral(_) => Some(number(condition)? != 0),
        Expr::UnaryOp(unary) if unary.op == ast::UnaryOp::Not => Some(!evaluate(&unary.operand, python)?),
        Expr::BoolOp(operation) => {
            let decisive = operation.op == ast::BoolOp::Or;
            let known: Vec<Option<bool>> = operation.values.iter().map(|value| evaluate(value, python)).collect();
            if known.contains(&Some(decisive)) {
                return Some(decisive);
            }
            known.iter().all(Option::is_some).then_some(!decisive)
        }
        Expr::Compare(compare) => match (&compare.ops[..], &compare.comparators[..]) {
            ([op], [right]) => compare_with(&compare.left, *op, right, python),
            _ => None,
        },
        Expr::Call(call) => {
            let Expr::Attribute(method) = &*call.func else { return None };
            let prefix = text(call.arguments.args.first()?)?;
            (method.attr.as_str() == "startswith").then(|| Some(platform(&method.value)?.starts_with(prefix)))?
        }
        _ => match last_name(condition)? {
            "PY2" => Some(false),
            "PY3" => Some(true),
            _ => None,
        },
    }
}

fn compare_with(left: &Expr, op: CmpOp, right: &Expr, python: PythonVersion) -> Option<bool> {
    if let Some(platform) = platform(left) {
        return match (op, right) {
            (CmpOp::Eq, right) => Some(platform == text(right)?),
            (CmpOp::NotEq, right) => Some(platform != text(right)?),
            (CmpOp::In, Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. })) => {
                let names: Vec<&str> = elts.iter().map(text).collect::<Option<_>>()?;
                Some(names.contains(&platform))
            }
            _ => None,
        };
    }
    // The patch version is unknown, so a comparison with one is undecided.
    let known = [i64::from(python.major), i64::from(python.minor)];
    let (left, right): (Vec<i64>, Vec<i64>) = match left {
        Expr::Subscript(subscript) if is_version(&subscript.value) => match &*subscript.slice {
            Expr::Slice(slice) if slice.lower.is_none() && slice.step.is_none() => {
                let upper = usize::try_from(number(slice.upper.as_deref()?)?).ok()?;
                (known.get(..upper)?.to_vec(), numbers(right)?)
            }
            index => (vec![*known.get(usize::try_from(number(index)?).ok()?)?], vec![number(right)?]),
        },
        Expr::Attribute(attribute) if is_version(&attribute.value) => match attribute.attr.as_str() {
            "major" => (vec![known[0]], vec![number(right)?]),
            "minor" => (vec![known[1]], vec![number(right)?]),
            _ => return None,
        },
        _ if is_version(left) => {
            let right = numbers(right)?;
            if right.len() > known.len() && right[..known.len()] == known {
                return None;
            }
            // `sys.version_info` has five parts, so it is greater than any prefix of itself.
            let is_prefix = known.starts_with(&right);
            (if is_prefix { [&known[..], &[0]].concat() } else { known.to_vec() }, right)
        }
        _ => return None,
    };
    let order = left.cmp(&right);
    match op {
        CmpOp::Eq => Some(order == Ordering::Equal),
        CmpOp::NotEq => Some(order != Ordering::Equal),
        CmpOp::Lt => Some(order == Ordering::Less),
        CmpOp::LtE => Some(order != Ordering::Greater),
        CmpOp::Gt => Some(order == Ordering::Greater),
        CmpOp::GtE => Some(order != Ordering::Less),
        _ => None,
    }
}

/// Returns the value on Linux of `sys.platform`, `os.name` and `platform.system()`.
fn platform(expression: &Expr) -> Option<&'static str> {
    let called = expression.as_call_expr().map(|call| &*call.func);
    let attribute = called.unwrap_or(expression).as_attribute_expr()?;
    match (last_name(&attribute.value)?, attribute.attr.as_str(), called.is_some()) {
        ("sys", "platform", false) => Some("linux"),
        ("os", "name", false) => Some("posix"),
        ("platform", "system", true) => Some("Linux"),
        _ => None,
    }
}

fn is_version(expression: &Expr) -> bool {
    last_name(expression) == Some("version_info")
}

/// Returns the text of a string literal.
pub(in crate::audit) fn text(expression: &Expr) -> Option<&str> {
    Some(expression.as_string_literal_expr()?.value.to_str())
}

fn number(expression: &Expr) -> Option<i64> {
    match &expression.as_number_literal_expr()?.value {
        ast::Number::Int(integer) => integer.as_i64(),
        _ => None,
    }
}

fn numbers(expression: &Expr) -> Option<Vec<i64>> {
    expression.as_tuple_expr()?.elts.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax;

    fn evaluate_text(condition: &str) -> Option<bool> {
        let python = PythonVersion::new(12);
        let result = syntax::parse(condition.as_bytes(), python, |_, body| match body {
            [ast::Stmt::Expr(statement)] => evaluate(&statement.value, python),
            _ => panic!("{condition} is not an expression"),
        });
        result.unwrap().unwrap()
    }

    #[test]
    fn versions_and_platforms_are_evaluated() {
        for condition in [
            "sys.version_info >= (3, 12)",
            "sys.version_info > (3, 12)",
            "version_info < (3, 13)",
            "sys.version_info >= (3,)",
            "sys.version_info > (3,)",
            "sys.version_info[0] == 3",
            "sys.version_info[:2] == (3, 12)",
            "sys.version_info[:2] <= (3, 12)",
            "sys.version_info.major == 3 and sys.version_info.minor > 9",
            "sys.version_info >= (3, 11, 4)",
            "sys.platform != 'win32'",
            "sys.platform.startswith('linux')",
            "os.name == 'posix'",
            "platform.system() in ('Linux', 'Darwin')",
            "not TYPE_CHECKING",
            "not typing.TYPE_CHECKING",
            "__name__ != '__main__' or True",
            "six.PY3 or unknown",
            "1",
        ] {
            assert_eq!(evaluate_text(condition), Some(true), "{condition}");
            assert_eq!(evaluate_text(&format!("not ({condition})")), Some(false), "{condition}");
        }
    }

    #[test]
    fn conditions_on_anything_else_are_undecided() {
        for condition in [
            "settings.DEBUG",
            "sys.version_info >= (3, 12, 1)",
            "sys.version_info == other",
            "settings.DEBUG and True",
            "sys.platform in names",
            "'a'.startswith('a')",
            "f()",
            "1 < x < 2",
        ] {
            assert_eq!(evaluate_text(condition), None, "{condition}");
        }
    }
}
