//! Checks that the handler of a Lambda function is in the artifact.
//!
//! Specification: [AWS, the handler of a Python function](https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html),
//! and [The Python Language Reference, the import system](https://docs.python.org/3/reference/import.html). The runtime
//! (`_get_handler` in awslambdaric's `bootstrap.py`) imports the part before the last dot, with each `/` replaced by a
//! dot, and gets the rest as an attribute of the module.

mod default;
mod definition;
mod web_application;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;

use super::frameworks::Framework;
use super::names::{Binding, ModuleNames};
use super::search::{UnfoundModule, module_name};
use super::{BUILT_IN_MODULES, LARGEST_MODULE};
use crate::hints::{self, Hints, did_you_mean};
use crate::platform::{ExtensionSuffixes, PythonVersion};
use crate::tree::{FileOrigin, FileTree};
pub(crate) use default::{UnknownHandler, default};
use definition::HandlerCheck;

/// The Jaro–Winkler similarity from which on a name counts as a misspelling of another.
const SIMILARITY: f64 = 0.8;

/// The names that most handlers have.
const CONVENTIONAL: [&str; 2] = ["handler", "lambda_handler"];

/// How many similar handlers an error suggests.
const SUGGESTIONS: usize = 3;

/// A handler, `module.function`. The module is a dotted name or a path with slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handler {
    text: String,
    /// The offset of the last dot, which separates the module from the function.
    dot: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid handler, expected `module.function`: {reason}{}", suggestion(text))]
pub(crate) struct InvalidHandler {
    pub(crate) text: String,
    pub(crate) reason: &'static str,
}

impl Handler {
    /// Returns the module's dotted name.
    pub(crate) fn module(&self) -> String {
        self.components().collect::<Vec<_>>().join(".")
    }

    pub(crate) fn function(&self) -> &str {
        &self.text[self.dot + 1..]
    }

    fn components(&self) -> impl Iterator<Item = &str> {
        self.text[..self.dot].split(['.', '/'])
    }
}

impl FromStr for Handler {
    type Err = InvalidHandler;

    fn from_str(text: &str) -> Result<Self, InvalidHandler> {
        if text.contains(':') {
            // As servers of web applications are told.
            return Err(InvalidHandler::new(text, "the function follows a dot, not a colon"));
        }
        let dot = text.rfind('.').ok_or_else(|| InvalidHandler::new(text, "it has no dot"))?;
        let handler = Self { text: text.to_owned(), dot };
        if !is_identifier(handler.function()) {
            return Err(InvalidHandler::new(text, "the part after the last dot is not a function name"));
        }
        if handler.components().any(|name| name.is_empty() || name.contains(is_invalid_in_module)) {
            return Err(InvalidHandler::new(text, "the module name has an empty component or an invalid character"));
        }
        if handler.components().next().is_some_and(|first| BUILT_IN_MODULES.contains(&first)) {
            return Err(InvalidHandler::new(text, "Lambda does not run modules that are built into the interpreter"));
        }
        Ok(handler)
    }
}

impl InvalidHandler {
    fn new(text: &str, reason: &'static str) -> Self {
        Self { text: text.to_owned(), reason }
    }
}

/// Returns the handler that a string with a colon stands for, as the end of a message; empty if it stands for none.
fn suggestion(text: &str) -> String {
    let handler = text.replace(".py:", ".").replace(':', ".");
    let is_meant = text.contains(':') && handler.parse::<Handler>().is_ok();
    if is_meant { format!(": {}", did_you_mean(&handler)) } else { String::new() }
}

/// Returns whether a string is an identifier, as far as handlers and file names are concerned.
pub(super) fn is_identifier(text: &str) -> bool {
    text.chars().all(|character| character.is_alphanumeric() || character == '_')
        && text.chars().next().is_some_and(|first| !first.is_numeric())
}

fn is_invalid_in_module(character: char) -> bool {
    character.is_whitespace() || character.is_control() || character == '\\'
}

impl fmt::Display for Handler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A tree and the directory in it that is on Python's search path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImportRoot<'a> {
    pub(crate) tree: &'a FileTree,
    /// Without a leading or trailing slash; empty for the root of the tree.
    pub(crate) site_packages: &'a str,
    /// The suffixes of extension modules.
    pub(crate) suffixes: &'a ExtensionSuffixes,
}

/// A handler whose module is in the artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocatedHandler {
    /// The path of the module in its tree.
    pub(crate) path: String,
    /// Why the module may not define the function.
    pub(crate) uncertainty: Option<HandlerUncertainty>,
}

/// Why a module's source does not show whether the module defines the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HandlerUncertainty {
    Compiled,
    /// The module is too large or too deeply nested.
    Unparsed,
    /// `from MODULE import *`.
    StarImport(String),
    /// `__getattr__`, `globals()`, `exec` and the like.
    Dynamic,
}

impl fmt::Display for HandlerUncertainty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiled => formatter.write_str("its module is compiled"),
            Self::Unparsed => formatter.write_str("its module is too large or too deeply nested to parse"),
            Self::StarImport(module) => write!(formatter, "its module has `from {module} import *`"),
            Self::Dynamic => formatter.write_str("its module defines names dynamically"),
        }
    }
}

/// Why Lambda could not run a handler.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandlerError {
    #[error("cannot run the handler `{handler}`: the artifact has no module `{}`", handler.module())]
    NoModule {
        handler: Handler,
        /// Similar handlers, the likeliest first.
        similar: Vec<String>,
        /// The file or package of the project that has the module, if it is not in the artifact.
        omitted: Option<String>,
        /// Whether the project has a file of the handler's name, such as `run.sh`, which the Lambda Web Adapter may start.
        is_file: bool,
        /// The flag that excludes the project itself.
        excluded_by: Option<&'static str>,
    },
    #[error("cannot run the handler `{handler}`: {hidden}")]
    HiddenModule { handler: Handler, hidden: UnfoundModule },
    /// The module is a package without `__init__.py`, which defines nothing.
    #[error("cannot run the handler `{handler}`: `{}` is a directory without `__init__.py`", handler.module())]
    NamespacePackage {
        handler: Handler,
        /// Similar handlers, the likeliest first.
        similar: Vec<String>,
    },
    #[error("cannot run the handler `{handler}`: {path} does not define `{}` at its top level", handler.function())]
    NoFunction {
        handler: Handler,
        path: String,
        /// Similar handlers, the likeliest first.
        similar: Vec<String>,
    },
    #[error("cannot run the handler `{handler}`: it is an `async def` in {path}, and Lambda does not await its result")]
    Coroutine { handler: Handler, path: String, function: String },
    #[error(
        "cannot run the handler `{handler}`: Lambda calls it with two arguments, the event and the context, and {path} \
         defines it with other parameters"
    )]
    Parameters { handler: Handler, path: String, function: String },
    #[error(
        "cannot run the handler `{handler}`: it is an application of {} in {path}, which Lambda cannot call with the event \
         and the context",
        .framework.name
    )]
    WebApplication {
        handler: Handler,
        path: String,
        /// The name of the application in that module. Boxed: with a `String`, clippy finds all errors of builds too large.
        name: Box<str>,
        framework: Framework,
        /// Similar handlers, the likeliest first.
        similar: Vec<String>,
    },
    #[error("cannot run the handler `{handler}`: it is {kind} in {path}, not a function")]
    NoCallable {
        handler: Handler,
        path: String,
        /// With an article.
        kind: &'static str,
        /// Whether the handler's module imports it.
        is_imported: bool,
        /// Similar handlers, the likeliest first.
        similar: Vec<String>,
    },
    /// The module gets it from another one.
    #[error("cannot run the handler `{handler}`: {path} gets it from {from}, which does not define `{name}`")]
    NotReExported { handler: Handler, path: String, from: String, name: String },
    /// The module is not valid Python of the target's version.
    #[error("cannot run the handler `{handler}`: {path}:{line}:{column}: {reason}")]
    Syntax {
        handler: Handler,
        path: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        reason: String,
        /// Whether another version of Python accepts the module.
        is_of_version: bool,
    },
    #[error("cannot read {path}, the module of the handler `{handler}`")]
    Read { handler: Handler, path: String, source: io::Error },
}

impl Hints for HandlerError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoModule { excluded_by: Some(flag), .. } => {
                vec![format!("omit {flag} (or its key in [tool.pybundle]): it excludes the project itself")]
            }
            Self::NoModule { omitted: Some(omitted), handler, similar, .. } => {
                // The name of the module begins with the directory that is not part of it, such as `src`.
                let shorter = similar.iter().filter(|similar| handler.text.ends_with(&format!(".{similar}")));
                let mut hints: Vec<String> = shorter.map(|similar| did_you_mean(similar)).collect();
                hints.push(format!(
                    "include it with --include {omitted}: it is in the project, but not in the artifact"
                ));
                hints
            }
            Self::NoModule { is_file: true, .. } => vec![
                "omit --handler (or its key in [tool.pybundle]), which names a function of Python: a file that the Lambda Web \
                 Adapter starts is not checked"
                    .to_owned(),
            ],
            Self::NoModule { similar, .. }
            | Self::NamespacePackage { similar, .. }
            | Self::NoFunction { similar, .. }
            | Self::NoCallable { similar, .. }
            | Self::WebApplication { similar, .. }
                if !similar.is_empty() =>
            {
                similar.iter().map(|handler| did_you_mean(handler)).collect()
            }
            Self::NoModule { .. } | Self::NamespacePackage { .. } => {
                vec!["use `module.function`, with the dotted name of the module from the artifact's root".to_owned()]
            }
            Self::NoCallable { is_imported: true, .. } => {
                vec!["name a function of the application with --handler".to_owned()]
            }
            Self::NoFunction { handler, path, .. } | Self::NoCallable { handler, path, .. } => vec![format!(
                "define `def {}(event, context)` in {path}, or name a function with --handler",
                handler.function()
            )],
            Self::WebApplication { path, name, framework, .. } => {
                vec![web_application::wrapping_hint(framework.interface, path, name)]
            }
            Self::NotReExported { from, name, .. } => {
                vec![format!("define `def {name}(event, context)` in {from}, or import another name")]
            }
            Self::Coroutine { function, .. } => {
                vec![format!("use a function that calls `asyncio.run({function}(event, context))`")]
            }
            Self::Parameters { function, .. } => vec![format!("define it as `def {function}(event, context)`")],
            Self::Syntax { is_of_version: true, .. } => {
                vec!["fix the module, or choose another version with --runtime".to_owned()]
            }
            Self::Syntax { path, .. } => vec![format!("fix {path}")],
            Self::HiddenModule { hidden, .. } => hidden.hints(),
            Self::Read { .. } => Vec::new(),
        }
    }
}

/// Checks that the handler's module is in the artifact, and that the handler is a function there or where the module gets it
/// from.
///
/// `roots` are in the order of Python's search path: the files of the function come before those of its layer. Similar
/// handlers are suggested from files for which `is_own` is true: the application and the project's own distributions.
///
/// # Errors
/// The module is missing, cannot be read, has a syntax error or does not define the function.
pub(crate) fn check(
    handler: &Handler,
    roots: &[ImportRoot<'_>],
    python: PythonVersion,
    is_own: impl Fn(&FileOrigin) -> bool,
) -> Result<LocatedHandler, HandlerError> {
    HandlerCheck { handler, roots, python, is_own: &is_own }.run()
}

/// Returns handlers that the user may have meant: a similar name in the module, or the name in another module.
fn similar_handlers(
    handler: &Handler,
    roots: &[ImportRoot<'_>],
    python: PythonVersion,
    is_own: &dyn Fn(&FileOrigin) -> bool,
) -> Vec<String> {
    let wanted = handler.module();
    let mut candidates: BTreeMap<String, f64> = BTreeMap::new();
    for root in roots {
        for (path, entry) in root.tree.iter().filter(|(_, entry)| is_own(&entry.origin)) {
            let Some(module) = module_name(path.as_str(), root.site_packages) else { continue };
            let Ok(names) = entry
                .content
                .read(LARGEST_MODULE)
                .map_err(drop)
                .and_then(|source| ModuleNames::read(&source, python).map_err(drop))
            else {
                continue;
            };
            let module_similarity = similarity(&module, &wanted);
            for (name, binding) in names.iter() {
                let is_possible = match binding {
                    Binding::Object | Binding::Coroutine | Binding::Alias(_) => true,
                    Binding::Call(callee) => web_application::of_call(&names, callee).is_none(),
                    // Imported names are other modules', unless they are imported to be handlers.
                    Binding::Imported(_) => name == handler.function() && module != wanted,
                    Binding::OtherParameters | Binding::Class { .. } | Binding::Module(_) | Binding::Literal(_) => {
                        false
                    }
                };
                if !is_possible {
                    continue;
                }
                let name_similarity = similarity(name, handler.function());
                // A module was named instead of a handler.
                let is_in_named = module == handler.text && CONVENTIONAL.contains(&name);
                let is_near = is_in_named
                    || (module == wanted && (name_similarity >= SIMILARITY || CONVENTIONAL.contains(&name)))
                    || (name == handler.function())
                    || (module_similarity >= SIMILARITY && name_similarity >= SIMILARITY);
                if is_near {
                    candidates.insert(format!("{module}.{name}"), module_similarity + name_similarity);
                }
            }
        }
    }
    let mut candidates: Vec<(String, f64)> = candidates.into_iter().collect();
    candidates.sort_by(|one, other| other.1.total_cmp(&one.1));
    candidates.into_iter().take(SUGGESTIONS).map(|(candidate, _)| candidate).collect()
}

/// Returns how similar two names are, from 0 to 1. A name is similar to one that contains it: `handler` to
/// `lambda_handler`.
fn similarity(name: &str, wanted: &str) -> f64 {
    let similarity = hints::similarity(name, wanted);
    let is_part = name.len().min(wanted.len()) > 3 && (name.contains(wanted) || wanted.contains(name));
    if is_part { similarity.max(SIMILARITY) } else { similarity }
}

#[cfg(test)]
mod tests;
