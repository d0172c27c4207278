//! Pushing artifacts, in few requests, and so that no tag ever names what is not all there.
//!
//! Specification: [OCI distribution 1.1, push](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push).
//!
//! What a repository holds is told by the manifest that the tag names before: what that refers to is there, and is asked
//! for no further. Then come the blobs, the manifests that an index refers to, and last of all the tags.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};

use super::attach::attach;
use super::attempts::{Failure, attempt};
use super::client::{Client, Repository, Request, Target};
use super::fault::Fault;
use super::payload::{Payload, Source};
use super::survey::{Survey, survey};
use super::upload::{Placed, SMALL, Upload};
use super::{Action, Reference, RegistryError, ecr, pull};
use crate::digest::Sha256;
use crate::image::{Blob, BlobContent, OciArtifact};
use crate::report::{Phase, Reporter};

/// The header by which a registry says that it lists a manifest among the referrers of its subject (OCI distribution 1.1,
/// pushing manifests with subject).
const SUBJECT: &str = "oci-subject";

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest that the references now name.
    pub digest: Sha256,
    /// What was done in each repository, in the order of the references.
    pub repositories: Vec<RepositoryPush>,
    /// How many requests it took, those for tokens included.
    pub requests: u64,
}

/// What a push did in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryPush {
    /// The references that now name the manifest.
    pub references: Vec<Reference>,
    /// The blobs that were sent.
    pub uploaded: Tally,
    /// The blobs that the registry took from another of its repositories.
    pub mounted: Tally,
    /// The blobs that were there already.
    pub present: Tally,
    /// The digests of the manifests that are attached to the artifact, or to what it refers to.
    pub attached: Vec<Sha256>,
}

/// Some blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl RepositoryPush {
    fn count(&mut self, placed: Placed, blob: &Blob) {
        let tally = match placed {
            Placed::Uploaded => &mut self.uploaded,
            Placed::Mounted => &mut self.mounted,
            Placed::Present => &mut self.present,
        };
        tally.blobs += 1;
        tally.bytes += blob.size;
    }
}

/// Sends an artifact to where the references say.
pub(super) async fn push(
    client: &Client,
    artifact: &OciArtifact,
    to: &[Reference],
    reporter: &dyn Reporter,
) -> Result<Pushed, RegistryError> {
    let digest = artifact.manifest.digest;
    if let Some(other) = to.iter().find(|reference| reference.digest().is_some_and(|wanted| wanted != digest)) {
        return Err(RegistryError::OtherDigest { reference: Box::new(other.clone()), actual: digest });
    }
    let mut destinations: Vec<Destination> = Vec::new();
    for reference in to {
        let repository = Repository { registry: reference.registry(), name: reference.repository() };
        match destinations.iter_mut().find(|destination| destination.repository == repository) {
            Some(destination) => destination.references.push(reference),
            None => destinations.push(Destination { repository, references: vec![reference] }),
        }
    }
    let push = Push { client, artifact, leaves: artifact.leaves(), reporter };
    let size: u64 = push.leaves.values().map(|blob| blob.size).sum();
    let before = client.requests();
    reporter.start(Phase::Push, size * destinations.len() as u64);
    let repositories = push.run(&destinations).await;
    reporter.finish(Phase::Push);
    Ok(Pushed { digest, repositories: repositories?, requests: client.requests() - before })
}

/// A repository to push to, and the references that are to name the artifact there.
struct Destination<'a> {
    repository: Repository<'a>,
    references: Vec<&'a Reference>,
}

/// A push to one or several repositories.
struct Push<'a> {
    client: &'a Client,
    artifact: &'a OciArtifact,
    leaves: BTreeMap<Sha256, &'a Blob>,
    reporter: &'a dyn Reporter,
}

impl Push<'_> {
    async fn run(&self, destinations: &[Destination<'_>]) -> Result<Vec<RepositoryPush>, RegistryError> {
        let mut surveys = Vec::new();
        let mut done = Vec::new();
        for (at, destination) in destinations.iter().enumerate() {
            let survey = survey(self.client, self.artifact, &destination.references).await?;
            let earlier = destinations.get(..at).unwrap_or_default().iter();
            let source =
                earlier.map(|other| other.repository).find(|other| other.registry == destination.repository.registry);
            if survey.is_repository_missing {
                self.create(destination.repository).await?;
            }
            done.push(self.place(destination, &survey, source).await?);
            surveys.push(survey);
        }
        for (destination, survey) in destinations.iter().zip(&surveys) {
            for reference in &destination.references {
                self.tag(destination, reference, survey).await?;
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

    /// Creates a repository, if that is wanted and the registry is one of Amazon's: others create it by themselves.
    async fn create(&self, repository: Repository<'_>) -> Result<(), RegistryError> {
        match ecr::is_ecr(repository.registry) {
            Some(registry) if self.client.options().create_repositories => {
                let created = ecr::create_repository(&registry, repository.name).await;
                created.map_err(|source| RegistryError::CreateRepository { repository: repository.to_string(), source })
            }
            _ => Ok(()),
        }
    }

    /// Brings everything to a repository but the manifest that the tags are to name. If the registry then misses
    /// something that was taken to be there, all is looked for once more.
    async fn place(
        &self,
        destination: &Destination<'_>,
        survey: &Survey,
        source: Option<Repository<'_>>,
    ) -> Result<RepositoryPush, RegistryError> {
        match self.place_unknown(destination, survey, source).await {
            Err(error) if survey.found && misses_parts(&error) => {
                self.place_unknown(destination, &Survey::default(), source).await
            }
            placed => placed,
        }
    }

    async fn place_unknown(
        &self,
        destination: &Destination<'_>,
        survey: &Survey,
        source: Option<Repository<'_>>,
    ) -> Result<RepositoryPush, RegistryError> {
        let references = destination.references.iter().map(|reference| (*reference).clone()).collect();
        let [uploaded, mounted, present] = [Tally::default(); 3];
        let mut done = RepositoryPush { references, uploaded, mounted, present, attached: Vec::new() };
        let (known, mut unknown): (Vec<&Blob>, Vec<&Blob>) =
            self.leaves.values().partition(|blob| survey.known.contains(&blob.digest));
        for blob in known {
            self.reporter.advance(Phase::Push, blob.size);
            done.count(Placed::Present, blob);
        }
        // The largest first: begun last, it would keep everyone waiting.
        unknown.sort_by_key(|blob| Reverse(blob.size));
        let uploads = unknown.into_iter().map(|blob| async move {
            let upload = Upload {
                source: Source::new(self.client, blob, self.reporter),
                repository: destination.repository,
                from: mount_source(blob, destination.repository, source),
                asks: !survey.found || blob.size > SMALL || matches!(blob.content, BlobContent::Registry { .. }),
            };
            upload.run().await.map(|placed| (placed, blob)).map_err(|failure| (failure, blob.digest))
        });
        let mut uploads = stream::iter(uploads).buffer_unordered(self.client.options().concurrency.max(1));
        while let Some(result) = uploads.next().await {
            let (placed, blob) = result.map_err(|(failure, digest)| {
                let repository = destination.repository.to_string();
                explained(failure, Action::PushBlob { repository, digest }, destination.repository)
            })?;
            done.count(placed, blob);
        }
        let mut sent = survey.known.clone();
        for manifest in self.artifact.manifests() {
            if manifest.digest != self.artifact.manifest.digest && sent.insert(manifest.digest) {
                self.put_child(destination, manifest).await?;
            }
        }
        Ok(done)
    }

    async fn put_child(&self, destination: &Destination<'_>, manifest: &Blob) -> Result<(), RegistryError> {
        let Some(any) = destination.references.first() else { return Ok(()) };
        let reference = any.sibling(manifest.digest);
        let put = self.put(destination.repository, &reference, manifest).await;
        put.map_err(|failure| explained(failure, Action::PushManifest(reference), destination.repository))
    }

    /// Has a reference name the manifest.
    async fn tag(
        &self,
        destination: &Destination<'_>,
        reference: &Reference,
        survey: &Survey,
    ) -> Result<(), RegistryError> {
        let (manifest, target) = (&self.artifact.manifest, reference.destination());
        if survey.current.contains(&target) {
            return Ok(());
        }
        let action = || Action::PushManifest(reference.clone());
        let Err(failure) = self.put(destination.repository, &target, manifest).await else { return Ok(()) };
        if failure.fault.is_about_immutability() {
            return match pull::find(self.client, &target).await? {
                Some(present) if present.digest == manifest.digest => Ok(()),
                Some(present) => Err(RegistryError::Immutable {
                    reference: Box::new(target),
                    present: present.digest,
                    wanted: manifest.digest,
                }),
                None => Err(failure.of(action())),
            };
        }
        let error = explained(failure, action(), destination.repository);
        if !survey.found || !misses_parts(&error) {
            return Err(error);
        }
        self.place_unknown(destination, &Survey::default(), None).await?;
        let put = self.put(destination.repository, &target, manifest).await;
        put.map_err(|failure| explained(failure, action(), destination.repository))
    }

    async fn put(&self, repository: Repository<'_>, reference: &Reference, manifest: &Blob) -> Result<(), Failure> {
        put(self.client, repository, reference, manifest).await.map(|_| ())
    }
}

/// Sends a manifest, and returns whether the registry took note of its subject, if it has one. What then is in the
/// registry is compared with what was sent: nothing else tells whether it was altered on the way to a tag.
pub(super) async fn put(
    client: &Client,
    repository: Repository<'_>,
    reference: &Reference,
    manifest: &Blob,
) -> Result<bool, Failure> {
    let put = attempt(client.options().retry, async |_| {
        let mut bytes = Vec::new();
        manifest.copy_to(&mut bytes)?;
        let target = Target::Path(format!("manifests/{}", reference.identifier()));
        let mut request = Request::write(repository, Method::PUT, target, Payload::Bytes(&bytes));
        let media_type = HeaderValue::from_str(manifest.media_type.as_ref());
        request.headers.extend(media_type.ok().map(|media_type| (CONTENT_TYPE, media_type)));
        let answer = client.send(&request).await?.accepted().await?;
        let stored = match pull::told_digest(&answer) {
            Some(digest) => Some(digest),
            None => pull::told_digest(&pull::ask(client, reference, Method::HEAD).await?),
        };
        match stored {
            Some(actual) if actual != manifest.digest => {
                Err(Fault::Digest { host: answer.host().to_owned(), expected: manifest.digest, actual })
            }
            _ => Ok(answer.headers().contains_key(SUBJECT)),
        }
    });
    put.await
}

/// Returns a repository of the same registry that has a blob, if one is known.
fn mount_source<'a>(blob: &'a Blob, to: Repository<'_>, earlier: Option<Repository<'a>>) -> Option<&'a str> {
    let own = match &blob.content {
        BlobContent::Registry { repository } => Some(Repository::of(repository)),
        _ => None,
    };
    let own = own.filter(|own| own.registry == to.registry && own.name != to.name);
    own.or(earlier).map(|repository| repository.name)
}

/// Names what was tried, and a repository that is not there.
pub(super) fn explained(failure: Failure, action: Action, repository: Repository<'_>) -> RegistryError {
    let codes = ["NAME_UNKNOWN", "RepositoryNotFoundException"];
    match failure.fault.status() {
        Some(StatusCode::NOT_FOUND) if failure.fault.has_code(&codes) => {
            RegistryError::MissingRepository(repository.to_string())
        }
        _ => failure.of(action),
    }
}

/// Tells whether a manifest was refused in a way that may mean that something it refers to is not there.
fn misses_parts(error: &RegistryError) -> bool {
    let RegistryError::Failed { action, fault, .. } = error else { return false };
    matches!(**action, Action::PushManifest(_))
        && fault.status().is_some_and(|status| matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND))
}
