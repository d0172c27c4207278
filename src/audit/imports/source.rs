//! What a module of the application imports, where, and under which circumstances.

use std::collections::BTreeSet;
use std::ops::Range;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};

use super::condition::{self, last_name, text};
use crate::audit::module::Names;
use crate::platform::PythonVersion;
use crate::syntax::{self, PythonSyntaxError};

/// The longest string that is taken for a module's name.
const LONGEST_NAME: usize = 200;

/// A module of the application.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// What it imports, in its order.
    pub(super) imports: Vec<Import>,
    /// What it defines.
    pub(super) names: Names,
    /// Strings that may name modules.
    pub(super) mentions: BTreeSet<String>,
    /// Those of them in lists, which may name packages whose modules are found by themselves.
    pub(super) listed: BTreeSet<String>,
    /// Names that it sets on other objects, which may be modules.
    pub(super) set: BTreeSet<String>,
    /// Whether it changes where modules are looked for.
    pub(super) changes_path: bool,
}

/// An import of one module, or of one name of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// From 1.
    pub(super) line: usize,
    /// The number of dots before the module's name.
    pub(super) level: u32,
    /// The module's dotted name; empty for the package itself.
    pub(super) module: String,
    /// What is taken from the module: a name or a module below it.
    pub(super) name: Option<String>,
    /// When it is run.
    pub(super) when: When,
    /// It is run only if one of each of these imports fails, by their positions.
    pub(super) instead_of: Vec<Range<usize>>,
}

/// When an import is run, and what its failing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// Whenever the module is.
    Always,
    /// Under a condition, or when a function is called.
    Perhaps,
    /// Its failing is provided for.
    Guarded,
}

impl Source {
    /// Reads a module for a version of Python.
    pub(super) fn read(source: &[u8], python: PythonVersion) -> Result<Self, PythonSyntaxError> {
        let read = |text: &str, body: &[Stmt]| {
            let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
            let source = Self { names: Names::of(body), ..Self::default() };
            let mut reader = Reader { source, newlines, python, when: When::Always, instead_of: Vec::new() };
            reader.visit_body(body);
            reader.source
        };
        Ok(syntax::parse(source, python, read)?.unwrap_or_else(Self::unknown))
    }

    /// Returns what is known of a module that is not read.
    pub(super) fn unknown() -> Self {
        Self { names: Names::unknown(), ..Self::default() }
    }
}

/// Follows a module's statements, and knows when each is run.
struct Reader {
    source: Source,
    newlines: Vec<usize>,
    python: PythonVersion,
    when: When,
    instead_of: Vec<Range<usize>>,
}

impl Reader {
    fn within(&mut self, when: When, walk: impl FnOnce(&mut Self)) {
        let outer = self.when;
        self.when = outer.max(when);
        walk(self);
        self.when = outer;
    }

    fn import(&mut self, offset: usize, level: u32, module: &str, name: Option<&str>) {
        self.source.imports.push(Import {
            line: self.newlines.partition_point(|newline| *newline < offset) + 1,
            level,
            module: module.to_owned(),
            name: name.map(str::to_owned),
            when: self.when,
            instead_of: self.instead_of.clone(),
        });
    }

    /// Follows the branches of an `if` that the target does not rule out.
    fn branches(&mut self, branches: &ast::StmtIf) {
        let first = (Some(&*branches.test), &branches.body[..]);
        let others = branches.elif_else_clauses.iter().map(|clause| (clause.test.as_ref(), &clause.body[..]));
        let mut is_open = false;
        for (test, body) in std::iter::once(first).chain(others) {
            let holds = test.map_or(Some(true), |test| condition::holds(test, self.python));
            if let Some(test) = test {
                self.visit_expr(test);
            }
            if holds == Some(false) {
                continue;
            }
            let is_certain = holds == Some(true) && !is_open;
            let when = match (is_certain, test.is_some_and(asks_for_module)) {
                (true, _) => When::Always,
                (false, false) => When::Perhaps,
                (false, true) => When::Guarded,
            };
            self.within(when, |reader| reader.visit_body(body));
            if holds == Some(true) {
                break;
            }
            is_open = true;
        }
    }

    /// Follows a `try`, whose handlers may provide for imports that fail.
    fn attempt(&mut self, attempt: &ast::StmtTry) {
        let handlers = || attempt.handlers.iter().map(|ast::ExceptHandler::ExceptHandler(handler)| handler);
        let catches = |handler: &ast::ExceptHandlerExceptHandler| {
            handler.type_.as_deref().is_none_or(is_import_error)
                && !handler.body.last().is_some_and(Stmt::is_raise_stmt)
        };
        let is_guarded = handlers().any(catches);
        let when = if is_guarded { When::Guarded } else { When::Always };
        let from = self.source.imports.len();
        self.within(when, |reader| reader.visit_body(&attempt.body));
        let guarded = from..self.source.imports.len();
        for handler in handlers() {
            if let Some(kind) = &handler.type_ {
                self.visit_expr(kind);
            }
            if handler.type_.as_deref().is_none_or(is_import_error) && is_guarded && !guarded.is_empty() {
                self.instead_of.push(guarded.clone());
                self.visit_body(&handler.body);
                self.instead_of.pop();
            } else {
                self.within(When::Perhaps, |reader| reader.visit_body(&handler.body));
            }
        }
        self.within(when, |reader| reader.visit_body(&attempt.orelse));
        self.visit_body(&attempt.finalbody);
    }

    /// Notes a call that imports a module by its name.
    fn call(&mut self, call: &ast::ExprCall) {
        let function = last_name(&call.func).unwrap_or_default();
        let arguments = &call.arguments.args;
        let Some(module) = arguments.first().and_then(text) else { return };
        if !matches!(function, "import_module" | "__import__") || (function == "__import__" && arguments.len() > 4) {
            return;
        }
        let name = module.trim_start_matches('.');
        let level = u32::try_from(module.len() - name.len()).unwrap_or(u32::MAX);
        let package = arguments.get(1).or_else(|| Some(&call.arguments.find_keyword("package")?.value));
        let is_known = level == 0 || package.and_then(last_name) == Some("__package__");
        if is_known && is_dotted(name) {
            self.import(call.arguments.range.start().to_usize(), level, name, None);
        }
    }

    fn mention(&mut self, value: &str, is_listed: bool) {
        let module = value.split(':').next().unwrap_or_default();
        if value.len() <= LONGEST_NAME && is_dotted(module) {
            self.source.mentions.insert(module.to_owned());
            if is_listed {
                self.source.listed.insert(module.to_owned());
            }
        }
    }
}

impl<'a> Visitor<'a> for Reader {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    self.import(alias.range.start().to_usize(), 0, &alias.name, None);
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                for alias in &import.names {
                    let name = Some(alias.name.as_str()).filter(|name| *name != "*");
                    self.import(import.range.start().to_usize(), import.level, module, name);
                }
            }
            Stmt::FunctionDef(function) => {
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                self.visit_parameters(&function.parameters);
                self.within(When::Perhaps, |reader| reader.visit_body(&function.body));
            }
            Stmt::If(branches) => self.branches(branches),
            Stmt::While(_) | Stmt::For(_) | Stmt::Match(_) => {
                self.within(When::Perhaps, |reader| visitor::walk_stmt(reader, statement));
            }
            Stmt::Try(attempt) => self.attempt(attempt),
            Stmt::With(with) => {
                with.items.iter().for_each(|item| self.visit_with_item(item));
                let is_guarded = with.items.iter().any(|item| suppresses(&item.context_expr));
                let when = if is_guarded { When::Guarded } else { When::Always };
                self.within(when, |reader| reader.visit_body(&with.body));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::StringLiteral(literal) => self.mention(literal.value.to_str(), false),
            Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
                elts.iter().filter_map(text).for_each(|value| self.mention(value, true));
            }
            Expr::Attribute(attribute) => match attribute.ctx {
                ExprContext::Store => {
                    self.source.set.insert(attribute.attr.to_string());
                }
                _ => {
                    self.source.changes_path |= last_name(&attribute.value) == Some("sys") && &attribute.attr == "path"
                }
            },
            Expr::Call(call) => self.call(call),
            Expr::Lambda(_) => {
                return self.within(When::Perhaps, |reader| visitor::walk_expr(reader, expression));
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

/// Returns whether a handler of these exceptions catches what a failing import raises.
fn is_import_error(kind: &Expr) -> bool {
    match kind {
        Expr::Tuple(kinds) => kinds.elts.iter().any(is_import_error),
        _ => last_name(kind)
            .is_some_and(|name| matches!(name, "ImportError" | "ModuleNotFoundError" | "Exception" | "BaseException")),
    }
}

/// Returns whether a context is `contextlib.suppress(ImportError)`.
fn suppresses(context: &Expr) -> bool {
    let call = context.as_call_expr().filter(|call| last_name(&call.func) == Some("suppress"));
    call.is_some_and(|call| call.arguments.args.iter().any(is_import_error))
}

/// Returns whether a condition asks whether a module is there.
fn asks_for_module(condition: &Expr) -> bool {
    struct Asks(bool);
    impl<'a> Visitor<'a> for Asks {
        fn visit_expr(&mut self, expression: &'a Expr) {
            self.0 |= last_name(expression) == Some("find_spec");
            visitor::walk_expr(self, expression);
        }
    }
    let mut asks = Asks(false);
    asks.visit_expr(condition);
    asks.0
}

/// Returns whether a text is identifiers with dots between them.
pub(super) fn is_dotted(text: &str) -> bool {
    text.split('.').all(is_identifier)
}

/// Returns whether a text is an identifier, as far as names of files are concerned.
pub(super) fn is_identifier(text: &str) -> bool {
    let is_inner = |character: char| character.is_alphanumeric() || character == '_';
    text.chars().all(is_inner) && text.chars().next().is_some_and(|first| !first.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Source {
        Source::read(source.as_bytes(), PythonVersion { major: 3, minor: 12 }).unwrap()
    }

    /// Returns the only import of a module named `m`.
    fn when(source: &str) -> Option<When> {
        let source = read(source);
        let mut found = source.imports.iter().filter(|import| import.module == "m");
        let when = found.next().map(|import| import.when);
        assert_eq!(found.next(), None);
        when
    }

    #[test]
    fn circumstances_are_told_apart() {
        use When::{Always, Guarded, Perhaps};
        for (source, expected) in [
            ("import m", Some(Always)),
            ("from m import a", Some(Always)),
            ("class C:\n    import m", Some(Always)),
            ("with a:\n    import m", Some(Always)),
            ("if a:\n    import m", Some(Perhaps)),
            ("if a:\n    pass\nelse:\n    import m", Some(Perhaps)),
            ("if sys.version_info >= (3, 11):\n    import m", Some(Always)),
            ("if sys.version_info < (3, 11):\n    import m", None),
            ("if sys.version_info >= (3, 11):\n    pass\nelse:\n    import m", None),
            ("if sys.version_info < (3, 11):\n    pass\nelse:\n    import m", Some(Always)),
            ("if a:\n    pass\nelif sys.platform == 'linux':\n    import m", Some(Perhaps)),
            ("if TYPE_CHECKING:\n    import m", None),
            ("if __name__ == '__main__':\n    import m", None),
            ("def f():\n    import m", Some(Perhaps)),
            ("async def f():\n    import m", Some(Perhaps)),
            ("f = lambda: __import__('m')", Some(Perhaps)),
            ("try:\n    import m\nexcept ImportError:\n    m = None", Some(Guarded)),
            ("try:\n    import m\nexcept (KeyError, ModuleNotFoundError):\n    pass", Some(Guarded)),
            ("try:\n    import m\nexcept:\n    pass", Some(Guarded)),
            ("try:\n    import m\nexcept builtins.Exception:\n    pass", Some(Guarded)),
            ("try:\n    import m\nexcept KeyError:\n    pass", Some(Always)),
            ("try:\n    import m\nexcept ImportError as e:\n    raise E from e", Some(Always)),
            ("try:\n    import m\nfinally:\n    pass", Some(Always)),
            ("try:\n    def f():\n        import m\nexcept ImportError:\n    pass", Some(Guarded)),
            ("with suppress(ImportError):\n    import m", Some(Guarded)),
            ("with contextlib.suppress(KeyError):\n    import m", Some(Always)),
            ("if importlib.util.find_spec('x'):\n    import m", Some(Guarded)),
            ("importlib.import_module('m')", Some(Always)),
            ("importlib.import_module(m)", None),
            ("importlib.import_module('not a name')", None),
        ] {
            assert_eq!(when(source), expected, "{source}");
        }
    }

    #[test]
    fn a_fallback_is_run_only_if_what_it_replaces_fails() {
        let source = read(
            "import z\ntry:\n    import a, b\nexcept ImportError:\n    try:\n        import c\n    except ImportError:\n        import m\n",
        );
        let fallback = source.imports.iter().find(|import| import.module == "m").unwrap();
        assert_eq!((fallback.line, fallback.when, &fallback.instead_of[..]), (8, When::Always, &[1..3, 3..4][..]));
    }

    #[test]
    fn relative_imports_and_names_are_kept() {
        let source = read("from . import a, b\nfrom ..x.y import *\nimportlib.import_module('.z', __package__)\n");
        let imports: Vec<_> =
            source.imports.iter().map(|import| (import.level, &*import.module, import.name.as_deref())).collect();
        assert_eq!(imports, [(1, "", Some("a")), (1, "", Some("b")), (2, "x.y", None), (1, "z", None)]);
    }

    #[test]
    fn strings_may_name_modules() {
        let source = read("APPS = ['shop', 'shop.apps.Config']\nrun('main:app', \"two words\")\n");
        assert_eq!(source.mentions.iter().collect::<Vec<_>>(), ["main", "shop", "shop.apps.Config"]);
        assert_eq!(source.listed.iter().collect::<Vec<_>>(), ["shop", "shop.apps.Config"]);
    }
}
