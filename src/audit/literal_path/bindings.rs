//! What the names of a scope are bound to.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};

use super::evaluate::{LiteralValue, PathEvaluator};

/// Binds the names of one module, class or function in the evaluator's innermost scope. Those of inner scopes are their own.
pub(super) struct BindingCollector<'e, 'a>(pub(super) &'e mut PathEvaluator<'a>);

impl BindingCollector<'_, '_> {
    fn assign(&mut self, target: &Expr, value: &Expr) {
        match target {
            Expr::Name(name) => {
                let value = self.0.evaluate(value);
                self.0.bind(&name.id, value);
            }
            _ => self.visit_expr(target),
        }
    }

    fn import(&mut self, import: &ast::StmtImport) {
        for alias in &import.names {
            let (name, module) = match &alias.asname {
                Some(name) => (name.as_str(), alias.name.as_str()),
                None => {
                    let top = alias.name.as_str().split('.').next().unwrap_or_default();
                    (top, top)
                }
            };
            self.0.bind(name, Some(LiteralValue::Imported(module.to_owned())));
        }
    }

    fn import_from(&mut self, import: &ast::StmtImportFrom) {
        let module = import.module.as_ref().map_or("", |module| module.as_str());
        let Some(module) = self.0.absolute(import.level, module) else { return };
        for alias in import.names.iter().filter(|alias| alias.name.as_str() != "*") {
            let name = alias.asname.as_ref().unwrap_or(&alias.name);
            let imported = if module.is_empty() { alias.name.to_string() } else { format!("{module}.{}", alias.name) };
            self.0.bind(name, Some(LiteralValue::Imported(imported)));
        }
    }
}

impl<'v> Visitor<'v> for BindingCollector<'_, '_> {
    fn visit_stmt(&mut self, statement: &'v Stmt) {
        match statement {
            Stmt::Assign(assignment) => {
                assignment.targets.iter().for_each(|target| self.assign(target, &assignment.value));
                self.visit_expr(&assignment.value);
            }
            Stmt::AnnAssign(assignment) => {
                if let Some(value) = &assignment.value {
                    self.assign(&assignment.target, value);
                }
            }
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::FunctionDef(function) => self.0.bind(&function.name, None),
            Stmt::ClassDef(class) => self.0.bind(&class.name, None),
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'v Expr) {
        match expression {
            Expr::Name(name) if name.ctx != ExprContext::Load => self.0.bind(&name.id, None),
            Expr::Lambda(_) => {}
            _ => visitor::walk_expr(self, expression),
        }
    }

    fn visit_except_handler(&mut self, handler: &'v ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(except) = handler;
        if let Some(name) = &except.name {
            self.0.bind(name, None);
        }
        visitor::walk_except_handler(self, handler);
    }
}
