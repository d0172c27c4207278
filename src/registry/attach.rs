//! Attaching referrers to a pushed image: SBOMs and provenance statements, each in a manifest whose subject is the image.
//!
//! Specification: [OCI distribution 1.1, pushing manifests with subject](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject)
//! and [its referrers tag schema](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema).
//!
//! A registry with the referrers API says so in its response to a referrer. For others, clients keep the list: an image
//! index under a tag that is derived from the subject's digest. Entries of other clients stay in it.

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::attempts::attempt;
use super::client::{RegistryClient, RegistryRequest, RepositoryName};
use super::manifest_put::ManifestPut;
use super::payload::BlobSource;
use super::push::explained;
use super::request_error::RequestError;
use super::upload::{BlobCheck, BlobPlacement, BlobUpload};
use super::{ImageReference, RegistryAction, RegistryError, RemoteManifest, pull};
use crate::digest::Sha256;
use crate::image::{Blob, OciArtifact, listed};
use crate::report::Silent;

/// The largest list of referrers, in bytes: registries must not return a larger one.
const LARGEST_LIST: u64 = 4 << 20;

/// The size of the empty configuration `{}`, which all referrers share, in bytes (OCI image 1.1, empty descriptor).
const EMPTY: u64 = 2;

/// Attaches the referrers of an artifact and of its manifests in a repository that has it, and returns their digests.
/// Referrers that are attached already are not sent again.
pub(super) async fn attach(
    client: &RegistryClient,
    repository: RepositoryName<'_>,
    any: &ImageReference,
    artifact: &OciArtifact,
) -> Result<Vec<Sha256>, RegistryError> {
    let mut by_subject: BTreeMap<Sha256, Vec<&OciArtifact>> = BTreeMap::new();
    for (subject, referrer) in artifact.all_referrers() {
        by_subject.entry(subject.digest).or_default().push(referrer);
    }
    let mut attached = Vec::new();
    for (subject, referrers) in by_subject {
        ReferrerPush { client, repository, any, subject }.run(&referrers).await?;
        attached.extend(referrers.iter().map(|referrer| referrer.manifest.digest));
    }
    Ok(attached)
}

/// The referrers of one manifest.
struct ReferrerPush<'a> {
    client: &'a RegistryClient,
    repository: RepositoryName<'a>,
    /// Any reference in the repository.
    any: &'a ImageReference,
    subject: Sha256,
}

impl ReferrerPush<'_> {
    async fn run(&self, referrers: &[&OciArtifact]) -> Result<(), RegistryError> {
        let mut missing = Vec::new();
        for referrer in referrers {
            if pull::find(self.client, &self.any.sibling(referrer.manifest.digest)).await?.is_none() {
                missing.push(*referrer);
            }
        }
        if missing.is_empty() && self.lists(referrers).await? {
            return Ok(());
        }
        let blobs: BTreeMap<Sha256, &Blob> = missing.iter().flat_map(|referrer| referrer.leaves()).collect();
        // The documents are new to the registry unless the image was there before, with its referrers.
        let mut may_repeat = false;
        for blob in blobs.into_values() {
            may_repeat |= self.send(blob).await? != BlobPlacement::Uploaded && blob.size > EMPTY;
        }
        let mut unlisted = Vec::new();
        for referrer in referrers {
            if !self.put(&self.any.sibling(referrer.manifest.digest), &referrer.manifest, may_repeat).await? {
                unlisted.push(listed(referrer));
            }
        }
        if unlisted.is_empty() {
            return Ok(());
        }
        let tag = self.any.referrers(self.subject);
        match extended(&tag, self.read(&tag).await?, unlisted)? {
            Some(index) => self.put(&tag, &index, may_repeat).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Tells whether all of these referrers are listed: by the registry, or else under the tag.
    async fn lists(&self, referrers: &[&OciArtifact]) -> Result<bool, RegistryError> {
        let list = match self.registry_list().await? {
            Some(list) => list,
            None => match self.read(&self.any.referrers(self.subject)).await? {
                Some(manifest) => manifest.bytes,
                None => return Ok(false),
            },
        };
        let list: Value = serde_json::from_slice(&list).unwrap_or_default();
        let manifests = list.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(referrers.iter().all(|referrer| {
            let digest = Value::from(referrer.manifest.digest.to_string());
            manifests.iter().any(|known| known.get("digest") == Some(&digest))
        }))
    }

    /// Returns the list of the registry, or `None` if it has no referrers API. The first page of a list is enough: what is
    /// not on it is sent again.
    async fn registry_list(&self) -> Result<Option<Vec<u8>>, RegistryError> {
        let asked = attempt(self.client.options().retry, async |_| {
            let path = format!("referrers/{}", self.subject);
            let mut request = RegistryRequest::read(self.repository, Method::GET, path);
            let index = HeaderValue::from_str(MediaType::ImageIndex.as_ref());
            request.headers.extend(index.ok().map(|index| (ACCEPT, index)));
            let mut response = match self.client.send(&request).await {
                Err(RequestError::Refused { .. }) => return Ok(None),
                response => response?,
            };
            if response.status().is_success() { response.bytes(LARGEST_LIST).await.map(Some) } else { Ok(None) }
        });
        asked.await.map_err(|failure| failure.of(RegistryAction::ListReferrers(self.any.sibling(self.subject))))
    }

    /// Reads the manifest that a tag points to, or returns `None` if the tag does not exist.
    async fn read(&self, tag: &ImageReference) -> Result<Option<RemoteManifest>, RegistryError> {
        let read = attempt(self.client.options().retry, async |_| {
            let response = pull::ask(self.client, tag, Method::GET).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            match pull::read_manifest(response.accepted().await?, tag).await {
                Err(RequestError::InvalidManifest { .. }) => Ok(Some(None)),
                manifest => manifest.map(|manifest| Some(Some(manifest))),
            }
        });
        match read.await.map_err(|failure| failure.of(RegistryAction::ReadManifest(tag.clone())))? {
            Some(None) => Err(RegistryError::InvalidReferrersTag(Box::new(tag.clone()))),
            read => Ok(read.flatten()),
        }
    }

    /// Uploads a document or its empty configuration, which are too small to show progress.
    async fn send(&self, blob: &Blob) -> Result<BlobPlacement, RegistryError> {
        let source = BlobSource::new(self.client, blob, &Silent);
        let upload = BlobUpload { source, repository: self.repository, from: None, check: BlobCheck::Always };
        let action = RegistryAction::PushBlob { repository: self.repository.to_string(), digest: blob.digest };
        upload.run().await.map_err(|failure| explained(failure, action, self.repository))
    }

    /// Sends a manifest, and returns whether the registry has processed its subject.
    async fn put(&self, reference: &ImageReference, manifest: &Blob, may_repeat: bool) -> Result<bool, RegistryError> {
        let put = ManifestPut::new(self.client, self.repository, reference, manifest).run(may_repeat).await;
        put.map_err(|failure| explained(failure, RegistryAction::PushManifest(reference.clone()), self.repository))
    }
}

/// Appends descriptors to a list, or returns `None` if it has them all.
fn extended(
    tag: &ImageReference,
    present: Option<RemoteManifest>,
    descriptors: Vec<Value>,
) -> Result<Option<Blob>, RegistryError> {
    let mut index: Value = match present {
        // What is no index has no list of manifests.
        Some(manifest) if manifest.media_type == MediaType::ImageIndex => {
            serde_json::from_slice(&manifest.bytes).unwrap_or_default()
        }
        Some(_) => Value::Null,
        None => json!({ "schemaVersion": 2, "mediaType": MediaType::ImageIndex, "manifests": [] }),
    };
    let Some(manifests) = index.get_mut("manifests").and_then(Value::as_array_mut) else {
        return Err(RegistryError::InvalidReferrersTag(Box::new(tag.clone())));
    };
    let before = manifests.len();
    for descriptor in descriptors {
        if !manifests.iter().any(|known| known.get("digest") == descriptor.get("digest")) {
            manifests.push(descriptor);
        }
    }
    let is_new = manifests.len() > before;
    Ok(is_new.then(|| Blob::of_bytes(MediaType::ImageIndex, index.to_string().into_bytes())))
}
