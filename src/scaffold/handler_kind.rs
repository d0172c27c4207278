//! Which functions look like Lambda handlers.

use ruff_python_ast::{self as ast, Expr};

use super::entry_points::HandlerKind;

/// Decorators of AWS Lambda Powertools for handlers.
const POWERTOOLS: [&str; 5] =
    ["inject_lambda_context", "capture_lambda_handler", "log_metrics", "event_source", "lambda_handler_decorator"];

/// Returns why a function looks like a handler, if it does: its two parameters are named as in AWS's examples, it has the name
/// that the AWS console gives handlers, or it has a decorator for handlers.
pub(super) fn of(function: &ast::StmtFunctionDef) -> Option<HandlerKind> {
    let parameters = &function.parameters;
    let positional: Vec<_> = parameters.posonlyargs.iter().chain(&parameters.args).collect();
    let [event, context, rest @ ..] = &positional[..] else { return None };
    let mut others = rest.iter().copied().chain(&parameters.kwonlyargs);
    if !others.all(|parameter| parameter.default.is_some()) {
        return None;
    }
    let [event, context] =
        [event, context].map(|parameter| parameter.parameter.name.trim_matches('_').to_ascii_lowercase());
    let is_event = event.ends_with("event") || event == "evt";
    let is_context = context.ends_with("context") || context == "ctx";
    let is_decorated = function.decorator_list.iter().any(|decorator| {
        let callable = decorator.expression.as_call_expr().map_or(&decorator.expression, |call| &call.func);
        let last = match callable {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => return false,
        };
        POWERTOOLS.contains(&last)
    });
    let is_named = match function.name.as_str() {
        "lambda_handler" => true,
        // Functions that handle signals and exceptions have this name, too, but other parameters.
        "handler" => is_event || is_context,
        _ => false,
    };
    match (is_decorated, is_named, is_event && is_context) {
        (true, ..) => Some(HandlerKind::Powertools),
        (_, true, _) => Some(HandlerKind::Named),
        (.., true) => Some(HandlerKind::Function),
        _ => None,
    }
}
