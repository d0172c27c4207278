//! The literal paths that a module of the application reads, checks and writes.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;

use super::exceptions::{self, HandledExceptions};
use super::functions::{self, PathEffect};
use super::main_guard;
use crate::audit::imports::condition::{self, text};
use crate::audit::literal_path::{LiteralPath, LiteralValue, PathEvaluator, PathStart};
use crate::platform::PythonVersion;
use crate::syntax::last_name;

/// What a module does with literal paths.
#[derive(Debug, Default)]
pub(super) struct ModulePaths {
    /// In the order of the source.
    pub(super) uses: Vec<PathUse>,
    pub(super) templates: Vec<TemplateUse>,
    pub(super) template_directories: Vec<LiteralPath>,
    /// Paths that it checks, creates or writes, or whose absence it handles.
    pub(super) handled: Vec<LiteralPath>,
    /// The names of variables, attributes and parameters whose values it does that with.
    pub(super) handled_names: BTreeSet<String>,
    /// The functions that do so.
    pub(super) lenient_functions: BTreeSet<String>,
    /// Whether it changes the working directory.
    pub(super) changes_directory: bool,
}

/// A path in the source.
#[derive(Debug, Clone)]
pub(super) struct PathUse {
    /// From 1.
    pub(super) line: usize,
    pub(super) path: LiteralPath,
    pub(super) kind: UseKind,
    /// Whether it is used only under a condition.
    pub(super) is_conditional: bool,
    /// The variable, attribute, argument or key that it is the value of.
    pub(super) name: Option<String>,
    /// The last component of the name of the function that it is passed to.
    pub(super) function: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UseKind {
    /// What reads the path fails if it does not exist.
    Read,
    /// A directory that a framework searches. It may be empty or missing, but what the project has in it is needed.
    Searched,
    /// Whether anything fails is not known.
    Named,
    /// The directory of translations for a domain of gettext.
    Catalog(String),
    /// The configuration file of Alembic, which names the directory of migrations.
    AlembicConfig,
}

/// A template that a framework looks for in its directories.
#[derive(Debug, Clone)]
pub(super) struct TemplateUse {
    /// From 1.
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) is_conditional: bool,
}

/// Visits the statements of a module.
pub(super) struct PathCollector<'a> {
    found: ModulePaths,
    paths: PathEvaluator<'a>,
    /// The offsets of line breaks.
    newlines: Vec<usize>,
    python: PythonVersion,
    /// Whether `__name__` is `"__main__"`.
    runs_main: bool,
    /// Functions that only run if `__name__` is `"__main__"`.
    main_only: BTreeSet<String>,
    is_conditional: bool,
    /// Whether the absence of files is handled around the current statement.
    is_guarded: bool,
    /// The names of the functions around the current statement.
    functions: Vec<String>,
    /// What the current expression is the value of.
    name: Option<String>,
}

impl<'a> PathCollector<'a> {
    /// Returns what a module does with literal paths. `runs_main` tells whether it is run as a script.
    pub(super) fn collect(
        source: &str,
        body: &[Stmt],
        paths: PathEvaluator<'a>,
        python: PythonVersion,
        runs_main: bool,
    ) -> ModulePaths {
        let newlines = source.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        let main_only = if runs_main { BTreeSet::new() } else { main_guard::functions_of_main(body) };
        let mut collector = Self {
            found: ModulePaths::default(),
            paths,
            newlines,
            python,
            runs_main,
            main_only,
            is_conditional: false,
            is_guarded: false,
            functions: Vec::new(),
            name: None,
        };
        collector.visit_body(body);
        collector.found
    }

    fn line(&self, node: &impl Ranged) -> usize {
        let offset = node.range().start().to_usize();
        self.newlines.partition_point(|newline| *newline < offset) + 1
    }

    fn conditionally(&mut self, is_conditional: bool, visit: impl FnOnce(&mut Self)) {
        let outer = self.is_conditional;
        self.is_conditional |= is_conditional;
        visit(self);
        self.is_conditional = outer;
    }

    fn guarded(&mut self, is_guarded: bool, visit: impl FnOnce(&mut Self)) {
        let outer = self.is_guarded;
        self.is_guarded |= is_guarded;
        if is_guarded {
            self.found.lenient_functions.extend(self.functions.iter().cloned());
        }
        visit(self);
        self.is_guarded = outer;
    }

    fn named(&mut self, name: Option<String>, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.name, name);
        visit(self);
        self.name = outer;
    }

    /// Adds a path, unless its absence is handled.
    pub(super) fn add(&mut self, node: &impl Ranged, path: LiteralPath, kind: UseKind, function: Option<&str>) {
        let is_named = kind == UseKind::Named;
        // A path in the working directory that nothing reads may be one that is written.
        if !(is_named && path.start == PathStart::WorkingDirectory) {
            self.push(node, path, kind, function);
        }
    }

    fn push(&mut self, node: &impl Ranged, path: LiteralPath, kind: UseKind, function: Option<&str>) {
        if path.below.is_empty() {
            return;
        }
        if self.is_guarded {
            self.found.handled.push(path);
            return;
        }
        let (line, is_conditional) = (self.line(node), self.is_conditional);
        let (name, function) = (self.name.clone(), function.map(str::to_owned));
        self.found.uses.push(PathUse { line, path, kind, is_conditional, name, function });
    }

    /// Adds a directory of templates.
    pub(super) fn add_templates(&mut self, node: &impl Ranged, path: LiteralPath, kind: UseKind) {
        self.found.template_directories.push(path.clone());
        self.push(node, path, kind, None);
    }

    pub(super) fn add_template(&mut self, node: &impl Ranged, name: &str) {
        if name.contains('.') && !name.contains(['{', '%', '*']) && !self.is_guarded {
            let (line, is_conditional) = (self.line(node), self.is_conditional);
            self.found.templates.push(TemplateUse { line, name: name.to_owned(), is_conditional });
        }
    }

    /// Adds a directory that is served but that the application starts without.
    pub(super) fn add_optional(&mut self, node: &impl Ranged, path: LiteralPath) {
        self.conditionally(true, |collector| collector.add(node, path, UseKind::Named, None));
    }

    pub(super) fn evaluator(&self) -> &PathEvaluator<'a> {
        &self.paths
    }

    /// Notes that the module handles the absence of a path, or creates it.
    pub(super) fn handle(&mut self, expression: &Expr) {
        self.found.lenient_functions.extend(self.functions.iter().cloned());
        self.found.handled_names.extend(last_name(expression).map(str::to_owned));
        match self.paths.path(expression) {
            Some(path) => self.found.handled.push(path),
            None => visitor::walk_expr(self, expression),
        }
    }

    /// Adds a file that is opened with a mode; `None` for the default mode.
    fn open(&mut self, file: &Expr, mode: Option<&Expr>) {
        match mode.map(text) {
            None => self.read(file),
            Some(Some(mode)) if functions::mode_reads(mode) => self.read(file),
            // Whether another mode reads is not known.
            Some(_) => self.handle(file),
        }
    }

    fn read(&mut self, file: &Expr) {
        match self.paths.path(file) {
            Some(path) => self.add(file, path, UseKind::Read, None),
            None => self.visit_expr(file),
        }
    }

    fn visit_call(&mut self, expression: &Expr, call: &ast::ExprCall) {
        let value = self.paths.evaluate(expression);
        if let Expr::Attribute(method) = &*call.func
            && let Some(LiteralValue::Path(path)) = self.paths.evaluate(&method.value)
        {
            return self.visit_method(call, method, path, value);
        }
        if let Some(LiteralValue::Path(path)) = value {
            return self.add(call, path, UseKind::Named, None);
        }
        if super::frameworks::visit(self, call) {
            return;
        }
        let function = self.paths.function(&call.func);
        let name = last_name(&call.func);
        let effect = match &function {
            Some(function) => functions::effect_of_function(function),
            None if is_method_of_unknown(&call.func) => name.and_then(functions::effect_of_method_of_any),
            None => None,
        };
        match effect.or_else(|| name.filter(|name| functions::writes(name)).map(|_| PathEffect::Handles)) {
            Some(PathEffect::Opens) => {
                let arguments = &call.arguments;
                if let Some(file) = arguments.args.first().or_else(|| keyword(arguments, &functions::FILE_ARGUMENTS)) {
                    self.open(file, arguments.args.get(1).or_else(|| keyword(arguments, &["mode"])));
                }
            }
            Some(PathEffect::Reads) => {
                call.arguments.args.iter().take(1).for_each(|file| self.read(file));
                for keyword in &call.arguments.keywords {
                    let is_file =
                        keyword.arg.as_ref().is_some_and(|name| functions::FILE_ARGUMENTS.contains(&name.as_str()));
                    if is_file { self.read(&keyword.value) } else { self.visit_keyword(keyword) }
                }
                call.arguments.args.iter().skip(1).for_each(|argument| self.visit_expr(argument));
            }
            Some(PathEffect::Handles) => {
                self.found.changes_directory |= function.as_deref() == Some("os.chdir");
                if let Expr::Attribute(method) = &*call.func {
                    self.found.handled_names.extend(last_name(&method.value).map(str::to_owned));
                    self.found.lenient_functions.extend(self.functions.iter().cloned());
                    self.visit_expr(&method.value);
                }
                call.arguments.args.iter().for_each(|argument| self.handle(argument));
                call.arguments.keywords.iter().for_each(|keyword| self.handle(&keyword.value));
            }
            None => self.visit_other_call(call, name),
        }
    }

    /// Visits the call of a method of a path, which may return another path.
    fn visit_method(
        &mut self,
        call: &ast::ExprCall,
        method: &ast::ExprAttribute,
        path: LiteralPath,
        value: Option<LiteralValue>,
    ) {
        let arguments = &call.arguments;
        match functions::effect_of_method(&method.attr) {
            Some(PathEffect::Opens) => {
                self.open(&method.value, arguments.args.first().or_else(|| keyword(arguments, &["mode"])));
            }
            Some(PathEffect::Reads) => self.add(call, path, UseKind::Read, None),
            Some(PathEffect::Handles) => {
                self.handle(&method.value);
                arguments.args.iter().for_each(|argument| self.handle(argument));
            }
            None => {
                let path = if let Some(LiteralValue::Path(path)) = value { path } else { path };
                self.add(call, path, UseKind::Named, None);
            }
        }
    }

    /// Visits the call of a function that may do anything with its arguments.
    fn visit_other_call(&mut self, call: &ast::ExprCall, name: Option<&str>) {
        self.visit_expr(&call.func);
        // `os.environ.get("DATA", HERE / "data.json")`, and options of command lines.
        let is_default = matches!(name, Some("get" | "getenv" | "pop" | "setdefault" | "add_argument" | "Option"));
        self.conditionally(is_default, |collector| {
            for argument in &call.arguments.args {
                collector.visit_argument(argument, name);
            }
            for keyword in &call.arguments.keywords {
                let bound = keyword.arg.as_ref().map(ToString::to_string);
                collector.named(bound, |collector| collector.visit_argument(&keyword.value, name));
            }
        });
    }

    fn visit_argument(&mut self, argument: &Expr, function: Option<&str>) {
        match self.paths.evaluate(argument) {
            Some(LiteralValue::Path(path)) => self.add(argument, path, UseKind::Named, function),
            _ => self.visit_expr(argument),
        }
    }

    fn visit_branches(&mut self, branches: &ast::StmtIf) {
        let first = (Some(&*branches.test), &branches.body[..]);
        let others = branches.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), &clause.body[..]));
        let mut is_open = false;
        for (test, body) in std::iter::once(first).chain(others) {
            let is_main = self.runs_main && test.is_some_and(crate::syntax::is_main_guard);
            let evaluated = test.map_or(Some(true), |test| condition::evaluate(test, self.python));
            let holds = if is_main { Some(true) } else { evaluated };
            test.into_iter().for_each(|test| self.visit_expr(test));
            if holds == Some(false) {
                continue;
            }
            self.conditionally(is_open || holds.is_none(), |collector| collector.visit_body(body));
            if holds == Some(true) {
                break;
            }
            is_open = true;
        }
    }

    fn visit_try(&mut self, attempt: &ast::StmtTry) {
        let handled: Vec<_> = attempt.handlers.iter().filter_map(exceptions::handled).collect();
        let is_guarded = handled.contains(&HandledExceptions::MissingFiles);
        self.guarded(is_guarded, |collector| {
            collector.conditionally(!handled.is_empty(), |collector| collector.visit_body(&attempt.body));
        });
        self.conditionally(true, |collector| {
            attempt.handlers.iter().for_each(|handler| collector.visit_except_handler(handler));
        });
        self.visit_body(&attempt.orelse);
        self.visit_body(&attempt.finalbody);
    }

    fn visit_function(&mut self, function: &ast::StmtFunctionDef) {
        function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
        for parameter in function.parameters.iter_non_variadic_params() {
            if let Some(default) = &parameter.default {
                let name = Some(parameter.parameter.name.to_string());
                self.named(name, |collector| collector.visit_argument(default, Some(&function.name)));
            }
        }
        if self.functions.is_empty() && self.main_only.contains(function.name.as_str()) {
            return;
        }
        self.paths.enter(Some(&function.parameters), &function.body);
        self.functions.push(function.name.to_string());
        self.named(None, |collector| collector.visit_body(&function.body));
        self.functions.pop();
        self.paths.leave();
    }
}

impl<'v> Visitor<'v> for PathCollector<'_> {
    /// Visits statements in order. What follows `if CONDITION: return` is executed only under a condition.
    fn visit_body(&mut self, body: &'v [Stmt]) {
        let outer = self.is_conditional;
        for statement in body {
            self.visit_stmt(statement);
            self.is_conditional |= statement.as_if_stmt().is_some_and(may_return);
        }
        self.is_conditional = outer;
    }

    fn visit_stmt(&mut self, statement: &'v Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.visit_function(function),
            Stmt::ClassDef(class) => {
                class.arguments.iter().for_each(|arguments| self.visit_arguments(arguments));
                self.paths.enter(None, &class.body);
                self.visit_body(&class.body);
                self.paths.leave();
            }
            Stmt::If(branches) => self.visit_branches(branches),
            Stmt::While(_) | Stmt::Match(_) => {
                self.conditionally(true, |collector| visitor::walk_stmt(collector, statement));
            }
            Stmt::Try(attempt) => self.visit_try(attempt),
            Stmt::With(with) => {
                let is_guarded = with.items.iter().any(|item| exceptions::suppresses_missing_files(&item.context_expr));
                self.guarded(is_guarded, |collector| visitor::walk_stmt(collector, statement));
            }
            Stmt::Assign(assignment) => {
                let name = assignment.targets.first().and_then(last_name).map(str::to_owned);
                self.named(name, |collector| collector.visit_expr(&assignment.value));
            }
            Stmt::AnnAssign(assignment) => {
                let name = last_name(&assignment.target).map(str::to_owned);
                self.named(name, |collector| assignment.value.iter().for_each(|value| collector.visit_expr(value)));
            }
            // Directories of modules.
            Stmt::AugAssign(assignment) if self.paths.function(&assignment.target).as_deref() == Some("sys.path") => {}
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'v Expr) {
        match expression {
            Expr::Call(call) => self.visit_call(expression, call),
            Expr::If(alternatives) => {
                self.visit_expr(&alternatives.test);
                self.conditionally(true, |collector| {
                    collector.visit_expr(&alternatives.body);
                    collector.visit_expr(&alternatives.orelse);
                });
            }
            Expr::BoolOp(operation) => {
                for (at, value) in operation.values.iter().enumerate() {
                    self.conditionally(at > 0, |collector| collector.visit_expr(value));
                }
            }
            Expr::Dict(dict) => {
                for item in &dict.items {
                    let key = item.key.as_ref().and_then(text);
                    if key == Some("DIRS") {
                        super::frameworks::visit_template_directories(self, &item.value, UseKind::Searched);
                    }
                    self.named(key.map(str::to_owned), |collector| collector.visit_expr(&item.value));
                }
            }
            Expr::StringLiteral(_) => {}
            _ => match self.paths.evaluate(expression) {
                Some(LiteralValue::Path(path)) => self.add(expression, path, UseKind::Named, None),
                _ => visitor::walk_expr(self, expression),
            },
        }
    }
}

/// Returns whether a function is a method of an object that is none of the application's own as far as the source tells.
fn is_method_of_unknown(function: &Expr) -> bool {
    let object = function.as_attribute_expr().map(|method| &*method.value);
    object.is_some_and(|object| !matches!(last_name(object), Some("self" | "cls")))
}

/// Returns whether one of the branches ends in `return`, `continue` or `break`.
fn may_return(branches: &ast::StmtIf) -> bool {
    let bodies = branches.elif_else_clauses.iter().map(|clause| &clause.body).chain([&branches.body]);
    bodies
        .filter_map(|body| body.last())
        .any(|last| matches!(last, Stmt::Return(_) | Stmt::Continue(_) | Stmt::Break(_)))
}

/// Returns the value of the first keyword argument with one of these names.
pub(super) fn keyword<'e>(arguments: &'e ast::Arguments, names: &[&str]) -> Option<&'e Expr> {
    arguments
        .keywords
        .iter()
        .find_map(|keyword| names.contains(&keyword.arg.as_ref()?.as_str()).then_some(&keyword.value))
}
