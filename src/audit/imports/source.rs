//! The imports of a module of the application, and under which conditions they are executed.

use std::collections::BTreeSet;
use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};

use super::condition::{self, text};
use crate::audit::handler::is_identifier;
use crate::audit::literal_path::{Constants, LiteralPath, PathEvaluator};
use crate::audit::names::ModuleNames;
use crate::platform::PythonVersion;
use crate::syntax::{self, PythonSyntaxError, last_name};

/// The longest string that may be the name of a module, in bytes.
const LONGEST_NAME: usize = 200;

/// What the source of a module says about other modules.
#[derive(Debug, Default)]
pub(super) struct ModuleSource {
    /// In the order of the source.
    pub(super) imports: Vec<Import>,
    pub(super) names: ModuleNames,
    /// Strings that may be names of modules.
    pub(super) mentions: BTreeSet<String>,
    /// Those of them in lists and tuples, which may name packages whose modules a framework discovers, as Django does
    /// with `INSTALLED_APPS`.
    pub(super) mentions_in_lists: BTreeSet<String>,
    /// The packages whose modules it imports by a computed name: `import_module(f"plugins.{name}")`. Empty for its own
    /// package, which is meant if nothing else is known: `import_module(f"{__name__}.{name}")`.
    pub(super) computed_imports: BTreeSet<String>,
    /// Attributes that it sets on other objects, which may be modules.
    pub(super) set_attributes: BTreeSet<String>,
    /// Names with an attribute that is read whenever the module is imported: `queue` and `Queue` of `queue.Queue`.
    pub(super) attributes: BTreeSet<(String, String)>,
    /// The directories that it adds to `sys.path`.
    pub(super) search_directories: Vec<LiteralPath>,
    /// Whether it adds a directory to `sys.path` that only running it tells.
    pub(super) searches_elsewhere: bool,
}

/// An import of one module, or of one name from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// From 1.
    pub(super) line: usize,
    /// The number of dots before the module's name.
    pub(super) level: u32,
    /// The module's dotted name; empty for the package itself.
    pub(super) module: String,
    /// The name or submodule that is imported from the module.
    pub(super) name: Option<String>,
    pub(super) when: ImportCondition,
    /// Ranges of positions in [`ModuleSource::imports`]. This import is executed only if one import of each range fails.
    pub(super) fallback_for: Vec<Range<usize>>,
}

/// When an import is executed, and whether it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ImportCondition {
    /// Whenever the module is imported.
    Always,
    /// Under a condition, or when a function is called.
    Conditional,
    /// The module handles its failure.
    Guarded,
}

impl ModuleSource {
    /// Parses a module for a version of Python.
    pub(super) fn read(source: &[u8], python: PythonVersion) -> Result<Self, PythonSyntaxError> {
        let source = syntax::parse(source, python, |text, body| Self::collect(text, body, python))?;
        Ok(source.unwrap_or_else(Self::unknown))
    }

    fn collect(text: &str, body: &[Stmt], python: PythonVersion) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        let source = Self { names: ModuleNames::of(body), ..Self::default() };
        let constants = Constants::new();
        let mut collector = ImportCollector {
            source,
            newlines,
            python,
            when: ImportCondition::Always,
            fallback_for: Vec::new(),
            paths: PathEvaluator::of_module(0, "", body, &constants),
            lazy: Vec::new(),
            lazy_modules: lazy_modules(body, python),
            used: BTreeSet::new(),
        };
        collector.visit_body(body);
        for (at, name) in &collector.lazy {
            if !collector.used.contains(name) {
                let import = &mut collector.source.imports[*at];
                import.when = import.when.max(ImportCondition::Conditional);
            }
        }
        collector.source
    }

    /// Returns the source of a module that was not parsed.
    pub(super) fn unknown() -> Self {
        Self { names: ModuleNames::unknown(), ..Self::default() }
    }
}

/// Visits the statements of a module and keeps track of the condition under which each is executed.
struct ImportCollector<'a> {
    source: ModuleSource,
    /// The offsets of line breaks.
    newlines: Vec<usize>,
    python: PythonVersion,
    when: ImportCondition,
    fallback_for: Vec<Range<usize>>,
    paths: PathEvaluator<'a>,
    /// The positions of lazy imports, and the names that they bind: the module is imported when the name is used first
    /// ([PEP 810](https://peps.python.org/pep-0810/)).
    lazy: Vec<(usize, String)>,
    /// The modules whose imports are lazy without the keyword.
    lazy_modules: BTreeSet<&'a str>,
    /// The names that are used whenever the module is imported.
    used: BTreeSet<String>,
}

impl ImportCollector<'_> {
    /// Notes that the last import is lazy.
    fn note_lazy(&mut self, is_lazy: bool, bound: &str) {
        let module = self.source.imports.last().map_or("", |import| &import.module);
        if (is_lazy || self.lazy_modules.contains(module)) && self.when == ImportCondition::Always {
            self.lazy.push((self.source.imports.len() - 1, bound.to_owned()));
        }
    }

    fn within(&mut self, when: ImportCondition, visit: impl FnOnce(&mut Self)) {
        let outer = self.when;
        self.when = outer.max(when);
        visit(self);
        self.when = outer;
    }

    fn add_import(&mut self, offset: usize, level: u32, module: &str, name: Option<&str>) {
        self.source.imports.push(Import {
            line: self.newlines.partition_point(|newline| *newline < offset) + 1,
            level,
            module: module.to_owned(),
            name: name.map(str::to_owned),
            when: self.when,
            fallback_for: self.fallback_for.clone(),
        });
    }

    /// Visits the branches of an `if` that may be executed on the target.
    fn visit_branches(&mut self, branches: &ast::StmtIf) {
        let first = (Some(&*branches.test), &branches.body[..]);
        let others = branches.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), &clause.body[..]));
        let mut is_open = false;
        for (test, body) in std::iter::once(first).chain(others) {
            let holds = test.map_or(Some(true), |test| condition::evaluate(test, self.python));
            if let Some(test) = test {
                self.visit_expr(test);
            }
            if holds == Some(false) {
                continue;
            }
            let is_certain = holds == Some(true) && !is_open;
            let when = match (is_certain, test.is_some_and(checks_for_module)) {
                (true, _) => ImportCondition::Always,
                (false, false) => ImportCondition::Conditional,
                (false, true) => ImportCondition::Guarded,
            };
            self.within(when, |collector| collector.visit_body(body));
            if holds == Some(true) {
                break;
            }
            is_open = true;
        }
    }

    /// Visits a `try`, whose handlers may catch failing imports.
    fn visit_try(&mut self, attempt: &ast::StmtTry) {
        let is_guarded = attempt.handlers.iter().any(handles_import_errors);
        let when = if is_guarded { ImportCondition::Guarded } else { ImportCondition::Always };
        let from = self.source.imports.len();
        self.within(when, |collector| collector.visit_body(&attempt.body));
        let guarded = from..self.source.imports.len();
        for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            if let Some(kind) = &handler.type_ {
                self.visit_expr(kind);
            }
            if catches_import_errors(handler) && is_guarded && !guarded.is_empty() {
                self.fallback_for.push(guarded.clone());
                self.visit_body(&handler.body);
                self.fallback_for.pop();
            } else {
                self.within(ImportCondition::Conditional, |collector| collector.visit_body(&handler.body));
            }
        }
        self.within(when, |collector| collector.visit_body(&attempt.orelse));
        self.visit_body(&attempt.finalbody);
    }

    /// Adds the import of `importlib.import_module("NAME")` and `__import__("NAME")`.
    fn add_import_call(&mut self, call: &ast::ExprCall) {
        let function = last_name(&call.func).unwrap_or_default();
        let arguments = &call.arguments.args;
        if !matches!(function, "import_module" | "__import__") || (function == "__import__" && arguments.len() > 4) {
            return;
        }
        let Some(module) = arguments.first().and_then(text) else {
            let package = arguments.first().and_then(package_of_computed_name);
            self.source.computed_imports.insert(package.unwrap_or_default());
            return;
        };
        let name = module.trim_start_matches('.');
        let level = u32::try_from(module.len() - name.len()).unwrap_or(u32::MAX);
        let package = arguments.get(1).or_else(|| Some(&call.arguments.find_keyword("package")?.value));
        let is_known = level == 0 || package.and_then(last_name) == Some("__package__");
        if is_known && is_dotted(name) {
            self.add_import(call.arguments.range.start().to_usize(), level, name, None);
        }
    }

    /// Adds the directories that `sys.path.append`, `insert` and `extend`, and `site.addsitedir` add to the search path.
    fn add_search_directories(&mut self, call: &ast::ExprCall) {
        let arguments = &call.arguments.args;
        let added = match self.paths.function(&call.func).as_deref() {
            Some("sys.path.append" | "site.addsitedir") => arguments.first(),
            Some("sys.path.insert") => arguments.get(1),
            Some("sys.path.extend") => {
                return arguments.first().into_iter().for_each(|added| self.add_all_search_directories(added));
            }
            _ => return,
        };
        added.into_iter().for_each(|added| self.add_search_directory(added));
    }

    fn add_all_search_directories(&mut self, added: &Expr) {
        match added {
            Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
                elts.iter().for_each(|added| self.add_search_directory(added));
            }
            _ => self.source.searches_elsewhere = true,
        }
    }

    fn add_search_directory(&mut self, directory: &Expr) {
        match self.paths.path(directory) {
            Some(path) => self.source.search_directories.push(path),
            None => self.source.searches_elsewhere = true,
        }
    }

    fn add_mention(&mut self, value: &str, is_in_list: bool) {
        let module = value.split(':').next().unwrap_or_default();
        if value.len() <= LONGEST_NAME && is_dotted(module) {
            self.source.mentions.insert(module.to_owned());
            if is_in_list {
                self.source.mentions_in_lists.insert(module.to_owned());
            }
        }
    }
}

impl<'a> Visitor<'a> for ImportCollector<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.add_import(alias.range.start().to_usize(), 0, &alias.name, None);
                    let top = alias.name.split('.').next().unwrap_or_default();
                    self.note_lazy(import.is_lazy, alias.asname.as_ref().map_or(top, |name| name.as_str()));
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                for alias in &import.names {
                    let name = Some(alias.name.as_str()).filter(|name| *name != "*");
                    self.add_import(import.range.start().to_usize(), import.level, module, name);
                    self.note_lazy(import.is_lazy, alias.asname.as_ref().unwrap_or(&alias.name).as_str());
                }
            }
            Stmt::FunctionDef(function) => {
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                self.visit_parameters(&function.parameters);
                self.within(ImportCondition::Conditional, |collector| collector.visit_body(&function.body));
            }
            Stmt::AugAssign(assignment) if self.paths.function(&assignment.target).as_deref() == Some("sys.path") => {
                self.add_all_search_directories(&assignment.value);
            }
            Stmt::If(branches) => self.visit_branches(branches),
            Stmt::While(_) | Stmt::For(_) | Stmt::Match(_) => {
                self.within(ImportCondition::Conditional, |collector| visitor::walk_stmt(collector, statement));
            }
            Stmt::Try(attempt) => self.visit_try(attempt),
            Stmt::With(with) => {
                with.items.iter().for_each(|item| self.visit_with_item(item));
                let is_guarded = with.items.iter().any(|item| suppresses(&item.context_expr));
                let when = if is_guarded { ImportCondition::Guarded } else { ImportCondition::Always };
                self.within(when, |collector| collector.visit_body(&with.body));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    /// Annotations are evaluated when they are asked for since Python 3.14 ([PEP 649](https://peps.python.org/pep-0649/)).
    fn visit_annotation(&mut self, annotation: &'a Expr) {
        if self.python.minor >= 14 {
            self.within(ImportCondition::Conditional, |collector| collector.visit_expr(annotation));
        } else {
            self.visit_expr(annotation);
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::StringLiteral(literal) => self.add_mention(literal.value.to_str(), false),
            Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
                elts.iter().filter_map(text).for_each(|value| self.add_mention(value, true));
            }
            Expr::Attribute(attribute) if attribute.ctx == ExprContext::Store => {
                self.source.set_attributes.insert(attribute.attr.to_string());
            }
            Expr::Name(name) if self.when == ImportCondition::Always && name.ctx == ExprContext::Load => {
                self.used.insert(name.id.to_string());
            }
            Expr::Attribute(attribute) if self.when == ImportCondition::Always => {
                if let Expr::Name(name) = &*attribute.value {
                    self.source.attributes.insert((name.id.to_string(), attribute.attr.to_string()));
                }
            }
            Expr::Call(call) => {
                self.add_import_call(call);
                self.add_search_directories(call);
            }
            Expr::Lambda(_) => {
                return self
                    .within(ImportCondition::Conditional, |collector| visitor::walk_expr(collector, expression));
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

/// Returns the modules that `__lazy_modules__` lists (PEP 810), which older versions of Python do not know.
fn lazy_modules(body: &[Stmt], python: PythonVersion) -> BTreeSet<&str> {
    let assignments = body.iter().filter_map(Stmt::as_assign_stmt).filter(|assignment| {
        python.minor >= 15 && assignment.targets.iter().any(|target| last_name(target) == Some("__lazy_modules__"))
    });
    let listed = assignments.flat_map(|assignment| match &*assignment.value {
        Expr::List(ast::ExprList { elts, .. })
        | Expr::Tuple(ast::ExprTuple { elts, .. })
        | Expr::Set(ast::ExprSet { elts, .. }) => elts.iter().filter_map(text).collect(),
        _ => Vec::new(),
    });
    listed.collect()
}

/// Returns the package that a computed name of a module begins with: `f"plugins.{name}"`, `"plugins." + name` or
/// `"plugins.%s" % name`.
fn package_of_computed_name(name: &Expr) -> Option<String> {
    let beginning = match name {
        Expr::FString(name) => name.value.elements().next()?.as_literal()?.value.to_string(),
        Expr::BinOp(operation) => text(&operation.left)?.to_owned(),
        Expr::Call(call) => text(&call.func.as_attribute_expr()?.value)?.to_owned(),
        _ => return None,
    };
    let (package, _) = beginning.rsplit_once('.')?;
    is_dotted(package).then(|| package.to_owned())
}

/// Returns whether an `except` handles a failing import, rather than raising again.
fn handles_import_errors(handler: &ast::ExceptHandler) -> bool {
    let ast::ExceptHandler::ExceptHandler(handler) = handler;
    catches_import_errors(handler) && !handler.body.last().is_some_and(Stmt::is_raise_stmt)
}

fn catches_import_errors(handler: &ast::ExceptHandlerExceptHandler) -> bool {
    handler.type_.as_deref().is_none_or(is_import_error)
}

/// Returns whether one of these exceptions is a base class of what a failing import raises.
fn is_import_error(kind: &Expr) -> bool {
    match kind {
        Expr::Tuple(kinds) => kinds.elts.iter().any(is_import_error),
        _ => last_name(kind)
            .is_some_and(|name| matches!(name, "ImportError" | "ModuleNotFoundError" | "Exception" | "BaseException")),
    }
}

/// Returns whether a context manager is `contextlib.suppress(ImportError)`.
fn suppresses(context: &Expr) -> bool {
    let call = context.as_call_expr().filter(|call| last_name(&call.func) == Some("suppress"));
    call.is_some_and(|call| call.arguments.args.iter().any(is_import_error))
}

/// Returns whether a condition checks that a module exists, with `importlib.util.find_spec`.
fn checks_for_module(condition: &Expr) -> bool {
    struct FindSpecVisitor(bool);
    impl<'a> Visitor<'a> for FindSpecVisitor {
        fn visit_expr(&mut self, expression: &'a Expr) {
            self.0 |= last_name(expression) == Some("find_spec");
            visitor::walk_expr(self, expression);
        }
    }
    let mut visitor = FindSpecVisitor(false);
    visitor.visit_expr(condition);
    visitor.0
}

/// Returns whether a string consists of identifiers separated by dots.
pub(super) fn is_dotted(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

#[cfg(test)]
mod tests;
