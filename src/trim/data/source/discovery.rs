//! The discovery documents of Google's APIs that a module names.

use ruff_python_ast::{self as ast, Expr};

use super::{UseCollector, argument};
use crate::trim::SlimRule;

/// The functions that read a document by the name and the version of an API. `apiclient` is the earlier name of the package.
const FUNCTIONS: [&str; 3] =
    ["apiclient.discovery.build", "googleapiclient.discovery.build", "googleapiclient.discovery_cache.get_static_doc"];

impl UseCollector {
    /// Notes the API that a call names. Documents that are fetched are no data of the library.
    pub(super) fn note_discovery(&mut self, call: &ast::ExprCall) {
        let is_fetched = call.arguments.keywords.iter().any(|keyword| {
            let name = keyword.arg.as_ref().map(ast::Identifier::as_str);
            let is_false = keyword.value.as_boolean_literal_expr().is_some_and(|literal| !literal.value);
            name == Some("discoveryServiceUrl") || name == Some("static_discovery") && is_false
        });
        if is_fetched || !self.is_discovery(&call.func) {
            return;
        }
        let names = argument(call, "serviceName", 0).and_then(|name| self.texts(name));
        let versions = argument(call, "version", 1).and_then(|version| self.texts(version));
        let names = names.map(|names| match versions {
            Some(versions) => {
                let documents = names.iter().flat_map(|name| versions.iter().map(move |at| format!("{name}.{at}")));
                documents.collect()
            }
            None => names,
        });
        self.add(SlimRule::Discovery, call, names, true);
    }

    /// Returns whether an expression is a function that reads a document.
    pub(super) fn is_discovery(&self, expression: &Expr) -> bool {
        self.dotted(expression).is_some_and(|dotted| FUNCTIONS.contains(&&*dotted))
    }
}
