//! Code in S3, under a key that is its digest: what is there is not sent again, and after an edit only the end is sent.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::checkpoints::{self, Checkpoints};
use super::error::DeployError;
use super::s3_api::{S3Api, StoredObject, UploadedPart};

/// The size of the parts that are sent, in bytes. A smaller zip is sent as a whole.
const PART: u64 = 16 << 20;

/// The smallest part that S3 takes, but for the last one.
const SMALLEST_PART: u64 = 5 << 20;

/// How many parts are sent at a time.
const CONCURRENCY: usize = 4;

/// A zip to upload.
pub(super) struct ZipFile<'a> {
    pub(super) path: &'a Path,
    pub(super) size: u64,
    /// In base64.
    pub(super) code_sha256: &'a str,
}

/// An object with the code.
pub(super) struct UploadedCode {
    pub(super) key: String,
    pub(super) version: Option<String>,
    /// How many bytes were sent.
    pub(super) sent: u64,
}

/// The multipart upload of a zip.
struct Upload<'a> {
    s3: &'a S3Api<'a>,
    key: &'a str,
    path: &'a Path,
    size: u64,
    checkpoints: &'a Checkpoints,
}

/// Returns the key of the code of a function.
fn key(function: &str, code_sha256: &str) -> Option<String> {
    use base64::Engine as _;
    let digest = base64::prelude::BASE64_STANDARD.decode(code_sha256).ok()?;
    Some(format!("{function}/{}.zip", hex::encode(digest)))
}

/// Uploads the code of a function unless it is there. `earlier` is the code that the function has now, of which the
/// beginning is copied if it is in the bucket, too.
///
/// # Errors
/// The zip cannot be read, or S3 cannot be reached or refuses.
pub(super) async fn upload(
    s3: &S3Api<'_>,
    function: &str,
    code: &ZipFile<'_>,
    earlier: &str,
) -> Result<UploadedCode, DeployError> {
    let unreadable = |source| DeployError::Read { path: code.path.to_owned(), source };
    let key = key(function, code.code_sha256).unwrap_or_default();
    if let Some(object) = s3.find(&key).await?.filter(|object| object.size == code.size) {
        return Ok(UploadedCode { key, version: object.version, sent: 0 });
    }
    let checkpoints = Checkpoints::of(code.path, code.size).map_err(unreadable)?;
    let upload = Upload { s3, key: &key, path: code.path, size: code.size, checkpoints: &checkpoints };
    let source = self::key(function, earlier);
    let sent = match upload.after_copy(source.as_deref()).await? {
        Some(sent) => sent,
        None if code.size <= PART => {
            let bytes = std::fs::read(code.path).map_err(unreadable)?;
            s3.put(&key, &bytes, &checkpoints.text).await?;
            code.size
        }
        None => upload.in_parts(None).await?,
    };
    // The version of the object that now has the key, whoever created it.
    let version = s3.find(&key).await?.and_then(|object| object.version);
    Ok(UploadedCode { key, version, sent })
}

impl Upload<'_> {
    /// Uploads what follows the beginning that an earlier object has in common with the zip, or returns `None` if that is not
    /// worth it, or the earlier object changes meanwhile.
    async fn after_copy(&self, source_key: Option<&str>) -> Result<Option<u64>, DeployError> {
        let Some(source_key) = source_key else { return Ok(None) };
        let Some(source) = self.s3.find(source_key).await? else { return Ok(None) };
        let Some(stored) = &source.checkpoints else { return Ok(None) };
        let common = checkpoints::common_beginning(self.path, self.size, stored, source.size);
        let common = common.map_err(|source| self.unreadable(source))?;
        if common < SMALLEST_PART {
            return Ok(None);
        }
        match self.in_parts(Some((source_key, &source, common))).await {
            Ok(sent) => Ok(Some(sent)),
            Err(error) if error.is_of_bucket() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Uploads the zip in parts, of which the first may be copied, and returns how many bytes were sent.
    async fn in_parts(&self, copied: Option<(&str, &StoredObject, u64)>) -> Result<u64, DeployError> {
        let upload = self.s3.begin(self.key, &self.checkpoints.text).await?;
        let completed = async {
            let mut parts = Vec::new();
            let mut start = 0;
            if let Some((source_key, source, length)) = copied {
                let part = (self.key, upload.as_str(), 1);
                parts.push(self.s3.copy_part(part, (source_key, source), length).await?);
                start = length;
            }
            let first = parts.len() + 1;
            let starts = (start..self.size).step_by(PART as usize).zip(first..);
            let sent = starts.map(|(start, number)| self.part(&upload, number, start));
            parts.extend(stream::iter(sent).buffered(CONCURRENCY).try_collect::<Vec<_>>().await?);
            self.s3.complete(self.key, &upload, &parts, self.checkpoints.crc32c).await?;
            Ok(self.size - start)
        };
        let completed = completed.await;
        if completed.is_err() {
            self.s3.abort(self.key, &upload).await;
        }
        completed
    }

    async fn part(&self, upload: &str, number: usize, start: u64) -> Result<UploadedPart, DeployError> {
        let bytes = read(self.path, start, PART.min(self.size - start)).map_err(|source| self.unreadable(source))?;
        self.s3.upload_part(self.key, upload, number, &bytes).await
    }

    fn unreadable(&self, source: io::Error) -> DeployError {
        DeployError::Read { path: self.path.to_owned(), source }
    }
}

fn read(path: &Path, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
