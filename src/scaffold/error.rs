//! Why a project is not set up.

use std::io;
use std::path::PathBuf;

use crate::hints::Hints;
use crate::pipeline::BuildError;
use crate::platform::PythonChoiceError;
use crate::project::ProjectError;
use crate::project::application::ApplicationError;

/// Why no configuration was written.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// The project or its workspace cannot be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Its lock cannot be read.
    #[error(transparent)]
    Lock(Box<BuildError>),
    /// Its sources cannot be collected.
    #[error(transparent)]
    Sources(#[from] ApplicationError),
    /// There is no runtime for its Python.
    #[error(transparent)]
    Runtime(#[from] PythonChoiceError),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is nothing in the project that could be deployed.
    #[error("nothing was found in {} that could be deployed{}", folder.display(), if *is_package { ": it looks like a library" } else { "" })]
    Nothing {
        /// The project.
        folder: PathBuf,
        /// Whether it is a package.
        is_package: bool,
    },
    /// All is there that would be written.
    #[error("there is nothing to write: {} there already", are(paths))]
    Configured {
        /// What is there.
        paths: Vec<PathBuf>,
    },
    /// A table cannot be added to the file, because of what `tool` is in it.
    #[error("cannot add `[tool.pybundle]` to {}: {reason}", path.display())]
    Addition {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl From<BuildError> for ScaffoldError {
    fn from(error: BuildError) -> Self {
        Self::Lock(Box::new(error))
    }
}

impl Hints for ScaffoldError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Project(error) => error.hints(),
            Self::Lock(error) => error.hints(),
            Self::Sources(error) => error.hints(),
            Self::Runtime(error) => error.hints(),
            Self::Read { .. } | Self::Write { .. } => Vec::new(),
            Self::Nothing { .. } => vec![
                "name what it is: --handler MODULE.FUNCTION for a Lambda function, --kind image for a container"
                    .to_owned(),
            ],
            Self::Configured { .. } => {
                vec!["`pybundle config show` explains what is configured, `pybundle build` builds it".to_owned()]
            }
            Self::Addition { .. } => vec!["write `tool` as tables, `[tool.NAME]`, in that file".to_owned()],
        }
    }
}

fn are(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("{} {}", shown.join(" and "), if paths.len() == 1 { "is" } else { "are" })
}
