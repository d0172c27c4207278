//! The steps of a deployment: each leaves what is live as it is, except for the last one.
//!
//! Lambda carries out a request once or not at all, but its answer may be lost. Each step then looks at what is there, and
//! repeats the request only if it had no effect.

use std::time::{Duration, Instant};

use super::error::{DeployError, FailedDeployment, FunctionProperty, LiveCode};
use super::lambda_api::{AliasConfiguration, AliasMove, FunctionConfiguration, LambdaApi, SentCode};
use super::layers::{self, LayerChange, LayerGoal};
use super::names::{AliasName, FunctionName, LayerName};
use super::record::AliasRecord;
use super::{DeployedArtifact, DeployedCode, DeployedVersion, DeploymentTarget, LiveZip};
use crate::hints::nearest;
use crate::lambda::MOST_LAYERS;

/// How often a change is requested while something gets in the way.
pub(super) const ATTEMPTS: usize = 3;

/// As AWS's own waiters: five minutes for an update, and 26 for a version, whose snapshot may be made before it is active.
const LONGEST_UPDATE: Duration = Duration::from_secs(5 * 60);
const LONGEST_PUBLICATION: Duration = Duration::from_secs(26 * 60);

const UPDATING: &str = "updating the function";

/// The pauses between questions for the state double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A function that the code is made for, as it was before the deployment.
pub(super) struct CheckedFunction {
    latest: FunctionConfiguration,
    alias: Option<CheckedAlias>,
    /// The ARNs of the layers that the project publishes.
    own_layers: Vec<String>,
}

struct CheckedAlias {
    /// `None` if it is created.
    before: Option<AliasConfiguration>,
    /// The version that it points to.
    live: Option<FunctionConfiguration>,
}

impl CheckedFunction {
    /// Returns whether the code is live with these layers.
    pub(super) fn is_live(&self, code: &DeployedCode, goal: &LayerGoal) -> bool {
        self.live().is_some_and(|live| live.code_sha256 == code.code_sha256 && goal.is_reached(&live.layers()))
    }

    /// Returns the layers that the function is to have, given these versions of those that it names.
    pub(super) fn goal(&self, wanted: Vec<String>) -> LayerGoal {
        LayerGoal::new(wanted, self.own_layers.clone())
    }

    /// Returns the ARN that the next version of a layer would have, without its number.
    pub(super) fn unpublished(&self, layer: &LayerName) -> Option<String> {
        Some(format!("{}:", layers::arn_beside(&self.latest.function_arn, layer)?))
    }

    /// Returns what would become of the layers of the function's callers.
    pub(super) fn layer_changes(&self, goal: &LayerGoal) -> Vec<LayerChange> {
        layers::changes(&self.live_layers(), &goal.reached_from(&self.latest.layers()))
    }

    fn live_layers(&self) -> Vec<String> {
        self.live().unwrap_or(&self.latest).layers()
    }

    /// Checks that the function never has more layers than Lambda allows.
    pub(super) fn check_layers(&self, goal: &LayerGoal) -> Result<(), DeployError> {
        let current = self.latest.layers();
        let layers = goal.reached_from(&current);
        if layers.len() > MOST_LAYERS {
            return Err(DeployError::TooManyLayers(layers));
        }
        // Behind an alias, the order does not matter.
        let meanwhile = goal.added_to(&current);
        if meanwhile.len() > MOST_LAYERS && goal.adds_to(&current) && self.alias.is_none() {
            return Err(DeployError::TooManyLayersMeanwhile(meanwhile));
        }
        Ok(())
    }

    /// Returns what the function's callers get.
    fn live(&self) -> Option<&FunctionConfiguration> {
        match &self.alias {
            Some(alias) => alias.live.as_ref(),
            None => Some(&self.latest),
        }
    }

    /// Returns the zip that the function's callers get, if it is one.
    pub(super) fn live_zip(&self) -> Option<LiveZip> {
        let live = self.live()?;
        LiveZip::at(live.code_location.as_deref()?, &live.code_sha256)
    }

    /// Returns the digest of the code in `$LATEST`.
    pub(super) fn latest_code(&self) -> &str {
        &self.latest.code_sha256
    }

    /// Returns the version that the alias points to.
    pub(super) fn live_version(&self) -> Option<&str> {
        Some(&self.alias.as_ref()?.before.as_ref()?.function_version)
    }
}

/// The deployment of one function.
pub(super) struct Sequence<'a> {
    pub(super) api: &'a LambdaApi<'a>,
    pub(super) target: &'a DeploymentTarget,
}

impl Sequence<'_> {
    fn function(&self) -> &FunctionName {
        &self.target.function
    }

    /// Checks that the function exists and that the code is made for it.
    /// `own_layers` are those that the project publishes in the function's region.
    pub(super) async fn check(
        &self,
        code: &DeployedCode,
        own_layers: impl Iterator<Item = &LayerName>,
    ) -> Result<CheckedFunction, DeployError> {
        let latest = match self.api.function(self.function(), None).await {
            Err(error) if error.is_not_found() => return Err(self.unknown_function().await),
            latest => latest?,
        };
        compare(&latest, code)?;
        if let Some(reason) = latest.failure() {
            return Err(DeployError::FailedFunction(reason));
        }
        let alias = match &self.target.alias {
            Some(alias) => Some(self.check_alias(alias).await?),
            None => None,
        };
        let own_layers = own_layers.filter_map(|layer| layers::arn_beside(&latest.function_arn, layer)).collect();
        Ok(CheckedFunction { latest, alias, own_layers })
    }

    async fn check_alias(&self, alias: &AliasName) -> Result<CheckedAlias, DeployError> {
        let before = match self.existing_alias(alias).await {
            Err(DeployError::UnknownAlias { .. }) if self.target.create_alias => {
                return Ok(CheckedAlias { before: None, live: None });
            }
            before => before?,
        };
        let live = self.api.function(self.function(), Some(&before.function_version)).await?;
        Ok(CheckedAlias { before: Some(before), live: Some(live) })
    }

    /// Returns an alias that sends all requests to one version.
    async fn existing_alias(&self, alias: &AliasName) -> Result<AliasConfiguration, DeployError> {
        let (function, name) = (self.function().clone(), alias.clone());
        let before = match self.api.alias(self.function(), alias).await {
            Err(error) if error.is_not_found() => {
                // Lambda's answer is the same if the function does not exist.
                let found = self.api.function(self.function(), None).await;
                if found.is_err_and(|error| error.is_not_found()) {
                    return Err(self.unknown_function().await);
                }
                let known = self.api.alias_names(self.function()).await.unwrap_or_default();
                let nearest = nearest(alias.text(), known.iter().map(String::as_str)).map(str::to_owned);
                return Err(DeployError::UnknownAlias { function, alias: name, nearest });
            }
            before => before?,
        };
        match before.routed_version() {
            Some(version) => Err(DeployError::RoutedAlias { function, alias: name, version: version.to_owned() }),
            None => Ok(before),
        }
    }

    async fn unknown_function(&self) -> DeployError {
        let (function, region) = (self.function().clone(), self.api.region().to_owned());
        let known = self.api.function_names().await.unwrap_or_default();
        let nearest = nearest(function.short(), known.iter().map(String::as_str)).map(str::to_owned);
        DeployError::UnknownFunction { function, region, nearest }
    }

    /// Deploys the code to a function that was checked, with these layers.
    pub(super) async fn deploy(
        &self,
        checked: CheckedFunction,
        code: &DeployedCode,
        sent: &SentCode,
        goal: &LayerGoal,
    ) -> Result<DeployedVersion, FailedDeployment> {
        let previous = checked.live_version().map(str::to_owned);
        let live_layers = checked.live_layers();
        let unchanged = LiveCode::Unchanged { version: previous.clone() };
        let Some(alias) = &checked.alias else {
            // Lambda's callers get the new code as soon as it is updated, so a lost answer leaves open which one is live.
            let updated = self.update(checked.latest, code, sent, goal).await;
            let latest = updated.map_err(|(live, source)| self.failed(live, source))?;
            let layers = layers::changes(&live_layers, &latest.layers());
            return Ok(DeployedVersion { version: None, previous: None, sent: 0, layers });
        };
        let published = async {
            let latest = self.update(checked.latest, code, sent, goal).await.map_err(|(_, source)| source)?;
            let layers = layers::changes(&live_layers, &latest.layers());
            Ok((self.publish(latest, code).await?, layers))
        };
        let (version, layers) = published.await.map_err(|source| self.failed(unchanged, source))?;
        self.point(alias.before.as_ref(), &version).await.map_err(|(live, source)| self.failed(live, source))?;
        Ok(DeployedVersion { version: Some(version), previous, sent: 0, layers })
    }

    /// Moves the alias to the version that it pointed to before.
    pub(super) async fn roll_back(&self) -> Result<DeployedVersion, FailedDeployment> {
        let failed = |version: Option<String>, source| {
            let live = version.map_or(LiveCode::Untouched, |version| LiveCode::Unchanged { version: Some(version) });
            FailedDeployment { verb: "roll back", ..self.failed(live, source) }
        };
        let alias = self.target.alias.as_ref().ok_or_else(|| failed(None, DeployError::RollbackWithoutAlias))?;
        let before = self.existing_alias(alias).await.map_err(|source| failed(None, source))?;
        let current = before.function_version.clone();
        let record = AliasRecord::of(&before.description).filter(|record| record.to == current);
        let Some(record) = record else {
            let (function, alias, version) = (self.function().clone(), alias.clone(), current.clone());
            return Err(failed(Some(current), DeployError::NoRecord { function, alias, version }));
        };
        match self.api.function(self.function(), Some(&record.from)).await {
            Err(error) if error.is_not_found() => {
                let (function, version) = (self.function().clone(), record.from);
                return Err(failed(Some(current), DeployError::DeletedVersion { function, version }));
            }
            result => result.map_err(|source| failed(Some(current.clone()), source))?,
        };
        let moved = self.point(Some(&before), &record.from).await;
        moved.map_err(|(live, source)| FailedDeployment { verb: "roll back", ..self.failed(live, source) })?;
        Ok(DeployedVersion { version: Some(record.from), previous: Some(current), sent: 0, layers: Vec::new() })
    }

    pub(super) fn failed(&self, live: LiveCode, source: DeployError) -> FailedDeployment {
        FailedDeployment { verb: "deploy to", function: self.target.to_string(), live, source }
    }

    /// Replaces the code and the layers of `$LATEST`. Layers that are added come before the code, since the earlier code does not
    /// need them and the new one does, and layers that are removed go after it.
    async fn update(
        &self,
        mut before: FunctionConfiguration,
        code: &DeployedCode,
        sent: &SentCode,
        goal: &LayerGoal,
    ) -> Result<FunctionConfiguration, (LiveCode, DeployError)> {
        let current = before.layers();
        if goal.adds_to(&current) && goal.added_to(&current).len() <= MOST_LAYERS {
            let earlier = before.code_sha256.clone();
            match self.update_layers(before.clone(), |current| goal.added_to(current)).await {
                Ok(latest) => {
                    before = latest;
                    // What others have deployed meanwhile is not overwritten.
                    before.code_sha256 = earlier;
                }
                // The earlier code may be too large together with the layer. Behind an alias, the order does not matter.
                Err((_, error)) if error.is_invalid() && self.target.alias.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        let latest = self.update_code(before, code, sent).await?;
        let updated = self.update_layers(latest, |current| goal.reached_from(current)).await;
        updated.map_err(|(_, source)| (LiveCode::Unknown, source))
    }

    /// Replaces the layers of `$LATEST` with the wanted ones, and waits until Lambda has updated the function.
    async fn update_layers(
        &self,
        mut latest: FunctionConfiguration,
        wanted: impl Fn(&[String]) -> Vec<String>,
    ) -> Result<FunctionConfiguration, (LiveCode, DeployError)> {
        let (unchanged, unknown) = (LiveCode::Unchanged { version: None }, LiveCode::Unknown);
        for attempt in 1.. {
            let layers = wanted(&latest.layers());
            if layers == latest.layers() {
                break;
            }
            match self.api.update_layers(self.function(), &layers, latest.revision_id.as_deref()).await {
                Ok(()) => {}
                Err(error) if (error.is_unanswered() || error.is_conflict()) && attempt < ATTEMPTS => {}
                Err(error) if error.is_unanswered() => return Err((unknown, error)),
                Err(error) => return Err((unchanged, error)),
            }
            latest = self.updated().await.map_err(|source| (unknown.clone(), source))?;
        }
        Ok(latest)
    }

    /// Replaces the code of `$LATEST` unless it is there, and waits until Lambda has updated the function. The error says
    /// what `$LATEST` then has.
    async fn update_code(
        &self,
        before: FunctionConfiguration,
        code: &DeployedCode,
        sent: &SentCode,
    ) -> Result<FunctionConfiguration, (LiveCode, DeployError)> {
        let earlier = before.code_sha256;
        let (unchanged, unknown) = (LiveCode::Unchanged { version: None }, LiveCode::Unknown);
        // An update of somebody else may be in progress. Whether it succeeds does not matter.
        let settled = self.settled(None, LONGEST_UPDATE, UPDATING).await;
        let mut latest = settled.map_err(|source| (unchanged.clone(), source))?;
        for attempt in 1.. {
            if latest.code_sha256 == code.code_sha256 {
                break;
            }
            if latest.code_sha256 != earlier {
                return Err((unknown, DeployError::CodeChanged));
            }
            compare(&latest, code).map_err(|source| (unchanged.clone(), source))?;
            let revision = latest.revision_id.as_deref();
            match self.api.update_code(self.function(), sent, &code.architecture, revision).await {
                Ok(()) => {}
                Err(error) if (error.is_unanswered() || error.is_conflict()) && attempt < ATTEMPTS => {}
                Err(error) if error.is_unanswered() => return Err((unknown, error)),
                Err(error) => return Err((unchanged, error)),
            }
            latest = self.updated().await.map_err(|source| match source {
                DeployError::UpdateFailed(_) => (unchanged.clone(), source),
                _ => (unknown.clone(), source),
            })?;
        }
        Ok(latest)
    }

    /// Waits until the function is not being updated.
    async fn updated(&self) -> Result<FunctionConfiguration, DeployError> {
        let latest = self.settled(None, LONGEST_UPDATE, UPDATING).await?;
        match latest.update_failure() {
            Some(reason) => Err(DeployError::UpdateFailed(reason)),
            None => Ok(latest),
        }
    }

    async fn settled(
        &self,
        version: Option<&str>,
        limit: Duration,
        what: &'static str,
    ) -> Result<FunctionConfiguration, DeployError> {
        let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let configuration = self.api.function(self.function(), version).await?;
            if !configuration.is_changing() {
                return Ok(configuration);
            }
            if started.elapsed() > limit {
                return Err(DeployError::StillWaiting { what, minutes: limit.as_secs() / 60 });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Publishes a version with the code, and waits until it can run. To publish again what did not change returns the same
    /// version, so a lost answer does no harm.
    async fn publish(&self, mut latest: FunctionConfiguration, code: &DeployedCode) -> Result<String, DeployError> {
        let mut attempt = 1;
        let version = loop {
            if latest.code_sha256 != code.code_sha256 {
                return Err(DeployError::CodeChanged);
            }
            let (revision, description) = (latest.revision_id.as_deref(), self.target.description.as_ref());
            match self.api.publish_version(self.function(), &code.code_sha256, revision, description).await {
                Ok(published) => break published.version,
                Err(error) if (error.is_unanswered() || error.is_conflict()) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
            latest = self.updated().await?;
        };
        let published = self.settled(Some(&version), LONGEST_PUBLICATION, "preparing the version").await?;
        match published.failure() {
            Some(reason) => Err(DeployError::VersionFailed { version, reason }),
            None => Ok(version),
        }
    }

    /// Points the alias to a version: the step that makes it live.
    async fn point(&self, before: Option<&AliasConfiguration>, version: &str) -> Result<(), (LiveCode, DeployError)> {
        let Some(alias) = &self.target.alias else { return Ok(()) };
        let from = before.map(|before| before.function_version.as_str());
        if from == Some(version) {
            return Ok(());
        }
        let description = AliasRecord::describe(before.map(|before| before.description.as_str()), from, version);
        let to = AliasMove { function: self.function(), alias, version, description: &description };
        let unchanged = LiveCode::Unchanged { version: from.map(str::to_owned) };
        for attempt in 1.. {
            let moved = match before {
                Some(before) => self.api.update_alias(&to, before.revision_id.as_deref()).await,
                None => self.api.create_alias(&to).await,
            };
            let error = match moved {
                Ok(()) => break,
                Err(error) if error.is_unanswered() || error.is_conflict() => error,
                Err(error) => return Err((unchanged, error)),
            };
            let now = match self.api.alias(self.function(), alias).await {
                Ok(now) => Some(now.function_version),
                Err(error) if error.is_not_found() => None,
                Err(_) => return Err((LiveCode::Unknown, error)),
            };
            match now.as_deref() {
                Some(now) if now == version => break,
                now if now == from && attempt < ATTEMPTS => {}
                now if now == from => return Err((unchanged, error)),
                now => {
                    let now = now.unwrap_or("none").to_owned();
                    return Err((LiveCode::Unchanged { version: Some(now.clone()) }, DeployError::AliasMoved(now)));
                }
            }
        }
        Ok(())
    }
}

/// Checks that a function can run the code.
fn compare(latest: &FunctionConfiguration, code: &DeployedCode) -> Result<(), DeployError> {
    let package_type = latest.package_type.as_deref().unwrap_or("Zip");
    let architecture = latest.architectures.first().map_or("x86_64", String::as_str);
    let runtime = latest.runtime.as_deref().unwrap_or_default();
    let (built_type, built_runtime) = match &code.artifact {
        DeployedArtifact::Zip { runtime, .. } => ("Zip", runtime.as_str()),
        // The image has its own.
        DeployedArtifact::Image { .. } => ("Image", runtime),
    };
    for (property, deployed, built) in [
        (FunctionProperty::PackageType, package_type, built_type),
        (FunctionProperty::Architecture, architecture, code.architecture.as_str()),
        (FunctionProperty::Runtime, runtime, built_runtime),
    ] {
        if deployed != built {
            let (deployed, built) = (deployed.to_owned(), built.to_owned());
            return Err(DeployError::Mismatch { property, deployed, built });
        }
    }
    Ok(())
}
