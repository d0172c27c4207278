//! Compiles sources to bytecode with an installed CPython of the target's minor version.
//!
//! Specification: [PEP 552](https://peps.python.org/pep-0552/), unchecked hash-based pycs. When one is imported, neither
//! the source nor its modification time is checked, only the magic number, which is the same for all patch releases of a
//! minor version.
//!
//! Nothing of the target is run: our script `compile.py` runs isolated from the user's settings, compiles the sources
//! that it is sent and writes no file. The file name in the bytecode is the path relative to site-packages, so that a
//! wheel's bytecode does not depend on where it is installed; when importing, CPython replaces it by the actual path, so
//! tracebacks are right. Only zipimport does not, so tracebacks have paths below the zip there.
//!
//! There is no timeout. Compiling runs no code of the source and always ends; with a timeout, the output would depend on
//! the load of the machine.

mod marshal;
mod process;

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

use marshal::{CodeLayout, NormalizeError};
use process::CompilerProcess;

use crate::hints::Hints;
use crate::interpreter::PythonInterpreter;

/// The version of the output, to be raised when the bytes change for the same interpreter.
pub(crate) const FORMAT: u32 = 1;

/// The size of a pyc file's header in bytes: magic number, flags, and the source's hash (PEP 552).
const HEADER: usize = 16;

/// The largest source that is compiled, in bytes. Larger ones get no bytecode.
pub(crate) const LARGEST_SOURCE: u64 = 64 << 20;

/// Where Python looks for the bytecode of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BytecodePlace {
    /// In `__pycache__`, with the version of Python in its name (PEP 3147).
    Cache,
    /// Beside the source: the only place where zipimport looks.
    Beside,
}

/// Why sources could not be compiled.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's message describes it")]
pub enum BytecodeError {
    #[error("cannot run {} to compile bytecode", .0.display())]
    Run(PathBuf, #[source] io::Error),
    #[error("the interpreter {} changed during the build", .0.display())]
    Changed(PathBuf),
    #[error("{} failed with {status} while compiling {file}", .program.display())]
    Failed { program: PathBuf, status: ExitStatus, file: String },
    #[error("{} compiled {file} to bytecode in an unknown format", .program.display())]
    UnknownFormat { program: PathBuf, file: String },
}

impl Hints for BytecodeError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Changed(_) => "run pybundle again",
            Self::Run(..) | Self::Failed { .. } | Self::UnknownFormat { .. } => {
                "use --no-compile-bytecode to build without bytecode"
            }
        };
        vec![hint.to_owned()]
    }
}

/// Compiles sources with an interpreter. Each thread that compiles at the same time uses its own process.
#[derive(Debug)]
pub struct BytecodeCompiler {
    pub(crate) interpreter: PythonInterpreter,
    /// Processes that are waiting for a source.
    idle: Mutex<Vec<CompilerProcess>>,
}

impl BytecodeCompiler {
    /// Creates a compiler. Processes are started when the first sources are compiled.
    pub fn new(interpreter: PythonInterpreter) -> Self {
        Self { interpreter, idle: Mutex::new(Vec::new()) }
    }

    /// Returns the pyc file of a source, or `None` if the source cannot be compiled, so that importing it would fail, too,
    /// or is nested too deeply. `name` is the path relative to site-packages.
    ///
    /// # Errors
    /// The interpreter does not run, or crashes on the source.
    pub fn compile(&self, name: &str, source: &[u8]) -> Result<Option<Vec<u8>>, BytecodeError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut process = match idle {
            Some(process) => process,
            None => CompilerProcess::start(&self.interpreter)?,
        };
        let bytecode = process.compile(name, source)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        if bytecode.is_empty() {
            return Ok(None);
        }
        let (header, code) = bytecode.split_at_checked(HEADER).ok_or_else(|| self.unknown_format(name))?;
        match marshal::normalize(code, CodeLayout::of(self.interpreter.version.minor)) {
            Ok(code) => Ok(Some([header, &code].concat())),
            Err(NormalizeError::TooDeep) => Ok(None),
            Err(NormalizeError::UnknownFormat) => Err(self.unknown_format(name)),
        }
    }

    fn unknown_format(&self, file: &str) -> BytecodeError {
        BytecodeError::UnknownFormat { program: self.interpreter.path.clone(), file: file.to_owned() }
    }

    /// Returns the path of a source's bytecode, or `None` if the file is not an importable source. Both paths are relative
    /// to site-packages.
    pub(crate) fn bytecode_path(&self, source: &str, place: BytecodePlace) -> Option<String> {
        let (directory, name) =
            source.rsplit_once('/').map_or((None, source), |(directory, name)| (Some(directory), name));
        let stem = name.strip_suffix(".py").filter(|stem| !stem.is_empty())?;
        if directory.is_some_and(|directory| directory.split('/').any(|part| part == "__pycache__")) {
            return None;
        }
        let directory = directory.map(|directory| format!("{directory}/")).unwrap_or_default();
        Some(match place {
            BytecodePlace::Cache => format!("{directory}__pycache__/{stem}.{}.pyc", self.interpreter.cache_tag()),
            BytecodePlace::Beside => format!("{directory}{stem}.pyc"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytecode_is_in_pycache_or_beside_the_source() {
        let version = "3.12".parse().unwrap();
        let interpreter = PythonInterpreter {
            path: PathBuf::new(),
            version,
            full_version: "3.12.1".into(),
            identity: String::new(),
            extension_abi: String::new(),
        };
        let compiler = BytecodeCompiler::new(interpreter);
        for (source, cached, beside) in [
            ("a.py", Some("__pycache__/a.cpython-312.pyc"), Some("a.pyc")),
            ("a/b.c.py", Some("a/__pycache__/b.c.cpython-312.pyc"), Some("a/b.c.pyc")),
            ("a/__init__.py", Some("a/__pycache__/__init__.cpython-312.pyc"), Some("a/__init__.pyc")),
            ("a/.py", None, None),
            ("a.pyi", None, None),
            ("a/__pycache__/b.py", None, None),
        ] {
            assert_eq!(compiler.bytecode_path(source, BytecodePlace::Cache).as_deref(), cached, "{source}");
            assert_eq!(compiler.bytecode_path(source, BytecodePlace::Beside).as_deref(), beside, "{source}");
        }
    }
}
