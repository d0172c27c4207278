//! The services of botocore that a module names.

use ruff_python_ast::{self as ast, Expr};

use super::{UseCollector, argument, last_name};
use crate::trim::SlimRule;

/// Methods of sessions that load the model of the service that their first argument names.
const FACTORIES: [&str; 3] = ["client", "resource", "create_client"];

/// Methods of sessions and loaders that read the data of such a service.
const LOOKUPS: [&str; 8] = [
    "determine_latest_version",
    "get_available_regions",
    "get_paginator_model",
    "get_service_data",
    "get_service_model",
    "get_waiter_model",
    "list_api_versions",
    "load_service_model",
];

/// Methods that list what there is.
const LISTS: [&str; 3] = ["get_available_resources", "get_available_services", "list_available_services"];

/// Returns whether a top-level module is one of the libraries, or has types of their clients.
pub(super) fn is_library(module: &str) -> bool {
    matches!(module, "boto3" | "botocore" | "aioboto3" | "aiobotocore" | "types_aiobotocore")
        || module.starts_with("mypy_boto3")
}

impl UseCollector {
    /// Notes the services that a call names. Returns the position of an argument that is a function to call with the next
    /// argument, as of `functools.partial`.
    pub(super) fn note_services(&mut self, call: &ast::ExprCall) -> Option<usize> {
        let arguments = &call.arguments.args;
        let referred = arguments.iter().position(|argument| self.is_factory(argument).is_some());
        if let Some(at) = referred {
            let names = arguments.get(at + 1).and_then(|name| self.texts(name));
            let is_certain = self.is_factory(&arguments[at]).unwrap_or_default();
            self.add(SlimRule::Services, call, names, is_certain);
        }
        if last_name(&call.func) == Some("getattr") {
            let names = arguments.get(1).and_then(|name| self.texts(name)).unwrap_or_default();
            if names.iter().any(|name| FACTORIES.contains(&name.as_str())) {
                self.add(SlimRule::Services, call, None, false);
            }
        }
        let (method, is_certain) = match &*call.func {
            Expr::Attribute(function) => (function.attr.to_string(), self.is_session(&function.value)),
            function => {
                let dotted = self.dotted(function)?;
                let (module, name) = dotted.rsplit_once('.')?;
                (name.to_owned(), is_library(module))
            }
        };
        let (is_factory, is_lookup) = (FACTORIES.contains(&&*method), LOOKUPS.contains(&&*method));
        if LISTS.contains(&&*method) {
            self.add(SlimRule::Services, call, None, is_certain);
        } else if is_factory || is_lookup {
            match argument(call, "service_name", 0) {
                Some(name) => {
                    let names = self.texts(name);
                    if names.is_some() {
                        self.add(SlimRule::Services, call, names, true);
                    } else if may_be_text(name) {
                        self.add(SlimRule::Services, call, None, is_certain);
                    }
                }
                None if call.arguments.keywords.iter().any(|keyword| keyword.arg.is_none()) => {
                    self.add(SlimRule::Services, call, None, is_certain);
                }
                None => {}
            }
        }
        referred
    }

    /// Notes a function that is passed on rather than called: what it is called with is not known.
    pub(super) fn note_references(&mut self, expression: &Expr) {
        if let Some(is_certain) = self.is_factory(expression) {
            self.add(SlimRule::Services, expression, None, is_certain);
        }
        if self.is_discovery(expression) {
            self.add(SlimRule::Discovery, expression, None, true);
        }
    }

    /// Returns whether an expression is a function that loads a model, and if so, whether that is certain.
    fn is_factory(&self, expression: &Expr) -> Option<bool> {
        let is_function = |dotted: String| dotted == "boto3.client" || dotted == "boto3.resource";
        if self.dotted(expression).is_some_and(is_function) {
            return Some(true);
        }
        let attribute = expression.as_attribute_expr()?;
        (FACTORIES.contains(&attribute.attr.as_str()) && self.is_session(&attribute.value)).then_some(false)
    }

    /// Returns whether an expression looks like a session: `boto3`, `self._session`, `get_session()`.
    fn is_session(&self, expression: &Expr) -> bool {
        let expression = expression.as_call_expr().map_or(expression, |call| &call.func);
        let is_imported = self.dotted(expression).is_some_and(|dotted| is_library(&dotted));
        let name = last_name(expression).unwrap_or_default().to_lowercase();
        is_imported || ["session", "boto"].iter().any(|word| name.contains(word))
    }
}

/// Returns whether an expression may be the name of a service.
fn may_be_text(expression: &Expr) -> bool {
    !matches!(
        expression,
        Expr::NumberLiteral(_)
            | Expr::BytesLiteral(_)
            | Expr::BooleanLiteral(_)
            | Expr::NoneLiteral(_)
            | Expr::List(_)
            | Expr::Tuple(_)
            | Expr::Dict(_)
            | Expr::Lambda(_)
    )
}
