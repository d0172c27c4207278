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
    /// Why there may be more names than these.
    pub(super) incomplete: Option<IncompleteNames>,
}

/// What a name was last bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// An `async def` without a decorator, which returns a coroutine.
    Coroutine,
    /// A function without a decorator that cannot be called with two positional arguments.
    OtherParameters,
    /// A class without bases and decorators.
    Class,
    /// By `import`.
    Module,
    /// By `from MODULE import`.
    Imported,
    Object,
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
        names
    }

    pub(super) fn get(&self, name: &str) -> Option<Binding> {
        self.names.get(name).copied()
    }

    /// Returns the names in alphabetical order, with what they were last bound to.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Binding)> {
        self.names.iter().map(|(name, binding)| (name.as_str(), *binding))
    }

    /// Returns whether a name is bound by `from . import` alone.
    pub(super) fn is_sibling(&self, name: &str) -> bool {
        self.siblings.contains(name)
    }

    fn bind(&mut self, name: &str, binding: Binding) {
        self.siblings.remove(name);
        self.names.insert(name.to_owned(), binding);
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
                self.bind(name, Binding::Imported);
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
                let is_plain = class.decorator_list.is_empty() && class.arguments.is_none();
                self.bind(&class.name, if is_plain { Binding::Class } else { Binding::Object });
                GlobalStatements(self).visit_body(&class.body);
            }
            Stmt::ImportFrom(import) => self.import(import),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().map_or_else(
                        || alias.name.as_str().split('.').next().unwrap_or_default(),
                        |name| name.as_str(),
                    );
                    self.bind(bound, Binding::Module);
                }
            }
            Stmt::AnnAssign(assignment) => {
                // An annotation without a value binds nothing.
                if let Some(value) = &assignment.value {
                    self.visit_expr(value);
                    self.visit_expr(&assignment.target);
                }
            }
            Stmt::If(branches) => {
                self.visit_expr(&branches.test);
                if !never_runs(&branches.test) {
                    self.visit_body(&branches.body);
                }
                for clause in &branches.elif_else_clauses {
                    self.visit_elif_else_clause(clause);
                }
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
        let captured = match pattern {
            ast::Pattern::MatchAs(pattern) => pattern.name.as_ref(),
            ast::Pattern::MatchStar(pattern) => pattern.name.as_ref(),
            ast::Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = captured {
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
            for name in &global.names {
                self.0.names.entry(name.to_string()).or_insert(Binding::Object);
            }
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// Returns whether a function can be called with two positional arguments.
fn takes_two(parameters: &ast::Parameters) -> bool {
    let positional = || parameters.posonlyargs.iter().chain(&parameters.args);
    let required = positional().filter(|parameter| parameter.default.is_none()).count();
    let is_open = parameters.vararg.is_some() || positional().count() >= 2;
    required <= 2 && is_open && parameters.kwonlyargs.iter().all(|parameter| parameter.default.is_some())
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
mod tests {
    use super::*;

    fn read(source: &str) -> Result<ModuleNames, PythonSyntaxError> {
        ModuleNames::read(source.as_bytes(), PythonVersion { major: 3, minor: 12 })
    }

    #[test]
    fn every_statement_that_binds_a_name_defines_it() {
        for source in [
            "def h(event, context): pass",
            "class h: pass",
            "h = Mangum(app)",
            "g, (f, *h) = make()",
            "h: Handler = make()",
            "if (h := make()): pass",
            "print(h := 1)",
            "import h",
            "import h.inner",
            "import a.b as h",
            "from a import h",
            "from a import b as h",
            "if a:\n    pass\nelif b:\n    pass\nelse:\n    def h(): pass",
            "try:\n    from a import h\nexcept ImportError as error:\n    pass",
            "try:\n    pass\nexcept ImportError:\n    h = 1\n",
            "try:\n    pass\nexcept* ValueError:\n    pass\nelse:\n    pass\nfinally:\n    h = 1",
            "with a as h: pass",
            "with a as (b, h): pass",
            "for h in a: pass",
            "for a in b:\n    pass\nelse:\n    h = 1",
            "while a:\n    h = 1",
            "match a:\n    case [1, {'b': h}]: pass",
            "match a:\n    case {**h}: pass",
            "type h = int",
            "h = lambda event, context: None",
            "def make():\n    def inner():\n        global h\n        h = 1\nmake()",
            "a = [h := b for b in c]",
            "del h\nh = 1",
            "if TYPE_CHECKING:\n    pass\nelse:\n    h = 1",
            "@decorated\nasync def h(): pass",
            "\u{feff}h = 1",
            "# -*- coding: utf-8 -*-\nh = 1",
        ] {
            let names = read(source).unwrap_or_else(|error| panic!("{source}: {error:?}"));
            assert!(names.get("h").is_some(), "{source}");
        }
    }

    #[test]
    fn bindings_tell_what_cannot_be_a_handler() {
        for (source, expected) in [
            ("def h(event, context): ...", Binding::Object),
            ("def h(event, context=None, *, x=1): ...", Binding::Object),
            ("def h(*args): ...", Binding::Object),
            ("def h(event, /, *rest): ...", Binding::Object),
            ("@decorated\ndef h(event): ...", Binding::Object),
            ("def h(event): ...", Binding::OtherParameters),
            ("def h(): ...", Binding::OtherParameters),
            ("def h(event, context, more): ...", Binding::OtherParameters),
            ("def h(event, context, *, more): ...", Binding::OtherParameters),
            ("def h(event, **rest): ...", Binding::OtherParameters),
            ("async def h(event, context): ...", Binding::Coroutine),
            ("class h: ...", Binding::Class),
            ("class h(Base): ...", Binding::Object),
            ("import h", Binding::Module),
            ("from a import h", Binding::Imported),
            ("class h: ...\nh = h()", Binding::Object),
        ] {
            assert_eq!(read(source).unwrap().get("h"), Some(expected), "{source}");
        }
    }

    #[test]
    fn names_that_are_local_or_deleted_are_not_defined() {
        for source in [
            "",
            "h",
            "h: int",
            "def f(h):\n    h = 1",
            "class C:\n    h = 1\n    def h(self): pass",
            "a = lambda h: h",
            "a = [h for h in b]",
            "a.h = 1",
            "a['h'] = 1",
            "try:\n    pass\nexcept E as h:\n    pass",
            "h = 1\ndel h",
            "import a.h",
            "from h import a",
            "if __name__ == '__main__':\n    h = 1",
            "if typing.TYPE_CHECKING:\n    from a import h",
            "f(h=1)",
        ] {
            assert_eq!(read(source).unwrap().get("h"), None, "{source}");
        }
    }

    #[test]
    fn names_are_incomplete_after_star_imports_and_dynamic_code() {
        for (source, incomplete) in [
            ("from a.b import *", Some(IncompleteNames::StarImport("a.b".to_owned()))),
            ("from . import *", Some(IncompleteNames::StarImport(".".to_owned()))),
            ("def __getattr__(name): pass", Some(IncompleteNames::GetAttr)),
            ("globals()['h'] = 1", Some(IncompleteNames::Dynamic)),
            ("def f():\n    exec('')", None),
            ("h = 1", None),
        ] {
            assert_eq!(read(source).unwrap().incomplete, incomplete, "{source}");
        }
        assert_eq!(read("async def h(): pass").unwrap().get("h"), Some(Binding::Coroutine));
    }

    #[test]
    fn syntax_errors_have_a_line_and_a_column() {
        let error = read("def a():\n    pass\n\n  x = (1,\n").unwrap_err();
        assert_eq!(error.line, 4, "{error:?}");
        let error = read("s = 'é' $\n").unwrap_err();
        assert_eq!((error.line, error.column), (1, 9), "{error:?}");
        let error = ModuleNames::read(b"a = 1\nb = '\xff'\n", PythonVersion { major: 3, minor: 12 }).unwrap_err();
        assert_eq!((error.line, error.column), (2, 6));
        let latin = b"# coding: latin-1\nh = '\xe9'\n";
        assert!(ModuleNames::read(latin, PythonVersion { major: 3, minor: 12 }).unwrap().get("h").is_some());
    }

    #[test]
    fn syntax_newer_than_the_target_is_an_error() {
        for (source, minor) in [
            ("match a:\n    case 1: pass", 10),
            ("try:\n    pass\nexcept* E:\n    pass", 11),
            ("type h = int", 12),
            ("def f[T](a: T): pass", 12),
            ("h = t'{a}'", 14),
        ] {
            let python = PythonVersion { major: 3, minor };
            assert!(ModuleNames::read(source.as_bytes(), python).is_ok(), "{source}");
            let older = PythonVersion { major: 3, minor: minor - 1 };
            let error = ModuleNames::read(source.as_bytes(), older).unwrap_err();
            assert!(error.reason.contains(&older.to_string()), "{source}: {error:?}");
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let depth = 50_000;
        for source in [
            format!("h = {}1", "-".repeat(depth)),
            format!("h = {}", "1 + ".repeat(depth) + "1"),
            format!("h = a{}", ".b".repeat(depth)),
            format!("def f(): return {}1", "not ".repeat(depth)),
        ] {
            assert_eq!(read(&source).unwrap().incomplete, Some(IncompleteNames::TooDeep));
        }
        assert!(read(&format!("h = {}", "[".repeat(depth))).is_err());
        assert!(read(&format!("h = {}1{}", "(".repeat(depth), ")".repeat(depth))).is_err());
        assert_eq!(read(&format!("h = {}", "1 + ".repeat(300) + "1")).unwrap().incomplete, None);
    }
}
