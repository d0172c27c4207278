//! Why a function cannot be deployed.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::StatusCode;

use super::DeploymentTarget;
use super::names::{AliasName, FunctionName, LayerName, LayerVersionArn};
use crate::aws::{AwsError, S3Action, S3Error};
use crate::hints::{Hints, did_you_mean, quoted};
use crate::lambda::MOST_LAYERS;

/// A request to Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LambdaAction {
    GetFunction,
    ListFunctions,
    UpdateFunctionCode,
    UpdateFunctionConfiguration,
    PublishVersion,
    ListLayerVersions,
    GetLayerVersion,
    PublishLayerVersion,
    GetAlias,
    ListAliases,
    CreateAlias,
    UpdateAlias,
}

impl LambdaAction {
    /// Returns the action's name in the API and in policies.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GetFunction => "GetFunction",
            Self::ListFunctions => "ListFunctions",
            Self::UpdateFunctionCode => "UpdateFunctionCode",
            Self::UpdateFunctionConfiguration => "UpdateFunctionConfiguration",
            Self::PublishVersion => "PublishVersion",
            Self::ListLayerVersions => "ListLayerVersions",
            Self::GetLayerVersion => "GetLayerVersion",
            Self::PublishLayerVersion => "PublishLayerVersion",
            Self::GetAlias => "GetAlias",
            Self::ListAliases => "ListAliases",
            Self::CreateAlias => "CreateAlias",
            Self::UpdateAlias => "UpdateAlias",
        }
    }
}

/// Why a function cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeployError {
    #[error("the AWS region of the function is unknown")]
    NoRegion,
    #[error("the function is in {arn_region}, but the region is `{region}`")]
    OtherRegion { arn_region: String, region: String },
    #[error("layer {layer} is published to {layer_region}, but the function is in {region}")]
    LayerRegion { layer: LayerName, layer_region: String, region: String },
    #[error("layer {version} is in {}, but the function is in {region}", version.region())]
    VersionRegion { version: LayerVersionArn, region: String },
    #[error("no AWS credentials in the environment, the profiles, or the metadata of a container or EC2 instance")]
    NoCredentials,
    #[error("cannot load the AWS credentials")]
    Credentials(#[source] Arc<AwsError>),
    #[error("cannot start to send requests")]
    Start(#[source] io::Error),
    #[error("Lambda returned {status} to {}{}", action.name(), explanation(code, message))]
    Refused { action: LambdaAction, status: StatusCode, code: String, message: String },
    /// It may have been carried out.
    #[error("Lambda gave no valid answer to {}", action.name())]
    Unanswered {
        action: LambdaAction,
        #[source]
        source: Box<AwsError>,
    },
    #[error("Lambda gave a malformed answer to {}", .0.name())]
    InvalidAnswer(LambdaAction),
    #[error("function {function} does not exist in {region}")]
    UnknownFunction { function: FunctionName, region: String, nearest: Option<String> },
    #[error("function {function} has no alias `{alias}`")]
    UnknownAlias { function: FunctionName, alias: AliasName, nearest: Option<String> },
    #[error("the function has {property} {deployed}, but the artifact is built for {built}")]
    Mismatch { property: FunctionProperty, deployed: String, built: String },
    #[error("the function cannot be updated: its state is Failed: {0}")]
    FailedFunction(String),
    #[error("the alias `{alias}` also sends requests to version {version}")]
    RoutedAlias { function: FunctionName, alias: AliasName, version: String },
    #[error("the function would have {} layers, and Lambda allows {MOST_LAYERS}: {}", .0.len(), .0.join(", "))]
    TooManyLayers(Vec<String>),
    #[error("the function would have {} layers until its code is updated, and Lambda allows {MOST_LAYERS}: {}", .0.len(), .0.join(", "))]
    TooManyLayersMeanwhile(Vec<String>),
    #[error("Lambda rejected the new code: {0}")]
    UpdateFailed(String),
    #[error("Lambda cannot start version {version}: {reason}")]
    VersionFailed { version: String, reason: String },
    #[error("Lambda was still {what} after {minutes} minutes")]
    StillWaiting { what: &'static str, minutes: u64 },
    #[error("another process changed the code of the function at the same time")]
    CodeChanged,
    #[error("another process moved the alias to version {0} at the same time")]
    AliasMoved(String),
    #[error("S3 did not carry out {} in bucket {bucket}", action.name())]
    Bucket {
        action: S3Action,
        bucket: String,
        #[source]
        source: Box<AwsError>,
    },
    #[error("bucket {bucket} is in {region}, but the function is in {function_region}")]
    BucketRegion { bucket: String, region: String, function_region: String },
    #[error("the zip has {size} bytes, more than the {limit} that Lambda accepts without S3")]
    NeedsBucket { size: u64, limit: u64 },
    #[error("Lambda does not accept so large a zip without S3")]
    TooLarge,
    #[error("a function without an alias cannot be rolled back: Lambda keeps no earlier code of $LATEST")]
    RollbackWithoutAlias,
    #[error("cannot roll back: no earlier version of alias `{alias}` is recorded for version {version}")]
    NoRecord { function: FunctionName, alias: AliasName, version: String },
    #[error("cannot roll back: version {version}, which the alias pointed to before, was deleted")]
    DeletedVersion { function: FunctionName, version: String },
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

fn explanation(code: &str, message: &str) -> String {
    [code, message].into_iter().filter(|part| !part.is_empty()).fold(String::new(), |text, part| text + ": " + part)
}

/// What a function and its code have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FunctionProperty {
    PackageType,
    Architecture,
    Runtime,
}

impl fmt::Display for FunctionProperty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::PackageType => "package type",
            Self::Architecture => "architecture",
            Self::Runtime => "runtime",
        })
    }
}

impl DeployError {
    /// Tells whether the request may have been carried out although there was no answer.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
    }

    /// Tells whether another update was in progress, or the function or alias had changed: Lambda did nothing.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED, .. })
    }

    /// Tells whether Lambda refused the values of a request.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::BAD_REQUEST, .. })
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

impl From<S3Error> for DeployError {
    fn from(error: S3Error) -> Self {
        match error {
            S3Error::Failed { action, bucket, source } => Self::Bucket { action, bucket, source },
            S3Error::OtherRegion { bucket, region, requested } => {
                Self::BucketRegion { bucket, region, function_region: requested }
            }
            S3Error::Read { path, source } => Self::Read { path, source },
        }
    }
}

impl Hints for DeployError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoRegion => {
                vec!["set `region` in [tool.pybundle], --region or AWS_REGION".to_owned()]
            }
            Self::OtherRegion { arn_region, .. } => vec![format!("remove the region, or set it to {arn_region}")],
            Self::LayerRegion { .. } => {
                vec!["set the same `region` for both, for instance in [tool.pybundle]".to_owned()]
            }
            Self::VersionRegion { region, .. } => vec![format!("name a version of the layer in {region}")],
            Self::NoCredentials => vec![
                "log in with `aws sso login`, choose a profile with AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                    .to_owned(),
            ],
            Self::Credentials(source) => source.hints(),
            Self::Refused { code, .. } if code.contains("ExpiredToken") => {
                vec!["the AWS credentials have expired: log in again, for instance with `aws sso login`".to_owned()]
            }
            Self::Refused { action, code, .. } if code.starts_with("AccessDenied") => {
                vec![format!("grant the identity the permission lambda:{}", action.name())]
            }
            Self::Refused { status: StatusCode::FORBIDDEN, .. } => {
                vec!["show whose credentials are used with `aws sts get-caller-identity`".to_owned()]
            }
            Self::Refused { code, .. } if code.starts_with("CodeStorageExceeded") => {
                vec!["delete versions of functions that are no longer used".to_owned()]
            }
            Self::Unanswered { .. } => vec!["check the connection and, behind a proxy, HTTPS_PROXY".to_owned()],
            Self::UnknownFunction { nearest: Some(nearest), .. } | Self::UnknownAlias { nearest: Some(nearest), .. } => {
                vec![did_you_mean(nearest)]
            }
            Self::UnknownFunction { region, .. } => {
                vec![format!("create the function first, or choose its region: this one is {region}")]
            }
            Self::UnknownAlias { .. } => vec!["an alias is created by a deployment with --create-alias".to_owned()],
            Self::Mismatch { property: FunctionProperty::Architecture, deployed, .. } => {
                vec![format!("build for the function's architecture with --arch {deployed}")]
            }
            Self::Mismatch { property: FunctionProperty::Runtime, deployed, .. } => {
                vec![format!("build for the function's runtime with --runtime {}, or change that of the function", deployed.trim_start_matches("python"))]
            }
            Self::Mismatch { property: FunctionProperty::PackageType, .. } => {
                vec!["name another function: the package type of a function cannot be changed".to_owned()]
            }
            Self::RoutedAlias { function, alias, .. } => vec![format!(
                "finish that deployment first, or end it with `aws lambda update-alias --function-name {function} --name {alias} --routing-config AdditionalVersionWeights={{}}`"
            )],
            Self::TooManyLayers(_) => {
                vec!["name fewer layers, or remove those of others from the function".to_owned()]
            }
            Self::TooManyLayersMeanwhile(_) => {
                vec!["set `alias`: the callers of an alias get code and layers at once".to_owned()]
            }
            Self::StillWaiting { .. } | Self::CodeChanged | Self::AliasMoved(_) => {
                vec!["run the same command again: it continues where this one ended".to_owned()]
            }
            Self::Bucket { action, source, .. } => match source.as_ref() {
                AwsError::Service { status: StatusCode::FORBIDDEN, .. } => {
                    vec![format!("grant the identity the permission s3:{} for the bucket", action.name())]
                }
                _ => Vec::new(),
            },
            Self::BucketRegion { function_region, .. } => vec![format!("use a bucket in {function_region}")],
            Self::NeedsBucket { .. } | Self::TooLarge => {
                vec!["set `s3-bucket` in [tool.pybundle], or --s3-bucket, to a bucket in the function's region".to_owned()]
            }
            Self::RollbackWithoutAlias => {
                vec!["check out the earlier revision and deploy it, and give the function an `alias`".to_owned()]
            }
            Self::NoRecord { function, alias, .. } => vec![format!(
                "choose a version of `aws lambda list-versions-by-function --function-name {function}`, and run `aws lambda update-alias --function-name {function} --name {alias} --function-version VERSION`",
                function = quoted(function.text())
            )],
            Self::DeletedVersion { .. } => vec!["check out the earlier revision and deploy it".to_owned()],
            Self::Refused { .. }
            | Self::Start(_)
            | Self::InvalidAnswer(_)
            | Self::FailedFunction(_)
            | Self::UpdateFailed(_)
            | Self::VersionFailed { .. }
            | Self::Read { .. } => Vec::new(),
        }
    }
}

/// What serves the function's callers after a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LiveCode {
    /// What did before: no request to change anything was sent.
    Untouched,
    /// What did before: only a layer was to be published.
    Functions,
    /// What did before: the version of an alias, or the earlier code.
    Unchanged { version: Option<String> },
    /// Unknown: Lambda was asked to change it, and did not answer.
    Unknown,
}

/// A deployment failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {function}: {}", match live {
    LiveCode::Untouched => "nothing was changed".to_owned(),
    LiveCode::Functions => "no function was changed".to_owned(),
    LiveCode::Unchanged { version: Some(version) } => format!("version {version} stays live"),
    LiveCode::Unchanged { version: None } => "the earlier code stays live".to_owned(),
    LiveCode::Unknown => "cannot tell whether the new code is live".to_owned(),
})]
pub(crate) struct FailedDeployment {
    /// What was attempted: `deploy` or `roll back`.
    pub(super) verb: &'static str,
    /// The function, with its alias.
    pub(super) function: String,
    pub(super) live: LiveCode,
    #[source]
    pub(super) source: DeployError,
}

impl FailedDeployment {
    /// Returns the failure of a deployment of which nothing was begun.
    pub(super) fn before_start(verb: &'static str, target: &DeploymentTarget, source: DeployError) -> Self {
        Self { verb, function: target.to_string(), live: LiveCode::Untouched, source }
    }
}

impl Hints for FailedDeployment {
    fn hints(&self) -> Vec<String> {
        let mut hints = self.source.hints();
        if self.live == LiveCode::Unknown {
            hints.push("run the same command again: it continues where this one ended".to_owned());
        }
        hints
    }
}
