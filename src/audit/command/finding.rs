//! Why what a command names does not start.

use std::fmt;

use super::application::InvalidApplication;
use crate::audit::imports::MissingModule;
use crate::hints::{Hints, did_you_mean};
use crate::syntax::PythonSyntaxError;

/// Something that a container's command names and that does not start.
#[derive(Debug)]
pub(crate) struct StartFinding {
    /// The part of the command that names it, for instance `uvicorn main:app`.
    pub(crate) command: String,
    pub(crate) problem: StartProblem,
    /// Whether it certainly does not start.
    pub(crate) is_error: bool,
}

#[derive(Debug)]
pub(crate) enum StartProblem {
    /// An executable that is not on `PATH`, or a path.
    MissingExecutable {
        name: String,
        /// The package of the base's release of Debian that has it.
        package: Option<&'static str>,
        hints: Vec<String>,
    },
    /// A file that Python runs or that a server reads.
    MissingFile {
        path: String,
        similar: Vec<String>,
    },
    NotExecutable {
        path: String,
    },
    /// The kernel executes neither the file nor an interpreter for it.
    NoInterpreter {
        path: String,
        problem: InterpreterProblem,
    },
    /// The user may not read, execute or reach a file.
    Forbidden {
        path: String,
        user: String,
        access: &'static str,
    },
    UnknownUser {
        user: String,
    },
    UnknownGroup {
        group: String,
    },
    MissingModule(MissingModule),
    /// Statements that Python does not compile.
    Syntax(PythonSyntaxError),
    /// A package that `python -m` cannot run.
    NoMain {
        module: String,
        /// Whether it is a package of the standard library.
        is_standard: bool,
    },
    /// An attribute of a package without `__init__.py`.
    NamespacePackage {
        module: String,
        similar: Vec<String>,
    },
    /// The name of an application that a server refuses.
    InvalidApplication(InvalidApplication),
    MissingAttribute {
        /// The path of the module.
        path: String,
        attribute: String,
        /// What was probably meant, in the form that the command takes.
        similar: Vec<String>,
    },
    /// The attribute is something that cannot be called, of this kind.
    NotCallable {
        path: String,
        attribute: String,
        kind: &'static str,
    },
}

/// What is wrong with the first line of an executable that is not compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InterpreterProblem {
    /// Neither `#!` nor a compiled file.
    NoLine,
    ByteOrderMark,
    CarriageReturn,
    /// The interpreter exists neither in the image nor in its base.
    Missing(String),
}

impl fmt::Display for StartFinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.is_error { "cannot start" } else { "may not start" };
        match &self.problem {
            StartProblem::UnknownUser { user } => {
                return write!(formatter, "cannot start the container: the base image has no user `{user}`");
            }
            StartProblem::UnknownGroup { group } => {
                return write!(formatter, "cannot start the container: the base image has no group `{group}`");
            }
            _ => write!(formatter, "{verb} `{}`: ", self.command)?,
        }
        match &self.problem {
            StartProblem::MissingExecutable { name, .. } => {
                let it = if *name == self.command { "it".to_owned() } else { format!("`{name}`") };
                write!(formatter, "{it} exists neither in the image nor in its base")
            }
            StartProblem::MissingFile { path, .. } => {
                write!(formatter, "{path} exists neither in the image nor in its base")
            }
            StartProblem::NotExecutable { path } => write!(formatter, "{path} is not executable"),
            StartProblem::NoInterpreter { path, problem } => match problem {
                InterpreterProblem::NoLine => {
                    write!(formatter, "{path} does not begin with `#!` and the path of its interpreter")
                }
                InterpreterProblem::ByteOrderMark => {
                    write!(formatter, "{path} begins with a byte order mark instead of `#!`")
                }
                InterpreterProblem::CarriageReturn => write!(
                    formatter,
                    "the first line of {path} ends with a carriage return, which becomes part of the interpreter's name"
                ),
                InterpreterProblem::Missing(interpreter) => write!(
                    formatter,
                    "{interpreter}, the interpreter of {path}, exists neither in the image nor in its base"
                ),
            },
            StartProblem::Forbidden { path, user, access } => {
                write!(formatter, "the user {user} may not {access} {path}")
            }
            StartProblem::MissingModule(MissingModule { hidden: Some(hidden), .. }) => write!(formatter, "{hidden}"),
            StartProblem::MissingModule(missing) => {
                let MissingModule { module, python, .. } = missing;
                write!(formatter, "the module `{module}` is neither in the artifact nor in Python {python}")
            }
            StartProblem::Syntax(PythonSyntaxError { line, column, reason, .. }) => {
                write!(formatter, "line {line}, column {column}: {reason}")
            }
            StartProblem::NoMain { module, .. } => {
                write!(formatter, "`{module}` is a package without the module `__main__`")
            }
            StartProblem::NamespacePackage { module, .. } => {
                write!(formatter, "`{module}` is a package without `__init__.py`, which has no attributes")
            }
            StartProblem::InvalidApplication(invalid) => formatter.write_str(invalid.reason),
            StartProblem::MissingAttribute { path, attribute, .. } => {
                write!(formatter, "{path} does not define `{attribute}`")
            }
            StartProblem::NotCallable { path, attribute, kind } => {
                write!(formatter, "`{attribute}` is {kind} in {path}, which cannot be called")
            }
            StartProblem::UnknownUser { .. } | StartProblem::UnknownGroup { .. } => Ok(()),
        }
    }
}

impl std::error::Error for StartFinding {}

impl StartFinding {
    /// Returns the name that `--allow-missing` takes.
    pub(crate) fn missing(&self) -> Option<&String> {
        match &self.problem {
            StartProblem::MissingExecutable { name, .. } => Some(name),
            StartProblem::MissingFile { path, .. } => Some(path),
            StartProblem::MissingModule(missing) => Some(&missing.module),
            _ => None,
        }
    }
}

impl StartFinding {
    /// Returns the package that has what is missing.
    pub(crate) fn package(&self) -> Option<&'static str> {
        match &self.problem {
            StartProblem::MissingExecutable { package, .. } => *package,
            _ => None,
        }
    }
}

impl Hints for StartFinding {
    fn hints(&self) -> Vec<String> {
        match &self.problem {
            StartProblem::MissingExecutable { hints, .. } => hints.clone(),
            StartProblem::MissingFile { similar, .. }
            | StartProblem::MissingAttribute { similar, .. }
            | StartProblem::NamespacePackage { similar, .. } => {
                similar.iter().map(|similar| did_you_mean(similar)).collect()
            }
            StartProblem::NotExecutable { .. } => {
                vec!["run `chmod +x` on it, or set its include's mode = \"0755\"".to_owned()]
            }
            StartProblem::NoInterpreter { path, problem } => {
                vec![match problem {
                    InterpreterProblem::NoLine => {
                        format!("begin {path} with `#!` and the path of its interpreter, for instance `#!/bin/sh`")
                    }
                    InterpreterProblem::ByteOrderMark => {
                        format!("remove it, for instance with `sed -i '1s/^\\xEF\\xBB\\xBF//' {path}`")
                    }
                    InterpreterProblem::CarriageReturn => {
                        format!("convert its line endings, for instance with `sed -i 's/\\r$//' {path}`")
                    }
                    InterpreterProblem::Missing(_) => {
                        "choose a base that has it with --base, or change the first line".to_owned()
                    }
                }]
            }
            StartProblem::Forbidden { .. } => {
                vec!["set the include's `mode` or `owner`, or choose another user with --user".to_owned()]
            }
            StartProblem::UnknownUser { user } => vec![format!("add it with --add-user {user}")],
            StartProblem::UnknownGroup { .. } => vec!["name the group by its number".to_owned()],
            StartProblem::MissingModule(missing) => missing.remedies.clone(),
            StartProblem::Syntax(_) => Vec::new(),
            StartProblem::NoMain { is_standard: true, .. } => vec!["name one of its modules".to_owned()],
            StartProblem::NoMain { module, .. } => {
                vec![format!("add the file __main__.py to the package `{module}`, or name one of its modules")]
            }
            StartProblem::InvalidApplication(invalid) => {
                invalid.instead.iter().map(|instead| did_you_mean(instead)).collect()
            }
            StartProblem::NotCallable { .. } => {
                vec!["name an attribute that can be called".to_owned()]
            }
        }
    }
}
