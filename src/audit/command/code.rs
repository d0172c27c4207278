//! The imports of statements on a command line (`python -c`).

use ruff_python_ast::Stmt;

use crate::platform::PythonVersion;
use crate::syntax::{self, PythonSyntaxError};

/// A module that statements import as soon as they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CodeImport {
    /// The dotted name.
    pub(crate) module: String,
    /// What is imported from it.
    pub(crate) name: Option<String>,
}

/// Returns the imports that statements execute under no condition.
///
/// # Errors
/// Python does not compile the statements.
pub(crate) fn imports(code: &str, python: PythonVersion) -> Result<Vec<CodeImport>, PythonSyntaxError> {
    let found = syntax::parse(code.as_bytes(), python, |_, body| body.iter().flat_map(imports_of).collect())?;
    Ok(found.unwrap_or_default())
}

fn imports_of(statement: &Stmt) -> Vec<CodeImport> {
    match statement {
        Stmt::Import(import) => {
            import.names.iter().map(|alias| CodeImport { module: alias.name.to_string(), name: None }).collect()
        }
        Stmt::ImportFrom(import) if import.level == 0 => {
            let module = import.module.as_ref().map(ToString::to_string).unwrap_or_default();
            let names = import.names.iter().map(|alias| (alias.name.as_str() != "*").then(|| alias.name.to_string()));
            names.map(|name| CodeImport { module: module.clone(), name }).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_import_what_they_name() {
        let python = PythonVersion::new(13);
        let named = |code: &str| -> Vec<String> {
            let imports = imports(code, python).unwrap().into_iter();
            imports.map(|import| format!("{}:{}", import.module, import.name.unwrap_or_default())).collect()
        };
        assert_eq!(named("import os, app.jobs; app.jobs.run()"), ["os:", "app.jobs:"]);
        assert_eq!(named("from app.jobs import run as main, stop; main()"), ["app.jobs:run", "app.jobs:stop"]);
        assert_eq!(named("from app import *"), ["app:"]);
        assert_eq!(named("if x: import y\nprint(1)"), [""; 0]);
        assert!(imports("import", python).is_err());
    }
}
