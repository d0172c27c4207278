//! `pybundle deploy`: code that was built becomes what a Lambda function runs.
//!
//! All functions are checked before the first one is changed. Each is then updated by itself, in the steps of
//! [`sequence`]: what is live changes in the last one.
//!
//! No asynchronous code leaves this room.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};

use crate::aws::{AwsEnvironment, AwsError, AwsSession, configured_region};
use error::LiveCode;
use lambda_api::{LambdaApi, SentCode};
use s3_api::S3Api;
use sequence::{CheckedFunction, Sequence};
use upload::{UploadedCode, ZipFile};

pub(crate) use error::{DeployError, FailedDeployment};
pub(crate) use names::{AliasName, FunctionName};

mod checkpoints;
mod error;
mod lambda_api;
mod names;
mod record;
mod s3_api;
mod sequence;
mod upload;

/// How many functions are updated at a time.
const CONCURRENCY: usize = 8;

/// A function to deploy to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeploymentTarget {
    pub(crate) function: FunctionName,
    /// Without an alias, the function's callers get `$LATEST`.
    pub(crate) alias: Option<AliasName>,
    /// Whether an alias that does not exist is created.
    pub(crate) create_alias: bool,
    /// The region, if it is not that of the environment.
    pub(crate) region: Option<String>,
    /// The bucket that code goes through.
    pub(crate) s3_bucket: Option<String>,
}

impl fmt::Display for DeploymentTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.alias {
            Some(alias) => write!(formatter, "{}:{alias}", self.function),
            None => write!(formatter, "{}", self.function),
        }
    }
}

/// The code of a function.
#[derive(Debug, Clone)]
pub(crate) struct DeployedCode {
    pub(crate) artifact: DeployedArtifact,
    /// As Lambda states it: of a zip in base64, of an image in hexadecimal.
    pub(crate) code_sha256: String,
    /// `x86_64` or `arm64`.
    pub(crate) architecture: String,
}

/// What code is deployed from.
#[derive(Debug, Clone)]
pub(crate) enum DeployedArtifact {
    Zip {
        path: PathBuf,
        /// In bytes.
        size: u64,
        /// The largest size that Lambda accepts in a request, in bytes.
        size_limit: u64,
        /// For instance `python3.13`.
        runtime: String,
    },
    /// An image that was pushed.
    Image {
        /// With the digest.
        reference: String,
    },
}

/// What a function's callers get after a deployment, and what they got before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeployedVersion {
    /// `None` without an alias.
    pub(crate) version: Option<String>,
    pub(crate) previous: Option<String>,
    /// How many bytes of code were sent.
    pub(crate) sent: u64,
}

/// What came of a deployment.
#[derive(Debug)]
pub(crate) enum DeploymentOutcome {
    Deployed(DeployedVersion),
    RolledBack(DeployedVersion),
    /// The code was live already.
    Unchanged {
        version: Option<String>,
    },
    /// It would be deployed.
    Planned {
        version: Option<String>,
    },
    /// Nothing was changed, because another function cannot be deployed.
    Skipped,
    Failed(FailedDeployment),
}

/// A deployment that ended, and the region of its function.
#[derive(Debug)]
pub(crate) struct EndedDeployment {
    pub(crate) region: Option<String>,
    pub(crate) outcome: DeploymentOutcome,
}

/// What is done with the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeployMode {
    Deploy,
    /// As far as nothing is changed.
    DryRun,
}

/// Deploys code to functions, in parallel, unless one of them cannot take its code. The outcomes have the order of the
/// deployments.
///
/// # Errors
/// No requests can be sent.
pub(crate) fn deploy(
    deployments: &[(DeploymentTarget, DeployedCode)],
    environment: &AwsEnvironment,
    mode: DeployMode,
) -> Result<Vec<EndedDeployment>, DeployError> {
    block_on(async {
        let sessions = AwsSessions::open(deployments.iter().map(|(target, _)| target), environment).await?;
        let checks = deployments.iter().map(|(target, code)| check(target, code, &sessions));
        let checks = join_all(checks).await;
        let is_stopped = mode == DeployMode::Deploy && checks.iter().any(Result::is_err);
        let ended = deployments.iter().zip(checks).map(async |((target, code), checked)| {
            let outcome = match checked {
                Err(failed) => DeploymentOutcome::Failed(failed),
                Ok((_, checked)) if checked.live_code() == Some(code.code_sha256.as_str()) => {
                    DeploymentOutcome::Unchanged { version: checked.live_version().map(str::to_owned) }
                }
                Ok(_) if is_stopped => DeploymentOutcome::Skipped,
                Ok((_, checked)) if mode == DeployMode::DryRun => {
                    DeploymentOutcome::Planned { version: checked.live_version().map(str::to_owned) }
                }
                Ok((api, checked)) => match update(&api, target, checked, code).await {
                    Ok(version) => DeploymentOutcome::Deployed(version),
                    Err(failed) => DeploymentOutcome::Failed(failed),
                },
            };
            EndedDeployment { region: sessions.region(target), outcome }
        });
        Ok(stream::iter(ended).buffered(CONCURRENCY).collect().await)
    })
}

/// Moves the aliases of functions to the versions that they pointed to before.
///
/// # Errors
/// No requests can be sent.
pub(crate) fn roll_back(
    targets: &[DeploymentTarget],
    environment: &AwsEnvironment,
) -> Result<Vec<EndedDeployment>, DeployError> {
    block_on(async {
        let sessions = AwsSessions::open(targets.iter(), environment).await?;
        let ended = targets.iter().map(async |target| {
            let outcome = match sessions.api(target).await {
                Ok(api) => match (Sequence { api: &api, target }).roll_back().await {
                    Ok(version) => DeploymentOutcome::RolledBack(version),
                    Err(failed) => DeploymentOutcome::Failed(failed),
                },
                Err(source) => DeploymentOutcome::Failed(FailedDeployment::before_start("roll back", target, source)),
            };
            EndedDeployment { region: sessions.region(target), outcome }
        });
        Ok(stream::iter(ended).buffered(CONCURRENCY).collect().await)
    })
}

fn block_on<T>(run: impl Future<Output = Result<T, DeployError>>) -> Result<T, DeployError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DeployError::Start)?;
    runtime.block_on(run)
}

async fn check<'a>(
    target: &DeploymentTarget,
    code: &DeployedCode,
    sessions: &'a AwsSessions<'_>,
) -> Result<(LambdaApi<'a>, CheckedFunction), FailedDeployment> {
    let checked = async {
        let api = sessions.api(target).await?;
        let checked = Sequence { api: &api, target }.check(code).await?;
        if let DeployedArtifact::Zip { size, size_limit: limit, .. } = code.artifact
            && size > limit
            && target.s3_bucket.is_none()
        {
            return Err(DeployError::NeedsBucket { size, limit });
        }
        Ok((api, checked))
    };
    checked.await.map_err(|source| FailedDeployment::before_start("deploy to", target, source))
}

async fn update(
    api: &LambdaApi<'_>,
    target: &DeploymentTarget,
    checked: CheckedFunction,
    code: &DeployedCode,
) -> Result<DeployedVersion, FailedDeployment> {
    let prepared = prepare(api, target, &checked, code).await;
    let (code_to_send, sent) = prepared.map_err(|source| {
        let version = checked.live_version().map(str::to_owned);
        let live = LiveCode::Unchanged { version };
        Sequence { api, target }.failed(live, source)
    })?;
    let deployed = Sequence { api, target }.deploy(checked, code, &code_to_send).await?;
    Ok(DeployedVersion { sent, ..deployed })
}

/// Reads the code or uploads it to S3, unless the function has it, and returns how many bytes are sent.
async fn prepare(
    api: &LambdaApi<'_>,
    target: &DeploymentTarget,
    checked: &CheckedFunction,
    code: &DeployedCode,
) -> Result<(SentCode, u64), DeployError> {
    if checked.latest_code() == code.code_sha256 {
        return Ok((SentCode::Zip(Vec::new()), 0));
    }
    let (path, size) = match &code.artifact {
        DeployedArtifact::Zip { path, size, .. } => (path, *size),
        DeployedArtifact::Image { reference } => return Ok((SentCode::Image(reference.clone()), 0)),
    };
    if let Some(bucket) = &target.s3_bucket {
        let s3 = S3Api::new(api.session(), bucket).await?;
        let zip = ZipFile { path, size, code_sha256: &code.code_sha256 };
        let uploaded = upload::upload(&s3, target.function.short(), &zip, checked.latest_code()).await?;
        let UploadedCode { key, version, sent } = uploaded;
        return Ok((SentCode::S3 { bucket: bucket.clone(), key, version }, sent));
    }
    let bytes = tokio::fs::read(path).await.map_err(|source| DeployError::Read { path: path.clone(), source })?;
    Ok((SentCode::Zip(bytes), size))
}

/// The AWS credentials in each region that functions are in.
struct AwsSessions<'a> {
    default_region: Option<String>,
    by_region: BTreeMap<String, Result<Option<AwsSession<'a>>, Arc<AwsError>>>,
}

impl<'a> AwsSessions<'a> {
    async fn open(
        targets: impl Iterator<Item = &DeploymentTarget>,
        environment: &'a AwsEnvironment,
    ) -> Result<Self, DeployError> {
        let default_region = configured_region(environment).await;
        let default_region = default_region.map_err(|source| DeployError::Credentials(Arc::new(source)))?;
        let mut sessions = Self { default_region, by_region: BTreeMap::new() };
        for target in targets {
            if let Some(region) = sessions.region(target)
                && !sessions.by_region.contains_key(&region)
            {
                let session = AwsSession::open(environment, &region).await.map_err(Arc::new);
                sessions.by_region.insert(region, session);
            }
        }
        Ok(sessions)
    }

    /// Returns the region of a function: that of its ARN, or else the one that is set nearest.
    fn region(&self, target: &DeploymentTarget) -> Option<String> {
        target
            .function
            .region()
            .map(str::to_owned)
            .or_else(|| target.region.clone())
            .or_else(|| self.default_region.clone())
    }

    async fn api(&self, target: &DeploymentTarget) -> Result<LambdaApi<'_>, DeployError> {
        if let (Some(arn_region), Some(region)) = (target.function.region(), target.region.as_deref())
            && arn_region != region
        {
            return Err(DeployError::OtherRegion { arn_region: arn_region.to_owned(), region: region.to_owned() });
        }
        let region = self.region(target).ok_or(DeployError::NoRegion)?;
        match self.by_region.get(&region) {
            Some(Ok(Some(session))) => LambdaApi::new(session).await,
            Some(Err(source)) => Err(DeployError::Credentials(Arc::clone(source))),
            _ => Err(DeployError::NoCredentials),
        }
    }
}
