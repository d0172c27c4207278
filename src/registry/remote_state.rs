//! The contents of a repository before a push, as far as they are known.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::attempts::attempt;
use super::client::RegistryClient;
use super::pull::{self, manifest_request, read_manifest};
use super::request_error::RequestError;
use super::token::Scopes;
use super::{ImageReference, RegistryAction, RegistryError, RemoteManifest};
use crate::digest::Sha256;
use crate::image::OciArtifact;

/// The limit of manifests of an index that are read for their blobs.
const MOST_CHILDREN: usize = 8;

/// The known contents of a repository.
#[derive(Debug, Default)]
pub(super) struct RemoteState {
    /// The blobs and manifests that exist.
    pub known: BTreeSet<Sha256>,
    /// Whether manifests say what exists.
    pub found: bool,
    /// The references that point to the artifact already.
    pub current: BTreeSet<ImageReference>,
    /// Whether the registry says that the repository does not exist.
    pub is_repository_missing: bool,
}

/// What is known of a repository besides what the references tell that are pushed to.
#[derive(Debug, Default)]
pub(crate) struct RepositoryEvidence {
    /// Blobs that it has.
    pub(crate) blobs: BTreeSet<Sha256>,
    /// Manifests that list blobs which it has, and are read if nothing else is known.
    pub(crate) manifests: Vec<ImageReference>,
    /// Whether its tags tell nothing: what one of them points to cannot be read in full.
    pub(crate) is_damaged: bool,
    /// Where blobs may be mounted from that it does not have.
    pub(crate) mounts: Option<MountSource>,
}

/// A repository that blobs may be mounted from.
#[derive(Debug)]
pub(crate) struct MountSource {
    /// Its name, with its registry.
    pub(crate) repository: String,
    /// Blobs that it has, as far as that is known.
    pub(crate) blobs: BTreeSet<Sha256>,
}

impl RepositoryEvidence {
    /// Adds what is known.
    pub(super) async fn add_to(&self, state: &mut RemoteState, client: &RegistryClient) -> Result<(), RegistryError> {
        state.known.extend(&self.blobs);
        state.found |= !self.blobs.is_empty();
        if !state.found && !state.is_repository_missing {
            for reference in &self.manifests {
                let manifest = state.read(client, reference).await?;
                state.found |= manifest.is_some();
                state.known.extend(manifest.iter().flat_map(|manifest| parts(manifest).0));
            }
        }
        Ok(())
    }
}

/// Reads the manifest of the first reference that exists.
pub(super) async fn remote_state(
    client: &RegistryClient,
    artifact: &OciArtifact,
    references: &[&ImageReference],
) -> Result<RemoteState, RegistryError> {
    let mut state = RemoteState::default();
    for reference in references {
        let reference = reference.destination();
        let Some(manifest) = state.read(client, &reference).await? else { continue };
        state.found = true;
        if manifest.digest == artifact.manifest.digest {
            if has_children(client, artifact, &reference).await? {
                state.add(artifact);
                state.current.insert(reference);
            }
            break;
        }
        let (leaves, children) = parts(&manifest);
        state.known.extend(leaves);
        state.known.extend(&children);
        let mut replaced = Vec::new();
        for digest in children {
            match artifact.children.iter().find(|child| child.manifest.digest == digest) {
                Some(child) => state.add(child),
                None => replaced.push(digest),
            }
        }
        if artifact.children.iter().all(|child| state.known.contains(&child.manifest.digest)) {
            break;
        }
        for digest in replaced.into_iter().take(MOST_CHILDREN) {
            let child = state.read(client, &reference.sibling(digest)).await?;
            state.known.extend(child.iter().flat_map(|child| parts(child).0));
        }
        break;
    }
    Ok(state)
}

/// Tells whether a repository has the manifests of its index. `garbage-collect --delete-untagged` of docker-registry 2.8.2
/// removes them, and leaves the index (distribution issue 3178).
async fn has_children(
    client: &RegistryClient,
    index: &OciArtifact,
    reference: &ImageReference,
) -> Result<bool, RegistryError> {
    for child in &index.children {
        if pull::find(client, &reference.sibling(child.manifest.digest)).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns a manifest; one that is denied or malformed counts as missing.
pub(super) async fn survey(
    client: &RegistryClient,
    reference: &ImageReference,
) -> Result<Option<RemoteManifest>, RegistryError> {
    RemoteState::default().read(client, reference).await
}

impl RemoteState {
    /// Adds everything that an artifact refers to.
    fn add(&mut self, artifact: &OciArtifact) {
        self.known.extend(artifact.leaves().into_keys());
        self.known.extend(artifact.manifests().iter().map(|manifest| manifest.digest));
    }

    /// Reads a manifest. One that is denied or malformed counts as missing: the push finds out the rest.
    async fn read(
        &mut self,
        client: &RegistryClient,
        reference: &ImageReference,
    ) -> Result<Option<RemoteManifest>, RegistryError> {
        let mut is_repository_missing = false;
        let result = attempt(client.options().retry, async |_| {
            let mut request = manifest_request(reference, Method::GET);
            // With this scope, one token serves the whole push.
            request.scopes = Scopes::push(reference.repository());
            let response = match client.send(&request).await {
                Err(RequestError::Refused { status: StatusCode::FORBIDDEN, .. }) => return Ok(None),
                response => response?,
            };
            if !response.status().is_success() {
                let error = response.into_error().await;
                is_repository_missing = error.has_code(&["NAME_UNKNOWN", "RepositoryNotFoundException"]);
                return if error.is_retryable() { Err(error) } else { Ok(None) };
            }
            match read_manifest(response, reference).await {
                Ok(manifest) => Ok(Some(manifest)),
                Err(RequestError::InvalidManifest { .. } | RequestError::TooLarge { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let read = result.await.map_err(|failure| failure.of(RegistryAction::ReadManifest(reference.clone())));
        self.is_repository_missing |= is_repository_missing;
        read
    }
}

/// Returns the digests of the blobs of a manifest, and those of the manifests of an index.
fn parts(manifest: &RemoteManifest) -> (Vec<Sha256>, Vec<Sha256>) {
    let document: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let mut leaves = digests(&document, "layers");
    leaves.extend(document.get("config").and_then(digest));
    (leaves, digests(&document, "manifests"))
}

fn digests(document: &Value, list: &str) -> Vec<Sha256> {
    document.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(digest).collect()
}

fn digest(descriptor: &Value) -> Option<Sha256> {
    descriptor.get("digest")?.as_str()?.parse().ok()
}
