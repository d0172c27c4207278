//! The names that a Python module defines at its top level, as far as its source shows.
//!
//! Specification: [The Python Language Reference, naming and binding](https://docs.python.org/3/reference/executionmodel.html#binding-of-names).

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};

use crate::platform::PythonVersion;
use crate::syntax::{self, PythonSyntaxError};

/// The names that a module defines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ModuleNames {
    names: BTreeMap<String, Binding>,
    /// Names that are bound by `from . import` alone. In the `__init__.py` of the package itself, they are submodules.
    siblings: BTreeSet<String>,
    /// Names that functions bind by `global`, at any time.
    globals: BTreeSet<String>,
    /// The number of statements around the current one that may not execute it: `if`, `try`, loops and `match`.
    conditions: usize,
    /// Why there may be more names than these.
    pub(super) incomplete: Option<IncompleteNames>,
}

/// What a name was last bound to; [`Binding::Object`] if branches bind it to different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Binding {
    /// An `async def` without a decorator, which returns a coroutine.
    Coroutine,
    /// A function without a decorator that cannot be called with two positional arguments.
    OtherParameters,
    /// A class that is called as classes are, if its bases are: without decorators, a metaclass and `__new__`.
    Class {
        /// Dotted names, without their parameters.
        bases: Vec<Vec<String>>,
    },
    /// By `import`, to the module with this dotted name.
    Module(String),
    /// By `from MODULE import`.
    Imported(ImportedName),
    /// By an assignment of a dotted name: `handler = other.main`. There is at least one component.
    Alias(Vec<String>),
    /// By an assignment of what a call of this dotted name returns: `app = FastAPI()`. There is at least one component.
    Call(Vec<String>),
    /// By an assignment of a literal, of this kind.
    Literal(&'static str),
    Object,
}

/// A name that is imported from a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImportedName {
    /// The number of dots before the module's name.
    pub(super) level: u32,
    /// The module's dotted name; empty for the package itself.
    pub(super) module: String,
    pub(super) name: String,
}

/// Why a module may define names that its source does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IncompleteNames {
    /// `from MODULE import *`.
    StarImport(String),
    /// A function `__getattr__` at the top level (PEP 562).
    GetAttr,
    /// A call of `globals`, `vars`, `exec` or `setattr`.
    Dynamic,
    /// The source is nested too deeply to be visited.
    TooDeep,
}

impl ModuleNames {
    /// Parses a module for a version of Python.
    pub(super) fn read(source: &[u8], python: PythonVersion) -> Result<Self, PythonSyntaxError> {
        Ok(syntax::parse(source, python, |_, body| Self::of(body))?.unwrap_or_else(Self::unknown))
    }

    /// Returns the names of a module that was not parsed.
    pub(super) fn unknown() -> Self {
        Self { incomplete: Some(IncompleteNames::TooDeep), ..Self::default() }
    }

    pub(super) fn of(body: &[Stmt]) -> Self {
        let mut names = Self::default();
        names.visit_body(body);
        for name in std::mem::take(&mut names.globals) {
            names.names.insert(name, Binding::Object);
        }
        names
    }

    pub(super) fn get(&self, name: &str) -> Option<&Binding> {
        self.names.get(name)
    }

    /// Returns the names in alphabetical order, with what they were last bound to.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.names.iter().map(|(name, binding)| (name.as_str(), binding))
    }

    /// Returns whether a name is bound by `from . import` alone.
    pub(super) fn is_sibling(&self, name: &str) -> bool {
        self.siblings.contains(name)
    }

    fn bind(&mut self, name: &str, binding: Binding) {
        self.siblings.remove(name);
        let is_undecided = self.conditions > 0 && self.names.get(name).is_some_and(|before| *before != binding);
        self.names.insert(name.to_owned(), if is_undecided { Binding::Object } else { binding });
    }

    /// Binds a name to the value that is assigned to it.
    fn assign(&mut self, name: &str, value: &Expr) {
        let binding = match value {
            Expr::Lambda(function) => {
                let parameters = function.parameters.as_deref();
                let is_callable = parameters.is_some_and(takes_two);
                if is_callable { Binding::Object } else { Binding::OtherParameters }
            }
            Expr::Name(_) | Expr::Attribute(_) => dotted(value).map_or(Binding::Object, Binding::Alias),
            Expr::Call(call) => dotted(&call.func).map_or(Binding::Object, Binding::Call),
            _ => literal(value).map_or(Binding::Object, Binding::Literal),
        };
        self.bind(name, binding);
    }

    /// Visits a statement whose parts may not be executed.
    fn visit_conditional(&mut self, visit: impl FnOnce(&mut Self)) {
        self.conditions += 1;
        visit(self);
        self.conditions -= 1;
    }

    fn import(&mut self, import: &ast::StmtImportFrom) {
        for alias in &import.names {
            if alias.name.as_str() == "*" {
                let dots = ".".repeat(import.level as usize);
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                self.incomplete = Some(IncompleteNames::StarImport(format!("{dots}{module}")));
            } else {
                let name = alias.asname.as_ref().unwrap_or(&alias.name);
                let is_new = !self.names.contains_key(name.as_str());
                let (level, module) = (import.level, import.module.as_ref().map(ToString::to_string));
                let imported = ImportedName { level, module: module.unwrap_or_default(), name: alias.name.to_string() };
                self.bind(name, Binding::Imported(imported));
                if is_new && alias.asname.is_none() && import.level == 1 && import.module.is_none() {
                    self.siblings.insert(name.to_string());
                }
            }
        }
    }

    fn function(&mut self, function: &ast::StmtFunctionDef) {
        let binding = match (function.decorator_list.is_empty(), function.is_async) {
            (true, true) => Binding::Coroutine,
            (true, false) if !takes_two(&function.parameters) => Binding::OtherParameters,
            _ => Binding::Object,
        };
        self.bind(&function.name, binding);
        if function.name.as_str() == "__getattr__" {
            self.incomplete = Some(IncompleteNames::GetAttr);
        }
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        // Names in a function are local, except for those that it declares global.
        GlobalStatements(self).visit_body(&function.body);
    }
}

/// Visits what runs when the module is imported, in order.
impl<'a> Visitor<'a> for ModuleNames {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => {
                let bases = plain_bases(class);
                self.bind(&class.name, bases.map_or(Binding::Object, |bases| Binding::Class { bases }));
                GlobalStatements(self).visit_body(&class.body);
            }
            Stmt::ImportFrom(import) => self.import(import),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let top = alias.name.as_str().split('.').next().unwrap_or_default();
                    match &alias.asname {
                        Some(name) => self.bind(name, Binding::Module(alias.name.to_string())),
                        None => self.bind(top, Binding::Module(top.to_owned())),
                    }
                }
            }
            Stmt::Assign(assignment) => {
                self.visit_expr(&assignment.value);
                for target in &assignment.targets {
                    match target {
                        Expr::Name(name) => self.assign(&name.id, &assignment.value),
                        _ => self.visit_expr(target),
                    }
                }
            }
            Stmt::AnnAssign(assignment) => {
                // An annotation without a value binds nothing.
                if let Some(value) = &assignment.value {
                    self.visit_expr(value);
                    match &*assignment.target {
                        Expr::Name(name) => self.assign(&name.id, value),
                        target => self.visit_expr(target),
                    }
                }
            }
            Stmt::If(branches) => {
                self.visit_expr(&branches.test);
                self.visit_conditional(|names| {
                    if !never_runs(&branches.test) {
                        names.visit_body(&branches.body);
                    }
                    branches.elif_else_clauses.iter().for_each(|clause| names.visit_elif_else_clause(clause));
                });
            }
            Stmt::Try(_) | Stmt::For(_) | Stmt::While(_) | Stmt::Match(_) => {
                self.visit_conditional(|names| visitor::walk_stmt(names, statement));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => match name.ctx {
                ExprContext::Store => self.bind(&name.id, Binding::Object),
                ExprContext::Del => {
                    self.names.remove(name.id.as_str());
                }
                ExprContext::Load | ExprContext::Invalid => {}
            },
            Expr::Lambda(_) => {}
            Expr::Call(call) => {
                let function = call.func.as_name_expr().map(|function| function.id.as_str());
                if matches!(function, Some("globals" | "vars" | "exec" | "setattr")) {
                    self.incomplete = Some(IncompleteNames::Dynamic);
                }
                visitor::walk_expr(self, expression);
            }
            _ => visitor::walk_expr(self, expression),
        }
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        // The targets of a comprehension are local to it.
        self.visit_expr(&comprehension.iter);
        for condition in &comprehension.ifs {
            self.visit_expr(condition);
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        // The name after `as` is deleted at the end of the handler.
        let ast::ExceptHandler::ExceptHandler(handler) = handler;
        self.visit_body(&handler.body);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        if let Some(name) = syntax::captured_name(pattern) {
            self.bind(name, Binding::Object);
        }
        visitor::walk_pattern(self, pattern);
    }
}

/// Visits functions and classes at any depth for the names that they declare global.
struct GlobalStatements<'a>(&'a mut ModuleNames);

impl<'a> Visitor<'a> for GlobalStatements<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Global(global) = statement {
            self.0.globals.extend(global.names.iter().map(ToString::to_string));
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// Returns the bases of a class; `None` if something besides them decides what a call returns.
fn plain_bases(class: &ast::StmtClassDef) -> Option<Vec<Vec<String>>> {
    let has_new = class.body.iter().any(|statement| match statement {
        Stmt::FunctionDef(function) => function.name.as_str() == "__new__",
        _ => false,
    });
    let arguments = class.arguments.as_deref();
    if has_new || !class.decorator_list.is_empty() || arguments.is_some_and(|arguments| !arguments.keywords.is_empty())
    {
        return None;
    }
    let bases = arguments.into_iter().flat_map(|arguments| &arguments.args);
    bases.map(|base| dotted(base.as_subscript_expr().map_or(base, |generic| &generic.value))).collect()
}

/// Returns whether a function can be called with two positional arguments.
fn takes_two(parameters: &ast::Parameters) -> bool {
    let positional = || parameters.posonlyargs.iter().chain(&parameters.args);
    let required = positional().filter(|parameter| parameter.default.is_none()).count();
    let is_open = parameters.vararg.is_some() || positional().count() >= 2;
    required <= 2 && is_open && parameters.kwonlyargs.iter().all(|parameter| parameter.default.is_some())
}

/// Returns the components of a dotted name.
fn dotted(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Name(name) => Some(vec![name.id.to_string()]),
        Expr::Attribute(attribute) => {
            let mut components = dotted(&attribute.value)?;
            components.push(attribute.attr.to_string());
            Some(components)
        }
        _ => None,
    }
}

/// Returns what a literal is, with its article; `None` for what may be anything.
fn literal(value: &Expr) -> Option<&'static str> {
    Some(match value {
        Expr::NumberLiteral(_) => "a number",
        Expr::StringLiteral(_) | Expr::FString(_) => "a string",
        Expr::BytesLiteral(_) => "a bytes object",
        Expr::BooleanLiteral(_) => "a boolean",
        Expr::NoneLiteral(_) => "`None`",
        Expr::EllipsisLiteral(_) => "an ellipsis",
        Expr::List(_) | Expr::ListComp(_) => "a list",
        Expr::Tuple(_) => "a tuple",
        Expr::Set(_) | Expr::SetComp(_) => "a set",
        Expr::Dict(_) | Expr::DictComp(_) => "a dictionary",
        _ => return None,
    })
}

/// Returns whether a condition is false in a module that is imported: `TYPE_CHECKING`, or `__name__ == "__main__"`.
pub(super) fn never_runs(condition: &Expr) -> bool {
    match condition {
        Expr::Name(name) => name.id.as_str() == "TYPE_CHECKING",
        Expr::Attribute(attribute) => attribute.attr.as_str() == "TYPE_CHECKING",
        Expr::Compare(_) => syntax::is_main_guard(condition),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
