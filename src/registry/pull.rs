//! Reading manifests and blobs.
//!
//! Specification: [OCI distribution 1.1, pull](https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pull).

use std::cell::Cell;
use std::io::Write;

use oci_spec::image::MediaType;
use reqwest::header::{ACCEPT, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::answer::Answer;
use super::attempts::{Attempts, attempt};
use super::client::{Client, Repository, Request};
use super::fault::Fault;
use super::payload::Progress;
use super::{Action, Descriptor, Manifest, Reference, RegistryError};
use crate::digest::{HashingWriter, Sha256};
use crate::report::{Phase, Reporter};

/// The largest manifest that registries have to take, and the largest that is read here, in bytes.
const LARGEST_MANIFEST: u64 = 4 << 20;

/// If so many bytes came between two failures, they are not in a row.
const PROGRESS: u64 = 1 << 20;

/// The header with a manifest's digest.
const DIGEST: &str = "docker-content-digest";

/// The manifests and indexes that are understood.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Returns a manifest that has to be there.
pub(super) async fn manifest(client: &Client, reference: &Reference) -> Result<Manifest, RegistryError> {
    let result = attempt(client.options().retry, async |_| {
        let answer = ask(client, reference, Method::GET).await?;
        read_manifest(answer.accepted().await?, reference).await
    });
    result.await.map_err(|failure| failure.of(Action::ReadManifest(reference.clone())))
}

/// Returns what a reference names, if that is anything.
pub(super) async fn find(client: &Client, reference: &Reference) -> Result<Option<Descriptor>, RegistryError> {
    let result = attempt(client.options().retry, async |_| {
        let head = ask(client, reference, Method::HEAD).await?;
        match (head.status(), descriptor(&head)) {
            (StatusCode::OK, Some(descriptor)) => return Ok(Some(descriptor)),
            (StatusCode::NOT_FOUND, _) => return Ok(None),
            (status, _) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(head.into_fault().await);
            }
            _ => {}
        }
        let answer = ask(client, reference, Method::GET).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let Manifest { media_type, digest, bytes } = read_manifest(answer.accepted().await?, reference).await?;
        Ok(Some(Descriptor { media_type, digest, size: bytes.len() as u64 }))
    });
    result.await.map_err(|failure| failure.of(Action::ReadManifest(reference.clone())))
}

pub(super) async fn ask(client: &Client, reference: &Reference, method: Method) -> Result<Answer, Fault> {
    client.send(&manifest_request(reference, method)).await
}

/// Returns the request for a manifest.
pub(super) fn manifest_request(reference: &Reference, method: Method) -> Request<'_> {
    let repository = Repository { registry: reference.registry(), name: reference.repository() };
    let mut request = Request::read(repository, method, format!("manifests/{}", reference.identifier()));
    request.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    request
}

/// Returns what the headers tell of a manifest.
pub(super) fn descriptor(answer: &Answer) -> Option<Descriptor> {
    let media_type = known(answer.header(CONTENT_TYPE)?)?;
    Some(Descriptor { media_type, digest: told_digest(answer)?, size: answer.length()? })
}

/// Returns the media type of manifests or indexes that a text names, which may have parameters.
fn known(text: &str) -> Option<MediaType> {
    let name = text.split(';').next().unwrap_or_default().trim();
    ACCEPTED.split(", ").any(|accepted| accepted == name).then(|| MediaType::from(name))
}

/// Returns the digest of the manifest that an answer is about, if it tells.
pub(super) fn told_digest(answer: &Answer) -> Option<Sha256> {
    answer.header(DIGEST)?.parse().ok()
}

/// Reads the body of a manifest, and verifies it: by the reference's digest, or else by what the registry tells.
pub(super) async fn read_manifest(mut answer: Answer, reference: &Reference) -> Result<Manifest, Fault> {
    let bytes = answer.bytes(LARGEST_MANIFEST).await?;
    let digest = Sha256::of(&bytes);
    let told = told_digest(&answer);
    for expected in [reference.digest(), told].into_iter().flatten() {
        if digest != expected {
            return Err(Fault::Digest { host: answer.host().to_owned(), expected, actual: digest });
        }
    }
    // The document's word counts before the header's: it is what the digest covers.
    let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let stated = document.get("mediaType").and_then(Value::as_str).or_else(|| answer.header(CONTENT_TYPE));
    match stated.and_then(known) {
        Some(media_type) if document.is_object() => Ok(Manifest { media_type, digest, bytes }),
        _ => Err(Fault::NoManifest { host: answer.host().to_owned() }),
    }
}

/// Asks for a blob, from `offset` on. The registry may give it from its start nevertheless.
pub(super) async fn open(
    client: &Client,
    repository: Repository<'_>,
    digest: Sha256,
    offset: u64,
) -> Result<Answer, Fault> {
    let mut request = Request::read(repository, Method::GET, format!("blobs/{digest}"));
    if offset > 0 {
        let range = HeaderValue::from_str(&format!("bytes={offset}-"));
        request.headers.extend(range.ok().map(|range| (RANGE, range)));
    }
    client.send(&request).await
}

/// Writes a blob to `output` and verifies it.
pub(super) async fn blob(
    client: &Client,
    repository: &Reference,
    (digest, size): (Sha256, u64),
    output: &mut dyn Write,
    reporter: &dyn Reporter,
) -> Result<(), RegistryError> {
    let progress = Progress { reporter, phase: Phase::Pull, reported: Cell::new(0) };
    let repository = Repository { registry: repository.registry(), name: repository.repository() };
    let mut pull = Pull {
        client,
        repository,
        digest,
        size,
        output: HashingWriter::new(output),
        length: 0,
        progress,
        may_resume: true,
    };
    let (mut attempts, mut mark) = (Attempts::new(client.options().retry), 0);
    let action = || Action::PullBlob { repository: repository.to_string(), digest };
    while let Err(fault) = pull.run().await {
        if pull.length >= mark + PROGRESS {
            mark = pull.length;
            attempts.forgive();
        }
        attempts.pause(fault).await.map_err(|failure| failure.of(action()))?;
    }
    let (_, actual, _) = pull.output.finish();
    if actual == digest {
        return Ok(());
    }
    let host = repository.registry.to_owned();
    Err(attempts.give_up(Fault::Digest { host, expected: digest, actual }).of(action()))
}

/// A blob on its way.
struct Pull<'a> {
    client: &'a Client,
    repository: Repository<'a>,
    digest: Sha256,
    size: u64,
    output: HashingWriter<&'a mut dyn Write>,
    /// How many bytes are written.
    length: u64,
    progress: Progress<'a>,
    /// Whether the registry may be asked for the rest alone.
    may_resume: bool,
}

impl Pull<'_> {
    /// Writes what is missing.
    async fn run(&mut self) -> Result<(), Fault> {
        let offset = if self.may_resume { self.length } else { 0 };
        let mut answer = open(self.client, self.repository, self.digest, offset).await?;
        let mut position = match answer.status() {
            StatusCode::PARTIAL_CONTENT if is_rest(&answer, offset, self.size) => offset,
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => {
                // What comes by ranges is not to be trusted: from now on the whole, of which the start is passed over.
                self.may_resume = false;
                return Err(Fault::Range { host: answer.host().to_owned() });
            }
            _ => return Err(answer.into_fault().await),
        };
        while let Some(chunk) = answer.chunk().await? {
            let written = usize::try_from(self.length.saturating_sub(position)).unwrap_or(usize::MAX);
            position += chunk.len() as u64;
            if position > self.size {
                return Err(Fault::TooLarge { host: answer.host().to_owned(), limit: self.size });
            }
            let new = chunk.get(written..).unwrap_or_default();
            self.output.write_all(new).map_err(Fault::Output)?;
            self.length += new.len() as u64;
            self.progress.reach(self.length);
        }
        match position < self.size {
            true => Err(Fault::Truncated { host: answer.host().to_owned(), expected: self.size, actual: position }),
            false => Ok(()),
        }
    }
}

/// Tells whether a partial answer is the rest of the blob
/// ([RFC 9110, section 14.4](https://www.rfc-editor.org/rfc/rfc9110#section-14.4)): `bytes 100-199/200`.
fn is_rest(answer: &Answer, offset: u64, size: u64) -> bool {
    let parse = |value: &str| -> Option<(u64, u64, Option<u64>)> {
        let (range, whole) = value.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?, whole.parse().ok()))
    };
    let range = answer.header(CONTENT_RANGE).and_then(parse);
    range.is_some_and(|(first, last, whole)| {
        first == offset && last.checked_add(1) == Some(size) && whole.is_none_or(|whole| whole == size)
    })
}
