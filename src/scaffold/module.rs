//! Scans one module for its handlers and applications, and for whether it can be run itself.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::statement_visitor::{self, StatementVisitor};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};

use super::entry_points::HandlerKind;
use super::frameworks::{Framework, FrameworkObject, framework_object};
use super::handler_kind;
use crate::platform::PythonVersion;
use crate::syntax::{self, SourceLine};

const DJANGO_SETTINGS: &str = "DJANGO_SETTINGS_MODULE";

/// Decorators of the Functions Framework.
const CLOUD_FUNCTIONS: [&str; 3] =
    ["functions_framework.http", "functions_framework.cloud_event", "functions_framework.typed"];

#[derive(Debug, Default)]
pub(super) struct ScannedModule {
    /// The dotted name.
    pub(super) name: String,
    /// Relative to the project.
    pub(super) path: String,
    pub(super) handlers: Vec<(String, HandlerKind, usize)>,
    pub(super) applications: Vec<ApplicationDefinition>,
    /// Names that are assigned the result of an unknown function: the name, the function's full name, and the line.
    pub(super) calls: Vec<(String, String, usize)>,
    /// The full name of each imported name.
    pub(super) imports: BTreeMap<String, String>,
    /// The first component of each absolute import, also of those in functions.
    pub(super) roots: BTreeSet<String>,
    /// The value that it sets for `DJANGO_SETTINGS_MODULE`.
    pub(super) settings: Option<String>,
    /// Whether it has an `if __name__ == "__main__"`.
    pub(super) is_runnable: bool,
    /// Whether importing it calls functions, as a script does.
    pub(super) is_script: bool,
    /// The applications of Celery, each with its line.
    pub(super) celery: Vec<(String, usize)>,
    /// The line at which it creates a page of Gradio.
    pub(super) gradio: Option<usize>,
    /// The functions that the Functions Framework serves, each with its line.
    pub(super) cloud_functions: Vec<(String, usize)>,
}

/// An application, or a function that returns one.
#[derive(Debug, Clone)]
pub(super) struct ApplicationDefinition {
    pub(super) name: String,
    pub(super) framework: Framework,
    pub(super) is_factory: bool,
    pub(super) line: usize,
}

impl ScannedModule {
    /// Scans a module; `None` if its source is not valid for this version of Python.
    pub(super) fn read(name: &str, path: &str, source: &[u8], python: PythonVersion) -> Option<Self> {
        syntax::parse(source, python, |text, body| Self::scan(name, path, text, body)).ok().flatten()
    }

    fn scan(name: &str, path: &str, text: &str, body: &[Stmt]) -> Self {
        let is_package = path.ends_with("__init__.py");
        let module = Self { name: name.to_owned(), path: path.to_owned(), ..Self::default() };
        let mut scanner = ModuleScanner { text, is_package, module };
        scanner.scan_body(body);
        let mut nested = NestedScanner { settings: None, roots: BTreeSet::new() };
        nested.visit_body(body);
        Self { settings: nested.settings, roots: nested.roots, ..scanner.module }
    }

    pub(super) fn place(&self, line: usize) -> SourceLine {
        SourceLine { path: self.path.clone(), line }
    }
}

/// Scans what is executed when a module is imported.
struct ModuleScanner<'a> {
    text: &'a str,
    is_package: bool,
    module: ScannedModule,
}

impl ModuleScanner<'_> {
    fn scan_body(&mut self, body: &[Stmt]) {
        for statement in body {
            self.scan_statement(statement);
        }
    }

    fn scan_statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Import(_) | Stmt::ImportFrom(_) => {
                add_imports(statement, &self.module.name, self.is_package, &mut self.module.imports);
            }
            Stmt::FunctionDef(function) => self.scan_function(function),
            Stmt::Assign(assignment) => {
                let names = assignment.targets.iter().filter_map(Expr::as_name_expr);
                let line = self.line(assignment.range.start().to_usize());
                for name in names {
                    self.scan_assignment(&name.id, &assignment.value, line);
                }
            }
            Stmt::AnnAssign(assignment) => {
                if let (Some(name), Some(value)) = (assignment.target.as_name_expr(), &assignment.value) {
                    let line = self.line(assignment.range.start().to_usize());
                    self.scan_assignment(&name.id, value, line);
                }
            }
            Stmt::If(branches) => {
                if syntax::is_main_guard(&branches.test) {
                    self.module.is_runnable = true;
                } else {
                    self.scan_body(&branches.body);
                }
                branches.elif_else_clauses.iter().for_each(|clause| self.scan_body(&clause.body));
            }
            Stmt::Try(attempt) => {
                self.scan_body(&attempt.body);
                for ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    self.scan_body(&handler.body);
                }
                self.scan_body(&attempt.orelse);
                self.scan_body(&attempt.finalbody);
            }
            Stmt::With(with) => {
                let line = self.line(with.range.start().to_usize());
                let created = with
                    .items
                    .iter()
                    .filter_map(|item| created_object(&item.context_expr, &self.module, &self.module.imports));
                if created.collect::<Vec<_>>().contains(&FrameworkObject::Gradio) {
                    self.module.gradio = Some(line);
                }
                self.scan_body(&with.body);
            }
            Stmt::Expr(expression) => self.module.is_script |= expression.value.is_call_expr(),
            Stmt::For(_) | Stmt::While(_) => self.module.is_script = true,
            _ => {}
        }
    }

    fn scan_assignment(&mut self, name: &str, value: &Expr, line: usize) {
        match created_object(value, &self.module, &self.module.imports) {
            Some(FrameworkObject::Application(framework)) => {
                self.module.applications.push(ApplicationDefinition {
                    name: name.to_owned(),
                    framework,
                    is_factory: false,
                    line,
                });
            }
            Some(FrameworkObject::Handler(library)) => {
                self.module.handlers.push((name.to_owned(), HandlerKind::Adapter(library), line));
            }
            Some(FrameworkObject::Celery) => self.module.celery.push((name.to_owned(), line)),
            Some(FrameworkObject::Gradio) => self.module.gradio = Some(line),
            None if name == "lambda_handler" => {
                self.module.handlers.push((name.to_owned(), HandlerKind::Object, line));
            }
            None => {
                let function = value.as_call_expr().and_then(|call| qualified(&call.func, &self.module));
                self.module.calls.extend(function.map(|function| (name.to_owned(), function, line)));
            }
        }
    }

    fn scan_function(&mut self, function: &ast::StmtFunctionDef) {
        // Neither Lambda nor any server awaits the result.
        if function.is_async {
            return;
        }
        let (name, line) = (function.name.to_string(), self.line(function.name.range.start().to_usize()));
        if function.decorator_list.iter().any(|decorator| {
            let callable = decorator.expression.as_call_expr().map_or(&decorator.expression, |call| &call.func);
            qualified(callable, &self.module).is_some_and(|name| CLOUD_FUNCTIONS.contains(&name.as_str()))
        }) {
            self.module.cloud_functions.push((name, line));
            return;
        }
        if let Some(kind) = handler_kind::of(function) {
            self.module.handlers.push((name, kind, line));
        } else if let Some(framework) = FactoryScanner::read(function, &self.module, self.is_package) {
            self.module.applications.push(ApplicationDefinition { name, framework, is_factory: true, line });
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or_default().matches('\n').count() + 1
    }
}

/// Adds the names that an import statement binds.
fn add_imports(statement: &Stmt, module: &str, is_package: bool, names: &mut BTreeMap<String, String>) {
    match statement {
        Stmt::Import(import) => {
            for alias in &import.names {
                let full = alias.name.as_str();
                let first = full.split('.').next().unwrap_or(full);
                match &alias.asname {
                    Some(name) => names.insert(name.to_string(), full.to_owned()),
                    None => names.insert(first.to_owned(), first.to_owned()),
                };
            }
        }
        Stmt::ImportFrom(import) => {
            let mut parents: Vec<&str> = module.split('.').collect();
            let up = (import.level as usize).saturating_sub(usize::from(is_package));
            parents.truncate(if import.level == 0 { 0 } else { parents.len().saturating_sub(up) });
            parents.extend(import.module.as_ref().map(|module| module.as_str()));
            for alias in &import.names {
                let name = alias.asname.as_ref().unwrap_or(&alias.name);
                let full = parents.iter().copied().chain([alias.name.as_str()]).collect::<Vec<_>>().join(".");
                names.insert(name.to_string(), full);
            }
        }
        _ => {}
    }
}

/// Returns the full name of a function or class that an expression refers to.
fn qualified(expression: &Expr, module: &ScannedModule) -> Option<String> {
    qualified_in(expression, module, &module.imports)
}

fn qualified_in(expression: &Expr, module: &ScannedModule, imports: &BTreeMap<String, String>) -> Option<String> {
    match expression {
        Expr::Name(name) => {
            let imported = imports.get(name.id.as_str()).cloned();
            Some(imported.unwrap_or_else(|| format!("{}.{}", module.name, name.id)))
        }
        Expr::Attribute(attribute) => {
            Some(format!("{}.{}", qualified_in(&attribute.value, module, imports)?, attribute.attr))
        }
        _ => None,
    }
}

/// Returns what an expression creates, if it is a call of a known function or class.
fn created_object(
    expression: &Expr,
    module: &ScannedModule,
    imports: &BTreeMap<String, String>,
) -> Option<FrameworkObject> {
    let call = expression.as_call_expr()?;
    if call.func.as_attribute_expr().is_some_and(|attribute| attribute.attr.as_str() == "make_wsgi_app") {
        return Some(FrameworkObject::Application(Framework::PYRAMID));
    }
    framework_object(&qualified_in(&call.func, module, imports)?)
}

/// Scans a function for whether it returns an application.
struct FactoryScanner<'a> {
    module: &'a ScannedModule,
    is_package: bool,
    imports: BTreeMap<String, String>,
    applications: BTreeMap<String, Framework>,
    returned: Option<Framework>,
}

impl<'a> FactoryScanner<'a> {
    /// Returns the framework of the application that a function returns, if it can be called without arguments.
    fn read(function: &ast::StmtFunctionDef, module: &'a ScannedModule, is_package: bool) -> Option<Framework> {
        let parameters = &function.parameters;
        if !parameters.iter_non_variadic_params().all(|parameter| parameter.default.is_some()) {
            return None;
        }
        let (imports, applications) = (module.imports.clone(), BTreeMap::new());
        let mut factory = Self { module, is_package, imports, applications, returned: None };
        factory.visit_body(&function.body);
        factory.returned
    }

    fn application(&self, expression: &Expr) -> Option<Framework> {
        match created_object(expression, self.module, &self.imports) {
            Some(FrameworkObject::Application(framework)) => Some(framework),
            _ => self.applications.get(expression.as_name_expr()?.id.as_str()).copied(),
        }
    }
}

impl<'a> StatementVisitor<'a> for FactoryScanner<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            // Their return statements are not those of the function.
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::Import(_) | Stmt::ImportFrom(_) => {
                add_imports(statement, &self.module.name, self.is_package, &mut self.imports);
            }
            Stmt::Assign(assignment) => {
                if let Some(framework) = self.application(&assignment.value) {
                    let names = assignment.targets.iter().filter_map(Expr::as_name_expr);
                    self.applications.extend(names.map(|name| (name.id.to_string(), framework)));
                }
            }
            Stmt::AnnAssign(assignment) => {
                let framework = assignment.value.as_ref().and_then(|value| self.application(value));
                let name = assignment.target.as_name_expr().map(|name| name.id.to_string());
                self.applications.extend(name.zip(framework));
            }
            Stmt::Return(returned) => {
                let framework = returned.value.as_ref().and_then(|value| self.application(value));
                self.returned = framework.or(self.returned);
            }
            _ => statement_visitor::walk_stmt(self, statement),
        }
    }
}

/// Scans all statements at any depth for absolute imports and for the settings of Django.
struct NestedScanner {
    settings: Option<String>,
    roots: BTreeSet<String>,
}

impl NestedScanner {
    fn add_settings(&mut self, variable: &Expr, value: &Expr) {
        let (Some(variable), Some(value)) = (variable.as_string_literal_expr(), value.as_string_literal_expr()) else {
            return;
        };
        if variable.value == *DJANGO_SETTINGS {
            self.settings.get_or_insert_with(|| value.value.to_str().to_owned());
        }
    }
}

impl<'a> Visitor<'a> for NestedScanner {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => self.roots.extend(import.names.iter().map(|alias| first_component(&alias.name))),
            Stmt::ImportFrom(import) if import.level == 0 => {
                self.roots.extend(import.module.as_ref().map(|module| first_component(module)));
            }
            Stmt::Assign(assignment) => {
                for target in assignment.targets.iter().filter_map(Expr::as_subscript_expr) {
                    self.add_settings(&target.slice, &assignment.value);
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && call.func.as_attribute_expr().is_some_and(|attribute| attribute.attr.as_str() == "setdefault")
            && let [variable, value] = &call.arguments.args[..]
        {
            self.add_settings(variable, value);
        }
        visitor::walk_expr(self, expression);
    }
}

fn first_component(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> ScannedModule {
        let python = PythonVersion::new(13);
        ScannedModule::read("shop.api", "shop/api.py", source.as_bytes(), python).unwrap_or_else(|| panic!("{source}"))
    }

    #[test]
    fn handlers_are_detected_by_name_parameters_and_decorators() {
        for (source, name, kind) in [
            ("def lambda_handler(a, b): pass", "lambda_handler", HandlerKind::Named),
            ("def handler(event, _): pass", "handler", HandlerKind::Named),
            ("def on_order(event: dict, context) -> None: pass", "on_order", HandlerKind::Function),
            ("def f(_event, _context, /, extra=None, *rest): pass", "f", HandlerKind::Function),
            ("def f(sqs_event, lambda_context): pass", "f", HandlerKind::Function),
            ("@logger.inject_lambda_context(log_event=True)\ndef f(e, c): pass", "f", HandlerKind::Powertools),
            ("@event_source\ndef f(e, c): pass", "f", HandlerKind::Powertools),
            ("import mangum\nh = mangum.Mangum(app)", "h", HandlerKind::Adapter("Mangum")),
            ("from mangum import Mangum as M\nh: object = M(app)", "h", HandlerKind::Adapter("Mangum")),
            ("from chalice import Chalice\napp = Chalice('shop')", "app", HandlerKind::Adapter("Chalice")),
            ("lambda_handler = make()", "lambda_handler", HandlerKind::Object),
            ("if local:\n  pass\nelse:\n  def f(event, context): pass", "f", HandlerKind::Function),
            ("try:\n  import a\nfinally:\n  def f(event, context): pass", "f", HandlerKind::Function),
        ] {
            let found = read(source).handlers;
            assert_eq!(found.iter().map(|(name, kind, _)| (name.as_str(), *kind)).collect::<Vec<_>>(), [(name, kind)]);
        }
        for source in [
            "def handler(signum, frame): pass",
            "def handler(request, error): pass",
            "async def lambda_handler(event, context): pass",
            "def f(event): pass",
            "def f(event, context, more): pass",
            "def f(event, context, *, more): pass",
            "def f(self, event, context): pass",
            "class C:\n  def f(event, context): pass",
            "def g():\n  def f(event, context): pass",
            "if __name__ == '__main__':\n  def f(event, context): pass",
            "handler = logging.StreamHandler()",
            "Mangum = 1\nh = Mangum(app)",
        ] {
            assert_eq!(read(source).handlers.len(), 0, "{source}");
        }
    }

    #[test]
    fn applications_are_detected_by_their_framework() {
        for (source, name, framework, is_factory) in [
            ("from fastapi import FastAPI\napp = FastAPI()", "app", "FastAPI", false),
            ("import fastapi as f\napi = f.FastAPI(title='x')", "api", "FastAPI", false),
            (
                "import flask\ndef create_app(config=None):\n  a = flask.Flask('x')\n  return a",
                "create_app",
                "Flask",
                true,
            ),
            ("def make():\n  from falcon.asgi import App\n  if x:\n    return App()", "make", "Falcon", true),
            ("from pyramid.config import Configurator as C\napp = C().make_wsgi_app()", "app", "Pyramid", false),
            (
                "from django.core.wsgi import get_wsgi_application as g\napplication = g()",
                "application",
                "Django",
                false,
            ),
        ] {
            let found = read(source).applications;
            let found: Vec<_> = found.iter().map(|o| (o.name.as_str(), o.framework.name, o.is_factory)).collect();
            assert_eq!(found, [(name, framework, is_factory)], "{source}");
        }
        for source in [
            "from .fastapi import FastAPI\napp = FastAPI()",
            "app = FastAPI()",
            "# app = FastAPI()",
            "import flask\ndef create_app(config):\n  return flask.Flask('x')",
            "import flask\nasync def create_app():\n  return flask.Flask('x')",
            "import flask\ndef f():\n  def g():\n    return flask.Flask('x')\n  return g",
        ] {
            assert_eq!(read(source).applications.len(), 0, "{source}");
        }
        let called = read("from .factory import create as c\nfrom .. import other\nd = c()\ne = other.f()").calls;
        let called: Vec<&str> = called.iter().map(|(_, callable, _)| callable.as_str()).collect();
        assert_eq!(called, ["shop.factory.create", "other.f"]);
    }

    #[test]
    fn settings_and_imports_are_detected_at_any_depth() {
        let module = read(
            "import os, a.b\ndef main():\n  from c import d\n  from . import e\n  \
             os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\nif __name__ == '__main__':\n  main()",
        );
        assert_eq!(module.settings.as_deref(), Some("shop.settings"));
        assert_eq!(module.roots, ["a", "c", "os"].map(str::to_owned).into());
        assert!(module.is_runnable);
        let settings = "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'shop.prod'";
        assert_eq!(read(settings).settings.as_deref(), Some("shop.prod"));
        let lines = read("import x\n\n@a\n@b\ndef f(event, context):\n  pass").handlers;
        assert_eq!(lines[0].2, 5);
    }

    #[test]
    fn a_module_with_a_syntax_error_is_skipped() {
        let python = PythonVersion::new(13);
        assert!(ScannedModule::read("a", "a.py", b"def f(:", python).is_none());
    }
}
