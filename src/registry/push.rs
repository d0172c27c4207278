//! Pushing artifacts in few requests, so that no tag ever points to an incomplete artifact.
//!
//! Specification: [OCI distribution 1.1, push](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push).
//!
//! The manifest that the tag points to before the push shows which blobs the repository has: those are not checked one by
//! one, as garbage collection keeps what a tagged manifest lists. Then the missing blobs are sent, the manifests of an
//! index, and the tags last.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::stream;
use reqwest::StatusCode;

use super::attach::attach;
use super::attempts::FailedAttempts;
use super::client::{RegistryClient, RepositoryName};
use super::manifest_put::ManifestPut;
use super::payload::BlobSource;
use super::remote_state::{RemoteState, RepositoryEvidence, remote_state};
use super::upload::{BlobCheck, BlobMount, BlobPlacement, BlobUpload, SMALL};
use super::{ImageReference, RegistryAction, RegistryError, ecr, pull};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent, OciArtifact};
use crate::report::{Phase, Reporter, RunningPhase};

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
            BlobPlacement::Uploaded | BlobPlacement::Restored => &mut self.uploaded,
            BlobPlacement::Mounted => &mut self.mounted,
            BlobPlacement::Present => &mut self.present,
        };
        count.blobs += 1;
        count.bytes += blob.size;
    }
}

/// Pushes an artifact to all references. `known` is what is known of the repository of the first one.
pub(super) async fn push(
    client: &RegistryClient,
    artifact: &OciArtifact,
    (to, known): (&[ImageReference], &RepositoryEvidence),
    reporter: &dyn Reporter,
) -> Result<PushSummary, RegistryError> {
    let digest = artifact.manifest.digest;
    if let Some(other) = to.iter().find(|reference| reference.digest().is_some_and(|wanted| wanted != digest)) {
        return Err(RegistryError::DigestMismatch { reference: Box::new(other.clone()), actual: digest });
    }
    to.iter().try_for_each(|reference| client.rules().check_allowed(reference))?;
    let mut destinations: Vec<PushDestination> = Vec::new();
    for reference in to {
        let repository = RepositoryName { registry: reference.registry(), name: reference.repository(), api: "" };
        match destinations.iter_mut().find(|destination| destination.repository == repository) {
            Some(destination) => destination.references.push(reference),
            None => destinations.push(PushDestination { repository, references: vec![reference] }),
        }
    }
    let push = PushOperation { client, artifact, leaves: artifact.leaves(), known, reporter };
    let size: u64 = push.leaves.values().map(|blob| blob.size).sum();
    let before = client.requests();
    let pushing = RunningPhase::start(reporter, Phase::Push, size * destinations.len() as u64);
    let repositories = push.run(&destinations).await?;
    pushing.finish();
    Ok(PushSummary { digest, repositories, requests: client.requests() - before })
}

/// What is believed about the blobs that a repository has. After the registry has refused a manifest because blobs are
/// missing, less is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlobEvidence {
    /// What the manifest lists that a tag points to.
    TaggedManifest,
    /// What the registry returns.
    Registry,
    /// Nothing: all blobs are sent.
    None,
}

impl BlobEvidence {
    /// Returns what to believe after a refusal.
    fn weaker(self) -> Option<Self> {
        match self {
            Self::TaggedManifest => Some(Self::Registry),
            Self::Registry => Some(Self::None),
            Self::None => None,
        }
    }
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

/// What has been pushed to a repository, before its tags.
struct PushedContents {
    push: RepositoryPush,
    /// What was believed.
    evidence: BlobEvidence,
    /// The blobs that the registry did not know. A manifest without such a blob may have been there before.
    new: BTreeSet<Sha256>,
    /// Whether the repository is known to have the manifest that is to be tagged.
    is_stored: bool,
}

impl PushedContents {
    /// Tells whether the registry may have had the manifest of an artifact before.
    fn may_repeat(&self, artifact: &OciArtifact) -> bool {
        artifact.blobs.iter().all(|blob| !self.new.contains(&blob.digest))
            && artifact.children.iter().all(|child| self.may_repeat(child))
    }
}

/// A push to one or several repositories.
struct PushOperation<'a> {
    client: &'a RegistryClient,
    artifact: &'a OciArtifact,
    leaves: BTreeMap<Sha256, &'a Blob>,
    /// What is known of the first repository.
    known: &'a RepositoryEvidence,
    reporter: &'a dyn Reporter,
}

impl PushOperation<'_> {
    async fn run(&self, destinations: &[PushDestination<'_>]) -> Result<Vec<RepositoryPush>, RegistryError> {
        let mut states = Vec::new();
        let mut done = Vec::new();
        for (at, destination) in destinations.iter().enumerate() {
            let mut state = if self.known.is_damaged {
                RemoteState::default()
            } else {
                remote_state(self.client, self.artifact, &destination.references).await?
            };
            if at == 0 {
                self.known.add_to(&mut state, self.client).await?;
            }
            let earlier = destinations.get(..at).unwrap_or_default().iter();
            let source =
                earlier.map(|other| other.repository).find(|other| other.registry == destination.repository.registry);
            if state.is_repository_missing {
                self.create(destination.repository).await?;
            }
            let evidence = if state.found { BlobEvidence::TaggedManifest } else { BlobEvidence::Registry };
            done.push(self.push_contents(destination, &state, source, evidence).await?);
            states.push(state);
        }
        for ((destination, state), done) in destinations.iter().zip(&states).zip(&mut done) {
            for reference in &destination.references {
                self.tag(destination, reference, state, done).await?;
            }
        }
        for (destination, done) in destinations.iter().zip(&mut done) {
            let Some(any) = destination.references.first() else { continue };
            let attached = attach(self.client, destination.repository, any, self.artifact).await;
            done.push.attached = attached.map_err(|source| RegistryError::Attach {
                image: Box::new(any.with_digest(self.artifact.manifest.digest)),
                source: Box::new(source),
            })?;
        }
        Ok(done.into_iter().map(|done| done.push).collect())
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

    /// Pushes everything except the manifest that is to be tagged. While the registry misses blobs, less is believed.
    async fn push_contents(
        &self,
        destination: &PushDestination<'_>,
        state: &RemoteState,
        source: Option<RepositoryName<'_>>,
        mut evidence: BlobEvidence,
    ) -> Result<PushedContents, RegistryError> {
        loop {
            match self.push_missing(destination, state, source, evidence).await {
                Err(error) if misses_parts(&error) => evidence = evidence.weaker().ok_or(error)?,
                pushed => return pushed,
            }
        }
    }

    async fn push_missing(
        &self,
        destination: &PushDestination<'_>,
        state: &RemoteState,
        source: Option<RepositoryName<'_>>,
        evidence: BlobEvidence,
    ) -> Result<PushedContents, RegistryError> {
        let references = destination.references.iter().map(|reference| (*reference).clone()).collect();
        let [uploaded, mounted, present] = [BlobCount::default(); 3];
        let push = RepositoryPush { references, uploaded, mounted, present, attached: Vec::new() };
        let mut done = PushedContents { push, evidence, new: BTreeSet::new(), is_stored: !state.current.is_empty() };
        let believed = match evidence {
            BlobEvidence::TaggedManifest => state.known.clone(),
            BlobEvidence::Registry | BlobEvidence::None => BTreeSet::new(),
        };
        let (known, mut unknown): (Vec<&Blob>, Vec<&Blob>) =
            self.leaves.values().partition(|blob| believed.contains(&blob.digest));
        for blob in known {
            self.reporter.advance(Phase::Push, blob.size);
            done.push.count(BlobPlacement::Present, blob);
        }
        // The largest first: started last, it would run alone at the end.
        unknown.sort_by_key(|blob| Reverse(blob.size));
        let uploads = unknown.into_iter().map(|blob| async move {
            let upload = BlobUpload {
                source: BlobSource::new(self.client, blob, self.reporter),
                repository: destination.repository,
                from: self.mount_source(blob, destination.repository, source, evidence),
                check: match evidence {
                    BlobEvidence::None => BlobCheck::Never,
                    BlobEvidence::TaggedManifest if !is_worth_asking(blob) => BlobCheck::Again,
                    BlobEvidence::Registry | BlobEvidence::TaggedManifest => BlobCheck::Always,
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
            if placed == BlobPlacement::Uploaded && evidence != BlobEvidence::None {
                done.new.insert(blob.digest);
            }
            done.push.count(placed, blob);
        }
        let mut sent = believed;
        for child in &self.artifact.children {
            if sent.insert(child.manifest.digest) {
                self.put_child(destination, child, done.may_repeat(child)).await?;
            }
        }
        Ok(done)
    }

    async fn put_child(
        &self,
        destination: &PushDestination<'_>,
        child: &OciArtifact,
        may_repeat: bool,
    ) -> Result<(), RegistryError> {
        let Some(any) = destination.references.first() else { return Ok(()) };
        let reference = any.sibling(child.manifest.digest);
        let put = ManifestPut::new(self.client, destination.repository, &reference, &child.manifest);
        let put = put.run(may_repeat).await;
        put.map_err(|failure| explained(failure, RegistryAction::PushManifest(reference), destination.repository))?;
        Ok(())
    }

    /// Returns another repository of the registry that the blob may be mounted from, of which `earlier` has all blobs.
    fn mount_source<'a>(
        &'a self,
        blob: &'a Blob,
        to: RepositoryName<'_>,
        earlier: Option<RepositoryName<'a>>,
        evidence: BlobEvidence,
    ) -> Option<BlobMount<'a>> {
        let is_other = |from: &RepositoryName| from.registry == to.registry && from.name != to.name;
        let own = match &blob.content {
            BlobContent::Registry { repository } => Some(RepositoryName::of(repository)).filter(is_other),
            _ => None,
        };
        let certain = own.or(earlier.filter(|_| evidence != BlobEvidence::None));
        if let Some(RepositoryName { name: from, .. }) = certain {
            return Some(BlobMount { from, is_certain: true });
        }
        let mounts = self.known.mounts.as_ref().filter(|_| evidence != BlobEvidence::None)?;
        let is_certain = mounts.blobs.contains(&blob.digest);
        let from = RepositoryName::of(&mounts.repository);
        // To ask for a mount costs no request: a registry that has no such blob begins the upload.
        let is_tried = is_other(&from) && (is_certain || blob.size > SMALL);
        is_tried.then_some(BlobMount { from: from.name, is_certain })
    }

    /// Points a reference to the manifest. While the registry misses blobs, the contents are pushed again, and less is
    /// believed.
    async fn tag(
        &self,
        destination: &PushDestination<'_>,
        reference: &ImageReference,
        state: &RemoteState,
        done: &mut PushedContents,
    ) -> Result<(), RegistryError> {
        let (manifest, target) = (&self.artifact.manifest, reference.destination());
        if state.current.contains(&target) {
            return Ok(());
        }
        let action = RegistryAction::PushManifest(reference.clone());
        let put = ManifestPut::new(self.client, destination.repository, &target, manifest);
        loop {
            let Err(failure) = put.run(!done.is_stored && done.may_repeat(self.artifact)).await else {
                done.is_stored = true;
                return Ok(());
            };
            if failure.error.is_about_immutability() {
                return match pull::find(self.client, &target).await? {
                    Some(present) if present.digest == manifest.digest => Ok(()),
                    Some(present) => Err(RegistryError::Immutable {
                        reference: Box::new(target),
                        present: present.digest,
                        wanted: manifest.digest,
                    }),
                    None => Err(failure.of(action)),
                };
            }
            let error = explained(failure, action.clone(), destination.repository);
            match done.evidence.weaker() {
                Some(evidence) if misses_parts(&error) => {
                    *done = self.push_contents(destination, state, None, evidence).await?;
                }
                _ => return Err(error),
            }
        }
    }
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
