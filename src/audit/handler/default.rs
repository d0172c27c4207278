//! The handler of a function that is a single script.

use std::path::{Path, PathBuf};

use super::{Handler, InvalidHandler};
use crate::audit::names::ModuleNames;
use crate::hints::Hints;
use crate::platform::PythonVersion;

/// The names that AWS's console and examples give to handlers.
const NAMES: [&str; 2] = ["lambda_handler", "handler"];

/// Why a script does not tell which function of it is the handler.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnknownHandler {
    #[error("{} defines neither `lambda_handler` nor `handler`, and no handler is named", .0.display())]
    Neither(PathBuf),
    #[error("{} defines both `lambda_handler` and `handler`, and no handler is named", .0.display())]
    Both(PathBuf),
    #[error("Lambda cannot import {} as a module", .0.display())]
    NoModule(PathBuf),
    #[error(transparent)]
    Invalid(#[from] InvalidHandler),
}

impl Hints for UnknownHandler {
    fn hints(&self) -> Vec<String> {
        let (script, functions) = match self {
            Self::Neither(script) => (script, ["FUNCTION"].as_slice()),
            Self::Both(script) => (script, NAMES.as_slice()),
            Self::NoModule(_) => {
                return vec!["rename it to NAME.py, where NAME has no dot".to_owned()];
            }
            Self::Invalid(_) => return Vec::new(),
        };
        let module = script.file_stem().unwrap_or_default().to_string_lossy();
        let flags: Vec<String> = functions.iter().map(|function| format!("--handler {module}.{function}")).collect();
        vec![format!("pass {}", flags.join(" or "))]
    }
}

/// Returns the handler of a script: the one function of it that is named like one. A script that is not valid Python has the
/// first, so that the check of the handler says what is wrong.
///
/// # Errors
/// The script defines none or several, or is not named like a module.
pub(crate) fn default(script: &Path, source: &[u8]) -> Result<Handler, UnknownHandler> {
    let stem = script.file_stem().unwrap_or_default().to_string_lossy();
    if stem.contains('.') || script.extension().is_none_or(|extension| extension != "py") {
        return Err(UnknownHandler::NoModule(script.to_owned()));
    }
    let defined = match ModuleNames::read(source, PythonVersion::NEWEST) {
        Ok(names) => NAMES.into_iter().filter(|name| names.get(name).is_some()).collect(),
        Err(_) => vec![NAMES[0]],
    };
    match defined[..] {
        [only] => Ok(format!("{stem}.{only}").parse()?),
        [] => Err(UnknownHandler::Neither(script.to_owned())),
        [_, ..] => Err(UnknownHandler::Both(script.to_owned())),
    }
}
