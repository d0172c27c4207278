//! Attaching referrers to what was pushed: documents about an image, each by a manifest whose subject is the image's.
//!
//! Specification: [OCI distribution 1.1, pushing manifests with subject](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject)
//! and [its referrers tag schema](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema).
//!
//! A registry that lists referrers says so when it takes one. For any other, the list is an image index under a tag that
//! is made of the subject's digest, and whoever attaches something keeps it: what others have attached stays in it.

use std::collections::BTreeMap;

use oci_spec::image::MediaType;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::attempts::attempt;
use super::client::{Client, Repository, Request};
use super::fault::Fault;
use super::payload::Source;
use super::push::{explained, put};
use super::upload::Upload;
use super::{Action, Manifest, Reference, RegistryError, pull};
use crate::digest::Sha256;
use crate::image::{Blob, OciArtifact, listed};
use crate::report::Silent;

/// The largest list of referrers that is read, in bytes: registries must not give a larger one.
const LARGEST_LIST: u64 = 4 << 20;

/// Attaches what refers to an artifact, and to what that refers to, in a repository that has it. Returns the digests of
/// the referrers. What is attached already is not sent again.
pub(super) async fn attach(
    client: &Client,
    repository: Repository<'_>,
    any: &Reference,
    artifact: &OciArtifact,
) -> Result<Vec<Sha256>, RegistryError> {
    let mut by_subject: BTreeMap<Sha256, Vec<&OciArtifact>> = BTreeMap::new();
    for (subject, referrer) in artifact.all_referrers() {
        by_subject.entry(subject.digest).or_default().push(referrer);
    }
    let mut attached = Vec::new();
    for (subject, referrers) in by_subject {
        Attachment { client, repository, any, subject }.run(&referrers).await?;
        attached.extend(referrers.iter().map(|referrer| referrer.manifest.digest));
    }
    Ok(attached)
}

/// What is attached to one manifest.
struct Attachment<'a> {
    client: &'a Client,
    repository: Repository<'a>,
    /// Any reference to the repository.
    any: &'a Reference,
    subject: Sha256,
}

impl Attachment<'_> {
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
        for blob in blobs.into_values() {
            self.send(blob).await?;
        }
        let mut unlisted = Vec::new();
        for referrer in referrers {
            if !self.put(&self.any.sibling(referrer.manifest.digest), &referrer.manifest).await? {
                unlisted.push(listed(referrer));
            }
        }
        if unlisted.is_empty() {
            return Ok(());
        }
        let tag = self.any.referrers(self.subject);
        match extended(&tag, self.read(&tag).await?, unlisted)? {
            Some(index) => self.put(&tag, &index).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Tells whether the registry lists all of some referrers, or else the list under the tag does.
    async fn lists(&self, referrers: &[&OciArtifact]) -> Result<bool, RegistryError> {
        let list = match self.ask().await? {
            Some(list) => list,
            None => match self.read(&self.any.referrers(self.subject)).await? {
                Some(manifest) => manifest.bytes,
                None => return Ok(false),
            },
        };
        let list: Value = serde_json::from_slice(&list).unwrap_or_default();
        let manifests = list.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_listed = |referrer: &&OciArtifact| {
            let digest = Value::from(referrer.manifest.digest.to_string());
            manifests.iter().any(|known| known.get("digest") == Some(&digest))
        };
        Ok(referrers.iter().all(is_listed))
    }

    /// Asks the registry for the referrers; nothing if it lists none itself, however it says so. Of a list in several parts,
    /// the first will do: what is not found in it is put once more.
    async fn ask(&self) -> Result<Option<Vec<u8>>, RegistryError> {
        let asked = attempt(self.client.options().retry, async |_| {
            let path = format!("referrers/{}", self.subject);
            let mut request = Request::read(self.repository, Method::GET, path);
            let index = HeaderValue::from_str(MediaType::ImageIndex.as_ref());
            request.headers.extend(index.ok().map(|index| (ACCEPT, index)));
            let mut answer = match self.client.send(&request).await {
                Err(Fault::Refused { .. }) => return Ok(None),
                answer => answer?,
            };
            match answer.status().is_success() {
                true => answer.bytes(LARGEST_LIST).await.map(Some),
                false => Ok(None),
            }
        });
        asked.await.map_err(|failure| failure.of(Action::ListReferrers(self.any.sibling(self.subject))))
    }

    /// Reads what a tag names, if it names anything.
    async fn read(&self, tag: &Reference) -> Result<Option<Manifest>, RegistryError> {
        let read = attempt(self.client.options().retry, async |_| {
            let answer = pull::ask(self.client, tag, Method::GET).await?;
            if answer.status() == StatusCode::NOT_FOUND {
                return Ok(None);
            }
            match pull::read_manifest(answer.accepted().await?, tag).await {
                Err(Fault::NoManifest { .. }) => Ok(Some(None)),
                manifest => manifest.map(|manifest| Some(Some(manifest))),
            }
        });
        match read.await.map_err(|failure| failure.of(Action::ReadManifest(tag.clone())))? {
            Some(None) => Err(RegistryError::NoReferrers(Box::new(tag.clone()))),
            read => Ok(read.flatten()),
        }
    }

    /// Sends a document, or what stands for its configuration: they are too small to show progress.
    async fn send(&self, blob: &Blob) -> Result<(), RegistryError> {
        let source = Source::new(self.client, blob, &Silent);
        let upload = Upload { source, repository: self.repository, from: None, asks: true };
        let action = || Action::PushBlob { repository: self.repository.to_string(), digest: blob.digest };
        upload.run().await.map(|_| ()).map_err(|failure| explained(failure, action(), self.repository))
    }

    /// Sends a manifest, and returns whether the registry lists it among the referrers of its subject.
    async fn put(&self, reference: &Reference, manifest: &Blob) -> Result<bool, RegistryError> {
        let put = put(self.client, self.repository, reference, manifest).await;
        put.map_err(|failure| explained(failure, Action::PushManifest(reference.clone()), self.repository))
    }
}

/// Returns the list with further descriptors after those that it has; nothing if it has them all.
fn extended(
    tag: &Reference,
    present: Option<Manifest>,
    descriptors: Vec<Value>,
) -> Result<Option<Blob>, RegistryError> {
    let no_list = || RegistryError::NoReferrers(Box::new(tag.clone()));
    let mut index = match present {
        Some(manifest) if manifest.media_type == MediaType::ImageIndex => {
            serde_json::from_slice(&manifest.bytes).map_err(|_| no_list())?
        }
        Some(_) => return Err(no_list()),
        None => json!({ "schemaVersion": 2, "mediaType": MediaType::ImageIndex, "manifests": [] }),
    };
    let manifests = index.get_mut("manifests").and_then(Value::as_array_mut).ok_or_else(no_list)?;
    let before = manifests.len();
    for descriptor in descriptors {
        if !manifests.iter().any(|known| known.get("digest") == descriptor.get("digest")) {
            manifests.push(descriptor);
        }
    }
    let is_new = manifests.len() > before;
    Ok(is_new.then(|| Blob::of_bytes(MediaType::ImageIndex, index.to_string().into_bytes())))
}
