//! S3's API, as far as objects are read and created with it. Every request may be repeated.
//!
//! Reference: [Amazon S3 API](https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html).

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::utf8_percent_encode;
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, RANGE};
use reqwest::{Method, Request, StatusCode};
use url::Url;

use super::{AwsError, AwsResponse, AwsService, AwsSession, RESERVED, ResponseLimit, xml_element};
use crate::redact::one_line;
use crate::retry::RetryPolicy;

mod upload;

pub(crate) use upload::{CopiedStart, ObjectFile};

const S3: &str = "Amazon S3";

/// The slowest connection that objects are sent and read over, in bytes a second.
const SLOWEST_TRANSFER: u64 = 128 << 10;

const CHECKSUM_CRC32C: HeaderName = HeaderName::from_static("x-amz-checksum-crc32c");
const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");
const CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");
const COPY_SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const COPY_SOURCE_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");
const COPY_SOURCE_IF_MATCH: HeaderName = HeaderName::from_static("x-amz-copy-source-if-match");
const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");
const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

/// The object's own metadata: the digests of its beginnings.
const CHECKPOINTS: HeaderName = HeaderName::from_static("x-amz-meta-pybundle-checkpoints");

/// A request to S3, as far as permissions tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum S3Action {
    GetObject,
    PutObject,
    AbortMultipartUpload,
}

impl S3Action {
    /// Returns the action's name in policies.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GetObject => "GetObject",
            Self::PutObject => "PutObject",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
        }
    }
}

/// Why an object cannot be read or created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum S3Error {
    #[error("S3 did not carry out {} in bucket {bucket}", action.name())]
    Failed {
        action: S3Action,
        bucket: String,
        #[source]
        source: Box<AwsError>,
    },
    #[error("bucket {bucket} is in {region}, not in {requested}")]
    OtherRegion { bucket: String, region: String, requested: String },
    /// The file that is to become an object cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// An object that exists.
#[derive(Debug, Clone)]
pub(crate) struct StoredObject {
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) version: Option<String>,
    pub(crate) checkpoints: Option<String>,
}

/// How long S3 is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct S3Patience {
    pub(crate) retry: RetryPolicy,
    /// The limit for an attempt at a request without a large body. S3 copies a part before it answers.
    pub(crate) attempt: Duration,
}

impl S3Patience {
    /// For what can be done without: nobody waits for minutes to save seconds.
    pub(crate) const SHORT: Self = Self {
        retry: RetryPolicy { limit: 2, first_pause: Duration::from_millis(200), longest_pause: Duration::from_secs(5) },
        attempt: Duration::from_secs(15),
    };
}

/// When an object is created.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PutCondition<'a> {
    /// If there is none of its key.
    IsAbsent,
    /// If it replaces the one that has an entity tag.
    Matches(&'a str),
}

/// How many bytes a request and its response have.
#[derive(Clone, Copy)]
struct Transfer {
    /// The largest response; a short one is always read.
    largest: u64,
    /// What there is time for, besides a short response.
    expected: u64,
}

/// A client of one bucket.
pub(crate) struct S3Bucket<'a> {
    session: AwsSession<'a>,
    endpoint: Url,
    name: String,
    patience: S3Patience,
}

impl<'a> S3Bucket<'a> {
    /// Returns a client of a bucket in the region of a session.
    ///
    /// # Errors
    /// The endpoint that is configured is not a URL.
    pub(crate) async fn new(session: AwsSession<'a>, name: &str, patience: S3Patience) -> Result<Self, AwsError> {
        let endpoint = session.endpoint(AwsService::S3).await?;
        Ok(Self { session, endpoint, name: name.to_owned(), patience })
    }

    /// Returns a client of the same bucket in another region.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) async fn in_region(&self, region: &str) -> Result<Self, AwsError> {
        Self::new(self.session.in_region(region), &self.name, self.patience).await
    }

    /// Returns an object, or `None` if it does not exist. Without the permission to list the bucket, S3 says that access to
    /// a missing object is denied.
    pub(crate) async fn find(&self, key: &str) -> Result<Option<StoredObject>, S3Error> {
        let response =
            self.send(S3Action::GetObject, Method::HEAD, self.url(key), HeaderMap::new(), Vec::new()).await?;
        match response.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Ok(None),
            _ => return Err(self.refusal(S3Action::GetObject, &response)),
        }
        let header = |name: &HeaderName| Some(response.headers.get(name)?.to_str().ok()?.to_owned());
        let size = header(&CONTENT_LENGTH).and_then(|size| size.parse().ok()).unwrap_or_default();
        let Some(etag) = header(&ETAG) else { return Ok(None) };
        Ok(Some(StoredObject { size, etag, version: header(&VERSION_ID), checkpoints: header(&CHECKPOINTS) }))
    }

    /// Returns the bytes and the entity tag of an object, or `None` if it does not exist or, which S3 does not tell apart without the permission
    /// to list the bucket, access to it is denied.
    ///
    /// # Errors
    /// S3 cannot be reached or refuses, or there are more than `largest` bytes.
    pub(crate) async fn get(&self, key: &str, largest: u64) -> Result<Option<(Vec<u8>, Option<String>)>, S3Error> {
        let response = self.get_with(key, HeaderMap::new(), Transfer { largest, expected: 0 }).await?;
        Ok(response.map(|response| {
            let etag = response.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
            (response.body, etag.map(str::to_owned))
        }))
    }

    /// Returns a range of the bytes of an object, as [`get`](Self::get) does.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Vec<u8>>, S3Error> {
        let headers = headers([(RANGE, &*format!("bytes={}-{}", range.start, range.end - 1))]);
        let length = range.end - range.start;
        let response = self.get_with(key, headers, Transfer { largest: length, expected: length }).await?;
        Ok(response.map(|response| response.body))
    }

    async fn get_with(
        &self,
        key: &str,
        headers: HeaderMap,
        transfer: Transfer,
    ) -> Result<Option<AwsResponse>, S3Error> {
        let action = S3Action::GetObject;
        let response = self.send_for((action, transfer), Method::GET, self.url(key), headers, Vec::new()).await?;
        if response.status.is_success() {
            return Ok(Some(response));
        }
        let text = String::from_utf8_lossy(&response.body);
        let is_absent = match (response.status, xml_element(&text, "Code")) {
            (StatusCode::NOT_FOUND, code) => code != Some("NoSuchBucket"),
            (StatusCode::FORBIDDEN, code) => matches!(code, None | Some("AccessDenied")),
            _ => false,
        };
        if is_absent { Ok(None) } else { Err(self.refusal(action, &response)) }
    }

    /// Creates an object if a condition holds. Returns whether it was created.
    ///
    /// # Errors
    /// S3 cannot be reached or refuses.
    pub(crate) async fn put(
        &self,
        key: &str,
        bytes: Vec<u8>,
        condition: PutCondition<'_>,
        checkpoints: Option<&str>,
    ) -> Result<bool, S3Error> {
        let checksum = encoded_crc32c(crc32c::crc32c(&bytes));
        let condition = match condition {
            PutCondition::IsAbsent => (IF_NONE_MATCH, "*"),
            PutCondition::Matches(etag) => (IF_MATCH, etag),
        };
        let mut headers = headers([condition, (CHECKSUM_CRC32C, &checksum)]);
        headers.extend(checkpoint_headers(checkpoints));
        let response = self.send(S3Action::PutObject, Method::PUT, self.url(key), headers, bytes).await?;
        self.created(&response)
    }

    /// Tells whether an object was created, or existed.
    fn created(&self, response: &AwsResponse) -> Result<bool, S3Error> {
        let is_error = xml_element(&String::from_utf8_lossy(&response.body), "Code").is_some();
        match response.status {
            // S3 may complete an upload with status 200, and an error in the body.
            status if status.is_success() && !is_error => Ok(true),
            StatusCode::PRECONDITION_FAILED => Ok(false),
            _ => Err(self.refusal(S3Action::PutObject, response)),
        }
    }

    /// The path has the bucket: a name with dots is not covered by the certificate of S3's hosts.
    fn url(&self, key: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{}/{}", url.path().trim_end_matches('/'), self.name, encoded_key(key)));
        url
    }

    /// Sends a request whose response is short.
    async fn send(
        &self,
        action: S3Action,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<AwsResponse, S3Error> {
        self.send_for((action, Transfer { largest: 0, expected: body.len() as u64 }), method, url, headers, body).await
    }

    /// Sends a request, again after failures that may pass.
    async fn send_for(
        &self,
        (action, transfer): (S3Action, Transfer),
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<AwsResponse, S3Error> {
        let S3Patience { retry, attempt } = self.patience;
        let limit = ResponseLimit::new(attempt + Duration::from_secs(transfer.expected / SLOWEST_TRANSFER));
        let limit = limit.with_bytes(transfer.largest);
        let mut request = Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        let mut failures = 0;
        loop {
            // Shares the body.
            let copy = request.try_clone().expect("a body in memory can be cloned");
            let result = self.session.send_signed((AwsService::S3, S3), copy, limit).await;
            failures += 1;
            match result {
                Ok(response) if !may_pass(&response) || failures > retry.limit => return Ok(response),
                Err(source) if failures > retry.limit || matches!(source, AwsError::LargeResponse { .. }) => {
                    return Err(S3Error::Failed { action, bucket: self.name.clone(), source: Box::new(source) });
                }
                result => {
                    let requested = result.ok().and_then(|response| response.retry_after());
                    tokio::time::sleep(retry.pause(failures, requested)).await;
                }
            }
        }
    }

    fn refusal(&self, action: S3Action, response: &AwsResponse) -> S3Error {
        let (bucket, requested) = (self.name.clone(), self.session.region().to_owned());
        let text = String::from_utf8_lossy(&response.body);
        let code = xml_element(&text, "Code").unwrap_or_default();
        let header = response.headers.get(BUCKET_REGION).and_then(|region| region.to_str().ok());
        // Where the signature is for another region, it may be in the body alone: AWS's SDK for JavaScript reads it there, too.
        let stated = header.or_else(|| xml_element(&text, "Region").filter(|_| code == "AuthorizationHeaderMalformed"));
        if let Some(region) = stated.filter(|region| is_region(region) && *region != requested) {
            return S3Error::OtherRegion { bucket, region: region.to_owned(), requested };
        }
        let parts = [code, xml_element(&text, "Message").unwrap_or_default()].map(one_line);
        let message = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ");
        let message = if message.is_empty() { "no reason given".to_owned() } else { message };
        let source = Box::new(AwsError::Service { service: S3, status: response.status, message });
        S3Error::Failed { action, bucket, source }
    }

    fn invalid_answer(&self) -> S3Error {
        let (service, message) = (S3, "a malformed answer".to_owned());
        let source = Box::new(AwsError::Service { service, status: StatusCode::OK, message });
        S3Error::Failed { action: S3Action::PutObject, bucket: self.name.clone(), source }
    }
}

/// Tells whether the same request may succeed later. Of two who create an object at the same time, S3 asks one to try again.
fn may_pass(response: &AwsResponse) -> bool {
    response.is_transient() || response.status == StatusCode::CONFLICT
}

/// Tells whether a text may be a region, and so a part of a host's name.
fn is_region(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn encoded_key(key: &str) -> String {
    key.split('/').map(|part| utf8_percent_encode(part, RESERVED).to_string()).collect::<Vec<_>>().join("/")
}

fn encoded_crc32c(crc32c: u32) -> String {
    BASE64_STANDARD.encode(crc32c.to_be_bytes())
}

fn checkpoint_headers(checkpoints: Option<&str>) -> HeaderMap {
    checkpoints.map(|checkpoints| headers([(CHECKPOINTS, checkpoints)])).unwrap_or_default()
}

fn headers<const N: usize>(headers: [(HeaderName, &str); N]) -> HeaderMap {
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)));
    headers.collect()
}
