//! Sending a manifest to a repository, under a tag or its digest.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};

use super::attempts::{FailedAttempts, attempt};
use super::client::{RegistryClient, RegistryRequest, RepositoryName, RequestTarget};
use super::payload::{BlobSource, Payload};
use super::request_error::RequestError;
use super::upload::{BlobCheck, BlobUpload};
use super::{ImageReference, pull};
use crate::image::Blob;
use crate::report::Silent;
use crate::retry::is_passing;

/// The header of registries with the referrers API (OCI distribution 1.1, pushing manifests with subject).
const SUBJECT: &str = "oci-subject";

/// A manifest to send, and the reference that is to point to it.
pub(super) struct ManifestPut<'a> {
    pub client: &'a RegistryClient,
    pub repository: RepositoryName<'a>,
    pub reference: &'a ImageReference,
    pub manifest: &'a Blob,
}

impl<'a> ManifestPut<'a> {
    pub(super) fn new(
        client: &'a RegistryClient,
        repository: RepositoryName<'a>,
        reference: &'a ImageReference,
        manifest: &'a Blob,
    ) -> Self {
        Self { client, repository, reference, manifest }
    }

    /// Sends the manifest, and returns whether the registry has processed its subject. If the registry may have had the
    /// manifest before, or it had to be sent again, makes sure that the registry has it now.
    ///
    /// docker-registry 2.8.2 with a descriptor cache in memory accepts a manifest that garbage collection has removed, but
    /// does not store it: its tag then points to nothing, however often it is sent. As a blob, the same bytes are stored.
    ///
    /// Killed while it writes a manifest, it takes the empty file for the manifest when that is sent again. There is no remedy
    /// but to say so.
    pub(super) async fn run(&self, may_repeat: bool) -> Result<bool, FailedAttempts> {
        let (is_processed, is_repeated) = self.send().await?;
        if !(may_repeat || is_repeated) || self.is_stored().await? {
            return Ok(is_processed);
        }
        let source = BlobSource::new(self.client, self.manifest, &Silent);
        BlobUpload { source, repository: self.repository, from: None, check: BlobCheck::Never }.run().await?;
        let (is_processed, _) = self.send().await?;
        if self.is_stored().await? {
            return Ok(is_processed);
        }
        let host = self.repository.registry.to_owned();
        Err(FailedAttempts::once(RequestError::LostManifest { host }))
    }

    /// Sends the manifest. The digest in the registry is compared with that of the bytes: with a tag in the URL, nothing
    /// else shows that they were altered in transit.
    ///
    /// Returns whether the registry has processed its subject, and whether an attempt failed before.
    async fn send(&self) -> Result<(bool, bool), FailedAttempts> {
        let sent = attempt(self.client.options().retry, async |earlier| {
            let mut bytes = Vec::new();
            self.manifest.copy_to(&mut bytes)?;
            let target = RequestTarget::Path(format!("manifests/{}", self.reference.identifier()));
            let mut request = RegistryRequest::write(self.repository, Method::PUT, target, Payload::Bytes(&bytes));
            let media_type = HeaderValue::from_str(self.manifest.media_type.as_ref());
            request.headers.extend(media_type.ok().map(|media_type| (CONTENT_TYPE, media_type)));
            let response = self.client.send(&request).await?.accepted().await?;
            let stored = match pull::digest_header(&response) {
                Some(digest) => Some(digest),
                None => pull::digest_header(&pull::ask(self.client, self.reference, Method::HEAD).await?),
            };
            match stored {
                Some(actual) if actual != self.manifest.digest => {
                    let host = response.host().to_owned();
                    Err(RequestError::Digest { host, expected: self.manifest.digest, actual })
                }
                _ => Ok((response.headers().contains_key(SUBJECT), earlier > 0)),
            }
        });
        sent.await
    }

    /// Tells whether the registry has the manifest, as far as it may be read.
    async fn is_stored(&self) -> Result<bool, FailedAttempts> {
        let asked = attempt(self.client.options().retry, async |_| {
            let response = match pull::ask(self.client, self.reference, Method::HEAD).await {
                Err(RequestError::Refused { .. }) => return Ok(true),
                response => response?,
            };
            let status = response.status();
            if is_passing(status) {
                return Err(response.into_error().await);
            }
            Ok(status != StatusCode::NOT_FOUND)
        });
        asked.await
    }
}
