//! Functions that only run if a module is run as a script.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt};

use crate::syntax;

/// Returns the functions of a module that are called only below `if __name__ == "__main__"`, as far as the module shows: those
/// without parameters and decorators, because handlers and what frameworks call are called there as well to try them.
pub(super) fn functions_of_main(body: &[Stmt]) -> BTreeSet<String> {
    let mut main_only = BTreeSet::new();
    loop {
        let mut names = NameCollector {
            main_only: &main_only,
            is_in_main: false,
            in_main: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
        };
        names.visit_body(body);
        let (in_main, elsewhere) = (names.in_main, names.elsewhere);
        let functions = body.iter().filter_map(Stmt::as_function_def_stmt);
        let functions =
            functions.filter(|function| function.decorator_list.is_empty() && function.parameters.is_empty());
        let found: BTreeSet<String> = functions
            .map(|function| function.name.to_string())
            .filter(|name| in_main.contains(name) && !elsewhere.contains(name))
            .collect();
        if found == main_only {
            return found;
        }
        main_only = found;
    }
}

/// Collects the names that are used below the guard or in functions that only run there, and elsewhere.
struct NameCollector<'f> {
    main_only: &'f BTreeSet<String>,
    is_in_main: bool,
    in_main: BTreeSet<String>,
    elsewhere: BTreeSet<String>,
}

impl<'v> Visitor<'v> for NameCollector<'_> {
    fn visit_stmt(&mut self, statement: &'v Stmt) {
        let outer = self.is_in_main;
        match statement {
            Stmt::If(branches) if syntax::is_main_guard(&branches.test) => {
                self.is_in_main = true;
                self.visit_body(&branches.body);
                self.is_in_main = outer;
                branches.elif_else_clauses.iter().for_each(|clause| self.visit_elif_else_clause(clause));
            }
            Stmt::FunctionDef(function) => {
                self.is_in_main |= self.main_only.contains(function.name.as_str());
                visitor::walk_stmt(self, statement);
                self.is_in_main = outer;
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'v Expr) {
        if let Expr::Name(name) = expression {
            let names = if self.is_in_main { &mut self.in_main } else { &mut self.elsewhere };
            names.insert(name.id.to_string());
        }
        visitor::walk_expr(self, expression);
    }
}
