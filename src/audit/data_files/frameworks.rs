//! The directories and files that frameworks look for.

use ruff_python_ast::{self as ast, Expr};

use super::source::{PathCollector, UseKind, keyword};
use crate::audit::imports::condition::text;
use crate::audit::literal_path::{LiteralPath, LiteralValue};
use crate::syntax::last_name;

/// Visits a call that a framework gives a meaning to. Returns whether nothing else is to be said about it.
pub(super) fn visit(collector: &mut PathCollector, call: &ast::ExprCall) -> bool {
    add_template_names(collector, call);
    let Some(function) = collector.evaluator().function(&call.func) else { return visit_method(collector, call) };
    let arguments = &call.arguments;
    let first = arguments.args.first();
    let second = arguments.args.get(1);
    match function.as_str() {
        "flask.Flask" => visit_flask(collector, call, first.or_else(|| keyword(arguments, &["import_name"])), true),
        "flask.Blueprint" => {
            visit_flask(collector, call, second.or_else(|| keyword(arguments, &["import_name"])), false);
        }
        "jinja2.FileSystemLoader" | "jinja2.loaders.FileSystemLoader" => {
            let directories = first.or_else(|| keyword(arguments, &["searchpath"]));
            directories.into_iter().for_each(|value| visit_template_directories(collector, value, UseKind::Read));
        }
        "jinja2.PackageLoader" | "jinja2.loaders.PackageLoader" => {
            let directory = second.or_else(|| keyword(arguments, &["package_path"]));
            let directory = directory.map_or(Some("templates"), text);
            let package = first.and_then(|package| collector.evaluator().package(package));
            if let Some(path) = package.zip(directory).and_then(|(package, directory)| package.join(directory)) {
                collector.add_templates(call, path, UseKind::Read);
            }
        }
        "fastapi.templating.Jinja2Templates" | "starlette.templating.Jinja2Templates" => {
            let directories = first.or_else(|| keyword(arguments, &["directory"]));
            directories.into_iter().for_each(|value| visit_template_directories(collector, value, UseKind::Read));
        }
        "fastapi.staticfiles.StaticFiles" | "starlette.staticfiles.StaticFiles" => {
            let directory = first.or_else(|| keyword(arguments, &["directory"]));
            let path = directory.and_then(|directory| collector.evaluator().path(directory));
            let is_checked = keyword(arguments, &["check_dir"]).is_none_or(is_true);
            match path {
                Some(path) if is_checked => collector.add(call, path, UseKind::Read, None),
                Some(path) => collector.add_optional(call, path),
                None => return false,
            }
        }
        "mako.lookup.TemplateLookup" => {
            let directories = first.or_else(|| keyword(arguments, &["directories"]));
            directories.into_iter().for_each(|value| visit_template_directories(collector, value, UseKind::Searched));
        }
        "alembic.config.Config" => {
            let file = first.or_else(|| keyword(arguments, &["file_"]));
            match file.and_then(|file| collector.evaluator().path(file)) {
                Some(path) => collector.add(call, path, UseKind::AlembicConfig, None),
                None => return false,
            }
        }
        "gettext.translation" => {
            let directory = second.or_else(|| keyword(arguments, &["localedir"]));
            let path = directory.and_then(|directory| collector.evaluator().path(directory));
            let Some((path, domain)) = path.zip(first.and_then(text)) else { return false };
            if keyword(arguments, &["fallback"]).is_some_and(is_true) {
                collector.add_optional(call, path);
            } else {
                collector.add(call, path, UseKind::Catalog(domain.to_owned()), None);
            }
        }
        "gettext.bindtextdomain" | "gettext.install" | "locale.bindtextdomain" => {
            let directory = second.or_else(|| keyword(arguments, &["localedir"]));
            match directory.and_then(|directory| collector.evaluator().path(directory)) {
                Some(path) => collector.add(call, path, UseKind::Searched, None),
                None => return false,
            }
        }
        _ => match resource(collector, &function, arguments) {
            Some(path) => collector.add(call, path, UseKind::Read, None),
            None => return visit_method(collector, call),
        },
    }
    true
}

/// Visits a method of an object of a framework.
fn visit_method(collector: &mut PathCollector, call: &ast::ExprCall) -> bool {
    let arguments = &call.arguments.args;
    // Alembic's `Config.set_main_option("script_location", "migrations")`.
    let is_location =
        last_name(&call.func) == Some("set_main_option") && arguments.first().and_then(text) == Some("script_location");
    let path = arguments.get(1).filter(|_| is_location).and_then(|value| collector.evaluator().path(value));
    match path {
        Some(path) => {
            collector.add(call, path, UseKind::Read, None);
            true
        }
        None => false,
    }
}

/// Returns the resource of a package that a function reads.
fn resource(collector: &PathCollector, function: &str, arguments: &ast::Arguments) -> Option<LiteralPath> {
    let name = function
        .strip_prefix("importlib.resources.")
        .or_else(|| function.strip_prefix("importlib_resources."))
        .or_else(|| function.strip_prefix("pkg_resources.resource_"))
        .or_else(|| function.strip_prefix("pkgutil."))?;
    let is_reader = matches!(
        name,
        "get_data"
            | "open_binary"
            | "open_text"
            | "path"
            | "read_binary"
            | "read_text"
            | "filename"
            | "stream"
            | "string"
    );
    let package = collector.evaluator().package(arguments.args.first().filter(|_| is_reader)?)?;
    match collector.evaluator().evaluate(arguments.args.get(1)?)? {
        LiteralValue::Text(resource) => package.join(&resource),
        _ => None,
    }
}

/// Visits `Flask(__name__)` or `Blueprint("name", __name__)`, whose directories are relative to the module.
fn visit_flask(collector: &mut PathCollector, call: &ast::ExprCall, import_name: Option<&Expr>, is_application: bool) {
    let import_name = import_name.and_then(last_name);
    let root = collector.evaluator().file().parent();
    let root = (import_name == Some("__name__")).then_some(root);
    let templates =
        flask_directory(collector, call, root.as_ref(), "template_folder", is_application.then_some("templates"));
    let static_files =
        flask_directory(collector, call, root.as_ref(), "static_folder", is_application.then_some("static"));
    templates.into_iter().for_each(|path| collector.add_templates(call, path, UseKind::Searched));
    match static_files {
        Some(path) if keyword(&call.arguments, &["static_folder"]).is_some() => {
            collector.add(call, path, UseKind::Searched, None);
        }
        Some(path) => collector.add_optional(call, path),
        None => {}
    }
}

/// Returns the directory that an argument names, or that Flask has by default, relative to the directory of the module.
fn flask_directory(
    collector: &PathCollector,
    call: &ast::ExprCall,
    root: Option<&LiteralPath>,
    name: &str,
    default: Option<&str>,
) -> Option<LiteralPath> {
    match keyword(&call.arguments, &[name]) {
        None => root?.clone().join(default?),
        Some(value) => match collector.evaluator().evaluate(value)? {
            LiteralValue::Text(text) => root?.clone().join(&text),
            LiteralValue::Path(path) => Some(path),
            LiteralValue::Imported(_) => None,
        },
    }
}

/// Visits one or several directories of templates. Of several, some may be missing.
pub(super) fn visit_template_directories(collector: &mut PathCollector, value: &Expr, kind: UseKind) {
    let (values, kind) = match value {
        Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
            (&elts[..], UseKind::Searched)
        }
        one => (std::slice::from_ref(one), kind),
    };
    for value in values {
        if let Some(path) = collector.evaluator().path(value) {
            collector.add_templates(value, path, kind.clone());
        }
    }
}

/// Adds the template that a call renders.
fn add_template_names(collector: &mut PathCollector, call: &ast::ExprCall) {
    let arguments = &call.arguments;
    let first = arguments.args.first();
    let second = arguments.args.get(1);
    let name = match last_name(&call.func) {
        Some("render_template" | "get_template" | "render_to_string" | "render_template_async") => first,
        // Starlette's has the request first, since 0.29; before, the name.
        Some("TemplateResponse") => {
            keyword(arguments, &["name"]).or(first.filter(|first| text(first).is_some())).or(second)
        }
        Some("render") if collector.evaluator().function(&call.func).as_deref() == Some("django.shortcuts.render") => {
            second.or_else(|| keyword(arguments, &["template_name"]))
        }
        _ => None,
    };
    if let Some(name) = name.and_then(text) {
        collector.add_template(call, name);
    }
}

fn is_true(expression: &Expr) -> bool {
    expression.as_boolean_literal_expr().is_some_and(|literal| literal.value)
}
