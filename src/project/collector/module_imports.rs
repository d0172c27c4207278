//! What a module imports, wherever in it.

use std::path::Path;

use ruff_python_ast::Stmt;
use ruff_python_ast::visitor::{self, Visitor};

use crate::limited_reader;
use crate::platform::PythonVersion;
use crate::syntax;

/// The largest module that is searched for imports, in bytes.
const LARGEST_READ: u64 = 1 << 20;

/// An import of a module, or of a name from it.
pub(super) struct ModuleImport {
    /// The number of dots before the name.
    pub(super) level: usize,
    /// The module's dotted name, with that of what is imported from it.
    pub(super) name: String,
}

/// Returns the imports of a module, wherever they are in it; none if it cannot be parsed.
pub(super) fn imports_of(module: &Path) -> Vec<ModuleImport> {
    let Ok(source) = limited_reader::read_regular_file(module, LARGEST_READ) else { return Vec::new() };
    let imports = syntax::parse(&source, PythonVersion::NEWEST, |_, body| {
        let mut collector = ModuleImportCollector(Vec::new());
        collector.visit_body(body);
        collector.0
    });
    imports.ok().flatten().unwrap_or_default()
}

struct ModuleImportCollector(Vec<ModuleImport>);

impl<'a> Visitor<'a> for ModuleImportCollector {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                self.0.extend(import.names.iter().map(|alias| ModuleImport { level: 0, name: alias.name.to_string() }));
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
                let names = import.names.iter().map(|alias| format!("{module}{}", alias.name));
                self.0.extend(names.map(|name| ModuleImport { level: import.level as usize, name }));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }
}
