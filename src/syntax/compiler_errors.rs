//! What CPython's compiler refuses although the parser accepts it: `return` outside of a function, a parameter that is named
//! twice, a late `__future__` import and the like.
//!
//! ruff's checker decides; it asks for what surrounds a statement or an expression, which is kept here.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, PythonVersion, Stmt};
use ruff_python_parser::semantic_errors::{
    LazyImportContext, SemanticSyntaxChecker, SemanticSyntaxContext, SemanticSyntaxError,
};
use ruff_text_size::TextRange;

use super::captured_name;

/// Returns the first thing that the compiler refuses in a module.
pub(super) fn first(source: &str, body: &[Stmt], python: PythonVersion) -> Option<SemanticSyntaxError> {
    let mut compiler = CompilerChecks {
        checker: SemanticSyntaxChecker::new(),
        errors: RefCell::default(),
        source,
        python,
        has_lazy_annotations: imports_annotations(body),
        scopes: vec![Scope::of_body(ScopeKind::Module, body)],
        loops: vec![false],
        is_in_try: false,
    };
    compiler.visit_body(body);
    compiler.errors.into_inner().into_iter().min_by_key(|error| error.range.start())
}

/// Returns whether a module begins with `from __future__ import annotations`.
fn imports_annotations(body: &[Stmt]) -> bool {
    let futures = body.iter().filter_map(Stmt::as_import_from_stmt);
    futures
        .filter(|import| import.module.as_deref() == Some("__future__"))
        .any(|import| import.names.iter().any(|alias| alias.name.as_str() == "annotations"))
}

/// A scope (The Python Language Reference, resolution of names).
struct Scope<'a> {
    kind: ScopeKind,
    parameters: BTreeSet<&'a str>,
    /// The names that are bound in it.
    names: ScopeNames<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScopeKind {
    Module,
    Class,
    Function {
        is_async: bool,
    },
    Lambda,
    /// Of a list, a set or a dictionary.
    Comprehension {
        is_async: bool,
    },
    Generator,
}

struct CompilerChecks<'a> {
    checker: SemanticSyntaxChecker,
    errors: RefCell<Vec<SemanticSyntaxError>>,
    source: &'a str,
    python: PythonVersion,
    has_lazy_annotations: bool,
    /// The innermost last; the first is the module.
    scopes: Vec<Scope<'a>>,
    /// For each scope of a body, whether the current statement is in a loop.
    loops: Vec<bool>,
    is_in_try: bool,
}

/// The names that the statements of a scope bind or declare, without those of the scopes within it.
#[derive(Default)]
struct ScopeNames<'a> {
    bound: BTreeSet<&'a str>,
    globals: BTreeMap<&'a str, TextRange>,
    nonlocals: BTreeSet<&'a str>,
}

impl<'a> Scope<'a> {
    fn of_body(kind: ScopeKind, body: &'a [Stmt]) -> Self {
        let mut names = ScopeNames::default();
        names.visit_body(body);
        Self { kind, parameters: BTreeSet::new(), names }
    }

    fn of_expression(kind: ScopeKind) -> Self {
        Self { kind, parameters: BTreeSet::new(), names: ScopeNames::default() }
    }

    fn with_parameters(mut self, parameters: &'a ast::Parameters) -> Self {
        self.parameters = parameters.iter().map(|parameter| parameter.name().as_str()).collect();
        self
    }
}

impl<'a> ScopeNames<'a> {
    fn bind(&mut self, name: &'a str) {
        self.bound.insert(name);
    }
}

impl<'a> Visitor<'a> for ScopeNames<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                self.bind(function.name.as_str());
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                self.visit_parameters(&function.parameters);
            }
            Stmt::ClassDef(class) => {
                self.bind(class.name.as_str());
                class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                class.arguments.iter().for_each(|arguments| self.visit_arguments(arguments));
            }
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    self.bind(name.split('.').next().unwrap_or(name));
                }
            }
            Stmt::ImportFrom(import) => {
                import.names.iter().for_each(|alias| self.bind(alias.asname.as_ref().unwrap_or(&alias.name).as_str()));
            }
            Stmt::Global(global) => {
                for name in &global.names {
                    self.globals.entry(name.as_str()).or_insert(name.range);
                }
            }
            Stmt::Nonlocal(nonlocal) => self.nonlocals.extend(nonlocal.names.iter().map(|name| name.as_str())),
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if name.ctx != ExprContext::Load => self.bind(name.id.as_str()),
            Expr::Lambda(lambda) => {
                lambda.parameters.iter().for_each(|parameters| self.visit_parameters(parameters));
            }
            _ => visitor::walk_expr(self, expression),
        }
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        // The targets belong to the comprehension.
        self.visit_expr(&comprehension.iter);
        comprehension.ifs.iter().for_each(|condition| self.visit_expr(condition));
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(except) = handler;
        if let Some(name) = &except.name {
            self.bind(name.as_str());
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        captured_name(pattern).into_iter().for_each(|name| self.bind(name.as_str()));
        visitor::walk_pattern(self, pattern);
    }
}

impl<'a> CompilerChecks<'a> {
    fn within(&mut self, scope: Scope<'a>, visit: impl FnOnce(&mut Self)) {
        let was_in_try = std::mem::take(&mut self.is_in_try);
        self.scopes.push(scope);
        self.loops.push(false);
        visit(self);
        self.loops.pop();
        self.scopes.pop();
        self.is_in_try = was_in_try;
    }

    fn in_loop(&mut self, body: &'a [Stmt]) {
        let outer = self.loops.last().copied().unwrap_or_default();
        self.set_loop(true);
        self.visit_body(body);
        self.set_loop(outer);
    }

    fn set_loop(&mut self, is_in_loop: bool) {
        if let Some(innermost) = self.loops.last_mut() {
            *innermost = is_in_loop;
        }
    }

    /// Visits a comprehension: the first iterable is evaluated outside of it.
    fn comprehension(&mut self, kind: ScopeKind, elements: &[&'a Expr], generators: &'a [ast::Comprehension]) {
        let Some((first, others)) = generators.split_first() else { return };
        self.visit_expr(&first.iter);
        self.within(Scope::of_expression(kind), |checks| {
            checks.visit_expr(&first.target);
            first.ifs.iter().for_each(|condition| checks.visit_expr(condition));
            others.iter().for_each(|generator| checks.visit_comprehension(generator));
            elements.iter().for_each(|element| checks.visit_expr(element));
        });
    }

    fn kinds(&self) -> impl Iterator<Item = ScopeKind> {
        self.scopes.iter().rev().map(|scope| scope.kind)
    }
}

impl SemanticSyntaxContext for CompilerChecks<'_> {
    fn future_annotations_or_stub(&self) -> bool {
        self.has_lazy_annotations
    }

    fn lazy_import_context(&self) -> Option<LazyImportContext> {
        match self.kinds().next() {
            Some(ScopeKind::Function { .. } | ScopeKind::Lambda) => Some(LazyImportContext::Function),
            Some(ScopeKind::Class) => Some(LazyImportContext::Class),
            _ => self.is_in_try.then_some(LazyImportContext::TryExceptBlocks),
        }
    }

    fn python_version(&self) -> PythonVersion {
        self.python
    }

    fn source(&self) -> &str {
        self.source
    }

    fn global(&self, name: &str) -> Option<TextRange> {
        self.scopes.last()?.names.globals.get(name).copied()
    }

    fn has_nonlocal_binding(&self, name: &str) -> bool {
        let mut outer = self.scopes.iter().rev().skip(1);
        outer.any(|scope| match scope.kind {
            // A method can declare the cell of its class nonlocal.
            ScopeKind::Class => name == "__class__",
            ScopeKind::Function { .. } | ScopeKind::Lambda => {
                let names = &scope.names;
                let is_bound = names.bound.contains(name) || names.nonlocals.contains(name);
                scope.parameters.contains(name) || (is_bound && !names.globals.contains_key(name))
            }
            ScopeKind::Module | ScopeKind::Comprehension { .. } | ScopeKind::Generator => false,
        })
    }

    fn in_async_context(&self) -> bool {
        let decided = self.kinds().find_map(|kind| match kind {
            ScopeKind::Class | ScopeKind::Lambda => Some(false),
            ScopeKind::Function { is_async } => Some(is_async),
            ScopeKind::Module | ScopeKind::Comprehension { .. } | ScopeKind::Generator => None,
        });
        decided.unwrap_or(false)
    }

    fn in_await_allowed_context(&self) -> bool {
        let decided = self.kinds().find_map(|kind| match kind {
            ScopeKind::Class => Some(false),
            ScopeKind::Function { .. } | ScopeKind::Lambda | ScopeKind::Generator => Some(true),
            ScopeKind::Module | ScopeKind::Comprehension { .. } => None,
        });
        decided.unwrap_or(false)
    }

    fn in_yield_allowed_context(&self) -> bool {
        matches!(self.kinds().next(), Some(ScopeKind::Function { .. } | ScopeKind::Lambda))
    }

    fn in_sync_comprehension(&self) -> bool {
        self.kinds().any(|kind| kind == ScopeKind::Comprehension { is_async: false })
    }

    fn in_class_body_comprehension(&self) -> bool {
        let outer = self.kinds().find(|kind| !matches!(kind, ScopeKind::Comprehension { .. } | ScopeKind::Generator));
        outer == Some(ScopeKind::Class)
    }

    fn in_module_scope(&self) -> bool {
        self.scopes.len() == 1
    }

    fn in_function_scope(&self) -> bool {
        matches!(self.kinds().next(), Some(ScopeKind::Function { .. } | ScopeKind::Lambda))
    }

    fn in_generator_context(&self) -> bool {
        self.kinds().any(|kind| kind == ScopeKind::Generator)
    }

    fn in_notebook(&self) -> bool {
        false
    }

    fn report_semantic_error(&self, error: SemanticSyntaxError) {
        self.errors.borrow_mut().push(error);
    }

    fn in_loop_context(&self) -> bool {
        self.loops.last().copied().unwrap_or_default()
    }

    fn is_bound_parameter(&self, name: &str) -> bool {
        let innermost =
            self.scopes.iter().rev().find(|scope| matches!(scope.kind, ScopeKind::Class | ScopeKind::Function { .. }));
        innermost.is_some_and(|scope| scope.parameters.contains(name))
    }
}

impl<'a> Visitor<'a> for CompilerChecks<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let mut checker = std::mem::take(&mut self.checker);
        checker.visit_stmt(statement, self);
        self.checker = checker;
        match statement {
            Stmt::FunctionDef(function) => {
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                // The checker itself visits annotations that are evaluated lazily.
                if self.has_lazy_annotations || self.python >= PythonVersion::PY314 {
                    let defaults = function.parameters.iter().filter_map(|parameter| parameter.default());
                    defaults.for_each(|default| self.visit_expr(default));
                } else {
                    self.visit_parameters(&function.parameters);
                    function.returns.iter().for_each(|returned| self.visit_annotation(returned));
                }
                let scope = Scope::of_body(ScopeKind::Function { is_async: function.is_async }, &function.body);
                self.within(scope.with_parameters(&function.parameters), |checks| checks.visit_body(&function.body));
            }
            Stmt::ClassDef(class) => {
                class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                class.arguments.iter().for_each(|arguments| self.visit_arguments(arguments));
                self.within(Scope::of_body(ScopeKind::Class, &class.body), |checks| checks.visit_body(&class.body));
            }
            Stmt::For(repeated) => {
                self.visit_expr(&repeated.iter);
                self.visit_expr(&repeated.target);
                self.in_loop(&repeated.body);
                self.visit_body(&repeated.orelse);
            }
            Stmt::While(repeated) => {
                self.visit_expr(&repeated.test);
                self.in_loop(&repeated.body);
                self.visit_body(&repeated.orelse);
            }
            Stmt::Try(_) => {
                let was_in_try = std::mem::replace(&mut self.is_in_try, true);
                visitor::walk_stmt(self, statement);
                self.is_in_try = was_in_try;
            }
            // Its value and its parameters are scopes of their own, which the checker visits.
            Stmt::TypeAlias(_) => {}
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        let mut checker = std::mem::take(&mut self.checker);
        checker.visit_expr(expression, self);
        self.checker = checker;
        match expression {
            Expr::Lambda(lambda) => {
                let mut scope = Scope::of_expression(ScopeKind::Lambda);
                if let Some(parameters) = &lambda.parameters {
                    self.visit_parameters(parameters);
                    scope = scope.with_parameters(parameters);
                }
                self.within(scope, |checks| checks.visit_expr(&lambda.body));
            }
            Expr::ListComp(ast::ExprListComp { elt, generators, .. })
            | Expr::SetComp(ast::ExprSetComp { elt, generators, .. }) => {
                self.comprehension(comprehension(generators), &[elt], generators);
            }
            Expr::DictComp(ast::ExprDictComp { key, value, generators, .. }) => {
                let elements: Vec<&Expr> = key.iter().map(|key| &**key).chain([&**value]).collect();
                self.comprehension(comprehension(generators), &elements, generators);
            }
            Expr::Generator(ast::ExprGenerator { elt, generators, .. }) => {
                self.comprehension(ScopeKind::Generator, &[elt], generators);
            }
            _ => visitor::walk_expr(self, expression),
        }
    }
}

fn comprehension(generators: &[ast::Comprehension]) -> ScopeKind {
    ScopeKind::Comprehension { is_async: generators.iter().any(|generator| generator.is_async) }
}
