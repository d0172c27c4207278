//! Errors of layers and of the functions that name them.

use std::path::PathBuf;

use crate::hints::Hints;
use crate::lambda::MOST_LAYERS;
use crate::name::DistributionName;

/// Why a layer cannot be built, or a function not with its layers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerError {
    #[error("cannot take {name} into the layer: it is not selected from the lock")]
    NotSelected { name: DistributionName },
    #[error("cannot select `distributions` from {}: it does not say what each of them requires", .lock.display())]
    NoGraph { lock: PathBuf },
    #[error("layer `{layer}` contains no distribution")]
    Empty { layer: String },
    #[error("the function has {} layers, but Lambda allows {MOST_LAYERS}: {}", .0.len(), .0.join(", "))]
    TooMany(Vec<String>),
    #[error("`layer` and `layers` of a function cannot be used together")]
    OwnLayer,
    #[error("the function is built for {function}, but its layer `{layer}` for {built}")]
    OtherPlatform { layer: String, function: String, built: String },
    #[error("the function needs {name} {function}, but its layer `{layer}` contains {contained}")]
    OtherVersion { layer: String, name: DistributionName, function: String, contained: String },
    #[error("layers `{first}` and `{second}` contain different versions of {name}: {versions}")]
    Differing { first: String, second: String, name: DistributionName, versions: String },
}

impl Hints for LayerError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotSelected { name } => {
                vec![format!("add {name} to the dependencies, or select the group that has it with `group`")]
            }
            Self::NoGraph { .. } => {
                vec!["use uv.lock, poetry.lock or pdm.lock, or select a group with `only-group`".to_owned()]
            }
            Self::Empty { .. } => {
                vec!["select its distributions with `group`, `extra` or `distributions`".to_owned()]
            }
            Self::TooMany(_) => vec!["put the distributions of several layers into one".to_owned()],
            Self::OwnLayer => vec!["remove `layer`, or move the dependencies to a target of kind `layer`".to_owned()],
            Self::OtherPlatform { .. } => {
                vec!["set the same `runtime` and `arch` for both, for instance in [tool.pybundle]".to_owned()]
            }
            Self::OtherVersion { .. } | Self::Differing { .. } => {
                vec!["build them from the same lock, or remove one of them from `layers`".to_owned()]
            }
        }
    }
}
