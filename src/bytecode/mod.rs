//! Bytecode of sources, from a CPython of the target's minor version that is on this machine.
//!
//! Specification: [PEP 552](https://peps.python.org/pep-0552/), unchecked hash-based files: no time of a file and no
//! source is looked at when they are loaded, and the magic number, which every patch release of a minor version has, is
//! all that an interpreter compares.
//!
//! Nothing of the target is run: the interpreter compiles, by a program of ours (`compile.py`),
//! what it is sent, isolated from the user's settings, with no file written. The file name in the bytecode is the path
//! below site-packages, so that a wheel's bytecode is the same wherever it goes; importing replaces it with the path at
//! which the source lies, so tracebacks name that.
//!
//! There is no time limit. Compiling runs no code of the source and ends; a limit would make what is built depend on how
//! busy the machine is.

mod interpreter;
mod marshal;
mod process;

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

pub use interpreter::{BytecodeInterpreter, InterpreterLocations};
use marshal::{CodeLayout, NormalizeError};
use process::CompilerProcess;

use crate::hints::Hints;

/// The version of what is made of the interpreter's bytecode: raised when the bytes change for the same interpreter.
pub const FORMAT: u32 = 1;

/// The bytes of a file before its code: the magic number, flags, and the source's hash (PEP 552).
const HEADER: usize = 16;

/// The largest source that is compiled, in bytes. Larger ones are left as they are.
pub const LARGEST_SOURCE: u64 = 64 << 20;

/// Why sources could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum BytecodeError {
    /// The interpreter does not run.
    #[error("cannot run {}, to compile bytecode", .0.display())]
    Run(PathBuf, #[source] io::Error),
    /// The interpreter is another than the one that was found.
    #[error("{} changed while it was to compile bytecode", .0.display())]
    Changed(PathBuf),
    /// The interpreter ended over a source.
    #[error("{} ended with {status} while it compiled {file}", .program.display())]
    Ended {
        /// The interpreter.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The source.
        file: String,
    },
    /// The interpreter's bytecode is of a form that is not known.
    #[error("the bytecode that {} makes of {file} is of an unknown form", .program.display())]
    UnknownForm {
        /// The interpreter.
        program: PathBuf,
        /// The source.
        file: String,
    },
}

impl Hints for BytecodeError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Changed(_) => vec!["run pybundle again".to_owned()],
            Self::Run(..) | Self::Ended { .. } | Self::UnknownForm { .. } => {
                vec!["--no-compile-bytecode does without".to_owned()]
            }
        }
    }
}

/// Compiles sources with an interpreter, by as many processes as threads ask at once.
#[derive(Debug)]
pub struct BytecodeCompiler {
    /// The interpreter.
    pub interpreter: BytecodeInterpreter,
    /// The processes that have nothing to do.
    idle: Mutex<Vec<CompilerProcess>>,
}

impl BytecodeCompiler {
    /// Makes a compiler. No process is started before there is something to compile.
    pub fn new(interpreter: BytecodeInterpreter) -> Self {
        Self { interpreter, idle: Mutex::new(Vec::new()) }
    }

    /// Returns the bytecode of a source, as the file that an interpreter loads; none if the source cannot be compiled,
    /// so that an import of it would fail as well, or is nested too deep for us. `name` is the path below site-packages.
    ///
    /// # Errors
    /// The interpreter does not run, or ends over the source.
    pub fn compile(&self, name: &str, source: &[u8]) -> Result<Option<Vec<u8>>, BytecodeError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut process = match idle {
            Some(process) => process,
            None => CompilerProcess::start(&self.interpreter)?,
        };
        let answer = process.compile(name, source)?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        if answer.is_empty() {
            return Ok(None);
        }
        let unknown = || BytecodeError::UnknownForm { program: self.interpreter.path.clone(), file: name.to_owned() };
        let (header, code) = answer.split_at_checked(HEADER).ok_or_else(unknown)?;
        match marshal::normalize(code, CodeLayout::of(self.interpreter.version.minor)) {
            Ok(code) => Ok(Some([header, &code].concat())),
            Err(NormalizeError::TooDeep) => Ok(None),
            Err(NormalizeError::UnknownForm) => Err(unknown()),
        }
    }

    /// Returns where the bytecode of a source lies (PEP 3147), both as paths below site-packages; none if it is no
    /// source that is imported.
    pub fn place(&self, source: &str) -> Option<String> {
        let (directory, name) =
            source.rsplit_once('/').map_or((None, source), |(directory, name)| (Some(directory), name));
        let stem = name.strip_suffix(".py").filter(|stem| !stem.is_empty())?;
        if directory.is_some_and(|directory| directory.split('/').any(|part| part == "__pycache__")) {
            return None;
        }
        let directory = directory.map(|directory| format!("{directory}/")).unwrap_or_default();
        Some(format!("{directory}__pycache__/{stem}.{}.pyc", self.interpreter.cache_tag()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytecode_lies_beside_its_source() {
        let version = "3.12".parse().unwrap();
        let interpreter = BytecodeInterpreter {
            path: PathBuf::new(),
            version,
            full_version: "3.12.1".into(),
            identity: String::new(),
        };
        let compiler = BytecodeCompiler::new(interpreter);
        for (source, place) in [
            ("a.py", Some("__pycache__/a.cpython-312.pyc")),
            ("a/b.c.py", Some("a/__pycache__/b.c.cpython-312.pyc")),
            ("a/__init__.py", Some("a/__pycache__/__init__.cpython-312.pyc")),
            ("a/.py", None),
            ("a.pyi", None),
            ("a/__pycache__/b.py", None),
        ] {
            assert_eq!(compiler.place(source).as_deref(), place, "{source}");
        }
    }
}
