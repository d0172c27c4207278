//! What the source of a module says about other modules, and which data it names.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};
use ruff_text_size::Ranged;
use serde::{Deserialize, Serialize};

use super::bindings::{Scope, absolute};
use super::{LIBRARIES, SlimRule};
use crate::platform::PythonVersion;
use crate::syntax::{self, last_name};
use crate::trim::imports;

mod discovery;
mod locales;
mod services;

/// The longest string that may be the name of a module, in bytes.
const LONGEST_NAME: usize = 200;

/// What the source of a module says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModuleFacts {
    /// The names that it imports, which may be modules or names in modules.
    pub(crate) imports: BTreeSet<String>,
    /// Dotted names in strings, which may be modules.
    pub(crate) mentions: BTreeSet<String>,
    /// Words in lists of strings, which may be packages.
    pub(crate) listed: BTreeSet<String>,
    /// The packages whose modules it imports by computed names.
    pub(crate) discovered: BTreeSet<String>,
    pub(crate) uses: Vec<DataUse>,
}

/// A place where a module asks for data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DataUse {
    pub(crate) rule: SlimRule,
    /// From 1.
    pub(crate) line: usize,
    /// The name; `None` if it is computed.
    pub(crate) name: Option<String>,
}

impl ModuleFacts {
    /// Reads a module with its dotted name. A module that cannot be parsed may ask for any data of the libraries whose names
    /// it contains.
    pub(crate) fn read(source: &[u8], module: &str, is_package: bool, python: PythonVersion) -> Self {
        let mut package: Vec<String> = module.split('.').map(str::to_owned).collect();
        if !is_package {
            package.pop();
        }
        let parsed = syntax::parse(source, python, |text, body| UseCollector::collect(text, body, package.clone()));
        if let Ok(Some(facts)) = parsed {
            return facts;
        }
        let text = String::from_utf8_lossy(source);
        let uses = LIBRARIES.iter().filter(|library| text.contains(library.word));
        Self {
            imports: imports::imported(&text, &package.join(".")).into_iter().collect(),
            uses: uses.map(|library| DataUse { rule: library.rule, line: 1, name: None }).collect(),
            ..Self::default()
        }
    }

    /// Reads the entry points of a distribution, which others load by their group. Scripts are only started where there is a
    /// shell, which `with_scripts` tells.
    ///
    /// Specification: [PyPA, entry points](https://packaging.python.org/en/latest/specifications/entry-points/).
    pub(crate) fn of_entry_points(text: &str, with_scripts: bool) -> Self {
        let mut group = "";
        let mut mentions = BTreeSet::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                group = name.trim();
            } else if let Some((_, value)) = line.split_once('=')
                && (with_scripts || !matches!(group, "console_scripts" | "gui_scripts"))
            {
                let module = value.split([':', '[']).next().unwrap_or_default().trim();
                mentions.extend(is_dotted(module).then(|| module.to_owned()));
            }
        }
        Self { mentions, ..Self::default() }
    }
}

/// A use of data that counts only if the module imports the library.
struct Candidate {
    found: DataUse,
    is_certain: bool,
}

/// Visits a module.
struct UseCollector {
    facts: ModuleFacts,
    candidates: Vec<Candidate>,
    /// The top-level modules that are imported, for type checkers alone, too.
    tops: BTreeSet<String>,
    /// The offsets of line breaks.
    newlines: Vec<usize>,
    package: Vec<String>,
    scopes: Vec<Scope>,
    is_for_type_checkers: bool,
}

impl UseCollector {
    fn collect(text: &str, body: &[Stmt], package: Vec<String>) -> ModuleFacts {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
        let mut collector = Self {
            facts: ModuleFacts::default(),
            candidates: Vec::new(),
            tops: BTreeSet::new(),
            newlines,
            scopes: vec![Scope::of(&package, None, body)],
            package,
            is_for_type_checkers: false,
        };
        collector.visit_body(body);
        let Self { mut facts, candidates, tops, .. } = collector;
        let imports_library = tops.iter().any(|top| services::is_library(top));
        let uses = candidates.into_iter().filter(|candidate| candidate.is_certain || imports_library);
        facts.uses = uses.map(|candidate| candidate.found).collect();
        facts
    }

    fn line(&self, node: &impl Ranged) -> usize {
        let offset = node.range().start().to_usize();
        self.newlines.partition_point(|newline| *newline < offset) + 1
    }

    /// Adds uses of data by these names, or by a computed one.
    fn add(&mut self, rule: SlimRule, node: &impl Ranged, names: Option<Vec<String>>, is_certain: bool) {
        let line = self.line(node);
        let names = names.map_or_else(|| vec![None], |names| names.into_iter().map(Some).collect());
        let found = names.into_iter().map(|name| DataUse { rule, line, name });
        self.candidates.extend(found.map(|found| Candidate { found, is_certain }));
    }

    /// Returns the strings that an expression may be; `None` if it may be anything else.
    fn texts(&self, expression: &Expr) -> Option<Vec<String>> {
        match expression {
            Expr::StringLiteral(literal) => Some(vec![literal.value.to_str().to_owned()]),
            Expr::Name(name) => {
                let binding = self.scopes.iter().rev().find_map(|scope| scope.get(&name.id))?;
                binding.texts().map(<[String]>::to_vec)
            }
            Expr::If(choice) => Some([self.texts(&choice.body)?, self.texts(&choice.orelse)?].concat()),
            Expr::BoolOp(operation) => {
                let values: Option<Vec<_>> = operation.values.iter().map(|value| self.texts(value)).collect();
                values.map(|values| values.concat())
            }
            Expr::Named(named) => self.texts(&named.value),
            _ => None,
        }
    }

    /// Returns the dotted name of what was imported, whatever it was imported as.
    fn dotted(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Name(name) => self.scopes.iter().rev().find_map(|scope| scope.get(&name.id))?.imported.clone(),
            Expr::Attribute(attribute) => Some(format!("{}.{}", self.dotted(&attribute.value)?, attribute.attr)),
            _ => None,
        }
    }

    fn import(&mut self, name: String) {
        self.tops.insert(name.split('.').next().unwrap_or_default().to_owned());
        if !self.is_for_type_checkers {
            self.facts.imports.insert(name);
        }
    }

    /// Notes what `importlib.import_module` and `__import__` import.
    fn note_import(&mut self, call: &ast::ExprCall) {
        if !matches!(last_name(&call.func), Some("import_module" | "__import__")) {
            return;
        }
        let Some(argument) = call.arguments.args.first() else { return };
        match self.texts(argument) {
            Some(names) => {
                for name in names {
                    let below = name.trim_start_matches('.');
                    let level = u32::try_from(name.len() - below.len()).unwrap_or(u32::MAX);
                    if let Some(name) = absolute(&self.package, level, Some(below)) {
                        self.import(name);
                    }
                }
            }
            None => {
                self.facts.discovered.extend(Some(self.package.join(".")).filter(|package| !package.is_empty()));
                self.facts.discovered.extend(package_of_computed_name(argument));
            }
        }
    }

    fn mention(&mut self, text: &str) {
        let module = text.split(':').next().unwrap_or_default();
        if text.len() <= LONGEST_NAME && (module.contains('.') || module.len() < text.len()) && is_dotted(module) {
            self.facts.mentions.insert(module.to_owned());
        }
    }

    fn list(&mut self, elements: &[Expr]) {
        let texts = elements.iter().filter_map(Expr::as_string_literal_expr).map(|text| text.value.to_str());
        let words = texts.filter(|text| text.len() <= LONGEST_NAME && is_dotted(text));
        self.facts.listed.extend(words.map(str::to_owned));
    }

    /// Visits a call. What is called is no reference to it.
    fn visit_call(&mut self, call: &ast::ExprCall) {
        self.note_import(call);
        let referred = self.note_services(call);
        self.note_discovery(call);
        self.note_locales(call);
        match &*call.func {
            Expr::Attribute(function) => self.visit_expr(&function.value),
            Expr::Name(_) => {}
            function => self.visit_expr(function),
        }
        for (at, argument) in call.arguments.args.iter().enumerate() {
            if Some(at) != referred {
                self.visit_expr(argument);
            }
        }
        call.arguments.keywords.iter().for_each(|keyword| self.visit_expr(&keyword.value));
    }

    fn within(&mut self, scope: Scope, visit: impl FnOnce(&mut Self)) {
        self.scopes.push(scope);
        visit(self);
        self.scopes.pop();
    }
}

impl<'a> Visitor<'a> for UseCollector {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.import(alias.name.to_string())),
            Stmt::ImportFrom(import) => {
                let Some(base) = absolute(&self.package, import.level, import.module.as_deref()) else { return };
                for alias in &import.names {
                    self.import(format!("{base}.{}", alias.name));
                }
            }
            Stmt::FunctionDef(function) => {
                function.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                self.visit_parameters(&function.parameters);
                let scope = Scope::of(&self.package, Some(&function.parameters), &function.body);
                self.within(scope, |collector| collector.visit_body(&function.body));
            }
            Stmt::ClassDef(class) => {
                class.decorator_list.iter().for_each(|decorator| self.visit_decorator(decorator));
                class.arguments.iter().for_each(|arguments| self.visit_arguments(arguments));
                let scope = Scope::of(&self.package, None, &class.body);
                self.within(scope, |collector| collector.visit_body(&class.body));
            }
            Stmt::If(branches) if last_name(&branches.test) == Some("TYPE_CHECKING") => {
                let outer = std::mem::replace(&mut self.is_for_type_checkers, true);
                self.visit_body(&branches.body);
                self.is_for_type_checkers = outer;
                branches.elif_else_clauses.iter().for_each(|clause| self.visit_elif_else_clause(clause));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    /// An annotation runs nothing.
    fn visit_annotation(&mut self, _: &'a Expr) {}

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::StringLiteral(literal) => self.mention(literal.value.to_str()),
            Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => self.list(elts),
            Expr::Call(call) => return self.visit_call(call),
            Expr::Attribute(ast::ExprAttribute { ctx: ExprContext::Load, .. })
            | Expr::Name(ast::ExprName { ctx: ExprContext::Load, .. }) => self.note_references(expression),
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

/// Returns the value of an argument by its keyword, or else by its position.
fn argument<'a>(call: &'a ast::ExprCall, keyword: &str, position: usize) -> Option<&'a Expr> {
    let by_keyword = call.arguments.find_keyword(keyword).map(|keyword| &keyword.value);
    by_keyword.or_else(|| call.arguments.args.get(position))
}

/// Returns the package that a computed name of a module begins with: `f"plugins.{name}"`, `"plugins." + name` or
/// `"plugins.%s" % name`.
fn package_of_computed_name(name: &Expr) -> Option<String> {
    let beginning = match name {
        Expr::FString(name) => name.value.elements().next()?.as_literal()?.value.to_string(),
        Expr::BinOp(operation) => operation.left.as_string_literal_expr()?.value.to_str().to_owned(),
        Expr::Call(call) => call.func.as_attribute_expr()?.value.as_string_literal_expr()?.value.to_str().to_owned(),
        _ => return None,
    };
    let (package, _) = beginning.rsplit_once('.')?;
    is_dotted(package).then(|| package.to_owned())
}

/// Returns whether a string consists of identifiers separated by dots.
fn is_dotted(text: &str) -> bool {
    text.split('.').all(|name| {
        let mut characters = name.chars();
        characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && characters.all(|character| character.is_alphanumeric() || character == '_')
    })
}
