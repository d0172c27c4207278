//! Reading manifests and blobs.
//!
//! Specification: [OCI distribution 1.1, pull](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pull).

use std::cell::Cell;
use std::io::Write;

use oci_spec::image::MediaType;
use reqwest::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::attempts::{AttemptCounter, attempt};
use super::client::{RegistryClient, RegistryRequest, RepositoryName};
use super::mirrors::{PullSource, PullSources};
use super::payload::BlobProgress;
use super::request_error::RequestError;
use super::response::RegistryResponse;
use super::{ImageReference, RegistryAction, RegistryError, RemoteDescriptor, RemoteManifest};
use crate::digest::{HashingWriter, Sha256};
use crate::image::file::LARGEST_MANIFEST;
use crate::report::{Phase, Reporter};
use crate::retry::is_passing;

/// After so many bytes of progress, failures are counted anew.
const PROGRESS: u64 = 1 << 20;

/// The header with the digest of a manifest.
const DIGEST: &str = "docker-content-digest";

/// The supported media types of manifests and indexes.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Returns a manifest, which must exist, from the first mirror that has it or from the registry itself.
pub(super) async fn manifest(
    client: &RegistryClient,
    reference: &ImageReference,
) -> Result<RemoteManifest, RegistryError> {
    let PullSources { mirrors, origin } = client.rules().sources(reference, false)?;
    let mut failures = Vec::new();
    for mirror in &mirrors {
        match request_manifest(client, mirror).await {
            Ok(manifest) => return Ok(manifest),
            Err(error) => failures.push(mirror.failure(&error)),
        }
    }
    let result = attempt(client.options().retry, async |_| request_manifest(client, &origin).await).await;
    let result = result.map_err(|failure| failure.of(RegistryAction::ReadManifest(reference.clone())));
    result.map_err(|error| error.after_mirrors(failures))
}

async fn request_manifest(client: &RegistryClient, source: &PullSource) -> Result<RemoteManifest, RequestError> {
    let request = manifest_request_of(source.repository(), &source.reference, Method::GET);
    read_manifest(client.send(&request).await?.accepted().await?, &source.reference).await
}

/// Returns the descriptor of the manifest that a reference points to, in the first mirror that has it or in the registry
/// itself; `None` if it does not exist.
pub(super) async fn find_pulled(
    client: &RegistryClient,
    reference: &ImageReference,
) -> Result<Option<RemoteDescriptor>, RegistryError> {
    let PullSources { mirrors, origin } = client.rules().sources(reference, false)?;
    let mut failures = Vec::new();
    for mirror in &mirrors {
        match request_manifest(client, mirror).await {
            Ok(RemoteManifest { media_type, digest, bytes }) => {
                return Ok(Some(RemoteDescriptor { media_type, digest, size: bytes.len() as u64 }));
            }
            Err(error) => failures.push(mirror.failure(&error)),
        }
    }
    find(client, &origin.reference).await.map_err(|error| error.after_mirrors(failures))
}

/// Returns the descriptor of the manifest that a reference points to in its own registry, or `None` if it does not exist.
pub(super) async fn find(
    client: &RegistryClient,
    reference: &ImageReference,
) -> Result<Option<RemoteDescriptor>, RegistryError> {
    let result = attempt(client.options().retry, async |_| {
        let head = ask(client, reference, Method::HEAD).await?;
        match (head.status(), descriptor(&head)) {
            (StatusCode::OK, Some(descriptor)) => return Ok(Some(descriptor)),
            (StatusCode::NOT_FOUND, _) => return Ok(None),
            (status, _) if is_passing(status) => return Err(head.into_error().await),
            _ => {}
        }
        let response = ask(client, reference, Method::GET).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let RemoteManifest { media_type, digest, bytes } = read_manifest(response.accepted().await?, reference).await?;
        Ok(Some(RemoteDescriptor { media_type, digest, size: bytes.len() as u64 }))
    });
    result.await.map_err(|failure| failure.of(RegistryAction::ReadManifest(reference.clone())))
}

pub(super) async fn ask(
    client: &RegistryClient,
    reference: &ImageReference,
    method: Method,
) -> Result<RegistryResponse, RequestError> {
    client.send(&manifest_request(reference, method)).await
}

/// Returns the request for a manifest.
pub(super) fn manifest_request(reference: &ImageReference, method: Method) -> RegistryRequest<'_> {
    let repository = RepositoryName { registry: reference.registry(), name: reference.repository(), api: "" };
    manifest_request_of(repository, reference, method)
}

fn manifest_request_of<'a>(
    repository: RepositoryName<'a>,
    reference: &ImageReference,
    method: Method,
) -> RegistryRequest<'a> {
    let mut request = RegistryRequest::read(repository, method, format!("manifests/{}", reference.identifier()));
    request.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    request
}

/// Returns the descriptor of a manifest from the headers of a response.
pub(super) fn descriptor(response: &RegistryResponse) -> Option<RemoteDescriptor> {
    let media_type = supported_type(response.header(CONTENT_TYPE)?)?;
    Some(RemoteDescriptor { media_type, digest: digest_header(response)?, size: response.length()? })
}

/// Parses the media type of a manifest or index, which may have parameters.
fn supported_type(text: &str) -> Option<MediaType> {
    let name = text.split(';').next().unwrap_or_default().trim();
    ACCEPTED.split(", ").any(|accepted| accepted == name).then(|| MediaType::from(name))
}

/// Returns the digest of the manifest, if the response has the header.
pub(super) fn digest_header(response: &RegistryResponse) -> Option<Sha256> {
    response.header(DIGEST)?.parse().ok()
}

/// Reads the body of a manifest, and verifies it by the digest of the reference and that of the header.
pub(super) async fn read_manifest(
    mut response: RegistryResponse,
    reference: &ImageReference,
) -> Result<RemoteManifest, RequestError> {
    let bytes = response.bytes(LARGEST_MANIFEST).await?;
    let digest = Sha256::of(&bytes);
    let announced = digest_header(&response);
    for expected in [reference.digest(), announced].into_iter().flatten() {
        if digest != expected {
            return Err(RequestError::Digest { host: response.host().to_owned(), expected, actual: digest });
        }
    }
    // The field wins over the header: the digest covers it.
    let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let media_type = document.get("mediaType").and_then(Value::as_str).or_else(|| response.header(CONTENT_TYPE));
    match media_type.and_then(supported_type) {
        Some(media_type) if document.is_object() => Ok(RemoteManifest { media_type, digest, bytes }),
        _ => Err(RequestError::InvalidManifest { host: response.host().to_owned() }),
    }
}

/// Requests a blob from `offset` on. The registry may return it from the start nevertheless.
pub(super) async fn open(
    client: &RegistryClient,
    repository: RepositoryName<'_>,
    digest: Sha256,
    offset: u64,
) -> Result<RegistryResponse, RequestError> {
    let mut request = RegistryRequest::read(repository, Method::GET, format!("blobs/{digest}"));
    if offset > 0 {
        let range = HeaderValue::from_str(&format!("bytes={offset}-"));
        request.headers.extend(range.ok().map(|range| (RANGE, range)));
    }
    client.send(&request).await
}

/// Requests a blob of a repository that is given as `HOST/REPOSITORY`, from the first mirror that has it or from the registry
/// itself.
pub(super) async fn open_pulled(
    client: &RegistryClient,
    repository: &str,
    digest: Sha256,
) -> Result<RegistryResponse, RequestError> {
    // One that is blocked was refused when the manifest was read.
    let sources = repository.parse().ok().and_then(|reference| client.rules().sources(&reference, true).ok());
    let Some(PullSources { mirrors, origin }) = sources else {
        return open(client, RepositoryName::of(repository), digest, 0).await?.accepted().await;
    };
    for mirror in &mirrors {
        if let Ok(response) = open(client, mirror.repository(), digest, 0).await
            && let Ok(response) = response.accepted().await
        {
            return Ok(response);
        }
    }
    open(client, origin.repository(), digest, 0).await?.accepted().await
}

/// Writes a blob to `output` and verifies it.
pub(super) async fn blob(
    client: &RegistryClient,
    repository: &ImageReference,
    (digest, size): (Sha256, u64),
    output: &mut dyn Write,
    reporter: &dyn Reporter,
) -> Result<(), RegistryError> {
    let progress = BlobProgress { reporter, phase: Phase::Pull, reported: Cell::new(0) };
    let PullSources { mirrors, origin } = client.rules().sources(repository, true)?;
    let mut sources = mirrors.iter().chain([&origin]);
    let mut failures = Vec::new();
    let mut download = BlobDownload {
        client,
        source: sources.next().unwrap_or(&origin),
        digest,
        size,
        output: HashingWriter::new(output),
        length: 0,
        progress,
        may_resume: true,
    };
    let (mut attempts, mut mark) = (AttemptCounter::new(client.options().retry), 0);
    let action = RegistryAction::PullBlob { repository: origin.repository().to_string(), digest };
    while let Err(error) = download.run().await {
        if let Some(next) = sources.next() {
            failures.push(download.source.failure(&error));
            (download.source, download.may_resume) = (next, true);
            continue;
        }
        if download.length >= mark + PROGRESS {
            mark = download.length;
            attempts.reset();
        }
        if let Err(failure) = attempts.pause(error).await {
            return Err(failure.of(action).after_mirrors(failures));
        }
    }
    let (_, actual, _) = download.output.finish();
    if actual == digest {
        return Ok(());
    }
    let host = download.source.reference.registry().to_owned();
    Err(attempts.give_up(RequestError::Digest { host, expected: digest, actual }).of(action))
}

/// The download of a blob.
struct BlobDownload<'a> {
    client: &'a RegistryClient,
    source: &'a PullSource,
    digest: Sha256,
    size: u64,
    output: HashingWriter<&'a mut dyn Write>,
    /// The number of bytes written.
    length: u64,
    progress: BlobProgress<'a>,
    /// Whether ranges may be requested.
    may_resume: bool,
}

impl BlobDownload<'_> {
    /// Requests the rest of the blob, and writes it.
    async fn run(&mut self) -> Result<(), RequestError> {
        let offset = if self.may_resume { self.length } else { 0 };
        let mut response = open(self.client, self.source.repository(), self.digest, offset).await?;
        let mut position = match response.status() {
            StatusCode::PARTIAL_CONTENT if is_rest(&response, offset, self.size) => offset,
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => {
                // The ranges of this registry are wrong: request the whole blob from now on, and skip its start.
                self.may_resume = false;
                return Err(RequestError::Range { host: response.host().to_owned() });
            }
            _ => return Err(response.into_error().await),
        };
        while let Some(chunk) = response.chunk().await? {
            let written = usize::try_from(self.length.saturating_sub(position)).unwrap_or(usize::MAX);
            position += chunk.len() as u64;
            if position > self.size {
                return Err(RequestError::TooLarge { host: response.host().to_owned(), limit: self.size });
            }
            let new = chunk.get(written..).unwrap_or_default();
            self.output.write_all(new).map_err(RequestError::Output)?;
            self.length += new.len() as u64;
            self.progress.reach(self.length);
        }
        if position < self.size {
            return Err(RequestError::Truncated {
                host: response.host().to_owned(),
                expected: self.size,
                actual: position,
            });
        }
        Ok(())
    }
}

/// Tells whether a partial response is the rest of the blob
/// ([RFC 9110, section 14.4](https://www.rfc-editor.org/rfc/rfc9110#section-14.4)): `bytes 100-199/200`.
fn is_rest(response: &RegistryResponse, offset: u64, size: u64) -> bool {
    let range = response.header(CONTENT_RANGE).and_then(parse_range);
    range.is_some_and(|(first, last, whole)| {
        first == offset && last.checked_add(1) == Some(size) && whole.is_none_or(|whole| whole == size)
    })
}

/// Parses `Content-Range`: the first byte, the last one, and the size of the whole if it is known.
fn parse_range(value: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, whole) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, whole.parse().ok()))
}
