//! What a command line starts, as far as it can be read with certainty: through shells and small init processes, by Python,
//! and by the servers that take an application as `MODULE:ATTRIBUTE`.

mod application;
pub(crate) mod code;
mod finding;
mod reader;
pub(crate) mod servers;
mod shell;

pub(crate) use application::{ApplicationAttribute, ModuleLocation};
pub(crate) use finding::{InterpreterProblem, StartFinding, StartProblem};
pub(crate) use reader::{CommandReader, Started, StartedKind};
pub(crate) use servers::{ApplicationServer, ModuleSyntax};

/// Returns a path, absolute, with neither `.` nor `..`. A relative path is below a directory.
pub(crate) fn absolute(directory: &str, path: &str) -> String {
    let mut components: Vec<&str> = Vec::new();
    let directory = if path.starts_with('/') { "" } else { directory };
    for component in directory.split('/').chain(path.split('/')) {
        match component {
            "" | "." => {}
            ".." => {
                components.pop();
            }
            _ => components.push(component),
        }
    }
    format!("/{}", components.join("/"))
}
