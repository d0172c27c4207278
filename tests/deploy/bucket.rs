//! A bucket of S3 that honors what moto ignores: checksums of whole objects, and the conditions of writes and copies.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::wire::Message;

/// The smallest part but for the last one.
const SMALLEST_PART: usize = 5 << 20;

#[derive(Debug, Clone)]
pub struct Object {
    pub bytes: Vec<u8>,
    etag: String,
    version: String,
    checkpoints: String,
}

#[derive(Debug, Default)]
struct Upload {
    key: String,
    checkpoints: String,
    parts: BTreeMap<usize, (String, Vec<u8>)>,
}

#[derive(Debug, Default)]
pub struct Bucket {
    pub objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    /// All versions that objects had.
    versions: BTreeMap<String, Vec<u8>>,
    numbers: u32,
    /// The bytes of parts and objects that clients sent.
    pub received: usize,
    /// How many times somebody else creates an object at the same time.
    pub conflicts: usize,
    /// Whether objects that are copied from change just before.
    pub replaces_sources: bool,
}

/// Returns the action that a request to S3 is for.
pub fn action(request: &Message) -> &'static str {
    let is_copy = request.header("x-amz-copy-source").is_some();
    match (request.method(), request.target().contains("partNumber=")) {
        ("HEAD", _) => "HeadObject",
        ("PUT", true) if is_copy => "UploadPartCopy",
        ("PUT", true) => "UploadPart",
        ("PUT", false) => "PutObject",
        ("POST", _) if request.target().contains("uploads=") => "CreateMultipartUpload",
        ("POST", _) => "CompleteMultipartUpload",
        ("DELETE", _) => "AbortMultipartUpload",
        _ => "Unknown",
    }
}

pub fn error(status: u16, code: &str) -> Message {
    Message::answer(status)
        .with_body(format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>No</Message></Error>"))
}

fn crc32c(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(crc32c::crc32c(bytes).to_be_bytes())
}

impl Bucket {
    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Returns a version of an object.
    pub fn version(&self, key: &str, version: Option<&str>) -> Option<&[u8]> {
        match version {
            Some(version) => self.versions.get(&format!("{key} {version}")).map(Vec::as_slice),
            None => self.objects.get(key).map(|object| object.bytes.as_slice()),
        }
    }

    /// Replaces the bytes of an object, as somebody else would.
    pub fn replace(&mut self, key: &str, bytes: &[u8]) {
        let checkpoints = self.objects.get(key).map(|object| object.checkpoints.clone()).unwrap_or_default();
        self.store(key, bytes.to_vec(), checkpoints);
    }

    fn store(&mut self, key: &str, bytes: Vec<u8>, checkpoints: String) {
        let number = self.number();
        let version = format!("version-{number}");
        self.versions.insert(format!("{key} {version}"), bytes.clone());
        let object = Object { bytes, etag: format!("\"tag-{number}\""), version, checkpoints };
        self.objects.insert(key.to_owned(), object);
    }

    /// Carries out a request whose path is `/bucket/KEY`.
    pub fn answer(&mut self, action: &str, request: &Message) -> Message {
        let key = request.path().splitn(3, '/').nth(2).unwrap().to_owned();
        let stated = request.header("x-amz-checksum-crc32c");
        if matches!(action, "PutObject" | "UploadPart") {
            self.received += request.body.len();
            if stated != Some(&crc32c(&request.body)) {
                return error(400, "BadDigest");
            }
        }
        let is_new = request.header("if-none-match") != Some("*") || !self.objects.contains_key(&key);
        let checkpoints = request.header("x-amz-meta-pybundle-checkpoints").unwrap_or_default().to_owned();
        assert!(checkpoints.len() < 1900, "S3 takes 2 KB of metadata");
        let id = request.query("uploadId").unwrap_or_default();
        let part: usize = request.query("partNumber").and_then(|number| number.parse().ok()).unwrap_or_default();
        match action {
            "HeadObject" => match self.objects.get(&key) {
                Some(Object { bytes, etag, version, checkpoints }) => Message::answer(200)
                    .with("Content-Length", bytes.len())
                    .with("ETag", etag)
                    .with("x-amz-version-id", version)
                    .with("x-amz-meta-pybundle-checkpoints", checkpoints),
                None => Message::answer(404),
            },
            "PutObject" if !is_new => error(412, "PreconditionFailed"),
            "PutObject" if self.conflicts > 0 => {
                self.conflicts -= 1;
                error(409, "ConditionalRequestConflict")
            }
            "PutObject" => {
                self.store(&key, request.body.clone(), checkpoints);
                Message::answer(200)
            }
            "CreateMultipartUpload" => {
                assert_eq!(request.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
                let id = format!("upload/{}+=", self.number());
                self.uploads.insert(id.clone(), Upload { key, checkpoints, ..Upload::default() });
                Message::answer(200).with_body(format!("<R><UploadId>{id}</UploadId></R>"))
            }
            "UploadPart" | "UploadPartCopy" => self.part(action, request, &id, part),
            "CompleteMultipartUpload" => {
                let Some(upload) = self.uploads.get(&id) else { return error(404, "NoSuchUpload") };
                let body = String::from_utf8_lossy(&request.body);
                let is_whole = upload.parts.iter().all(|(number, (etag, _))| {
                    body.contains(&format!(
                        "<ETag>{}</ETag><PartNumber>{number}</PartNumber>",
                        etag.replace('"', "&quot;")
                    ))
                });
                let parts: Vec<&Vec<u8>> = upload.parts.values().map(|(_, bytes)| bytes).collect();
                let (_, others) = parts.split_last().unwrap();
                let bytes = upload.parts.values().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<u8>>();
                if !is_whole || others.iter().any(|bytes| bytes.len() < SMALLEST_PART) {
                    return error(400, "InvalidPart");
                }
                // S3 found out after it had sent the status.
                if stated != Some(&crc32c(&bytes)) {
                    return error(200, "BadDigest");
                }
                let (key, checkpoints) = (upload.key.clone(), upload.checkpoints.clone());
                if !is_new {
                    return error(412, "PreconditionFailed");
                }
                self.uploads.remove(&id);
                self.store(&key, bytes, checkpoints);
                Message::answer(200).with_body("<R><ETag>x</ETag></R>")
            }
            "AbortMultipartUpload" => {
                self.uploads.remove(&id);
                Message::answer(204)
            }
            _ => error(405, "MethodNotAllowed"),
        }
    }

    fn part(&mut self, action: &str, request: &Message, id: &str, part: usize) -> Message {
        let etag = format!("\"part-{}\"", self.number());
        let bytes = if action == "UploadPart" {
            request.body.clone()
        } else {
            let source = request.header("x-amz-copy-source").unwrap();
            let key = source.split('?').next().unwrap().split_once('/').unwrap().1.to_owned();
            if self.replaces_sources {
                self.replace(&key, &vec![7; 30 << 20]);
            }
            let Some(object) = self.objects.get(&key) else { return error(404, "NoSuchKey") };
            if request.header("x-amz-copy-source-if-match") != Some(&object.etag) {
                return error(412, "PreconditionFailed");
            }
            let range = request.header("x-amz-copy-source-range").unwrap().strip_prefix("bytes=0-").unwrap();
            let end: usize = range.parse().unwrap();
            if end >= object.bytes.len() {
                return error(416, "InvalidRange");
            }
            object.bytes[..=end].to_vec()
        };
        let Some(upload) = self.uploads.get_mut(id) else { return error(404, "NoSuchUpload") };
        upload.parts.insert(part, (etag.clone(), bytes));
        let answer = Message::answer(200).with("ETag", &etag);
        if action == "UploadPart" {
            return answer;
        }
        answer.with_body(format!("<CopyPartResult><ETag>{}</ETag></CopyPartResult>", etag.replace('"', "&quot;")))
    }

    /// Returns how many uploads were begun, and neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.uploads.len()
    }
}
