//! The files in site-packages that Python reads when it starts: `.pth` and `.start`.
//!
//! Specification: CPython's `site.py`, of which 3.15 implements [PEP 829](https://peps.python.org/pep-0829/).

use std::io;

use crate::audit::handler::{ImportRoot, is_identifier};
use crate::audit::imports;
use crate::audit::names::ModuleNames;
use crate::audit::search::{self, ModuleLookup};
use crate::platform::PythonVersion;
use crate::tree::TreeEntry;

/// The largest file that is read, in bytes.
const LARGEST_READ: u64 = 1 << 20;

/// The first minor version of Python 3 that reads `.start` files.
const FIRST_WITH_START_FILES: u8 = 15;

/// The entry points of a `.start` file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StartLines {
    /// Each is called when Python starts.
    pub(super) entry_points: Vec<String>,
}

/// Tells whether a version of Python reads `.start` files.
pub(super) fn has_start_files(python: PythonVersion) -> bool {
    python.minor >= FIRST_WITH_START_FILES
}

/// Returns whether Python executes a line of a `.pth` file. A file that is too large may have one.
pub(super) fn has_import_line(entry: &TreeEntry, python: PythonVersion) -> io::Result<bool> {
    let Some(bytes) = read(entry)? else { return Ok(true) };
    let mut lines = lines(&bytes);
    Ok(lines.any(|line| {
        // Before 3.15, a line with leading blanks is a directory.
        let line = if has_start_files(python) { line.trim_ascii_start() } else { line };
        line.starts_with(b"import ") || line.starts_with(b"import\t")
    }))
}

/// Returns the directories of a `.pth` file, relative to its own unless they are absolute.
pub(in crate::audit) fn directories(bytes: &[u8]) -> Vec<String> {
    let paths = lines(bytes).filter(|line| !line.starts_with(b"import ") && !line.starts_with(b"import\t"));
    let paths = paths.map(|line| String::from_utf8_lossy(line.trim_ascii()).into_owned());
    paths.filter(|path| !path.is_empty() && !path.starts_with('#')).collect()
}

/// Returns the entry points of a `.start` file; `None` if Python ignores it, because it is not UTF-8. One without entry points
/// disables the import lines of the `.pth` file beside it.
pub(super) fn start_lines(entry: &TreeEntry) -> io::Result<Option<StartLines>> {
    let Some(bytes) = read(entry)? else { return Ok(Some(StartLines::default())) };
    let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(None) };
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let entry_points = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned);
    Ok(Some(StartLines { entry_points: entry_points.collect() }))
}

/// Returns why Python cannot resolve an entry point (`pkgutil.resolve_name`, strict), so that it prints a traceback whenever it
/// starts; `None` if it can, or if that is not known.
pub(super) fn unresolved(entry_point: &str, roots: &[ImportRoot], python: PythonVersion) -> Option<String> {
    let Some((module, object)) = entry_point.split_once(':') else {
        return Some("which is not `module:callable`".to_owned());
    };
    if !module.split('.').chain(object.split('.')).all(is_identifier) || object.is_empty() || module.is_empty() {
        return Some("which is not `module:callable`".to_owned());
    }
    let top = module.split('.').next().unwrap_or(module);
    let is_own = !matches!(search::locate([top].into_iter(), roots), ModuleLookup::NotFound);
    let name = object.split('.').next().unwrap_or(object);
    match search::locate(module.split('.'), roots) {
        ModuleLookup::Source(file) => {
            let names = ModuleNames::read(&file.entry.content.read(LARGEST_READ).ok()?, python).ok()?;
            let is_defined = names.get(name).is_some() || names.incomplete.is_some();
            (!is_defined).then(|| format!("but {} does not define `{name}`", file.path))
        }
        ModuleLookup::Compiled(_) => None,
        ModuleLookup::Namespace(_) => Some(format!("but `{module}` is a directory without `__init__.py`")),
        ModuleLookup::Foreign(file) => Some(format!("but {} is for another Python or platform", file.path)),
        // Others may be the base's.
        ModuleLookup::NotFound if is_own && !imports::is_standard(top, python) => {
            Some(format!("but there is no module `{module}`"))
        }
        ModuleLookup::NotFound => None,
    }
}

/// Returns the content; `None` if it is too large.
fn read(entry: &TreeEntry) -> io::Result<Option<Vec<u8>>> {
    match entry.content.read(LARGEST_READ) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the lines, without a byte order mark.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).split(|byte| matches!(byte, b'\n' | b'\r'))
}
