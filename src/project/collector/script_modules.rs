//! The files of an application that is a script: itself, and the modules and packages beside it that it imports. Python finds
//! these because the directory of a script is the first on its search path.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::module_imports::imports_of;
use super::{Collector, Include};
use crate::project::application::ApplicationError;

/// What a script imports, directly or through the modules beside it.
#[derive(Default)]
struct ScriptModules {
    /// The modules and packages that are beside it.
    beside: BTreeSet<PathBuf>,
    /// The first components of everything that is imported.
    names: BTreeSet<String>,
}

impl Collector<'_> {
    /// Collects a script, and what it imports from its directory.
    ///
    /// # Errors
    /// A file cannot be read or bundled, or the script is excluded.
    pub(in crate::project) fn take_script(&mut self, script: &Path) -> Result<(), ApplicationError> {
        self.take_include(&Include::of(script))?;
        for path in self.script_modules(script).beside {
            match self.take_include(&Include::of(&path)) {
                // The user excludes it.
                Err(ApplicationError::NothingIncluded(_) | ApplicationError::EmptyDirectory(_)) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns whether a path is a script, or that of something that it imports or would import if it existed.
    pub(super) fn script_reaches(&self, script: &Path, path: &Path) -> bool {
        let Some(first) = script.parent().and_then(|directory| path.strip_prefix(directory).ok()?.iter().next()) else {
            return false;
        };
        let name = Path::new(first).file_stem().unwrap_or_default().to_string_lossy();
        path == script || self.script_modules(script).names.contains(&*name)
    }

    fn script_modules(&self, script: &Path) -> ScriptModules {
        let directory = script.parent().unwrap_or(Path::new(""));
        let mut modules = ScriptModules::default();
        let mut unread = vec![script.to_owned()];
        while let Some(module) = unread.pop() {
            // A relative import stays in its package, which is collected as a whole.
            for import in imports_of(&module).into_iter().filter(|import| import.level == 0) {
                let top_level = import.name.split('.').next().unwrap_or_default();
                modules.names.insert(top_level.to_owned());
                let found = beside(directory, &import.name).filter(|path| path != script);
                if let Some(path) = found.filter(|path| !modules.beside.contains(path)) {
                    unread.extend(self.modules_at(&path));
                    modules.beside.insert(path);
                }
            }
        }
        modules
    }
}

/// Returns the module or package in a directory that an import of a dotted name loads: a package rather than a module, and a
/// directory without `__init__.py` only if the rest of the name is in it.
fn beside(directory: &Path, name: &str) -> Option<PathBuf> {
    let mut components = name.split('.');
    let package = directory.join(components.next()?);
    let module = package.with_added_extension("py");
    if package.join("__init__.py").is_file() {
        return Some(package);
    }
    if module.is_file() {
        return Some(module);
    }
    let next = package.join(components.next()?);
    (next.is_dir() || next.with_added_extension("py").is_file()).then_some(package)
}
