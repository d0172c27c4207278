//! Imports of the application that only its functions need.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::modules::FunctionImports;
use crate::archive::ArchiveError;
use crate::audit::imports::absolute;
use crate::invoke::InvokeError;
use crate::invoke::function::LocalFunction;
use crate::syntax::deferrable::{DeferrableImport, deferrable_imports};
use crate::syntax::parse;
use crate::tree::TreePath;

/// How many imports are tried.
const MOST: usize = 3;

/// An import is tried if it takes this part of the time of all imports.
const SHARE: f64 = 0.05;

/// The function without an import at the top level of one of its modules.
#[derive(Debug)]
pub(super) struct LazyVariant {
    /// The module in the function.
    pub(super) path: TreePath,
    pub(super) line: usize,
    /// On one line.
    pub(super) statement: String,
    /// The file, with its bytes.
    file: PathBuf,
    source: Vec<u8>,
    /// Its bytes without the import.
    without: String,
}

impl LazyVariant {
    /// Calls a function while the file does not have the import.
    ///
    /// # Errors
    /// A file cannot be written, or that of `call`.
    pub(super) fn during<T>(&self, call: impl FnOnce() -> Result<T, InvokeError>) -> Result<T, InvokeError> {
        let failed = || ArchiveError::write(&self.file);
        // The interpreter would prefer bytecode of the file as it is.
        let bytecode = bytecode_of(&self.file);
        let hidden = bytecode.iter().map(|path| path.with_extension("hidden")).collect::<Vec<_>>();
        bytecode.iter().zip(&hidden).try_for_each(|(path, hidden)| fs::rename(path, hidden)).map_err(failed())?;
        fs::write(&self.file, self.without.as_bytes()).map_err(failed())?;
        let result = call();
        fs::write(&self.file, &self.source).map_err(failed())?;
        bytecode.iter().zip(&hidden).try_for_each(|(path, hidden)| fs::rename(hidden, path)).map_err(failed())?;
        result
    }
}

/// Returns the files with bytecode of a source.
fn bytecode_of(source: &Path) -> Vec<PathBuf> {
    let stem = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let entries = source.parent().and_then(|parent| fs::read_dir(parent.join("__pycache__")).ok());
    let names = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    names
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix(&stem).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".pyc"))
        })
        .collect()
}

/// Returns the imports that may be in functions and that take the most time.
pub(super) fn find(function: &LocalFunction, imports: &FunctionImports) -> Vec<LazyVariant> {
    let least = imports.total().mul_f64(SHARE);
    let mut found: Vec<(Duration, LazyVariant)> = Vec::new();
    for module in imports.names() {
        let Some((path, file)) = function.own_source(module) else { continue };
        // It was just imported.
        let Ok(source) = fs::read(&file) else { continue };
        let is_package = path.as_str().ends_with("/__init__.py");
        let first: Vec<(&str, Duration)> = imports.importing(module).collect();
        let variants = parse(&source, function.python_version(), |text, body| {
            if text.as_bytes() != source {
                // What the interpreter reads would be other bytes.
                return Vec::new();
            }
            let deferrable = deferrable_imports(text, body, function.python_version());
            let variant = |import: DeferrableImport| {
                let time = time(&import, &first, (module, is_package));
                let statement = text[import.range.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
                let mut without = text.to_owned();
                without.replace_range(import.range, "pass");
                let (path, file, source) = (path.clone(), file.clone(), source.clone());
                (time, LazyVariant { path, line: import.line, statement, file, source, without })
            };
            deferrable.into_iter().map(variant).filter(|(time, _)| *time >= least && !time.is_zero()).collect()
        });
        found.extend(variants.ok().flatten().unwrap_or_default());
    }
    found.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    found.into_iter().map(|(_, variant)| variant).take(MOST).collect()
}

/// Returns how long what an import imports first takes, where `first` is what its module does.
fn time(import: &DeferrableImport, first: &[(&str, Duration)], (module, is_package): (&str, bool)) -> Duration {
    let names: Vec<String> =
        import.modules.iter().filter_map(|name| absolute(module, is_package, import.level, name)).collect();
    let of_import = first.iter().filter(|(name, _)| names.iter().any(|imported| imported == name));
    of_import.map(|(_, time)| *time).sum()
}
