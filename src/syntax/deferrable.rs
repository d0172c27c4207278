//! Imports at the top level of a module whose names are needed only when functions are called.

use std::collections::BTreeSet;
use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};
use ruff_text_size::Ranged;

use crate::platform::PythonVersion;

/// An import statement that could be in the functions that use its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeferrableImport {
    /// From 1.
    pub(crate) line: usize,
    /// The statement in the source, in bytes.
    pub(crate) range: Range<usize>,
    /// The number of dots before the names of its modules.
    pub(crate) level: u32,
    /// The modules that it may import; empty for the package itself.
    pub(crate) modules: Vec<String>,
}

/// Returns the imports of a module that are always executed when it is imported, although the names that they bind are used
/// only in functions. Whether a function is called when the module is imported only running it tells.
pub(crate) fn deferrable_imports(source: &str, body: &[Stmt], python: PythonVersion) -> Vec<DeferrableImport> {
    let mut uses = NameUses {
        in_function: false,
        evaluates_annotations: evaluates_annotations(body, python),
        ..NameUses::default()
    };
    uses.visit_body(body);
    let imports = body.iter().filter_map(|statement| {
        let (level, modules, bound) = imported(statement)?;
        let is_deferrable = bound.iter().all(|name| !uses.at_import.contains(*name))
            && bound.iter().any(|name| uses.in_functions.contains(*name));
        let range = statement.range().to_std_range();
        let line = source.get(..range.start)?.matches('\n').count() + 1;
        is_deferrable.then_some(DeferrableImport { line, range, level, modules })
    });
    imports.collect()
}

/// Tells whether annotations are evaluated when the module is imported: not since Python 3.14
/// ([PEP 649](https://peps.python.org/pep-0649/)), and not with `from __future__ import annotations`.
fn evaluates_annotations(body: &[Stmt], python: PythonVersion) -> bool {
    let mut futures = body.iter().filter_map(Stmt::as_import_from_stmt).filter(|import| is_future(import));
    python.minor < 14 && !futures.any(|import| import.names.iter().any(|alias| alias.name.as_str() == "annotations"))
}

fn is_future(import: &ast::StmtImportFrom) -> bool {
    import.module.as_ref().is_some_and(|module| module.as_str() == "__future__")
}

/// Returns the level, the modules and the bound names of an import; `None` for other statements, and for imports that are lazy
/// ([PEP 810](https://peps.python.org/pep-0810/)) or bind all names.
fn imported(statement: &Stmt) -> Option<(u32, Vec<String>, Vec<&str>)> {
    match statement {
        Stmt::Import(import) if !import.is_lazy => {
            let modules = import.names.iter().map(|alias| alias.name.to_string()).collect();
            let top = |name: &'_ str| name.find('.').unwrap_or(name.len());
            let bound = import.names.iter().map(|alias| match &alias.asname {
                Some(name) => name.as_str(),
                None => &alias.name.as_str()[..top(&alias.name)],
            });
            Some((0, modules, bound.collect()))
        }
        Stmt::ImportFrom(import) if !import.is_lazy && !is_future(import) => {
            let module = import.module.as_ref().map_or("", |module| module.as_str());
            if import.names.iter().any(|alias| alias.name.as_str() == "*") {
                return None;
            }
            let dot = if module.is_empty() { "" } else { "." };
            // A name may be one of a module.
            let below = import.names.iter().map(|alias| format!("{module}{dot}{}", alias.name));
            let modules = std::iter::once(module.to_owned()).chain(below).collect();
            let bound = import.names.iter().map(|alias| alias.asname.as_ref().unwrap_or(&alias.name).as_str());
            Some((import.level, modules, bound.collect()))
        }
        _ => None,
    }
}

/// The names that a module uses, and when.
#[derive(Debug, Default)]
struct NameUses {
    in_function: bool,
    evaluates_annotations: bool,
    /// When the module is imported, also as a string, such as in `__all__`.
    at_import: BTreeSet<String>,
    /// When a function is called.
    in_functions: BTreeSet<String>,
}

impl NameUses {
    fn within_function(&mut self, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.in_function, true);
        visit(self);
        self.in_function = outer;
    }

    /// Visits what is evaluated when a function is defined.
    fn visit_defaults(&mut self, parameters: &ast::Parameters) {
        parameters.iter_non_variadic_params().filter_map(|parameter| parameter.default()).for_each(|default| {
            self.visit_expr(default);
        });
        parameters.iter().filter_map(|parameter| parameter.annotation()).for_each(|annotation| {
            self.visit_annotation(annotation);
        });
    }
}

impl<'a> Visitor<'a> for NameUses {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                self.visit_defaults(&function.parameters);
                function.returns.iter().for_each(|returns| self.visit_annotation(returns));
                self.within_function(|uses| uses.visit_body(&function.body));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_annotation(&mut self, annotation: &'a Expr) {
        if self.evaluates_annotations {
            self.visit_expr(annotation);
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Lambda(lambda) => {
                lambda.parameters.iter().for_each(|parameters| self.visit_defaults(parameters));
                return self.within_function(|uses| uses.visit_expr(&lambda.body));
            }
            Expr::Name(name) => {
                let names = if self.in_function && name.ctx == ExprContext::Load {
                    &mut self.in_functions
                } else {
                    // A name that is assigned or deleted is not only that of the import.
                    &mut self.at_import
                };
                names.insert(name.id.to_string());
            }
            Expr::StringLiteral(literal) if !self.in_function => {
                self.at_import.insert(literal.value.to_str().to_owned());
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse;

    fn lines(source: &str, minor: u8) -> Vec<usize> {
        let python = PythonVersion::new(minor);
        let found = parse(source.as_bytes(), python, |text, body| deferrable_imports(text, body, python));
        found.unwrap().unwrap().into_iter().map(|import| import.line).collect()
    }

    #[test]
    fn only_what_functions_alone_use_is_found() {
        let source = "\
import boto3
import os.path, json
from .models import Order
from decimal import Decimal
import unused
import exported
from a import (
    b,
    c as d,
)
__all__ = ['exported']
ROOT = os.path.dirname(__file__)
def handler(event: Order, context):
    boto3.client('s3'); json.dumps(Decimal(1)); exported.f(); d()
try:
    import guarded
except ImportError:
    guarded = None
class Store:
    client = lambda self: boto3.client('s3')
";
        assert_eq!(lines(source, 13), [1, 4, 7]);
        // Annotations are evaluated when they are asked for.
        let annotated = "import a\ndef f(x: a.B):\n    return a.C\n";
        assert_eq!((lines(annotated, 13), lines(annotated, 14)), (vec![], vec![1]));
        assert_eq!(lines(&format!("from __future__ import annotations\n{annotated}"), 9), [2]);
        // Names that are used when the module is imported, in whatever way.
        for used in ["@a.b\ndef f(): a", "def f(x=a): a", "class C(a.B):\n    def f(self): a", "a = 1\ndef f(): a"] {
            assert_eq!(lines(&format!("import a\n{used}\n"), 13), [0_usize; 0], "{used}");
        }
        assert_eq!(lines("from __future__ import annotations\nfrom a import *\ndef f(): a\n", 13), [0_usize; 0]);
    }

    #[test]
    fn modules_are_named() {
        let source = "from ..lib import a, b\nfrom . import c\ndef f(): a, b, c\n";
        let python = PythonVersion::new(12);
        let found =
            parse(source.as_bytes(), python, |text, body| deferrable_imports(text, body, python)).unwrap().unwrap();
        assert_eq!(
            (found[0].level, &found[0].modules[..]),
            (2, &["lib".to_owned(), "lib.a".to_owned(), "lib.b".to_owned()][..])
        );
        assert_eq!((found[1].level, &found[1].modules[..]), (1, &[String::new(), "c".to_owned()][..]));
        assert_eq!(&source[found[1].range.clone()], "from . import c");
    }
}
