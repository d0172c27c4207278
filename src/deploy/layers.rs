//! Layers: a version is published where the content is new, and functions get it together with what others gave them.

use super::error::{DeployError, FailedDeployment, LiveCode};
use super::lambda_api::{LambdaApi, LayerVersion};
use super::names::LayerName;
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
            let error = match api.publish_layer_version(&target.layer, &content, made_for).await {
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
    Ok((version.layer_version_arn, DeployedVersion { version: Some(version.version.to_string()), previous, sent }))
}

/// Returns the ARN of the layer that a version belongs to.
fn layer_of(version: &str) -> &str {
    version.rsplit_once(':').map_or(version, |(layer, _)| layer)
}

/// Returns the layers of a function with these versions: in their order, and those of others where they are.
pub(super) fn with(current: &[String], wanted: &[String]) -> Vec<String> {
    let mut next = wanted.iter().cloned();
    let is_wanted = |version: &str| wanted.iter().any(|wanted| layer_of(wanted) == layer_of(version));
    let replaced = current.iter().filter_map(|version| match is_wanted(version) {
        true => next.next(),
        false => Some(version.clone()),
    });
    let mut layers: Vec<String> = replaced.collect();
    layers.extend(next);
    layers
}

/// Returns whether a function has these versions.
pub(super) fn are_in_place(current: &[String], wanted: &[String]) -> bool {
    with(current, wanted) == current
}

/// Returns whether a function has no version of one of these layers.
pub(super) fn are_added(current: &[String], wanted: &[String]) -> bool {
    wanted.iter().any(|wanted| current.iter().all(|version| layer_of(version) != layer_of(wanted)))
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
        ] {
            let (current, wanted, expected) = (arns(current), arns(wanted), arns(expected));
            assert_eq!(with(&current, &wanted), expected);
            assert!(are_in_place(&expected, &wanted));
            assert_eq!(are_added(&current, &wanted), expected.len() > current.len());
        }
    }
}
