//! What a service that runs functions or jobs does not accept.

use crate::hints::Hints;
use crate::name::DistributionName;

/// Why a zip cannot be built for the service of its profile, or not be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    #[error("{service} has no layers")]
    NoLayers { service: String },
    #[error("the application has no file {file}, which {service} requires")]
    MissingFile { service: String, file: String },
    #[error(
        "{service} imports modules from the zip itself, which cannot load the compiled module {path} of {distribution}"
    )]
    Compiled { service: String, path: String, distribution: DistributionName },
    #[error("the zip has {size} bytes, more than the {limit} that {service} accepts")]
    LargeZip { service: String, size: u64, limit: u64 },
    #[error("cannot run the function: it is built for {service}, not for Lambda")]
    NotLambda { service: String },
}

impl Hints for ServiceError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoLayers { .. } => {
                vec!["omit --layer and `layers`, so that the zip contains the dependencies".to_owned()]
            }
            Self::MissingFile { file, .. } => vec![format!("add {file} to the project's directory")],
            Self::Compiled { service, distribution, .. } => vec![format!(
                "have {service} install {distribution}, and exclude it with --no-install-package {distribution}"
            )],
            Self::LargeZip { .. } => vec!["write the zip anyway with --allow-oversize".to_owned()],
            Self::NotLambda { .. } => vec!["choose one of Lambda's runtimes with --runtime".to_owned()],
        }
    }
}
