//! What the names of a scope are bound to, as far as it decides which data is named.

use std::collections::HashMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, ExprContext, Stmt};

/// What a name may stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct BoundValue {
    /// The dotted name of what was imported.
    pub(super) imported: Option<String>,
    /// The strings.
    texts: Vec<String>,
    /// The functions whose results are bound, as they are written.
    pub(super) calls: Vec<Expr>,
    /// Whether it is bound to anything else as well.
    is_open: bool,
}

/// The names of one module, class or function. Those of inner scopes are their own.
#[derive(Debug, Default)]
pub(super) struct Scope {
    names: HashMap<String, BoundValue>,
    /// The package that relative imports start from.
    package: Vec<String>,
}

impl Scope {
    pub(super) fn of(package: &[String], parameters: Option<&ast::Parameters>, body: &[Stmt]) -> Self {
        let mut scope = Self { names: HashMap::new(), package: package.to_vec() };
        for parameter in parameters.into_iter().flat_map(|parameters| parameters.iter()) {
            scope.bind(parameter.name()).is_open = true;
        }
        scope.visit_body(body);
        scope
    }

    pub(super) fn get(&self, name: &str) -> Option<&BoundValue> {
        self.names.get(name)
    }

    fn bind(&mut self, name: &str) -> &mut BoundValue {
        self.names.entry(name.to_owned()).or_default()
    }

    fn assign(&mut self, target: &Expr, value: &Expr) {
        let Expr::Name(name) = target else { return self.visit_expr(target) };
        let binding = self.bind(&name.id);
        match (value, texts(value)) {
            (_, Some(found)) => binding.texts.extend(found),
            (Expr::Call(call), None) => binding.calls.push((*call.func).clone()),
            _ => binding.is_open = true,
        }
    }

    /// Binds the target of a loop, which takes the elements of what it iterates over.
    fn iterate(&mut self, target: &Expr, iterated: &Expr) {
        match (target, iterated) {
            (
                Expr::Name(name),
                Expr::Tuple(ast::ExprTuple { elts, .. })
                | Expr::List(ast::ExprList { elts, .. })
                | Expr::Set(ast::ExprSet { elts, .. }),
            ) => {
                let found: Option<Vec<Vec<String>>> = elts.iter().map(texts).collect();
                let binding = self.bind(&name.id);
                match found {
                    Some(found) => binding.texts.extend(found.into_iter().flatten()),
                    None => binding.is_open = true,
                }
            }
            _ => self.visit_expr(target),
        }
    }
}

impl BoundValue {
    /// Returns the strings that the name stands for; `None` if it may stand for anything else.
    pub(super) fn texts(&self) -> Option<&[String]> {
        let is_known = !self.is_open && self.imported.is_none() && self.calls.is_empty() && !self.texts.is_empty();
        is_known.then_some(&self.texts[..])
    }

    /// Returns whether the name stands for results of functions alone.
    pub(super) fn is_called(&self) -> bool {
        !self.is_open && self.imported.is_none() && !self.calls.is_empty() && self.texts.is_empty()
    }
}

/// Returns the strings that a literal expression may be; `None` if it is anything else.
fn texts(value: &Expr) -> Option<Vec<String>> {
    match value {
        Expr::StringLiteral(literal) => Some(vec![literal.value.to_str().to_owned()]),
        Expr::If(choice) => Some([texts(&choice.body)?, texts(&choice.orelse)?].concat()),
        _ => None,
    }
}

/// Returns the absolute name of what is imported from; `None` if it is beyond the top-level package.
pub(super) fn absolute(package: &[String], level: u32, module: Option<&str>) -> Option<String> {
    let module = module.unwrap_or_default();
    if level == 0 {
        return Some(module.to_owned());
    }
    let kept = package.get(..package.len().checked_sub(level as usize - 1)?)?;
    let components = kept.iter().map(String::as_str).chain((!module.is_empty()).then_some(module));
    Some(components.collect::<Vec<_>>().join("."))
}

impl<'a> Visitor<'a> for Scope {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let top = alias.name.split('.').next().unwrap_or_default();
                    let (name, module) = match &alias.asname {
                        Some(name) => (name.as_str(), alias.name.as_str()),
                        None => (top, top),
                    };
                    self.bind(name).imported.get_or_insert_with(|| module.to_owned());
                }
            }
            Stmt::ImportFrom(import) => {
                let Some(module) = absolute(&self.package, import.level, import.module.as_deref()) else { return };
                for alias in import.names.iter().filter(|alias| alias.name.as_str() != "*") {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    let imported = format!("{module}.{}", alias.name);
                    self.bind(name).imported.get_or_insert(imported);
                }
            }
            Stmt::Assign(assignment) => {
                self.visit_expr(&assignment.value);
                assignment.targets.iter().for_each(|target| self.assign(target, &assignment.value));
            }
            Stmt::AnnAssign(assignment) => {
                if let Some(value) = &assignment.value {
                    self.visit_expr(value);
                    self.assign(&assignment.target, value);
                }
            }
            Stmt::For(iteration) => {
                self.iterate(&iteration.target, &iteration.iter);
                self.visit_expr(&iteration.iter);
                self.visit_body(&iteration.body);
                self.visit_body(&iteration.orelse);
            }
            Stmt::FunctionDef(function) => self.bind(&function.name).is_open = true,
            Stmt::ClassDef(class) => self.bind(&class.name).is_open = true,
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if name.ctx != ExprContext::Load => self.bind(&name.id).is_open = true,
            Expr::Lambda(_) => {}
            _ => visitor::walk_expr(self, expression),
        }
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        self.iterate(&comprehension.target, &comprehension.iter);
        self.visit_expr(&comprehension.iter);
        comprehension.ifs.iter().for_each(|condition| self.visit_expr(condition));
    }
}
