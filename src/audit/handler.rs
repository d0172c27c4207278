//! Whether a Lambda function's handler is in the artifact.
//!
//! Specification: [AWS, the handler of a Python function](https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html),
//! and [The Python Language Reference, the import system](https://docs.python.org/3/reference/import.html). The runtime
//! imports the part before the last dot, in which `/` counts as a dot, and takes the rest from the module.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;

use super::module::{Binding, More, Names};
use super::search::{self, Located, module_name};
use crate::hints::{Hints, did_you_mean, similarity};
use crate::platform::PythonVersion;
use crate::tree::{FileOrigin, FileTree};

/// The largest module that is read, in bytes; a larger one is taken to be right.
const READ_LIMIT: u64 = 4 << 20;

/// The fewest letters in common (Jaro–Winkler) at which a name is taken for a misspelling of another.
const SIMILARITY: f64 = 0.8;

/// How many near misses an error names.
const SHOWN: usize = 3;

/// Modules that are built into the interpreter, which the runtime refuses as handlers.
const BUILT_IN: [&str; 12] = [
    "atexit",
    "builtins",
    "errno",
    "faulthandler",
    "gc",
    "itertools",
    "marshal",
    "posix",
    "pwd",
    "sys",
    "time",
    "_thread",
];

/// A handler: `module.function`, where the module may be dotted or a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    text: String,
    /// Where the last dot is, which parts the module from the function.
    dot: usize,
}

/// A text that is no handler.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a handler of the form `module.function`: {reason}")]
pub struct InvalidHandler {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Handler {
    /// Returns the module's dotted name.
    pub fn module(&self) -> String {
        self.components().collect::<Vec<_>>().join(".")
    }

    /// Returns the function's name.
    pub fn function(&self) -> &str {
        &self.text[self.dot + 1..]
    }

    fn components(&self) -> impl Iterator<Item = &str> {
        self.text[..self.dot].split(['.', '/'])
    }
}

impl FromStr for Handler {
    type Err = InvalidHandler;

    fn from_str(text: &str) -> Result<Self, InvalidHandler> {
        let invalid = |reason| InvalidHandler { text: text.to_owned(), reason };
        let dot = text.rfind('.').ok_or_else(|| invalid("it has no dot"))?;
        let handler = Self { text: text.to_owned(), dot };
        let is_inner = |character: char| character.is_alphanumeric() || character == '_';
        let is_identifier =
            |name: &str| name.chars().all(is_inner) && name.chars().next().is_some_and(|first| !first.is_numeric());
        if !is_identifier(handler.function()) {
            return Err(invalid("what follows the last dot is no function's name"));
        }
        let is_stray = |character: char| character.is_whitespace() || character.is_control() || character == '\\';
        if handler.components().any(|name| name.is_empty() || name.contains(is_stray)) {
            return Err(invalid(
                "a component of the module's name is empty or has a character that cannot stand in it",
            ));
        }
        if handler.components().next().is_some_and(|first| BUILT_IN.contains(&first)) {
            return Err(invalid("the module is built into the interpreter"));
        }
        Ok(handler)
    }
}

impl fmt::Display for Handler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// A tree that modules are imported from, and the folder in it that is on Python's search path.
#[derive(Debug, Clone, Copy)]
pub struct Root<'a> {
    /// The tree.
    pub tree: &'a FileTree,
    /// The folder, without a leading or trailing slash; empty for the tree's root.
    pub site_packages: &'a str,
}

/// A handler that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path of the module in its tree.
    pub path: String,
    /// Why it is not sure that the module defines the function.
    pub doubt: Option<Doubt>,
}

/// Why a module's source does not tell whether it defines the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The module is compiled.
    Compiled,
    /// The module is too large or too deeply nested to be read.
    Unread,
    /// The module imports everything from another one, which is named.
    StarImport(String),
    /// The module computes its names: `__getattr__`, `globals()`, `exec` and the like.
    Dynamic,
}

impl fmt::Display for Doubt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiled => formatter.write_str("its module is compiled"),
            Self::Unread => formatter.write_str("its module is too large or too deeply nested to be read"),
            Self::StarImport(module) => write!(formatter, "its module imports everything from `{module}`"),
            Self::Dynamic => formatter.write_str("its module computes its names"),
        }
    }
}

/// Why a function with this handler would not run.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The module is not in the artifact.
    #[error("the handler `{handler}` would not run: there is no module `{}` in the artifact", handler.module())]
    NoModule {
        /// The handler.
        handler: Handler,
        /// Handlers that are there and much like it, the likeliest first.
        similar: Vec<String>,
    },
    /// The module is a package without `__init__.py`, which defines nothing.
    #[error("the handler `{handler}` would not run: `{}` is a folder without `__init__.py`", handler.module())]
    NamespacePackage {
        /// The handler.
        handler: Handler,
        /// Handlers that are there and much like it, the likeliest first.
        similar: Vec<String>,
    },
    /// The module does not define the function at its top level.
    #[error("the handler `{handler}` would not run: {path} defines no `{}` at its top level", handler.function())]
    NoFunction {
        /// The handler.
        handler: Handler,
        /// The module's path.
        path: String,
        /// Handlers that are there and much like it, the likeliest first.
        similar: Vec<String>,
    },
    /// The function is a coroutine function, which Lambda does not await.
    #[error("the handler `{handler}` would not run: it is an `async def` in {path}, and Lambda awaits nothing")]
    Coroutine {
        /// The handler.
        handler: Handler,
        /// The module's path.
        path: String,
    },
    /// The module is no Python of the target's version.
    #[error("the handler `{handler}` would not run: {path}:{line}:{column}: {reason}")]
    Syntax {
        /// The handler.
        handler: Handler,
        /// The module's path.
        path: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// The module cannot be read.
    #[error("cannot read {path}, the module of the handler `{handler}`")]
    Read {
        /// The handler.
        handler: Handler,
        /// The module's path.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl Hints for HandlerError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoModule { similar, .. }
            | Self::NamespacePackage { similar, .. }
            | Self::NoFunction { similar, .. } => {
                if similar.is_empty() {
                    return vec![
                        "the handler is `module.function`, with the module's path from the artifact's root".to_owned(),
                    ];
                }
                similar.iter().map(|handler| did_you_mean(handler)).collect()
            }
            Self::Coroutine { handler, .. } => vec![format!(
                "name a function that calls `asyncio.run({}(event, context))` instead",
                handler.function()
            )],
            Self::Syntax { .. } => vec!["correct the module, or choose another --runtime".to_owned()],
            Self::Read { .. } => Vec::new(),
        }
    }
}

/// Checks that the handler's module is in the artifact and defines the function.
///
/// `roots` are in the order of Python's search path: the function's own files come before its layer's. `is_own` tells
/// the application's files and the project's own distributions from the rest: near misses are looked for there.
///
/// # Errors
/// The module is missing, cannot be read, has a syntax error or does not define the function.
pub fn check(
    handler: &Handler,
    roots: &[Root<'_>],
    python: PythonVersion,
    is_own: impl Fn(&FileOrigin) -> bool,
) -> Result<Found, HandlerError> {
    let similar = || near_misses(handler, roots, python, &is_own);
    let (path, entry) = match search::locate(handler.components(), roots, python) {
        Located::Source(file) => (file.path.to_owned(), file.entry),
        Located::Compiled(file) => {
            return Ok(Found { path: file.path.to_owned(), doubt: Some(Doubt::Compiled) });
        }
        Located::Namespace(_) => {
            return Err(HandlerError::NamespacePackage { handler: handler.clone(), similar: similar() });
        }
        Located::Nowhere => return Err(HandlerError::NoModule { handler: handler.clone(), similar: similar() }),
    };
    let source = match entry.content.read(READ_LIMIT) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Ok(Found { path, doubt: Some(Doubt::Unread) });
        }
        Err(source) => return Err(HandlerError::Read { handler: handler.clone(), path, source }),
    };
    let names = Names::read(&source, python).map_err(|error| HandlerError::Syntax {
        handler: handler.clone(),
        path: path.clone(),
        line: error.line,
        column: error.column,
        reason: error.reason,
    })?;
    match (names.get(handler.function()), names.more) {
        (Some(Binding::Object), _) => Ok(Found { path, doubt: None }),
        (Some(Binding::Coroutine), _) => Err(HandlerError::Coroutine { handler: handler.clone(), path }),
        (None, Some(More::Star(module))) => Ok(Found { path, doubt: Some(Doubt::StarImport(module)) }),
        (None, Some(More::GetAttr | More::Dynamic)) => Ok(Found { path, doubt: Some(Doubt::Dynamic) }),
        (None, Some(More::TooDeep)) => Ok(Found { path, doubt: Some(Doubt::Unread) }),
        (None, None) => Err(HandlerError::NoFunction { handler: handler.clone(), path, similar: similar() }),
    }
}

/// Returns handlers that the user may have meant: a similar name in the module, or the name in another module.
fn near_misses(
    handler: &Handler,
    roots: &[Root<'_>],
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
                .read(READ_LIMIT)
                .map_err(drop)
                .and_then(|source| Names::read(&source, python).map_err(drop))
            else {
                continue;
            };
            let module_likeness = likeness(&module, &wanted);
            for name in names.iter() {
                let name_likeness = likeness(name, handler.function());
                let is_near = (module == wanted && name_likeness >= SIMILARITY)
                    || (name == handler.function())
                    || (module_likeness >= SIMILARITY && name_likeness >= SIMILARITY);
                if is_near {
                    candidates.insert(format!("{module}.{name}"), module_likeness + name_likeness);
                }
            }
        }
    }
    let mut candidates: Vec<(String, f64)> = candidates.into_iter().collect();
    candidates.sort_by(|one, other| other.1.total_cmp(&one.1));
    candidates.into_iter().take(SHOWN).map(|(candidate, _)| candidate).collect()
}

/// Returns how much two names have in common, from 0 to 1. Parts count as well: `handler` is like `lambda_handler`.
fn likeness(name: &str, wanted: &str) -> f64 {
    let contains = name.len().min(wanted.len()) > 3 && (name.contains(wanted) || wanted.contains(name));
    let similarity = similarity(name, wanted);
    if contains { similarity.max(SIMILARITY) } else { similarity }
}

#[cfg(test)]
mod tests;
