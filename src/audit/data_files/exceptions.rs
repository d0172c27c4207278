//! Whether code handles the absence of files.

use ruff_python_ast::{self as ast, Expr, Stmt};

use crate::syntax::last_name;

/// What an `except` handles, rather than raising again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandledExceptions {
    MissingFiles,
    /// All exceptions alike.
    All,
}

/// Returns what an `except` handles; `None` for other exceptions than those of missing files, or if it raises again.
pub(super) fn handled(handler: &ast::ExceptHandler) -> Option<HandledExceptions> {
    let ast::ExceptHandler::ExceptHandler(handler) = handler;
    if handler.body.last().is_some_and(Stmt::is_raise_stmt) {
        return None;
    }
    let Some(kind) = handler.type_.as_deref() else { return Some(HandledExceptions::All) };
    if names_missing_files(kind) {
        Some(HandledExceptions::MissingFiles)
    } else {
        names_all(kind).then_some(HandledExceptions::All)
    }
}

fn names_all(kind: &Expr) -> bool {
    match kind {
        Expr::Tuple(kinds) => kinds.elts.iter().any(names_all),
        _ => matches!(last_name(kind), Some("Exception" | "BaseException")),
    }
}

/// Returns whether one of these exceptions is what the absence of a file raises, or a base class of it that is no other's.
fn names_missing_files(kind: &Expr) -> bool {
    match kind {
        Expr::Tuple(kinds) => kinds.elts.iter().any(names_missing_files),
        _ => last_name(kind).is_some_and(|name| {
            matches!(name, "FileNotFoundError" | "OSError" | "IOError" | "EnvironmentError" | "TemplateNotFound")
        }),
    }
}

/// Returns whether a context manager is `contextlib.suppress(FileNotFoundError)` or the like.
pub(super) fn suppresses_missing_files(context: &Expr) -> bool {
    let call = context.as_call_expr().filter(|call| last_name(&call.func) == Some("suppress"));
    call.is_some_and(|call| call.arguments.args.iter().any(names_missing_files))
}
