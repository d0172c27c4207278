//! Why `pybundle init` cannot set a project up.

use std::io;
use std::path::PathBuf;

use crate::hints::Hints;
use crate::pipeline::BuildError;
use crate::platform::PythonChoiceError;
use crate::project::ProjectError;
use crate::project::application::ApplicationError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ScaffoldError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Lock(Box<BuildError>),
    #[error(transparent)]
    Sources(#[from] ApplicationError),
    #[error(transparent)]
    Runtime(#[from] PythonChoiceError),
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("found nothing to deploy in {}{}", directory.display(), if *is_package { ": it looks like a library" } else { "" })]
    NothingToDeploy { directory: PathBuf, is_package: bool },
    /// The configuration and the workflow exist.
    #[error("nothing to write: {} already set up", subject(paths))]
    AlreadySetUp { paths: Vec<PathBuf> },
    /// `tool` in the file is not a standard table.
    #[error("cannot add `[tool.pybundle]` to {}: {reason}", path.display())]
    CannotExtend { path: PathBuf, reason: String },
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
            Self::NothingToDeploy { .. } => {
                vec!["pass --handler MODULE.FUNCTION for a Lambda function, or --kind image for a container".to_owned()]
            }
            Self::AlreadySetUp { .. } => vec![
                "run `pybundle config show` to see the configuration, and `pybundle build` to build its targets"
                    .to_owned(),
            ],
            Self::CannotExtend { .. } => vec!["write the tables of `tool` as `[tool.NAME]` in that file".to_owned()],
        }
    }
}

/// Returns the paths as the subject of a sentence, with the verb.
fn subject(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("{} {}", shown.join(" and "), if paths.len() == 1 { "is" } else { "are" })
}
