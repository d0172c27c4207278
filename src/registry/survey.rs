//! What a repository is known to hold before anything is sent to it.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::attempts::attempt;
use super::client::Client;
use super::fault::Fault;
use super::pull::{manifest_request, read_manifest};
use super::token::Scopes;
use super::{Action, Manifest, Reference, RegistryError};
use crate::digest::Sha256;
use crate::image::OciArtifact;

/// The most manifests of an index that are read to find what they refer to.
const MOST_CHILDREN: usize = 8;

/// What is known of a repository.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Blobs and manifests that are there.
    pub known: BTreeSet<Sha256>,
    /// Whether one of the references named a manifest before.
    pub found: bool,
    /// The references that name the artifact already.
    pub current: BTreeSet<Reference>,
    /// Whether the registry says that the repository does not exist.
    pub is_repository_missing: bool,
}

/// Reads what the first of the references that names anything names.
pub(super) async fn survey(
    client: &Client,
    artifact: &OciArtifact,
    references: &[&Reference],
) -> Result<Survey, RegistryError> {
    let mut survey = Survey::default();
    for reference in references {
        let reference = reference.destination();
        let Some(manifest) = survey.read(client, &reference).await? else { continue };
        survey.found = true;
        if manifest.digest == artifact.manifest.digest {
            survey.know(artifact);
            survey.current.insert(reference);
            break;
        }
        let (leaves, children) = parts(&manifest);
        survey.known.extend(leaves);
        survey.known.extend(&children);
        let mut replaced = Vec::new();
        for digest in children {
            match artifact.children.iter().find(|child| child.manifest.digest == digest) {
                Some(child) => survey.know(child),
                None => replaced.push(digest),
            }
        }
        if artifact.children.iter().all(|child| survey.known.contains(&child.manifest.digest)) {
            break;
        }
        for digest in replaced.into_iter().take(MOST_CHILDREN) {
            let child = survey.read(client, &reference.sibling(digest)).await?;
            survey.known.extend(child.iter().flat_map(|child| parts(child).0));
        }
        break;
    }
    Ok(survey)
}

impl Survey {
    /// Everything that an artifact refers to is there.
    fn know(&mut self, artifact: &OciArtifact) {
        self.known.extend(artifact.leaves().into_keys());
        self.known.extend(artifact.manifests().iter().map(|manifest| manifest.digest));
    }

    /// Reads a manifest. If it cannot be read, though the registry works, it is not there for our purpose.
    async fn read(&mut self, client: &Client, reference: &Reference) -> Result<Option<Manifest>, RegistryError> {
        let mut is_repository_missing = false;
        let result = attempt(client.options().retry, async |_| {
            let mut request = manifest_request(reference, Method::GET);
            // The token for this serves for all that follows.
            request.scopes = Scopes::push(reference.repository());
            let answer = match client.send(&request).await {
                Err(Fault::Refused { status: StatusCode::FORBIDDEN, .. }) => return Ok(None),
                answer => answer?,
            };
            if !answer.status().is_success() {
                let fault = answer.into_fault().await;
                is_repository_missing = fault.has_code(&["NAME_UNKNOWN", "RepositoryNotFoundException"]);
                return if fault.is_retryable() { Err(fault) } else { Ok(None) };
            }
            match read_manifest(answer, reference).await {
                Ok(manifest) => Ok(Some(manifest)),
                Err(Fault::NoManifest { .. } | Fault::TooLarge { .. }) => Ok(None),
                Err(fault) => Err(fault),
            }
        });
        let read = result.await.map_err(|failure| failure.of(Action::ReadManifest(reference.clone())));
        self.is_repository_missing |= is_repository_missing;
        read
    }
}

/// Returns the digests of the blobs, and those of the manifests, that a manifest or an index refers to.
fn parts(manifest: &Manifest) -> (Vec<Sha256>, Vec<Sha256>) {
    let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let digest = |descriptor: &Value| -> Option<Sha256> { descriptor.get("digest")?.as_str()?.parse().ok() };
    let list = |name: &str| -> Vec<Sha256> {
        let list = document.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(digest).collect()
    };
    let mut leaves = list("layers");
    leaves.extend(document.get("config").and_then(digest));
    (leaves, list("manifests"))
}
