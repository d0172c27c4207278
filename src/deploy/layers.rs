//! Layers: a version is published where the content is new, and functions get it together with what others gave them.

use super::error::{DeployError, FailedDeployment, LiveCode};
use super::lambda_api::{LambdaApi, LayerVersion};
use super::names::{LayerName, VersionDescription};
use super::sequence::ATTEMPTS;
use super::{AwsSessions, DeployedArtifact, DeployedCode, DeployedVersion};

/// A layer of which versions are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerTarget {
    pub(crate) layer: LayerName,
    /// The region, if it is not that of the environment.
    pub(crate) region: Option<String>,
    /// The bucket that the zip goes through.
    pub(crate) s3_bucket: Option<String>,
    /// The description of versions that are published [default: none].
    pub(crate) description: Option<VersionDescription>,
}

impl LayerTarget {
    fn failed(&self, source: DeployError) -> FailedDeployment {
        let function = format!("layer {}", self.layer);
        FailedDeployment { verb: "publish", function, live: LiveCode::Functions, source }
    }
}

/// Returns the latest version of a layer.
pub(super) async fn check<'a>(
    target: &LayerTarget,
    code: &DeployedCode,
    sessions: &'a AwsSessions<'_>,
) -> Result<(LambdaApi<'a>, Option<LayerVersion>), FailedDeployment> {
    let checked = async {
        super::check_size(code, target.s3_bucket.as_deref())?;
        let api = sessions.api_in(target.region.clone()).await?;
        let latest = api.latest_layer_version(&target.layer).await?;
        Ok((api, latest))
    };
    checked.await.map_err(|source| target.failed(source))
}

/// Publishes a version of a layer, and returns its ARN.
pub(super) async fn publish(
    api: &LambdaApi<'_>,
    target: &LayerTarget,
    code: &DeployedCode,
    latest: Option<&LayerVersion>,
) -> Result<(String, DeployedVersion), FailedDeployment> {
    let published = async {
        let earlier = latest.map(LayerVersion::code_sha256).unwrap_or_default();
        let place = (target.layer.text(), target.s3_bucket.as_deref());
        let (content, sent) = super::send(api, place, code, earlier).await?;
        let runtime = match &code.artifact {
            DeployedArtifact::Zip { runtime, .. } => runtime.as_str(),
            DeployedArtifact::Image { .. } => "",
        };
        let mut attempt = 1;
        let version = loop {
            let made_for = (runtime, code.architecture.as_str());
            let description = target.description.as_ref();
            let error = match api.publish_layer_version(&target.layer, &content, made_for, description).await {
                Ok(version) => break version,
                Err(error) if error.is_unanswered() => error,
                Err(error) => return Err(error),
            };
            // The answer may be lost: a second request would publish a second version.
            let now = api.latest_layer_version(&target.layer).await?;
            match now.filter(|now| now.code_sha256() == code.code_sha256) {
                Some(version) => break version,
                None if attempt < ATTEMPTS => attempt += 1,
                None => return Err(error),
            }
        };
        Ok((version, sent))
    };
    let (version, sent) = published.await.map_err(|source| target.failed(source))?;
    let previous = latest.map(|latest| latest.version.to_string());
    let deployed = DeployedVersion { version: Some(version.version.to_string()), previous, sent, layers: Vec::new() };
    Ok((version.layer_version_arn, deployed))
}

/// Returns the ARN of the layer that a version belongs to.
fn layer_of(version: &str) -> &str {
    version.rsplit_once(':').map_or(version, |(layer, _)| layer)
}

/// Returns the ARN of a layer in the account and region of a function; `None` if Lambda omitted the function's ARN.
pub(super) fn arn_beside(function_arn: &str, layer: &LayerName) -> Option<String> {
    let (account, _) = function_arn.split_once(":function:")?;
    Some(format!("{account}:layer:{layer}"))
}

/// The layers that a function is to have.
#[derive(Debug, Clone)]
pub(super) struct LayerGoal {
    /// The ARNs of versions, in their order. The number of one that is not published yet is missing.
    wanted: Vec<String>,
    /// The ARNs of the layers that the project publishes. A function has only those that it names.
    own: Vec<String>,
}

impl LayerGoal {
    pub(super) fn new(wanted: Vec<String>, own: Vec<String>) -> Self {
        Self { wanted, own }
    }

    /// Returns the layers of a function in the end: the wanted ones in their order, and those of others where they are.
    pub(super) fn reached_from(&self, current: &[String]) -> Vec<String> {
        let mut layers = self.added_to(current);
        layers.retain(|version| self.is_wanted(version) || !self.own.iter().any(|own| own == layer_of(version)));
        layers
    }

    /// Returns the layers with which both the earlier and the new code run: none is removed yet.
    pub(super) fn added_to(&self, current: &[String]) -> Vec<String> {
        let mut next = self.wanted.iter().cloned();
        let replaced = current.iter().filter_map(|version| match self.is_wanted(version) {
            true => next.next(),
            false => Some(version.clone()),
        });
        let mut layers: Vec<String> = replaced.collect();
        layers.extend(next);
        layers
    }

    pub(super) fn is_reached(&self, current: &[String]) -> bool {
        self.reached_from(current) == current
    }

    /// Returns whether a function has no version of a wanted layer.
    pub(super) fn adds_to(&self, current: &[String]) -> bool {
        self.wanted.iter().any(|wanted| current.iter().all(|version| layer_of(version) != layer_of(wanted)))
    }

    fn is_wanted(&self, version: &str) -> bool {
        self.wanted.iter().any(|wanted| layer_of(wanted) == layer_of(version))
    }
}

/// What becomes of a layer of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerChange {
    /// The ARN of the layer.
    pub(crate) layer: String,
    pub(crate) kind: LayerChangeKind,
    /// `None` if it is removed, or not published yet.
    pub(crate) version: Option<u64>,
    /// `None` if it is added.
    pub(crate) previous: Option<u64>,
}

/// Whether a function has a layer before and after a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayerChangeKind {
    Added,
    /// To another version.
    Updated,
    Removed,
    Kept,
}

/// Returns what becomes of the layers of a function: those that it has after a deployment in their order, and then those that are
/// removed.
pub(super) fn changes(before: &[String], after: &[String]) -> Vec<LayerChange> {
    let number = |version: &str| version.rsplit(':').next()?.parse().ok();
    let find = |versions: &[String], layer: &str| versions.iter().find(|other| layer_of(other) == layer).cloned();
    let remaining = after.iter().map(|version| {
        let previous = find(before, layer_of(version));
        let kind = match &previous {
            None => LayerChangeKind::Added,
            Some(previous) if previous == version => LayerChangeKind::Kept,
            Some(_) => LayerChangeKind::Updated,
        };
        let previous = previous.as_deref().and_then(number);
        LayerChange { layer: layer_of(version).to_owned(), kind, version: number(version), previous }
    });
    let removed = before.iter().filter(|version| find(after, layer_of(version)).is_none());
    let removed = removed.map(|version| LayerChange {
        layer: layer_of(version).to_owned(),
        kind: LayerChangeKind::Removed,
        version: None,
        previous: number(version),
    });
    remaining.chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("arn:aws:lambda:eu-west-1:123456789012:layer:{name}")).collect()
    }

    #[test]
    fn layers_of_others_stay_where_they_are() {
        for (current, wanted, expected) in [
            (&[][..], &[][..], &[][..]),
            (&["traces:7"], &[], &["traces:7"]),
            (&["traces:7"], &["common:1"], &["traces:7", "common:1"]),
            (&["common:1", "traces:7"], &["common:2"], &["common:2", "traces:7"]),
            (&["b:1", "traces:7", "a:1"], &["a:2", "b:1", "c:1"], &["a:2", "traces:7", "b:1", "c:1"]),
            (&["old:3", "traces:7"], &[], &["traces:7"]),
            (&["a:1", "old:3", "traces:7"], &["b:1", "a:1"], &["b:1", "traces:7", "a:1"]),
        ] {
            let (current, expected) = (arns(current), arns(expected));
            let goal = LayerGoal::new(arns(wanted), arns(&["a", "b", "c", "common", "old"]));
            assert_eq!(goal.reached_from(&current), expected);
            assert!(goal.is_reached(&expected));
            // Until the code is replaced, none is missing.
            let meanwhile = goal.added_to(&current);
            assert!(expected.iter().all(|version| meanwhile.contains(version)));
            assert!(changes(&current, &meanwhile).iter().all(|change| change.kind != LayerChangeKind::Removed));
            assert_eq!(goal.reached_from(&meanwhile), expected);
            assert_eq!(goal.adds_to(&current), meanwhile.len() > current.len());
        }
    }

    #[test]
    fn changes_are_those_of_layers() {
        let found = changes(&arns(&["a:1", "b:2", "old:3"]), &arns(&["new:", "b:2", "a:4"]));
        let found: Vec<_> = found.iter().map(|change| (change.kind, change.version, change.previous)).collect();
        let expected = [
            (LayerChangeKind::Added, None, None),
            (LayerChangeKind::Kept, Some(2), Some(2)),
            (LayerChangeKind::Updated, Some(4), Some(1)),
            (LayerChangeKind::Removed, None, Some(3)),
        ];
        assert_eq!(found, expected);
    }
}
