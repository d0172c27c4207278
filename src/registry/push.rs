//! Pushing artifacts in few requests, so that no tag ever points to an incomplete artifact.
//!
//! Specification: [OCI distribution 1.1, push](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push).
//!
//! The manifest that the tag points to before the push shows which blobs the repository has: those are not checked one by
//! one. Then the missing blobs are sent, the manifests of an index, and the tags last.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};

use super::attach::attach;
use super::attempts::{FailedAttempts, attempt};
use super::client::{RegistryClient, RegistryRequest, RepositoryName, RequestTarget};
use super::payload::{BlobSource, Payload};
use super::remote_state::{RemoteState, remote_state};
use super::request_error::RequestError;
use super::upload::{BlobCheck, BlobPlacement, BlobUpload, SMALL};
use super::{ImageReference, RegistryAction, RegistryError, ecr, pull};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent, OciArtifact};
use crate::report::{Phase, Reporter, RunningPhase};

/// The header of registries with the referrers API (OCI distribution 1.1, pushing manifests with subject).
const SUBJECT: &str = "oci-subject";

/// The result of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSummary {
    /// The digest of the manifest that the references now point to.
    pub digest: Sha256,
    /// The result for each repository, in the order of the references.
    pub repositories: Vec<RepositoryPush>,
    /// The number of requests, including those for tokens.
    pub requests: u64,
}

/// The result of a push to one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryPush {
    /// The references that now point to the manifest.
    pub references: Vec<ImageReference>,
    /// The blobs that were uploaded.
    pub uploaded: BlobCount,
    /// The blobs that were mounted from another repository of the registry.
    pub mounted: BlobCount,
    /// The blobs that existed.
    pub present: BlobCount,
    /// The digests of the referrers of the artifact and of its manifests.
    pub attached: Vec<Sha256>,
}

/// A number of blobs and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlobCount {
    /// The number of blobs.
    pub blobs: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

impl RepositoryPush {
    fn count(&mut self, placed: BlobPlacement, blob: &Blob) {
        let count = match placed {
            BlobPlacement::Uploaded => &mut self.uploaded,
            BlobPlacement::Mounted => &mut self.mounted,
            BlobPlacement::Present => &mut self.present,
        };
        count.blobs += 1;
        count.bytes += blob.size;
    }
}

/// Pushes an artifact to all references.
pub(super) async fn push(
    client: &RegistryClient,
    artifact: &OciArtifact,
    to: &[ImageReference],
    reporter: &dyn Reporter,
) -> Result<PushSummary, RegistryError> {
    let digest = artifact.manifest.digest;
    if let Some(other) = to.iter().find(|reference| reference.digest().is_some_and(|wanted| wanted != digest)) {
        return Err(RegistryError::DigestMismatch { reference: Box::new(other.clone()), actual: digest });
    }
    let mut destinations: Vec<PushDestination> = Vec::new();
    for reference in to {
        let repository = RepositoryName { registry: reference.registry(), name: reference.repository() };
        match destinations.iter_mut().find(|destination| destination.repository == repository) {
            Some(destination) => destination.references.push(reference),
            None => destinations.push(PushDestination { repository, references: vec![reference] }),
        }
    }
    let push = PushOperation { client, artifact, leaves: artifact.leaves(), reporter };
    let size: u64 = push.leaves.values().map(|blob| blob.size).sum();
    let before = client.requests();
    let pushing = RunningPhase::start(reporter, Phase::Push, size * destinations.len() as u64);
    let repositories = push.run(&destinations).await?;
    pushing.finish();
    Ok(PushSummary { digest, repositories, requests: client.requests() - before })
}

/// What is believed about the blobs that a repository has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlobEvidence {
    /// What the registry answers.
    Registry,
    /// Nothing: all blobs are sent.
    None,
}

/// Tells whether a request is worth less than the blob, or the blob is not here.
fn is_worth_asking(blob: &Blob) -> bool {
    blob.size > SMALL || matches!(blob.content, BlobContent::Registry { .. })
}

/// A repository to push to, and the references in it.
struct PushDestination<'a> {
    repository: RepositoryName<'a>,
    references: Vec<&'a ImageReference>,
}

/// A push to one or several repositories.
struct PushOperation<'a> {
    client: &'a RegistryClient,
    artifact: &'a OciArtifact,
    leaves: BTreeMap<Sha256, &'a Blob>,
    reporter: &'a dyn Reporter,
}

impl PushOperation<'_> {
    async fn run(&self, destinations: &[PushDestination<'_>]) -> Result<Vec<RepositoryPush>, RegistryError> {
        let mut states = Vec::new();
        let mut done = Vec::new();
        for (at, destination) in destinations.iter().enumerate() {
            let state = remote_state(self.client, self.artifact, &destination.references).await?;
            let earlier = destinations.get(..at).unwrap_or_default().iter();
            let source =
                earlier.map(|other| other.repository).find(|other| other.registry == destination.repository.registry);
            if state.is_repository_missing {
                self.create(destination.repository).await?;
            }
            done.push(self.push_contents(destination, &state, source).await?);
            states.push(state);
        }
        for ((destination, state), done) in destinations.iter().zip(&states).zip(&mut done) {
            for reference in &destination.references {
                if let Some(again) = self.tag(destination, reference, state).await? {
                    *done = again;
                }
            }
        }
        for (destination, done) in destinations.iter().zip(&mut done) {
            let Some(any) = destination.references.first() else { continue };
            let attached = attach(self.client, destination.repository, any, self.artifact).await;
            done.attached = attached.map_err(|source| RegistryError::Attach {
                image: Box::new(any.with_digest(self.artifact.manifest.digest)),
                source: Box::new(source),
            })?;
        }
        Ok(done)
    }

    /// Creates a repository in ECR, if that is requested. Other registries create it on push.
    async fn create(&self, repository: RepositoryName<'_>) -> Result<(), RegistryError> {
        match ecr::is_ecr(repository.registry) {
            Some(registry) if self.client.options().create_repositories => {
                let created = self.client.keychain().create_repository(&registry, repository.name).await;
                created.map_err(|source| RegistryError::CreateRepository { repository: repository.to_string(), source })
            }
            _ => Ok(()),
        }
    }

    /// Pushes everything except the manifest that is to be tagged. If the registry then reports missing blobs, the manifest
    /// before was incomplete, and all blobs are checked; if it still does, its answers were wrong, and all are sent.
    async fn push_contents(
        &self,
        destination: &PushDestination<'_>,
        state: &RemoteState,
        source: Option<RepositoryName<'_>>,
    ) -> Result<RepositoryPush, RegistryError> {
        let mut pushed = self.push_missing(destination, state, source, BlobEvidence::Registry).await;
        if state.found && pushed.as_ref().is_err_and(misses_parts) {
            pushed = self.push_missing(destination, &RemoteState::default(), source, BlobEvidence::Registry).await;
        }
        if pushed.as_ref().is_err_and(misses_parts) {
            pushed = self.push_missing(destination, &RemoteState::default(), None, BlobEvidence::None).await;
        }
        pushed
    }

    async fn push_missing(
        &self,
        destination: &PushDestination<'_>,
        state: &RemoteState,
        source: Option<RepositoryName<'_>>,
        evidence: BlobEvidence,
    ) -> Result<RepositoryPush, RegistryError> {
        let references = destination.references.iter().map(|reference| (*reference).clone()).collect();
        let [uploaded, mounted, present] = [BlobCount::default(); 3];
        let mut done = RepositoryPush { references, uploaded, mounted, present, attached: Vec::new() };
        let (known, mut unknown): (Vec<&Blob>, Vec<&Blob>) =
            self.leaves.values().partition(|blob| state.known.contains(&blob.digest));
        for blob in known {
            self.reporter.advance(Phase::Push, blob.size);
            done.count(BlobPlacement::Present, blob);
        }
        // The largest first: started last, it would run alone at the end.
        unknown.sort_by_key(|blob| Reverse(blob.size));
        let uploads = unknown.into_iter().map(|blob| async move {
            let upload = BlobUpload {
                source: BlobSource::new(self.client, blob, self.reporter),
                repository: destination.repository,
                from: mount_source(blob, destination.repository, source),
                check: match evidence {
                    BlobEvidence::None => BlobCheck::Never,
                    BlobEvidence::Registry if !state.found || is_worth_asking(blob) => BlobCheck::Always,
                    BlobEvidence::Registry => BlobCheck::Again,
                },
            };
            upload.run().await.map(|placed| (placed, blob)).map_err(|failure| (failure, blob.digest))
        });
        let mut uploads = stream::iter(uploads).buffer_unordered(self.client.options().concurrency.max(1));
        while let Some(result) = uploads.next().await {
            let (placed, blob) = result.map_err(|(failure, digest)| {
                let repository = destination.repository.to_string();
                explained(failure, RegistryAction::PushBlob { repository, digest }, destination.repository)
            })?;
            done.count(placed, blob);
        }
        let mut sent = state.known.clone();
        for manifest in self.artifact.manifests() {
            if manifest.digest != self.artifact.manifest.digest && sent.insert(manifest.digest) {
                self.put_child(destination, manifest).await?;
            }
        }
        Ok(done)
    }

    async fn put_child(&self, destination: &PushDestination<'_>, manifest: &Blob) -> Result<(), RegistryError> {
        let Some(any) = destination.references.first() else { return Ok(()) };
        let reference = any.sibling(manifest.digest);
        let put = self.put(destination.repository, &reference, manifest).await;
        put.map_err(|failure| explained(failure, RegistryAction::PushManifest(reference), destination.repository))
    }

    /// Points a reference to the manifest. Returns the result of a push that had to be repeated for that.
    async fn tag(
        &self,
        destination: &PushDestination<'_>,
        reference: &ImageReference,
        state: &RemoteState,
    ) -> Result<Option<RepositoryPush>, RegistryError> {
        let (manifest, target) = (&self.artifact.manifest, reference.destination());
        if state.current.contains(&target) {
            return Ok(None);
        }
        let action = RegistryAction::PushManifest(reference.clone());
        let Err(failure) = self.put(destination.repository, &target, manifest).await else { return Ok(None) };
        if failure.error.is_about_immutability() {
            return match pull::find(self.client, &target).await? {
                Some(present) if present.digest == manifest.digest => Ok(None),
                Some(present) => Err(RegistryError::Immutable {
                    reference: Box::new(target),
                    present: present.digest,
                    wanted: manifest.digest,
                }),
                None => Err(failure.of(action)),
            };
        }
        let mut error = explained(failure, action.clone(), destination.repository);
        // As in `push_contents`.
        let checked = state.found.then_some(BlobEvidence::Registry);
        for evidence in checked.into_iter().chain([BlobEvidence::None]) {
            if !misses_parts(&error) {
                break;
            }
            let pushed = self.push_missing(destination, &RemoteState::default(), None, evidence).await?;
            match self.put(destination.repository, &target, manifest).await {
                Ok(()) => return Ok(Some(pushed)),
                Err(failure) => error = explained(failure, action.clone(), destination.repository),
            }
        }
        Err(error)
    }

    async fn put(
        &self,
        repository: RepositoryName<'_>,
        reference: &ImageReference,
        manifest: &Blob,
    ) -> Result<(), FailedAttempts> {
        put(self.client, repository, reference, manifest).await.map(|_| ())
    }
}

/// Sends a manifest, and returns whether the registry has processed its subject. The digest in the registry is compared
/// with that of the bytes: with a tag in the URL, nothing else shows that they were altered in transit.
pub(super) async fn put(
    client: &RegistryClient,
    repository: RepositoryName<'_>,
    reference: &ImageReference,
    manifest: &Blob,
) -> Result<bool, FailedAttempts> {
    let put = attempt(client.options().retry, async |_| {
        let mut bytes = Vec::new();
        manifest.copy_to(&mut bytes)?;
        let target = RequestTarget::Path(format!("manifests/{}", reference.identifier()));
        let mut request = RegistryRequest::write(repository, Method::PUT, target, Payload::Bytes(&bytes));
        let media_type = HeaderValue::from_str(manifest.media_type.as_ref());
        request.headers.extend(media_type.ok().map(|media_type| (CONTENT_TYPE, media_type)));
        let response = client.send(&request).await?.accepted().await?;
        let stored = match pull::digest_header(&response) {
            Some(digest) => Some(digest),
            None => pull::digest_header(&pull::ask(client, reference, Method::HEAD).await?),
        };
        match stored {
            Some(actual) if actual != manifest.digest => {
                Err(RequestError::Digest { host: response.host().to_owned(), expected: manifest.digest, actual })
            }
            _ => Ok(response.headers().contains_key(SUBJECT)),
        }
    });
    put.await
}

/// Returns the name of another repository of the registry that has the blob.
fn mount_source<'a>(blob: &'a Blob, to: RepositoryName<'_>, earlier: Option<RepositoryName<'a>>) -> Option<&'a str> {
    let own = match &blob.content {
        BlobContent::Registry { repository } => Some(RepositoryName::of(repository)),
        _ => None,
    };
    let own = own.filter(|own| own.registry == to.registry && own.name != to.name);
    own.or(earlier).map(|repository| repository.name)
}

/// Adds the operation to an error, and reports a missing repository as such.
pub(super) fn explained(
    failure: FailedAttempts,
    action: RegistryAction,
    repository: RepositoryName<'_>,
) -> RegistryError {
    let codes = ["NAME_UNKNOWN", "RepositoryNotFoundException"];
    match failure.error.status() {
        Some(StatusCode::NOT_FOUND) if failure.error.has_code(&codes) => {
            RegistryError::MissingRepository(repository.to_string())
        }
        _ => failure.of(action),
    }
}

/// Tells whether a manifest was refused, perhaps because a blob is missing. Registries agree on no code for that.
fn misses_parts(error: &RegistryError) -> bool {
    let RegistryError::Failed { action, source, .. } = error else { return false };
    matches!(**action, RegistryAction::PushManifest(_))
        && source.status().is_some_and(|status| matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND))
}
