//! S3's API, as far as code is uploaded with it. Every request may be repeated.
//!
//! Reference: [Amazon S3 API](https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::utf8_percent_encode;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use reqwest::{Method, Request, StatusCode};
use url::Url;

use super::error::{DeployError, S3Action};
use super::lambda_api::{RETRY, SEGMENT, SLOWEST_UPLOAD};
use crate::aws::{AwsError, AwsResponse, AwsService, AwsSession, xml_element};
use crate::redact::one_line;

const S3: &str = "Amazon S3";

/// The limit for an attempt at a request without a large body. S3 copies a part before it answers.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);

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

/// An object that exists.
#[derive(Debug, Clone)]
pub(super) struct StoredObject {
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) version: Option<String>,
    pub(super) checkpoints: Option<String>,
}

/// A part of a multipart upload that S3 has: its number, counted from 1, and its tag.
pub(super) struct UploadedPart(pub(super) usize, pub(super) String);

/// A client of one bucket.
pub(super) struct S3Api<'a> {
    session: &'a AwsSession<'a>,
    endpoint: Url,
    pub(super) bucket: &'a str,
}

impl<'a> S3Api<'a> {
    pub(super) async fn new(session: &'a AwsSession<'a>, bucket: &'a str) -> Result<Self, DeployError> {
        let endpoint = session.endpoint(AwsService::S3).await;
        let endpoint = endpoint.map_err(|source| DeployError::Credentials(Arc::new(source)))?;
        Ok(Self { session, endpoint, bucket })
    }

    /// Returns an object, or `None` if it does not exist. Without the permission to list the bucket, S3 says that access to
    /// a missing object is denied.
    pub(super) async fn find(&self, key: &str) -> Result<Option<StoredObject>, DeployError> {
        let response = self.send(S3Action::GetObject, Method::HEAD, self.url(key), HeaderMap::new(), &[]).await?;
        match response.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Ok(None),
            _ => return Err(self.refusal(S3Action::GetObject, &response)),
        }
        let header = |name: &HeaderName| Some(response.headers.get(name)?.to_str().ok()?.to_owned());
        let size = header(&reqwest::header::CONTENT_LENGTH).and_then(|size| size.parse().ok()).unwrap_or_default();
        let Some(etag) = header(&ETAG) else { return Ok(None) };
        Ok(Some(StoredObject { size, etag, version: header(&VERSION_ID), checkpoints: header(&CHECKPOINTS) }))
    }

    /// Creates an object, unless it exists.
    pub(super) async fn put(&self, key: &str, bytes: &[u8], checkpoints: &str) -> Result<(), DeployError> {
        let headers = headers([
            (IF_NONE_MATCH, "*"),
            (CHECKSUM_CRC32C, &encoded_crc32c(crc32c::crc32c(bytes))),
            (CHECKPOINTS, checkpoints),
        ]);
        let response = self.send(S3Action::PutObject, Method::PUT, self.url(key), headers, bytes).await?;
        self.created(&response)
    }

    /// Begins a multipart upload, and returns its identifier.
    pub(super) async fn begin(&self, key: &str, checkpoints: &str) -> Result<String, DeployError> {
        let mut url = self.url(key);
        url.set_query(Some("uploads="));
        let headers =
            headers([(CHECKSUM_ALGORITHM, "CRC32C"), (CHECKSUM_TYPE, "FULL_OBJECT"), (CHECKPOINTS, checkpoints)]);
        let response = self.succeed(S3Action::PutObject, Method::POST, url, headers, &[]).await?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let upload = xml_element(&text, "UploadId").map(str::to_owned);
        upload.ok_or_else(|| self.invalid_answer())
    }

    pub(super) async fn upload_part(
        &self,
        key: &str,
        upload: &str,
        number: usize,
        bytes: &[u8],
    ) -> Result<UploadedPart, DeployError> {
        let headers = headers([(CHECKSUM_CRC32C, encoded_crc32c(crc32c::crc32c(bytes)).as_str())]);
        let url = self.part_url(key, upload, number);
        let response = self.succeed(S3Action::PutObject, Method::PUT, url, headers, bytes).await?;
        let etag = response.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        Ok(UploadedPart(number, etag.ok_or_else(|| self.invalid_answer())?.to_owned()))
    }

    /// Copies the first bytes of an object that is still the one that was found.
    pub(super) async fn copy_part(
        &self,
        (key, upload, number): (&str, &str, usize),
        (source_key, source): (&str, &StoredObject),
        length: u64,
    ) -> Result<UploadedPart, DeployError> {
        let mut path = format!("{}/{}", self.bucket, encoded_key(source_key));
        if let Some(version) = &source.version {
            path.push_str(&format!("?versionId={}", utf8_percent_encode(version, SEGMENT)));
        }
        let headers = headers([
            (COPY_SOURCE, path.as_str()),
            (COPY_SOURCE_RANGE, &format!("bytes=0-{}", length - 1)),
            (COPY_SOURCE_IF_MATCH, &source.etag),
        ]);
        let url = self.part_url(key, upload, number);
        let response = self.succeed(S3Action::GetObject, Method::PUT, url, headers, &[]).await?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let etag = xml_element(&text, "ETag").map(|etag| etag.replace("&quot;", "\""));
        Ok(UploadedPart(number, etag.ok_or_else(|| self.invalid_answer())?))
    }

    /// Creates the object of all parts, unless it exists. S3 compares the checksum with that of the whole object.
    pub(super) async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: &[UploadedPart],
        crc32c: u32,
    ) -> Result<(), DeployError> {
        let mut url = self.url(key);
        url.query_pairs_mut().append_pair("uploadId", upload);
        let parts = parts.iter().map(|UploadedPart(number, etag)| {
            format!("<Part><ETag>{}</ETag><PartNumber>{number}</PartNumber></Part>", etag.replace('"', "&quot;"))
        });
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        );
        let headers =
            headers([(IF_NONE_MATCH, "*"), (CHECKSUM_CRC32C, &encoded_crc32c(crc32c)), (CHECKSUM_TYPE, "FULL_OBJECT")]);
        let response = self.send(S3Action::PutObject, Method::POST, url, headers, body.as_bytes()).await?;
        // After a lost answer, the upload does not exist any more.
        if response.status == StatusCode::NOT_FOUND && self.find(key).await?.is_some() {
            return Ok(());
        }
        self.created(&response)
    }

    /// Removes the parts of an upload. Whether that succeeds does not matter to the deployment.
    pub(super) async fn abort(&self, key: &str, upload: &str) {
        let mut url = self.url(key);
        url.query_pairs_mut().append_pair("uploadId", upload);
        let _ = self.send(S3Action::AbortMultipartUpload, Method::DELETE, url, HeaderMap::new(), &[]).await;
    }

    /// Checks that an object was created, or existed.
    fn created(&self, response: &AwsResponse) -> Result<(), DeployError> {
        let is_error = xml_element(&String::from_utf8_lossy(&response.body), "Code").is_some();
        // S3 may complete an upload with status 200, and an error in the body.
        if (response.status.is_success() && !is_error) || response.status == StatusCode::PRECONDITION_FAILED {
            return Ok(());
        }
        Err(self.refusal(S3Action::PutObject, response))
    }

    /// The path has the bucket: a name with dots is not covered by the certificate of S3's hosts.
    fn url(&self, key: &str) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{}/{}", url.path().trim_end_matches('/'), self.bucket, encoded_key(key)));
        url
    }

    fn part_url(&self, key: &str, upload: &str, number: usize) -> Url {
        let mut url = self.url(key);
        url.query_pairs_mut().append_pair("partNumber", &number.to_string()).append_pair("uploadId", upload);
        url
    }

    async fn succeed(
        &self,
        action: S3Action,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<AwsResponse, DeployError> {
        let response = self.send(action, method, url, headers, body).await?;
        if response.status.is_success() { Ok(response) } else { Err(self.refusal(action, &response)) }
    }

    /// Sends a request, again after failures that may pass.
    async fn send(
        &self,
        action: S3Action,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<AwsResponse, DeployError> {
        let limit = ATTEMPT_TIMEOUT + Duration::from_secs((body.len() / SLOWEST_UPLOAD) as u64);
        let mut failures = 0;
        loop {
            let mut request = Request::new(method.clone(), url.clone());
            request.headers_mut().clone_from(&headers);
            *request.body_mut() = Some(body.to_vec().into());
            let result = self.session.send_signed((AwsService::S3, S3), request, limit).await;
            failures += 1;
            match result {
                Ok(response) if !response.is_transient() || failures > RETRY.limit => return Ok(response),
                Err(source) if failures > RETRY.limit => {
                    return Err(DeployError::Bucket {
                        action,
                        bucket: self.bucket.to_owned(),
                        source: Box::new(source),
                    });
                }
                result => {
                    let requested = result.ok().and_then(|response| response.retry_after());
                    tokio::time::sleep(RETRY.pause(failures, requested)).await;
                }
            }
        }
    }

    fn refusal(&self, action: S3Action, response: &AwsResponse) -> DeployError {
        let bucket = self.bucket.to_owned();
        let region = response.headers.get(BUCKET_REGION).and_then(|region| region.to_str().ok());
        if let Some(region) = region.filter(|region| *region != self.session.region()) {
            let function_region = self.session.region().to_owned();
            return DeployError::BucketRegion { bucket, region: region.to_owned(), function_region };
        }
        let text = String::from_utf8_lossy(&response.body);
        let parts = ["Code", "Message"].map(|name| one_line(xml_element(&text, name).unwrap_or_default()));
        let message = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(": ");
        let message = if message.is_empty() { "no reason given".to_owned() } else { message };
        let source = Box::new(AwsError::Service { service: S3, status: response.status, message });
        DeployError::Bucket { action, bucket, source }
    }

    fn invalid_answer(&self) -> DeployError {
        let (service, message) = (S3, "a malformed answer".to_owned());
        let source = Box::new(AwsError::Service { service, status: StatusCode::OK, message });
        DeployError::Bucket { action: S3Action::PutObject, bucket: self.bucket.to_owned(), source }
    }
}

fn encoded_key(key: &str) -> String {
    key.split('/').map(|part| utf8_percent_encode(part, SEGMENT).to_string()).collect::<Vec<_>>().join("/")
}

fn encoded_crc32c(crc32c: u32) -> String {
    BASE64_STANDARD.encode(crc32c.to_be_bytes())
}

fn headers<const N: usize>(headers: [(HeaderName, &str); N]) -> HeaderMap {
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)));
    headers.collect()
}
