//! Evaluates expressions to paths.

use std::collections::HashMap;

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{self as ast, Expr, InterpolatedStringElement, Operator, Stmt};

use super::bindings::BindingCollector;
use super::{LONGEST_PATH, LiteralPath, PathStart};

/// The value of an expression, as far as it can be told without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) enum LiteralValue {
    Path(LiteralPath),
    Text(String),
    /// A module, or what a module defines, by its dotted name.
    Imported(String),
}

/// What the application's modules bind at their top level, by the dotted names of modules and names.
pub(in crate::audit) type Constants = HashMap<String, LiteralValue>;

/// How often a name may be imported from a module that imports it itself.
const LONGEST_CHAIN: usize = 4;

/// Evaluates expressions of one module.
pub(in crate::audit) struct PathEvaluator<'a> {
    /// The position of the module.
    module: usize,
    /// The dotted name of the package that relative imports start from.
    package: String,
    /// The names of the module, and of the functions around the current expression; `None` for other values.
    scopes: Vec<HashMap<String, Option<LiteralValue>>>,
    constants: &'a Constants,
}

impl<'a> PathEvaluator<'a> {
    /// Binds the names of a module. `package` is the dotted name that its relative imports start from.
    pub(in crate::audit) fn of_module(module: usize, package: &str, body: &[Stmt], constants: &'a Constants) -> Self {
        let mut evaluator = Self { module, package: package.to_owned(), scopes: vec![HashMap::new()], constants };
        BindingCollector(&mut evaluator).visit_body(body);
        evaluator
    }

    /// Returns the values that the module binds at its top level.
    pub(in crate::audit) fn into_bound(mut self) -> impl Iterator<Item = (String, LiteralValue)> {
        let module = self.scopes.swap_remove(0);
        module.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Enters the body of a function or class whose parameters have unknown values.
    pub(in crate::audit) fn enter(&mut self, parameters: Option<&ast::Parameters>, body: &[Stmt]) {
        self.scopes.push(HashMap::new());
        for parameter in parameters.into_iter().flat_map(|parameters| parameters.iter()) {
            self.bind(parameter.name(), None);
        }
        BindingCollector(self).visit_body(body);
    }

    pub(in crate::audit) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// Binds a name in the innermost scope. A name that is bound to several values has none of them, unless it is imported
    /// from one module or, if that fails, from another.
    pub(super) fn bind(&mut self, name: &str, value: Option<LiteralValue>) {
        let Some(scope) = self.scopes.last_mut() else { return };
        match scope.get_mut(name) {
            None => {
                scope.insert(name.to_owned(), value);
            }
            Some(Some(LiteralValue::Imported(_))) if matches!(value, Some(LiteralValue::Imported(_))) => {}
            Some(bound) if *bound == value => {}
            Some(bound) => *bound = None,
        }
    }

    /// Returns the dotted name of an imported module; `None` if it is beyond the top-level package.
    pub(super) fn absolute(&self, level: u32, module: &str) -> Option<String> {
        if level == 0 {
            return Some(module.to_owned());
        }
        let mut package: Vec<&str> = self.package.split('.').filter(|name| !name.is_empty()).collect();
        package.truncate(package.len().checked_sub(level as usize - 1)?);
        package.extend(module.split('.').filter(|name| !name.is_empty()));
        Some(package.join("."))
    }

    /// Returns the value of an expression.
    pub(in crate::audit) fn evaluate(&self, expression: &Expr) -> Option<LiteralValue> {
        match expression {
            Expr::StringLiteral(literal) => text_value(literal.value.to_str().to_owned()),
            Expr::Name(name) if name.id.as_str() == "__file__" => Some(LiteralValue::Path(self.file())),
            Expr::Name(name) => {
                let bound = self.scopes.iter().rev().find_map(|scope| scope.get(name.id.as_str()))?;
                Some(self.follow(bound.clone()?))
            }
            Expr::Named(named) => self.evaluate(&named.value),
            Expr::FString(text) => self.interpolated(text),
            Expr::BinOp(operation) => self.operation(operation),
            Expr::Attribute(attribute) => match (self.evaluate(&attribute.value)?, attribute.attr.as_str()) {
                (LiteralValue::Path(path), "parent") => Some(LiteralValue::Path(path.parent())),
                (LiteralValue::Imported(module), name) => {
                    Some(self.follow(LiteralValue::Imported(format!("{module}.{name}"))))
                }
                _ => None,
            },
            Expr::Subscript(subscript) => self.subscript(subscript).map(LiteralValue::Path),
            Expr::Call(call) => self.call(call),
            _ => None,
        }
    }

    /// Returns the path that an expression is; a string is relative to the working directory.
    pub(in crate::audit) fn path(&self, expression: &Expr) -> Option<LiteralPath> {
        as_path(self.evaluate(expression)?)
    }

    /// Returns the dotted name of a function, for instance `os.path.join`, whatever it was imported as.
    pub(in crate::audit) fn function(&self, function: &Expr) -> Option<String> {
        match function {
            Expr::Name(name) => {
                let mut scopes = self.scopes.iter().rev();
                match scopes.find_map(|scope| scope.get(name.id.as_str())) {
                    Some(Some(LiteralValue::Imported(imported))) => Some(imported.clone()),
                    Some(_) => None,
                    // A built-in function, or from `from MODULE import *`.
                    None => Some(name.id.to_string()),
                }
            }
            Expr::Attribute(attribute) => Some(format!("{}.{}", self.function(&attribute.value)?, attribute.attr)),
            _ => None,
        }
    }

    /// Returns the directory of the package that an expression names, as `importlib.resources` understands it.
    pub(in crate::audit) fn package(&self, expression: &Expr) -> Option<LiteralPath> {
        match expression {
            Expr::Name(name) if matches!(name.id.as_str(), "__name__" | "__package__") => Some(self.file().parent()),
            _ => match self.evaluate(expression)? {
                LiteralValue::Text(name) | LiteralValue::Imported(name) if !name.is_empty() => {
                    Some(LiteralPath::new(PathStart::Package(name)))
                }
                _ => None,
            },
        }
    }

    /// Returns the path of the module.
    pub(in crate::audit) fn file(&self) -> LiteralPath {
        LiteralPath::new(PathStart::Module(self.module))
    }

    /// Returns what a name that is imported from another module of the application is bound to there.
    fn follow(&self, mut value: LiteralValue) -> LiteralValue {
        for _ in 0..LONGEST_CHAIN {
            let LiteralValue::Imported(name) = &value else { break };
            let Some(bound) = self.constants.get(name) else { break };
            value = bound.clone();
        }
        value
    }

    /// Returns the value of an f-string, which may begin with a path: `f"{BASE}/config.json"`.
    fn interpolated(&self, text: &ast::ExprFString) -> Option<LiteralValue> {
        let mut value = LiteralValue::Text(String::new());
        for element in text.value.elements() {
            let next = match element {
                InterpolatedStringElement::Literal(literal) => LiteralValue::Text(literal.value.to_string()),
                InterpolatedStringElement::Interpolation(inner) if inner.format_spec.is_none() => {
                    self.evaluate(&inner.expression)?
                }
                InterpolatedStringElement::Interpolation(_) => return None,
            };
            value = concatenated(value, next)?;
        }
        Some(value)
    }

    fn operation(&self, operation: &ast::ExprBinOp) -> Option<LiteralValue> {
        let (left, right) = (self.evaluate(&operation.left)?, self.evaluate(&operation.right)?);
        match (operation.op, left) {
            (Operator::Div, LiteralValue::Path(path)) => joined(path, right).map(LiteralValue::Path),
            (Operator::Add, left) => concatenated(left, right),
            _ => None,
        }
    }

    fn subscript(&self, subscript: &ast::ExprSubscript) -> Option<LiteralPath> {
        match &*subscript.value {
            Expr::Attribute(attribute) if attribute.attr.as_str() == "parents" => {
                let LiteralValue::Path(path) = self.evaluate(&attribute.value)? else { return None };
                let ast::Number::Int(index) = &subscript.slice.as_number_literal_expr()?.value else { return None };
                Some((0..=index.as_u8()?).fold(path, |path, _| path.parent()))
            }
            environ if self.function(environ).as_deref() == Some("os.environ") => self.task_root(&subscript.slice),
            _ => None,
        }
    }

    fn task_root(&self, variable: &Expr) -> Option<LiteralPath> {
        let is_task_root = self.evaluate(variable)? == LiteralValue::Text("LAMBDA_TASK_ROOT".to_owned());
        is_task_root.then(|| LiteralPath::new(PathStart::TaskRoot))
    }

    fn call(&self, call: &ast::ExprCall) -> Option<LiteralValue> {
        let arguments = &call.arguments.args;
        if let Expr::Attribute(method) = &*call.func
            && let Some(LiteralValue::Path(path)) = self.evaluate(&method.value)
        {
            return self.method(path, &method.attr, arguments).map(LiteralValue::Path);
        }
        let path = match self.function(&call.func)?.as_str() {
            "pathlib.Path"
            | "pathlib.PurePath"
            | "pathlib.PosixPath"
            | "pathlib.PurePosixPath"
            | "anyio.Path"
            | "Path" => match arguments.split_first() {
                None => LiteralPath::new(PathStart::WorkingDirectory),
                Some((first, others)) => self.joined(self.path(first)?, others)?,
            },
            "str" | "os.fspath" => return self.evaluate(arguments.first()?),
            "os.path.abspath" | "os.path.realpath" | "os.path.normpath" | "importlib.resources.as_file" => {
                self.path(arguments.first()?)?
            }
            "os.path.dirname" => self.path(arguments.first()?)?.parent(),
            "os.path.join" => {
                let (first, others) = arguments.split_first()?;
                self.joined(self.path(first)?, others)?
            }
            "os.getcwd" | "pathlib.Path.cwd" | "Path.cwd" => LiteralPath::new(PathStart::WorkingDirectory),
            "os.environ.get" | "os.getenv" => self.task_root(arguments.first()?)?,
            "importlib.resources.files" | "importlib_resources.files" => match arguments.first() {
                Some(package) => self.package(package)?,
                None => self.file().parent(),
            },
            _ => return None,
        };
        Some(LiteralValue::Path(path))
    }

    /// Returns the path that a method of a path returns.
    fn method(&self, path: LiteralPath, name: &str, arguments: &[Expr]) -> Option<LiteralPath> {
        match name {
            "resolve" | "absolute" | "as_posix" => Some(path),
            "joinpath" => self.joined(path, arguments),
            "with_name" => joined(path.parent(), self.evaluate(arguments.first()?)?),
            "with_suffix" => {
                let LiteralValue::Text(suffix) = self.evaluate(arguments.first()?)? else { return None };
                let name = path.below.last()?;
                let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
                let name = format!("{stem}{suffix}");
                path.parent().join(&name)
            }
            _ => None,
        }
    }

    fn joined(&self, path: LiteralPath, others: &[Expr]) -> Option<LiteralPath> {
        others.iter().try_fold(path, |path, other| joined(path, self.evaluate(other)?))
    }
}

/// Returns a string as a value, unless it is too long for a path: a chain of concatenations could double it again and again.
fn text_value(text: String) -> Option<LiteralValue> {
    (text.len() <= LONGEST_PATH).then_some(LiteralValue::Text(text))
}

/// Joins a string, or a path relative to the working directory.
fn joined(path: LiteralPath, other: LiteralValue) -> Option<LiteralPath> {
    match other {
        LiteralValue::Text(text) => path.join(&text),
        LiteralValue::Path(other) if other.start == PathStart::WorkingDirectory && other.up == 0 => {
            path.join(&other.below.join("/"))
        }
        _ => None,
    }
}

fn concatenated(left: LiteralValue, right: LiteralValue) -> Option<LiteralValue> {
    match (left, right) {
        (LiteralValue::Text(left), LiteralValue::Text(right)) => text_value(left + &right),
        (LiteralValue::Text(left), LiteralValue::Path(right)) if left.is_empty() => Some(LiteralValue::Path(right)),
        (LiteralValue::Path(left), LiteralValue::Text(right)) => Some(LiteralValue::Path(left.append(&right)?)),
        _ => None,
    }
}

/// Returns the path that a value is; a string is relative to the working directory.
pub(in crate::audit) fn as_path(value: LiteralValue) -> Option<LiteralPath> {
    match value {
        LiteralValue::Path(path) => Some(path),
        LiteralValue::Text(text) if text.is_empty() => None,
        LiteralValue::Text(text) => LiteralPath::new(PathStart::WorkingDirectory).join(&text),
        LiteralValue::Imported(_) => None,
    }
}
