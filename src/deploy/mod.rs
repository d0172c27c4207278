//! `pybundle deploy`: code that was built becomes what a Lambda function runs.
//!
//! All functions are checked before the first one is changed. Each is then updated by itself, in the steps of
//! [`sequence`]: what is live changes in the last one. Layers are published before, where their content is new.
//!
//! No asynchronous code leaves this room.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};

use crate::aws::{AwsEnvironment, AwsError, AwsSession, S3Bucket, S3Patience, configured_region};
use error::LiveCode;
use lambda_api::{LambdaApi, LayerVersion, SentCode};
use layers::LayerGoal;
use sequence::{CheckedFunction, Sequence};
use upload::{UploadedCode, ZipFile};

pub(crate) use error::{DeployError, FailedDeployment};
pub(crate) use layers::{LayerChange, LayerChangeKind, LayerTarget};
pub(crate) use live::{LiveZip, LiveZipError};
pub(crate) use names::{AliasName, FunctionName, LayerName, LayerVersionArn, NamedLayer, VersionDescription};

mod checkpoints;
mod error;
mod lambda_api;
mod layers;
mod live;
mod names;
mod record;
mod sequence;
mod upload;

/// How many functions are updated at a time.
const CONCURRENCY: usize = 8;

const S3_PATIENCE: S3Patience = S3Patience { retry: lambda_api::RETRY, attempt: Duration::from_secs(120) };

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
    /// The layers that the function runs with, in their order.
    pub(crate) layers: Vec<RequiredLayer>,
    /// The layers that the project publishes. Those that the function does not name are removed from it.
    pub(crate) own_layers: Vec<LayerTarget>,
    /// The description of versions that are published [default: the function's].
    pub(crate) description: Option<VersionDescription>,
}

impl DeploymentTarget {
    /// Returns the region of the ARN, or else the one that is set for the target.
    fn named_region(&self) -> Option<String> {
        self.function.region().map(str::to_owned).or_else(|| self.region.clone())
    }
}

impl fmt::Display for DeploymentTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.alias {
            Some(alias) => write!(formatter, "{}:{alias}", self.function),
            None => write!(formatter, "{}", self.function),
        }
    }
}

/// A layer that a function runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequiredLayer {
    /// By its position among those that are published.
    Published(usize),
    Existing(LayerVersionArn),
}

impl DeploymentTarget {
    /// Returns the ARNs of the layers' versions; `None` if that of a published one is unknown.
    fn versions(&self, published: impl Fn(usize) -> Option<String>) -> Option<Vec<String>> {
        let versions = self.layers.iter().map(|layer| match layer {
            RequiredLayer::Published(at) => published(*at),
            RequiredLayer::Existing(version) => Some(version.text().to_owned()),
        });
        versions.collect()
    }
}

/// The code of a function or a layer.
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
    /// What became of the function's layers.
    pub(crate) layers: Vec<LayerChange>,
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
        /// What is live, if it is a zip.
        live: Option<LiveZip>,
        /// What would become of the function's layers.
        layers: Vec<LayerChange>,
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

/// Publishes layers and deploys code to functions, in parallel, unless one of them cannot take its code. The outcomes have
/// the order of the functions and of the layers.
///
/// # Errors
/// No requests can be sent.
pub(crate) fn deploy(
    functions: &[(DeploymentTarget, DeployedCode)],
    layers: &[(LayerTarget, DeployedCode)],
    environment: &AwsEnvironment,
    mode: DeployMode,
) -> Result<(Vec<EndedDeployment>, Vec<EndedDeployment>), DeployError> {
    block_on(async {
        let regions = functions.iter().map(|(target, _)| target.named_region());
        let regions = regions.chain(layers.iter().map(|(target, _)| target.region.clone()));
        let sessions = AwsSessions::open(regions, environment).await?;
        let checks = join_all(functions.iter().map(|(target, code)| check(target, code, layers, &sessions))).await;
        let layer_checks = join_all(layers.iter().map(|(target, code)| layers::check(target, code, &sessions))).await;
        let has_failed = checks.iter().any(Result::is_err) || layer_checks.iter().any(Result::is_err);
        let is_stopped = mode == DeployMode::Deploy && has_failed;
        let published = layers.iter().zip(layer_checks).map(async |((target, code), checked)| {
            let (arn, outcome) = match checked {
                Err(failed) => (None, DeploymentOutcome::Failed(failed)),
                Ok((_, Some(latest))) if latest.code_sha256() == code.code_sha256 => {
                    let version = Some(latest.version.to_string());
                    (Some(latest.layer_version_arn), DeploymentOutcome::Unchanged { version })
                }
                Ok(_) if is_stopped => (None, DeploymentOutcome::Skipped),
                Ok((_, latest)) if mode == DeployMode::DryRun => {
                    let live = latest.as_ref().and_then(LayerVersion::zip);
                    let version = latest.map(|latest| latest.version.to_string());
                    (None, DeploymentOutcome::Planned { version, live, layers: Vec::new() })
                }
                Ok((api, latest)) => match layers::publish(&api, target, code, latest.as_ref()).await {
                    Ok((arn, version)) => (Some(arn), DeploymentOutcome::Deployed(version)),
                    Err(failed) => (None, DeploymentOutcome::Failed(failed)),
                },
            };
            (arn, EndedDeployment { region: sessions.region(target.region.clone()), outcome })
        });
        let published: Vec<_> = stream::iter(published).buffered(CONCURRENCY).collect().await;
        let (arns, published): (Vec<Option<String>>, Vec<EndedDeployment>) = published.into_iter().unzip();
        let ended = functions.iter().zip(checks).map(async |((target, code), checked)| {
            let wanted = target.versions(|at| arns.get(at).cloned().flatten());
            let outcome = match (checked, wanted) {
                (Err(failed), _) => DeploymentOutcome::Failed(failed),
                (Ok((_, checked)), Some(wanted)) if checked.is_live(code, &checked.goal(wanted.clone())) => {
                    DeploymentOutcome::Unchanged { version: checked.live_version().map(str::to_owned) }
                }
                (Ok(_), _) if is_stopped => DeploymentOutcome::Skipped,
                (Ok((_, checked)), _) if mode == DeployMode::DryRun => {
                    let version = checked.live_version().map(str::to_owned);
                    let goal = planned_layers(target, &checked, layers, &arns);
                    let layers = goal.map(|goal| checked.layer_changes(&goal)).unwrap_or_default();
                    DeploymentOutcome::Planned { version, live: checked.live_zip(), layers }
                }
                // A layer of it could not be published.
                (Ok(_), None) => DeploymentOutcome::Skipped,
                (Ok((api, checked)), Some(wanted)) => {
                    let goal = checked.goal(wanted);
                    match update(&api, target, checked, code, &goal).await {
                        Ok(version) => DeploymentOutcome::Deployed(version),
                        Err(failed) => DeploymentOutcome::Failed(failed),
                    }
                }
            };
            EndedDeployment { region: sessions.region(target.named_region()), outcome }
        });
        Ok((stream::iter(ended).buffered(CONCURRENCY).collect().await, published))
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
        let sessions = AwsSessions::open(targets.iter().map(DeploymentTarget::named_region), environment).await?;
        let ended = targets.iter().map(async |target| {
            let outcome = match sessions.api(target).await {
                Ok(api) => match (Sequence { api: &api, target }).roll_back().await {
                    Ok(version) => DeploymentOutcome::RolledBack(version),
                    Err(failed) => DeploymentOutcome::Failed(failed),
                },
                Err(source) => DeploymentOutcome::Failed(FailedDeployment::before_start("roll back", target, source)),
            };
            EndedDeployment { region: sessions.region(target.named_region()), outcome }
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
    layers: &[(LayerTarget, DeployedCode)],
    sessions: &'a AwsSessions<'_>,
) -> Result<(LambdaApi<'a>, CheckedFunction), FailedDeployment> {
    let checked = async {
        let api = sessions.api(target).await?;
        for layer in &target.layers {
            let region = api.region().to_owned();
            match layer {
                RequiredLayer::Published(at) => {
                    let Some((LayerTarget { layer, region: named, .. }, _)) = layers.get(*at) else { continue };
                    let layer_region = sessions.region(named.clone()).filter(|layer_region| *layer_region != region);
                    if let Some(layer_region) = layer_region {
                        return Err(DeployError::LayerRegion { layer: layer.clone(), layer_region, region });
                    }
                }
                RequiredLayer::Existing(version) if version.region() != region => {
                    return Err(DeployError::VersionRegion { version: version.clone(), region });
                }
                RequiredLayer::Existing(_) => {}
            }
        }
        let is_here = |layer: &&LayerTarget| sessions.region(layer.region.clone()).as_deref() == Some(api.region());
        let own_layers = target.own_layers.iter().filter(is_here).map(|layer| &layer.layer);
        let checked = Sequence { api: &api, target }.check(code, own_layers).await?;
        if let Some(goal) = planned_layers(target, &checked, layers, &[]) {
            checked.check_layers(&goal)?;
        }
        check_size(code, target.s3_bucket.as_deref())?;
        Ok((api, checked))
    };
    checked.await.map_err(|source| FailedDeployment::before_start("deploy to", target, source))
}

/// Returns the layers that a function is to have while not all of them are published; `None` if Lambda does not tell in which
/// account they are.
fn planned_layers(
    target: &DeploymentTarget,
    checked: &CheckedFunction,
    layers: &[(LayerTarget, DeployedCode)],
    published: &[Option<String>],
) -> Option<LayerGoal> {
    let wanted = target.versions(|at| {
        let published = published.get(at).cloned().flatten();
        published.or_else(|| checked.unpublished(&layers.get(at)?.0.layer))
    });
    Some(checked.goal(wanted?))
}

/// Checks that Lambda takes a zip in a request, unless it goes through a bucket.
fn check_size(code: &DeployedCode, bucket: Option<&str>) -> Result<(), DeployError> {
    match code.artifact {
        DeployedArtifact::Zip { size, size_limit: limit, .. } if size > limit && bucket.is_none() => {
            Err(DeployError::NeedsBucket { size, limit })
        }
        _ => Ok(()),
    }
}

async fn update(
    api: &LambdaApi<'_>,
    target: &DeploymentTarget,
    checked: CheckedFunction,
    code: &DeployedCode,
    goal: &LayerGoal,
) -> Result<DeployedVersion, FailedDeployment> {
    let prepared = prepare(api, target, &checked, code).await;
    let (code_to_send, sent) = prepared.map_err(|source| {
        let version = checked.live_version().map(str::to_owned);
        let live = LiveCode::Unchanged { version };
        Sequence { api, target }.failed(live, source)
    })?;
    let deployed = Sequence { api, target }.deploy(checked, code, &code_to_send, goal).await?;
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
    send(api, (target.function.short(), target.s3_bucket.as_deref()), code, checked.latest_code()).await
}

/// Reads the code or uploads it to S3 under a name, and returns how many bytes are sent. `earlier` is the code that is there now.
async fn send(
    api: &LambdaApi<'_>,
    (name, bucket): (&str, Option<&str>),
    code: &DeployedCode,
    earlier: &str,
) -> Result<(SentCode, u64), DeployError> {
    let (path, size) = match &code.artifact {
        DeployedArtifact::Zip { path, size, .. } => (path, *size),
        DeployedArtifact::Image { reference } => return Ok((SentCode::Image(reference.clone()), 0)),
    };
    if let Some(bucket) = bucket {
        let s3 = S3Bucket::new(api.session().clone(), bucket, S3_PATIENCE).await;
        let s3 = s3.map_err(|source| DeployError::Credentials(Arc::new(source)))?;
        let zip = ZipFile { path, size, code_sha256: &code.code_sha256 };
        let uploaded = upload::upload(&s3, name, &zip, earlier).await?;
        let UploadedCode { key, version, sent } = uploaded;
        return Ok((SentCode::S3 { bucket: bucket.to_owned(), key, version }, sent));
    }
    let bytes = tokio::fs::read(path).await.map_err(|source| DeployError::Read { path: path.clone(), source })?;
    Ok((SentCode::Zip(bytes), size))
}

/// The AWS credentials in each region that functions and layers are in.
struct AwsSessions<'a> {
    default_region: Option<String>,
    by_region: BTreeMap<String, Result<Option<AwsSession<'a>>, Arc<AwsError>>>,
}

impl<'a> AwsSessions<'a> {
    async fn open(
        regions: impl Iterator<Item = Option<String>>,
        environment: &'a AwsEnvironment,
    ) -> Result<Self, DeployError> {
        let default_region = configured_region(environment).await;
        let default_region = default_region.map_err(|source| DeployError::Credentials(Arc::new(source)))?;
        let mut sessions = Self { default_region, by_region: BTreeMap::new() };
        for region in regions {
            if let Some(region) = sessions.region(region)
                && !sessions.by_region.contains_key(&region)
            {
                let session = AwsSession::open(environment, &region).await.map_err(Arc::new);
                sessions.by_region.insert(region, session);
            }
        }
        Ok(sessions)
    }

    /// Returns the region that is set for a target, or else for all.
    fn region(&self, named: Option<String>) -> Option<String> {
        named.or_else(|| self.default_region.clone())
    }

    async fn api(&self, target: &DeploymentTarget) -> Result<LambdaApi<'_>, DeployError> {
        if let (Some(arn_region), Some(region)) = (target.function.region(), target.region.as_deref())
            && arn_region != region
        {
            return Err(DeployError::OtherRegion { arn_region: arn_region.to_owned(), region: region.to_owned() });
        }
        self.api_in(target.named_region()).await
    }

    /// Returns a client of Lambda in a region, or else in the one that is set for all.
    async fn api_in(&self, region: Option<String>) -> Result<LambdaApi<'_>, DeployError> {
        let region = self.region(region).ok_or(DeployError::NoRegion)?;
        match self.by_region.get(&region) {
            Some(Ok(Some(session))) => LambdaApi::new(session).await,
            Some(Err(source)) => Err(DeployError::Credentials(Arc::clone(source))),
            _ => Err(DeployError::NoCredentials),
        }
    }
}
