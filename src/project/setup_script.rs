//! The arguments that a `setup.py` passes to `setup()`, read from its syntax tree. The script is not run.
//!
//! Specification: [setuptools, keywords](https://setuptools.pypa.io/en/latest/references/keywords.html).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Operator, Stmt};

use crate::platform::PythonVersion;
use crate::syntax;

/// The functions that declare a distribution when they are called through their module: those of setuptools and of its
/// predecessor, and the wrappers of scikit-build and numpy.
const FUNCTIONS: [&str; 5] =
    ["setuptools.setup", "distutils.setup", "distutils.core.setup", "skbuild.setup", "numpy.distutils.core.setup"];

/// How many names and operators are followed to a constant, so that `A = B; B = A` ends.
const DEEPEST: usize = 16;

/// Returns the keyword arguments of the script's first call of `setup()`, except those that are `None`. The value of one is
/// known if it is a constant string: a literal, a concatenation of constants, or a name that is bound once, to a constant.
/// A script without such a call, or with a syntax error, has no arguments.
pub(super) fn arguments(script: &[u8]) -> BTreeMap<String, Option<String>> {
    syntax::parse(script, PythonVersion::NEWEST, |_, body| SetupScript::read(body).arguments())
        .ok()
        .flatten()
        .unwrap_or_default()
}

/// What of a script matters for its call of `setup()`.
#[derive(Default)]
struct SetupScript<'a> {
    /// What each imported name stands for: `s` for `setuptools.setup`, after `from setuptools import setup as s`.
    imports: HashMap<&'a str, String>,
    /// The functions and classes that it defines itself.
    definitions: BTreeSet<&'a str>,
    /// How often each name is bound, anywhere in the script.
    bindings: HashMap<&'a str, usize>,
    /// What is assigned to each name.
    values: HashMap<&'a str, &'a Expr>,
    /// The calls in their order.
    calls: Vec<&'a ast::ExprCall>,
}

impl<'a> SetupScript<'a> {
    fn read(body: &'a [Stmt]) -> Self {
        let mut script = Self::default();
        script.visit_body(body);
        script
    }

    fn arguments(&self) -> BTreeMap<String, Option<String>> {
        let Some(call) = self.calls.iter().find(|call| self.is_setup(&call.func)) else { return BTreeMap::new() };
        let given = call.arguments.keywords.iter().filter(|keyword| !keyword.value.is_none_literal_expr());
        let named = given.filter_map(|keyword| Some((keyword.arg.as_ref()?.to_string(), &keyword.value)));
        named.map(|(name, value)| (name, self.constant(value, 0))).collect()
    }

    /// Returns whether a function is `setup`, whatever name it was imported as.
    fn is_setup(&self, function: &Expr) -> bool {
        match function {
            // Whichever module it comes from: wrappers keep the name and pass the arguments on.
            Expr::Name(name) => match self.imports.get(name.id.as_str()) {
                Some(imported) => imported.ends_with(".setup"),
                None => name.id.as_str() == "setup" && !self.definitions.contains("setup"),
            },
            Expr::Attribute(_) => self.path(function).is_some_and(|path| FUNCTIONS.contains(&path.as_str())),
            _ => false,
        }
    }

    /// Returns the dotted path of a name, with what its first part was imported as.
    fn path(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Name(name) => {
                let name = name.id.as_str();
                Some(self.imports.get(name).cloned().unwrap_or_else(|| name.to_owned()))
            }
            Expr::Attribute(attribute) => Some(format!("{}.{}", self.path(&attribute.value)?, attribute.attr)),
            _ => None,
        }
    }

    fn constant(&self, expression: &Expr, depth: usize) -> Option<String> {
        if depth > DEEPEST {
            return None;
        }
        match expression {
            Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
            Expr::Name(name) if self.bindings.get(name.id.as_str()) == Some(&1) => {
                self.constant(self.values.get(name.id.as_str())?, depth + 1)
            }
            Expr::BinOp(sum) if sum.op == Operator::Add => {
                Some(self.constant(&sum.left, depth + 1)? + &self.constant(&sum.right, depth + 1)?)
            }
            _ => None,
        }
    }

    fn bind(&mut self, name: &'a str) {
        *self.bindings.entry(name).or_default() += 1;
    }
}

impl<'a> Visitor<'a> for SetupScript<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    // `import a.b` binds `a`.
                    if let Some(name) = &alias.asname {
                        self.imports.insert(name.as_str(), alias.name.to_string());
                    }
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map(ToString::to_string).unwrap_or_default();
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    self.imports.insert(name, format!("{module}.{}", alias.name));
                    self.bind(name);
                }
            }
            Stmt::FunctionDef(definition) => {
                self.definitions.insert(definition.name.as_str());
                self.bind(definition.name.as_str());
            }
            Stmt::ClassDef(definition) => {
                self.definitions.insert(definition.name.as_str());
                self.bind(definition.name.as_str());
            }
            Stmt::Assign(assignment) => {
                if let [Expr::Name(name)] = &assignment.targets[..] {
                    self.values.insert(name.id.as_str(), &assignment.value);
                }
            }
            Stmt::AnnAssign(assignment) => {
                if let (Expr::Name(name), Some(value)) = (&*assignment.target, &assignment.value) {
                    self.values.insert(name.id.as_str(), value);
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if name.ctx == ExprContext::Store => self.bind(name.id.as_str()),
            Expr::Call(call) => self.calls.push(call),
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }

    fn visit_parameter(&mut self, parameter: &'a ast::Parameter) {
        self.bind(parameter.name.as_str());
        visitor::walk_parameter(self, parameter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `name` and `python_requires`, each empty if it is not constant.
    fn declared(script: &str) -> (String, String) {
        let arguments = arguments(script.as_bytes());
        let constants = ["name", "python_requires"].map(|name| arguments.get(name).cloned().flatten());
        constants.map(Option::unwrap_or_default).into()
    }

    #[test]
    fn calls_are_found_by_what_they_call() {
        for (script, name) in [
            ("from setuptools import setup\nsetup(name='a')", "a"),
            ("setuptools.setup(name='a')", "a"),
            ("from setuptools import setup as s\ns(name='a')", "a"),
            ("import setuptools as st\nst.setup(name='a')", "a"),
            ("import distutils.core\ndistutils.core.setup(name='a')", "a"),
            ("from distutils import core\ncore.setup(name='a')", "a"),
            ("from skbuild import setup\nsetup(name='a')", "a"),
            ("def main():\n    setup(name='a')\nif __name__ == '__main__':\n    main()", "a"),
            ("setup = s = print\nsetup(name='a')", "a"),
            ("setup(name='first')\nsetup(name='second')", "first"),
            ("my_setup(name='no')\nlogging.setup(name='no')\nsetup(name='yes')", "yes"),
            (
                "from setuptools import setup as s\nfrom logging import config as setup\nsetup(name='no')\ns(name='a')",
                "a",
            ),
            ("def setup(name):\n    print(name)\nsetup(name='no')", ""),
        ] {
            assert_eq!(declared(script).0, name, "{script}");
        }
    }

    #[test]
    fn comments_strings_and_docstrings_are_no_calls() {
        for script in [
            "# setup(name='no', python_requires='<3')\n",
            "'''Calls setup(name='no', python_requires='<3').'''\n",
            "USAGE = \"setup(name='no')\"\n",
            "def help():\n    \"\"\"setup(name='no')\"\"\"\n",
        ] {
            assert_eq!(declared(script), <_>::default(), "{script}");
            let called = format!("{script}from setuptools import setup\nsetup(name='yes', python_requires='>=3.9')");
            assert_eq!(declared(&called), ("yes".to_owned(), ">=3.9".to_owned()), "{script}");
        }
    }

    #[test]
    fn constants_are_followed_and_nothing_is_guessed() {
        for (value, expected) in [
            ("'>=' '3.9'", ">=3.9"),
            ("'>=' + '3.9'", ">=3.9"),
            ("r'''>=3.9'''", ">=3.9"),
            ("'\\x3e=3.9'", ">=3.9"),
            ("CONSTANT", ">=3.9"),
            ("ANNOTATED", ">=3.9"),
            ("OTHER", ">=3.9"),
            ("TWICE", ""),
            ("EXTENDED", ""),
            ("UNPACKED", ""),
            ("CIRCLE", ""),
            ("UNKNOWN", ""),
            ("f'>={MINIMUM}'", ""),
            ("b'>=3.9'", ""),
            ("read('PYTHON')", ""),
            ("'>=3.9' if old else '>=3.10'", ""),
        ] {
            let script = format!(
                "CONSTANT = '>=3.9'\nANNOTATED: str = '>=3.9'\nOTHER = CONSTANT\nCIRCLE = CIRCLE\n\
                 if old:\n    TWICE = '>=3.8'\nelse:\n    TWICE = '>=3.9'\nEXTENDED = '>=3'\nEXTENDED += '.9'\n\
                 UNPACKED, rest = '>=3.9', None\nsetup(name='a', python_requires={value})"
            );
            assert_eq!(declared(&script), ("a".to_owned(), expected.to_owned()), "{value}");
        }
    }

    #[test]
    fn what_is_no_python_declares_nothing() {
        for script in
            ["setup(name='cut", "setup(", "setup())))", "print 'two'\nsetup(name='a')", "setup(**arguments)", ""]
        {
            assert_eq!(declared(script), <_>::default(), "{script}");
        }
        assert_eq!(arguments(b"setup(name='\xff')"), BTreeMap::new());
        assert_eq!(arguments(b"# coding: latin-1\n# \xff\nsetup(name='a')")["name"].as_deref(), Some("a"));
    }
}
