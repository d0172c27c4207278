//! Objects created from files, in parts if they are large.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use percent_encoding::utf8_percent_encode;
use reqwest::header::{ETAG, HeaderMap, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use url::Url;

use super::{
    AwsResponse, CHECKSUM_ALGORITHM, CHECKSUM_CRC32C, CHECKSUM_TYPE, COPY_SOURCE, COPY_SOURCE_IF_MATCH,
    COPY_SOURCE_RANGE, PutCondition, RESERVED, S3Action, S3Bucket, S3Error, StoredObject, checkpoint_headers,
    encoded_crc32c, encoded_key, headers, xml_element,
};

/// The size of the parts that are sent, in bytes. A smaller file is sent as a whole.
const PART: u64 = 16 << 20;

/// How many parts are sent at a time.
const CONCURRENCY: usize = 4;

/// A file that is to become an object.
pub(crate) struct ObjectFile<'a> {
    pub(crate) key: &'a str,
    pub(crate) path: &'a Path,
    pub(crate) size: u64,
    /// The checksum of the whole file.
    pub(crate) crc32c: u32,
    /// The digests of its beginnings.
    pub(crate) checkpoints: Option<&'a str>,
}

impl<'a> ObjectFile<'a> {
    /// Reads the checksum of the first `size` bytes of a file, which are what is sent.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn without_checkpoints(key: &'a str, path: &'a Path, size: u64) -> io::Result<Self> {
        let (mut file, mut buffer, mut crc32c) = (File::open(path)?.take(size), vec![0; 1 << 20], 0);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok(Self { key, path, size, crc32c, checkpoints: None });
            }
            crc32c = crc32c::crc32c_append(crc32c, &buffer[..count]);
        }
    }
}

/// The beginning of an earlier object that a file begins with, too.
#[derive(Clone, Copy)]
pub(crate) struct CopiedStart<'a> {
    pub(crate) key: &'a str,
    pub(crate) object: &'a StoredObject,
    /// At least 5 MiB, the smallest part that S3 takes.
    pub(crate) length: u64,
}

/// A part of a multipart upload that S3 has: its number, counted from 1, and its tag.
struct UploadedPart(usize, String);

impl S3Bucket<'_> {
    /// Creates an object from a file, unless it exists, and returns how many bytes were sent. The beginning is copied from an
    /// earlier object if there is one.
    ///
    /// # Errors
    /// The file cannot be read, or S3 cannot be reached or refuses; or the earlier object was replaced.
    pub(crate) async fn upload(&self, file: &ObjectFile<'_>, copied: Option<CopiedStart<'_>>) -> Result<u64, S3Error> {
        if copied.is_none() && file.size <= PART {
            let bytes = read(file.path, 0, file.size).map_err(|source| unreadable(file, source))?;
            self.put(file.key, bytes, PutCondition::IsAbsent, file.checkpoints).await?;
            return Ok(file.size);
        }
        let upload = self.begin(file).await?;
        let completed = async {
            let mut parts = Vec::new();
            let mut start = 0;
            if let Some(copied) = copied {
                parts.push(self.copy_part((file.key, upload.as_str(), 1), copied).await?);
                start = copied.length;
            }
            let first = parts.len() + 1;
            let starts = (start..file.size).step_by(PART as usize).zip(first..);
            let sent = starts.map(|(start, number)| self.upload_part(file, &upload, number, start));
            parts.extend(stream::iter(sent).buffered(CONCURRENCY).try_collect::<Vec<_>>().await?);
            self.complete(file, &upload, &parts).await?;
            Ok(file.size - start)
        };
        let completed = completed.await;
        if completed.is_err() {
            self.abort(file.key, &upload).await;
        }
        completed
    }

    /// Begins a multipart upload, and returns its identifier.
    async fn begin(&self, file: &ObjectFile<'_>) -> Result<String, S3Error> {
        let mut url = self.url(file.key);
        url.set_query(Some("uploads="));
        let mut headers = headers([(CHECKSUM_ALGORITHM, "CRC32C"), (CHECKSUM_TYPE, "FULL_OBJECT")]);
        headers.extend(checkpoint_headers(file.checkpoints));
        let response = self.succeed(S3Action::PutObject, Method::POST, url, headers, Vec::new()).await?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let upload = xml_element(&text, "UploadId").map(str::to_owned);
        upload.ok_or_else(|| self.invalid_answer())
    }

    /// Sends the part of a file that begins at a position.
    async fn upload_part(
        &self,
        file: &ObjectFile<'_>,
        upload: &str,
        number: usize,
        start: u64,
    ) -> Result<UploadedPart, S3Error> {
        let bytes = read(file.path, start, PART.min(file.size - start)).map_err(|source| unreadable(file, source))?;
        let headers = headers([(CHECKSUM_CRC32C, encoded_crc32c(crc32c::crc32c(&bytes)).as_str())]);
        let url = self.part_url(file.key, upload, number);
        let response = self.succeed(S3Action::PutObject, Method::PUT, url, headers, bytes).await?;
        let etag = response.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        Ok(UploadedPart(number, etag.ok_or_else(|| self.invalid_answer())?.to_owned()))
    }

    /// Copies the first bytes of an object that is still the one that was found.
    async fn copy_part(
        &self,
        (key, upload, number): (&str, &str, usize),
        copied: CopiedStart<'_>,
    ) -> Result<UploadedPart, S3Error> {
        let CopiedStart { key: source_key, object: source, length } = copied;
        let mut path = format!("{}/{}", self.name, encoded_key(source_key));
        if let Some(version) = &source.version {
            path.push_str(&format!("?versionId={}", utf8_percent_encode(version, RESERVED)));
        }
        let headers = headers([
            (COPY_SOURCE, path.as_str()),
            (COPY_SOURCE_RANGE, &format!("bytes=0-{}", length - 1)),
            (COPY_SOURCE_IF_MATCH, &source.etag),
        ]);
        let url = self.part_url(key, upload, number);
        let response = self.succeed(S3Action::GetObject, Method::PUT, url, headers, Vec::new()).await?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        let etag = xml_element(&text, "ETag").map(|etag| etag.replace("&quot;", "\""));
        Ok(UploadedPart(number, etag.ok_or_else(|| self.invalid_answer())?))
    }

    /// Creates the object of all parts, unless it exists. S3 compares the checksum with that of the whole object.
    async fn complete(&self, file: &ObjectFile<'_>, upload: &str, parts: &[UploadedPart]) -> Result<(), S3Error> {
        let mut url = self.url(file.key);
        url.query_pairs_mut().append_pair("uploadId", upload);
        let parts = parts.iter().map(|UploadedPart(number, etag)| {
            format!("<Part><ETag>{}</ETag><PartNumber>{number}</PartNumber></Part>", etag.replace('"', "&quot;"))
        });
        let body = format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</CompleteMultipartUpload>",
            parts.collect::<String>()
        );
        let checksum = encoded_crc32c(file.crc32c);
        let headers = headers([(IF_NONE_MATCH, "*"), (CHECKSUM_CRC32C, &checksum), (CHECKSUM_TYPE, "FULL_OBJECT")]);
        let response = self.send(S3Action::PutObject, Method::POST, url, headers, body.into_bytes()).await?;
        // After a lost answer, the upload does not exist any more; after a conflict, another one has created the object.
        if matches!(response.status, StatusCode::NOT_FOUND | StatusCode::CONFLICT)
            && self.find(file.key).await?.is_some()
        {
            return Ok(());
        }
        self.created(&response).map(drop)
    }

    /// Removes the parts of an upload. Whether that succeeds does not matter to who uploads.
    async fn abort(&self, key: &str, upload: &str) {
        let mut url = self.url(key);
        url.query_pairs_mut().append_pair("uploadId", upload);
        let _ = self.send(S3Action::AbortMultipartUpload, Method::DELETE, url, HeaderMap::new(), Vec::new()).await;
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
        body: Vec<u8>,
    ) -> Result<AwsResponse, S3Error> {
        let response = self.send(action, method, url, headers, body).await?;
        if response.status.is_success() { Ok(response) } else { Err(self.refusal(action, &response)) }
    }
}

fn unreadable(file: &ObjectFile<'_>, source: io::Error) -> S3Error {
    S3Error::Read { path: file.path.to_owned(), source }
}

fn read(path: &Path, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
