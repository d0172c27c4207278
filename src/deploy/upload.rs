//! Code in S3, under a key that is its digest: what is there is not sent again, and after an edit only the end is sent.

use std::path::Path;

use super::checkpoints::{self, Checkpoints};
use super::error::DeployError;
use crate::aws::{CopiedStart, ObjectFile, S3Bucket, S3Error};

/// The smallest part that S3 takes, but for the last one.
const SMALLEST_PART: u64 = 5 << 20;

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

/// The upload of a zip.
struct Upload<'a> {
    s3: &'a S3Bucket<'a>,
    file: ObjectFile<'a>,
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
    s3: &S3Bucket<'_>,
    function: &str,
    code: &ZipFile<'_>,
    earlier: &str,
) -> Result<UploadedCode, DeployError> {
    let key = key(function, code.code_sha256).unwrap_or_default();
    if let Some(object) = s3.find(&key).await?.filter(|object| object.size == code.size) {
        return Ok(UploadedCode { key, version: object.version, sent: 0 });
    }
    let checkpoints = Checkpoints::of(code.path, code.size);
    let Checkpoints { text, crc32c } =
        checkpoints.map_err(|source| DeployError::Read { path: code.path.to_owned(), source })?;
    let file = ObjectFile { key: &key, path: code.path, size: code.size, crc32c, checkpoints: Some(&text) };
    let upload = Upload { s3, file };
    let source = self::key(function, earlier);
    let sent = match upload.after_copy(source.as_deref()).await? {
        Some(sent) => sent,
        None => s3.upload(&upload.file, None).await?,
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
        let ObjectFile { path, size, .. } = self.file;
        let common = checkpoints::common_beginning(path, size, stored, source.size);
        let length = common.map_err(|source| DeployError::Read { path: path.to_owned(), source })?;
        if length < SMALLEST_PART {
            return Ok(None);
        }
        match self.s3.upload(&self.file, Some(CopiedStart { key: source_key, object: &source, length })).await {
            Ok(sent) => Ok(Some(sent)),
            Err(S3Error::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
