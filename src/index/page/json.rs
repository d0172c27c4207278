//! Pages in JSON.
//!
//! Specification: [PyPA, JSON-based simple API](https://packaging.python.org/en/latest/specifications/simple-repository-api/#json-based-simple-api-for-python-package-indexes)
//! (PEP 691, with the sizes and times of PEP 700).

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::{IndexFile, IndexPage, IndexPageError, ProjectStatus, check_version, digest};
use crate::digest::Digest;
use crate::index::cutoff;

#[derive(Deserialize)]
struct JsonPage {
    meta: Option<JsonMeta>,
    files: Vec<JsonFile>,
    #[serde(rename = "project-status")]
    status: Option<JsonStatus>,
}

#[derive(Deserialize)]
struct JsonStatus {
    status: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct JsonMeta {
    #[serde(rename = "api-version")]
    version: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct JsonFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    requires_python: Option<String>,
    size: Option<u64>,
    upload_time: Option<String>,
    yanked: Option<JsonYanked>,
    // The names that it had before PEP 714.
    core_metadata: Option<JsonMetadata>,
    dist_info_metadata: Option<JsonMetadata>,
    data_dist_info_metadata: Option<JsonMetadata>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonYanked {
    Told(bool),
    Reason(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonMetadata {
    Told(bool),
    Digests(BTreeMap<String, String>),
}

/// Reads a page. Its URLs are relative to `base`.
///
/// # Errors
/// It is no page of version 1 of the API.
pub fn parse(bytes: &[u8], base: &Url) -> Result<IndexPage, IndexPageError> {
    let document: JsonPage = serde_json::from_slice(bytes)?;
    if let Some(version) = document.meta.and_then(|meta| meta.version) {
        check_version(&version)?;
    }
    let status = document.status.and_then(|stated| ProjectStatus::of(stated.status, stated.reason));
    let mut page = IndexPage { status, ..IndexPage::default() };
    for entry in document.files {
        let (name, url) = (entry.filename.clone(), entry.url.clone());
        page.add(base, &url, |url| entry.file(url), &name);
    }
    Ok(page)
}

impl JsonFile {
    fn file(self, url: Url) -> Result<IndexFile, String> {
        let metadata = self.core_metadata.or(self.dist_info_metadata).or(self.data_dist_info_metadata);
        Ok(IndexFile {
            name: self.filename,
            url,
            digests: digests(&self.hashes)?,
            size: self.size,
            requires_python: self.requires_python,
            uploaded: self.upload_time.as_deref().and_then(cutoff::upload_time),
            yanked: match self.yanked {
                None | Some(JsonYanked::Told(false)) => None,
                Some(JsonYanked::Told(true)) => Some(String::new()),
                Some(JsonYanked::Reason(reason)) => Some(reason),
            },
            metadata: match metadata {
                None | Some(JsonMetadata::Told(false)) => None,
                Some(JsonMetadata::Told(true)) => Some(Vec::new()),
                Some(JsonMetadata::Digests(hashes)) => Some(digests(&hashes)?),
            },
        })
    }
}

fn digests(hashes: &BTreeMap<String, String>) -> Result<Vec<Digest>, String> {
    hashes.iter().filter_map(|(algorithm, value)| digest(algorithm, value).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        "https://host/simple/demo/".parse().unwrap()
    }

    #[test]
    fn everything_that_a_page_says_is_read() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let text = format!(
            r#"{{"meta": {{"api-version": "1.4", "_last-serial": 1}}, "name": "demo", "versions": ["1.0"], "files": [
                {{"filename": "demo-1.0-py3-none-any.whl", "url": "../../files/demo-1.0-py3-none-any.whl#x", "size": 12,
                  "hashes": {{"sha256": "{0}", "unheard-of": "00"}}, "requires-python": ">=3.9",
                  "upload-time": "2026-01-31T12:00:00.5Z", "yanked": "broken", "core-metadata": {{"sha256": "{0}"}}}},
                {{"filename": "demo-1.0.tar.gz", "url": "https://files/demo-1.0.tar.gz", "hashes": {{}}, "yanked": true,
                  "size": null, "upload-time": "soon", "dist-info-metadata": true, "provenance": null}},
                {{"filename": "demo-2.0.tar.gz", "url": "x", "hashes": {{}}, "yanked": false, "core-metadata": false,
                  "dist-info-metadata": true}}]}}"#,
            "ab".repeat(32)
        );
        let page = parse(text.as_bytes(), &base()).unwrap();
        assert_eq!(page.skipped, []);
        let [wheel, sdist, other] = &page.files[..] else { panic!("{page:?}") };
        assert_eq!(wheel.url.as_str(), "https://host/files/demo-1.0-py3-none-any.whl");
        assert_eq!(wheel.digests, [digest.parse().unwrap()]);
        assert_eq!((wheel.size, wheel.requires_python.as_deref()), (Some(12), Some(">=3.9")));
        assert_eq!((wheel.uploaded, wheel.yanked.as_deref()), (Some(1_769_860_800_500), Some("broken")));
        assert_eq!(wheel.metadata, Some(vec![digest.parse().unwrap()]));
        assert_eq!((sdist.size, sdist.uploaded, sdist.yanked.as_deref()), (None, None, Some("")));
        assert_eq!((sdist.metadata.as_deref(), &other.metadata), (Some(&[][..]), &None));
        assert_eq!(other.yanked, None);
    }

    #[test]
    fn wrong_files_are_passed_over_and_wrong_pages_refused() {
        let text = r#"{"files": [{"filename": "../a.whl", "url": "a"}, {"filename": "a.whl", "url": "ftp://h/a"},
            {"filename": "b.whl", "url": "b", "hashes": {"sha256": "short"}}, {"filename": "c.whl", "url": "c"}]}"#;
        let page = parse(text.as_bytes(), &base()).unwrap();
        assert_eq!(page.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["c.whl"]);
        assert_eq!(page.skipped.len(), 3);

        for text in ["", "{", "[]", "{}", r#"{"files": {}}"#, r#"{"files": [{"filename": "a"}]}"#, "\u{fffd}"] {
            assert!(matches!(parse(text.as_bytes(), &base()), Err(IndexPageError::Json(_))), "{text}");
        }
        assert!(matches!(parse(&b"[".repeat(100_000), &base()), Err(IndexPageError::Json(_))));
        let next = r#"{"meta": {"api-version": "2.0"}, "files": []}"#;
        assert!(matches!(parse(next.as_bytes(), &base()), Err(IndexPageError::Version(version)) if version == "2.0"));
    }
}
