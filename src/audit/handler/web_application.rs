//! Applications of web frameworks, which Lambda cannot call: servers call them with other arguments than the event and the
//! context.

use crate::audit::frameworks::{self, Framework, ServerInterface};
use crate::audit::names::{Binding, ModuleNames};

/// Returns the framework of the application that a call in a module returns; `None` if it may return anything else.
pub(super) fn of_call(names: &ModuleNames, callee: &[String]) -> Option<Framework> {
    let (first, rest) = callee.split_first()?;
    let imported = match names.get(first)? {
        Binding::Imported(imported) if imported.level == 0 => format!("{}.{}", imported.module, imported.name),
        Binding::Module(module) => module.clone(),
        _ => return None,
    };
    frameworks::application(&rest.iter().fold(imported, |name, component| format!("{name}.{component}")))
}

/// Returns the hint to wrap the application of a name in the module at a path.
pub(super) fn wrapping_hint(interface: ServerInterface, path: &str, name: &str) -> String {
    let (distribution, import, wrapper) = match interface {
        ServerInterface::Asgi => ("mangum", "from mangum import Mangum", "Mangum"),
        ServerInterface::Wsgi => ("apig-wsgi", "from apig_wsgi import make_lambda_handler", "make_lambda_handler"),
    };
    format!("wrap it in {path}: `{import}` and `handler = {wrapper}({name})`, with {distribution} as a dependency")
}
